//! A map whose copies share what they have in common: a change copies one shard of it, not the whole, so that a
//! snapshot of 10,000 campaigns takes in a changed one without stalling anybody.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// 256: a shard of a large catalogue stays small enough to copy, and an empty map stays cheap.
const SHARDS: usize = 256;

type Shard<V> = HashMap<Arc<str>, V, RandomState>;

/// Texts to values. Cloning it copies 256 pointers; `V` is cloned with its shard when a neighbour changes, so it is
/// best an `Arc`.
#[derive(Debug, Clone)]
pub struct Shards<V> {
    /// None before the first entry: most maps of most tenants stay empty.
    shards: Vec<Arc<Shard<V>>>,
    place: RandomState,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { shards: Vec::new(), place: RandomState::default() }
    }
}

impl<V> Shards<V> {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.shards.get(self.shard_of(key))?.get(key)
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    fn shard_of(&self, key: &str) -> usize {
        (self.place.hash_one(key) >> 32) as usize % SHARDS
    }
}

impl<V: Clone> Shards<V> {
    /// Sets the value of `key`.
    pub fn insert(&mut self, key: Arc<str>, value: V) {
        self.shard_mut(&key).insert(key, value);
    }

    /// Removes `key`; nothing is copied where it is not there.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.get(key)?;
        self.shard_mut(key).remove(key)
    }

    /// The value of `key` to be changed; nothing is copied where it is not there.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.get(key)?;
        self.shard_mut(key).get_mut(key)
    }

    /// The value of `key` to be changed, made by `empty` where there is none.
    pub fn entry(&mut self, key: &Arc<str>, empty: impl FnOnce() -> V) -> &mut V {
        self.shard_mut(key).entry(key.clone()).or_insert_with(empty)
    }

    fn shard_mut(&mut self, key: &str) -> &mut Shard<V> {
        if self.shards.is_empty() {
            self.shards = vec![Arc::default(); SHARDS];
        }
        let place = self.shard_of(key);
        Arc::make_mut(&mut self.shards[place])
    }
}
