//! Orders as the contract shows them, in answers and in events.

use tandem_kernel::basket::TaxMode;
use tandem_kernel::money::{Currency, Money};
use tandem_platform::outbox::Recorded;
use tandem_proto::campaign::v1;
use tandem_proto::common::v1::{self as common, Money as MoneyMessage};
use tandem_proto::convert::to_timestamp;

use super::decide::{Happened, Threshold};
use super::refund::{Cause, Part, Refund};
use super::{Code, Discount, Line, Order, State, name};

/// What happened, for the outbox.
pub fn of(happened: &Happened) -> Recorded {
    let of_order = |type_: &'static str, order: &Order, payload: &dyn Encode| payload.recorded(type_, order);
    match happened {
        Happened::Held(order) => {
            of_order("tandem.campaign.v1.OrderHeld", order, &v1::OrderHeld { order: Some(message(order)) })
        }
        Happened::Committed(order) => {
            let payload = v1::OrderCommitted { order: Some(message(order)) };
            of_order("tandem.campaign.v1.OrderCommitted", order, &payload)
        }
        Happened::Returned(order, lines, returned) => {
            let line = |(line_id, quantity): &(String, i64)| v1::ReturnedOrderLine {
                line_id: line_id.clone(),
                quantity: *quantity,
            };
            let payload = v1::OrderLinesReturned {
                order: Some(message(order)),
                lines: lines.iter().map(line).collect(),
                returned: Some(money(order.sold.currency, *returned)),
                refund: last_refund(order, Cause::Returned),
            };
            of_order("tandem.campaign.v1.OrderLinesReturned", order, &payload)
        }
        Happened::Cancelled(order, from) => {
            let payload = v1::OrderCancelled {
                order: Some(message(order)),
                from_state: state(*from).into(),
                refund: last_refund(order, Cause::Cancelled),
            };
            of_order("tandem.campaign.v1.OrderCancelled", order, &payload)
        }
        Happened::Refused(order, reason) => {
            let payload = v1::OrderRefused { order: Some(message(order)), reason: reason.clone() };
            of_order("tandem.campaign.v1.OrderRefused", order, &payload)
        }
        Happened::Expired(order) => {
            let payload = v1::OrderExpired { order: Some(message(order)) };
            of_order("tandem.campaign.v1.OrderExpired", order, &payload)
        }
        Happened::Threshold(threshold) => reached(threshold),
    }
}

/// An order has been waiting for relationship-svc for so many seconds.
pub fn stuck(order: &Order, pending_seconds: i64) -> Recorded {
    let payload = v1::OrderStuck { order: Some(message(order)), pending_seconds };
    Recorded::new("tandem.campaign.v1.OrderStuck", name(&order.id), order.version, &payload)
}

