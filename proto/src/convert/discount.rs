//! Discounts. The defaults that the contract's comments state are applied on the way in and written out on the way
//! back.

use tandem_kernel::discount::{
    AmountPer, Base, BundlePart, Discount, GroupPolicy, Kind, PricePer, Scope, ShippingBenefit, Stage, Tier,
    TierBenefit, UnitChoice, WHOLE_PPM,
};
use tandem_kernel::money::{Amounts, Currency, Money};
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{Rule, line_vocabulary};
use tandem_kernel::text;

use super::money::listed;
use super::{add_unless_known, amounts, id_in, join, known_enum, positive, refuse};
use crate::common::v1::{self, discount, shipping_discount, tier};

type Problems = Vec<Problem>;

/// More entries than any limit of the kernel are counted, not read.
const MAX_READ: usize = 2_000;

/// A discount, with every condition compiled once to see that it can be.
pub fn discount(at: &str, given: &v1::Discount, problems: &mut Problems) -> Option<Discount> {
    let before = problems.len();
    let scope =
        given.scope.as_ref().map(|one| scope_of(&join(at, "scope"), one, problems)).unwrap_or_default();
    let minimum_spend = some_amounts(at, "minimum_spend", &given.minimum_spend, 0, problems);
    let max_discount = some_amounts(at, "max_discount", &given.max_discount, 1, problems);
    let stage = known_enum(at, "stage", given.stage, problems);
    let base = base_of(at, "base", given.base, problems);
    let minimum_spend_base = base_of(at, "minimum_spend_base", given.minimum_spend_base, problems);
    let group_policy = match known_enum(at, "group_policy", given.group_policy, problems) {
        Some(v1::GroupPolicy::First) => GroupPolicy::First,
        Some(v1::GroupPolicy::BestForCustomer) => GroupPolicy::BestForCustomer,
        Some(v1::GroupPolicy::LowestDiscount) => GroupPolicy::LowestDiscount,
        Some(v1::GroupPolicy::Stack | v1::GroupPolicy::Unspecified) | None => GroupPolicy::Stack,
    };
    let kind = kind(at, given.kind.as_ref(), problems);
    let has_kind = kind.is_some();
    let kind = kind.unwrap_or(Kind::Percent { rate_ppm: WHOLE_PPM });
    let discount = Discount {
        stage: stage_of(stage, &kind, &scope),
        kind,
        scope,
        base,
        group: given.group,
        group_policy,
        priority: given.priority,
        exclusive: given.exclusive,
        stop: given.stop,
        minimum_spend,
        minimum_spend_base,
        max_discount,
        margin_floor_ppm: given.margin_floor_ppm,
    };
    let mut found = discount.problems();
    if problems[before..].iter().any(|known| known.field.contains(".thresholds[")) {
        // Neutral thresholds cannot be compared with their neighbours.
        found.retain(|problem| !problem.field.ends_with(".thresholds"));
    }
    // The stage is one of its kind.
    found.retain(|problem| has_kind || problem.field != "stage");
    add_unless_known(problems, before, at, found);
    (problems.len() == before).then_some(discount)
}

fn base_of(at: &str, field: &str, given: i32, problems: &mut Problems) -> Base {
    match known_enum(at, field, given, problems) {
        Some(v1::Base::Initial) => Base::Initial,
        Some(v1::Base::Sequential | v1::Base::Unspecified) | None => Base::Sequential,
    }
}

fn stage_of(given: Option<v1::Stage>, kind: &Kind, scope: &Scope) -> Stage {
    match given {
        Some(v1::Stage::Line) => Stage::Line,
        Some(v1::Stage::Order) => Stage::Order,
        Some(v1::Stage::Shipping) => Stage::Shipping,
        Some(v1::Stage::Tender) => Stage::Tender,
        Some(v1::Stage::Unspecified) | None => match kind {
            Kind::Amount { per: AmountPer::Order, .. } => Stage::Order,
            Kind::Tiered { .. } if scope.is_everything() => Stage::Order,
            Kind::Shipping { .. } => Stage::Shipping,
            Kind::GiftCard { .. } => Stage::Tender,
            _ => Stage::Line,
        },
    }
}

