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
pub mod list;
mod place;
mod statements;
pub mod table;
pub mod unit;
pub mod word;

use jiff::Timestamp;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tandem_kernel::id;

pub use cell::{Cell, Kind, Plain, of_document, to_document};
pub use place::{Order, Position};
pub use table::{Col, Table, kind_of, plain};
pub use unit::{Begun, Unit};

use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::outbox::Recorded;
use crate::service::Core;

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

/// What every resource has.
#[derive(Debug, Clone, Copy)]
pub struct Stem<'a> {
    /// Its id within the tenant.
    pub id: &'a str,
    /// Counts its changes from 1.
    pub version: i64,
    /// When it was created.
    pub created: Timestamp,
}

/// The resource `id` as it is; NOT_FOUND where there is none.
pub async fn find<T: Resource>(core: &Core, call: &Call, id: &str) -> Outcome<T> {
    let mut reader = core.db.read().await?;
    let found = T::TABLE.find(&mut reader, &call.tenant, id).await?;
    found.ok_or_else(|| not_found::<T>(id))
}

/// An event about this version of a resource: the message `payload`, whose full name is `type_`.
pub fn told<T: Resource, M: Message>(type_: &'static str, of: &T, payload: &M) -> Recorded {
    Recorded::new(type_, of.name(), of.stem().version, payload)
}

fn not_found<T: Resource>(id: &str) -> Fault {
    Fault::not_found(id::name(T::COLLECTION, id))
}
