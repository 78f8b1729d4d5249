//! The marketing mix: product, price, place, promotion.
//!
//! What one part of it must be by itself is judged where it is read; here is what its parts must be to each other, to
//! the campaign's window, and to be brought before customers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use tandem_kernel::country;
use tandem_kernel::discount::{Discount, Kind, Scope};
use tandem_kernel::limits::Limits;
use tandem_kernel::locale;
use tandem_kernel::money::Money;
use tandem_kernel::period;
use tandem_kernel::pricing::PriceChange;
use tandem_kernel::problem::Problem;
use tandem_kernel::rule::{Rule, Vocabulary, basket_vocabulary, now_vocabulary, place_vocabulary};

use super::Window;

/// What an offer's condition may read: `basket`, `place` and `now`.
pub static VOCABULARY: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| Arc::new(basket_vocabulary().and(place_vocabulary()).and(now_vocabulary())));

/// What a price rule's condition may read: `now`.
pub static TIME: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| Arc::new(now_vocabulary()));

/// The marketing mix of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// What is offered.
    #[serde(default)]
    pub product: ProductMix,
    /// At what price.
    #[serde(default)]
    pub price: PriceMix,
    /// Where.
    #[serde(default)]
    pub place: PlaceMix,
    /// How people learn of it.
    #[serde(default)]
    pub promotion: PromotionMix,
}

/// What is offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProductMix {
    /// Ids of products.
    pub products: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Ids of products that are shown first.
    pub featured_products: Vec<String>,
}

/// At what price.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriceMix {
    /// For each line the lowest resulting price wins.
    pub price_rules: Vec<PriceRule>,
    /// Discounts without a code.
    pub offers: Vec<Offer>,
    /// For every offer that states none, in parts per million.
    pub margin_floor_ppm: i32,
}

/// A changed unit price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRule {
    /// Unique in the mix.
    pub id: String,
    /// Breaks ties between equal prices, low first.
    pub priority: i32,
    /// The goods.
    pub scope: Scope,
    /// The change.
    pub change: PriceChange,
    /// Ids of segments; empty: the campaign's.
    pub segments: Vec<String>,
    /// A CEL rule over [`TIME`]; empty: always.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
}

/// A discount that needs no code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Unique in the mix.
    pub id: String,
    /// What customers read, by locale; "" is the default.
    #[serde(deserialize_with = "locale::stored_texts")]
    pub titles: BTreeMap<String, String>,
    /// What it gives.
    pub discount: Discount,
    /// Ids of segments; empty: the campaign's.
    pub segments: Vec<String>,
    /// A CEL rule over [`VOCABULARY`]; empty: always.
    pub condition: String,
    /// Its own limits.
    pub limits: Limits,
}

/// Where. All four empty: everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaceMix {
    /// ISO 3166-1 alpha-2.
    #[serde(deserialize_with = "country::stored_codes")]
    pub countries: Vec<String>,
    /// Ids of stores.
    pub stores: Vec<String>,
    /// Ids of online shops.
    pub online_shops: Vec<String>,
    /// Ids of marketplaces.
    pub marketplaces: Vec<String>,
}

/// How people learn of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromotionMix {
    /// The media plan.
    pub placements: Vec<Placement>,
}

/// One booking of the media plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Unique in the mix.
    pub id: String,
    /// Where the message is seen or heard.
    pub channel: Channel,
    /// What it is planned to cost.
    pub planned_spend: Option<Money>,
    /// When; open at an end: as far as the campaign's window.
    pub schedule: period::Window,
    /// What it says.
    pub message: String,
}

/// Digital or classical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Reaches people through their devices.
    Digital,
    /// Print, air and street.
    Classical,
}

/// The channel of a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Push message of an app.
    Push,
    /// Search advertising.
    Search,
    /// Social media.
    Social,
    /// Display advertising.
    Display,
    /// Television.
    Tv,
    /// Radio.
    Radio,
    /// Newspapers, magazines, leaflets.
    Print,
    /// Posters and street furniture.
    Outdoor,
}

impl Channel {
    /// What it belongs to.
    pub fn medium(self) -> Medium {
        match self {
            Self::Email | Self::Sms | Self::Push | Self::Search | Self::Social | Self::Display => {
                Medium::Digital
            }
            Self::Tv | Self::Radio | Self::Print | Self::Outdoor => Medium::Classical,
        }
    }
}

impl Mix {
    /// Where its parts contradict each other. Fields as in the mix.
    pub fn problems(&self) -> Vec<Problem> {
        let products: BTreeSet<&String> = self.product.products.iter().collect();
        let featured = self.product.featured_products.iter().enumerate();
        featured
            .filter(|(_, featured)| !products.is_empty() && !products.contains(featured))
            .map(|(index, _)| {
                let field = format!("product.featured_products[{index}]");
                Problem::new(field, "must be among the products of the mix")
            })
            .collect()
    }

    /// Placements that do not lie within the campaign's window. Fields as in the mix.
    pub fn outside(&self, window: Window) -> Vec<Problem> {
        let placements = self.promotion.placements.iter().enumerate();
        let outside = placements.filter(|(_, placement)| {
            let (start, end) = (placement.schedule.start(), placement.schedule.end());
            start.is_some_and(|start| !window.contains(start))
                || end.is_some_and(|end| end <= window.start || end > window.end)
        });
        outside
            .map(|(index, _)| {
                let field = format!("promotion.placements[{index}].schedule");
                Problem::new(field, "must lie within the campaign's window")
            })
            .collect()
    }

    /// What is missing before it can be brought before customers: something it is about, and something it does. Fields
    /// as in the mix.
    pub fn missing(&self) -> Vec<Problem> {
        let mut missing = Vec::new();
        if self.product.products.is_empty() && self.product.categories.is_empty() {
            missing.push(Problem::new("product", "needs a product or a category that the campaign is about"));
        }
        let price = &self.price;
        if price.offers.is_empty() && price.price_rules.is_empty() && self.promotion.placements.is_empty() {
            missing.push(Problem::new(
                "price",
                "needs an offer or a price rule, unless promotion has a placement",
            ));
        }
        missing
    }
}

impl Offer {
    /// What an offer cannot be although its discount is one. Fields as in the offer.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if matches!(self.discount.kind, Kind::GiftCard { .. }) {
            let message = "a gift card pays for what a code holds: it cannot be an offer";
            problems.push(Problem::new("discount.gift_card", message));
        }
        problems.extend(condition_problem(&self.condition, &VOCABULARY));
        problems
    }
}

/// Why a condition over these names is not one. Empty is none at all.
pub fn condition_problem(condition: &str, vocabulary: &Vocabulary) -> Option<Problem> {
    if condition.is_empty() {
        return None;
    }
    Rule::compile(condition, vocabulary).err().map(|error| Problem::new("condition", error.to_string()))
}

/// The ids that stood before, by index.
pub fn repeated<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    ids.enumerate().filter(|(_, id)| !seen.insert(*id)).map(|(index, _)| index).collect()
}
