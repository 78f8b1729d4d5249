//! A priced basket as the contract shows it (campaign/v1/pricing.proto), and as the token seals it
//! (common/v1/quote.proto). Written field by field, see [`super::wire`]; the numbers are the contract's, and
//! each stands beside its name.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tandem_kernel::basket::TaxMode;
use tandem_kernel::discount::Kind;
use tandem_kernel::money::Currency;
use tandem_kernel::pricing::{Compiled, Decision as Decided, MissingUnits, Outcome, Reason};
use tandem_proto::campaign::v1::{DecisionOutcome, DecisionReason, IncentivesStatus};
use tandem_proto::common::v1;
use tandem_proto::convert::to_timestamp;

use super::price::{Ask, Incentives, Priced, Refusal, Source, Verdict};
use super::quote::Quote;
use super::wire::Wire;

/// Before a code in a name.
pub const VOUCHERS: &str = "vouchers/";
const PRODUCTS: &str = "products/";
const NANOS_PER_UNIT: i64 = 1_000_000_000;

/// Amounts in the currency of one quote.
#[derive(Debug, Clone, Copy)]
struct Purse<'c> {
    code: &'c str,
    per_unit: i64,
}

impl<'c> Purse<'c> {
    fn of(currency: &'c Currency) -> Self {
        Self { code: currency.code(), per_unit: currency.minor_per_unit() }
    }

    /// A Money.
    fn money(self, wire: &mut Wire, field: u32, minor: i64) {
        wire.message(field, |wire| {
            wire.text(1, self.code); // currency_code
            wire.number(2, minor / self.per_unit); // units
            wire.number(3, minor % self.per_unit * (NANOS_PER_UNIT / self.per_unit)); // nanos
        });
    }

    fn unless_zero(self, wire: &mut Wire, field: u32, minor: i64) {
        if minor != 0 {
            self.money(wire, field, minor);
        }
    }
}

fn timestamp(wire: &mut Wire, field: u32, at: Timestamp) {
    let prost_types::Timestamp { seconds, nanos } = to_timestamp(at);
    wire.message(field, |wire| {
        wire.number(1, seconds);
        wire.number(2, nanos.into());
    });
}

/// A QuoteResponse.
pub fn quote(quote: &Quote<'_>) -> Vec<u8> {
    let Quote { ask, priced, told, left_out, incentives, token, digest, age } = quote;
    let explained = 96 * told.len() + 40 * shares_of(priced);
    let mut wire = Wire::with_room(512 + token.len() + 128 * ask.basket.lines.len() + explained);
    lines(&mut wire, ask, priced);
    for verdict in told {
        wire.message(2, |wire| write_decision(wire, verdict, ask, priced, incentives)); // decisions
    }
    wire.message(3, |wire| totals(wire, ask, priced)); // totals
    wire.text(4, token); // quote_token
    timestamp(&mut wire, 5, priced.valid_until); // valid_until
    wire.bytes(6, &hexadecimal(digest)); // order_digest
    let status = match incentives {
        Incentives::NotAsked => IncentivesStatus::NotAsked,
        Incentives::Included(_) => IncentivesStatus::Included,
        Incentives::Unavailable => IncentivesStatus::Unavailable,
    };
    wire.number(7, i64::from(i32::from(status))); // incentives_status
    wire.truth(8, priced.evaluation.approximate); // approximate
    duration(&mut wire, 9, *age); // snapshot_age
    wire.count(10, *left_out); // decisions_left_out
    wire.finish()
}

/// How many shares of lines are told.
fn shares_of(priced: &Priced<'_>) -> usize {
    priced.evaluation.decisions.iter().map(|decided| decided.line_amounts.len()).sum()
}

fn duration(wire: &mut Wire, field: u32, span: Duration) {
    wire.message(field, |wire| {
        wire.number(1, i64::try_from(span.as_secs()).unwrap_or(i64::MAX));
        wire.number(2, span.subsec_nanos().into());
    });
}

