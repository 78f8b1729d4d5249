//! What is counted of calls: how long those took that ended, by method and code, and how many are in progress.
//!
//! Labels are closed sets: the methods of the contracts and the codes of gRPC. Whatever a stranger asks for is one
//! method "other". Every set of labels is made once, so that recording a call allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use foldhash::fast::FixedState;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use prost::Message;
use tonic::Code;

/// The codes of gRPC, by number, as the labels name them.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// The upper bounds of the durations, in seconds: from a quote out of memory to the longest a call may take.
const BOUNDS: [f64; 15] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The instruments of one server. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    methods: Vec<Method>,
    by_path: HashMap<Arc<str>, usize, FixedState>,
    duration: Histogram<f64>,
}

#[derive(Debug)]
struct Method {
    path: Arc<str>,
    label: [KeyValue; 1],
    by_code: [[KeyValue; 2]; CODES.len()],
    /// A method that nobody ever called is no series.
    called: AtomicBool,
    active: AtomicI64,
}

/// Which method a call is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodId(usize);

impl Method {
    fn new(path: String) -> Self {
        let path: Arc<str> = path.into();
        let label = KeyValue::new("rpc.method", path.clone());
        let by_code = CODES.map(|code| [label.clone(), KeyValue::new("rpc.response.status_code", code)]);
        Self { path, label: [label], by_code, called: AtomicBool::new(false), active: AtomicI64::new(0) }
    }
}

impl Metrics {
    /// Makes the instruments, for every method in `descriptors`, encoded FileDescriptorSets, and those of the health
    /// service, which every server has. A set that cannot be read adds none.
    pub fn of(meter: &Meter, descriptors: &[&[u8]]) -> Self {
        let mut methods = vec![Method::new("other".to_owned())];
        let sets = descriptors.iter().chain([&tonic_health::pb::FILE_DESCRIPTOR_SET]);
        let sets = sets.filter_map(|set| prost_types::FileDescriptorSet::decode(*set).ok());
        for file in sets.flat_map(|set| set.file) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.push(Method::new(path));
                }
            }
        }
        let by_path = methods.iter().enumerate().map(|(at, method)| (method.path.clone(), at)).collect();
        let duration = meter
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("How long the calls took that ended, by method and code.")
            .with_boundaries(BOUNDS.to_vec())
            .build();
        let shared = Arc::new(Shared { methods, by_path, duration });
        // Weak: the meter outlives the server.
        let counted = Arc::downgrade(&shared);
        meter
            .i64_observable_up_down_counter("rpc.server.active_calls")
            .with_unit("{call}")
            .with_description("Calls in progress, by method.")
            .with_callback(move |counter| {
                let Some(shared) = counted.upgrade() else { return };
                for method in shared.methods.iter().filter(|method| method.called.load(Ordering::Relaxed)) {
                    counter.observe(method.active.load(Ordering::Relaxed), &method.label);
                }
            })
            .build();
        Self(shared)
    }

    /// The method of a request path.
    pub fn method(&self, path: &str) -> MethodId {
        MethodId(self.0.by_path.get(path).copied().unwrap_or(0))
    }

    /// The name of a method, safe to log.
    pub fn name(&self, method: MethodId) -> &str {
        &self.0.methods[method.0].path
    }

    /// A call begins. To be followed by one [`Metrics::end`], whatever becomes of the call.
    pub fn start(&self, method: MethodId) {
        let method = &self.0.methods[method.0];
        method.active.fetch_add(1, Ordering::Relaxed);
        method.called.store(true, Ordering::Relaxed);
    }

    /// A call ends.
    pub fn end(&self, method: MethodId, code: Code, took: Duration) {
        let method = &self.0.methods[method.0];
        method.active.fetch_sub(1, Ordering::Relaxed);
        self.0.duration.record(took.as_secs_f64(), &method.by_code[code as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Telemetry;

    fn started() -> (Telemetry, Metrics) {
        let telemetry = Telemetry::new("test").unwrap();
        let metrics = Metrics::of(telemetry.meter(), &[]);
        (telemetry, metrics)
    }

    #[test]
    fn a_duration_falls_into_every_bucket_that_holds_it() {
        let (telemetry, metrics) = started();
        let method = metrics.method("/grpc.health.v1.Health/Check");
        for micros in [0, 250, 251, 3_000_000, 60_000_000] {
            metrics.start(method);
            metrics.end(method, Code::Ok, Duration::from_micros(micros));
        }
        let text = telemetry.render();
        let labels = "rpc_method=\"/grpc.health.v1.Health/Check\",rpc_response_status_code=\"OK\"";
        for (bound, count) in [("0.00025", 2), ("0.0005", 3), ("2.5", 3), ("5", 4), ("10", 4), ("+Inf", 5)] {
            let line =
                format!("rpc_server_call_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(
            text.contains(&format!("rpc_server_call_duration_seconds_sum{{{labels}}} 63.000501\n")),
            "{text}"
        );
    }

    #[test]
    fn a_strangers_methods_are_one_label() {
        let (telemetry, metrics) = started();
        for at in 0..1_000 {
            let method = metrics.method(&format!("/made.Up/Method{at}"));
            metrics.start(method);
            metrics.end(method, Code::Unimplemented, Duration::ZERO);
        }
        let text = telemetry.render();
        let count = "rpc_server_call_duration_seconds_count\
                     {rpc_method=\"other\",rpc_response_status_code=\"UNIMPLEMENTED\"} 1000\n";
        assert!(text.contains(count), "{text}");
        assert!(!text.contains("made.Up"), "{text}");
    }

    #[test]
    fn a_call_is_active_until_it_ends_and_a_method_nobody_called_is_no_series() {
        let (telemetry, metrics) = started();
        let method = metrics.method("/grpc.health.v1.Health/Watch");
        let active = |count: i64| {
            let text = telemetry.render();
            let line =
                format!("rpc_server_active_calls{{rpc_method=\"/grpc.health.v1.Health/Watch\"}} {count}\n");
            assert!(text.contains(&line), "{line}{text}");
            assert!(!text.contains("Health/Check"), "{text}");
        };
        metrics.start(method);
        metrics.start(method);
        active(2);
        metrics.end(method, Code::Cancelled, Duration::ZERO);
        active(1);
        metrics.end(method, Code::Ok, Duration::ZERO);
        active(0);
    }

    #[test]
    fn every_code_has_its_name_and_room_for_every_method() {
        for (code, name) in (0i32..).zip(CODES) {
            let words = format!("{:?}", Code::from_i32(code));
            assert_eq!(name.replace('_', ""), words.to_uppercase(), "{code}");
        }
        let (telemetry, _) = started();
        let metrics = Metrics::of(telemetry.meter(), &[tandem_proto::DESCRIPTORS]);
        for at in 0..metrics.0.methods.len() {
            for code in (0i32..).zip(CODES).map(|(code, _)| Code::from_i32(code)) {
                metrics.end(MethodId(at), code, Duration::ZERO);
            }
        }
        let text = telemetry.render();
        let series = text.lines().filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"));
        assert_eq!(series.count(), metrics.0.methods.len() * CODES.len());
        assert!(!text.contains("overflow"));
    }
}
