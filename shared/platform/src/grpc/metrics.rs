//! Counts of calls, kept in the process. Labels are closed sets: the methods of the contracts and the codes of gRPC;
//! whatever a stranger asks for is counted as one method "other".

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::FixedState;
use prost::Message;
use tonic::Code;

const CODES: usize = 17;
const BUCKETS: usize = 16;
/// The upper bound of the first bucket of durations; each next one doubles it.
const FIRST_BUCKET_US: u64 = 250;

/// The counts of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    methods: Vec<Counts>,
    by_path: HashMap<String, usize, FixedState>,
}

#[derive(Debug, Default)]
struct Counts {
    path: String,
    started: AtomicU64,
    ended: [AtomicU64; CODES],
    busy_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// The counts of one method at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodCounts {
    /// `/package.Service/Method`, or `other`.
    pub method: String,
    /// Calls that began.
    pub started: u64,
    /// Calls that ended, by code, where any did.
    pub ended: Vec<(Code, u64)>,
    /// The sum of their durations.
    pub busy: Duration,
    /// Calls by duration: the count of those that took at most so long and longer than the bucket before. The last
    /// has no bound.
    pub buckets: Vec<(Option<Duration>, u64)>,
}

/// Which method a call is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodId(usize);

impl Metrics {
    /// Counts for every method in `descriptors`, encoded FileDescriptorSets. One that cannot be read adds none.
    pub fn of(descriptors: &[&[u8]]) -> Self {
        let mut methods = vec![Counts { path: "other".to_owned(), ..Counts::default() }];
        let sets = descriptors.iter().filter_map(|set| prost_types::FileDescriptorSet::decode(*set).ok());
        for file in sets.flat_map(|set| set.file) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.push(Counts { path, ..Counts::default() });
                }
            }
        }
        let by_path = methods.iter().enumerate().map(|(at, counts)| (counts.path.clone(), at)).collect();
        Self(Arc::new(Shared { methods, by_path }))
    }

    /// The method of a request path.
    pub fn method(&self, path: &str) -> MethodId {
        MethodId(self.0.by_path.get(path).copied().unwrap_or(0))
    }

    /// The name of a method, safe to log.
    pub fn name(&self, method: MethodId) -> &str {
        &self.0.methods[method.0].path
    }

    /// A call begins.
    pub fn start(&self, method: MethodId) {
        self.0.methods[method.0].started.fetch_add(1, Ordering::Relaxed);
    }

    /// A call ends.
    pub fn end(&self, method: MethodId, code: Code, took: Duration) {
        let counts = &self.0.methods[method.0];
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counts.ended[code as usize].fetch_add(1, Ordering::Relaxed);
        counts.busy_us.fetch_add(micros, Ordering::Relaxed);
        counts.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts of every method that was called.
    pub fn snapshot(&self) -> Vec<MethodCounts> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let called = self.0.methods.iter().filter(|counts| read(&counts.started) > 0);
        called
            .map(|counts| MethodCounts {
                method: counts.path.clone(),
                started: read(&counts.started),
                ended: (0i32..)
                    .zip(&counts.ended)
                    .map(|(code, count)| (Code::from_i32(code), read(count)))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                busy: Duration::from_micros(read(&counts.busy_us)),
                buckets: counts
                    .buckets
                    .iter()
                    .enumerate()
                    .map(|(at, count)| (bound(at), read(count)))
                    .collect(),
            })
            .collect()
    }
}

fn bucket(micros: u64) -> usize {
    let steps = micros.div_ceil(FIRST_BUCKET_US).max(1);
    let doublings = u64::BITS - (steps - 1).leading_zeros();
    (doublings as usize).min(BUCKETS - 1)
}

fn bound(bucket: usize) -> Option<Duration> {
    (bucket < BUCKETS - 1).then(|| Duration::from_micros(FIRST_BUCKET_US << bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_smallest_bucket_that_holds_it() {
        for (micros, at) in [(0, 0), (250, 0), (251, 1), (500, 1), (501, 2), (1_000, 2), (u64::MAX, 15)] {
            assert_eq!(bucket(micros), at, "{micros}");
        }
        assert_eq!(bound(2), Some(Duration::from_millis(1)));
        assert_eq!(bound(15), None);
    }

    #[test]
    fn a_strangers_methods_are_one_label() {
        let metrics = Metrics::of(&[tonic_health::pb::FILE_DESCRIPTOR_SET]);
        for path in ["/a/b", "/c/d", "/grpc.health.v1.Health/Check"] {
            let method = metrics.method(path);
            metrics.start(method);
            metrics.end(method, Code::Ok, Duration::ZERO);
        }
        let seen: Vec<_> = metrics.snapshot().into_iter().map(|c| (c.method, c.started)).collect();
        assert_eq!(seen, [("other".to_owned(), 2), ("/grpc.health.v1.Health/Check".to_owned(), 1)]);
    }
}
