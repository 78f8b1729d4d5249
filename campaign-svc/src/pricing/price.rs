//! The price of one basket: which offers and codes meet, what becomes of each, and how long it is promised. Pure:
//! snapshot, answer of relationship-svc and time come in as arguments.

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::basket::Basket;
use tandem_kernel::discount::Kind;
use tandem_kernel::pricing::{
    self, Candidate, Compiled, Evaluation, Initial, Origin, Outcome, Size, evaluate, initial,
};
use tandem_kernel::rule::{Facts, Fullness, MAX_COST, Rule, WORK_PER_STEP, basket_fullness, offer_facts};
use tandem_kernel::work::{Stop, Work};

use super::entry::Entry;
use super::index::Reach;
use super::place::Place;
use super::snapshot::Snapshot;
use super::spent::{Room, Spent};
use crate::relationship::{Answer, Code};

/// Offers for segments that a quote names while relationship-svc is silent.
const MAX_UNKNOWN: usize = 50;
/// The work of judging the rules of one offer or code on a whole basket; one that takes more is left out. As much as
/// the costliest rule takes once.
const MAX_RULE_WORK: u64 = MAX_COST * WORK_PER_STEP;
/// Work of finding one offer or price rule and putting it in order.
const STEPS_PER_ENTRY: u64 = 20;
/// So often the others meet again without one whose budget does not cover it; then without all of those at once.
const ONE_BY_ONE: u32 = 8;

/// What is to be priced: valid, with every price known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// With prices, costs, categories and taxes filled in from the products.
    pub basket: Basket,
    /// As given; a [`Place`].
    pub place: String,
    /// "customers/{customer}", or empty.
    pub customer: String,
    /// Of a guest, or empty.
    pub guest_key: String,
    /// As the customer typed them.
    pub codes: Vec<String>,
    /// The only order the token is to serve, or empty.
    pub order_id: String,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: String,
    /// For titles.
    pub locale: String,
    /// No answer rather than one without incentives.
    pub require_incentives: bool,
    /// Names of offers that are to be left out.
    pub without: Vec<String>,
}

impl Ask {
    /// Where it is sold.
    pub fn place(&self) -> Place<'_> {
        Place::parse(&self.place).unwrap_or_default()
    }

    /// Whether relationship-svc has something to say.
    pub fn needs_incentives(&self) -> bool {
        !(self.customer.is_empty() && self.guest_key.is_empty() && self.codes.is_empty())
    }
}

/// What relationship-svc had to say.
#[derive(Debug, Clone)]
pub enum Incentives {
    /// It was not asked.
    NotAsked,
    /// It answered.
    Included(Answer),
    /// It did not answer in time.
    Unavailable,
}

impl Incentives {
    /// The segments that the customer is known to be in.
    pub fn segments(&self) -> &[String] {
        match self {
            Self::Included(answer) => &answer.segments,
            Self::NotAsked | Self::Unavailable => &[],
        }
    }

    /// What it said of the code at `index` of the given ones.
    pub fn code(&self, index: usize) -> Option<&Code> {
        match self {
            Self::Included(answer) => answer.codes.get(index),
            Self::NotAsked | Self::Unavailable => None,
        }
    }

