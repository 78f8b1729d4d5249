//! One column of one row, between a resource and the database.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{ColumnIndex, Decode, Error, Row, Type};

use crate::db::{Column, Instant};
use crate::fault::{Fault, Outcome};

/// What kind of value a column holds; each may be null where the table admits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `text`
    Text,
    /// `bigint`
    Int,
    /// `boolean`
    Bool,
    /// `timestamptz`
    Instant,
    /// `jsonb`
    Json,
}

/// A value of a column. `None` is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Of [`Kind::Text`].
    Text(Option<String>),
    /// Of [`Kind::Int`].
    Int(Option<i64>),
    /// Of [`Kind::Bool`], never null.
    Bool(bool),
    /// Of [`Kind::Instant`].
    Instant(Option<Timestamp>),
    /// Of [`Kind::Json`]: the document as a text.
    Json(Option<String>),
}

impl Kind {
    /// The type of an array of such values on PostgreSQL.
    pub(super) fn array(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Int => "bigint[]",
            Self::Bool => "boolean[]",
            Self::Instant => "timestamptz[]",
            Self::Json => "jsonb[]",
        }
    }

    /// Such values as a parameter. One of another kind is null.
    pub(super) fn column(self, cells: impl Iterator<Item = Cell>) -> Column {
        match self {
            Self::Text => Column::OptText(cells.map(Cell::text).collect()),
            Self::Int => Column::OptInt(cells.map(Cell::int).collect()),
            Self::Bool => Column::Bool(cells.map(|cell| cell == Cell::Bool(true)).collect()),
            Self::Instant => Column::OptInstant(cells.map(Cell::instant).collect()),
            Self::Json => Column::OptJson(cells.map(Cell::json).collect()),
        }
    }
}

impl Cell {
    /// The text, if it is one.
    pub fn text(self) -> Option<String> {
        if let Self::Text(text) = self { text } else { None }
    }

    /// The number, if it is one.
    pub fn int(self) -> Option<i64> {
        if let Self::Int(number) = self { number } else { None }
    }

    /// The instant, if it is one.
    pub fn instant(self) -> Option<Timestamp> {
        if let Self::Instant(instant) = self { instant } else { None }
    }

    /// The document, if it is one.
    pub fn json(self) -> Option<String> {
        if let Self::Json(document) = self { document } else { None }
    }
}

/// A type that a column holds as it is.
pub trait Plain: Sized {
    /// The column's kind.
    const KIND: Kind;

    /// To the database.
    fn cell(&self) -> Cell;

    /// From the database; `None` for what no value of this type is written as.
    fn of(cell: Cell) -> Option<Self>;
}

impl Plain for String {
    const KIND: Kind = Kind::Text;

    fn cell(&self) -> Cell {
        Cell::Text(Some(self.clone()))
    }

    fn of(cell: Cell) -> Option<Self> {
        cell.text()
    }
}

impl Plain for i64 {
    const KIND: Kind = Kind::Int;

    fn cell(&self) -> Cell {
        Cell::Int(Some(*self))
    }

    fn of(cell: Cell) -> Option<Self> {
        cell.int()
    }
}

impl Plain for i32 {
    const KIND: Kind = Kind::Int;

    fn cell(&self) -> Cell {
        i64::from(*self).cell()
    }

    fn of(cell: Cell) -> Option<Self> {
        cell.int()?.try_into().ok()
    }
}

impl Plain for bool {
    const KIND: Kind = Kind::Bool;

    fn cell(&self) -> Cell {
        Cell::Bool(*self)
    }

    fn of(cell: Cell) -> Option<Self> {
        Some(cell == Cell::Bool(true))
    }
}

impl Plain for Timestamp {
    const KIND: Kind = Kind::Instant;

    fn cell(&self) -> Cell {
        Cell::Instant(Some(*self))
    }

    fn of(cell: Cell) -> Option<Self> {
        cell.instant()
    }
}

/// A type of which there may be nothing.
pub trait Nullable: Plain {
    /// Nothing of it.
    const NULL: Cell;
}

impl Nullable for String {
    const NULL: Cell = Cell::Text(None);
}

impl Nullable for Timestamp {
    const NULL: Cell = Cell::Instant(None);
}

impl<P: Nullable> Plain for Option<P> {
    const KIND: Kind = P::KIND;

    fn cell(&self) -> Cell {
        self.as_ref().map_or(P::NULL, Plain::cell)
    }

    fn of(cell: Cell) -> Option<Self> {
        if cell == P::NULL { Some(None) } else { P::of(cell).map(Some) }
    }
}

/// A document of its own kind of column.
pub fn to_document<T: Serialize>(value: &T) -> Outcome<Cell> {
    let text = serde_json::to_string(value);
    let text = text.map_err(|error| Fault::internal("a document cannot be written").caused_by(error))?;
    Ok(Cell::Json(Some(text)))
}

/// The same, read.
pub fn of_document<T: DeserializeOwned>(cell: Cell) -> Outcome<T> {
    let text = cell.json().ok_or_else(|| Fault::internal("a stored document is none"))?;
    serde_json::from_str(&text)
        .map_err(|error| Fault::internal("a stored document cannot be read").caused_by(error))
}

/// A row of either engine.
pub(super) trait Cells {
    fn cell(&self, place: usize, kind: Kind) -> Result<Cell, Error>;
}

impl Cells for PgRow {
    fn cell(&self, place: usize, kind: Kind) -> Result<Cell, Error> {
        read(self, place, kind)
    }
}

impl Cells for SqliteRow {
    fn cell(&self, place: usize, kind: Kind) -> Result<Cell, Error> {
        read(self, place, kind)
    }
}

fn read<R: Row>(row: &R, place: usize, kind: Kind) -> Result<Cell, Error>
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Instant: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Json<Box<RawValue>>: Decode<'r, R::Database> + Type<R::Database>,
{
    Ok(match kind {
        Kind::Text => Cell::Text(row.try_get(place)?),
        Kind::Int => Cell::Int(row.try_get(place)?),
        Kind::Bool => Cell::Bool(row.try_get(place)?),
        Kind::Instant => Cell::Instant(row.try_get::<Option<Instant>, _>(place)?.map(Instant::timestamp)),
        Kind::Json => {
            let document: Option<Json<Box<RawValue>>> = row.try_get(place)?;
            Cell::Json(document.map(|document| document.0.get().to_owned()))
        }
    })
}
