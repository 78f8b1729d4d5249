//! What is to be paid back: by line, shipping apart, and by means of payment. Pure.
//!
//! - After q of Q units of a line are back, half_up(paid × q / Q) of what was paid for it is back, so the sum is exact
//!   whatever the steps; so is the tax of the line where prices are without it.
//! - Shipping comes back where it is asked for, and with a cancellation.
//! - A refund is spread over the means of payment by what each of them still has in the order, largest remainder first:
//!   no gift card gets more than it paid, and in the end each has all of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::basket::TaxMode;
use tandem_kernel::money::{Money, half_up, largest_remainder};
use tandem_kernel::pricing::returned;

use super::{Refusal, Sold};

/// The most lines and gift cards that all refunds of an order name: what an order tells stays within what every client reads.
const MAX_REFUNDED_LINES: usize = 5_000;

/// Why something is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// Units came back.
    Returned,
    /// The order was cancelled.
    Cancelled,
}

/// What is paid back at once. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// When it was decided.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// For units that came back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Part>,
    /// For the shipping.
    #[serde(default)]
    pub shipping: i64,
    /// Tax of the shipping, where prices are without it.
    #[serde(default)]
    pub shipping_tax: i64,
    /// To gift cards: the place of each among the order's codes, and how much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<(usize, i64)>,
    /// All the rest.
    #[serde(default)]
    pub money: i64,
}

/// What is paid back for the units of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its index.
    pub line: usize,
    /// Units.
    pub units: i64,
    /// As prices are stated.
    pub amount: i64,
    /// Tax, where prices are without it.
    #[serde(default)]
    pub tax: i64,
}

impl Refund {
    /// All of it.
    pub fn total(&self) -> i64 {
        let lines: i64 = self.lines.iter().map(|part| part.amount + part.tax).sum();
        lines + self.shipping + self.shipping_tax
    }

    /// What one gift card gets, by its place among the codes.
    pub fn to_card(&self, code: usize) -> i64 {
        self.cards.iter().filter(|(at, _)| *at == code).map(|(_, amount)| amount).sum()
    }
}

/// How much of the shipping is to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shipping {
    /// Nothing.
    #[default]
    None,
    /// All that is left.
    Whole,
    /// So much.
    Part(Money),
}

/// What was paid for lines and shipping, and of it the tax that stands beside the prices.
#[derive(Debug)]
struct Paid {
    shipping: i64,
    /// By line, then of the shipping.
    taxes: Vec<i64>,
    /// All of it.
    due: i64,
}

impl Paid {
    fn of(sold: &Sold) -> Self {
        let shipping = shipping_paid(sold);
        let due = match (sold.tax_mode, sold.due) {
            (TaxMode::Exclusive, Some(due)) => due,
            _ => sold.total,
        };
        Self { shipping, taxes: taxes(sold, shipping, due - sold.total), due }
    }
}

/// Shares out what is due beyond the prices: by the tax that the lines state, the shipping's at their average; by the prices
/// alone where none is stated, or where less is due than they come to.
fn taxes(sold: &Sold, shipping: i64, beyond: i64) -> Vec<i64> {
    let prices = || sold.lines.iter().map(|line| line.last).chain([shipping]);
    let rates = || sold.lines.iter().map(|line| i128::from(line.last) * i128::from(line.tax_rate_ppm));
    let goods: i128 = sold.lines.iter().map(|line| i128::from(line.last)).sum();
    let stated: i128 = rates().sum();
    let weights: Vec<i128> = match stated > 0 && beyond > 0 {
        true => rates().chain([half_up(i128::from(shipping) * stated, goods.max(1))]).collect(),
        false => prices().map(i128::from).collect(),
    };
    let mut shares = largest_remainder(beyond.abs(), &weights);
    if let Some(of_shipping) = shares.last_mut()
        && weights.iter().all(|weight| *weight == 0)
    {
        // Nothing costs anything, and yet something is due: it goes where a cancellation looks last.
        *of_shipping = beyond.abs();
    }
    shares.into_iter().map(|share| share * beyond.signum()).collect()
}

