//! What a caller wants of a resource: a new one, this version, or other values in some of its fields.

use std::collections::BTreeMap;

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

/// What the owner of a resource says of it, where a mask may name one entry of a map: `attributes.shoe_size`.
pub trait Maps {
    /// The maps.
    const NAMES: &'static [&'static str] = &[];

    /// The map of this name, which is one of those.
    fn map(&mut self, name: &str) -> Option<&mut BTreeMap<String, String>> {
        let _ = name;
        None
    }
}

/// An entry of a map, and what it becomes; nothing where it goes.
type Entry = (&'static str, String, Option<String>);

/// Other values for some fields of `D`: what the owner of a resource says of it.
#[derive(Debug, Clone)]
pub struct Change<D> {
    /// What is changed.
    pub touch: Touch,
    fields: Vec<Field<D>>,
    entries: Vec<Entry>,
    mask: grpc::Mask,
    given: D,
}

impl<D: Clone + Maps> Change<D> {
    /// Of those of `fields` that the mask has, in their order, and of the entries that it names.
    pub fn new(touch: Touch, fields: &[Field<D>], mask: grpc::Mask, given: D) -> Self {
        let fields = fields.iter().filter(|(name, _)| mask.has(name)).copied().collect();
        let mut said = given.clone();
        let entries = mask.entries().iter().map(|(map, key)| {
            let value = said.map(map).and_then(|map| map.get(key).cloned());
            (*map, key.clone(), value)
        });
        let entries = entries.collect();
        Self { touch, fields, entries, mask, given }
    }

    /// What `before` becomes.
    pub fn of(&self, before: &D) -> D {
        let mut next = before.clone();
        self.fields.iter().for_each(|(_, take)| take(&mut next, &self.given));
        for (map, key, value) in &self.entries {
            let Some(map) = next.map(map) else { continue };
            match value {
                Some(value) => drop(map.insert(key.clone(), value.clone())),
                None => drop(map.remove(key)),
            }
        }
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
