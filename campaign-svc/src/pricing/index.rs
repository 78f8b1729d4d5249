//! Which offers and price rules a basket can reach at all, found without looking at the others.
//!
//! An entry is posted under the goods it names (of each of its scopes the products, else the categories, else everything),
//! within those by place, within those by segment. A basket asks for its own products and categories, its country and site, and the
//! customer's segments: the cost is that of the basket and of what is found, whatever the number of campaigns and the
//! quantities bought.
//!
//! Times are never part of the postings: whether an entry is in force is judged by the clock of each question.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use tandem_kernel::basket::Line;

use super::entry::{Entry, Goods};
use super::place::Place;
use super::shards::Shards;

/// Postings of one entry beyond which its places are judged when it is found rather than posted.
const MAX_POSTINGS: usize = 2_048;

type Map<V> = HashMap<Arc<str>, V, RandomState>;

/// The postings of one tenant. Copies share all that a change does not touch.
#[derive(Debug, Clone, Default)]
pub struct Index {
    by_product: Shards<Arc<Shelf>>,
    by_category: Shards<Arc<Shelf>>,
    everything: Arc<Shelf>,
}

/// What is posted under one product, one category, or everything.
#[derive(Debug, Clone, Default)]
struct Shelf {
    anywhere: Bucket,
    by_place: Map<Bucket>,
}

/// What is posted under goods and a place.
#[derive(Debug, Clone, Default)]
struct Bucket {
    open: Vec<Arc<Entry>>,
    by_segment: Map<Vec<Arc<Entry>>>,
    /// One of them counts what single customers use, or orders of one value.
    counts_apart: bool,
}

impl Index {
    /// Posts an entry.
    pub fn insert(&mut self, entry: &Arc<Entry>) {
        self.each_shelf(entry, |shelf| shelf.insert(entry));
    }

    /// Takes an entry back that was posted.
    pub fn remove(&mut self, entry: &Arc<Entry>) {
        self.each_shelf(entry, |shelf| shelf.remove(entry));
        let emptied = |shelf: &Arc<Shelf>| shelf.is_empty();
        for id in &entry.goods.products {
            if self.by_product.get(id).is_some_and(emptied) {
                self.by_product.remove(id);
            }
        }
        for name in &entry.goods.categories {
            if self.by_category.get(name).is_some_and(emptied) {
                self.by_category.remove(name);
            }
        }
    }

    /// Whether nothing is posted.
    pub fn is_empty(&self) -> bool {
        self.by_product.len() == 0 && self.by_category.len() == 0 && self.everything.is_empty()
    }

    fn each_shelf(&mut self, entry: &Entry, change: impl Fn(&mut Shelf)) {
        let Goods { products, categories, everything } = &entry.goods;
        for id in products {
            change(Arc::make_mut(self.by_product.entry(id, Arc::default)));
        }
        for name in categories {
            change(Arc::make_mut(self.by_category.entry(name, Arc::default)));
        }
        if *everything {
            change(Arc::make_mut(&mut self.everything));
        }
    }

    /// What goods on these lines can reach at `place`.
    pub fn reach<'i>(&'i self, lines: &[Line], place: Place<'_>) -> Reach<'i> {
        let mut buckets = Vec::with_capacity(32);
        let mut take = |shelf: &'i Shelf| {
            buckets.push(&shelf.anywhere);
            if !shelf.by_place.is_empty() {
                buckets.extend(place.keys().filter_map(|key| shelf.by_place.get(key)));
            }
        };
        take(&self.everything);
        for line in lines {
            if let Some(shelf) = self.by_product.get(&line.product) {
                take(shelf);
            }
            for category in &line.categories {
                if let Some(shelf) = self.by_category.get(category) {
                    take(shelf);
                }
            }
        }
        // Lines share products and categories; each bucket counts once.
        buckets.retain(|bucket| !(bucket.open.is_empty() && bucket.by_segment.is_empty()));
        buckets.sort_unstable_by_key(|bucket| std::ptr::from_ref::<Bucket>(bucket).addr());
        buckets.dedup_by_key(|bucket| std::ptr::from_ref::<Bucket>(bucket).addr());
        Reach { buckets }
    }
}

