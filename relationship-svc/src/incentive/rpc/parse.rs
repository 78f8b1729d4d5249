//! Requests about incentives, read with every violation at once.

use tandem_kernel::discount::Discount;
use tandem_kernel::limits::Limits;
use tandem_kernel::locale::Locale;
use tandem_kernel::period::{Window, Zone};
use tandem_kernel::pricing::Compiled;
use tandem_kernel::text;
use tandem_platform::{Fault, Outcome, Violations, field};
use tandem_proto::common::v1::discount::Kind;
use tandem_proto::convert;
use tandem_proto::relationship::v1::{self, ErrorReason, EvaluateIncentivesRequest};

use crate::incentive::{Definition, MAX_SEGMENTS, MAX_TITLES, ReturnPolicy, UNLIMITED, condition};
use crate::redemption::evaluate::Asked;
use crate::redemption::guesses::Leave;
use crate::redemption::{self, Person};
use crate::segment;

const MAX_DISPLAY_NAME: usize = 200;
/// Of a basket.
const MAX_ATTRIBUTES: usize = 32;
/// Bytes of a key or a value.
const MAX_ATTRIBUTE: usize = 256;
/// The most segments that one quote asks about.
const MAX_ASKED_SEGMENTS: usize = 10_000;

/// What is asked, and in which language the titles are wanted.
pub fn evaluate(message: &EvaluateIncentivesRequest) -> Outcome<(Asked, Locale)> {
    let mut v = Violations::new();
    let customer = field::optional_resource(&mut v, "customer", "customers", &message.customer);
    let guest = redemption::rpc::guest_key(&mut v, &message.guest_key);
    let codes = redemption::rpc::codes(&mut v, "codes", &message.codes, 0);
    let currency = match message.currency_code.as_str() {
        "" if codes.is_empty() => None,
        code => field::read(&mut v, |problems| convert::currency("currency_code", code, problems)),
    };
    let named = segment::rpc::parse_segments(&mut v, &message.segments, MAX_ASKED_SEGMENTS);
    let contradicts = message.without_segments && !message.segments.is_empty();
    v.check(!contradicts, "segments", "must be empty with without_segments");
    let segments = (message.without_segments || !named.is_empty()).then_some(named);
    let locale = field::locale(&mut v, "locale", &message.locale);
    let client_id = redemption::rpc::client_id(&mut v, message.client_id.clone());
    let mut order = |field, id: &String| (!id.is_empty()).then(|| field::order_id(&mut v, field, id.clone()));
    let (order, replaces) =
        (order("order_id", &message.order_id), order("replaces_order_id", &message.replaces_order_id));
    let other = replaces.is_none() || replaces != order;
    v.check(other, "replaces_order_id", "must be another order");
    let place = redemption::rpc::place(&mut v, message.place.clone());
    let fits = message.attributes.len() <= MAX_ATTRIBUTES
        && message.attributes.iter().all(|(key, value)| key.len().max(value.len()) <= MAX_ATTRIBUTE);
    v.check(fits, "attributes", "must have at most 32 entries, keys and values of at most 256 bytes");
    v.finish()?;
    let (person, leave) = (Person { customer, guest }, Leave::default());
    let mut attributes = message.attributes.clone();
    text::compose_map(&mut attributes);
    let asked =
        Asked { person, codes, currency, segments, order, replaces, client_id, leave, place, attributes };
    Ok((asked, locale))
}

/// Points are a good request to a service that has a loyalty programme.
pub fn refuse_points(incentive: Option<&v1::Incentive>) -> Outcome<()> {
    match incentive.and_then(|one| one.discount.as_ref()).and_then(|discount| discount.kind.as_ref()) {
        Some(Kind::Points(_)) => {
            let message = "points come with the loyalty programme";
            let refusal = Fault::precondition(ErrorReason::PointsNotAvailable, message);
            Err(refusal.violating("incentive.discount.points", "POINTS_NOT_AVAILABLE", message))
        }
        _ => Ok(()),
    }
}

/// What a caller says of an incentive, its uses of one code as they were sent.
pub fn definition(v: &mut Violations, given: v1::Incentive) -> Definition {
    Definition {
        display_name: field::text(v, "display_name", given.display_name.clone(), 0..=MAX_DISPLAY_NAME),
        titles: field::titles(v, "titles", given.titles.clone(), MAX_TITLES),
        discount: discount(v, &given).unwrap_or_default(),
        validity: validity(v, &given).unwrap_or_default(),
        limits: limits(v, &given).unwrap_or_default(),
        max_uses_per_code: uses_per_code(v, &given),
        segments: segments(v, &given),
        condition: readable_condition(v, &given),
        campaign: field::optional_resource(v, "campaign", "campaigns", &given.campaign),
        return_policy: return_policy(v, &given),
        one_code_per_customer: given.one_code_per_customer,
        assigned_only: given.assigned_only,
        labels: field::labels(v, "labels", given.labels),
    }
}

fn limits(v: &mut Violations, incentive: &v1::Incentive) -> Option<Limits> {
    let limits = incentive.limits.as_ref()?;
    field::read(v, |problems| convert::limits("limits", limits, problems))
}

fn uses_per_code(v: &mut Violations, incentive: &v1::Incentive) -> Option<i64> {
    let (uses, unlimited) = (incentive.max_uses_per_code, incentive.unlimited_uses_per_code);
    let message = "must be at least 1; absent is 1, and unlimited_uses_per_code sets no limit";
    v.check(uses.is_none_or(|uses| uses >= 1), "max_uses_per_code", message);
    let message = "must not stand beside max_uses_per_code";
    v.check(!unlimited || uses.is_none(), "unlimited_uses_per_code", message);
    if unlimited { Some(UNLIMITED) } else { uses }
}

/// Ids, each once.
fn segments(v: &mut Violations, incentive: &v1::Incentive) -> Vec<String> {
    let mut ids = segment::rpc::parse_segments(v, &incentive.segments, MAX_SEGMENTS);
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn readable_condition(v: &mut Violations, incentive: &v1::Incentive) -> String {
    if let Err(error) = condition(&incentive.condition) {
        v.add_as("RULE_INVALID", "condition", error.to_string());
    }
    incentive.condition.clone()
}

fn discount(v: &mut Violations, incentive: &v1::Incentive) -> Option<Discount> {
    let Some(given) = &incentive.discount else {
        v.add("discount", "is required");
        return None;
    };
    let discount = field::read(v, |problems| convert::discount("discount", given, problems))?;
    // All that the conversion leaves to find are conditions of scopes.
    match Compiled::new(discount) {
        Ok(compiled) => Some(compiled.discount),
        Err(problems) => {
            for problem in problems {
                v.add_as("RULE_INVALID", format!("discount.{}", problem.field), problem.message);
            }
            None
        }
    }
}

fn validity(v: &mut Violations, incentive: &v1::Incentive) -> Option<Window> {
    field::read(v, |problems| match &incentive.validity {
        Some(interval) => convert::window("validity", interval, Zone::utc(), problems),
        None => Some(Window::default()),
    })
}

fn return_policy(v: &mut Violations, incentive: &v1::Incentive) -> ReturnPolicy {
    match v1::ReturnPolicy::try_from(incentive.return_policy) {
        Ok(v1::ReturnPolicy::Unspecified | v1::ReturnPolicy::OnFullReturn) => ReturnPolicy::OnFullReturn,
        Ok(v1::ReturnPolicy::Never) => ReturnPolicy::Never,
        Err(_) => {
            v.add("return_policy", format!("{} is not a value of this enum", incentive.return_policy));
            ReturnPolicy::default()
        }
    }
}