/// Amounts from `least`; something neutral where they are refused.
fn some_amounts(at: &str, field: &str, given: &[v1::Money], least: i64, problems: &mut Problems) -> Amounts {
    amounts(&join(at, field), given, least, problems).unwrap_or_else(|| {
        let neutral = Currency::new("EUR").map(|currency| vec![Money::new(1, currency)]);
        Amounts::new(neutral.unwrap_or_default()).unwrap_or_default()
    })
}

fn kind(at: &str, given: Option<&discount::Kind>, problems: &mut Problems) -> Option<Kind> {
    use v1::discount::Kind as Given;
    Some(match given {
        None => {
            refuse(problems, at, "kind", "exactly one kind is required");
            return None;
        }
        Some(Given::Percent(percent)) => Kind::Percent { rate_ppm: percent.rate_ppm },
        Some(Given::Amount(amount)) => amount_off(&join(at, "amount"), amount, problems),
        Some(Given::FixedPrice(fixed)) => fixed_price(&join(at, "fixed_price"), fixed, problems),
        Some(Given::Tiered(tiered)) => {
            let at = join(at, "tiered.tiers");
            let read = tiered.tiers.iter().take(MAX_READ).enumerate();
            Kind::Tiered {
                tiers: read.map(|(index, one)| tier(&format!("{at}[{index}]"), one, problems)).collect(),
            }
        }
        Some(Given::BuyXGetY(given)) => buy_x_get_y(&join(at, "buy_x_get_y"), given, problems),
        Some(Given::Bundle(given)) => bundle(&join(at, "bundle"), given, problems),
        Some(Given::Shipping(given)) => {
            let benefit = shipping(&join(at, "shipping"), given, problems);
            Kind::Shipping { benefit: benefit.unwrap_or(ShippingBenefit::Free) }
        }
        Some(Given::GiftCard(card)) => Kind::GiftCard {
            max_per_order: some_amounts(at, "gift_card.max_per_order", &card.max_per_order, 1, problems),
        },
        Some(Given::Points(_)) => {
            refuse(problems, at, "points", "POINTS_NOT_AVAILABLE: points need a loyalty programme");
            return None;
        }
    })
}

fn amount_off(at: &str, given: &v1::AmountDiscount, problems: &mut Problems) -> Kind {
    let per = match known_enum(at, "per", given.per, problems) {
        Some(v1::Per::Unit) => AmountPer::Unit,
        Some(v1::Per::Set) => {
            refuse(problems, at, "per", "must be PER_ORDER or PER_UNIT");
            AmountPer::Order
        }
        Some(v1::Per::Order | v1::Per::Unspecified) | None => AmountPer::Order,
    };
    Kind::Amount { amounts: some_amounts(at, "amounts", &given.amounts, 1, problems), per }
}

fn fixed_price(at: &str, given: &v1::FixedPriceDiscount, problems: &mut Problems) -> Kind {
    let per = match known_enum(at, "per", given.per, problems) {
        Some(v1::Per::Set) => PricePer::Set(given.set_quantity),
        Some(v1::Per::Order) => {
            refuse(problems, at, "per", "must be PER_UNIT or PER_SET");
            PricePer::Unit
        }
        Some(v1::Per::Unit | v1::Per::Unspecified) | None => PricePer::Unit,
    };
    if per == PricePer::Unit && given.set_quantity != 0 {
        refuse(problems, at, "set_quantity", "only with PER_SET");
    }
    Kind::FixedPrice { prices: some_amounts(at, "prices", &given.prices, 0, problems), per }
}

fn tier(at: &str, given: &v1::Tier, problems: &mut Problems) -> Tier {
    let benefit = match &given.benefit {
        Some(tier::Benefit::RatePpm(rate_ppm)) => TierBenefit::Rate(*rate_ppm),
        Some(tier::Benefit::Amounts(list)) => {
            TierBenefit::Amount(some_amounts(at, "amounts", &list.amounts, 1, problems))
        }
        None => {
            refuse(problems, at, "benefit", "exactly one benefit is required");
            TierBenefit::Rate(WHOLE_PPM)
        }
    };
    Tier { thresholds: some_amounts(at, "thresholds", &given.thresholds, 0, problems), benefit }
}