impl Shelf {
    fn insert(&mut self, entry: &Arc<Entry>) {
        if posted_by_place(entry) {
            for place in entry.places.iter() {
                self.by_place.entry(Arc::from(&**place)).or_default().insert(entry);
            }
        } else {
            self.anywhere.insert(entry);
        }
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        self.anywhere.remove(entry);
        for place in entry.places.iter() {
            if let Some(bucket) = self.by_place.get_mut(&**place) {
                bucket.remove(entry);
                if bucket.is_empty() {
                    self.by_place.remove(&**place);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.anywhere.is_empty() && self.by_place.is_empty()
    }
}

fn posted_by_place(entry: &Entry) -> bool {
    let postings = entry.goods.breadth() * entry.places.len() * entry.segments.len().max(1);
    !entry.places.is_empty() && postings <= MAX_POSTINGS
}

impl Bucket {
    fn insert(&mut self, entry: &Arc<Entry>) {
        self.counts_apart |= entry.counts_apart();
        if entry.segments.is_empty() {
            self.open.push(entry.clone());
        }
        for segment in &entry.segments {
            self.by_segment.entry(segment.clone()).or_default().push(entry.clone());
        }
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let others = |posted: &Arc<Entry>| !Arc::ptr_eq(posted, entry);
        self.open.retain(others);
        for segment in &entry.segments {
            if let Some(list) = self.by_segment.get_mut(segment) {
                list.retain(others);
                if list.is_empty() {
                    self.by_segment.remove(segment);
                }
            }
        }
        if entry.counts_apart() {
            let mut rest = self.open.iter().chain(self.by_segment.values().flatten());
            self.counts_apart = rest.any(|entry| entry.counts_apart());
        }
    }

    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.by_segment.is_empty()
    }
}

/// Where a basket's offers and price rules lie; nothing has been taken out yet.
#[derive(Debug)]
pub struct Reach<'i> {
    buckets: Vec<&'i Bucket>,
}

impl<'i> Reach<'i> {
    /// The segments that decide about any entry here, sorted, each once.
    pub fn segments(&self) -> Vec<&'i Arc<str>> {
        let mut segments: Vec<_> = self.buckets.iter().flat_map(|bucket| bucket.by_segment.keys()).collect();
        segments.sort_unstable();
        segments.dedup();
        segments
    }

    /// The entries in force at `now` and `place` that are for everyone or for one of `segments`, in the order of
    /// their names.
    pub fn entries<S: AsRef<str>>(
        &self,
        segments: &[S],
        place: Place<'_>,
        now: Timestamp,
    ) -> Vec<&'i Arc<Entry>> {
        let mut found: Vec<&'i Arc<Entry>> = Vec::with_capacity(32);
        let counts = |entry: &&'i Arc<Entry>| entry.in_force(now) && place.within(&entry.places);
        for bucket in &self.buckets {
            found.extend(bucket.open.iter().filter(counts));
            if bucket.by_segment.is_empty() {
                continue;
            }
            for segment in segments {
                if let Some(list) = bucket.by_segment.get(segment.as_ref()) {
                    found.extend(list.iter().filter(counts));
                }
            }
        }
        once(found)
    }

    /// Whether any entry here may count what single customers use, or orders of one value.
    pub fn counts_apart(&self) -> bool {
        self.buckets.iter().any(|bucket| bucket.counts_apart)
    }

    /// How many postings for everyone a question here looks at.
    pub fn open_postings(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.open.len()).sum()
    }

    /// Every entry that is for everyone at `place`, whenever it is in force.
    pub fn open(&self, place: Place<'_>) -> Vec<&'i Arc<Entry>> {
        let open = self.buckets.iter().flat_map(|bucket| &bucket.open);
        let mut found: Vec<_> = open.filter(|entry| place.within(&entry.places)).collect();
        found.sort_unstable_by_key(|entry| Arc::as_ptr(entry).addr());
        found.dedup_by(|a, b| Arc::ptr_eq(a, b));
        found
    }

    /// The entries in force at `now` and `place` that are for segments, whichever: at most `limit`, in the order of
    /// their names.
    pub fn personal(&self, place: Place<'_>, now: Timestamp, limit: usize) -> Vec<&'i Arc<Entry>> {
        let lists = self.buckets.iter().flat_map(|bucket| bucket.by_segment.values());
        let counts = |entry: &&'i Arc<Entry>| entry.in_force(now) && place.within(&entry.places);
        let mut found = once(lists.flatten().filter(counts).collect());
        found.truncate(limit);
        found
    }
}

/// Sorted by name, each entry once. Two entries of one name are revisions, of which only one is in force.
fn once(mut found: Vec<&Arc<Entry>>) -> Vec<&Arc<Entry>> {
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| Arc::ptr_eq(a, b));
    found
}
