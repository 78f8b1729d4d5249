//! Resources: things with a name, versions and a row of their own. What the standard methods (create, get, list, update,
//! archive, delete) do is written here once; an aggregate states what is its own.
//!
//! - [`table`]: the columns of an aggregate stand in one place, a [`Table`]. From it come its standard statements, how its
//!   rows are read and how they are written.
//! - [`unit`]: a command reads as its decision. [`once!`](crate::once) claims the request, answers its repetition, runs
//!   the body in a transaction, stores what was decided with its events and keeps the outcome.
//! - [`asked`]: what every service does with a request before its command: a [`New`] resource, one version of it
//!   ([`Touch`]), other values in some of its fields ([`Change`]); [`list`]: pages of what there is.
//!
//! ```
//! use jiff::Timestamp;
//! use serde::{Deserialize, Serialize};
//! use tandem_platform::outbox::Recorded;
//! use tandem_platform::resource::{Change, Field, Maps, Resource, Stem, Table};
//! use tandem_platform::service::{Asked, Core};
//! use tandem_platform::{Outcome, columns, once};
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
//! /// It has no map of which an update might name one entry.
//! impl Maps for Note {}
//!
//! const FIELDS: &[Field<Note>] = &[("title", |note, given| note.title.clone_from(&given.title))];
//!
//! async fn update(core: Core, asked: Asked<Change<Note>>) -> Outcome<Note> {
//!     once!(core, asked, |unit, change| {
//!         let note: Note = unit.lock(&change.touch).await?;
//!         unit.save(Note { version: note.version + 1, ..change.of(&note) }, updated)
//!     })
//! }
//! ```

pub mod asked;
mod cell;
mod change;
mod column;
pub mod list;
mod place;
mod read;
mod statements;
pub mod table;
pub mod unit;
pub mod word;

pub use cell::{Cell, Kind, Plain, of_document, to_document};
pub use change::{Change, Field, Maps, New, Touch};
pub use column::{Col, kind_of, plain};
pub use place::{Order, Position, Stem};
pub use read::{find, told};
pub use table::{Resource, Table, Whole};
pub use unit::{Begun, Unit};
