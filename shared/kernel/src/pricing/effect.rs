//! The effect of one candidate at its turn, given what is left of the basket.

use super::allocate::{Overflow, Parts, share};
use super::floor::floor;
use super::funds::{self, Drawn, Room};
use super::scope::LineSet;
use super::sets::{self, NoSet};
use super::terms::{Prepared, Terms, in_currency};
use super::units::{self, BuyGet, Chosen, Run};
use super::{Fund, Initial, Reason};
use crate::discount::{Base, Tier, TierBenefit, UnitChoice};
use crate::work::Work;

/// Steps of computing with one long word of one line; see [`Chosen::long_words`].
const STEPS_PER_LONG_WORD: u64 = 5;

/// What is left of the basket.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Of each merged line.
    pub left: Vec<i64>,
    /// Units of each merged line that serve a buy-x-get-y.
    pub served: Vec<i64>,
    /// Of all goods.
    pub goods: i64,
    /// Of the shipping.
    pub shipping: i64,
    /// Of each money budget.
    pub funds: Vec<i64>,
    /// Codes that have had an effect.
    pub codes: usize,
}

impl State {
    pub(super) fn of(initial: &Initial<'_>, funds: &[Fund]) -> Self {
        let left: Vec<i64> = initial.prices.iter().map(|price| price.amount).collect();
        Self {
            served: vec![0; left.len()],
            goods: left.iter().fold(0, |sum: i64, left| sum.saturating_add(*left)),
            shipping: initial.shipping,
            funds: funds.iter().map(|fund| fund.left).collect(),
            codes: 0,
            left,
        }
    }

    /// What the customer pays, before gift cards.
    pub(super) fn total(&self) -> i64 {
        self.goods.saturating_add(self.shipping)
    }

    /// Takes off what [`Judge::effect`] found last.
    pub(super) fn apply(&mut self, effect: Effect, judge: &Judge<'_>) {
        for (line, part) in judge.parts() {
            self.left[line] -= part;
        }
        for (line, units) in &judge.serving {
            self.served[*line] += units;
        }
        self.goods -= effect.goods;
        self.shipping -= effect.shipping;
        self.draw(&judge.drawn, effect.amount());
    }

    /// Takes `amount` out of these budgets.
    pub(super) fn draw(&mut self, drawn: &Drawn, amount: i64) {
        funds::draw(drawn, &mut self.funds, amount);
    }
}

/// What a candidate takes. By line: [`Judge::parts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    pub goods: i64,
    pub shipping: i64,
    pub cut_by_floor: i64,
}

impl Effect {
    pub(super) fn amount(self) -> i64 {
        self.goods + self.shipping
    }
}

/// Judges candidates, one after the other, with the same small vectors.
#[derive(Debug)]
pub(super) struct Judge<'i> {
    initial: &'i Initial<'i>,
    funds: &'i [Fund],
    /// What every effect is counted in.
    pub work: &'i mut Work,
    /// The lines of the last effect, with three numbers for each: what the total is split by, the most the line can
    /// take, what it takes.
    lines: Vec<usize>,
    weights: Vec<i64>,
    room: Vec<i64>,
    parts: Parts,
    /// (line, units) that serve the buy-x-get-y of the last effect.
    serving: Vec<(usize, i64)>,
    /// The budgets that the last effect is taken out of.
    drawn: Drawn,
    /// The most that the candidate at hand may take.
    most: i64,
}

impl<'i> Judge<'i> {
    pub(super) fn new(initial: &'i Initial<'i>, funds: &'i [Fund], work: &'i mut Work) -> Self {
        let many = || Vec::with_capacity(initial.prices.len());
        Self {
            initial,
            funds,
            work,
            lines: Vec::with_capacity(initial.prices.len()),
            weights: many(),
            room: many(),
            parts: Parts::default(),
            serving: Vec::new(),
            drawn: Drawn::default(),
            most: i64::MAX,
        }
    }

