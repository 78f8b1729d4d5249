//! What can be done to products. Each is a write to the catalogue: its version is bumped right after the claim.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::db::Write;
use tandem_platform::resource::{Change, New, Touch};
use tandem_platform::service::{Asked, Core};
use tandem_platform::{Fault, Outcome, once};

use super::{Definition, MAX_ATTRIBUTES, Product, State, events, price_entries, store};
use crate::catalogue;

/// Takes a product into the catalogue.
pub async fn create(core: Core, asked: Asked<New<Definition>>) -> Outcome<Product> {
    once!(core, asked, |unit, new| {
        let version = catalogue::commands::bump(unit).await?;
        let product = Product::create(new.id.clone(), new.given.clone(), unit.now());
        let product = unit.create(product, events::created).await?;
        unit.write(prices_gained(version, &[(None, product.clone())], unit.now()));
        Ok(product)
    })
}

/// Changes fields of a product. Where nothing differs, nothing happens.
pub async fn update(core: Core, asked: Asked<Change<Definition>>) -> Outcome<Product> {
    once!(core, asked, |unit, change| {
        let version = catalogue::commands::bump(unit).await?;
        let before: Product = unit.lock(&change.touch).await?;
        let definition = change.of(&before.definition);
        if definition == before.definition {
            return Ok(before);
        }
        if !definition.fits() {
            return Err(full("product.attributes"));
        }
        let product = unit.save(before.define(definition, unit.now()), events::updated)?;
        unit.write(prices_gained(version, &[(Some(before), product.clone())], unit.now()));
        Ok(product)
    })
}

/// Takes a product out of sale.
pub async fn archive(core: Core, asked: Asked<Touch>) -> Outcome<Product> {
    once!(core, asked, |unit, touch| {
        catalogue::commands::bump(unit).await?;
        let before: Product = unit.lock(touch).await?;
        if before.state == State::Archived {
            return Ok(before);
        }
        unit.save(before.archive(unit.now()), events::archived)
    })
}

/// What became of one item of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Upserted {
    /// It did not exist before.
    Created,
    /// It existed, and has now what was sent.
    Replaced,
    /// It would have had too many attributes, and stayed as it was.
    Full,
}

impl Upserted {
    /// Whether it did not exist before.
    ///
    /// # Errors
    /// Why it stayed as it was.
    pub fn stored(self) -> Outcome<bool> {
        if self == Self::Full { Err(full("attributes")) } else { Ok(self == Self::Created) }
    }
}

fn full(field: &str) -> Fault {
    let most = format!("must have at most {MAX_ATTRIBUTES} entries, with those that are there");
    Fault::invalid_field(field, most)
}

/// Creates products or changes those that are there, each id once. Answers in their order.
pub async fn upsert(core: Core, asked: Asked<Vec<Change<Definition>>>) -> Outcome<Vec<Upserted>> {
    once!(core, asked, |unit, wanted| {
        let version = catalogue::commands::bump(unit).await?;
        let (tenant, now) = (unit.tenant(), unit.now());
        let ids = wanted.iter().map(|change| change.touch.id.clone()).collect();
        let found = store::PRODUCTS.lock_many(unit.tx(), tenant, ids).await?;
        let found: BTreeMap<&str, &Product> =
            found.iter().map(|product| (product.id.as_str(), product)).collect();
        let (mut changed, mut outcomes) = (Vec::new(), Vec::new());
        for change in wanted {
            let id = &change.touch.id;
            let before = found.get(id.as_str()).copied();
            let definition = before.map_or_else(|| change.whole().clone(), |one| change.of(&one.definition));
            if !definition.fits() {
                outcomes.push(Upserted::Full);
                continue;
            }
            let product = match before {
                None => Product::create(id.clone(), definition, now),
                Some(before) => before.replace(definition, now),
            };
            outcomes.push(if before.is_some() { Upserted::Replaced } else { Upserted::Created });
            if before != Some(&product) {
                let event = if before.is_some() { events::updated } else { events::created };
                unit.tell(event(&product));
                changed.push((before.cloned(), product));
            }
        }
        let products: Vec<Product> = changed.iter().map(|(_, product)| product.clone()).collect();
        unit.save_many(&products)?;
        unit.write(prices_gained(version, &changed, now));
        Ok(outcomes)
    })
}

/// What the price history gains where products were as they were before.
fn prices_gained(catalogue_version: i64, changed: &[(Option<Product>, Product)], now: Timestamp) -> Write {
    let mut entries = Vec::new();
    for (before, product) in changed {
        let prices = before.as_ref().map_or(&[][..], |before| &before.definition.prices);
        let gained = price_entries(prices, &product.definition.prices, now);
        entries.extend(gained.into_iter().map(|entry| (product.id.as_str(), entry)));
    }
    store::add_prices(catalogue_version, &entries)
}
