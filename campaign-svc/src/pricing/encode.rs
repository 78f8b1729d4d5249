//! A priced basket as the contract shows it, and as the token seals it.

use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::basket::TaxMode;
use tandem_kernel::discount::Kind;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::pricing::{Decision as Decided, Outcome, Reason};
use tandem_proto::campaign::v1::{
    Decision, DecisionLine, DecisionOutcome, DecisionReason, IncentivesStatus, QuoteResponse, QuotedLine,
    Totals,
};
use tandem_proto::common::v1;
use tandem_proto::convert::to_timestamp;

use super::commands::Quote;
use super::entry::Entry;
use super::price::{Ask, Incentives, Priced, Refusal, Source, Verdict};

/// Minor units in the currency of one quote.
#[derive(Debug, Clone, Copy)]
struct Purse(Currency);

impl Purse {
    fn money(self, minor: i64) -> v1::Money {
        Money::new(minor, self.0).into()
    }

    /// An amount that is left out where there is none.
    fn some(self, minor: i64) -> Option<v1::Money> {
        Some(self.money(minor))
    }

    fn unless_zero(self, minor: i64) -> Option<v1::Money> {
        (minor != 0).then(|| self.money(minor))
    }
}

/// The answer of Quote.
pub fn quote(quote: Quote<'_>) -> QuoteResponse {
    let Quote { ask, priced, incentives, token, digest, age } = quote;
    QuoteResponse {
        lines: lines(ask, &priced),
        decisions: priced
            .verdicts
            .iter()
            .map(|verdict| decision(verdict, ask, &priced, &incentives))
            .collect(),
        totals: Some(totals(ask, &priced)),
        quote_token: token,
        valid_until: Some(to_timestamp(priced.valid_until)),
        order_digest: hexadecimal(&digest),
        incentives_status: match incentives {
            Incentives::NotAsked => IncentivesStatus::NotAsked,
            Incentives::Included(_) => IncentivesStatus::Included,
            Incentives::Unavailable => IncentivesStatus::Unavailable,
        }
        .into(),
        approximate: priced.evaluation.approximate,
        snapshot_age: prost_types::Duration::try_from(age).ok(),
    }
}

fn lines(ask: &Ask, priced: &Priced<'_>) -> Vec<QuotedLine> {
    let purse = Purse(ask.basket.currency);
    let evaluated = priced.evaluation.lines.iter().zip(&priced.prior_prices);
    evaluated
        .zip(&ask.basket.lines)
        .map(|((line, prior), given)| {
            let rule = line.price_rule.and_then(|rule| priced.rules.get(rule));
            QuotedLine {
                line_id: given.id.clone(),
                list_unit_price: purse.some(line.list_unit),
                unit_price: purse.some(line.initial_unit),
                initial_amount: purse.some(line.initial),
                discount_amount: purse.some(line.discount),
                final_amount: purse.some(line.final_amount),
                prior_price: prior.map(|prior| purse.money(prior)),
                price_rule: rule.map(|rule| rule.name.to_string()).unwrap_or_default(),
                revision: rule.map_or(0, |rule| rule.revision),
            }
        })
        .collect()
}

fn totals(ask: &Ask, priced: &Priced<'_>) -> Totals {
    let (purse, sums) = (Purse(ask.basket.currency), &priced.evaluation);
    Totals {
        list_amount: purse.some(sums.list),
        initial_amount: purse.some(sums.initial),
        discount_amount: purse.some(sums.discount),
        goods_amount: purse.some(sums.goods),
        shipping_amount: purse.some(sums.shipping),
        shipping_discount: purse.some(sums.shipping_discount),
        total: purse.some(sums.total),
        tendered: purse.some(sums.tendered),
        payable: sums.payable.map(|payable| purse.money(payable)),
    }
}

/// One decision.
pub fn decision(verdict: &Verdict<'_>, ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> Decision {
    let mut told = named(verdict.source, ask, incentives);
    match verdict.decided {
        Err(refusal) => {
            told.outcome = DecisionOutcome::Inapplicable.into();
            told.reason = reason_of_refusal(refusal).into();
            if let (Refusal::CodeRefused, Source::Code(index)) = (refusal, verdict.source) {
                let reason = incentives.code(index).and_then(|code| code.terms.as_ref().err());
                told.code_refusal = reason.cloned().unwrap_or_default();
            }
        }
        Ok(index) => {
            if let Some(decided) = priced.evaluation.decisions.get(index) {
                settle(&mut told, decided, ask, priced);
            }
        }
    }
    told
}

fn named(source: Source<'_>, ask: &Ask, incentives: &Incentives) -> Decision {
    match source {
        Source::Offer(entry) => Decision {
            source: entry.name.to_string(),
            revision: entry.revision,
            title: entry.offer().map(|offer| offer.titles.of(&ask.locale).to_owned()).unwrap_or_default(),
            ..Decision::default()
        },
        Source::Code(index) => {
            let code = incentives.code(index);
            Decision {
                source: code_name(ask, index),
                revision: code.map_or(0, |code| code.version),
                incentive: code.map(|code| code.incentive.clone()).unwrap_or_default(),
                title: code.map(|code| code.title.clone()).unwrap_or_default(),
                tender: code.is_some_and(|code| code.terms.as_ref().is_ok_and(|terms| pays(&terms.compiled))),
                ..Decision::default()
            }
        }
    }
}