    /// (merged line, amount above 0) of the last effect.
    pub(super) fn parts(&self) -> impl Iterator<Item = (usize, i64)> {
        self.lines.iter().copied().zip(self.parts.amounts.iter().copied()).filter(|(_, part)| *part > 0)
    }

    /// What `candidate` would take now: above 0, or why not. Nothing changes before [`State::apply`]. Counted, with what
    /// it takes to apply it and to keep a copy of the state; once the work is over nothing has an effect.
    pub(super) fn effect(&mut self, candidate: &Prepared<'_>, state: &State) -> Result<Effect, Reason> {
        self.lines.clear();
        self.weights.clear();
        self.room.clear();
        self.parts.amounts.clear();
        self.serving.clear();
        self.work.spend(candidate.steps);
        if self.work.is_over() {
            return Err(Reason::NothingLeft);
        }
        let room = Room::of(&candidate.funds, self.funds, &state.funds);
        (self.drawn, self.most) = (candidate.funds, candidate.most.min(room.most));
        let effect = self.funded(candidate, state)?;
        if room.covers(effect.amount()) { Ok(effect) } else { Err(Reason::BudgetSpent) }
    }

    /// The same, were budgets no more than a limit of what it takes.
    fn funded(&mut self, candidate: &Prepared<'_>, state: &State) -> Result<Effect, Reason> {
        let (terms, spend) = self.standing(candidate, state)?;
        match terms {
            Terms::ShippingFree => self.off_shipping(state, state.shipping),
            Terms::ShippingPercent(rate_ppm) => {
                let base = match candidate.discount.base {
                    Base::Sequential => state.shipping,
                    Base::Initial => self.initial.shipping,
                };
                self.off_shipping(state, share(base, *rate_ppm))
            }
            Terms::OffShipping(amount) => self.off_shipping(state, *amount),
            // A card pays at the end, see `payment`.
            Terms::GiftCard => Err(Reason::NothingLeft),
            terms if spend.left == 0 && !gives_others(terms, candidate, state) => Err(Reason::NothingLeft),
            Terms::Percent(rate_ppm) => self.percent(candidate, state, *rate_ppm),
            Terms::OffOrder(amount) => self.off_order(candidate, state, *amount, spend.left),
            Terms::Tiers(tiers) => self.tiered(candidate, state, tiers, spend),
            Terms::OffUnit(amount) => self
                .own(candidate, state, Overflow::Moves, |_, units| i128::from(*amount) * i128::from(units)),
            Terms::UnitPrice(price) => self.own(candidate, state, Overflow::Lost, |left, units| {
                i128::from(left) - i128::from(*price) * i128::from(units)
            }),
            Terms::Sets { price, parts, max_sets } => self.sets(candidate, state, *price, parts, *max_sets),
            Terms::BuyGet { terms, get, rate_ppm, choice } => {
                let units = self.serve(candidate, state, *terms, get, *choice)?;
                self.settle_units(candidate, state, &Chosen::new(units, *rate_ppm, 0))
            }
        }
    }

    /// What a candidate gives and what its goods are worth, unless something of its own stands against it.
    fn standing<'p, 'a>(
        &self,
        candidate: &'p Prepared<'a>,
        state: &State,
    ) -> Result<(&'p Terms<'a>, Spend), Reason> {
        let terms = candidate.terms.as_ref().map_err(|reason| *reason)?;
        let left: i64 = candidate.lines.iter().map(|line| state.left[line]).sum();
        let counted = match candidate.discount.minimum_spend_base {
            Base::Sequential => left,
            Base::Initial => candidate.lines.iter().map(|line| self.initial.prices[line].amount).sum(),
        };
        if counted < candidate.minimum {
            return Err(Reason::MinimumSpend { missing: candidate.minimum - counted });
        }
        Ok((terms, Spend { left, counted }))
    }

