//! Refusals as the contract words them.

use tandem_kernel::money::Money;
use tandem_platform::{Fault, Kind};
use tandem_proto::campaign::v1::ErrorReason as Why;

use super::super::{Refusal, State};

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let of = |owner: String, why: Why, message: &str| {
            let name = tandem_proto::Reason::reason(why);
            Self::precondition(why, message).violating(owner, name, message)
        };
        match refusal {
            Refusal::Missing(resource) => Self::not_found(resource),
            Refusal::Pending | Refusal::Underway => Self::new(
                Kind::Unavailable,
                Why::OrderPending,
                "another step of the order is under way: try again, or read the order",
            ),
            Refusal::Reused => Self::request_id_reused(),
            Refusal::WrongState(state) => {
                let further = match state {
                    State::Cancelled => {
                        ": what was committed and has come back is final; sell under another order_id"
                    }
                    State::Returned => {
                        ": its goods have come back, and that is final; its shipping may, by itself; sell under another \
                         order_id"
                    }
                    _ => "",
                };
                let message = format!("the order is {}{further}", state.text());
                Self::precondition(Why::WrongOrderState, message).with("state", state.text())
            }
            Refusal::AlreadyCommitted => {
                Self::precondition(Why::OrderAlreadyCommitted, "the order was committed with another quote")
            }
            Refusal::Lapsed => Self::precondition(Why::PriceChanged, "the quote has lapsed: quote again"),
            Refusal::HoldOver => {
                Self::precondition(Why::HoldOver, "the order has been held for as long as is allowed")
            }
            Refusal::CustomerRequired(owner) => {
                of(owner, Why::CustomerRequired, "a limit per customer needs a customer or a guest_key")
            }
            Refusal::ValueRequired(owner, dimension) => of(
                owner,
                Why::LimitValueRequired,
                "a limit counts by what the order does not say, or its quote is from before the limit: quote again, with it",
            )
            .with("dimension", dimension),
            Refusal::NotRunning(owner) => {
                of(owner, Why::OfferNotRunning, "the campaign does not run any more: quote again")
            }
            Refusal::Exhausted(owner) => of(owner, Why::OfferExhausted, "every use is spent or held"),
            Refusal::CustomerLimit(owner) => {
                of(owner, Why::CustomerLimitReached, "the customer has had every use there is")
            }
            Refusal::CustomerPeriodLimit(owner) => {
                of(owner, Why::CustomerPeriodLimitReached, "the customer has had every use of this period")
            }
            Refusal::Budget(owner) => {
                of(owner, Why::BudgetExhausted, "the money budget does not cover the discount")
            }
            Refusal::Short { owner, quoted, current, currency } => {
                let money = |minor| Money::new(minor, currency).to_string();
                of(
                    owner,
                    Why::PriceChanged,
                    "the money budget covers a part of the discount only: quote again",
                )
                .with("quoted_total", money(quoted))
                .with("current_total", money(current))
            }
            Refusal::Shipping(message) => Self::invalid_field("shipping_amount", message),
            Refusal::Quantity(message) => Self::precondition(Why::QuantityExceeded, message),
        }
    }
}
