//! A second evaluator, written from the rules and not from the first one: every unit stands for itself, every number
//! is an exact fraction, every alternative is tried. Slow, and meant to be read against the rules. No CEL.

mod stacking;

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

use super::Given;
use crate::basket::{Basket, Line, TaxMode};
use crate::discount::{
    AmountPer, Base, Discount, Kind, PricePer, Scope, ShippingBenefit, TierBenefit, UnitChoice,
};
use crate::limits::Overrun;
use crate::money::{Amounts, Currency};
use crate::pricing::PriceChange;

type Exact = BigRational;

/// What the naive evaluator answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Per candidate: what became of it, and its amount.
    pub decisions: Vec<(Fate, i64)>,
    /// Per kind of goods, in the order of their keys: final amount.
    pub goods: Vec<i64>,
    pub shipping: i64,
    pub tendered: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Applied,
    Skipped(Option<usize>),
    Inapplicable,
}

/// A price rule as the naive evaluator reads it.
#[derive(Debug, Clone)]
pub struct NaiveRule {
    pub scope: Scope,
    pub change: PriceChange,
}

fn exact(number: i64) -> Exact {
    Exact::from_integer(BigInt::from(number))
}

fn ratio(numerator: i64, denominator: i64) -> Exact {
    Exact::new(BigInt::from(numerator), BigInt::from(denominator))
}

fn round_half_up(number: &Exact) -> i64 {
    (number + ratio(1, 2)).floor().to_integer().to_i64().unwrap()
}

fn round_up(number: &Exact) -> i64 {
    number.ceil().to_integer().to_i64().unwrap()
}

/// Hamilton's method.
fn apportion(total: i64, weights: &[Exact]) -> Vec<i64> {
    let sum: Exact = weights.iter().sum();
    if sum.is_zero() || total == 0 {
        return vec![0; weights.len()];
    }
    let shares: Vec<Exact> = weights.iter().map(|weight| exact(total) * weight / &sum).collect();
    let mut parts: Vec<i64> =
        shares.iter().map(|share| share.floor().to_integer().to_i64().unwrap()).collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|index| (std::cmp::Reverse(shares[*index].fract()), *index));
    let missing = total - parts.iter().sum::<i64>();
    for index in by_remainder.into_iter().take(usize::try_from(missing).unwrap()) {
        parts[index] += 1;
    }
    parts
}

fn fits(scope: &Scope, line: &Line) -> bool {
    let listed = |categories: &[String]| categories.iter().any(|category| line.categories.contains(category));
    assert!(scope.condition.is_empty(), "the naive evaluator reads no CEL");
    (scope.products.is_empty() || scope.products.contains(&line.product))
        && (scope.categories.is_empty() || listed(&scope.categories))
        && !scope.excluded_products.contains(&line.product)
        && !listed(&scope.excluded_categories)
}

/// One kind of goods: lines that differ in nothing but id and quantity.
struct Goods {
    sample: Line,
    quantity: i64,
    unit_price: i64,
}

/// The basket while discounts come off.
#[derive(Clone)]
struct World {
    left: Vec<i64>,
    /// One entry per unit: its goods, and whether it serves a buy-x-get-y.
    units: Vec<(usize, bool)>,
    shipping: i64,
    /// What is left of the budgets that several draw on, by their numbers.
    shared: BTreeMap<usize, i64>,
}

impl World {
    fn total(&self) -> i64 {
        self.left.iter().sum::<i64>() + self.shipping
    }

    fn unit_price(&self, goods: usize) -> Exact {
        let count = self.units.iter().filter(|(of, _)| *of == goods).count();
        ratio(self.left[goods], i64::try_from(count).unwrap())
    }
}

/// What a discount does at its turn.
struct Effect {
    off: Vec<i64>,
    shipping: i64,
    serving: Vec<usize>,
}

impl Effect {
    fn amount(&self) -> i64 {
        self.off.iter().sum::<i64>() + self.shipping
    }
}

pub struct Naive<'a> {
    basket: &'a Basket,
    goods: Vec<Goods>,
    given: &'a [Given],
}