/// Takes units back and decides what is paid back for them. `units` are (line, units), each line once, at most those that
/// are still out.
///
/// # Errors
/// More shipping than was paid and has not come back; an order whose refunds name too many lines already.
pub fn take_back(
    sold: &mut Sold,
    units: &[(usize, i64)],
    shipping: Shipping,
    now: Timestamp,
) -> Result<(), Refusal> {
    let tenders = sold.codes.iter().filter(|code| code.tender).count();
    let names = |lines: usize, cards: usize| lines.max(1) + cards;
    let before: usize = sold.refunds.iter().map(|refund| names(refund.lines.len(), refund.cards.len())).sum();
    if before + names(units.len(), tenders) > MAX_REFUNDED_LINES {
        let message = format!(
            "the refunds of an order name at most {MAX_REFUNDED_LINES} lines and gift cards: cancel the rest"
        );
        return Err(Refusal::Quantity(message));
    }
    let left = shipping_left(sold);
    let shipping = match shipping {
        Shipping::None => 0,
        Shipping::Whole => left,
        Shipping::Part(asked) if asked.currency != sold.currency => {
            return Err(Refusal::Shipping(format!("must be in {}", sold.currency)));
        }
        Shipping::Part(asked) if asked.minor > left => {
            let left = Money::new(left, sold.currency);
            let message = format!("{asked} of the shipping cannot come back: {left} has not yet");
            return Err(Refusal::Quantity(message));
        }
        Shipping::Part(asked) => asked.minor,
    };
    if units.is_empty() && shipping == 0 {
        let message = "no shipping is left to come back";
        return Err(Refusal::Quantity(message.to_owned()));
    }
    pay_back(sold, units, shipping, Cause::Returned, now);
    Ok(())
}

/// Takes back all that is left.
pub fn cancel(sold: &mut Sold, now: Timestamp) {
    let out = sold.lines.iter().enumerate().map(|(index, line)| (index, line.quantity - line.back));
    let units: Vec<(usize, i64)> = out.filter(|(_, units)| *units > 0).collect();
    let left = shipping_left(sold);
    pay_back(sold, &units, left, Cause::Cancelled, now);
}

/// Whether anything that was paid has not come back.
pub fn is_all_back(sold: &Sold) -> bool {
    sold.is_all_back() && shipping_left(sold) == 0
}

/// What was paid for the shipping.
fn shipping_paid(sold: &Sold) -> i64 {
    let goods: i64 = sold.lines.iter().map(|line| line.last).sum();
    (sold.total - goods).max(0)
}

fn shipping_left(sold: &Sold) -> i64 {
    shipping_paid(sold) - shipping_back(sold)
}

fn shipping_back(sold: &Sold) -> i64 {
    sold.refunds.iter().map(|refund| refund.shipping).sum()
}

fn pay_back(sold: &mut Sold, units: &[(usize, i64)], shipping: i64, cause: Cause, now: Timestamp) {
    let paid = Paid::of(sold);
    let part = |&(index, units): &(usize, i64)| {
        let line = sold.lines.get(index)?;
        let step = |all: i64| {
            // A discount beyond the prices is a tax below zero.
            let of = |back| returned(all.abs(), line.quantity, back) * all.signum();
            of(line.back + units) - of(line.back)
        };
        let tax = paid.taxes.get(index).copied().unwrap_or(0);
        Some(Part { line: index, units, amount: step(line.last), tax: step(tax) })
    };
    let lines: Vec<Part> = units.iter().filter_map(part).collect();
    let of_shipping = |back: i64| {
        let tax = paid.taxes.last().copied().unwrap_or(0);
        returned(tax.abs(), paid.shipping.max(1), back) * tax.signum()
    };
    let before = shipping_back(sold);
    let tax_before: i64 = sold.refunds.iter().map(|refund| refund.shipping_tax).sum();
    let shipping_tax = match cause {
        Cause::Returned => of_shipping(before + shipping) - of_shipping(before),
        Cause::Cancelled => paid.taxes.last().copied().unwrap_or(0) - tax_before,
    };
    let mut refund = Refund { at: now, cause, lines, shipping, shipping_tax, cards: Vec::new(), money: 0 };
    (refund.cards, refund.money) = means(sold, &paid, refund.total());
    if cause == Cause::Returned {
        for (index, units) in units {
            if let Some(line) = sold.lines.get_mut(*index) {
                line.back += units;
            }
        }
    }
    sold.refunds.push(refund);
}

/// Spreads a refund over what each means of payment still has in the order.
fn means(sold: &Sold, paid: &Paid, total: i64) -> (Vec<(usize, i64)>, i64) {
    let cards: Vec<(usize, i64)> = sold
        .codes
        .iter()
        .enumerate()
        .filter(|(_, code)| code.tender)
        .map(|(at, code)| {
            let back: i64 = sold.refunds.iter().map(|refund| refund.to_card(at)).sum();
            (at, (code.discount.amount - back).max(0))
        })
        .collect();
    let by_card: i64 = sold.codes.iter().filter(|code| code.tender).map(|code| code.discount.amount).sum();
    let money_back: i64 = sold.refunds.iter().map(|refund| refund.money).sum();
    let money = (paid.due - by_card - money_back).max(0);
    let weights: Vec<i64> = cards.iter().map(|(_, left)| *left).chain([money]).collect();
    let mut shares = largest_remainder(total, &weights);
    let money = shares.pop().unwrap_or(total);
    let cards = cards.into_iter().zip(shares).map(|((at, _), share)| (at, share));
    (cards.filter(|(_, share)| *share > 0).collect(), money)
}

#[cfg(test)]
mod tests;