fn buy_x_get_y(at: &str, given: &v1::BuyXGetYDiscount, problems: &mut Problems) -> Kind {
    let choice = match known_enum(at, "choice", given.choice, problems) {
        Some(v1::UnitChoice::Dearest) => UnitChoice::Dearest,
        Some(v1::UnitChoice::Cheapest | v1::UnitChoice::Unspecified) | None => UnitChoice::Cheapest,
    };
    Kind::BuyXGetY {
        buy_quantity: given.buy_quantity,
        get_quantity: given.get_quantity,
        get_scope: given.get_scope.as_ref().map(|one| scope_of(&join(at, "get_scope"), one, problems)),
        rate_ppm: given.rate_ppm.unwrap_or(WHOLE_PPM),
        choice,
        max_sets: positive(at, "max_sets", given.max_sets, problems),
    }
}

fn bundle(at: &str, given: &v1::BundleDiscount, problems: &mut Problems) -> Kind {
    let mut parts = Vec::new();
    for (index, part) in given.parts.iter().take(MAX_READ).enumerate() {
        let at = join(at, &format!("parts[{index}].scope"));
        let scope = part.scope.as_ref().map(|one| scope_of(&at, one, problems)).unwrap_or_default();
        parts.push(BundlePart { scope, quantity: part.quantity });
    }
    Kind::Bundle {
        parts,
        prices: some_amounts(at, "prices", &given.prices, 0, problems),
        max_sets: positive(at, "max_sets", given.max_sets, problems),
    }
}

fn shipping(at: &str, given: &v1::ShippingDiscount, problems: &mut Problems) -> Option<ShippingBenefit> {
    match &given.benefit {
        Some(shipping_discount::Benefit::Free(true)) => Some(ShippingBenefit::Free),
        Some(shipping_discount::Benefit::Free(false)) => {
            refuse(problems, at, "free", "must be true where given");
            None
        }
        Some(shipping_discount::Benefit::RatePpm(rate_ppm)) => Some(ShippingBenefit::Rate(*rate_ppm)),
        Some(shipping_discount::Benefit::Amounts(list)) => {
            Some(ShippingBenefit::Amount(some_amounts(at, "amounts", &list.amounts, 1, problems)))
        }
        None => {
            refuse(problems, at, "benefit", "exactly one benefit is required");
            None
        }
    }
}

/// A scope of its own, outside a discount.
pub fn scope(at: &str, given: &v1::Scope, problems: &mut Problems) -> Option<Scope> {
    let before = problems.len();
    let scope = scope_of(at, given, problems);
    let found = scope.problems();
    add_unless_known(problems, before, at, found);
    (problems.len() == before).then_some(scope)
}

fn scope_of(at: &str, given: &v1::Scope, problems: &mut Problems) -> Scope {
    let mut ids = |field: &str, names: &[String]| {
        let read = names.iter().take(MAX_READ).enumerate();
        read.map(|(index, name)| {
            let at = join(at, &format!("{field}[{index}]"));
            id_in(&at, "products", name, problems).unwrap_or_default()
        })
        .collect()
    };
    let mut scope = Scope {
        products: ids("products", &given.products),
        categories: given.categories.clone(),
        excluded_products: ids("excluded_products", &given.excluded_products),
        excluded_categories: given.excluded_categories.clone(),
        condition: given.condition.clone(),
    };
    text::compose_all(&mut scope.categories);
    text::compose_all(&mut scope.excluded_categories);
    if !scope.condition.is_empty()
        && let Err(error) = Rule::compile(&scope.condition, &line_vocabulary())
    {
        refuse(problems, at, "condition", error.to_string());
    }
    scope
}

impl From<&Scope> for v1::Scope {
    fn from(scope: &Scope) -> Self {
        let names = |ids: &[String]| ids.iter().map(|id| tandem_kernel::id::name("products", id)).collect();
        Self {
            products: names(&scope.products),
            categories: scope.categories.clone(),
            excluded_products: names(&scope.excluded_products),
            excluded_categories: scope.excluded_categories.clone(),
            condition: scope.condition.clone(),
        }
    }
}

impl From<&Discount> for v1::Discount {
    fn from(discount: &Discount) -> Self {
        Self {
            kind: Some(discount::Kind::from(&discount.kind)),
            scope: (!discount.scope.is_everything()).then(|| v1::Scope::from(&discount.scope)),
            stage: v1::Stage::from(discount.stage).into(),
            base: v1::Base::from(discount.base).into(),
            group: discount.group,
            group_policy: v1::GroupPolicy::from(discount.group_policy).into(),
            priority: discount.priority,
            exclusive: discount.exclusive,
            stop: discount.stop,
            minimum_spend: listed(&discount.minimum_spend),
            minimum_spend_base: v1::Base::from(discount.minimum_spend_base).into(),
            max_discount: listed(&discount.max_discount),
            margin_floor_ppm: discount.margin_floor_ppm,
        }
    }
}