impl<'a> Naive<'a> {
    pub fn new(basket: &'a Basket, rules: &[NaiveRule], given: &'a [Given]) -> Self {
        let mut goods: BTreeMap<_, Goods> = BTreeMap::new();
        for line in &basket.lines {
            let key = (
                line.product.clone(),
                line.unit_price,
                line.unit_cost,
                line.tax_rate_ppm,
                line.categories.clone(),
                line.attributes.clone(),
            );
            let prices = rules.iter().filter(|rule| fits(&rule.scope, line));
            let prices = prices.filter_map(|rule| changed(line.unit_price, &rule.change, basket.currency));
            let unit_price = prices.chain([line.unit_price]).min().unwrap();
            let fresh = || Goods { sample: line.clone(), quantity: 0, unit_price };
            goods.entry(key).or_insert_with(fresh).quantity += line.quantity;
        }
        Self { basket, goods: goods.into_values().collect(), given }
    }

    fn world(&self) -> World {
        World {
            left: self.goods.iter().map(|goods| goods.unit_price * goods.quantity).collect(),
            units: (0..self.goods.len())
                .flat_map(|index| (0..self.goods[index].quantity).map(move |_| (index, false)))
                .collect(),
            shipping: self.basket.shipping,
            shared: self
                .given
                .iter()
                .filter_map(|given| given.shared)
                .map(|(n, fund)| (n, fund.left))
                .collect(),
        }
    }

