//! What was read or compiled once and is kept in memory up to a bound. What was not asked for while as many others were is
//! forgotten; whoever asks for it again reads it again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

/// Values that are cheap to clone, by key.
#[derive(Debug)]
pub struct Kept<K, V> {
    generation: usize,
    generations: RwLock<Generations<K, V>>,
}

/// What was used since the young generation was begun, and what was used before that. When the young one is full it
/// becomes the old one, and what nobody asked for meanwhile is gone.
#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
}

impl<K: Eq + Hash + Clone, V: Clone> Kept<K, V> {
    /// Keeps the last `generation` values at least; twice as many at most.
    pub fn new(generation: usize) -> Self {
        let generations = Generations { young: HashMap::default(), old: HashMap::default() };
        Self { generation: generation.max(1), generations: RwLock::new(generations) }
    }

    /// What is kept under a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let value = {
            let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(value) = generations.young.get(key) {
                return Some(value.clone());
            }
            generations.old.get(key)?.clone()
        };
        // Somebody may have put a newer one meanwhile.
        Some(self.change(key, |kept| kept.cloned().unwrap_or(value)))
    }

    /// Keeps a value, instead of the one that was kept under the same key.
    pub fn put(&self, key: K, value: V) {
        self.change(&key, |_| value);
    }

    /// Keeps what `next` makes of what is kept under a key; answers it. Nobody else changes it meanwhile.
    pub fn change(&self, key: &K, next: impl FnOnce(Option<&V>) -> V) -> V {
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        let kept = generations.young.get(key).or_else(|| generations.old.get(key));
        let value = next(kept);
        if generations.young.len() >= self.generation && !generations.young.contains_key(key) {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(key.clone(), value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(kept: &Kept<u32, u32>) -> usize {
        let generations = kept.generations.read().unwrap();
        generations.young.len() + generations.old.len()
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let kept = Kept::new(8);
        for key in 0..1_000 {
            kept.put(key, key * 2);
            assert_eq!(kept.get(&0), Some(0), "asked for all the time");
            assert_eq!(kept.get(&key), Some(key * 2));
            assert!(size(&kept) <= 16);
        }
        assert_eq!(kept.get(&500), None);
    }

    #[test]
    fn a_newer_value_takes_the_place_of_the_older() {
        let kept = Kept::new(2);
        kept.put(1, 10);
        kept.put(2, 20);
        kept.put(3, 30);
        kept.put(1, 11);
        assert_eq!((kept.get(&1), kept.get(&2), kept.get(&3)), (Some(11), Some(20), Some(30)));
    }

    #[test]
    fn a_value_is_changed_by_what_is_kept_of_it_also_among_the_old() {
        let kept = Kept::new(2);
        let count = |before: Option<&u32>| before.copied().unwrap_or(0) + 1;
        assert_eq!(kept.change(&1, count), 1);
        for key in 2..4 {
            kept.put(key, key);
        }
        assert_eq!((kept.change(&1, count), kept.get(&1)), (2, Some(2)));
    }
}
