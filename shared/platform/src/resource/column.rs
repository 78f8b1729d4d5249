//! The columns of a resource, each in one place.

use super::cell::{Cell, Kind, Plain};
use crate::fault::{Fault, Outcome};

/// One column: its name, and how it comes out of a resource and back. Made by [`columns!`](crate::columns).
pub struct Col<T> {
    /// In the table.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Out of a resource.
    pub get: fn(&T) -> Outcome<Cell>,
    /// Into one.
    pub set: fn(&mut T, Cell) -> Outcome<()>,
}

impl<T> std::fmt::Debug for Col<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Col").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The kind of column of the part of `T` that a function points at.
pub const fn kind_of<T, P: Plain>(_: fn(&T) -> &P) -> Kind {
    P::KIND
}

/// A cell as the part of a resource that it is.
pub fn plain<P: Plain>(cell: Cell) -> Outcome<P> {
    P::of(cell).ok_or_else(|| Fault::internal("a stored value is not what its column holds"))
}

/// The columns of a resource: `columns![Note; "title" => plain(title), "labels" => json(definition.labels)]`.
///
/// - `plain(path)`: a value that a column holds as it is, see [`Plain`](crate::resource::Plain).
/// - `word(path)`: an enum without fields, as the word that serde writes.
/// - `json(path)`: anything else, as a document.
/// - `with(kind, get, set)`: where a column is no single part of the resource. Columns are set in their order.
#[macro_export]
macro_rules! columns {
    ($of:ty; $($name:literal => $how:ident ($($what:tt)+)),+ $(,)?) => {
        &[$($crate::columns!(@ $of, $name, $how, $($what)+)),+]
    };
    (@ $of:ty, $name:literal, plain, $($path:tt)+) => {
        $crate::resource::Col {
            name: $name,
            kind: $crate::resource::kind_of(|of: &$of| &of.$($path)+),
            get: |of: &$of| Ok($crate::resource::Plain::cell(&of.$($path)+)),
            set: |of: &mut $of, cell| {
                of.$($path)+ = $crate::resource::plain(cell)?;
                Ok(())
            },
        }
    };
    (@ $of:ty, $name:literal, word, $($path:tt)+) => {
        $crate::resource::Col {
            name: $name,
            kind: $crate::resource::Kind::Text,
            get: |of: &$of| Ok($crate::resource::Cell::Text(Some($crate::resource::word::of(&of.$($path)+)))),
            set: |of: &mut $of, cell| {
                of.$($path)+ = $crate::resource::word::parse(&cell.text().unwrap_or_default())?;
                Ok(())
            },
        }
    };
    (@ $of:ty, $name:literal, json, $($path:tt)+) => {
        $crate::resource::Col {
            name: $name,
            kind: $crate::resource::Kind::Json,
            get: |of: &$of| $crate::resource::to_document(&of.$($path)+),
            set: |of: &mut $of, cell| {
                of.$($path)+ = $crate::resource::of_document(cell)?;
                Ok(())
            },
        }
    };
    (@ $of:ty, $name:literal, with, $kind:ident, $get:expr, $set:expr) => {
        $crate::resource::Col { name: $name, kind: $crate::resource::Kind::$kind, get: $get, set: $set }
    };
}

/// What of a table is not a column.
#[derive(Debug)]
pub(super) struct Shape {
    pub name: &'static str,
    /// A condition on what callers see, in SQL behind the others.
    pub seen: &'static str,
    /// A column that no resource has, which every write fills with the unit's stamp.
    pub stamp: Option<&'static str>,
    /// What else a next version sets, in SQL behind the columns.
    pub on_save: &'static str,
    /// How a row is locked to be changed.
    pub lock: &'static str,
}