/// Payloads of one aggregate, whatever their message.
trait Encode {
    fn recorded(&self, type_: &'static str, order: &Order) -> Recorded;
}

impl<M: prost::Message> Encode for M {
    fn recorded(&self, type_: &'static str, order: &Order) -> Recorded {
        Recorded::new(type_, name(&order.id), order.version, self)
    }
}

fn reached(threshold: &Threshold) -> Recorded {
    let spent = threshold.currency.map(|currency| money(currency, threshold.used));
    let payload = v1::OfferThresholdReached {
        name: threshold.owner.to_string(),
        percent: i32::try_from(threshold.percent).unwrap_or(100),
        limit: if spent.is_some() { "budget" } else { "uses" }.to_owned(),
        uses: if spent.is_some() { 0 } else { threshold.used },
        spent,
    };
    let owner = threshold.owner.to_string();
    Recorded::new("tandem.campaign.v1.OfferThresholdReached", owner, threshold.version, &payload)
}

/// An amount.
pub fn money(currency: Currency, minor: i64) -> MoneyMessage {
    MoneyMessage::from(&Money::new(minor, currency))
}

/// As the contract has it.
pub fn message(order: &Order) -> v1::Order {
    let sold = &order.sold;
    let money = |minor| Some(money(sold.currency, minor));
    let named = |id: &Option<String>| id.as_deref().map(name).unwrap_or_default();
    v1::Order {
        name: name(&order.id),
        state: state(order.state).into(),
        customer: order.person.customer.as_ref().map(|id| format!("customers/{id}")).unwrap_or_default(),
        guest_key: order.person.guest.clone().unwrap_or_default(),
        place: sold.place.clone(),
        list_amount: money(sold.list),
        total: money(sold.total),
        discount: money(order.standing_discount()),
        lines: sold.lines.iter().enumerate().map(|(at, given)| line(order, at, given)).collect(),
        offers: sold.offers.iter().map(|discount| offer(order, discount)).collect(),
        codes: sold.codes.iter().enumerate().map(|(at, given)| code(order, at, given)).collect(),
        hold_expire_time: order.expires.map(to_timestamp),
        commit_time: order.committed.map(to_timestamp),
        replaces: named(&order.replaces),
        replaced_by: named(&order.replaced_by),
        shipping: (sold.shipping != 0).then(|| super::events::money(sold.currency, sold.shipping)),
        create_time: Some(to_timestamp(order.created)),
        update_time: Some(to_timestamp(order.updated)),
        version: order.version,
        tax_mode: common::TaxMode::from(sold.tax_mode).into(),
        amount_due: sold.due.or((sold.tax_mode == TaxMode::Inclusive).then_some(sold.total)).and_then(money),
        refunds: sold.refunds.iter().map(|given| refund(order, given)).collect(),
    }
}

/// The refund that a return or a cancellation has just made.
pub fn last_refund(order: &Order, cause: Cause) -> Option<v1::Refund> {
    let last = order.sold.refunds.last().filter(|last| last.cause == cause)?;
    Some(refund(order, last))
}

fn refund(order: &Order, given: &Refund) -> v1::Refund {
    let sold = &order.sold;
    let money = |minor| Some(money(sold.currency, minor));
    let unless_zero = |minor| if minor == 0 { None } else { money(minor) };
    let line = |part: &Part| {
        Some(v1::RefundedLine {
            line_id: sold.lines.get(part.line)?.id.clone(),
            quantity: part.units,
            amount: money(part.amount),
            tax: unless_zero(part.tax),
        })
    };
    let card = |(code, amount): &(usize, i64)| {
        Some(v1::RefundedGiftCard { code: sold.codes.get(*code)?.code.clone(), amount: money(*amount) })
    };
    v1::Refund {
        time: Some(to_timestamp(given.at)),
        cause: match given.cause {
            Cause::Returned => v1::RefundCause::Returned,
            Cause::Cancelled => v1::RefundCause::Cancelled,
        }
        .into(),
        amount: money(given.total()),
        money: money(given.money),
        gift_cards: given.cards.iter().filter_map(card).collect(),
        lines: given.lines.iter().filter_map(line).collect(),
        shipping: money(given.shipping),
        shipping_tax: unless_zero(given.shipping_tax),
    }
}

fn line(order: &Order, at: usize, given: &Line) -> v1::OrderLine {
    let sold = &order.sold;
    let money = |minor| Some(money(sold.currency, minor));
    let (price_rule, revision) = given.rule.clone().unwrap_or_default();
    let codes = sold.codes.iter().filter(|code| !code.tender).map(|code| &code.discount);
    let discounts = sold.offers.iter().chain(codes).filter_map(|discount| {
        let (_, amount) = discount.shares.iter().find(|(line, _)| *line == at)?;
        Some(v1::OrderLineDiscount {
            source: discount.source.clone(),
            revision: discount.revision,
            amount: money(*amount),
        })
    });
    v1::OrderLine {
        line_id: given.id.clone(),
        product: crate::product::name(&given.product),
        quantity: given.quantity,
        returned_quantity: given.back,
        list_amount: money(given.list),
        initial_amount: money(given.initial),
        final_amount: money(given.last),
        price_rule,
        revision,
        discounts: discounts.collect(),
    }
}

fn offer(order: &Order, discount: &Discount) -> v1::OrderOffer {
    let money = |minor| Some(money(order.sold.currency, minor));
    v1::OrderOffer {
        offer: discount.source.clone(),
        revision: discount.revision,
        amount: money(discount.amount),
        returned: money(order.returned_of(discount)),
    }
}

fn code(order: &Order, at: usize, given: &Code) -> v1::OrderCode {
    let returned = match given.tender {
        true => order.sold.refunds.iter().map(|refund| refund.to_card(at)).sum(),
        false => order.returned_of(&given.discount),
    };
    v1::OrderCode {
        code: given.code.clone(),
        incentive: given.discount.source.clone(),
        version: given.discount.revision,
        amount: Some(money(order.sold.currency, given.discount.amount)),
        tender: given.tender,
        returned: Some(money(order.sold.currency, returned)),
    }
}

/// A state.
pub fn state(state: State) -> v1::OrderState {
    match state {
        State::Holding => v1::OrderState::Holding,
        State::Held => v1::OrderState::Held,
        State::Committing => v1::OrderState::Committing,
        State::Committed => v1::OrderState::Committed,
        State::PartiallyReturned => v1::OrderState::PartiallyReturned,
        State::Returned => v1::OrderState::Returned,
        State::Cancelling => v1::OrderState::Cancelling,
        State::Cancelled => v1::OrderState::Cancelled,
        State::Returning => v1::OrderState::Returning,
        State::Refused => v1::OrderState::Refused,
        State::Expired => v1::OrderState::Expired,
    }
}
