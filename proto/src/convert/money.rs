//! Amounts of money.

use tandem_kernel::basket::MAX_AMOUNT_MINOR;
use tandem_kernel::money::{Amounts, Currency, Money, MoneyError};
use tandem_kernel::problem::Problem;

use super::{join, refuse};
use crate::common::v1;

/// More amounts than there are currencies are not read.
const MAX_AMOUNTS: usize = 200;

/// A currency code at `at`.
pub fn currency(at: &str, code: &str, problems: &mut Vec<Problem>) -> Option<Currency> {
    match Currency::new(code) {
        Ok(currency) => Some(currency),
        Err(error) => {
            refuse(problems, at, "", error.to_string());
            None
        }
    }
}

/// The currency that a caller means whose code is refused for its small letters: what else is said in another one is wrong
/// too.
pub fn meant_currency(code: &str) -> Option<Currency> {
    Currency::new(&code.to_ascii_uppercase()).ok()
}

/// An exact amount of any sign.
pub fn money(at: &str, money: &v1::Money, problems: &mut Vec<Problem>) -> Option<Money> {
    let known = currency(&join(at, "currency_code"), &money.currency_code, problems);
    // What is wrong in any currency is told beside one that there is not.
    let currency = known.or_else(|| Currency::new("EUR").ok())?;
    match Money::from_units_nanos(currency, money.units, money.nanos) {
        Ok(money) => known.map(|_| money),
        Err(error) if known.is_none() && error != MoneyError::BadNanos => None,
        Err(error) => {
            let field = match error {
                MoneyError::Overflow => "units",
                MoneyError::UnknownCurrency(_) => "currency_code",
                MoneyError::BadNanos | MoneyError::TooPrecise { .. } => "nanos",
            };
            refuse(problems, at, field, error.to_string());
            None
        }
    }
}

/// Minor units of an amount that must be in `expected`, where that is known, and within 0 to [`MAX_AMOUNT_MINOR`].
pub fn amount(
    at: &str,
    given: &v1::Money,
    expected: impl Into<Option<Currency>>,
    problems: &mut Vec<Problem>,
) -> Option<i64> {
    let before = problems.len();
    let given = money(at, given, problems)?;
    if let Some(expected) = expected.into().filter(|expected| *expected != given.currency) {
        let message = format!("must be {expected} as everywhere in it, is {}", given.currency);
        refuse(problems, at, "currency_code", message);
    }
    if !(0..=MAX_AMOUNT_MINOR).contains(&given.minor) {
        refuse(problems, at, "", format!("must be 0 to {MAX_AMOUNT_MINOR} minor units, is {}", given.minor));
    }
    (problems.len() == before).then_some(given.minor)
}

/// One amount per currency, each from `least` minor units to [`MAX_AMOUNT_MINOR`]; may be empty.
pub fn amounts(at: &str, given: &[v1::Money], least: i64, problems: &mut Vec<Problem>) -> Option<Amounts> {
    let before = problems.len();
    if given.len() > MAX_AMOUNTS {
        refuse(problems, at, "", format!("holds {} amounts, the limit is {MAX_AMOUNTS}", given.len()));
    }
    let mut read: Vec<Money> = Vec::with_capacity(given.len().min(MAX_AMOUNTS));
    for (index, one) in given.iter().take(MAX_AMOUNTS).enumerate() {
        let at = format!("{at}[{index}]");
        let Some(money) = money(&at, one, problems) else { continue };
        if !(least..=MAX_AMOUNT_MINOR).contains(&money.minor) {
            let message = format!("must be {least} to {MAX_AMOUNT_MINOR} minor units, is {}", money.minor);
            refuse(problems, &at, "", message);
        }
        if read.iter().any(|other| other.currency == money.currency) {
            refuse(problems, &at, "currency_code", format!("{} stands here twice", money.currency));
        }
        read.push(money);
    }
    if problems.len() > before { None } else { Amounts::new(read) }
}

impl From<&Money> for v1::Money {
    fn from(money: &Money) -> Self {
        let (units, nanos) = money.to_units_nanos();
        Self { currency_code: money.currency.code().to_owned(), units, nanos }
    }
}

impl From<Money> for v1::Money {
    fn from(money: Money) -> Self {
        Self::from(&money)
    }
}

impl From<&Amounts> for v1::MoneyList {
    fn from(amounts: &Amounts) -> Self {
        Self { amounts: listed(amounts) }
    }
}

/// One message per currency.
pub(super) fn listed(amounts: &Amounts) -> Vec<v1::Money> {
    amounts.iter().map(v1::Money::from).collect()
}
