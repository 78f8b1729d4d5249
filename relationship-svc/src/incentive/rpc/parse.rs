//! Requests about incentives, read with every violation at once.

use tandem_kernel::discount::Discount;
use tandem_kernel::period::{Window, Zone};
use tandem_kernel::pricing::Compiled;
use tandem_platform::resource::asked;
use tandem_platform::{Core, Fault, Outcome, Violations, field, grpc};
use tandem_proto::common::v1::discount::Kind;
use tandem_proto::convert;
use tandem_proto::relationship::v1::{
    self, CreateIncentiveRequest, ErrorReason, EvaluateIncentivesRequest, UpdateIncentiveRequest,
};

use crate::incentive::commands::Change;
use crate::incentive::{
    COLLECTION, Definition, Edit, Incentive, MAX_SEGMENTS, MAX_TITLES, ReturnPolicy, condition,
};
use crate::redemption::evaluate::Asked;
use crate::redemption::guesses::Leave;
use crate::redemption::{self, MAX_ORDER_CHARS, Person};
use crate::segment;

const MAX_DISPLAY_NAME: usize = 200;
const MAX_TITLE: usize = 200;
/// The longest BCP 47 tag that anybody uses.
const MAX_LOCALE: usize = 35;
/// The most segments that one quote asks about.
const MAX_ASKED_SEGMENTS: usize = 10_000;

/// The fields that an update can name, in the order in which they are written.
const FIELDS: [&str; 13] = [
    "display_name",
    "titles",
    "discount",
    "validity",
    "limits",
    "max_uses_per_code",
    "segments",
    "condition",
    "campaign",
    "return_policy",
    "one_code_per_customer",
    "assigned_only",
    "labels",
];

/// The id and the definition of a new incentive.
pub fn create(
    core: &Core,
    mut v: Violations,
    message: CreateIncentiveRequest,
) -> Outcome<(String, Definition)> {
    let incentive = message.incentive.unwrap_or_default();
    let id = asked::new_id::<Incentive>(&mut v, core, "incentive_id", &message.incentive_id, &incentive.name);
    refuse_points(&incentive)?;
    let edits = edits(&mut v.nest("incentive"), &incentive, |_| true);
    v.finish()?;
    let discount = edits.iter().find_map(|edit| match edit {
        Edit::Discount(discount) => Some(Discount::clone(discount)),
        _ => None,
    });
    let discount = discount.ok_or_else(|| Fault::internal("a request without violations has no discount"))?;
    Ok((id, Definition::new(discount).edited(edits)))
}

pub fn update(mut v: Violations, message: UpdateIncentiveRequest) -> Outcome<Change> {
    let incentive = message.incentive.unwrap_or_default();
    let mask = grpc::field_mask(&mut v, message.update_mask.as_ref(), &FIELDS);
    let id = field::resource(&mut v, "incentive.name", COLLECTION, &incentive.name);
    if mask.has("discount") {
        refuse_points(&incentive)?;
    }
    let edits = edits(&mut v.nest("incentive"), &incentive, |field| mask.has(field));
    v.finish()?;
    Ok(Change { id, etag: incentive.etag, edits })
}

pub fn evaluate(message: &EvaluateIncentivesRequest) -> Outcome<Asked> {
    let mut v = Violations::new();
    let customer = field::optional_resource(&mut v, "customer", "customers", &message.customer);
    let guest = redemption::rpc::guest_key(&mut v, &message.guest_key);
    let codes = redemption::rpc::codes(&mut v, "codes", &message.codes, 0);
    let currency = match message.currency_code.as_str() {
        "" if codes.is_empty() => None,
        code => collect(&mut v, |problems| convert::currency("currency_code", code, problems)),
    };
    let named = segment::rpc::parse_segments(&mut v, &message.segments, MAX_ASKED_SEGMENTS);
    let contradicts = message.without_segments && !message.segments.is_empty();
    v.check(!contradicts, "segments", "must be empty with without_segments");
    let segments = (message.without_segments || !named.is_empty()).then_some(named);
    field::text(&mut v, "locale", message.locale.clone(), 0..=MAX_LOCALE);
    let client_id = redemption::rpc::client_id(&mut v, message.client_id.clone());
    let order = Some(&message.order_id).filter(|order| !order.is_empty()).cloned();
    if let Some(order) = &order {
        field::text(&mut v, "order_id", order.clone(), 1..=MAX_ORDER_CHARS);
    }
    v.finish()?;
    let (person, leave) = (Person { customer, guest }, Leave::default());
    Ok(Asked { person, codes, currency, segments, order, client_id, leave })
}

