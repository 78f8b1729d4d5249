//! Taking one person out of everything that a service keeps, part by part: what every service does alike.
//!
//! A pseudonym takes the place of an id. Ledgers are the service's own; answers by request_id, events and events that were set
//! aside are gone through here ([`kept`]), each text by itself ([`scrub`]), by what the service says of its own ([`Rules`]).
//! What is left to do is one row of the service's, which goes on in [`turns`].

pub mod kept;
pub mod scrub;
pub mod turns;

pub use scrub::Rules;

/// Who is taken out, and what stands in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    id: String,
    name: String,
    pseudonym: String,
    hidden: String,
}

impl Person {
    /// The one of this id in a collection.
    pub fn new(collection: &str, id: &str, pseudonym: &str) -> Self {
        let name = |id| tandem_kernel::id::name(collection, id);
        Self { id: id.to_owned(), name: name(id), pseudonym: pseudonym.to_owned(), hidden: name(pseudonym) }
    }

    /// The id, which whatever is about them has in it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What stands in the place of the id.
    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// What stands in the place of their name.
    pub fn hidden(&self) -> &str {
        &self.hidden
    }

    /// What their name, or that of something of theirs, becomes.
    fn renamed(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.name)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", self.hidden))
    }
}

/// What a part has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// There may be more behind this place.
    On(String),
    /// Nothing is left of it.
    Through,
}

impl Went {
    /// On behind the last row of a page of at most `limit`, where that was full.
    pub fn behind<T>(page: &[T], limit: i64, place: impl Fn(&T) -> String) -> Self {
        let full = i64::try_from(page.len()) == Ok(limit);
        page.last().filter(|_| full).map_or(Self::Through, |last| Self::On(place(last)))
    }
}
