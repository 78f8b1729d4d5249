//! Rows of products and of their price history.

use jiff::Timestamp;
use tandem_kernel::money::{Amounts, Currency};
use tandem_platform::db::{Column, Instant, Json, Session, Statement, Write};
use tandem_platform::resource::{Table, word};
use tandem_platform::{Fault, Outcome, Tenant, columns, on_engine};

use super::{ListPrice, PriceEntry, Product, State};

/// Where they are.
pub static PRODUCTS: Table<Product> = Table::new(
    "product",
    columns![Product;
        "id" => plain(id),
        "display_name" => plain(definition.display_name),
        "categories" => json(definition.categories),
        "attributes" => json(definition.attributes),
        "prices" => json(definition.prices),
        "unit_costs" => json(definition.unit_costs),
        "tax_rate_ppm" => plain(definition.tax_rate_ppm),
        "state" => word(state),
        "version" => plain(version),
        "created" => plain(created),
        "updated" => plain(updated),
    ],
)
.stamped("catalogue_version");

macro_rules! select_sold {
    ($rest:literal) => {
        concat!(
            "SELECT id, categories, prices, unit_costs, tax_rate_ppm, state FROM product WHERE tenant = $1 ",
            $rest
        )
    };
}

// A whole catalogue goes by the primary key, page by page; what is new goes by the version, and is little.
const SOLD: Statement = Statement::same(select_sold!("AND id > $2 ORDER BY id LIMIT $3"));
const SOLD_SINCE: Statement = Statement::same(select_sold!("AND catalogue_version > $2 ORDER BY id"));

// A second change within one microsecond replaces the first: nobody could have bought in between.
const ADD_PRICES: Statement = Statement::pair(
    "INSERT INTO price_history (tenant, catalogue_version, product, place, currency, effective, minor)
     SELECT $1, $2, * FROM UNNEST($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[])
     ON CONFLICT (tenant, product, place, currency, effective) DO UPDATE
        SET minor = excluded.minor, catalogue_version = excluded.catalogue_version",
    "INSERT INTO price_history (tenant, catalogue_version, product, place, currency, effective, minor)
     SELECT $1, $2, value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each($3) WHERE true
     ON CONFLICT (tenant, product, place, currency, effective) DO UPDATE
        SET minor = excluded.minor, catalogue_version = excluded.catalogue_version",
);

const PRICES: Statement = Statement::same(
    "SELECT product, place, currency, minor, effective FROM price_history
      WHERE tenant = $1 AND product = $2 AND (effective, place, currency) < ($3, $4, $5)
        AND ($6 = 0 OR place = $7) AND ($8 = '' OR currency = $8)
      ORDER BY effective DESC, place DESC, currency DESC LIMIT $9",
);

macro_rules! select_change {
    ($rest:literal) => {
        concat!(
            "SELECT product, place, currency, minor, effective FROM price_history WHERE tenant = $1 ",
            $rest,
            " ORDER BY product, place, currency, effective"
        )
    };
}

const CHANGES: Statement = Statement::same(concat!(
    select_change!("AND (product, place, currency, effective) > ($2, $3, $4, $5)"),
    " LIMIT $6"
));
const CHANGES_SINCE: Statement = Statement::same(select_change!("AND catalogue_version > $2"));

/// Every statement, for the test that prepares them on both engines.
pub fn statements() -> Vec<(&'static str, Statement)> {
    let own = [
        ("sold", SOLD),
        ("sold_since", SOLD_SINCE),
        ("add_prices", ADD_PRICES),
        ("prices", PRICES),
        ("changes", CHANGES),
        ("changes_since", CHANGES_SINCE),
    ];
    PRODUCTS.statements().into_iter().chain(own).collect()
}

#[derive(sqlx::FromRow)]
struct PriceRow {
    product: String,
    place: String,
    currency: String,
    minor: Option<i64>,
    effective: Instant,
}

impl PriceRow {
    fn entry(self) -> Outcome<(String, PriceEntry)> {
        let currency = Currency::new(&self.currency).map_err(unreadable)?;
        let entry =
            PriceEntry { place: self.place, currency, minor: self.minor, effective: self.effective.0 };
        Ok((self.product, entry))
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("a stored product cannot be read").caused_by(error)
}

/// Adds to the price history, stamped with a version of the catalogue: (product, entry).
pub fn add_prices(catalogue_version: i64, entries: &[(&str, PriceEntry)]) -> Write {
    Write::new(ADD_PRICES).int(catalogue_version).columns([
        Column::text(entries.iter().map(|(product, _)| *product)),
        Column::text(entries.iter().map(|(_, entry)| entry.place.as_str())),
        Column::text(entries.iter().map(|(_, entry)| entry.currency.code())),
        Column::Instant(entries.iter().map(|(_, entry)| entry.effective).collect()),
        Column::OptInt(entries.iter().map(|(_, entry)| entry.minor).collect()),
    ])
}

/// What the price history of one product is asked for.
#[derive(Debug)]
pub struct History<'a> {
    /// The product.
    pub product: &'a str,
    /// Only this place.
    pub place: Option<&'a str>,
    /// Only this currency; empty: all.
    pub currency: &'a str,
    /// Only what is older than this (effective, place, currency).
    pub before: (Timestamp, &'a str, &'a str),
}