/// Points are a good request to a service that has a loyalty programme.
fn refuse_points(incentive: &v1::Incentive) -> Outcome<()> {
    match incentive.discount.as_ref().and_then(|discount| discount.kind.as_ref()) {
        Some(Kind::Points(_)) => {
            let message = "points come with the loyalty programme";
            let refusal = Fault::precondition(ErrorReason::PointsNotAvailable, message);
            Err(refusal.violating("incentive.discount.points", "POINTS_NOT_AVAILABLE", message))
        }
        _ => Ok(()),
    }
}

/// Reads the fields that are `asked` for; what is not asked for cannot be wrong.
fn edits(v: &mut Violations, incentive: &v1::Incentive, asked: impl Fn(&str) -> bool) -> Vec<Edit> {
    let read = FIELDS.into_iter().filter(|field| asked(field)).filter_map(|field| edit(v, incentive, field));
    read.collect()
}

fn edit(v: &mut Violations, incentive: &v1::Incentive, field: &str) -> Option<Edit> {
    Some(match field {
        "display_name" => {
            Edit::DisplayName(field::text(v, field, incentive.display_name.clone(), 0..=MAX_DISPLAY_NAME))
        }
        "titles" => {
            check_titles(v, incentive);
            Edit::Titles(incentive.titles.clone())
        }
        "discount" => Edit::Discount(Box::new(discount(v, incentive)?)),
        "validity" => Edit::Validity(validity(v, incentive)?),
        "limits" => Edit::Limits(collect(v, |problems| match &incentive.limits {
            Some(limits) => convert::limits("limits", limits, problems),
            None => Some(Default::default()),
        })?),
        "max_uses_per_code" => {
            let given = incentive.max_uses_per_code;
            v.check(given.is_none_or(|uses| uses >= 0), field, "must not be negative");
            Edit::MaxUsesPerCode(given)
        }
        "segments" => {
            let mut ids = segment::rpc::parse_segments(v, &incentive.segments, MAX_SEGMENTS);
            ids.sort_unstable();
            ids.dedup();
            Edit::Segments(ids)
        }
        "condition" => {
            if let Err(error) = condition(&incentive.condition) {
                v.add_as("RULE_INVALID", field, error.to_string());
            }
            Edit::Condition(incentive.condition.clone())
        }
        "campaign" => Edit::Campaign(field::optional_resource(v, field, "campaigns", &incentive.campaign)),
        "return_policy" => Edit::ReturnPolicy(return_policy(v, incentive)),
        "one_code_per_customer" => Edit::OneCodePerCustomer(incentive.one_code_per_customer),
        "assigned_only" => Edit::AssignedOnly(incentive.assigned_only),
        _ => Edit::Labels(field::labels(v, field, incentive.labels.clone())),
    })
}

/// Runs a conversion of the contracts' common part and reports what it finds.
fn collect<T>(
    v: &mut Violations,
    convert: impl FnOnce(&mut Vec<tandem_kernel::problem::Problem>) -> Option<T>,
) -> Option<T> {
    let mut problems = Vec::new();
    let value = convert(&mut problems);
    field::problems(v, problems);
    value
}

fn check_titles(v: &mut Violations, incentive: &v1::Incentive) {
    let titles = &incentive.titles;
    v.check(titles.len() <= MAX_TITLES, "titles", format!("must have at most {MAX_TITLES} entries"));
    for (locale, title) in titles.iter().take(MAX_TITLES) {
        let short: String = locale.chars().take(64).collect();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let known = locale.len() <= MAX_LOCALE && locale.chars().all(plain);
        v.check(known, format!("titles[{short:?}]"), "the key must be a BCP 47 language tag, or empty");
        field::text(v, &format!("titles[{short:?}]"), title.clone(), 1..=MAX_TITLE);
    }
}

fn discount(v: &mut Violations, incentive: &v1::Incentive) -> Option<Discount> {
    let Some(given) = &incentive.discount else {
        v.add("discount", "is required");
        return None;
    };
    let discount = collect(v, |problems| convert::discount("discount", given, problems))?;
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
    collect(v, |problems| match &incentive.validity {
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