    /// It should have answered and did not.
    pub fn are_missing(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

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
    /// The budget does not cover it in full and gives nothing in part.
    BudgetExhausted,
    /// Its budgets are in other currencies.
    NoBudget,
    /// Every use is spent or held.
    UsesExhausted,
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
}

/// What a price depends on besides the basket.
#[derive(Debug, Clone)]
pub struct Setting<'s> {
    /// The catalogue.
    pub snapshot: &'s Snapshot,
    /// The present.
    pub now: Timestamp,
    /// The tenant's zone, in which rules read the time.
    pub zone: &'s TimeZone,
    /// How long amounts are promised.
    pub ttl: SignedDuration,
    /// What limits have counted.
    pub spent: Arc<Spent>,
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
        let mut entries = reach.entries(incentives.segments(), place, self.now);
        if let Some(also) = also
            && !entries.iter().any(|entry| Arc::ptr_eq(entry, also))
        {
            entries.push(also);
        }
        let rules: Vec<&'s Arc<Entry>> =
            entries.iter().copied().filter(|entry| entry.price_rule().is_some()).collect();
        let changes: Vec<_> = rules.iter().filter_map(|entry| entry.price_rule()).collect();
        work.spend(entries.len() as u64 * STEPS_PER_ENTRY);
        let mut field = Field::new(self, ask, work);
        if field.estimate(&entries, incentives) > self.begin {
            return Err(Stop::TooMuch { limit: self.begin });
        }
        let initial = initial(&ask.basket, &changes, field.work);
        for index in 0..ask.codes.len() {
            field.add_code(index, incentives, &ask.codes);
        }
        for entry in entries {
            field.add_offer(entry);
        }
        if incentives.are_missing() {
            for entry in reach.personal(place, self.now, MAX_UNKNOWN) {
                if entry.offer().is_some() {
                    field.refuse(Source::Offer(entry), Refusal::PeerUnavailable);
                }
            }
        }
        let evaluation = field.settle(&initial, incentives)?;
        let prior_prices = self.prior_prices(ask, &evaluation, &rules);
        let valid_until = self.valid_until(&evaluation, &rules, &field.sources, incentives);
        Ok(Priced {
            evaluation,
            rules,
            candidates: field.sources,
            verdicts: field.verdicts,
            prior_prices,
            valid_until,
        })
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

/// What takes part.
struct Field<'f, 's> {
    setting: &'f Setting<'s>,
    ask: &'f Ask,
    work: &'f mut Work,
    size: Size,
    fullness: Fullness,
    facts: OnceCell<Facts<'f>>,
    sources: Vec<Source<'s>>,
    /// What limits have left for each of them.
    rooms: Vec<Room>,
    verdicts: Vec<Verdict<'s>>,
}

impl<'f, 's> Field<'f, 's> {
    fn new(setting: &'f Setting<'s>, ask: &'f Ask, work: &'f mut Work) -> Self {
        Self {
            setting,
            ask,
            work,
            size: Size::of(&ask.basket),
            fullness: basket_fullness(&ask.basket),
            facts: OnceCell::new(),
            sources: Vec::with_capacity(32),
            rooms: Vec::with_capacity(32),
            verdicts: Vec::with_capacity(32),
        }
    }

    fn refuse(&mut self, source: Source<'s>, refusal: Refusal) {
        self.verdicts.push(Verdict { source, decided: Err(refusal) });
    }

    fn accept(&mut self, source: Source<'s>, room: Room) {
        self.verdicts.push(Verdict { source, decided: Ok(self.sources.len()) });
        self.sources.push(source);
        self.rooms.push(room);
    }

    /// About how many steps it takes, were everything to take part.
    fn estimate(&self, entries: &[&Arc<Entry>], incentives: &Incentives) -> u64 {
        let offers = entries.iter().filter_map(|entry| entry.offer());
        let codes = (0..self.ask.codes.len()).filter_map(|index| incentives.code(index)?.terms.as_ref().ok());
        let prices = entries.iter().filter_map(|entry| entry.price_rule()).map(|rule| {
            let judging = rule.scope.rule_steps(self.size.of_line).saturating_mul(self.size.lines);
            judging.saturating_add(self.size.lines)
        });
        let rules = offers
            .clone()
            .filter_map(|offer| offer.condition.as_ref())
            .chain(codes.clone().filter_map(|terms| terms.condition.as_ref()))
            .map(|rule| rule.steps(self.fullness));
        let meeting = offers.map(|offer| &*offer.compiled).chain(codes.map(|terms| &terms.compiled));
        prices.chain(rules).fold(pricing::estimate(self.size, meeting), u64::saturating_add)
    }

    /// Whether its rules take more work on this basket than one may.
    fn is_too_costly(&self, condition: Option<&Rule>, compiled: &Compiled) -> bool {
        let condition = condition.map_or(0, |rule| rule.steps(self.fullness));
        compiled.rule_steps(self.size).saturating_add(condition) > MAX_RULE_WORK
    }

    fn is_met(&mut self, condition: Option<&Rule>) -> bool {
        let Some(condition) = condition else { return true };
        self.work.spend(condition.steps(self.fullness));
        if self.work.is_over() {
            return false;
        }
        let facts = self.facts.get_or_init(|| {
            let (ask, setting) = (self.ask, self.setting);
            offer_facts(&ask.basket, ask.place().view(), setting.now, setting.zone)
        });
        condition.matches(facts)
    }

    fn add_offer(&mut self, entry: &'s Arc<Entry>) {
        let Some(offer) = entry.offer() else { return };
        let (setting, currency) = (self.setting, self.ask.basket.currency);
        let limited = offer.limited.as_ref();
        let room = limited.map(|limited| limited.room(&setting.spent, currency, setting.now));
        let room = room.unwrap_or_default();
        let refusal = if self.ask.without.iter().any(|name| **name == *entry.name) {
            Some(Refusal::Excluded)
        } else if self.is_too_costly(offer.condition.as_ref(), &offer.compiled) {
            Some(Refusal::TooCostly)
        } else if !self.is_met(offer.condition.as_ref()) {
            Some(Refusal::ConditionNotMet)
        } else if room.no_use {
            Some(Refusal::UsesExhausted)
        } else if room.no_budget {
            Some(Refusal::NoBudget)
        } else {
            None
        };
        match refusal {
            Some(refusal) => self.refuse(Source::Offer(entry), refusal),
            None => self.accept(Source::Offer(entry), room),
        }
    }