impl From<&Kind> for discount::Kind {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Percent { rate_ppm } => Self::Percent(v1::PercentDiscount { rate_ppm: *rate_ppm }),
            Kind::Amount { amounts, per } => {
                let per = match per {
                    AmountPer::Order => v1::Per::Order,
                    AmountPer::Unit => v1::Per::Unit,
                };
                Self::Amount(v1::AmountDiscount { amounts: listed(amounts), per: per.into() })
            }
            Kind::FixedPrice { prices, per } => {
                let (per, set_quantity) = match per {
                    PricePer::Unit => (v1::Per::Unit, 0),
                    PricePer::Set(units) => (v1::Per::Set, *units),
                };
                Self::FixedPrice(v1::FixedPriceDiscount {
                    prices: listed(prices),
                    per: per.into(),
                    set_quantity,
                })
            }
            Kind::Tiered { tiers } => {
                Self::Tiered(v1::TieredDiscount { tiers: tiers.iter().map(v1::Tier::from).collect() })
            }
            Kind::BuyXGetY { buy_quantity, get_quantity, get_scope, rate_ppm, choice, max_sets } => {
                let choice = match choice {
                    UnitChoice::Cheapest => v1::UnitChoice::Cheapest,
                    UnitChoice::Dearest => v1::UnitChoice::Dearest,
                };
                Self::BuyXGetY(v1::BuyXGetYDiscount {
                    buy_quantity: *buy_quantity,
                    get_quantity: *get_quantity,
                    get_scope: get_scope.as_ref().map(v1::Scope::from),
                    rate_ppm: Some(*rate_ppm),
                    choice: choice.into(),
                    max_sets: *max_sets,
                })
            }
            Kind::Bundle { parts, prices, max_sets } => {
                let part = |part: &BundlePart| v1::BundlePart {
                    scope: Some(v1::Scope::from(&part.scope)),
                    quantity: part.quantity,
                };
                Self::Bundle(v1::BundleDiscount {
                    parts: parts.iter().map(part).collect(),
                    prices: listed(prices),
                    max_sets: *max_sets,
                })
            }
            Kind::Shipping { benefit } => {
                let benefit = match benefit {
                    ShippingBenefit::Free => shipping_discount::Benefit::Free(true),
                    ShippingBenefit::Rate(rate_ppm) => shipping_discount::Benefit::RatePpm(*rate_ppm),
                    ShippingBenefit::Amount(amounts) => shipping_discount::Benefit::Amounts(amounts.into()),
                };
                Self::Shipping(v1::ShippingDiscount { benefit: Some(benefit) })
            }
            Kind::GiftCard { max_per_order } => {
                Self::GiftCard(v1::GiftCardTender { max_per_order: listed(max_per_order) })
            }
        }
    }
}

impl From<&Tier> for v1::Tier {
    fn from(tier: &Tier) -> Self {
        let benefit = match &tier.benefit {
            TierBenefit::Rate(rate_ppm) => tier::Benefit::RatePpm(*rate_ppm),
            TierBenefit::Amount(amounts) => tier::Benefit::Amounts(amounts.into()),
        };
        Self { thresholds: listed(&tier.thresholds), benefit: Some(benefit) }
    }
}

impl From<Stage> for v1::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Line => Self::Line,
            Stage::Order => Self::Order,
            Stage::Shipping => Self::Shipping,
            Stage::Tender => Self::Tender,
        }
    }
}

impl From<Base> for v1::Base {
    fn from(base: Base) -> Self {
        match base {
            Base::Sequential => Self::Sequential,
            Base::Initial => Self::Initial,
        }
    }
}

impl From<GroupPolicy> for v1::GroupPolicy {
    fn from(policy: GroupPolicy) -> Self {
        match policy {
            GroupPolicy::Stack => Self::Stack,
            GroupPolicy::First => Self::First,
            GroupPolicy::BestForCustomer => Self::BestForCustomer,
            GroupPolicy::LowestDiscount => Self::LowestDiscount,
        }
    }
}
