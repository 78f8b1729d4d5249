//! The margin floor of a line.

use crate::basket::{MergedLine, TaxMode};
use crate::discount::WHOLE_PPM;

/// What a line must keep: `quantity × ceil(unit cost ÷ (1 − margin))`, with the tax where prices contain it. No cost,
/// no floor but zero.
pub(super) fn floor(line: &MergedLine<'_>, margin_ppm: i32, tax_mode: TaxMode) -> i128 {
    let whole = i128::from(WHOLE_PPM);
    let Some(cost) = line.unit_cost else { return 0 };
    let unit = ceil(i128::from(cost) * whole, whole - i128::from(margin_ppm));
    let net = unit * i128::from(line.quantity);
    match tax_mode {
        TaxMode::Inclusive => ceil(net * (whole + i128::from(line.tax_rate_ppm)), whole),
        TaxMode::Exclusive => net,
    }
}

fn ceil(numerator: i128, denominator: i128) -> i128 {
    (numerator + denominator - 1).div_euclid(denominator.max(1))
}
