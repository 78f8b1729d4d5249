//! Orders as campaign-svc tells of them, and what is told of those that cannot be taken in.

use jiff::Timestamp;
use prost::Message;
use tandem_kernel::money::Money;
use tandem_kernel::{id, order_id};
use tandem_platform::outbox::Recorded;
use tandem_proto::campaign::v1::{
    Order, OrderCancelled, OrderCommitted, OrderLinesReturned, OrderState, Refund, RefundCause,
};
use tandem_proto::common::v1::{Event, Money as MoneyMessage};
use tandem_proto::convert;
use tandem_proto::relationship::v1::EventSetAside;

use super::order::Told;
use crate::relationship::Who;

/// The events that are followed.
pub const TYPES: [&str; 3] = [
    "tandem.campaign.v1.OrderCommitted",
    "tandem.campaign.v1.OrderLinesReturned",
    "tandem.campaign.v1.OrderCancelled",
];

/// What `event` says of an order. `None`: it is not understood. `Some(None)`: it says nothing of a person, because the order is
/// nobody's or was never committed.
pub fn told(event: &Event) -> Option<Option<Told>> {
    let payload = event.payload.as_ref()?.value.as_slice();
    let (order, refund) = match TYPES.iter().position(|one| *one == event.r#type)? {
        0 => (OrderCommitted::decode(payload).ok()?.order, None),
        1 => {
            let OrderLinesReturned { order, refund, .. } = OrderLinesReturned::decode(payload).ok()?;
            (order, refund)
        }
        _ => (OrderCancelled::decode(payload).ok()?.order, None),
    };
    of(&order?, refund.as_ref())
}

fn of(order: &Order, refund: Option<&Refund>) -> Option<Option<Told>> {
    let Some(placed) = order.commit_time.as_ref() else { return Some(None) };
    let Some(who) = who(order)? else { return Some(None) };
    let amount = money(order.amount_due.as_ref().or(order.total.as_ref())?)?;
    let back =
        |refund: &Refund| money(refund.amount.as_ref()?).filter(|back| back.currency == amount.currency);
    let returned = order.refunds.iter().filter(|one| one.cause() == RefundCause::Returned);
    let returned = returned.map(|one| back(one).map(|back| back.minor)).sum::<Option<i64>>()?;
    let told = Told {
        order: order_id::parse(&order.name).ok()?,
        version: order.version,
        who,
        placed: moment(placed)?,
        amount,
        returned,
        cancelled: matches!(order.state(), OrderState::Cancelled | OrderState::Cancelling),
        place: order.place.clone(),
        back: match refund {
            Some(refund) => Some((moment(refund.time.as_ref()?)?, back(refund)?)),
            None => None,
        },
    };
    Some(Some(told))
}

/// Whose order it is; the inner `None`: nobody's.
fn who(order: &Order) -> Option<Option<Who>> {
    match (order.customer.as_str(), order.guest_key.as_str()) {
        ("", "") => Some(None),
        ("", guest) => Some(Some(Who::Guest(guest.to_owned()))),
        (customer, _) => id::parse("customers", customer).ok().map(|id| Some(Who::Customer(id.to_owned()))),
    }
}

fn money(given: &MoneyMessage) -> Option<Money> {
    convert::money("", given, &mut Vec::new())
}

fn moment(given: &prost_types::Timestamp) -> Option<Timestamp> {
    convert::timestamp("", given, &mut Vec::new())
}

/// That `event` was set aside.
pub fn set_aside(event: &Event, reason: &str) -> Recorded {
    let payload = EventSetAside {
        event_id: event.id.clone(),
        r#type: event.r#type.clone(),
        aggregate: event.aggregate.clone(),
        reason: reason.to_owned(),
    };
    Recorded::new("tandem.relationship.v1.EventSetAside", format!("setAsideEvents/{}", event.id), 1, &payload)
}
