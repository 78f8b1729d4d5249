//! Why a code, or a whole call, is refused.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tandem_kernel::limits::Dimension;
use tandem_platform::Fault;
use tandem_proto::Reason;
use tandem_proto::relationship::v1::ErrorReason;

/// Why. The names are those of the contract's `ErrorReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Refusal {
    /// No such code.
    CodeUnknown,
    /// Too many codes that do not exist were tried.
    GuessingThrottled,
    /// The code or its incentive was ended.
    CodeDisabled,
    /// Its time has not come.
    CodeNotYetValid,
    /// Its time is over.
    CodeExpired,
    /// Every use of the code is spent or held.
    CodeExhausted,
    /// It belongs to another customer, or to none yet and has to.
    CodeNotYours,
    /// The same code twice.
    DuplicateCode,
    /// Two codes of one incentive.
    OneCodePerIncentive,
    /// Every use of the incentive is spent or held.
    IncentiveExhausted,
    /// The customer has had every use there is.
    CustomerLimitReached,
    /// The customer has had every use of this period.
    CustomerPeriodLimitReached,
    /// The money budget does not cover it.
    BudgetExhausted,
    /// A limit per customer needs to know the customer.
    CustomerRequired,
    /// A limit counts by what the order does not say.
    LimitValueRequired,
    /// The customer is not in its segments, or its rule is not met.
    NotEligible,
    /// It does nothing for this basket.
    NotApplicable,
    /// Not in this currency.
    CurrencyMismatch,
    /// The sealed amount is no longer covered, or the quote has lapsed.
    PriceChanged,
    /// The quote is of another tenant, order, customer or basket.
    QuoteTokenMismatch,
    /// The quote token is not one of ours.
    QuoteTokenInvalid,
    /// The quote was made without incentives.
    QuoteDegraded,
    /// The hold is over.
    HoldOver,
    /// Not in a state that allows this.
    WrongState,
    /// More units than are left.
    QuantityExceeded,
    /// The order was redeemed with other codes.
    OrderAlreadyRedeemed,
    /// A gift card needs to know what is due.
    AmountDueUnknown,
    /// Pricing the basket, or judging the code on it, takes more work than is allowed.
    BasketTooCostly,
    /// An order of campaign-svc takes it back, and nobody else.
    BelongsToOrder,
}

impl Refusal {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        self.reason()
    }

    /// One sentence for whoever reads the refusal.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::CodeUnknown => "there is no such code",
            Self::GuessingThrottled => "too many codes that do not exist were tried: wait before the next",
            Self::CodeDisabled => "the code is no longer in use",
            Self::CodeNotYetValid => "the code is not valid yet",
            Self::CodeExpired => "the code is no longer valid",
            Self::CodeExhausted => "the code has been used up",
            Self::CodeNotYours => "the code belongs to somebody else",
            Self::DuplicateCode => "the code stands twice in this order and counts once",
            Self::OneCodePerIncentive => "only one code of this kind can be used in one order",
            Self::IncentiveExhausted => "this incentive has been used up",
            Self::CustomerLimitReached => "the customer has used this incentive as often as allowed",
            Self::CustomerPeriodLimitReached => {
                "the customer has used this incentive as often as allowed in this period"
            }
            Self::BudgetExhausted => "the budget of this incentive does not cover it any more",
            Self::CustomerRequired => "this incentive is limited per customer: say who the customer is",
            Self::LimitValueRequired => "a limit of this incentive counts by what the order does not say",
            Self::NotEligible => "the incentive is not meant for this customer or purchase",
            Self::NotApplicable => "the code does nothing for this basket",
            Self::CurrencyMismatch => "the code is not valid in this currency",
            Self::PriceChanged => "the quoted amount is no longer covered: quote again",
            Self::QuoteTokenMismatch => "the quote is of another order, customer or basket",
            Self::QuoteTokenInvalid => "the quote token is not one of ours or was altered",
            Self::QuoteDegraded => "the quote was made without incentives and cannot redeem codes",
            Self::HoldOver => "the hold is over",
            Self::WrongState => "the redemption is not in a state that allows this",
            Self::QuantityExceeded => "more units than are left to give back",
            Self::OrderAlreadyRedeemed => "the order was redeemed with other codes: roll it back first",
            Self::BasketTooCostly => "the basket takes too much work here: quote it and redeem the quote",
            Self::BelongsToOrder => "the redemption belongs to an order of campaign-svc",
            Self::AmountDueUnknown => "prices are without tax: state the amount due to pay with a gift card",
        }
    }
}

/// The sentence for [`Refusal::LimitValueRequired`] that names what the order does not say.
pub fn value_required(dimension: &Dimension) -> String {
    format!(
        "a limit of this incentive counts by {dimension}, which the order does not say: say it, or quote again"
    )
}

impl Reason for Refusal {
    fn reason(self) -> &'static str {
        ErrorReason::from(self).reason()
    }

    fn domain(self) -> &'static str {
        ErrorReason::from(self).domain()
    }
}

