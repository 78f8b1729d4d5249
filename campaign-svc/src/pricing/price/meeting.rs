//! Which offers and codes meet on a basket, and on which budgets they draw.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::tz::TimeZone;
use tandem_kernel::code;
use tandem_kernel::discount::Kind;
use tandem_kernel::limits::Overrun;
use tandem_kernel::pricing::{self, Candidate, Compiled, Evaluation, Fund, Initial, Origin, Size, evaluate};
use tandem_kernel::rule::{
    Facts, Fullness, MAX_COST, Rule, WORK_PER_STEP, basket_fullness, now_fact, offer_facts,
};
use tandem_kernel::work::{Stop, Work};

use super::super::entry::Entry;
use super::super::limited::{self, NoRoom};
use super::{Ask, Incentives, Refusal, Setting, Source, Verdict};
use crate::relationship::Code;

/// The work of judging the rules of one offer or code on a whole basket; one that takes more is left out. As much as
/// the costliest rule takes once.
const MAX_RULE_WORK: u64 = MAX_COST * WORK_PER_STEP;

/// Places of the funds that one of them draws on.
type Drawn = [Option<usize>; 2];

/// What takes part.
pub(super) struct Meeting<'f, 's> {
    setting: &'f Setting<'s>,
    ask: &'f Ask,
    pub work: &'f mut Work,
    size: Size,
    fullness: Fullness,
    /// With the time in the zone of the first condition that asked.
    facts: OnceCell<(TimeZone, Facts<'f>)>,
    sources: Vec<Source<'s>>,
    /// What each of them draws on.
    drawn: Vec<Drawn>,
    funds: Vec<Fund>,
    /// Those of campaigns, by their names.
    of_campaigns: HashMap<&'s str, usize, RandomState>,
    verdicts: Vec<Verdict<'s>>,
}

impl<'f, 's> Meeting<'f, 's> {
    pub(super) fn new(setting: &'f Setting<'s>, ask: &'f Ask, work: &'f mut Work) -> Self {
        Self {
            setting,
            ask,
            work,
            size: Size::of(&ask.basket),
            fullness: basket_fullness(&ask.basket),
            facts: OnceCell::new(),
            sources: Vec::with_capacity(32),
            drawn: Vec::with_capacity(32),
            funds: Vec::new(),
            of_campaigns: HashMap::default(),
            verdicts: Vec::with_capacity(32),
        }
    }

    /// What stands behind each decision, and what became of everything.
    pub(super) fn told(self) -> (Vec<Source<'s>>, Vec<Verdict<'s>>) {
        (self.sources, self.verdicts)
    }

    pub(super) fn refuse(&mut self, source: Source<'s>, refusal: Refusal) {
        self.verdicts.push(Verdict { source, decided: Err(refusal) });
    }

    fn accept(&mut self, source: Source<'s>, drawn: Drawn) {
        self.verdicts.push(Verdict { source, decided: Ok(self.sources.len()) });
        self.sources.push(source);
        self.drawn.push(drawn);
    }