fn lines(wire: &mut Wire, ask: &Ask, priced: &Priced<'_>) {
    let purse = Purse::of(&ask.basket.currency);
    let evaluated = priced.evaluation.lines.iter().zip(&priced.prior_prices);
    for ((line, prior), given) in evaluated.zip(&ask.basket.lines) {
        wire.message(1, |wire| {
            wire.text(1, &given.id); // line_id
            purse.money(wire, 2, line.list_unit); // list_unit_price
            purse.money(wire, 3, line.initial_unit); // unit_price
            purse.money(wire, 4, line.initial); // initial_amount
            purse.money(wire, 5, line.discount); // discount_amount
            purse.money(wire, 6, line.final_amount); // final_amount
            if let Some(prior) = prior {
                purse.money(wire, 7, *prior); // prior_price
            }
            if let Some(rule) = line.price_rule.and_then(|rule| priced.rules.get(rule)) {
                wire.text(8, &rule.name); // price_rule
                wire.number(9, rule.revision); // revision
            }
        });
    }
}

fn totals(wire: &mut Wire, ask: &Ask, priced: &Priced<'_>) {
    let (purse, sums) = (Purse::of(&ask.basket.currency), &priced.evaluation);
    purse.money(wire, 1, sums.list); // list_amount
    purse.money(wire, 2, sums.initial); // initial_amount
    purse.money(wire, 3, sums.discount); // discount_amount
    purse.money(wire, 4, sums.goods); // goods_amount
    purse.money(wire, 5, sums.shipping); // shipping_amount
    purse.money(wire, 6, sums.shipping_discount); // shipping_discount
    purse.money(wire, 7, sums.total); // total
    purse.money(wire, 8, sums.tendered); // tendered
    if let Some(payable) = sums.payable {
        purse.money(wire, 9, payable); // payable
    }
}

/// A Decision.
pub fn decision(verdict: &Verdict<'_>, ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> Vec<u8> {
    let mut wire = Wire::default();
    write_decision(&mut wire, verdict, ask, priced, incentives);
    wire.finish()
}

/// A Decision without its title.
pub fn untitled(verdict: &Verdict<'_>, ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> Vec<u8> {
    let mut wire = Wire::default();
    write_source(&mut wire, verdict, ask, incentives);
    write_verdict(&mut wire, verdict, ask, priced, incentives);
    wire.finish()
}

/// A Decision of what applied that says no more than what the margin floor cut away; `source` is in two parts.
pub fn cut(source: (&str, &str), amount: i64, ask: &Ask) -> Vec<u8> {
    let mut wire = Wire::default();
    wire.joined(1, source.0, source.1); // source
    outcome(&mut wire, DecisionOutcome::Applied, DecisionReason::Unspecified);
    Purse::of(&ask.basket.currency).money(&mut wire, 13, amount); // cut_by_floor
    wire.finish()
}

fn write_decision(
    wire: &mut Wire,
    verdict: &Verdict<'_>,
    ask: &Ask,
    priced: &Priced<'_>,
    incentives: &Incentives,
) {
    write_source(wire, verdict, ask, incentives);
    let title = match verdict.source {
        Source::Offer(entry) => entry.offer().map_or("", |offer| offer.titles.of(&ask.locale)),
        Source::Code(index) => incentives.code(index).map_or("", |code| &code.title),
    };
    wire.text(4, title); // title
    write_verdict(wire, verdict, ask, priced, incentives);
}

fn write_source(wire: &mut Wire, verdict: &Verdict<'_>, ask: &Ask, incentives: &Incentives) {
    match verdict.source {
        Source::Offer(entry) => {
            wire.text(1, &entry.name); // source
            wire.number(2, entry.revision); // revision
        }
        Source::Code(index) => {
            wire.joined(1, VOUCHERS, given_code(ask, index)); // source
            if let Some(code) = incentives.code(index) {
                wire.number(2, code.version); // revision
                wire.text(3, &code.incentive); // incentive
            }
        }
    }
}