    /// What a gift card pays of `due`: above 0, or why not.
    pub(super) fn payment(&self, card: &Prepared<'_>, state: &State, due: i64) -> Result<i64, Reason> {
        self.standing(card, state)?;
        if due <= 0 {
            return Err(Reason::NothingLeft);
        }
        let room = Room::of(&card.funds, self.funds, &state.funds);
        let amount = due.min(card.most).min(room.most);
        if room.covers(amount) { Ok(amount) } else { Err(Reason::BudgetSpent) }
    }

    /// Fills lines, weights and room with the base a rate is computed on, and returns the whole base.
    fn weigh_base(&mut self, candidate: &Prepared<'_>, state: &State) -> i64 {
        let mut whole = 0;
        for line in candidate.lines.iter() {
            let left = state.left[line];
            let base = match candidate.discount.base {
                Base::Sequential => left,
                Base::Initial => self.initial.prices[line].amount,
            };
            whole += base;
            self.lines.push(line);
            self.weights.push(base);
            self.room.push(left);
        }
        whole
    }

    fn percent(&mut self, candidate: &Prepared<'_>, state: &State, rate_ppm: i32) -> Result<Effect, Reason> {
        let base = self.weigh_base(candidate, state);
        self.settle(candidate, state, share(base, rate_ppm), Overflow::Lost)
    }

    fn off_order(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        amount: i64,
        left: i64,
    ) -> Result<Effect, Reason> {
        self.weigh_base(candidate, state);
        self.settle(candidate, state, amount.min(left), Overflow::Moves)
    }

    fn tiered(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        tiers: &[Tier],
        spend: Spend,
    ) -> Result<Effect, Reason> {
        let currency = self.initial.currency;
        let threshold = |tier: &Tier| tier.thresholds.get(currency).unwrap_or(i64::MAX);
        match tiers.iter().rfind(|tier| threshold(tier) <= spend.counted).map(|tier| &tier.benefit) {
            Some(TierBenefit::Rate(rate_ppm)) => self.percent(candidate, state, *rate_ppm),
            Some(TierBenefit::Amount(amounts)) => {
                let amount = in_currency(amounts, currency)?;
                self.off_order(candidate, state, amount, spend.left)
            }
            None => {
                let lowest = tiers.first().map_or(i64::MAX, threshold);
                Err(Reason::TierNotReached { missing: lowest - spend.counted })
            }
        }
    }

    /// Amounts that belong to their lines, given what is left of a line and its units: no line takes more than its own.
    fn own(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        overflow: Overflow,
        off: impl Fn(i64, i64) -> i128,
    ) -> Result<Effect, Reason> {
        let mut total = 0;
        for line in candidate.lines.iter() {
            let left = state.left[line];
            let exact = off(left, self.initial.merged.lines[line].quantity);
            let own = i64::try_from(exact.clamp(0, left.into())).unwrap_or(left);
            total += own;
            self.lines.push(line);
            self.weights.push(own);
            self.room.push(own);
        }
        if total == 0 {
            return Err(Reason::PriceNotLower);
        }
        self.settle(candidate, state, total, overflow)
    }

    fn sets(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        price: i64,
        parts: &[(LineSet, i64)],
        max_sets: Option<i64>,
    ) -> Result<Effect, Reason> {
        let chosen = self.sets_of(state, price, parts, max_sets)?;
        self.settle_units(candidate, state, &chosen)
    }

    fn sets_of(
        &mut self,
        state: &State,
        price: i64,
        parts: &[(LineSet, i64)],
        max_sets: Option<i64>,
    ) -> Result<Chosen, Reason> {
        let fitting = parts.iter().fold(LineSet::default(), |all, (lines, _)| all.or(lines));
        let runs = self.runs(&fitting, state, |_| 0);
        sets::sets(runs, parts, price, max_sets, self.work).map_err(|none| match none {
            NoSet::Incomplete(missing) => Reason::SetsIncomplete { missing },
            NoSet::PriceNotLower => Reason::PriceNotLower,
        })
    }

