//! The price of one basket: which offers and codes meet, what becomes of each, and how long it is promised. Pure:
//! snapshot, answer of relationship-svc and time come in as arguments.

mod ask;
mod meeting;

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::pricing::{Evaluation, Initial, Outcome, PriceRule, initial};
use tandem_kernel::work::{Stop, Work};

use super::entry::Entry;
use super::index::Reach;
use super::seen::Seen;
use super::snapshot::Snapshot;
pub use ask::{Ask, Incentives};
use meeting::Meeting;

/// Offers for segments that a quote names while relationship-svc is silent.
const MAX_UNKNOWN: usize = 50;
/// Work of finding one offer or price rule and putting it in order.
const STEPS_PER_ENTRY: u64 = 20;

/// What stands behind a decision.
#[derive(Debug, Clone, Copy)]
pub enum Source<'s> {
    /// A campaign's offer.
    Offer(&'s Arc<Entry>),
    /// Index of a given code.
    Code(usize),
}

/// Why something was not even tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its rule over basket, place and time is not met.
    ConditionNotMet,
    /// The customer is in none of its segments.
    NotInSegment,
    /// Not sold there.
    WrongPlace,
    /// Paused, not begun, or over.
    NotRunning,
    /// relationship-svc is silent.
    PeerUnavailable,
    /// relationship-svc refuses the code; its answer says why.
    CodeRefused,
    /// The same code came before.
    DuplicateCode,
    /// Another code of the incentive came before.
    OneCodePerIncentive,
    /// Its budgets are in other currencies.
    NoBudget,
    /// Every use is spent or held.
    UsesExhausted,
    /// It is limited per customer, and nobody is named.
    CustomerRequired,
    /// A limit counts by what the basket does not say.
    LimitValueRequired,
    /// The customer has had every use.
    CustomerLimit,
    /// The customer has had every use of the period.
    CustomerPeriodLimit,
    /// The caller wants the quote without it.
    Excluded,
    /// Its rules take more work on this basket than is allowed.
    TooCostly,
}

/// What became of an offer or a code.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'s> {
    /// Of what.
    pub source: Source<'s>,
    /// Index into the decisions of the evaluation, or why there is none.
    pub decided: Result<usize, Refusal>,
}

/// A priced basket.
#[derive(Debug)]
pub struct Priced<'s> {
    /// Amounts and decisions.
    pub evaluation: Evaluation,
    /// The price rules that the lines of the evaluation name.
    pub rules: Vec<&'s Arc<Entry>>,
    /// What stands behind each decision of the evaluation.
    pub candidates: Vec<Source<'s>>,
    /// The given codes in their order, then offers in the order of their names.
    pub verdicts: Vec<Verdict<'s>>,
    /// For each line, where its price is reduced and its product known.
    pub prior_prices: Vec<Option<i64>>,
    /// Until when the amounts are promised.
    pub valid_until: Timestamp,
    /// The segments that the customer is known to be in.
    pub segments: &'s [String],
}

/// What a price depends on besides the basket.
#[derive(Debug, Clone)]
pub struct Setting<'s> {
    /// The catalogue.
    pub snapshot: &'s Snapshot,
    /// The present.
    pub now: Timestamp,
    /// The tenant's zone, in which rules of codes read the time; those of a campaign read it in the campaign's.
    pub zone: &'s TimeZone,
    /// How long amounts are promised.
    pub ttl: SignedDuration,
    /// The segments that the customer is known to be in.
    pub segments: &'s [String],
    /// What limits have counted.
    pub seen: &'s Seen,
    /// What is estimated to take more steps is not begun.
    pub begin: u64,
}

