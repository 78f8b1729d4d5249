//! What is sold, and at what list price where.
//!
//! - A product has at most one list price per place and currency; the empty place is every place without a price of its
//!   own. Whenever one appears, changes or goes, the price history gains an entry from that moment on.
//! - An ARCHIVED product is out of sale: quotes do not know it any more. Its prices and their history stay, and a batch
//!   that brings it again puts it back on sale.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::country;
use tandem_kernel::id;
use tandem_kernel::money::{Amounts, Currency, Money};
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

pub mod commands;
pub mod events;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

/// The first part of every product's name.
pub const COLLECTION: &str = "products";
/// The most products of one batch.
pub const MAX_BATCH: usize = 1_000;
/// The most attributes of one product.
pub const MAX_ATTRIBUTES: usize = 64;

/// Whether it is sold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// On sale.
    #[default]
    Active,
    /// Out of sale.
    Archived,
}

/// A product or a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id within the tenant.
    pub id: String,
    /// What its owner says of it.
    pub definition: Definition,
    /// Whether it is sold.
    pub state: State,
    /// Counts its changes from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// What the owner of a product says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// For people.
    pub display_name: String,
    /// Sorted, each once.
    pub categories: Vec<String>,
    /// For callers and rules.
    pub attributes: BTreeMap<String, String>,
    /// Sorted by place and currency, each pair once.
    pub prices: Vec<ListPrice>,
    /// Cost of one unit before tax.
    pub unit_costs: Amounts,
    /// Tax in parts per million.
    pub tax_rate_ppm: i32,
}

/// A list price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPrice {
    /// `stores/berlin`, `DE`, or empty: every place without a price of its own.
    #[serde(deserialize_with = "country::stored_place")]
    pub place: String,
    /// At least 0.
    pub price: Money,
}

/// A list price from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceEntry {
    /// As in a list price.
    pub place: String,
    /// Its currency.
    pub currency: Currency,
    /// In minor units; none: from here on there was no list price.
    pub minor: Option<i64>,
    /// From when.
    pub effective: Timestamp,
}

/// What an update may name.
pub const FIELDS: &[Field<Definition>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("categories", |to, from| to.categories.clone_from(&from.categories)),
    ("attributes", |to, from| to.attributes.clone_from(&from.attributes)),
    ("prices", |to, from| to.prices.clone_from(&from.prices)),
    ("unit_costs", |to, from| to.unit_costs.clone_from(&from.unit_costs)),
    ("tax_rate_ppm", |to, from| to.tax_rate_ppm = from.tax_rate_ppm),
];

impl Maps for Definition {
    const NAMES: &'static [&'static str] = &["attributes"];

    fn map(&mut self, _: &str) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut self.attributes)
    }
}

impl Definition {
    /// Whether it has no more attributes than one may: entries that are named alone come to those that are there.
    pub fn fits(&self) -> bool {
        self.attributes.len() <= MAX_ATTRIBUTES
    }
}

impl Product {
    /// A new one.
    pub fn create(id: String, definition: Definition, now: Timestamp) -> Self {
        Self { id, definition, state: State::Active, version: 1, created: now, updated: now }
    }

    /// The same with another definition, as the next version.
    #[must_use]
    pub fn define(&self, definition: Definition, now: Timestamp) -> Self {
        Self { definition, version: self.version + 1, updated: now, ..self.clone() }
    }

    /// The same, out of sale, as the next version.
    #[must_use]
    pub fn archive(&self, now: Timestamp) -> Self {
        Self { state: State::Archived, version: self.version + 1, updated: now, ..self.clone() }
    }

    /// What a batch makes of it: another definition, on sale. The same where nothing differs.
    #[must_use]
    pub fn replace(&self, definition: Definition, now: Timestamp) -> Self {
        if self.state == State::Active && self.definition == definition {
            return self.clone();
        }
        Self { state: State::Active, ..self.define(definition, now) }
    }
}

impl Resource for Product {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::PRODUCTS;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// The resource name of an id.
pub fn name(id: &str) -> String {
    id::name(COLLECTION, id)
}

/// What the price history gains at `now` when the list prices `before` become `after`.
pub fn price_entries(before: &[ListPrice], after: &[ListPrice], now: Timestamp) -> Vec<PriceEntry> {
    let of = |prices: &[ListPrice]| -> BTreeMap<(String, Currency), i64> {
        prices.iter().map(|one| ((one.place.clone(), one.price.currency), one.price.minor)).collect()
    };
    let (before, after) = (of(before), of(after));
    let keys: BTreeSet<&(String, Currency)> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| PriceEntry {
            place: key.0.clone(),
            currency: key.1,
            minor: after.get(key).copied(),
            effective: now,
        })
        .collect()
}