    fn add_code(&mut self, index: usize, incentives: &Incentives, given: &[String]) {
        let source = Source::Code(index);
        let Some(code) = incentives.code(index) else {
            let known = (0..index).any(|before| given[before].eq_ignore_ascii_case(&given[index]));
            let refusal = if known { Refusal::DuplicateCode } else { Refusal::PeerUnavailable };
            return self.refuse(source, refusal);
        };
        let before = || (0..index).filter_map(|before| incentives.code(before));
        if !code.folded.is_empty() && before().any(|other| other.folded == code.folded) {
            return self.refuse(source, Refusal::DuplicateCode);
        }
        let terms = match &code.terms {
            Ok(terms) => terms,
            Err(reason) => {
                let refusal = match reason.as_str() {
                    "DUPLICATE_CODE" => Refusal::DuplicateCode,
                    "ONE_CODE_PER_INCENTIVE" => Refusal::OneCodePerIncentive,
                    _ => Refusal::CodeRefused,
                };
                return self.refuse(source, refusal);
            }
        };
        let pays = matches!(terms.compiled.discount.kind, Kind::GiftCard { .. });
        if !pays && before().any(|other| other.terms.is_ok() && other.incentive == code.incentive) {
            return self.refuse(source, Refusal::OneCodePerIncentive);
        }
        if self.is_too_costly(terms.condition.as_ref(), &terms.compiled) {
            return self.refuse(source, Refusal::TooCostly);
        }
        if !self.is_met(terms.condition.as_ref()) {
            return self.refuse(source, Refusal::ConditionNotMet);
        }
        let left = code.money_left;
        let room = match code.capped {
            true => Room { shrinks_to: left, ..Room::default() },
            false => Room { at_most: left, ..Room::default() },
        };
        self.accept(source, room);
    }

    /// Evaluates what takes part. What a budget would not cover in full, and that gives nothing in part, leaves, and the
    /// others meet again without it. All of that is one allowance of work.
    fn settle(&mut self, initial: &Initial<'_>, incentives: &Incentives) -> Result<Evaluation, Stop> {
        let mut passes = 0;
        loop {
            let evaluation = {
                let sources = self.sources.iter().zip(&self.rooms);
                let candidates: Vec<Candidate<'_>> =
                    sources.filter_map(|(source, room)| candidate(source, *room, incentives)).collect();
                evaluate(initial, &candidates, self.work)?
            };
            let decisions = evaluation.decisions.iter().zip(&self.rooms).enumerate();
            let uncovered = decisions.filter_map(|(place, (decision, room))| {
                let covered = room.at_most.is_none_or(|left| decision.amount <= left);
                (!covered).then_some(place)
            });
            let leaving: Vec<usize> =
                uncovered.take(if passes < ONE_BY_ONE { 1 } else { usize::MAX }).collect();
            if leaving.is_empty() {
                return Ok(evaluation);
            }
            leaving.into_iter().rev().for_each(|place| self.leave(place));
            passes += 1;
        }
    }

    /// Takes out what its budget does not cover.
    fn leave(&mut self, place: usize) {
        self.sources.remove(place);
        self.rooms.remove(place);
        for verdict in &mut self.verdicts {
            verdict.decided = match verdict.decided {
                Ok(index) if index == place => Err(Refusal::BudgetExhausted),
                Ok(index) if index > place => Ok(index - 1),
                other => other,
            };
        }
    }
}

/// What the kernel is to know of something that takes part; there is one for every source that was accepted.
fn candidate<'c>(source: &Source<'c>, room: Room, incentives: &'c Incentives) -> Option<Candidate<'c>> {
    // Where nothing is left, nothing is covered in full either.
    let budget_left = room.shrinks_to.into_iter().chain(room.at_most.filter(|left| *left == 0)).min();
    match source {
        Source::Offer(entry) => Some(Candidate {
            origin: Origin::Offer,
            id: &entry.name,
            position: 0,
            compiled: &entry.offer()?.compiled,
            balance: None,
            budget_left,
        }),
        Source::Code(index) => {
            let code = incentives.code(*index)?;
            Some(Candidate {
                origin: Origin::Code,
                id: &code.folded,
                position: u32::try_from(*index).unwrap_or(u32::MAX),
                compiled: &code.terms.as_ref().ok()?.compiled,
                balance: code.balance,
                budget_left,
            })
        }
    }
}
