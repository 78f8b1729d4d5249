//! A candidate made ready for one evaluation: its lines selected, its amounts looked up in the basket's currency.

use super::funds::Drawn;
use super::scope::{LineSet, Lines};
use super::units::BuyGet;
use super::{Candidate, CompiledScope, Fund, Initial, Reason};
use crate::basket::TaxMode;
use crate::discount::{AmountPer, Discount, Kind, PricePer, ShippingBenefit, Tier, UnitChoice};
use crate::money::{Amounts, Currency};
use crate::work::Work;

/// A kind with its amounts in the basket's currency.
#[derive(Debug)]
pub(super) enum Terms<'a> {
    Percent(i32),
    OffOrder(i64),
    OffUnit(i64),
    UnitPrice(i64),
    Tiers(&'a [Tier]),
    Sets { price: i64, parts: Vec<(LineSet, i64)>, max_sets: Option<i64> },
    BuyGet { terms: BuyGet, get: LineSet, rate_ppm: i32, choice: UnitChoice },
    ShippingFree,
    ShippingPercent(i32),
    OffShipping(i64),
    GiftCard,
}

impl Terms<'_> {
    /// How many lines an effect looks at; those of price zero aside, which change nothing.
    fn lines(&self, own: &LineSet) -> u64 {
        let lines = match self {
            Self::BuyGet { get, .. } => own.len() + get.len(),
            _ => own.len(),
        };
        lines as u64
    }

    /// Whether each part alone has the units that one set takes of it.
    fn has_units(&self, own: &LineSet, units: impl Fn(&LineSet) -> i64) -> bool {
        match self {
            Self::Sets { parts, .. } => parts.iter().all(|(lines, quantity)| units(lines) >= *quantity),
            Self::BuyGet { terms, get, .. } => units(own) >= terms.buy && units(get) >= terms.get,
            _ => true,
        }
    }
}

/// A candidate with everything looked up that stays the same during an evaluation.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub discount: &'a Discount,
    /// The lines it counts, price zero excepted.
    pub lines: LineSet,
    /// Why it can have no effect whatever is left; otherwise what it gives.
    pub terms: Result<Terms<'a>, Reason>,
    /// What they must be worth just before it.
    pub minimum: i64,
    /// The most it may take, whatever its budgets have: `max_discount`, of a gift card the balance and its limit per order.
    pub most: i64,
    /// The budgets it draws on.
    pub funds: Drawn,
    /// The most that these let it take at all. They only become less.
    funded: i64,
    /// The work of judging its effect once and applying it.
    pub steps: u64,
    /// There are units enough for a set. Units at a price only become fewer.
    complete: bool,
}

/// The work that `kind` takes for each line it looks at: what is weighed, split and taken off for most; units are also
/// put in the order of their prices and split exactly.
pub(super) fn steps_per_line(kind: &Kind) -> u64 {
    match kind {
        Kind::Percent { .. }
        | Kind::Amount { .. }
        | Kind::Tiered { .. }
        | Kind::FixedPrice { per: PricePer::Unit, .. } => 3,
        Kind::FixedPrice { per: PricePer::Set(_), .. } | Kind::Bundle { .. } => 12,
        Kind::BuyXGetY { .. } => 12,
        Kind::Shipping { .. } | Kind::GiftCard { .. } => 1,
    }
}

/// The work of judging an effect, whatever it looks at.
pub(super) const STEPS_PER_EFFECT: u64 = 10;

impl<'a> Prepared<'a> {
    /// `priced` are the lines with a price above zero.
    pub(super) fn new(
        candidate: &Candidate<'a>,
        initial: &Initial<'_>,
        lines: &Lines<'_, '_>,
        priced: &LineSet,
        funds: &[Fund],
        work: &mut Work,
    ) -> Self {
        let discount = &candidate.compiled.discount;
        let own = candidate.compiled.scope.select_in(lines, work);
        let mut prepared = Self {
            discount,
            lines: own.and(priced),
            terms: Err(Reason::NoEligibleGoods),
            minimum: 0,
            most: i64::MAX,
            funds: candidate.funds,
            funded: funded(&candidate.funds, funds),
            steps: STEPS_PER_EFFECT,
            complete: true,
        };
        prepared.terms = prepared.limits(initial.currency).and_then(|()| {
            let needs_goods = discount.kind.reduces_goods() || !discount.scope.is_everything();
            // A unit that is given tells of those that are not bought.
            let gives_others = candidate.compiled.get_scope.is_some();
            if needs_goods && !gives_others && prepared.lines.is_empty() {
                return Err(Reason::NoEligibleGoods);
            }
            let select = |scope: &CompiledScope| scope.select_in(lines, work).and(priced);
            let terms = prepared.terms(candidate, initial, select)?;
            prepared.steps += terms.lines(&prepared.lines) * steps_per_line(&discount.kind);
            let units = |lines: &LineSet| lines.iter().map(|line| initial.merged.lines[line].quantity).sum();
            prepared.complete = terms.has_units(&prepared.lines, units);
            if prepared.at_best() <= 0 { Err(Reason::BudgetSpent) } else { Ok(terms) }
        });
        prepared
    }