/// At most `limit` entries, newest first.
pub async fn price_history(
    session: &mut impl Session,
    tenant: &Tenant,
    asked: &History<'_>,
    limit: usize,
) -> Outcome<Vec<PriceEntry>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (effective, place, currency) = asked.before;
    let rows: Vec<PriceRow> = on_engine!(session, PRICES, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(asked.product);
        let query = query.bind(Instant(effective)).bind(place).bind(currency);
        let query = query.bind(i64::from(asked.place.is_some())).bind(asked.place.unwrap_or_default());
        query.bind(asked.currency).bind(limit).fetch_all(conn).await
    })?;
    rows.into_iter().map(|row| row.entry().map(|(_, entry)| entry)).collect()
}

/// A product as far as quotes read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sold {
    /// Its id.
    pub id: String,
    /// Sorted, each once.
    pub categories: Vec<String>,
    /// Sorted by place and currency, each pair once.
    pub prices: Vec<ListPrice>,
    /// Cost of one unit before tax.
    pub unit_costs: Amounts,
    /// Tax in parts per million.
    pub tax_rate_ppm: i32,
    /// Whether it is sold.
    pub state: State,
}

type SoldRow = (String, Json<Vec<String>>, Json<Vec<ListPrice>>, Json<Amounts>, i64, String);

fn sold(rows: Vec<SoldRow>) -> Outcome<Vec<Sold>> {
    let one = |(id, categories, prices, unit_costs, tax_rate_ppm, state): SoldRow| {
        Ok(Sold {
            id,
            categories: categories.0,
            prices: prices.0,
            unit_costs: unit_costs.0,
            tax_rate_ppm: i32::try_from(tax_rate_ppm).map_err(unreadable)?,
            state: word::parse(&state)?,
        })
    };
    rows.into_iter().map(one).collect()
}

/// At most `limit` products behind the id `after`, archived ones included. By id.
pub async fn sold_page(
    session: &mut impl Session,
    tenant: &Tenant,
    after: &str,
    limit: usize,
) -> Outcome<Vec<Sold>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<SoldRow> = on_engine!(session, SOLD, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(after).bind(limit).fetch_all(conn).await
    })?;
    sold(rows)
}

/// Products that a version of the catalogue above `version` has stamped, archived ones included. By id.
pub async fn sold_since(session: &mut impl Session, tenant: &Tenant, version: i64) -> Outcome<Vec<Sold>> {
    let rows: Vec<SoldRow> = on_engine!(session, SOLD_SINCE, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(version).fetch_all(conn).await
    })?;
    sold(rows)
}

type ChangeRow = (String, String, String, Option<i64>, Instant);

fn changes(rows: Vec<ChangeRow>) -> Outcome<Vec<(String, PriceEntry)>> {
    let one = |(product, place, currency, minor, effective): ChangeRow| {
        PriceRow { product, place, currency, minor, effective }.entry()
    };
    rows.into_iter().map(one).collect()
}

/// At most `limit` entries of the price history behind `after`: (product, entry), by product, place, currency and time.
pub async fn changes_page(
    session: &mut impl Session,
    tenant: &Tenant,
    after: Option<&(String, PriceEntry)>,
    limit: usize,
) -> Outcome<Vec<(String, PriceEntry)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No product has an empty id.
    let (product, place, currency, effective) = match after {
        None => ("", "", "", Timestamp::UNIX_EPOCH),
        Some((product, entry)) => {
            (product.as_str(), entry.place.as_str(), entry.currency.code(), entry.effective)
        }
    };
    let rows: Vec<ChangeRow> = on_engine!(session, CHANGES, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(product).bind(place).bind(currency);
        query.bind(Instant(effective)).bind(limit).fetch_all(conn).await
    })?;
    changes(rows)
}

/// Entries of the price history that a version of the catalogue above `version` has stamped, in the order of
/// [`changes_page`]. An entry of the same product, place, currency and instant replaces an earlier one.
pub async fn changes_since(
    session: &mut impl Session,
    tenant: &Tenant,
    version: i64,
) -> Outcome<Vec<(String, PriceEntry)>> {
    let rows: Vec<ChangeRow> = on_engine!(session, CHANGES_SINCE, |sql, conn| {
        sqlx::query_as(sql).bind(tenant.as_str()).bind(version).fetch_all(conn).await
    })?;
    changes(rows)
}