    fn discount(&self, candidate: usize) -> &'a Discount {
        &self.given[candidate].compiled.discount
    }

    fn in_currency(&self, amounts: &Amounts) -> Option<i64> {
        amounts.get(self.basket.currency)
    }

    /// `Some(None)`: no limit. `None`: the currency is missing.
    fn limit(&self, amounts: &Amounts) -> Option<Option<i64>> {
        if amounts.is_empty() { Some(None) } else { self.in_currency(amounts).map(Some) }
    }

    /// The goods with a price that a scope counts.
    fn select(&self, scope: &Scope) -> Vec<usize> {
        let counts =
            |index: &usize| self.goods[*index].unit_price > 0 && fits(scope, &self.goods[*index].sample);
        (0..self.goods.len()).filter(counts).collect()
    }

    /// What a line must keep.
    fn floor(&self, goods: usize, margin_ppm: i32) -> i64 {
        let Goods { sample, quantity, .. } = &self.goods[goods];
        let (Some(cost), true) = (sample.unit_cost, margin_ppm > 0) else { return 0 };
        let unit = round_up(&(exact(cost) / (Exact::one() - ratio(margin_ppm.into(), 1_000_000))));
        let net = exact(unit) * exact(*quantity);
        match self.basket.tax_mode {
            TaxMode::Inclusive => {
                round_up(&(net * (Exact::one() + ratio(sample.tax_rate_ppm.into(), 1_000_000))))
            }
            TaxMode::Exclusive => round_up(&net),
        }
    }

    /// What is left of the budget it draws on with others, by whether it shrinks to that.
    fn shared(&self, candidate: usize, world: &World) -> (Option<i64>, Option<i64>) {
        match self.given[candidate].shared {
            Some((number, fund)) if fund.overrun == Overrun::Cap => (Some(world.shared[&number]), None),
            Some((number, _)) => (None, Some(world.shared[&number])),
            None => (None, None),
        }
    }

    /// The effect at this moment; `None` where there is none.
    fn effect(&self, candidate: usize, world: &World) -> Option<Effect> {
        let (_, covered) = self.shared(candidate, world);
        let effect = self.uncovered(candidate, world)?;
        covered.is_none_or(|left| effect.amount() <= left).then_some(effect)
    }

    fn uncovered(&self, candidate: usize, world: &World) -> Option<Effect> {
        let discount = self.discount(candidate);
        let eligible = self.select(&discount.scope);
        let spend: i64 = eligible.iter().map(|goods| world.left[*goods]).sum();
        let counted = self.counted(discount, &eligible, world);
        let minimum = self.limit(&discount.minimum_spend)?;
        let (shrinks_to, _) = self.shared(candidate, world);
        let cap = [self.limit(&discount.max_discount)?, self.given[candidate].budget_left, shrinks_to];
        let cap = cap.into_iter().flatten().min().unwrap_or(i64::MAX).max(0);
        if minimum.is_some_and(|minimum| counted < minimum) {
            return None;
        }
        if let Kind::Shipping { benefit } = &discount.kind {
            if eligible.is_empty() && !discount.scope.is_everything() {
                return None;
            }
            let shipping = self.off_shipping(benefit, discount.base, world)?.min(world.shipping).min(cap);
            let effect = Effect { off: vec![0; world.left.len()], shipping, serving: vec![] };
            return (shipping > 0).then_some(effect);
        }
        if eligible.is_empty() {
            return None;
        }
        let plan = self.plan(discount, &eligible, (spend, counted), world)?;
        let total = round_half_up(&plan.exact).min(cap);
        let mut off = vec![0; world.left.len()];
        let room = |goods: usize, own: i64| {
            own.min(world.left[goods])
                .min(world.left[goods] - self.floor(goods, discount.margin_floor_ppm))
                .max(0)
        };
        let (mut to_place, mut moved) = (total, false);
        while to_place > 0 {
            let open = |(goods, weight, own): &(usize, Exact, i64)| {
                if moved && off[*goods] >= room(*goods, *own) { Exact::zero() } else { weight.clone() }
            };
            let weights: Vec<Exact> = plan.weights.iter().map(open).collect();
            if weights.iter().all(Zero::is_zero) {
                break;
            }
            let mut over = 0;
            for (part, (goods, _, own)) in apportion(to_place, &weights).into_iter().zip(&plan.weights) {
                let taken = part.min(room(*goods, *own) - off[*goods]);
                off[*goods] += taken;
                over += part - taken;
            }
            to_place = if plan.moves { over } else { 0 };
            moved = true;
        }
        let effect = Effect { off, shipping: 0, serving: plan.serving };
        (effect.amount() > 0).then_some(effect)
    }

    /// What a minimum looks at.
    fn counted(&self, discount: &Discount, eligible: &[usize], world: &World) -> i64 {
        let of = |goods: &usize| match discount.minimum_spend_base {
            Base::Sequential => world.left[*goods],
            Base::Initial => self.goods[*goods].unit_price * self.goods[*goods].quantity,
        };
        eligible.iter().map(of).sum()
    }

    fn off_shipping(&self, benefit: &ShippingBenefit, base: Base, world: &World) -> Option<i64> {
        let base = if base == Base::Initial { self.basket.shipping } else { world.shipping };
        Some(match benefit {
            ShippingBenefit::Free => world.shipping,
            ShippingBenefit::Rate(rate) => round_half_up(&(exact(base) * ratio((*rate).into(), 1_000_000))),
            ShippingBenefit::Amount(amounts) => self.in_currency(amounts)?,
        })
    }

    fn plan(
        &self,
        discount: &Discount,
        eligible: &[usize],
        (spend, counted): (i64, i64),
        world: &World,
    ) -> Option<Plan> {
        let base = |goods: usize| match discount.base {
            Base::Sequential => world.left[goods],
            Base::Initial => self.goods[goods].unit_price * self.goods[goods].quantity,
        };
        let weighted: Vec<(usize, Exact, i64)> =
            eligible.iter().map(|goods| (*goods, exact(base(*goods)), i64::MAX)).collect();
        let whole: i64 = eligible.iter().map(|goods| base(*goods)).sum();
        let percent = |rate: i32| Plan {
            exact: exact(whole) * ratio(rate.into(), 1_000_000),
            weights: weighted.clone(),
            moves: false,
            serving: vec![],
        };
        let off_order = |amount: i64| Plan {
            exact: exact(amount.min(spend)),
            weights: weighted.clone(),
            moves: true,
            serving: vec![],
        };
        let by_line = |own: &dyn Fn(usize) -> i64, moves: bool| {
            let own = |goods: &usize| own(*goods).clamp(0, world.left[*goods]);
            let weights: Vec<(usize, Exact, i64)> =
                eligible.iter().map(|goods| (*goods, exact(own(goods)), own(goods))).collect();
            Plan { exact: weights.iter().map(|weight| &weight.1).sum(), weights, moves, serving: vec![] }
        };
        Some(match &discount.kind {
            Kind::Percent { rate_ppm } => percent(*rate_ppm),
            Kind::Amount { amounts, per: AmountPer::Order } => off_order(self.in_currency(amounts)?),
            Kind::Amount { amounts, per: AmountPer::Unit } => {
                let amount = self.in_currency(amounts)?;
                by_line(&|goods| amount * self.goods[goods].quantity, true)
            }
            Kind::FixedPrice { prices, per: PricePer::Unit } => {
                let price = self.in_currency(prices)?;
                by_line(&|goods| world.left[goods] - price * self.goods[goods].quantity, false)
            }
            Kind::FixedPrice { prices, per: PricePer::Set(size) } => {
                let part = (eligible.to_vec(), *size);
                self.sets(&[part], self.in_currency(prices)?, None, world)
            }
            Kind::Bundle { parts, prices, max_sets } => {
                let fill = |scope: &Scope| {
                    eligible.iter().copied().filter(|goods| fits(scope, &self.goods[*goods].sample)).collect()
                };
                let parts: Vec<(Vec<usize>, i64)> =
                    parts.iter().map(|part| (fill(&part.scope), part.quantity)).collect();
                self.sets(&parts, self.in_currency(prices)?, *max_sets, world)
            }
            Kind::Tiered { tiers } => {
                let reached = |tier: &&crate::discount::Tier| {
                    self.in_currency(&tier.thresholds).is_some_and(|threshold| threshold <= counted)
                };
                match &tiers.iter().rev().find(reached)?.benefit {
                    TierBenefit::Rate(rate) => percent(*rate),
                    TierBenefit::Amount(amounts) => off_order(self.in_currency(amounts)?),
                }
            }
            Kind::BuyXGetY { .. } => self.buy_get(discount, eligible, world)?,
            Kind::Shipping { .. } | Kind::GiftCard { .. } => return None,
        })
    }

    /// As many sets as are worth more than the price, each number of them filled with the dearest units that can.
    fn sets(&self, parts: &[(Vec<usize>, i64)], price: i64, max_sets: Option<i64>, world: &World) -> Plan {
        let mut units: Vec<usize> = world.units.iter().map(|unit| unit.0).collect();
        units.retain(|of| world.left[*of] > 0);
        units.sort_by_key(|of| (std::cmp::Reverse(world.unit_price(*of)), *of));
        let worth = |taken: &[usize]| -> Exact { taken.iter().map(|of| world.unit_price(*of)).sum() };
        let (mut sets, mut taken) = (0, Vec::new());
        while max_sets.is_none_or(|most| sets < most) {
            let Some(more) = dearest(&units, parts, sets + 1) else { break };
            if worth(&more) - worth(&taken) <= exact(price) {
                break;
            }
            (sets, taken) = (sets + 1, more);
        }
        let mut weights = BTreeMap::<usize, Exact>::new();
        for of in &taken {
            *weights.entry(*of).or_insert_with(Exact::zero) += world.unit_price(*of);
        }
        let weights = weights.into_iter().map(|(goods, weight)| (goods, weight, i64::MAX)).collect();
        Plan { exact: worth(&taken) - exact(price * sets), weights, moves: false, serving: vec![] }
    }

    fn buy_get(&self, discount: &Discount, eligible: &[usize], world: &World) -> Option<Plan> {
        let Kind::BuyXGetY { buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets } =
            &discount.kind
        else {
            return None;
        };
        let given = get_scope.as_ref().map_or_else(|| eligible.to_vec(), |scope| self.select(scope));
        let free = |unit: &usize| !world.units[*unit].1 && world.left[world.units[*unit].0] > 0;
        let price = |unit: usize| world.unit_price(world.units[unit].0);
        let free_units: Vec<usize> = (0..world.units.len()).filter(free).collect();
        let of = |goods: &[usize]| -> Vec<usize> {
            free_units.iter().copied().filter(|unit| goods.contains(&world.units[*unit].0)).collect()
        };
        let mut get_units = of(&given);
        match choice {
            UnitChoice::Cheapest => get_units.sort_by_key(|unit| (price(*unit), *unit)),
            UnitChoice::Dearest => get_units.sort_by_key(|unit| (std::cmp::Reverse(price(*unit)), *unit)),
        }
        let mut buy_units = of(eligible);
        buy_units.sort_by_key(|unit| (std::cmp::Reverse(price(*unit)), *unit));
        let most = max_sets.unwrap_or(i64::MAX).min(world.units.len() as i64);
        let (aside, buys) = (1..=most).rev().find_map(|sets| {
            let aside = get_units.get(..usize::try_from(sets * get_quantity).unwrap())?.to_vec();
            let rest: Vec<usize> = buy_units.iter().copied().filter(|unit| !aside.contains(unit)).collect();
            let buys = rest.get(..usize::try_from(sets * buy_quantity).unwrap())?.to_vec();
            Some((aside, buys))
        })?;
        let mut weights = BTreeMap::<usize, Exact>::new();
        for unit in &aside {
            *weights.entry(world.units[*unit].0).or_insert_with(Exact::zero) += price(*unit);
        }
        let worth: Exact = weights.values().sum();
        Some(Plan {
            exact: worth * ratio((*rate_ppm).into(), 1_000_000),
            weights: weights.into_iter().map(|(goods, weight)| (goods, weight, i64::MAX)).collect(),
            moves: false,
            serving: aside.into_iter().chain(buys).collect(),
        })
    }

    fn apply(&self, candidate: usize, world: &mut World, effect: &Effect) {
        self.draw(candidate, world, effect.amount());
        world.left.iter_mut().zip(&effect.off).for_each(|(left, off)| *left -= off);
        world.shipping -= effect.shipping;
        effect.serving.iter().for_each(|unit| world.units[*unit].1 = true);
    }
}

