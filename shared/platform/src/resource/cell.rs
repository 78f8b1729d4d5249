//! One column of one row, between a resource and the database.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{Error, Row};

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

/// Writes down, for one type after the other, which cell it is.
macro_rules! plain {
    ($($type:ty, $kind:ident, |$value:ident| $cell:expr, |$read:ident| $of:expr;)+) => {$(
        impl Plain for $type {
            const KIND: Kind = Kind::$kind;

            fn cell(&self) -> Cell {
                let $value = self;
                $cell
            }

            fn of($read: Cell) -> Option<Self> {
                $of
            }
        }
    )+};
}

plain! {
    String, Text, |text| Cell::Text(Some(text.clone())), |cell| cell.text();
    Option<String>, Text, |text| Cell::Text(text.clone()), |cell| Some(cell.text());
    i64, Int, |number| Cell::Int(Some(*number)), |cell| cell.int();
    i32, Int, |number| Cell::Int(Some(i64::from(*number))), |cell| cell.int()?.try_into().ok();
    bool, Bool, |truth| Cell::Bool(*truth), |cell| Some(cell == Cell::Bool(true));
    Timestamp, Instant, |instant| Cell::Instant(Some(*instant)), |cell| cell.instant();
    Option<Timestamp>, Instant, |instant| Cell::Instant(*instant), |cell| Some(cell.instant());
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

macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn cell(&self, place: usize, kind: Kind) -> Result<Cell, Error> {
                Ok(match kind {
                    Kind::Text => Cell::Text(self.try_get(place)?),
                    Kind::Int => Cell::Int(self.try_get(place)?),
                    Kind::Bool => Cell::Bool(self.try_get(place)?),
                    Kind::Instant => {
                        Cell::Instant(self.try_get::<Option<Instant>, _>(place)?.map(Instant::timestamp))
                    }
                    Kind::Json => {
                        let document: Option<Json<Box<serde_json::value::RawValue>>> = self.try_get(place)?;
                        Cell::Json(document.map(|document| document.0.get().to_owned()))
                    }
                })
            }
        }
    };
}

cells!(PgRow);
cells!(SqliteRow);