fn pays(compiled: &tandem_kernel::pricing::Compiled) -> bool {
    matches!(compiled.discount.kind, Kind::GiftCard { .. })
}

fn code_name(ask: &Ask, index: usize) -> String {
    format!("vouchers/{}", ask.codes.get(index).map_or("", String::as_str))
}

fn settle(told: &mut Decision, decided: &Decided, ask: &Ask, priced: &Priced<'_>) {
    let purse = Purse(ask.basket.currency);
    told.cut_by_floor = purse.unless_zero(decided.cut_by_floor);
    match decided.outcome {
        Outcome::Applied => {
            told.outcome = DecisionOutcome::Applied.into();
            told.amount = purse.some(decided.amount);
            told.shipping_amount = purse.unless_zero(decided.shipping_amount);
            let line = |(index, amount): &(usize, i64)| {
                let line_id = ask.basket.lines.get(*index)?.id.clone();
                Some(DecisionLine { line_id, amount: purse.some(*amount) })
            };
            told.lines = decided.line_amounts.iter().filter_map(line).collect();
        }
        Outcome::Skipped { lost_to } => {
            told.outcome = DecisionOutcome::Skipped.into();
            told.reason = DecisionReason::Stacking.into();
            told.lost_to = match lost_to.and_then(|winner| priced.candidates.get(winner)) {
                Some(Source::Offer(entry)) => entry.name.to_string(),
                Some(Source::Code(index)) => code_name(ask, *index),
                None => String::new(),
            };
        }
        Outcome::Inapplicable { reason } => {
            told.outcome = DecisionOutcome::Inapplicable.into();
            let (reason, missing) = reason_of(reason);
            told.reason = reason.into();
            told.missing = missing.map(|missing| purse.money(missing));
        }
    }
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
        Reason::SetsIncomplete => (DecisionReason::SetIncomplete, None),
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
        Refusal::BudgetExhausted => DecisionReason::BudgetExhausted,
    }
}

/// What the token promises.
pub fn claims(
    tenant: &str,
    ask: &Ask,
    priced: &Priced<'_>,
    incentives: &Incentives,
    digest: &[u8; 32],
    issued: Timestamp,
) -> v1::QuoteClaims {
    let (sums, basket) = (&priced.evaluation, &ask.basket);
    let rule = |index: Option<usize>| index.and_then(|index| priced.rules.get(index).copied());
    let lines = sums.lines.iter().zip(&basket.lines).map(|(line, given)| {
        let rule: Option<&Arc<Entry>> = rule(line.price_rule);
        v1::SealedLine {
            id: given.id.clone(),
            product: tandem_kernel::id::name("products", &given.product),
            quantity: given.quantity,
            list_minor: line.list,
            initial_minor: line.initial,
            final_minor: line.final_amount,
            price_rule: rule.map(|rule| rule.name.to_string()).unwrap_or_default(),
            revision: rule.map_or(0, |rule| rule.revision),
        }
    });
    let mut claims = v1::QuoteClaims {
        tenant: tenant.to_owned(),
        order_id: ask.order_id.clone(),
        order_digest: digest.to_vec().into(),
        customer: ask.customer.clone(),
        guest_key: ask.guest_key.clone(),
        currency_code: basket.currency.into(),
        issue_time: Some(to_timestamp(issued)),
        expire_time: Some(to_timestamp(priced.valid_until)),
        degraded: incentives.are_missing(),
        list_minor: sums.list,
        total_minor: sums.total,
        lines: lines.collect(),
        offers: Vec::new(),
        codes: Vec::new(),
        shipping_minor: sums.shipping,
        place: ask.place.clone(),
        tax_mode: match basket.tax_mode {
            TaxMode::Inclusive => v1::TaxMode::Inclusive,
            TaxMode::Exclusive => v1::TaxMode::Exclusive,
        }
        .into(),
    };
    for (decided, source) in sums.decisions.iter().zip(&priced.candidates) {
        if decided.outcome != Outcome::Applied {
            continue;
        }
        match source {
            Source::Offer(entry) => claims.offers.push(v1::SealedOffer {
                offer: entry.name.to_string(),
                revision: entry.revision,
                amount_minor: decided.amount,
                shares: shares(decided),
                shipping_minor: decided.shipping_amount,
            }),
            Source::Code(index) => {
                let Some(code) = incentives.code(*index) else { continue };
                claims.codes.push(v1::SealedCode {
                    code: code.folded.clone(),
                    incentive: code.incentive.clone(),
                    version: code.version,
                    amount_minor: decided.amount,
                    shares: shares(decided),
                    shipping_minor: decided.shipping_amount,
                    tender: code.terms.as_ref().is_ok_and(|terms| pays(&terms.compiled)),
                });
            }
        }
    }
    claims
}

fn shares(decided: &Decided) -> Vec<v1::SealedShare> {
    let share = |(line, minor): &(usize, i64)| v1::SealedShare {
        line: u32::try_from(*line).unwrap_or(u32::MAX),
        minor: *minor,
    };
    decided.line_amounts.iter().map(share).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
