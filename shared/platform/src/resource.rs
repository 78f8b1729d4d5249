//! Resources: things with a name, versions and a row of their own. What the standard methods (create, get, list, update,
//! archive, delete) do is written here once; an aggregate states what is its own.
//!
//! - [`table`]: the columns of an aggregate stand in one place, a [`Table`]. From it come its standard statements, how its
//!   rows are read and how they are written.
//! - [`unit`]: a command reads as its decision. [`once!`](crate::once) claims the request, answers its repetition, runs
//!   the body in a transaction, stores what was decided with its events and keeps the outcome.
//! - [`asked`]: what every service does with a request before and after; [`list`]: pages of what there is.
//!
//! ```
//! use jiff::Timestamp;
//! use serde::{Deserialize, Serialize};
//! use tandem_platform::idempotency::Request;
//! use tandem_platform::outbox::Recorded;
//! use tandem_platform::resource::{Resource, Stem, Table};
//! use tandem_platform::{Call, Core, Outcome, columns, once};
//!
//! #[derive(Debug, Clone, Default, Serialize, Deserialize)]
//! struct Note { id: String, title: String, version: i64, created: Timestamp }
//!
//! static NOTES: Table<Note> = Table::new("note", columns![Note;
//!     "id" => plain(id), "title" => plain(title), "version" => plain(version), "created" => plain(created),
//! ]);
//!
//! impl Resource for Note {
//!     const COLLECTION: &'static str = "notes";
//!     const TABLE: &'static Table<Self> = &NOTES;
//!
//!     fn stem(&self) -> Stem<'_> {
//!         Stem { id: &self.id, version: self.version, created: self.created }
//!     }
//! }
//!
//! fn updated(note: &Note) -> Recorded {
//!     Recorded { type_: "NoteUpdated", aggregate: note.name(), version: note.version, payload: Default::default() }
//! }
//!
//! async fn rename(core: &Core, call: &Call, request: &Request, id: &str, etag: &str, title: &str) -> Outcome<Note> {
//!     once!(core, call, request, |unit| {
//!         let note: Note = unit.lock(id, etag).await?;
//!         unit.save(Note { title: title.to_owned(), version: note.version + 1, ..note }, updated)
//!     })
//! }
//! ```

pub mod asked;
mod cell;
mod column;
pub mod list;
mod place;
mod read;
mod statements;
pub mod table;
pub mod unit;
pub mod word;

pub use cell::{Cell, Kind, Plain, of_document, to_document};
pub use column::{Col, kind_of, plain};
pub use place::{Order, Position, Stem};
pub use read::{find, told};
pub use table::{Resource, Table};
pub use unit::{Begun, Unit};