fn write_verdict(
    wire: &mut Wire,
    verdict: &Verdict<'_>,
    ask: &Ask,
    priced: &Priced<'_>,
    incentives: &Incentives,
) {
    let mut retry_after = None;
    match verdict.decided {
        Ok(index) => {
            if let Some(decided) = priced.evaluation.decisions.get(index) {
                write_decided(wire, decided, ask, priced);
            }
        }
        Err(refusal) => {
            outcome(wire, DecisionOutcome::Inapplicable, reason_of_refusal(refusal));
            if let (Refusal::CodeRefused, Source::Code(index)) = (refusal, verdict.source) {
                let code = incentives.code(index);
                let reason = code.and_then(|code| code.terms.as_ref().err());
                wire.text(9, reason.map_or("", String::as_str)); // code_refusal
                retry_after = code.and_then(|code| code.retry_after);
            }
        }
    }
    let code = match verdict.source {
        Source::Offer(_) => None,
        Source::Code(index) => incentives.code(index),
    };
    let terms = code.and_then(|code| code.terms.as_ref().ok());
    wire.truth(14, terms.is_some_and(|terms| pays(&terms.compiled))); // tender
    if let Some(delay) = retry_after {
        duration(wire, 15, delay); // retry_delay
    }
    if let (Err(Refusal::LimitValueRequired), Source::Offer(entry)) = (verdict.decided, verdict.source) {
        let limited = entry.offer().and_then(|offer| offer.limited.as_ref());
        let segments = entry.counted_segments(priced.segments);
        let dimension = limited.and_then(|limited| limited.lacks(ask.facts(&segments)));
        wire.text(17, &dimension.map(ToString::to_string).unwrap_or_default()); // limit_dimension
    }
}

fn outcome(wire: &mut Wire, outcome: DecisionOutcome, reason: DecisionReason) {
    wire.number(5, i64::from(i32::from(outcome))); // outcome
    wire.number(6, i64::from(i32::from(reason))); // reason
}

fn write_decided(wire: &mut Wire, decided: &Decided, ask: &Ask, priced: &Priced<'_>) {
    let purse = Purse::of(&ask.basket.currency);
    match decided.outcome {
        Outcome::Applied => {
            outcome(wire, DecisionOutcome::Applied, DecisionReason::Unspecified);
            purse.money(wire, 10, decided.amount); // amount
            for (index, amount) in &decided.line_amounts {
                let Some(line) = ask.basket.lines.get(*index) else { continue };
                // lines
                wire.message(11, |wire| {
                    wire.text(1, &line.id); // line_id
                    purse.money(wire, 2, *amount); // amount
                });
            }
            purse.unless_zero(wire, 12, decided.shipping_amount); // shipping_amount
        }
        Outcome::Skipped { lost_to } => {
            outcome(wire, DecisionOutcome::Skipped, DecisionReason::Stacking);
            match lost_to.and_then(|winner| priced.candidates.get(winner)) {
                Some(Source::Offer(entry)) => wire.text(7, &entry.name), // lost_to
                Some(Source::Code(index)) => wire.joined(7, VOUCHERS, given_code(ask, *index)), // lost_to
                None => {}
            }
        }
        Outcome::Inapplicable { reason } => {
            if let Reason::SetsIncomplete { missing } = reason {
                missing_units(wire, missing);
            }
            let (reason, missing) = reason_of(reason);
            outcome(wire, DecisionOutcome::Inapplicable, reason);
            if let Some(missing) = missing {
                purse.money(wire, 8, missing); // missing
            }
        }
    }
    purse.unless_zero(wire, 13, decided.cut_by_floor); // cut_by_floor
}

fn missing_units(wire: &mut Wire, missing: MissingUnits) {
    for (part, units) in missing.parts() {
        // missing_units
        wire.message(16, |wire| {
            wire.count(1, part); // part
            wire.number(2, units.into()); // quantity
        });
    }
}

fn pays(compiled: &Compiled) -> bool {
    matches!(compiled.discount.kind, Kind::GiftCard { .. })
}

fn given_code(ask: &Ask, index: usize) -> &str {
    ask.codes.get(index).map_or("", String::as_str)
}

