//! The rows of a resource: its columns stand once, and its standard statements, its reading and its writing come from them.

use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use tandem_kernel::id;

use super::cell::{Cell, Cells};
use super::column::{Col, Shape};
use super::place::{Order, Position, Stem};
use super::statements::{self, Statements};
use crate::call::Tenant;
use crate::db::{BindColumns, Column, Composed, Instant, Session, Statement, Tx, Write};
use crate::fault::{Fault, Outcome};

use crate::on_engine;

/// A thing that has the standard methods.
pub trait Resource: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The first part of every name: `customers`.
    const COLLECTION: &'static str;

    /// Where its rows are.
    const TABLE: &'static Table<Self>;

    /// What every resource has.
    fn stem(&self) -> Stem<'_>;

    /// Its name: `customers/42`.
    fn name(&self) -> String {
        id::name(Self::COLLECTION, self.stem().id)
    }
}

/// Where the rows of a resource are: a table with the key (tenant, id).
#[derive(Debug)]
pub struct Table<T: 'static> {
    shape: Shape,
    columns: &'static [Col<T>],
    statements: OnceLock<Statements>,
}

/// A row that begins with all columns of a resource, of a statement that was put together; see [`Table::compose`].
#[derive(Debug)]
pub struct Whole<T>(pub Outcome<T>);

impl<'r, T: Resource> FromRow<'r, PgRow> for Whole<T> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        T::TABLE.read(row).map(Self)
    }
}

impl<'r, T: Resource> FromRow<'r, SqliteRow> for Whole<T> {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        T::TABLE.read(row).map(Self)
    }
}

impl<T: Resource> Table<T> {
    /// The table `name` of these columns, `id`, `version` and `created` among them.
    pub const fn new(name: &'static str, columns: &'static [Col<T>]) -> Self {
        let shape = Shape { name, seen: "", stamp: None, on_save: "", lock: "FOR NO KEY UPDATE" };
        Self { shape, columns, statements: OnceLock::new() }
    }

    /// Of which callers see only the rows for which `condition` holds, for instance " AND NOT t.deleted". See [`Table::lock_any`].
    #[must_use]
    pub const fn seen(mut self, condition: &'static str) -> Self {
        self.shape.seen = condition;
        self
    }

    /// Whose column `stamp` every write fills with [`Unit::stamp`](super::Unit::stamp).
    #[must_use]
    pub const fn stamped(mut self, stamp: &'static str) -> Self {
        self.shape.stamp = Some(stamp);
        self
    }

    /// Whose next versions also set something: ", settled = false".
    #[must_use]
    pub const fn on_save(mut self, also: &'static str) -> Self {
        self.shape.on_save = also;
        self
    }

    /// Whose rows are locked in this way.
    #[must_use]
    pub const fn locked(mut self, lock: &'static str) -> Self {
        self.shape.lock = lock;
        self
    }

    fn standard(&self) -> &Statements {
        self.statements.get_or_init(|| Statements::of(&self.shape, self.columns))
    }

    /// Every standard statement, for the test that prepares them on both engines.
    pub fn statements(&self) -> Vec<(&'static str, Statement)> {
        self.standard().all()
    }

    /// A statement that reads all columns of those rows of a tenant ($1) for which `rest` says more; the table is called
    /// `t`. To be made once and kept.
    pub fn select(&self, rest: &str) -> Statement {
        let text = statements::select(&self.shape, self.columns, rest);
        Statement::made(text.clone(), text)
    }

    /// Adds the names of all columns, each behind `alias`, to a statement that is put together; its rows are read as [`Whole`].
    pub fn compose(&self, into: &mut Composed, alias: &'static str) {
        for (place, column) in self.columns.iter().enumerate() {
            into.sql(if place == 0 { "" } else { ", " }).sql(alias).sql(".").sql(column.name);
        }
    }

    /// The names of all columns, each behind `alias`, for other statements that read them.
    pub fn listed(&self, alias: &str) -> String {
        statements::listed(self.columns, alias)
    }

    /// A row that begins with all columns.
    pub(super) fn read<R: Cells>(&self, row: &R) -> Result<Outcome<T>, sqlx::Error> {
        let mut of = T::default();
        for (place, column) in self.columns.iter().enumerate() {
            let cell = row.cell(place, column.kind)?;
            if let Err(fault) = (column.set)(&mut of, cell) {
                return Ok(Err(fault.with("column", column.name)));
            }
        }
        Ok(Ok(of))
    }