    /// What `candidate` can take at most, (off the goods, off the shipping), now or in any state that discounts make of
    /// `start`: there no line costs more than in `start`, and nor does the shipping.
    ///
    /// A share of less is less; amounts and what lies above a price per unit do not grow. The sets of the dearest units
    /// are worth no more each, for the price of the n-th dearest unit has not risen, and there are no more of them. Only
    /// what a buy-x-get-y gives can grow, where cheap units have become free and dearer ones take their place; it is
    /// held to all that it could give. Floors and room only take away.
    pub(super) fn most(&mut self, candidate: &Prepared<'_>, start: &State) -> (i64, i64) {
        self.work.spend(candidate.steps);
        if self.work.is_over() {
            return (0, 0);
        }
        let Ok(terms) = &candidate.terms else { return (0, 0) };
        let worth = |lines: &LineSet| -> i64 { lines.iter().map(|line| start.left[line]).sum() };
        let own = worth(&candidate.lines);
        let by_line = |off: &dyn Fn(i64, i64) -> i128| -> i64 {
            let of = |line: usize| {
                let left = start.left[line];
                let off = off(left, self.initial.merged.lines[line].quantity);
                i64::try_from(off.clamp(0, left.into())).unwrap_or(left)
            };
            candidate.lines.iter().map(of).sum()
        };
        let goods = match terms {
            Terms::ShippingFree => return (0, start.shipping.min(candidate.at_best())),
            Terms::ShippingPercent(rate_ppm) => {
                return (0, share(start.shipping, *rate_ppm).min(candidate.at_best()));
            }
            Terms::OffShipping(amount) => {
                return (0, start.shipping.min(*amount).min(candidate.at_best()));
            }
            Terms::GiftCard => 0,
            Terms::Percent(rate_ppm) => share(own, *rate_ppm),
            Terms::OffOrder(amount) => own.min(*amount),
            Terms::Tiers(tiers) => {
                let gives = |tier: &Tier| match &tier.benefit {
                    TierBenefit::Rate(rate_ppm) => share(own, *rate_ppm),
                    TierBenefit::Amount(amounts) => amounts.get(self.initial.currency).unwrap_or(0).min(own),
                };
                tiers.iter().map(gives).max().unwrap_or(0)
            }
            Terms::OffUnit(amount) => by_line(&|_, units| i128::from(*amount) * i128::from(units)),
            Terms::UnitPrice(price) => {
                by_line(&|left, units| i128::from(left) - i128::from(*price) * i128::from(units))
            }
            Terms::Sets { price, parts, max_sets } => {
                self.sets_of(start, *price, parts, *max_sets).map_or(0, |chosen| chosen.total())
            }
            Terms::BuyGet { get, rate_ppm, .. } => share(worth(get), *rate_ppm),
        };
        (goods.min(candidate.at_best()), 0)
    }

    fn off_shipping(&self, state: &State, off: i64) -> Result<Effect, Reason> {
        let shipping = off.min(state.shipping).min(self.most);
        match (shipping, state.shipping) {
            (_, 0) => Err(Reason::NothingLeft),
            (0, _) => Err(Reason::RoundsToNothing),
            _ => Ok(Effect { goods: 0, shipping, cut_by_floor: 0 }),
        }
    }