fn reason_of(reason: Reason) -> (DecisionReason, Option<i64>) {
    match reason {
        Reason::NoEligibleGoods => (DecisionReason::NoEligibleGoods, None),
        Reason::MinimumSpend { missing } => (DecisionReason::MinimumSpend, Some(missing)),
        Reason::CurrencyNotListed | Reason::GiftCardCurrency => (DecisionReason::CurrencyNotListed, None),
        Reason::NoShipping => (DecisionReason::NoShipping, None),
        Reason::NothingLeft | Reason::PriceNotLower | Reason::RoundsToNothing => {
            (DecisionReason::NothingLeft, None)
        }
        Reason::BelowFloor => (DecisionReason::MarginFloor, None),
        Reason::TierNotReached { missing } => (DecisionReason::TierNotReached, Some(missing)),
        Reason::SetsIncomplete { .. } => (DecisionReason::SetIncomplete, None),
        Reason::AmountDueUnknown => (DecisionReason::AmountDueUnknown, None),
        Reason::GiftCardEmpty => (DecisionReason::GiftCardEmpty, None),
        Reason::BudgetSpent => (DecisionReason::BudgetExhausted, None),
    }
}

fn reason_of_refusal(refusal: Refusal) -> DecisionReason {
    match refusal {
        Refusal::ConditionNotMet => DecisionReason::ConditionNotMet,
        Refusal::NotInSegment => DecisionReason::NotInSegment,
        Refusal::WrongPlace => DecisionReason::WrongPlace,
        Refusal::NotRunning => DecisionReason::NotRunning,
        Refusal::PeerUnavailable => DecisionReason::PeerUnavailable,
        Refusal::CodeRefused => DecisionReason::CodeRefused,
        Refusal::DuplicateCode => DecisionReason::DuplicateCode,
        Refusal::OneCodePerIncentive => DecisionReason::OneCodePerIncentive,
        Refusal::NoBudget => DecisionReason::CurrencyNotListed,
        Refusal::UsesExhausted => DecisionReason::UsesExhausted,
        Refusal::CustomerRequired => DecisionReason::CustomerRequired,
        Refusal::LimitValueRequired => DecisionReason::LimitValueRequired,
        Refusal::CustomerLimit => DecisionReason::CustomerLimitReached,
        Refusal::CustomerPeriodLimit => DecisionReason::CustomerPeriodLimitReached,
        Refusal::Excluded => DecisionReason::Excluded,
        Refusal::TooCostly => DecisionReason::TooCostly,
    }
}

