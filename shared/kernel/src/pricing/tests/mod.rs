//! The rules of pricing: every example with numbers, properties over random baskets, and a second evaluator that is
//! deliberately naive.

mod agreement;
mod examples;
mod naive;
mod properties;
mod stacking;
mod strategies;
mod units;
mod validation;
mod work;

use std::collections::BTreeMap;

use super::{Candidate, Compiled, Evaluation, Fund, Origin, Outcome, PriceRule, Reason, evaluate, initial};
use crate::basket::{Basket, Line, TaxMode};
use crate::discount::{
    AmountPer, Base, Discount, GroupPolicy, Kind, Scope, ShippingBenefit, Stage, Tier, TierBenefit,
};
use crate::limits::Overrun;
use crate::money::{Amounts, Currency, Money};
use crate::work::{Allowance, Stop, Work};

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn euros(minor: i64) -> Amounts {
    Amounts::new(vec![Money::new(minor, eur())]).unwrap()
}

fn line(product: &str, quantity: i64, unit_price: i64) -> Line {
    Line {
        id: String::new(),
        product: product.to_owned(),
        quantity,
        unit_price,
        unit_cost: None,
        tax_rate_ppm: 0,
        categories: vec![],
        attributes: BTreeMap::new(),
    }
}

/// A basket in EUR; the lines get the ids `1`, `2`, ….
fn basket(lines: Vec<Line>) -> Basket {
    let lines =
        lines.into_iter().enumerate().map(|(index, line)| Line { id: (index + 1).to_string(), ..line });
    Basket {
        currency: eur(),
        lines: lines.collect(),
        tax_mode: TaxMode::Inclusive,
        shipping: 0,
        amount_due: None,
        attributes: BTreeMap::new(),
    }
}

/// A basket of one unit each at these prices.
fn units(prices: &[i64]) -> Basket {
    let products = "abcdefghijklmnopqrstuvwxyz";
    let line = |(index, price): (usize, &i64)| line(&products[index..=index], 1, *price);
    basket(prices.iter().enumerate().map(line).collect())
}

/// A discount of this kind with every setting at its default.
fn discount(kind: Kind) -> Discount {
    let stage = match &kind {
        Kind::Amount { per: AmountPer::Order, .. } | Kind::Tiered { .. } => Stage::Order,
        Kind::Shipping { .. } => Stage::Shipping,
        Kind::GiftCard { .. } => Stage::Tender,
        _ => Stage::Line,
    };
    Discount {
        kind,
        scope: Scope::default(),
        stage,
        base: Base::default(),
        group: 0,
        group_policy: GroupPolicy::default(),
        priority: 0,
        exclusive: false,
        stop: false,
        minimum_spend_base: Base::default(),
        minimum_spend: Amounts::default(),
        max_discount: Amounts::default(),
        margin_floor_ppm: 0,
    }
}

fn percent(percent: i32) -> Discount {
    discount(Kind::Percent { rate_ppm: percent * 10_000 })
}

fn amount(minor: i64) -> Discount {
    discount(Kind::Amount { amounts: euros(minor), per: AmountPer::Order })
}

fn gift_card() -> Discount {
    discount(Kind::GiftCard { max_per_order: Amounts::default() })
}

fn free_shipping() -> Discount {
    discount(Kind::Shipping { benefit: ShippingBenefit::Free })
}

fn only(products: &[&str]) -> Scope {
    Scope { products: products.iter().map(|product| (*product).to_owned()).collect(), ..Scope::default() }
}

fn tier(threshold: i64, rate_percent: i32) -> Tier {
    Tier { thresholds: euros(threshold), benefit: TierBenefit::Rate(rate_percent * 10_000) }
}

/// A candidate that owns what it needs.
#[derive(Debug)]
struct Given {
    origin: Origin,
    id: String,
    position: u32,
    compiled: Compiled,
    balance: Option<i64>,
    /// Of a budget of its own, which caps.
    budget_left: Option<i64>,
    /// The budget that it draws on with others: of which number, and what it has.
    shared: Option<(usize, Fund)>,
}

/// The candidates of a stack, and the funds they draw on.
fn stack(given: &[Given]) -> (Vec<Candidate<'_>>, Vec<Fund>) {
    let (mut funds, mut shared) = (Vec::new(), BTreeMap::new());
    let mut place = |fund| {
        funds.push(fund);
        funds.len() - 1
    };
    let candidates = given.iter().map(|given| {
        let own = given.budget_left.map(|left| place(Fund { left, overrun: Overrun::Cap }));
        let all = given.shared.map(|(number, fund)| *shared.entry(number).or_insert_with(|| place(fund)));
        given.candidate([own, all])
    });
    (candidates.collect(), funds)
}

impl Given {
    fn candidate(&self, funds: [Option<usize>; 2]) -> Candidate<'_> {
        Candidate {
            origin: self.origin,
            id: &self.id,
            position: self.position,
            compiled: &self.compiled,
            balance: self.balance,
            funds,
        }
    }
}

fn offer(id: &str, discount: Discount) -> Given {
    let compiled = Compiled::new(discount).unwrap();
    Given {
        origin: Origin::Offer,
        id: id.to_owned(),
        position: 0,
        compiled,
        balance: None,
        budget_left: None,
        shared: None,
    }
}

fn code(id: &str, position: u32, discount: Discount) -> Given {
    Given { origin: Origin::Code, position, ..offer(id, discount) }
}

fn card(id: &str, position: u32, balance: i64) -> Given {
    Given { balance: Some(balance), ..code(id, position, gift_card()) }
}

fn price(basket: &Basket, given: &[Given]) -> Evaluation {
    price_under(basket, &[], given)
}

fn price_under(basket: &Basket, rules: &[&PriceRule], given: &[Given]) -> Evaluation {
    counted(basket, rules, given, ALL).0.unwrap()
}

/// So much work as no test does.
const ALL: Allowance = Allowance { search: 1_000_000_000, total: 10_000_000_000 };

/// The evaluation within an allowance, and the steps it has taken.
fn counted(
    basket: &Basket,
    rules: &[&PriceRule],
    given: &[Given],
    allowance: Allowance,
) -> (Result<Evaluation, Stop>, u64) {
    let (candidates, funds) = stack(given);
    let mut work = Work::new(allowance);
    let evaluation = evaluate(&initial(basket, rules, &mut work), &candidates, &funds, &mut work);
    (evaluation, work.spent())
}

/// The evaluation of offers `a`, `b`, … with these discounts.
fn offers(basket: &Basket, discounts: Vec<Discount>) -> Evaluation {
    let ids = "abcdefghijklmnopqrstuvwxyz";
    let given = |(index, discount): (usize, Discount)| offer(&ids[index..=index], discount);
    price(basket, &discounts.into_iter().enumerate().map(given).collect::<Vec<_>>())
}

fn amounts(evaluation: &Evaluation) -> Vec<i64> {
    evaluation.decisions.iter().map(|decision| decision.amount).collect()
}

fn outcomes(evaluation: &Evaluation) -> Vec<Outcome> {
    evaluation.decisions.iter().map(|decision| decision.outcome).collect()
}

fn inapplicable(reason: Reason) -> Outcome {
    Outcome::Inapplicable { reason }
}

fn lost_to(winner: usize) -> Outcome {
    Outcome::Skipped { lost_to: Some(winner) }
}

fn line_discounts(evaluation: &Evaluation) -> Vec<i64> {
    evaluation.lines.iter().map(|line| line.discount).collect()
}