impl Naive<'_> {
    fn draw(&self, candidate: usize, world: &mut World, amount: i64) {
        if let Some((number, _)) = self.given[candidate].shared {
            *world.shared.get_mut(&number).unwrap() -= amount;
        }
    }
}

/// Of `units`, the dearest first, those that make up so many sets; `None` where there are not so many.
fn dearest(units: &[usize], parts: &[(Vec<usize>, i64)], sets: i64) -> Option<Vec<usize>> {
    let slot = |(goods, quantity): &(Vec<usize>, i64)| (0..quantity * sets).map(|_| goods.clone()).collect();
    let slots: Vec<Vec<usize>> = parts.iter().flat_map::<Vec<_>, _>(slot).collect();
    let mut owners: Vec<Option<usize>> = vec![None; slots.len()];
    let taken = units.iter().enumerate();
    let taken: Vec<usize> = taken
        .filter(|(unit, _)| place(*unit, units, &slots, &mut owners, &mut vec![false; slots.len()]))
        .map(|(_, of)| *of)
        .collect();
    (taken.len() == slots.len()).then_some(taken)
}

/// Finds a slot for a unit, moving others out of its way.
fn place(
    unit: usize,
    units: &[usize],
    slots: &[Vec<usize>],
    owners: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for slot in 0..slots.len() {
        if tried[slot] || !slots[slot].contains(&units[unit]) {
            continue;
        }
        tried[slot] = true;
        if owners[slot].is_none_or(|other| place(other, units, slots, owners, tried)) {
            owners[slot] = Some(unit);
            return true;
        }
    }
    false
}

/// How a discount is computed: its exact amount, and per goods the weight and the most that is its own.
struct Plan {
    exact: Exact,
    weights: Vec<(usize, Exact, i64)>,
    moves: bool,
    serving: Vec<usize>,
}

fn changed(unit_price: i64, change: &PriceChange, currency: Currency) -> Option<i64> {
    Some(match change {
        PriceChange::Percent { rate_ppm } => {
            let left = exact(unit_price) * (Exact::one() - ratio((*rate_ppm).into(), 1_000_000));
            round_half_up(&left)
        }
        PriceChange::Amount(amounts) => (unit_price - amounts.get(currency)?).max(0),
        PriceChange::Fixed(prices) => prices.get(currency)?,
    })
}
