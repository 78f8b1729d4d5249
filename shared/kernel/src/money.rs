//! Money: whole minor units of an ISO 4217 currency. No floats, no silent rounding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency with a minor unit: `EUR`, `JPY`, `KWD`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Why a text or an amount is not money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency of ISO 4217 that people pay with.
    #[error("`{0}` is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// More decimals than the currency has.
    #[error("{currency} has {exponent} decimals, the amount has more")]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// Its number of decimals.
        exponent: u32,
    },
    /// Units and nanos of different sign, or nanos out of range.
    #[error("nanos must be within ±999,999,999 and have the sign of units")]
    BadNanos,
    /// Does not fit 64 bits of minor units.
    #[error("the amount does not fit 64 bits of minor units")]
    Overflow,
}

impl Currency {
    /// The currency of an ISO 4217 code in capital letters.
    pub fn new(code: &str) -> Result<Self, MoneyError> {
        let unknown = || MoneyError::UnknownCurrency(code.chars().take(8).collect());
        let bytes: [u8; 3] = code.as_bytes().try_into().map_err(|_| unknown())?;
        let known = iso_currency::Currency::from_code(code).ok_or_else(unknown)?;
        known.exponent().ok_or_else(unknown)?;
        Ok(Self(bytes))
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimals of the minor unit: JPY 0, EUR 2, KWD 3.
    pub fn exponent(self) -> u32 {
        match &self.0 {
            b"EUR" | b"USD" | b"GBP" | b"CHF" => 2,
            _ => iso_currency::Currency::from_code(self.code())
                .and_then(|known| known.exponent())
                .map_or(2, u32::from),
        }
    }

    /// Minor units in one unit: 1, 100, 1,000.
    pub fn minor_per_unit(self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::new(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Self::new(code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: 1234 for 12.34 EUR.
    pub minor: i64,
    /// Their currency.
    pub currency: Currency,
}

const NANOS_PER_UNIT: i64 = 1_000_000_000;

impl Money {
    /// `minor` minor units of `currency`.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// From whole units and billionths, as google.type.Money writes them.
    pub fn from_units_nanos(currency: Currency, units: i64, nanos: i32) -> Result<Self, MoneyError> {
        let nanos = i64::from(nanos);
        if nanos.abs() >= NANOS_PER_UNIT || (units > 0 && nanos < 0) || (units < 0 && nanos > 0) {
            return Err(MoneyError::BadNanos);
        }
        let nanos_per_minor = NANOS_PER_UNIT / currency.minor_per_unit();
        if nanos % nanos_per_minor != 0 {
            return Err(MoneyError::TooPrecise { currency, exponent: currency.exponent() });
        }
        units
            .checked_mul(currency.minor_per_unit())
            .and_then(|minor| minor.checked_add(nanos / nanos_per_minor))
            .map(|minor| Self { minor, currency })
            .ok_or(MoneyError::Overflow)
    }

    /// To whole units and billionths.
    pub fn to_units_nanos(self) -> (i64, i32) {
        let per_unit = self.currency.minor_per_unit();
        let nanos = (self.minor % per_unit) * (NANOS_PER_UNIT / per_unit);
        (self.minor / per_unit, i32::try_from(nanos).unwrap_or(0))
    }
}

impl fmt::Display for Money {
    /// `12.34 EUR`, `-0.05 EUR`, `500 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_unit = self.currency.minor_per_unit().unsigned_abs();
        let sign = if self.minor < 0 { "-" } else { "" };
        let (units, rest) = (self.minor.unsigned_abs() / per_unit, self.minor.unsigned_abs() % per_unit);
        match self.currency.exponent() {
            0 => write!(f, "{sign}{units} {}", self.currency),
            width => write!(f, "{sign}{units}.{rest:0width$} {}", self.currency, width = width as usize),
        }
    }
}

/// One amount per currency: thresholds, caps, prices. A currency that is missing makes the rule inapplicable in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amounts(Vec<Money>);

impl Amounts {
    /// Each currency at most once; sorted by currency. `None` where a currency repeats.
    pub fn new(mut amounts: Vec<Money>) -> Option<Self> {
        amounts.sort_by_key(|money| money.currency);
        let unique = amounts.windows(2).all(|pair| pair[0].currency != pair[1].currency);
        unique.then_some(Self(amounts))
    }

    /// The amount in `currency`, in minor units.
    pub fn get(&self, currency: Currency) -> Option<i64> {
        self.0.iter().find(|money| money.currency == currency).map(|money| money.minor)
    }

    /// No currency at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorted by currency.
    pub fn iter(&self) -> impl Iterator<Item = &Money> {
        self.0.iter()
    }
}

/// `round_half_up(numerator / denominator)` for a non-negative fraction.
pub fn half_up(numerator: i128, denominator: i128) -> i128 {
    (2 * numerator + denominator).div_euclid(2 * denominator)
}

/// Splits `total` over `weights` so that the parts sum to it exactly: floors first, then one minor unit each to the
/// largest remainders, ties to the earlier one (Hamilton's method). Zero weights receive nothing; all weights zero
/// gives all zeros. `total` times a weight fits 128 bits.
pub fn largest_remainder<W: Copy + Into<i128>>(total: i64, weights: &[W]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| (*weight).into()).sum();
    if sum <= 0 || total <= 0 {
        return vec![0; weights.len()];
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given = 0_i64;
    for (index, weight) in weights.iter().enumerate() {
        let product = i128::from(total) * (*weight).into();
        let part = i64::try_from(product / sum).unwrap_or(i64::MAX);
        given += part;
        parts.push(part);
        remainders.push((std::cmp::Reverse(product % sum), index));
    }
    remainders.sort_unstable();
    let missing = usize::try_from(total - given).unwrap_or(0);
    for (_, index) in remainders.into_iter().take(missing) {
        parts[index] += 1;
    }
    parts
}