    /// Rows that begin with all columns, for the bodies of [`on_engine!`].
    #[expect(private_bounds, reason = "the rows of the two engines, and no others")]
    pub fn all<R: Cells>(&self, rows: &[R]) -> Result<Outcome<Vec<T>>, sqlx::Error> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            match self.read(row)? {
                Ok(one) => all.push(one),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(all))
    }

    /// The resource `id`.
    pub async fn find(&self, session: &mut impl Session, tenant: &Tenant, id: &str) -> Outcome<Option<T>> {
        self.one(session, self.standard().find, tenant, id).await
    }

    /// The resource `id`, to be changed in this transaction; also one that callers do not see.
    pub async fn lock_any(&self, tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<T>> {
        self.one(tx, self.standard().lock_any, tenant, id).await
    }

    /// The resource `id`, to be changed in this transaction.
    pub async fn lock(&self, tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<T>> {
        self.one(tx, self.standard().lock, tenant, id).await
    }

    /// The resource `id`, which nobody changes until this transaction ends.
    pub async fn share(&self, tx: &mut Tx, tenant: &Tenant, id: &str) -> Outcome<Option<T>> {
        self.one(tx, self.standard().share, tenant, id).await
    }

    async fn one(
        &self,
        session: &mut impl Session,
        statement: Statement,
        tenant: &Tenant,
        id: &str,
    ) -> Outcome<Option<T>> {
        let found = on_engine!(session, statement, |sql, conn| {
            let row = sqlx::query(sql).bind(tenant.as_str()).bind(id).fetch_optional(conn).await;
            row.and_then(|row| row.map(|row| self.read(&row)).transpose())
        })?;
        found.transpose()
    }

    /// Those of these that exist, to be changed in this transaction; locked and answered in the order of their ids.
    pub async fn lock_many(&self, tx: &mut Tx, tenant: &Tenant, mut ids: Vec<String>) -> Outcome<Vec<T>> {
        ids.sort_unstable();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let columns = [Column::Text(ids)];
        on_engine!(tx, self.standard().lock_many, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str()).bind_columns(&columns);
            query.fetch_all(conn).await.and_then(|rows| self.all(&rows))
        })?
    }

    /// At most `limit` of those that callers see, behind `after`.
    pub async fn page(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        order: Order,
        after: &Position,
        limit: usize,
    ) -> Outcome<Vec<T>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (standard, by_name) = (self.standard(), matches!(order, Order::Name | Order::NameDescending));
        let statement = match order {
            Order::Name => standard.by_name,
            Order::NameDescending => standard.by_name_descending,
            Order::Time => standard.by_time,
            Order::TimeDescending => standard.by_time_descending,
        };
        on_engine!(session, statement, |sql, conn| {
            let query = sqlx::query(sql).bind(tenant.as_str());
            let query = if by_name { query } else { query.bind(Instant(after.created)) };
            let rows = query.bind(&after.id).bind(limit).fetch_all(conn).await;
            rows.and_then(|rows| self.all(&rows))
        })?
    }

    /// Writes new ones; those whose ids are taken are left out.
    pub fn insert(&self, rows: &[T], stamp: Option<i64>) -> Outcome<Write> {
        Ok(self.write(self.standard().insert, rows, stamp)?.where_needed())
    }

    /// Writes the next versions of locked ones, and new ones that nobody else can make: a version that is not the next one
    /// is INTERNAL.
    pub fn save(&self, rows: &[T], stamp: Option<i64>) -> Outcome<Write> {
        self.write(self.standard().save, rows, stamp)
    }

    fn write(&self, statement: Statement, rows: &[T], stamp: Option<i64>) -> Outcome<Write> {
        let mut write = Write::new(statement);
        if self.shape.stamp.is_some() {
            let missing = || Fault::internal("a stamped table was written without a stamp");
            write = write.int(stamp.ok_or_else(missing)?);
        }
        Ok(write.columns(self.values(rows)?))
    }

    /// The columns of rows as parameters, for other statements that write them.
    pub fn values(&self, rows: &[T]) -> Outcome<Vec<Column>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            let cells: Vec<Cell> = rows.iter().map(column.get).collect::<Outcome<_>>()?;
            columns.push(column.kind.column(cells.into_iter()));
        }
        Ok(columns)
    }
}
