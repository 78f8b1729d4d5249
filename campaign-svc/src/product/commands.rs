//! What can be done to products. Each is a write to the catalogue: its version is bumped right after the claim.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tx, grpc, transact};

use super::{Change, Definition, Product, State, events, name, price_entries, store};
use crate::{App, catalogue};

/// Takes a product into the catalogue.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    definition: &Definition,
) -> Outcome<Product> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let product = Product::create(id.to_owned(), definition.clone(), now);
        if store::find(tx, &call.tenant, id).await?.is_some() {
            return Err(Fault::already_exists(product.name()));
        }
        save(tx, call, catalogue_version, &[(None, product.clone())], now).await?;
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::created(&product));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &product).await?;
        Ok(product)
    })
}

/// Changes fields of a product. Where nothing differs, nothing happens.
pub async fn update(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    change: &Change,
) -> Outcome<Product> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let before = locked(tx, call, id, etag).await?;
        let definition = before.definition.clone().with(change.clone());
        let product = if definition == before.definition {
            before
        } else {
            let product = before.define(definition, now);
            save(tx, call, catalogue_version, &[(Some(before), product.clone())], now).await?;
            let mut batch = Batch::new(call, app.ids.as_ref(), now);
            batch.push(events::updated(&product));
            outbox::append(tx, batch).await?;
            product
        };
        idempotency::finish(tx, &call.tenant, request, &product).await?;
        Ok(product)
    })
}

/// Takes a product out of sale.
pub async fn archive(app: &App, call: &Call, request: &Request, id: &str, etag: &str) -> Outcome<Product> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let before = locked(tx, call, id, etag).await?;
        let product = if before.state == State::Archived {
            before
        } else {
            let product = before.archive(now);
            save(tx, call, catalogue_version, &[(Some(before), product.clone())], now).await?;
            let mut batch = Batch::new(call, app.ids.as_ref(), now);
            batch.push(events::archived(&product));
            outbox::append(tx, batch).await?;
            product
        };
        idempotency::finish(tx, &call.tenant, request, &product).await?;
        Ok(product)
    })
}

/// What became of one item of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Upserted {
    /// It did not exist before.
    Created,
    /// It existed, and is now as it was sent.
    Replaced,
}

/// Creates or replaces products, each id once. Answers in their order.
pub async fn upsert(
    app: &App,
    call: &Call,
    request: &Request,
    wanted: &[(String, Definition)],
) -> Outcome<Vec<Upserted>> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let found = store::lock_many(tx, &call.tenant, &ids).await?;
        let found: BTreeMap<&str, &Product> =
            found.iter().map(|product| (product.id.as_str(), product)).collect();
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        let (mut changed, mut outcomes) = (Vec::new(), Vec::new());
        for (id, definition) in wanted {
            let before = found.get(id.as_str()).copied();
            let product = match before {
                None => Product::create(id.clone(), definition.clone(), now),
                Some(before) => before.replace(definition.clone(), now),
            };
            outcomes.push(if before.is_some() { Upserted::Replaced } else { Upserted::Created });
            if before != Some(&product) {
                batch.push(if before.is_some() {
                    events::updated(&product)
                } else {
                    events::created(&product)
                });
                changed.push((before.cloned(), product));
            }
        }
        save(tx, call, catalogue_version, &changed, now).await?;
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &outcomes).await?;
        Ok(outcomes)
    })
}

async fn locked(tx: &mut Tx, call: &Call, id: &str, etag: &str) -> Outcome<Product> {
    let found = store::lock(tx, &call.tenant, id).await?;
    let product = found.ok_or_else(|| Fault::not_found(name(id)))?;
    grpc::check_etag(etag, product.version, name(id))?;
    Ok(product)
}

/// Stores products with what their prices were before, and what the price history gains.
async fn save(
    tx: &mut Tx,
    call: &Call,
    catalogue_version: i64,
    changed: &[(Option<Product>, Product)],
    now: Timestamp,
) -> Outcome<()> {
    let products: Vec<Product> = changed.iter().map(|(_, product)| product.clone()).collect();
    if products.is_empty() {
        return Ok(());
    }
    if store::save(tx, &call.tenant, catalogue_version, &products).await? != products.len() {
        return Err(Fault::internal("a locked product was not there to be changed"));
    }
    let mut entries = Vec::new();
    for (before, product) in changed {
        let prices = before.as_ref().map_or(&[][..], |before| &before.definition.prices);
        let gained = price_entries(prices, &product.definition.prices, now);
        entries.extend(gained.into_iter().map(|entry| (product.id.as_str(), entry)));
    }
    store::add_prices(tx, &call.tenant, catalogue_version, &entries).await
}
