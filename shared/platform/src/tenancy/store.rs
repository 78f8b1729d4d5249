//! The rows: one document of each tenant that has ever set something.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Document, Settings};
use crate::call::Tenant;
use crate::db::{Column, Instant, Json, Session, Statement, Tx, Write};
use crate::fault::{Fault, Outcome};
use crate::on_engine;

const FIND: Statement =
    Statement::same("SELECT version, document, updated FROM tenant_settings WHERE tenant = $1");

const LOCK: Statement = Statement::pair(
    "SELECT version, document, updated FROM tenant_settings WHERE tenant = $1 FOR NO KEY UPDATE",
    "SELECT version, document, updated FROM tenant_settings WHERE tenant = $1",
);

const SAVE: Statement = Statement::pair(
    "INSERT INTO tenant_settings AS t (tenant, version, document, updated)
     SELECT $1, * FROM UNNEST($2::bigint[], $3::jsonb[], $4::timestamptz[])
     ON CONFLICT (tenant) DO UPDATE
     SET version = excluded.version, document = excluded.document, updated = excluded.updated
     WHERE t.version = excluded.version - 1",
    "INSERT INTO tenant_settings AS t (tenant, version, document, updated)
     SELECT $1, value->>0, value->>1, value->>2 FROM json_each($2) WHERE true
     ON CONFLICT (tenant) DO UPDATE
     SET version = excluded.version, document = excluded.document, updated = excluded.updated
     WHERE t.version = excluded.version - 1",
);

const CHANGED: Statement =
    Statement::same("SELECT tenant, version, document, updated FROM tenant_settings WHERE updated >= $1");

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[
    ("tenancy::find", FIND),
    ("tenancy::lock", LOCK),
    ("tenancy::save", SAVE),
    ("tenancy::changed", CHANGED),
];

type Row = (i64, Json<Box<RawValue>>, Instant);

/// A row of somebody else's change, not read any further than is needed.
#[derive(Debug, sqlx::FromRow)]
pub struct Changed {
    tenant: String,
    /// Its version.
    pub version: i64,
    document: Json<Box<RawValue>>,
    updated: Instant,
}

impl Changed {
    /// Whose.
    pub fn tenant(&self) -> Option<Tenant> {
        Tenant::parse(&self.tenant)
    }

    /// All of it.
    pub fn settings<D: Document>(self) -> Outcome<Settings<D>> {
        settings((self.version, self.document, self.updated))
    }
}

fn settings<D: DeserializeOwned>((version, document, updated): Row) -> Outcome<Settings<D>> {
    let own = serde_json::from_str(document.0.get());
    let own = own.map_err(|error| Fault::internal("stored settings cannot be read").caused_by(error))?;
    Ok(Settings { version, updated: Some(updated.timestamp()), own })
}

/// What a tenant has set; version 0 where that is nothing.
pub async fn find<D: Document>(session: &mut impl Session, tenant: &Tenant) -> Outcome<Settings<D>> {
    one(session, FIND, tenant).await
}

/// The same, to be changed in this transaction.
pub async fn lock<D: Document>(tx: &mut Tx, tenant: &Tenant) -> Outcome<Settings<D>> {
    one(tx, LOCK, tenant).await
}

async fn one<D: Document>(
    session: &mut impl Session,
    statement: Statement,
    tenant: &Tenant,
) -> Outcome<Settings<D>> {
    let found: Option<Row> = on_engine!(session, statement, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).fetch_optional(conn).await
    })?;
    found.map_or_else(|| Ok(Settings::default()), settings)
}

/// The next version of a locked row, or a first one: where somebody else was first, the transaction is run again.
pub fn save<D: Document>(next: &Settings<D>) -> Outcome<Write> {
    let updated = next.updated.unwrap_or(Timestamp::UNIX_EPOCH);
    let columns = [Column::int([next.version]), Column::json([&next.own])?, Column::Instant(vec![updated])];
    Ok(Write::new(SAVE).columns(columns).or_replay())
}

/// What any tenant has set since.
pub async fn changed(session: &mut impl Session, since: Timestamp) -> Outcome<Vec<Changed>> {
    Ok(on_engine!(session, CHANGED, |sql, conn| {
        sqlx::query_as(sql).bind(Instant(since)).fetch_all(conn).await
    })?)
}
