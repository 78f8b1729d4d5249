//! What is wrong with a definition, all of it at once. Fields are named as in the contract (`discount.proto`).

use super::{
    AmountPer, BundlePart, Discount, GroupPolicy, Kind, MAX_BUNDLE_PARTS, PricePer, Scope, ShippingBenefit,
    Stage, Tier, TierBenefit, WHOLE_PPM,
};
use crate::basket::MAX_AMOUNT_MINOR;
use crate::money::Amounts;
use crate::problem::Problem;

const MAX_SCOPE_PRODUCTS: usize = 1_000;
const MAX_SCOPE_CATEGORIES: usize = 100;
const MAX_SET_UNITS: i64 = 1_000;
const MAX_TIERS: usize = 20;
const MAX_GROUP: i32 = 1_000;
const MAX_PRIORITY: i32 = 1_000_000;

impl Discount {
    /// Every violation of a range, and every setting that its kind or stage cannot have. CEL conditions are compiled
    /// by [`crate::pricing::Compiled::new`], which reports these problems too.
    pub fn problems(&self) -> Vec<Problem> {
        let mut check = Check(Vec::new());
        self.kind.check(&mut check);
        self.scope.check("scope", &mut check);
        self.check_stage(&mut check);
        check.within("group", self.group.into(), 0, MAX_GROUP.into());
        check.within("priority", self.priority.into(), 0, MAX_PRIORITY.into());
        check.amounts("minimum_spend", &self.minimum_spend, 0, true);
        check.amounts("max_discount", &self.max_discount, 1, true);
        check.within("margin_floor_ppm", self.margin_floor_ppm.into(), 0, i64::from(WHOLE_PPM) - 1);
        check.0
    }

    fn check_stage(&self, check: &mut Check) {
        let message = match (&self.kind, self.stage) {
            (Kind::Shipping { .. }, Stage::Shipping) | (Kind::GiftCard { .. }, Stage::Tender) => "",
            (Kind::Shipping { .. }, _) => "must be SHIPPING for a discount on shipping",
            (Kind::GiftCard { .. }, _) => "must be TENDER for a gift card",
            (_, Stage::Line | Stage::Order) => "",
            _ => "must be LINE or ORDER for a discount on goods",
        };
        check.unless(message.is_empty(), "stage", message);
        if !self.kind.reduces_goods() {
            check.unless(self.margin_floor_ppm == 0, "margin_floor_ppm", "only for discounts on goods");
        }
        if matches!(self.kind, Kind::GiftCard { .. }) {
            check.unless(self.scope.is_everything(), "scope", "a gift card pays for the whole order");
            check.unless(!self.exclusive, "exclusive", "stacking does not concern gift cards");
            check.unless(!self.stop, "stop", "stacking does not concern gift cards");
            check.unless(
                self.group_policy == GroupPolicy::Stack,
                "group_policy",
                "must be STACK for a gift card",
            );
        }
    }
}

impl Kind {
    /// Takes something off lines, rather than off the shipping or the amount due.
    pub fn reduces_goods(&self) -> bool {
        !matches!(self, Self::Shipping { .. } | Self::GiftCard { .. })
    }

    fn check(&self, check: &mut Check) {
        match self {
            Self::Percent { rate_ppm } => check.rate("percent.rate_ppm", *rate_ppm),
            Self::Amount { amounts, per: AmountPer::Order | AmountPer::Unit } => {
                check.amounts("amount.amounts", amounts, 1, false);
            }
            Self::FixedPrice { prices, per } => {
                check.amounts("fixed_price.prices", prices, 0, false);
                if let PricePer::Set(units) = per {
                    check.within("fixed_price.set_quantity", *units, 2, MAX_SET_UNITS);
                }
            }
            Self::Tiered { tiers } => check_tiers(tiers, check),
            Self::BuyXGetY { buy_quantity, get_quantity, get_scope, rate_ppm, choice: _, max_sets } => {
                check.within("buy_x_get_y.buy_quantity", *buy_quantity, 1, MAX_SET_UNITS);
                check.within("buy_x_get_y.get_quantity", *get_quantity, 1, MAX_SET_UNITS);
                if let Some(scope) = get_scope {
                    scope.check("buy_x_get_y.get_scope", check);
                }
                check.rate("buy_x_get_y.rate_ppm", *rate_ppm);
                check.max_sets("buy_x_get_y.max_sets", *max_sets);
            }
            Self::Bundle { parts, prices, max_sets } => {
                check_parts(parts, check);
                check.amounts("bundle.prices", prices, 0, false);
                check.max_sets("bundle.max_sets", *max_sets);
            }
            Self::Shipping { benefit } => match benefit {
                ShippingBenefit::Free => {}
                ShippingBenefit::Rate(rate_ppm) => check.rate("shipping.rate_ppm", *rate_ppm),
                ShippingBenefit::Amount(amounts) => check.amounts("shipping.amounts", amounts, 1, false),
            },
            Self::GiftCard { max_per_order } => {
                check.amounts("gift_card.max_per_order", max_per_order, 1, true);
            }
        }
    }
}

