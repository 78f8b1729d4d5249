//! The peer's events as this service reads them, and what it tells of those that it cannot take in.

use prost::Message;
use tandem_kernel::id;
use tandem_kernel::money::Money;
use tandem_platform::outbox::Recorded;
use tandem_proto::campaign::v1::EventSetAside;
use tandem_proto::common::v1::Event;
use tandem_proto::convert;
use tandem_proto::relationship::v1::{
    CustomerErased, Redemption, RedemptionRolledBack, RedemptionState, VoucherRedeemed,
};

use super::{Feedback, News, State};
use crate::erased::Heard;

/// The events that are followed.
pub const TYPES: [&str; 3] = [
    "tandem.relationship.v1.VoucherRedeemed",
    "tandem.relationship.v1.RedemptionRolledBack",
    "tandem.relationship.v1.CustomerErased",
];

/// What `event` says; `None` where it cannot be understood.
pub fn news(event: &Event) -> Option<News> {
    if event.r#type == TYPES[2] {
        erased(event).map(News::Erased)
    } else {
        feedback(event).map(News::Redeemed)
    }
}

/// Who was erased.
fn erased(event: &Event) -> Option<Heard> {
    let payload = event.payload.as_ref()?.value.as_slice();
    let CustomerErased { customer, pseudonym, erase_time } = CustomerErased::decode(payload).ok()?;
    let pseudonym = id::parse("customers", &pseudonym).ok()?.to_owned();
    let customer = match customer.as_str() {
        "" => None,
        name => Some(id::parse("customers", name).ok()?.to_owned()),
    };
    Some(Heard {
        // One that was set aside has lost it too, when they were erased once more.
        customer: customer.filter(|id| *id != pseudonym),
        pseudonym,
        erased: convert::timestamp("", &erase_time?, &mut Vec::new())?,
    })
}

/// What `event` says of a redemption; `None` where it tells of something else, or cannot be understood.
fn feedback(event: &Event) -> Option<Feedback> {
    let payload = event.payload.as_ref()?.value.as_slice();
    if event.r#type == TYPES[0] {
        let VoucherRedeemed { redemption, order_total } = VoucherRedeemed::decode(payload).ok()?;
        let total = order_total.and_then(|total| convert::money("", &total, &mut Vec::new()));
        let redemption = redemption?;
        let feedback = of(&redemption, event)?;
        let order_total =
            total.filter(|total| total.currency == feedback.amount.currency).map(|total| total.minor);
        return Some(Feedback { order_total, ..feedback });
    }
    if event.r#type == TYPES[1] {
        return of(&RedemptionRolledBack::decode(payload).ok()?.redemption?, event);
    }
    None
}

fn of(redemption: &Redemption, event: &Event) -> Option<Feedback> {
    let amount = convert::money("", redemption.amount.as_ref()?, &mut Vec::new())?;
    let returned = redemption.returned.as_ref().and_then(|money| convert::money("", money, &mut Vec::new()));
    let occurred = redemption.create_time.or(event.occur_time)?;
    Some(Feedback {
        redemption: id_of(&redemption.name),
        order_id: redemption.order_id.clone(),
        campaign: id_of(&redemption.campaign),
        incentive: id_of(&redemption.incentive),
        customer: id_of(&redemption.customer),
        amount,
        returned: returned
            .filter(|Money { currency, .. }| *currency == amount.currency)
            .map_or(0, |money| money.minor),
        tender: redemption.tender,
        order_total: None,
        state: match redemption.state() {
            RedemptionState::Redeemed => State::Redeemed,
            RedemptionState::PartiallyRolledBack => State::PartiallyRolledBack,
            RedemptionState::RolledBack => State::RolledBack,
            _ => return None,
        },
        version: redemption.version,
        occurred: convert::timestamp("", &occurred, &mut Vec::new())?,
    })
}

/// The last part of a resource name.
fn id_of(name: &str) -> String {
    name.rsplit_once('/').map_or(name, |(_, id)| id).to_owned()
}

/// That `event` was set aside.
pub fn set_aside(event: &Event, reason: &str) -> Recorded {
    let payload = EventSetAside {
        event_id: event.id.clone(),
        r#type: event.r#type.clone(),
        aggregate: event.aggregate.clone(),
        reason: reason.to_owned(),
    };
    Recorded::new("tandem.campaign.v1.EventSetAside", format!("setAsideEvents/{}", event.id), 1, &payload)
}