    /// The get-units of a buy-x-get-y, at least one; what serves it is noted.
    fn serve(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        terms: BuyGet,
        get: &LineSet,
        choice: UnitChoice,
    ) -> Result<Vec<(Run, i64)>, Reason> {
        let served = |line: usize| state.served[line];
        let mut get_runs = self.runs(get, state, served);
        get_runs.sort_unstable_by(match choice {
            UnitChoice::Cheapest => Run::cheapest_first,
            UnitChoice::Dearest => Run::dearest_first,
        });
        let mut buy_runs = self.runs(&candidate.lines, state, served);
        let missing = |buy_runs: &[Run]| {
            let both = |run: &Run| candidate.lines.contains(run.line);
            let missing = sets::missing_of_pair((terms.buy, buy_runs), (terms.get, &get_runs), both);
            Reason::SetsIncomplete { missing }
        };
        let none = missing(&buy_runs);
        let units = units::buy_get(terms, &candidate.lines, &mut buy_runs, &get_runs, &mut self.serving);
        if units.is_empty() { Err(none) } else { Ok(units) }
    }

    /// The units of `lines` that still cost something, without those `taken` already.
    fn runs(&self, lines: &LineSet, state: &State, taken: impl Fn(usize) -> i64) -> Vec<Run> {
        let run = |line: usize| {
            let quantity = self.initial.merged.lines[line].quantity;
            Run { line, units: quantity - taken(line), amount: state.left[line], quantity }
        };
        lines.iter().map(run).filter(|run| run.amount > 0 && run.units > 0).collect()
    }

    fn settle_units(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        chosen: &Chosen,
    ) -> Result<Effect, Reason> {
        self.work.spend(chosen.long_words() * STEPS_PER_LONG_WORD);
        if self.work.is_over() {
            return Err(Reason::NothingLeft);
        }
        let total = chosen.total();
        for (line, left) in chosen.lines() {
            self.lines.push(line);
            self.room.push(left);
        }
        chosen.split(total.min(self.most), &mut self.parts);
        self.hold(candidate, state, total, Overflow::Lost)
    }

    /// Splits `total`, held to the candidate's limits, by the weights.
    fn settle(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        total: i64,
        overflow: Overflow,
    ) -> Result<Effect, Reason> {
        self.parts.split(total.min(self.most), &self.weights);
        self.hold(candidate, state, total, overflow)
    }

    /// Holds the parts of `total` to what their lines can take: what is left of them, and the margin floor.
    fn hold(
        &mut self,
        candidate: &Prepared<'_>,
        state: &State,
        total: i64,
        overflow: Overflow,
    ) -> Result<Effect, Reason> {
        if total == 0 {
            return Err(Reason::RoundsToNothing);
        }
        let wanted: i64 = match overflow {
            Overflow::Lost => {
                self.parts.amounts.iter().zip(&self.room).map(|(part, room)| part.min(room)).sum()
            }
            Overflow::Moves => self.parts.amounts.iter().sum(),
        };
        let margin_ppm = candidate.discount.margin_floor_ppm;
        if margin_ppm > 0 {
            for (line, room) in self.lines.iter().zip(&mut self.room) {
                let floor = floor(&self.initial.merged.lines[*line], margin_ppm, self.initial.tax_mode);
                let above = (i128::from(state.left[*line]) - floor).max(0);
                *room = i64::try_from(above).map_or(*room, |above| above.min(*room));
            }
        }
        let goods = self.parts.fit(&self.room, &self.weights, overflow);
        match (goods, wanted) {
            (0, 0) => Err(Reason::NothingLeft),
            (0, _) => Err(Reason::BelowFloor),
            _ => Ok(Effect { goods, shipping: 0, cut_by_floor: wanted - goods }),
        }
    }
}

/// What the goods of a candidate are worth.
#[derive(Debug, Clone, Copy)]
struct Spend {
    /// Now.
    left: i64,
    /// As minimum and tiers look at them.
    counted: i64,
}

/// Whether it tells what is not bought by what it would give: of its own goods there are none, or the others still cost
/// something.
fn gives_others(terms: &Terms<'_>, candidate: &Prepared<'_>, state: &State) -> bool {
    let Terms::BuyGet { get, .. } = terms else { return false };
    candidate.lines.is_empty() || get.iter().any(|line| state.left[line] > 0)
}
