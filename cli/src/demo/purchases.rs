//! The purchases of a real shop: the published sample of the CDNOW log, as baskets.

use std::collections::BTreeMap;

use tandem_kernel::money::Currency;
use tandem_proto::common::v1::{Basket, Line};

use crate::failure::Failure;
use crate::money;

const LOG: &str = include_str!("../../../tests/data/cdnow/purchases.txt");

/// The product every purchase is of: the log says how many CDs, not which.
pub const PRODUCT: &str = "products/cd";

/// One purchase: so many CDs for so much in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// Place in the log, from 1.
    pub number: usize,
    /// The customer's id in the sample.
    pub customer: String,
    /// YYYYMMDD.
    pub date: u32,
    /// CDs.
    pub quantity: i64,
    /// US cents in all.
    pub cents: i64,
}

/// Every purchase of the log in the order of their dates.
pub fn read() -> Result<Vec<Purchase>, Failure> {
    let mut purchases = LOG.lines().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
    purchases.sort_by_key(|purchase| (purchase.date, purchase.number));
    Ok(purchases)
}

fn parse((index, row): (usize, &str)) -> Result<Purchase, Failure> {
    let wrong = || Failure::said(format!("row {} of the purchase log cannot be read: {row}", index + 1));
    let columns: Vec<&str> = row.split_whitespace().collect();
    let [_, customer, date, quantity, dollars] = columns[..] else { return Err(wrong()) };
    let (whole, cents) = dollars.split_once('.').ok_or_else(wrong)?;
    let cents: i64 = format!("{whole}{cents:0<2}").parse().map_err(|_| wrong())?;
    Ok(Purchase {
        number: index + 1,
        customer: customer.to_owned(),
        date: date.parse().map_err(|_| wrong())?,
        quantity: quantity.parse().map_err(|_| wrong())?,
        cents,
    })
}

impl Purchase {
    /// Who buys.
    pub fn customer_name(&self) -> String {
        format!("customers/{}", self.customer)
    }

    /// The checkout's id of the order.
    pub fn order_id(&self) -> String {
        format!("cdnow-{}", self.number)
    }

    /// The purchase as a basket. The log has only the sum; a sum that does not divide becomes two lines a cent apart.
    pub fn basket(&self, currency: Currency) -> Basket {
        let (each, dearer) = (self.cents / self.quantity, self.cents % self.quantity);
        let lines = [("dearer", dearer, each + 1), ("even", self.quantity - dearer, each)]
            .into_iter()
            .filter(|(_, quantity, _)| *quantity > 0)
            .map(|(id, quantity, price)| Line {
                id: id.to_owned(),
                product: PRODUCT.to_owned(),
                quantity,
                unit_price: Some(money::from_minor(price, currency)),
                ..Line::default()
            })
            .collect();
        Basket { currency_code: currency.code().to_owned(), lines, ..Basket::default() }
    }
}

/// What the shop knows of a customer after the first purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquaintance {
    /// YYYYMMDD of the first purchase.
    pub first_date: u32,
    /// CDs in the first purchase.
    pub first_quantity: i64,
}

/// Every customer by id, as known after the first purchase.
pub fn customers(purchases: &[Purchase]) -> BTreeMap<String, Acquaintance> {
    let mut known = BTreeMap::new();
    for purchase in purchases {
        known
            .entry(purchase.customer.clone())
            .or_insert(Acquaintance { first_date: purchase.date, first_quantity: purchase.quantity });
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_the_published_sample() {
        let purchases = read().unwrap();
        assert_eq!(purchases.len(), 6_919);
        assert_eq!(customers(&purchases).len(), 2_357);
    }

    #[test]
    fn a_basket_is_worth_what_was_paid() {
        let usd = Currency::new("USD").unwrap();
        for purchase in read().unwrap() {
            let basket = purchase.basket(usd);
            let paid: i64 =
                basket.lines.iter().map(|line| line.quantity * money::minor(line.unit_price.as_ref())).sum();
            let units: i64 = basket.lines.iter().map(|line| line.quantity).sum();
            assert_eq!((paid, units), (purchase.cents, purchase.quantity), "{purchase:?}");
        }
    }
}