impl From<Refusal> for ErrorReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CodeUnknown => Self::CodeUnknown,
            Refusal::GuessingThrottled => Self::GuessingThrottled,
            Refusal::CodeDisabled => Self::CodeDisabled,
            Refusal::CodeNotYetValid => Self::CodeNotYetValid,
            Refusal::CodeExpired => Self::CodeExpired,
            Refusal::CodeExhausted => Self::CodeExhausted,
            Refusal::CodeNotYours => Self::CodeNotYours,
            Refusal::DuplicateCode => Self::DuplicateCode,
            Refusal::OneCodePerIncentive => Self::OneCodePerIncentive,
            Refusal::IncentiveExhausted => Self::IncentiveExhausted,
            Refusal::CustomerLimitReached => Self::CustomerLimitReached,
            Refusal::CustomerPeriodLimitReached => Self::CustomerPeriodLimitReached,
            Refusal::BudgetExhausted => Self::BudgetExhausted,
            Refusal::CustomerRequired => Self::CustomerRequired,
            Refusal::LimitValueRequired => Self::LimitValueRequired,
            Refusal::NotEligible => Self::NotEligible,
            Refusal::NotApplicable => Self::NotApplicable,
            Refusal::CurrencyMismatch => Self::CurrencyMismatch,
            Refusal::PriceChanged => Self::PriceChanged,
            Refusal::QuoteTokenMismatch => Self::QuoteTokenMismatch,
            Refusal::QuoteTokenInvalid => Self::QuoteTokenInvalid,
            Refusal::QuoteDegraded => Self::QuoteDegraded,
            Refusal::HoldOver => Self::HoldOver,
            Refusal::WrongState => Self::WrongState,
            Refusal::QuantityExceeded => Self::QuantityExceeded,
            Refusal::OrderAlreadyRedeemed => Self::OrderAlreadyRedeemed,
            Refusal::AmountDueUnknown => Self::AmountDueUnknown,
            Refusal::BasketTooCostly => Self::BasketTooCostly,
            Refusal::BelongsToOrder => Self::BelongsToOrder,
        }
    }
}

/// What became of one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeOutcome {
    /// As stored, or folded where it is not known.
    pub code: String,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// One sentence more exact than the refusal's own; empty: that one.
    pub message: Cow<'static, str>,
    /// What it takes off or pays, minor units; 0 where it was refused.
    pub amount: i64,
    /// How long to wait before it is looked up again, where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
    /// There can be no such code, so it was not looked up.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub ruled_out: bool,
}

impl CodeOutcome {
    /// Accepted.
    pub fn accepted(code: impl Into<String>, amount: i64) -> Self {
        let (code, message) = (code.into(), Cow::Borrowed(""));
        Self { code, refusal: None, message, amount, wait: None, ruled_out: false }
    }

    /// Refused.
    pub fn refused(code: impl Into<String>, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::accepted(code, 0) }
    }

    /// Why it was refused, where that tells whether there is such a code.
    pub fn looked_up(&self) -> Option<Refusal> {
        self.refusal.filter(|_| !self.ruled_out)
    }

    /// What to tell about the refusal; empty where it was accepted.
    pub fn sentence(&self) -> &str {
        match (self.refusal, self.message.as_ref()) {
            (Some(refusal), "") => refusal.sentence(),
            (_, message) => message,
        }
    }
}

/// A refusal of a whole call: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The first, or the one that concerns the whole.
    pub refusal: Refusal,
    /// Those codes that are to blame; none where the call as a whole is.
    pub codes: Vec<CodeOutcome>,
    /// What few refusals have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    more: Option<Box<More>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct More {
    /// One sentence more exact than the refusal's own; empty: that one.
    message: Cow<'static, str>,
    /// (quoted, current) totals where the price changed, written as money.
    totals: Option<(String, String)>,
    /// What does not exist at all: NOT_FOUND of this resource name.
    missing: Option<String>,
}

impl Refused {
    /// The call as a whole.
    pub fn whole(refusal: Refusal) -> Self {
        Self { refusal, codes: Vec::new(), more: None }
    }

    /// The call as a whole, with a sentence of its own.
    pub fn because(refusal: Refusal, message: impl Into<Cow<'static, str>>) -> Self {
        let mut refused = Self::whole(refusal);
        refused.more().message = message.into();
        refused
    }

    /// Something it names does not exist.
    pub fn missing(resource: String) -> Self {
        let mut refused = Self::whole(Refusal::WrongState);
        refused.more().missing = Some(resource);
        refused
    }

    /// For its codes; the accepted ones among `codes` are left out.
    pub fn codes(mut codes: Vec<CodeOutcome>) -> Self {
        codes.retain(|code| code.refusal.is_some_and(|refusal| refusal != Refusal::DuplicateCode));
        let refusal = codes.first().and_then(|code| code.refusal).unwrap_or(Refusal::NotApplicable);
        Self { codes, ..Self::whole(refusal) }
    }

    /// The price is no longer the quoted one.
    #[must_use]
    pub fn at_another_price(mut self, quoted: String, current: String) -> Self {
        self.refusal = Refusal::PriceChanged;
        self.more().totals = Some((quoted, current));
        self
    }

    /// Whether the basket was not priced for the work that takes, rather than one of its codes refused for it.
    pub fn is_unpriced(&self) -> bool {
        self.refusal == Refusal::BasketTooCostly && self.codes.is_empty()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let More { message, totals, missing } = refused.more.map(|more| *more).unwrap_or_default();
        if let Some(resource) = missing {
            return Self::not_found(resource);
        }
        let sentence = match (message.as_ref(), refused.codes.first()) {
            ("", Some(code)) => code.sentence(),
            ("", None) => refused.refusal.sentence(),
            (message, _) => message,
        };
        let mut fault = Self::precondition(refused.refusal, sentence);
        for code in &refused.codes {
            let reason = code.refusal.map_or("", Refusal::name);
            fault = fault.violating(code.code.as_str(), reason, code.sentence());
        }
        if let Some(wait) = refused.codes.iter().filter_map(|code| code.wait).max() {
            fault = fault.retry_after(wait);
        }
        if let Some((quoted, current)) = totals {
            fault = fault.with("quoted_total", quoted).with("current_total", current);
        }
        fault
    }
}