impl Scope {
    /// Every violation of a limit, but for the condition, which is compiled elsewhere.
    pub fn problems(&self) -> Vec<Problem> {
        let mut check = Check(Vec::new());
        self.check("", &mut check);
        check.0
    }

    fn check(&self, path: &str, check: &mut Check) {
        for (name, list, most) in [
            ("products", &self.products, MAX_SCOPE_PRODUCTS),
            ("categories", &self.categories, MAX_SCOPE_CATEGORIES),
            ("excluded_products", &self.excluded_products, MAX_SCOPE_PRODUCTS),
            ("excluded_categories", &self.excluded_categories, MAX_SCOPE_CATEGORIES),
        ] {
            let field = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if list.len() > most {
                check.refuse(&field, format!("must hold at most {most} entries, holds {}", list.len()));
            }
            for (index, entry) in list.iter().take(most).enumerate() {
                check.unless(!entry.is_empty(), &format!("{field}[{index}]"), "must not be empty");
            }
        }
    }
}

/// Every tier speaks of the same currencies, and in each of them the thresholds ascend: otherwise "the highest
/// threshold reached" would mean different tiers in different currencies.
fn check_tiers(tiers: &[Tier], check: &mut Check) {
    if tiers.is_empty() || tiers.len() > MAX_TIERS {
        check.refuse("tiered.tiers", format!("must hold 1 to {MAX_TIERS} tiers, holds {}", tiers.len()));
    }
    for (index, tier) in tiers.iter().take(MAX_TIERS).enumerate() {
        let path = format!("tiered.tiers[{index}]");
        check.amounts(&format!("{path}.thresholds"), &tier.thresholds, 0, false);
        match &tier.benefit {
            TierBenefit::Rate(rate_ppm) => check.rate(&format!("{path}.rate_ppm"), *rate_ppm),
            TierBenefit::Amount(amounts) => check.amounts(&format!("{path}.amounts"), amounts, 1, false),
        }
        let Some(before) = index.checked_sub(1).and_then(|before| tiers.get(before)) else { continue };
        let same =
            tier.thresholds.iter().map(|m| m.currency).eq(before.thresholds.iter().map(|m| m.currency));
        let above =
            tier.thresholds.iter().zip(before.thresholds.iter()).all(|(now, then)| now.minor > then.minor);
        check.unless(
            same && above,
            &format!("{path}.thresholds"),
            "must have the currencies of the tier before, each above its threshold",
        );
    }
}

fn check_parts(parts: &[BundlePart], check: &mut Check) {
    if !(2..=MAX_BUNDLE_PARTS).contains(&parts.len()) {
        check.refuse(
            "bundle.parts",
            format!("must hold 2 to {MAX_BUNDLE_PARTS} parts, holds {}", parts.len()),
        );
    }
    for (index, part) in parts.iter().take(MAX_BUNDLE_PARTS).enumerate() {
        part.scope.check(&format!("bundle.parts[{index}].scope"), check);
        check.within(&format!("bundle.parts[{index}].quantity"), part.quantity, 1, MAX_SET_UNITS);
    }
}

/// Collects.
pub(crate) struct Check(pub(crate) Vec<Problem>);

impl Check {
    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Problem::new(field, message));
    }

    fn unless(&mut self, right: bool, field: &str, message: &str) {
        if !right {
            self.refuse(field, message);
        }
    }

    fn within(&mut self, field: &str, value: i64, least: i64, most: i64) {
        if !(least..=most).contains(&value) {
            self.refuse(field, format!("must be {least} to {most}, is {value}"));
        }
    }

    /// A share of something: above nothing, up to the whole.
    pub(crate) fn rate(&mut self, field: &str, rate_ppm: i32) {
        self.within(field, rate_ppm.into(), 1, WHOLE_PPM.into());
    }

    fn max_sets(&mut self, field: &str, max_sets: Option<i64>) {
        if let Some(sets) = max_sets {
            self.within(field, sets, 1, i64::MAX);
        }
    }

    /// Each amount from `least` minor units up to what a basket may be worth.
    pub(crate) fn amounts(&mut self, field: &str, amounts: &Amounts, least: i64, may_be_empty: bool) {
        self.unless(may_be_empty || !amounts.is_empty(), field, "must name at least one currency");
        for (index, money) in amounts.iter().enumerate() {
            if !(least..=MAX_AMOUNT_MINOR).contains(&money.minor) {
                let message =
                    format!("must be {least} to {MAX_AMOUNT_MINOR} minor units, is {}", money.minor);
                self.refuse(&format!("{field}[{index}]"), message);
            }
        }
    }
}
