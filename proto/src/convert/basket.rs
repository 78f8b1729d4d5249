//! The basket.

use std::collections::BTreeMap;

use tandem_kernel::basket::{Basket, Line, MAX_LINES, TaxMode};
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::problem::Problem;
use tandem_kernel::text;

use super::{add_unless_known, amount, currency, id_in, join, known_enum, meant_currency, refuse};
use crate::common::v1;

/// A basket as the caller gave it: a line may lack what the catalogue knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Of every amount in it.
    pub currency: Currency,
    /// In the caller's order.
    pub lines: Vec<DraftLine>,
    /// Whether prices contain tax.
    pub tax_mode: TaxMode,
    /// Shipping before any discount, in minor units.
    pub shipping: i64,
    /// What gift cards may pay where prices are without tax.
    pub amount_due: Option<i64>,
    /// Facts for rules.
    pub attributes: BTreeMap<String, String>,
}

/// One line of a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// The checkout's own id.
    pub id: String,
    /// The product's id.
    pub product: String,
    /// Units.
    pub quantity: i64,
    /// Price of one unit in minor units; absent: the product's.
    pub unit_price: Option<i64>,
    /// Cost of one unit in minor units; absent: the product's, where known.
    pub unit_cost: Option<i64>,
    /// Tax in parts per million; absent: the product's.
    pub tax_rate_ppm: Option<i32>,
    /// Sorted, each once; empty: the product's.
    pub categories: Vec<String>,
    /// Facts for rules.
    pub attributes: BTreeMap<String, String>,
}

impl Draft {
    /// The basket, after `resolve` has filled in what the catalogue knows of each line. A line still without a price is
    /// a violation, as is everything the kernel refuses.
    pub fn complete(
        mut self,
        at: &str,
        mut resolve: impl FnMut(&mut DraftLine),
        problems: &mut Vec<Problem>,
    ) -> Option<Basket> {
        let before = problems.len();
        for (index, line) in self.lines.iter_mut().enumerate() {
            resolve(line);
            if line.unit_price.is_none() {
                let message =
                    "is required: no price is known for this product at this place and in this currency";
                refuse(problems, at, &format!("lines[{index}].unit_price"), message);
            }
        }
        let basket = self.with_prices();
        add_unless_known(problems, before, at, basket.problems());
        (problems.len() == before).then_some(basket)
    }

    /// With nothing where no price is known.
    fn with_prices(self) -> Basket {
        Basket {
            currency: self.currency,
            lines: self.lines.into_iter().map(DraftLine::with_price).collect(),
            tax_mode: self.tax_mode,
            shipping: self.shipping,
            amount_due: self.amount_due,
            attributes: self.attributes,
        }
    }
}

impl DraftLine {
    fn with_price(mut self) -> Line {
        self.categories.sort_unstable();
        self.categories.dedup();
        Line {
            id: self.id,
            product: self.product,
            quantity: self.quantity,
            unit_price: self.unit_price.unwrap_or(0),
            unit_cost: self.unit_cost,
            tax_rate_ppm: self.tax_rate_ppm.unwrap_or(0),
            categories: self.categories,
            attributes: self.attributes,
        }
    }
}

/// A basket whose lines all carry their price.
pub fn basket(at: &str, given: &v1::Basket, problems: &mut Vec<Problem>) -> Option<Basket> {
    let before = problems.len();
    for (index, line) in given.lines.iter().take(MAX_LINES).enumerate() {
        if line.unit_price.is_none() {
            refuse(problems, at, &format!("lines[{index}].unit_price"), "is required");
        }
    }
    let draft = draft(at, given, problems)?;
    (problems.len() == before).then(|| draft.with_prices())
}

