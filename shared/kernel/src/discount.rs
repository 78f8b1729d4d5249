//! What an offer or an incentive takes off a basket: kinds, scope, and how discounts meet. Values only; the evaluation
//! is [`crate::pricing`].

use serde::{Deserialize, Serialize};

use crate::money::Amounts;

pub(crate) mod problems;

/// One, in parts per million: the whole of something.
pub const WHOLE_PPM: i32 = 1_000_000;

/// Parts of a bundle.
pub const MAX_BUNDLE_PARTS: usize = 20;

/// A discount as it is defined, before any basket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// What it gives.
    pub kind: Kind,
    /// The goods it counts and reduces.
    #[serde(default, skip_serializing_if = "Scope::is_everything")]
    pub scope: Scope,
    /// Where it stands in the evaluation.
    pub stage: Stage,
    /// What a rate is computed on.
    #[serde(default)]
    pub base: Base,
    /// Stacking group within the stage, ascending.
    #[serde(default)]
    pub group: i32,
    /// How the members of the group meet. Part of the group's identity.
    #[serde(default)]
    pub group_policy: GroupPolicy,
    /// Ascending within the group.
    #[serde(default)]
    pub priority: i32,
    /// Never together with any other discount.
    #[serde(default)]
    pub exclusive: bool,
    /// Ends the evaluation after it has had an effect.
    #[serde(default)]
    pub stop: bool,
    /// Eligible goods must be worth at least this.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub minimum_spend: Amounts,
    /// At which amounts `minimum_spend` and the thresholds of tiers look.
    #[serde(default, skip_serializing_if = "Base::is_default")]
    pub minimum_spend_base: Base,
    /// The most it takes off one order.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub max_discount: Amounts,
    /// Lines keep at least this margin on their cost; 0 is no floor but zero.
    #[serde(default)]
    pub margin_floor_ppm: i32,
}

/// What a discount gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A share of the eligible goods.
    Percent {
        /// Parts per million.
        rate_ppm: i32,
    },
    /// A fixed amount off.
    Amount {
        /// One per currency.
        amounts: Amounts,
        /// Per order or per unit.
        per: AmountPer,
    },
    /// A price instead of the current one; never raises.
    FixedPrice {
        /// One per currency.
        prices: Amounts,
        /// Per unit or per set.
        per: PricePer,
    },
    /// The highest threshold reached decides, on the whole base.
    Tiered {
        /// Ascending.
        tiers: Vec<Tier>,
    },
    /// Buy X get Y.
    BuyXGetY {
        /// X.
        buy_quantity: i64,
        /// Y.
        get_quantity: i64,
        /// The goods given; the discount's own scope where absent.
        get_scope: Option<Scope>,
        /// Off the get-units.
        rate_ppm: i32,
        /// Which get-units.
        choice: UnitChoice,
        /// At most this many sets.
        max_sets: Option<i64>,
    },
    /// A set of products at a price.
    Bundle {
        /// Every part is needed.
        parts: Vec<BundlePart>,
        /// Price of one set, one per currency.
        prices: Amounts,
        /// At most this many sets.
        max_sets: Option<i64>,
    },
    /// Something off the shipping.
    Shipping {
        /// What.
        benefit: ShippingBenefit,
    },
    /// Pays rather than reduces.
    GiftCard {
        /// The most one order may take from it; empty is the whole balance.
        max_per_order: Amounts,
    },
}

/// What a fixed amount is counted per.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AmountPer {
    /// Once per order.
    #[default]
    Order,
    /// Each eligible unit.
    Unit,
}

/// What a fixed price is counted per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PricePer {
    /// Each eligible unit.
    Unit,
    /// Each full set of so many units, the dearest first.
    Set(i64),
}

/// One step of a tiered discount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// Eligible goods worth at least this, one per currency.
    pub thresholds: Amounts,
    /// What it gives.
    pub benefit: TierBenefit,
}

/// What a tier gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TierBenefit {
    /// Parts per million of the base.
    Rate(i32),
    /// A fixed amount off the order.
    Amount(Amounts),
}

/// One part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlePart {
    /// The goods that can fill it.
    pub scope: Scope,
    /// Units per set.
    pub quantity: i64,
}

/// What comes off the shipping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ShippingBenefit {
    /// All of it.
    Free,
    /// Parts per million.
    Rate(i32),
    /// A fixed amount.
    Amount(Amounts),
}

/// Which get-units receive the benefit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnitChoice {
    /// The cheapest.
    #[default]
    Cheapest,
    /// The dearest.
    Dearest,
}

/// Which lines count; all given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Any of these product ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<String>,
    /// Any of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// None of these product ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_products: Vec<String>,
    /// None of these categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excluded_categories: Vec<String>,
    /// A CEL rule over `line`, as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
}

impl Scope {
    /// Every line counts.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// The order of evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Discounts on lines.
    #[default]
    Line,
    /// Discounts on the order.
    Order,
    /// Discounts on shipping.
    Shipping,
    /// Means of payment, after tax.
    Tender,
}

/// What a rate is computed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Base {
    /// What is left just before.
    #[default]
    Sequential,
    /// After price rules, before every discount of every stage.
    Initial,
}

impl Base {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the members of one group meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupPolicy {
    /// All, in order.
    #[default]
    Stack,
    /// The first with an effect.
    First,
    /// One, or none: whichever makes the final amount least.
    BestForCustomer,
    /// The least effect above zero.
    LowestDiscount,
}

/// Nothing off.
impl Default for Kind {
    fn default() -> Self {
        Self::Percent { rate_ppm: 0 }
    }
}