    /// The most it can take at all.
    pub(super) fn at_best(&self) -> i64 {
        self.most.min(self.funded)
    }

    /// Could it have an effect at all?
    pub(super) fn may_apply(&self) -> bool {
        self.terms.is_ok() && self.complete
    }

    fn limits(&mut self, currency: Currency) -> Result<(), Reason> {
        let listed = |amounts: &Amounts, absent: i64| {
            if amounts.is_empty() { Ok(absent) } else { in_currency(amounts, currency) }
        };
        self.minimum = listed(&self.discount.minimum_spend, 0)?;
        self.most = listed(&self.discount.max_discount, i64::MAX)?;
        if let Kind::GiftCard { max_per_order } = &self.discount.kind {
            self.most = self.most.min(listed(max_per_order, i64::MAX)?);
        }
        Ok(())
    }

    fn terms(
        &mut self,
        candidate: &Candidate<'a>,
        initial: &Initial<'_>,
        mut select: impl FnMut(&CompiledScope) -> LineSet,
    ) -> Result<Terms<'a>, Reason> {
        let listed = |amounts: &Amounts| in_currency(amounts, initial.currency);
        let compiled = candidate.compiled;
        Ok(match &compiled.discount.kind {
            Kind::Percent { rate_ppm } => Terms::Percent(*rate_ppm),
            Kind::Amount { amounts, per: AmountPer::Order } => Terms::OffOrder(listed(amounts)?),
            Kind::Amount { amounts, per: AmountPer::Unit } => Terms::OffUnit(listed(amounts)?),
            Kind::FixedPrice { prices, per: PricePer::Unit } => Terms::UnitPrice(listed(prices)?),
            Kind::FixedPrice { prices, per: PricePer::Set(units) } => {
                Terms::Sets { price: listed(prices)?, parts: vec![(self.lines, *units)], max_sets: None }
            }
            Kind::Tiered { tiers } => {
                tiers.first().map_or(Err(Reason::CurrencyNotListed), |tier| listed(&tier.thresholds))?;
                Terms::Tiers(tiers)
            }
            Kind::BuyXGetY { buy_quantity, get_quantity, get_scope: _, rate_ppm, choice, max_sets } => {
                let terms = BuyGet { buy: *buy_quantity, get: *get_quantity, max_sets: *max_sets };
                let get = compiled.get_scope.as_ref().map_or(self.lines, select);
                if self.lines.is_empty() && get.is_empty() {
                    return Err(Reason::NoEligibleGoods);
                }
                Terms::BuyGet { terms, get, rate_ppm: *rate_ppm, choice: *choice }
            }
            Kind::Bundle { parts, prices, max_sets } => {
                let own = self.lines;
                let fits = parts.iter().zip(&compiled.parts);
                let filled = fits.map(|(part, scope)| (select(scope).and(&own), part.quantity)).collect();
                Terms::Sets { price: listed(prices)?, parts: filled, max_sets: *max_sets }
            }
            Kind::Shipping { .. } if initial.shipping == 0 => return Err(Reason::NoShipping),
            Kind::Shipping { benefit: ShippingBenefit::Free } => Terms::ShippingFree,
            Kind::Shipping { benefit: ShippingBenefit::Rate(rate_ppm) } => Terms::ShippingPercent(*rate_ppm),
            Kind::Shipping { benefit: ShippingBenefit::Amount(amounts) } => {
                Terms::OffShipping(listed(amounts)?)
            }
            Kind::GiftCard { .. } => {
                let balance = candidate.balance.ok_or(Reason::GiftCardCurrency)?;
                if balance <= 0 {
                    return Err(Reason::GiftCardEmpty);
                }
                if initial.tax_mode == TaxMode::Exclusive && initial.amount_due.is_none() {
                    return Err(Reason::AmountDueUnknown);
                }
                self.most = self.most.min(balance);
                Terms::GiftCard
            }
        })
    }
}

/// The least that any of them has: a discount is taken out of all.
fn funded(drawn: &Drawn, funds: &[Fund]) -> i64 {
    let left = drawn.iter().flatten().filter_map(|at| funds.get(*at)).map(|fund| fund.left.max(0));
    left.min().unwrap_or(i64::MAX)
}

pub(super) fn in_currency(amounts: &Amounts, currency: Currency) -> Result<i64, Reason> {
    amounts.get(currency).ok_or(Reason::CurrencyNotListed)
}