/// A basket whose lines may lack their price. All that can be judged without it is judged here.
pub fn draft(at: &str, given: &v1::Basket, problems: &mut Vec<Problem>) -> Option<Draft> {
    let before = problems.len();
    let known = currency(&join(at, "currency_code"), &given.currency_code, problems);
    // What can be told of amounts without it is told.
    let currency = known.or_else(|| meant_currency(&given.currency_code));
    let shipping = optional_amount(&join(at, "shipping"), given.shipping.as_ref(), currency, problems);
    let amount_due = optional_amount(&join(at, "amount_due"), given.amount_due.as_ref(), currency, problems);
    let lines: Vec<DraftLine> = given
        .lines
        .iter()
        .take(MAX_LINES)
        .enumerate()
        .map(|(index, one)| line(&join(at, &format!("lines[{index}]")), one, currency, problems))
        .collect();
    let mut attributes = given.attributes.clone();
    text::compose_map(&mut attributes);
    let draft = Draft {
        currency: currency.or_else(|| Currency::new("EUR").ok())?,
        lines,
        tax_mode: tax_mode(&join(at, "tax_mode"), given.tax_mode, problems).unwrap_or_default(),
        shipping: shipping.unwrap_or(0),
        amount_due,
        attributes,
    };
    let mut found = draft.clone().with_prices().problems();
    if given.lines.len() > MAX_LINES {
        found.push(Problem::new(
            "lines",
            format!("must hold 1 to {MAX_LINES} lines, holds {}", given.lines.len()),
        ));
    }
    add_unless_known(problems, before, at, found);
    (problems.len() == before).then_some(draft)
}

fn line(at: &str, given: &v1::Line, currency: Option<Currency>, problems: &mut Vec<Problem>) -> DraftLine {
    let (mut categories, mut attributes) = (given.categories.clone(), given.attributes.clone());
    text::compose_all(&mut categories);
    text::compose_map(&mut attributes);
    categories.sort_unstable();
    categories.dedup();
    DraftLine {
        id: given.id.clone(),
        product: id_in(&join(at, "product"), "products", &given.product, problems).unwrap_or_default(),
        quantity: given.quantity,
        unit_price: optional_amount(&join(at, "unit_price"), given.unit_price.as_ref(), currency, problems),
        unit_cost: optional_amount(&join(at, "unit_cost"), given.unit_cost.as_ref(), currency, problems),
        tax_rate_ppm: given.tax_rate_ppm,
        categories,
        attributes,
    }
}

fn optional_amount(
    at: &str,
    given: Option<&v1::Money>,
    currency: Option<Currency>,
    problems: &mut Vec<Problem>,
) -> Option<i64> {
    given.and_then(|given| amount(at, given, currency, problems))
}

/// Whether prices contain tax; they do where the contract leaves it open.
pub fn tax_mode(at: &str, given: i32, problems: &mut Vec<Problem>) -> Option<TaxMode> {
    Some(match known_enum(at, "", given, problems)? {
        v1::TaxMode::Unspecified | v1::TaxMode::Inclusive => TaxMode::Inclusive,
        v1::TaxMode::Exclusive => TaxMode::Exclusive,
    })
}

impl From<TaxMode> for v1::TaxMode {
    fn from(mode: TaxMode) -> Self {
        match mode {
            TaxMode::Inclusive => Self::Inclusive,
            TaxMode::Exclusive => Self::Exclusive,
        }
    }
}

impl From<&Basket> for v1::Basket {
    fn from(basket: &Basket) -> Self {
        let money = |minor| v1::Money::from(Money::new(minor, basket.currency));
        let line = |line: &Line| v1::Line {
            id: line.id.clone(),
            product: tandem_kernel::id::name("products", &line.product),
            quantity: line.quantity,
            unit_price: Some(money(line.unit_price)),
            unit_cost: line.unit_cost.map(money),
            tax_rate_ppm: Some(line.tax_rate_ppm),
            categories: line.categories.clone(),
            attributes: line.attributes.clone(),
        };
        Self {
            currency_code: basket.currency.code().to_owned(),
            lines: basket.lines.iter().map(line).collect(),
            tax_mode: v1::TaxMode::from(basket.tax_mode).into(),
            shipping: Some(money(basket.shipping)),
            amount_due: basket.amount_due.map(money),
            attributes: basket.attributes.clone(),
        }
    }
}
