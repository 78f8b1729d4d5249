//! Parameters of set-based statements: many rows in one round trip, with a constant text.
//!
//! On PostgreSQL each column is one array for `UNNEST($2::text[], $3::bigint[], …)`. SQLite has no arrays: there all
//! columns together are ONE parameter, the JSON text `[[row],[row]]`, read with `json_each($2)` and
//! `value->>0`, `value->>1`, … . Scalars are bound first, columns last.
//!
//! | column | PostgreSQL | SQLite |
//! |---|---|---|
//! | `Text`, `Json` | `text[]`, `jsonb[]` | `value->>n` |
//! | `Int` | `bigint[]` | `value->>n` |
//! | `Bool` | `boolean[]` | `value->>n` (0 or 1) |
//! | `Instant` | `timestamptz[]` | `value->>n` (microseconds) |
//! | `Uuid`, `Bytes` | `uuid[]`, `bytea[]` | `unhex(value->>n)` |
//!
//! On PostgreSQL a join of `UNNEST` with a large table (`UPDATE … FROM UNNEST`, `(a, b) IN (SELECT … UNNEST)`) is
//! planned by statistics that a fast-growing table does not have yet: the plan then reads every row of the tenant for
//! each batch. On hot paths use what can only probe the key: `INSERT … ON CONFLICT (key) DO UPDATE` to write, and
//! `UNNEST … CROSS JOIN LATERAL (SELECT … WHERE key = … LIMIT 1)` to read or lock. `idempotency` shows both.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgHasArrayType, PgTypeInfo};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::sqlite::SqliteArguments;
use sqlx::types::Json;
use sqlx::{Database, Encode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::Instant;
use crate::fault::{Fault, Outcome};

/// One column of the rows that a set-based statement takes. All columns of a statement have the same length.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// `text[]`
    Text(Vec<String>),
    /// `text[]` with nulls
    OptText(Vec<Option<String>>),
    /// `bigint[]`
    Int(Vec<i64>),
    /// `bigint[]` with nulls
    OptInt(Vec<Option<i64>>),
    /// `boolean[]`
    Bool(Vec<bool>),
    /// `uuid[]`
    Uuid(Vec<Uuid>),
    /// `uuid[]` with nulls
    OptUuid(Vec<Option<Uuid>>),
    /// `timestamptz[]`
    Instant(Vec<Timestamp>),
    /// `timestamptz[]` with nulls
    OptInstant(Vec<Option<Timestamp>>),
    /// `jsonb[]`; each entry is a JSON text, see [`Column::json`].
    Json(Vec<String>),
    /// `jsonb[]` with nulls
    OptJson(Vec<Option<String>>),
    /// `bytea[]`
    Bytes(Vec<Vec<u8>>),
    /// `bytea[]` with nulls
    OptBytes(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// A column of texts.
    pub fn text<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::Text(values.into_iter().map(Into::into).collect())
    }

    /// A column of whole numbers.
    pub fn int(values: impl IntoIterator<Item = i64>) -> Self {
        Self::Int(values.into_iter().collect())
    }

    /// A column of ids.
    pub fn uuid(values: impl IntoIterator<Item = Uuid>) -> Self {
        Self::Uuid(values.into_iter().collect())
    }

    /// A column of documents, each written as JSON. INTERNAL where one cannot be (a map with keys that are no text).
    pub fn json<T: Serialize>(values: impl IntoIterator<Item = T>) -> Outcome<Self> {
        documents(values).map(Self::Json)
    }

    /// A column of such documents as texts.
    pub fn json_text<T: Serialize>(values: impl IntoIterator<Item = T>) -> Outcome<Self> {
        documents(values).map(Self::Text)
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) | Self::Json(values) => values.len(),
            Self::OptText(values) | Self::OptJson(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::OptInt(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Uuid(values) => values.len(),
            Self::OptUuid(values) => values.len(),
            Self::Instant(values) => values.len(),
            Self::OptInstant(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::OptBytes(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn write(&self, row: usize, into: &mut String) {
        match self {
            Self::Text(values) | Self::Json(values) => write_text(&values[row], into),
            Self::OptText(values) | Self::OptJson(values) => {
                write_or_null(&values[row], into, |v, o| write_text(v, o))
            }
            Self::Int(values) => write_int(values[row], into),
            Self::OptInt(values) => write_or_null(&values[row], into, |v, o| write_int(*v, o)),
            Self::Bool(values) => into.push(if values[row] { '1' } else { '0' }),
            Self::Uuid(values) => write_hex(values[row].as_bytes(), into),
            Self::OptUuid(values) => write_or_null(&values[row], into, |v, o| write_hex(v.as_bytes(), o)),
            Self::Instant(values) => write_int(values[row].as_microsecond(), into),
            Self::OptInstant(values) => {
                write_or_null(&values[row], into, |v, o| write_int(v.as_microsecond(), o))
            }
            Self::Bytes(values) => write_hex(&values[row], into),
            Self::OptBytes(values) => write_or_null(&values[row], into, |v, o| write_hex(v, o)),
        }
    }
}

fn write_or_null<T>(value: &Option<T>, into: &mut String, write: impl FnOnce(&T, &mut String)) {
    match value {
        Some(value) => write(value, into),
        None => into.push_str("null"),
    }
}

fn write_int(value: i64, into: &mut String) {
    // Writing into a String cannot fail.
    let _ = write!(into, "{value}");
}

fn write_hex(bytes: &[u8], into: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    into.push('"');
    for byte in bytes {
        into.push(DIGITS[usize::from(byte >> 4)]);
        into.push(DIGITS[usize::from(byte & 15)]);
    }
    into.push('"');
}

fn write_text(text: &str, into: &mut String) {
    into.push('"');
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(into, "\\u{:04x}", u32::from(control));
            }
            other => into.push(other),
        }
    }
    into.push('"');
}

/// The length that all columns share, or `None` where they differ.
fn rows(columns: &[Column]) -> Option<usize> {
    let first = columns.first().map_or(0, Column::len);
    columns.iter().all(|column| column.len() == first).then_some(first)
}

fn documents<T: Serialize>(values: impl IntoIterator<Item = T>) -> Outcome<Vec<String>> {
    let written: Result<Vec<String>, _> =
        values.into_iter().map(|value| serde_json::to_string(&value)).collect();
    written.map_err(|error| Fault::internal("a document cannot be written as JSON").caused_by(error))
}

fn json_rows(columns: &[Column], rows: usize) -> String {
    let mut out = String::with_capacity(2 + rows * columns.len() * 24);
    out.push('[');
    for row in 0..rows {
        out.push_str(if row == 0 { "[" } else { ",[" });
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            column.write(row, &mut out);
        }
        out.push(']');
    }
    out.push(']');
    out
}