impl<'s> Setting<'s> {
    /// Prices `ask`. `reach` is where its offers lie; `also` is an offer that is tried whatever the index says of its
    /// goods. What it answers depends on neither `begin` nor where it is done.
    ///
    /// # Errors
    /// TooMuch where it was not begun or passed the allowance of `work`; Gone where nobody waits for it.
    pub fn price(
        &self,
        ask: &Ask,
        reach: &Reach<'s>,
        incentives: &Incentives,
        also: Option<&'s Arc<Entry>>,
        work: &mut Work,
    ) -> Result<Priced<'s>, Stop> {
        let place = ask.place();
        // How much is posted depends on when a replica tidied up last: it decides where the work is done and no more.
        if reach.open_postings() as u64 * STEPS_PER_ENTRY > self.begin {
            return Err(Stop::TooMuch { limit: self.begin });
        }
        let mut entries = reach.entries(self.segments, place, self.now);
        if let Some(also) = also
            && !entries.iter().any(|entry| Arc::ptr_eq(entry, also))
        {
            entries.push(also);
        }
        work.spend(entries.len() as u64 * STEPS_PER_ENTRY);
        let mut meeting = Meeting::new(self, ask, work);
        if meeting.estimate(&entries, incentives) > self.begin {
            return Err(Stop::TooMuch { limit: self.begin });
        }
        let rules = self.rules(&entries, meeting.work);
        let changes = changes(&rules);
        let initial = initial(&ask.basket, &changes, meeting.work);
        for index in 0..ask.codes.len() {
            meeting.add_code(index, incentives, &ask.codes);
        }
        for entry in entries {
            meeting.add_offer(entry);
        }
        if incentives.are_missing() {
            for entry in reach.personal(place, self.now, MAX_UNKNOWN) {
                if entry.offer().is_some() {
                    meeting.refuse(Source::Offer(entry), Refusal::PeerUnavailable);
                }
            }
        }
        let evaluation = meeting.settle(&initial, incentives)?;
        let prior_prices = self.prior_prices(ask, &evaluation, &rules);
        let (candidates, verdicts) = meeting.told();
        let valid_until = self.valid_until(&evaluation, &rules, &candidates, incentives);
        let segments = self.segments;
        Ok(Priced { evaluation, rules, candidates, verdicts, prior_prices, valid_until, segments })
    }

    /// What becomes of one offer alone on a basket whose prices are set: all that it lacks is its own.
    ///
    /// # Errors
    /// As [`Setting::price`].
    pub fn alone(
        &self,
        ask: &Ask,
        initial: &Initial<'_>,
        offer: &'s Arc<Entry>,
        work: &mut Work,
    ) -> Result<Priced<'s>, Stop> {
        let mut meeting = Meeting::new(self, ask, work);
        meeting.add_offer(offer);
        let evaluation = meeting.settle(initial, &Incentives::NotAsked)?;
        let (candidates, verdicts) = meeting.told();
        let (rules, prior_prices) = (Vec::new(), Vec::new());
        let (valid_until, segments) = (self.now, self.segments);
        Ok(Priced { evaluation, rules, candidates, verdicts, prior_prices, valid_until, segments })
    }

    /// The price rules among `entries` whose hours it is.
    pub fn rules(&self, entries: &[&'s Arc<Entry>], work: &mut Work) -> Vec<&'s Arc<Entry>> {
        let mut rules: Vec<&'s Arc<Entry>> =
            entries.iter().copied().filter(|entry| entry.price_rule().is_some()).collect();
        rules.retain(|rule| {
            rule.hours().is_none_or(|hours| {
                work.spend(hours.steps());
                hours.hold(self.now)
            })
        });
        rules
    }

    fn prior_prices(&self, ask: &Ask, evaluation: &Evaluation, rules: &[&'s Arc<Entry>]) -> Vec<Option<i64>> {
        let (place, currency) = (ask.place(), ask.basket.currency);
        let prior = |(line, product): (&tandem_kernel::pricing::LineAmounts, &str)| {
            let rule = rules.get(line.price_rule?)?;
            let product = self.snapshot.product(product)?;
            let since = rule.is_personal().then_some(rule.campaign_start);
            self.snapshot.prior_price(product, place, currency, self.now, since)
        };
        let products = ask.basket.lines.iter().map(|line| line.product.as_str());
        evaluation.lines.iter().zip(products).map(prior).collect()
    }

    /// The promise ends with the earliest end of anything that counted.
    fn valid_until(
        &self,
        evaluation: &Evaluation,
        rules: &[&'s Arc<Entry>],
        sources: &[Source<'s>],
        incentives: &Incentives,
    ) -> Timestamp {
        let mut until = self.now.checked_add(self.ttl).unwrap_or(Timestamp::MAX);
        for rule in evaluation.lines.iter().filter_map(|line| rules.get(line.price_rule?)) {
            until = until.min(rule.campaign_end);
        }
        for (decision, source) in evaluation.decisions.iter().zip(sources) {
            if decision.outcome != Outcome::Applied {
                continue;
            }
            let end = match source {
                Source::Offer(entry) => Some(entry.campaign_end),
                Source::Code(index) => incentives.code(*index).and_then(|code| code.expires),
            };
            until = end.map_or(until, |end| until.min(end));
        }
        until
    }
}

/// What price rules make of prices, in their order.
pub fn changes<'r>(rules: &[&'r Arc<Entry>]) -> Vec<&'r PriceRule> {
    rules.iter().filter_map(|entry| entry.price_rule()).collect()
}