/// The QuoteClaims that the token seals.
pub fn claims(
    tenant: &str,
    ask: &Ask,
    priced: &Priced<'_>,
    incentives: &Incentives,
    digest: &[u8; 32],
    issued: Timestamp,
    explanation: &[u8],
) -> Vec<u8> {
    let (sums, basket) = (&priced.evaluation, &ask.basket);
    let shared = 64 * priced.candidates.len() + 16 * shares_of(priced);
    let mut wire = Wire::with_room(256 + 96 * basket.lines.len() + shared + explanation.len());
    wire.text(1, tenant); // tenant
    wire.text(2, &ask.order_id); // order_id
    wire.bytes(3, digest); // order_digest
    wire.text(4, &ask.customer); // customer
    wire.text(5, &ask.guest_key); // guest_key
    wire.text(6, basket.currency.code()); // currency_code
    timestamp(&mut wire, 7, issued); // issue_time
    timestamp(&mut wire, 8, priced.valid_until); // expire_time
    wire.truth(9, incentives.are_missing()); // degraded
    wire.number(10, sums.list); // list_minor
    wire.number(11, sums.total); // total_minor
    sealed_lines(&mut wire, ask, priced);
    let applied = || {
        let decided = sums.decisions.iter().zip(&priced.candidates);
        decided.filter(|(decided, _)| decided.outcome == Outcome::Applied)
    };
    for (decided, source) in applied() {
        let Source::Offer(entry) = source else { continue };
        // offers
        wire.message(13, |wire| {
            wire.text(1, &entry.name); // offer
            wire.number(2, entry.revision); // revision
            wire.number(3, decided.amount); // amount_minor
            shares(wire, 4, decided);
            wire.number(5, decided.shipping_amount); // shipping_minor
            entry.counted_segments(priced.segments).iter().for_each(|id| wire.text(6, id)); // segments
        });
    }
    for (decided, source) in applied() {
        let Source::Code(index) = source else { continue };
        let Some(code) = incentives.code(*index) else { continue };
        // codes
        wire.message(14, |wire| {
            wire.text(1, &code.folded); // code
            wire.text(2, &code.incentive); // incentive
            wire.number(3, code.version); // version
            wire.number(4, decided.amount); // amount_minor
            shares(wire, 5, decided);
            wire.number(6, decided.shipping_amount); // shipping_minor
            wire.truth(7, code.terms.as_ref().is_ok_and(|terms| pays(&terms.compiled))); // tender
            code.limit_segments.iter().for_each(|id| wire.text(8, id)); // segments
        });
    }
    wire.number(15, sums.shipping); // shipping_minor
    wire.text(16, &ask.place); // place
    let tax_mode = match basket.tax_mode {
        TaxMode::Inclusive => v1::TaxMode::Inclusive,
        TaxMode::Exclusive => v1::TaxMode::Exclusive,
    };
    wire.number(17, i64::from(i32::from(tax_mode))); // tax_mode
    if let Some(due) = sums.amount_due {
        wire.present(18, due); // due_minor
    }
    wire.whole(19, explanation); // explanation
    for (key, value) in limit_attributes(ask, applied().map(|(_, source)| source), incentives) {
        // limit_attributes
        wire.message(20, |wire| {
            wire.text(1, key);
            wire.text(2, value);
        });
    }
    wire.finish()
}

/// Those attributes of the basket that limits of what applied count by.
fn limit_attributes<'q>(
    ask: &'q Ask,
    applied: impl Iterator<Item = &'q Source<'q>>,
    incentives: &'q Incentives,
) -> BTreeMap<&'q str, &'q str> {
    let mut sealed = BTreeMap::new();
    let mut seal = |key: &str| {
        let known = ask.basket.attributes.get_key_value(key);
        sealed.extend(known.map(|(key, value)| (key.as_str(), value.as_str())));
    };
    for source in applied {
        match source {
            Source::Offer(entry) => {
                let limited = entry.offer().and_then(|offer| offer.limited.as_ref());
                limited.into_iter().flat_map(|limited| limited.attributes()).for_each(&mut seal);
            }
            Source::Code(index) => {
                let keys =
                    incentives.code(*index).map(|code| code.limit_attributes.as_slice()).unwrap_or_default();
                keys.iter().for_each(|key| seal(key));
            }
        }
    }
    sealed
}

fn sealed_lines(wire: &mut Wire, ask: &Ask, priced: &Priced<'_>) {
    for (line, given) in priced.evaluation.lines.iter().zip(&ask.basket.lines) {
        // lines
        wire.message(12, |wire| {
            wire.text(1, &given.id); // id
            wire.joined(2, PRODUCTS, &given.product); // product
            wire.number(3, given.quantity); // quantity
            wire.number(4, line.list); // list_minor
            wire.number(5, line.initial); // initial_minor
            wire.number(6, line.final_amount); // final_minor
            if let Some(rule) = line.price_rule.and_then(|rule| priced.rules.get(rule)) {
                wire.text(7, &rule.name); // price_rule
                wire.number(8, rule.revision); // revision
            }
            wire.number(9, given.tax_rate_ppm.into()); // tax_rate_ppm
        });
    }
}

fn shares(wire: &mut Wire, field: u32, decided: &Decided) {
    for (line, minor) in &decided.line_amounts {
        wire.message(field, |wire| {
            wire.count(1, *line); // line
            wire.number(2, *minor); // minor
        });
    }
}

fn hexadecimal(bytes: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}
