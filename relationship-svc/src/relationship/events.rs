//! Relationships as the contract shows them, in answers and in events.

use jiff::Timestamp;
use tandem_kernel::money::Money;
use tandem_platform::outbox::Recorded;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1;

use super::{Change, Relationship, Satisfaction, Stage, StageRules, Who, Why, days_between};

/// The stage of a person has changed.
pub fn stage_changed(who: &Who, change: &Change) -> Recorded {
    let payload = v1::StageChanged {
        customer: who.customer(),
        guest_key: who.guest().to_owned(),
        from_stage: stage(change.from).into(),
        to_stage: stage(change.to).into(),
        since_time: Some(to_timestamp(change.at)),
        reason: reason(&change.why).into(),
        why: words(&change.why),
    };
    Recorded::new("tandem.relationship.v1.StageChanged", who.name(), change.version, &payload)
}

/// A guest was claimed by a customer.
pub fn guest_claimed(customer: &Who, guest: &Relationship) -> Recorded {
    let payload = v1::GuestClaimed { customer: customer.customer(), guest_key: guest.who.guest().to_owned() };
    Recorded::new("tandem.relationship.v1.GuestClaimed", guest.who.name(), guest.version, &payload)
}

/// As it is at `now`.
pub fn message(one: &Relationship, rules: &StageRules, now: Timestamp) -> v1::Relationship {
    let journey = one.journey();
    let (at, why) = journey.at(rules, now);
    let next = journey.next(rules, now);
    let moment = |at: Option<Timestamp>| at.map(to_timestamp);
    v1::Relationship {
        customer: one.who.customer(),
        guest_key: one.who.guest().to_owned(),
        stage: stage(at).into(),
        stage_reason: reason(&why).into(),
        stage_why: words(&why),
        stage_since_time: moment(journey.since(rules, now)),
        next_change_time: moment(next.map(|(when, _)| when)),
        next_stage: next.map_or(v1::Stage::Unspecified, |(_, then)| stage(then)).into(),
        orders: one.orders,
        first_order_time: moment(one.first_order),
        last_order_time: moment(one.last_order),
        recency_days: one.last_order.map(|last| days_between(last, now)),
        monetary: one.amounts.iter().map(|(currency, minor)| Money::new(*minor, *currency).into()).collect(),
        last_activity_time: moment(one.last_activity),
        satisfaction: satisfaction(one.ratings.of_late(now)),
        satisfaction_ever: satisfaction(one.ratings.ever()),
        ..v1::Relationship::default()
    }
}

fn satisfaction(of: Satisfaction) -> Option<v1::Satisfaction> {
    (of.count > 0).then_some(v1::Satisfaction { ratings: of.count, mean_ppm: of.mean })
}

/// A stage.
pub fn stage(stage: Stage) -> v1::Stage {
    match stage {
        Stage::Prospect => v1::Stage::Prospect,
        Stage::FirstPurchase => v1::Stage::FirstPurchase,
        Stage::Active => v1::Stage::Active,
        Stage::Loyal => v1::Stage::Loyal,
        Stage::AtRisk => v1::Stage::AtRisk,
        Stage::Lapsed => v1::Stage::Lapsed,
        Stage::WonBack => v1::Stage::WonBack,
    }
}

fn reason(why: &Why) -> v1::StageReason {
    match why {
        Why::NoOrder => v1::StageReason::NoOrder,
        Why::OneOrder(_) => v1::StageReason::OneOrder,
        Why::Orders(_) => v1::StageReason::SeveralOrders,
        Why::ManyOrders(_) => v1::StageReason::ManyOrders,
        Why::Quiet(_) => v1::StageReason::Quiet,
        Why::CameBack { .. } => v1::StageReason::CameBack,
    }
}

/// The reason as a sentence. Dates are those of UTC.
fn words(why: &Why) -> String {
    let date = |at: &Timestamp| at.strftime("%Y-%m-%d").to_string();
    match why {
        Why::NoOrder => "has not ordered yet".to_owned(),
        Why::OneOrder(at) => format!("has ordered once, on {}", date(at)),
        Why::Orders(last) => format!("orders, last on {}", date(last)),
        Why::ManyOrders(count) => format!("has ordered {count} times within the days that count for loyalty"),
        Why::Quiet(last) => format!("has not ordered since {}", date(last)),
        Why::CameBack { back, quiet_days } => {
            format!("came back on {} after {quiet_days} days without an order", date(back))
        }
    }
}