/// Binds columns after the scalars; made for the bodies of [`on_engine!`](crate::on_engine), where one text serves both
/// engines. Columns of unequal length make the statement fail before it is sent.
pub trait BindColumns<'q>: Sized {
    /// Binds `columns` as the next parameters: one each on PostgreSQL, one in all on SQLite.
    fn bind_columns(self, columns: &'q [Column]) -> Self;
}

/// A parameter that cannot be sent: how a builder without a `Result` reports columns of unequal length.
struct Unequal;

impl<DB: Database> Type<DB> for Unequal
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <i64 as Type<DB>>::type_info()
    }
}

impl<'q, DB: Database> Encode<'q, DB> for Unequal {
    fn encode_by_ref(&self, _buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Err("the columns of one statement differ in length".into())
    }
}

/// A JSON text as `jsonb`, without parsing it here.
struct JsonText<'a>(&'a str);

impl Type<Postgres> for JsonText<'_> {
    fn type_info() -> PgTypeInfo {
        <Json<()> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for JsonText<'_> {
    fn array_type_info() -> PgTypeInfo {
        <Json<()> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for JsonText<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The version byte of jsonb's binary form.
        buffer.push(1);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

macro_rules! bind_columns {
    ($query:ident $(, $output:ident)?) => {
        impl<'q $(, $output)?> BindColumns<'q> for $query<'q, Postgres, $($output,)? PgArguments> {
            fn bind_columns(self, columns: &'q [Column]) -> Self {
                if rows(columns).is_none() {
                    return self.bind(Unequal);
                }
                columns.iter().fold(self, |query, column| match column {
                    Column::Text(values) => query.bind(values),
                    Column::OptText(values) => query.bind(values),
                    Column::Int(values) => query.bind(values),
                    Column::OptInt(values) => query.bind(values),
                    Column::Bool(values) => query.bind(values),
                    Column::Uuid(values) => query.bind(values),
                    Column::OptUuid(values) => query.bind(values),
                    Column::Instant(values) => query.bind(values.iter().copied().map(Instant).collect::<Vec<_>>()),
                    Column::OptInstant(values) => {
                        query.bind(values.iter().map(|value| value.map(Instant)).collect::<Vec<_>>())
                    }
                    Column::Json(values) => query.bind(values.iter().map(|v| JsonText(v)).collect::<Vec<_>>()),
                    Column::OptJson(values) => {
                        query.bind(values.iter().map(|v| v.as_deref().map(JsonText)).collect::<Vec<_>>())
                    }
                    Column::Bytes(values) => query.bind(values),
                    Column::OptBytes(values) => query.bind(values),
                })
            }
        }

        impl<'q $(, $output)?> BindColumns<'q> for $query<'q, Sqlite, $($output,)? SqliteArguments> {
            fn bind_columns(self, columns: &'q [Column]) -> Self {
                match rows(columns) {
                    Some(rows) => self.bind(json_rows(columns, rows)),
                    None => self.bind(Unequal),
                }
            }
        }
    };
}

bind_columns!(Query);
bind_columns!(QueryAs, O);
bind_columns!(QueryScalar, O);
