//! Money as people type and read it.

use tandem_kernel::money::{Currency, Money};
use tandem_proto::campaign::v1::ListPrice;
use tandem_proto::common::v1 as common;

use crate::failure::Failure;

/// `19.90` in `EUR`, exact: more decimals than the currency has are refused.
pub fn parse(text: &str, currency: Currency) -> Result<common::Money, Failure> {
    let bad = || Failure::said(format!("`{text}` is not an amount in {currency}: write 19.90"));
    let (units, decimals) = text.split_once('.').unwrap_or((text, ""));
    let exponent = currency.exponent() as usize;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if units.is_empty() || decimals.len() > exponent || !digits(units) || !digits(decimals) {
        return Err(bad());
    }
    let minor: i64 = format!("{units}{decimals:0<exponent$}").parse().map_err(|_| bad())?;
    Ok(from_minor(minor, currency))
}

/// `50.00 EUR`.
pub fn read(text: &str) -> Result<common::Money, String> {
    let (amount, code) =
        text.split_once(' ').ok_or_else(|| format!("`{text}` is no amount: write 50.00 EUR"))?;
    let currency = Currency::new(code).map_err(|error| error.to_string())?;
    parse(amount, currency).map_err(|error| error.to_string())
}

/// The same of either sign: `-5.00 EUR`.
pub fn read_signed(text: &str) -> Result<common::Money, String> {
    match text.strip_prefix('-') {
        None => read(text),
        Some(amount) => read(amount).map(|money| negative(&money)),
    }
}

/// A list price: `12.50 EUR`, or of a place `DE=12.00 EUR`.
pub fn read_price(text: &str) -> Result<ListPrice, String> {
    let (place, amount) = text.split_once('=').unwrap_or(("", text));
    Ok(ListPrice { place: place.trim().to_owned(), price: Some(read(amount.trim())?) })
}

/// The same, to be read again.
pub fn show_price(price: &ListPrice) -> String {
    let amount = show(price.price.as_ref());
    if price.place.is_empty() { amount } else { format!("{}={amount}", price.place) }
}

/// As much below nothing.
pub fn negative(money: &common::Money) -> common::Money {
    common::Money {
        currency_code: money.currency_code.clone(),
        units: money.units.saturating_neg(),
        nanos: money.nanos.saturating_neg(),
    }
}

/// Minor units as the contracts write them.
pub fn from_minor(minor: i64, currency: Currency) -> common::Money {
    let (units, nanos) = Money::new(minor, currency).to_units_nanos();
    common::Money { currency_code: currency.code().to_owned(), units, nanos }
}

/// Minor units of an amount; absent is nothing.
pub fn minor(money: Option<&common::Money>) -> i64 {
    money.and_then(kernel).map_or(0, |money| money.minor)
}

/// `19.90 EUR`; absent is `-`.
pub fn show(money: Option<&common::Money>) -> String {
    money.and_then(kernel).map_or_else(|| "-".to_owned(), |money| money.to_string())
}

fn kernel(money: &common::Money) -> Option<Money> {
    let currency = Currency::new(&money.currency_code).ok()?;
    Money::from_units_nanos(currency, money.units, money.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        let eur = Currency::new("EUR").unwrap();
        assert_eq!(show(Some(&parse("19.9", eur).unwrap())), "19.90 EUR");
        assert_eq!(show(Some(&parse("7", Currency::new("JPY").unwrap()).unwrap())), "7 JPY");
        for price in ["12.50 EUR", "DE/shops/web=7 JPY"] {
            assert_eq!(show_price(&read_price(price).unwrap()), price);
        }
        for wrong in ["", ".5", "1.999", "-1", "1,50", "1e3", "99999999999999999999"] {
            assert!(parse(wrong, eur).is_err(), "{wrong}");
        }
    }
}
