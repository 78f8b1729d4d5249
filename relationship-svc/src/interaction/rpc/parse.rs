//! From the contract to interactions, every violation at once.

use jiff::Timestamp;
use prost::Message;
use sha2::{Digest, Sha256};
use tandem_kernel::money::Money;
use tandem_platform::{Outcome, Violations, field};
use tandem_proto::convert;
use tandem_proto::relationship::v1::{self, ClaimGuestRequest, InteractionType};

use super::super::claim::Claim;
use super::super::{Details, Interaction, Kind, MAX_EVENT_ID, Rating, Retention, Untimely, timely};
use crate::redemption::rpc::{guest_key, place};
use crate::relationship::Who;

const MAX_MEDIUM: usize = 64;

/// One interaction as it was sent.
pub fn interaction(
    mut given: v1::Interaction,
    retention: &Retention,
    now: Timestamp,
) -> Outcome<Interaction> {
    let mut violations = Violations::new();
    let v = &mut violations;
    // What the server sets is no part of what was sent.
    (given.record_time, given.returned, given.cancelled, given.from_campaign) = (None, None, false, false);
    let hash = Sha256::digest(given.encode_to_vec()).into();
    let kind = kind(v, given.r#type);
    let who = who(v, &given.customer, &given.guest_key);
    event_id(v, kind, &given.event_id);
    let at = time(v, kind, given.event_time.as_ref(), retention, now);
    let amount = amount(v, kind, given.amount.as_ref());
    let order = order(v, kind, given.order_id);
    let rating = rating(v, kind, given.rating);
    let details = Details {
        product: field::optional_resource(v, "product", "products", &given.product).unwrap_or_default(),
        medium: field::text(v, "medium", given.medium, 0..=MAX_MEDIUM),
        place: place(v, given.place),
        rating,
        attributes: field::labels(v, "attributes", given.attributes),
        event_id: String::new(),
    };
    violations.finish()?;
    Ok(Interaction {
        event_id: given.event_id,
        kind: kind.unwrap_or(Kind::Custom),
        at: at.unwrap_or(now),
        who,
        amount,
        order,
        rating: rating.map(|rating| rating.normal()),
        details,
        hash,
    })
}

/// What a claim says.
pub fn claim(v: &mut Violations, given: &ClaimGuestRequest) -> Claim {
    let customer = field::resource(v, "customer", "customers", &given.customer);
    let guest = guest_key(v, &given.guest_key);
    v.check(!given.guest_key.is_empty(), "guest_key", "is required");
    Claim { customer, guest: guest.unwrap_or_default() }
}

/// A customer or a guest, one of them.
pub fn who(v: &mut Violations, customer: &str, guest: &str) -> Who {
    v.check(customer.is_empty() || guest.is_empty(), "guest_key", "must not stand beside customer");
    v.check(
        !customer.is_empty() || !guest.is_empty(),
        "customer",
        "either customer or guest_key is required",
    );
    let known = field::optional_resource(v, "customer", "customers", customer);
    let guest = guest_key(v, guest).unwrap_or_default();
    known.map_or(Who::Guest(guest), Who::Customer)
}

fn kind(v: &mut Violations, given: i32) -> Option<Kind> {
    let known = InteractionType::try_from(given).ok().and_then(kind_of);
    if known.is_none() {
        v.add("type", format!("{given} is no type of interaction"));
    }
    known
}

/// What the contract calls it.
pub fn kind_of(given: InteractionType) -> Option<Kind> {
    Some(match given {
        InteractionType::Unspecified => return None,
        InteractionType::Visit => Kind::Visit,
        InteractionType::Basket => Kind::Basket,
        InteractionType::Order => Kind::Order,
        InteractionType::Payment => Kind::Payment,
        InteractionType::Delivery => Kind::Delivery,
        InteractionType::Return => Kind::Return,
        InteractionType::Support => Kind::Support,
        InteractionType::Review => Kind::Review,
        InteractionType::MessageOpen => Kind::MessageOpen,
        InteractionType::MessageClick => Kind::MessageClick,
        InteractionType::Reply => Kind::Reply,
        InteractionType::SurveyAnswer => Kind::SurveyAnswer,
        InteractionType::Custom => Kind::Custom,
    })
}

/// An order is known by its own id; all else needs one of the caller's.
fn event_id(v: &mut Violations, kind: Option<Kind>, id: &str) {
    let least = usize::from(kind != Some(Kind::Order));
    let shaped = (least..=MAX_EVENT_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    v.check(shaped, "event_id", format!("must be 1 to {MAX_EVENT_ID} visible ASCII characters"));
}

fn time(
    v: &mut Violations,
    kind: Option<Kind>,
    given: Option<&prost_types::Timestamp>,
    retention: &Retention,
    now: Timestamp,
) -> Option<Timestamp> {
    let Some(given) = given else {
        v.add("event_time", "is required");
        return None;
    };
    let at = field::read(v, |problems| convert::timestamp("event_time", given, problems))?;
    match kind.map_or(Ok(()), |kind| timely(kind, at, retention, now)) {
        Ok(()) => {}
        Err(Untimely::Ahead) => {
            let message = format!("must be at most 5 minutes ahead of {now}, is {at}");
            v.add_as("TIME_AHEAD", "event_time", message);
        }
        Err(Untimely::Over(days)) => {
            let message = format!("must be less than {days} days ago, which is how long its type is kept");
            v.add_as("TOO_OLD", "event_time", message);
        }
    }
    Some(at)
}

fn amount(
    v: &mut Violations,
    kind: Option<Kind>,
    given: Option<&tandem_proto::common::v1::Money>,
) -> Option<Money> {
    let Some(given) = given else {
        let needed = matches!(kind, Some(Kind::Order | Kind::Return));
        v.check(!needed, "amount", "is required of an ORDER and a RETURN");
        return None;
    };
    let fits = matches!(kind, None | Some(Kind::Order | Kind::Return | Kind::Payment | Kind::Basket));
    v.check(fits, "amount", "is for ORDER, RETURN, PAYMENT and BASKET only");
    let currency = convert::money("amount", given, &mut Vec::new()).map(|money| money.currency);
    let minor = field::read(v, |problems| convert::amount("amount", given, None, problems))?;
    currency.map(|currency| Money::new(minor, currency))
}

fn order(v: &mut Violations, kind: Option<Kind>, given: String) -> Option<String> {
    if given.is_empty() {
        v.check(kind != Some(Kind::Order), "order_id", "is required of an ORDER");
        return None;
    }
    Some(field::order_id(v, "order_id", given))
}

fn rating(v: &mut Violations, kind: Option<Kind>, given: Option<v1::Rating>) -> Option<Rating> {
    let v1::Rating { value, lowest, highest } = given?;
    let rating = Rating { value, lowest, highest };
    v.check(kind.is_none_or(Kind::is_rating), "rating", "is for REVIEW and SURVEY_ANSWER only");
    v.check(lowest < highest, "rating.highest", "must be above the lowest");
    let on_it = lowest >= highest || (lowest..=highest).contains(&value);
    v.check(on_it, "rating.value", format!("must be {lowest} to {highest}, is {value}"));
    Some(rating).filter(Rating::is_sound)
}
