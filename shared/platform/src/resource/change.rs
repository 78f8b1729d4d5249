//! What a caller wants of a resource: a new one, this version, or other values in some of its fields.

use super::table::Resource;
use crate::fault::Violations;
use crate::{field, grpc};

/// A new resource.
#[derive(Debug, Clone)]
pub struct New<D> {
    /// The id it gets.
    pub id: String,
    /// What the caller says of it.
    pub given: D,
}

/// One version of a resource.
#[derive(Debug, Clone, Default)]
pub struct Touch {
    /// Which resource.
    pub id: String,
    /// Of the version that the caller has read, or empty.
    pub etag: String,
}

impl Touch {
    /// Reads the name of a resource, which stands in `field`, and an etag.
    pub fn read<T: Resource>(v: &mut Violations, field: &str, name: &str, etag: &str) -> Self {
        Self { id: field::resource(v, field, T::COLLECTION, name), etag: etag.to_owned() }
    }
}

/// A field that an update may name, and how it is taken over: `("title", |note, given| note.title.clone_from(&given.title))`.
pub type Field<D> = (&'static str, fn(&mut D, &D));

/// Other values for some fields of `D`: what the owner of a resource says of it.
#[derive(Debug, Clone)]
pub struct Change<D> {
    /// What is changed.
    pub touch: Touch,
    fields: Vec<Field<D>>,
    mask: grpc::Mask,
    given: D,
}

impl<D: Clone> Change<D> {
    /// Of those of `fields` that the mask has, in their order.
    pub fn new(touch: Touch, fields: &[Field<D>], mask: grpc::Mask, given: D) -> Self {
        let fields = fields.iter().filter(|(name, _)| mask.has(name)).copied().collect();
        Self { touch, fields, mask, given }
    }

    /// What `before` becomes.
    pub fn of(&self, before: &D) -> D {
        let mut next = before.clone();
        self.fields.iter().for_each(|(_, take)| take(&mut next, &self.given));
        next
    }

    /// What the caller sent, where this field is changed.
    pub fn given(&self, field: &str) -> Option<&D> {
        self.mask.has(field).then_some(&self.given)
    }

    /// All that the caller sent, whatever is changed: what a resource begins with that is not there yet.
    pub fn whole(&self) -> &D {
        &self.given
    }

    /// Whether the caller names this field, rather than meaning whatever is said or everything.
    pub fn names(&self, field: &str) -> bool {
        self.mask.names(field)
    }
}