    /// About how many steps it takes, were everything to take part.
    pub(super) fn estimate(&self, entries: &[&Arc<Entry>], incentives: &Incentives) -> u64 {
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

    fn is_met(&mut self, condition: Option<&Rule>, zone: &TimeZone) -> bool {
        let Some(condition) = condition else { return true };
        self.work.spend(condition.steps(self.fullness));
        if self.work.is_over() {
            return false;
        }
        let (ask, now) = (self.ask, self.setting.now);
        let (first, facts) = self
            .facts
            .get_or_init(|| (zone.clone(), offer_facts(&ask.basket, ask.place().view(), now, zone)));
        if first == zone {
            return condition.matches(facts);
        }
        let mut there = facts.within();
        there.set("now", now_fact(now, zone));
        condition.matches(&there)
    }

    fn place(&mut self, fund: Fund) -> usize {
        self.funds.push(fund);
        self.funds.len() - 1
    }

    /// Why limits leave an offer out, or the funds it draws on.
    fn room(&mut self, entry: &'s Entry) -> Result<limited::Funds<'s>, Refusal> {
        let Some(limited) = entry.offer().and_then(|offer| offer.limited.as_ref()) else {
            return Ok([None; 2]);
        };
        let segments = entry.counted_segments(self.setting.segments);
        let facts = self.ask.facts(&segments);
        let room = limited.room(self.setting.seen, facts, self.ask.basket.currency, self.setting.now);
        room.map_err(|none| match none {
            NoRoom::CustomerRequired => Refusal::CustomerRequired,
            NoRoom::ValueRequired => Refusal::LimitValueRequired,
            NoRoom::Uses => Refusal::UsesExhausted,
            NoRoom::Currency => Refusal::NoBudget,
            NoRoom::Customer => Refusal::CustomerLimit,
            NoRoom::CustomerPeriod => Refusal::CustomerPeriodLimit,
        })
    }

    pub(super) fn add_offer(&mut self, entry: &'s Arc<Entry>) {
        let Some(offer) = entry.offer() else { return };
        let refusal = if self.ask.without.iter().any(|name| **name == *entry.name) {
            Some(Refusal::Excluded)
        } else if self.is_too_costly(offer.condition.as_ref(), &offer.compiled) {
            Some(Refusal::TooCostly)
        } else if !self.is_met(offer.condition.as_ref(), &entry.zone) {
            Some(Refusal::ConditionNotMet)
        } else {
            None
        };
        let [own, campaign] = match refusal.map_or_else(|| self.room(entry), Err) {
            Ok(funds) => funds,
            Err(refusal) => return self.refuse(Source::Offer(entry), refusal),
        };
        let own = own.map(|(_, fund)| self.place(fund));
        let campaign = campaign.map(|(name, fund)| match self.of_campaigns.get(&**name) {
            Some(known) => *known,
            None => {
                let place = self.place(fund);
                self.of_campaigns.insert(name, place);
                place
            }
        });
        self.accept(Source::Offer(entry), [own, campaign]);
    }

    pub(super) fn add_code(&mut self, index: usize, incentives: &Incentives, given: &[String]) {
        let source = Source::Code(index);
        let Some(code) = incentives.code(index) else {
            let typed = code::folded(&given[index]);
            let known = (0..index).any(|before| code::folded(&given[before]) == typed);
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
        if !self.is_met(terms.condition.as_ref(), self.setting.zone) {
            return self.refuse(source, Refusal::ConditionNotMet);
        }
        let fund = code.money_left.map(|left| self.fund_of(code, left, incentives));
        self.accept(source, [fund, None]);
    }

    /// The budget of a code, which it shares with the codes of its incentive that came before.
    fn fund_of(&mut self, code: &Code, left: i64, incentives: &Incentives) -> usize {
        let same = |source: &Source<'_>| match source {
            Source::Code(before) => {
                incentives.code(*before).is_some_and(|before| before.incentive == code.incentive)
            }
            Source::Offer(_) => false,
        };
        let before = self.sources.iter().position(same).and_then(|at| self.drawn[at][0]);
        let overrun = if code.capped { Overrun::Cap } else { Overrun::Reject };
        before.unwrap_or_else(|| self.place(Fund { left, overrun }))
    }

    /// Evaluates what takes part.
    pub(super) fn settle(
        &mut self,
        initial: &Initial<'_>,
        incentives: &Incentives,
    ) -> Result<Evaluation, Stop> {
        let sources = self.sources.iter().zip(&self.drawn);
        let candidates: Vec<Candidate<'_>> =
            sources.filter_map(|(source, drawn)| candidate(source, *drawn, incentives)).collect();
        evaluate(initial, &candidates, &self.funds, self.work)
    }
}

/// What the kernel is to know of something that takes part; there is one for every source that was accepted.
fn candidate<'c>(source: &Source<'c>, funds: Drawn, incentives: &'c Incentives) -> Option<Candidate<'c>> {
    match source {
        Source::Offer(entry) => Some(Candidate {
            origin: Origin::Offer,
            id: &entry.name,
            position: 0,
            compiled: &entry.offer()?.compiled,
            balance: None,
            funds,
        }),
        Source::Code(index) => {
            let code = incentives.code(*index)?;
            Some(Candidate {
                origin: Origin::Code,
                id: &code.folded,
                position: u32::try_from(*index).unwrap_or(u32::MAX),
                compiled: &code.terms.as_ref().ok()?.compiled,
                balance: code.balance,
                funds,
            })
        }
    }
}
