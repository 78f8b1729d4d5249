//! What a process tells about itself in numbers: OpenTelemetry's instruments, read by a Prometheus server.
//!
//! A room makes its instruments from [`Telemetry::meter`] and records into them; [`Endpoint`] answers the scrapes. Nothing
//! here is global: a test runs many services in one process, and each has numbers of its own.
//!
//! The values of a label are a closed set, known when the program is built. A tenant, a customer, a code or an order is
//! never a label: every value is a series that the Prometheus server keeps for weeks, and that who may see graphs may
//! read.

mod endpoint;
mod pool;
mod storage;
#[cfg(test)]
mod tests;

use opentelemetry::metrics::{Meter, MeterProvider};
pub use opentelemetry::{KeyValue, metrics};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Registry, TextEncoder};

pub use endpoint::Endpoint;

use crate::config::ConfigError;

/// The most sets of labels of one instrument; the SDK counts what is beyond under `otel_metric_overflow`. Closed sets
/// stay below: the widest are the calls, 17 codes of each of fewer than 200 methods.
const MOST_SERIES: usize = 4_096;

/// The instruments of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Telemetry {
    meter: Meter,
    registry: Registry,
    /// Ends the reading of every instrument when the last clone is dropped.
    _provider: SdkMeterProvider,
}

impl Telemetry {
    /// No instruments yet, for the service of this name.
    pub fn new(service: &'static str) -> Result<Self, ConfigError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // One scope for the whole process: its name on every series would tell nothing.
            .scope_info_enabled(false)
            .build()
            .map_err(|error| ConfigError::new(format!("the metrics cannot be started: {error}")))?;
        let provider = SdkMeterProvider::builder()
            // Not the SDK's own description, which reads the environment.
            .with_resource(Resource::builder_empty().with_service_name(service).build())
            .with_reader(exporter)
            .with_view(|_: &Instrument| Stream::builder().with_cardinality_limit(MOST_SERIES).build().ok())
            .build();
        Ok(Self { meter: provider.meter(service), registry, _provider: provider })
    }

    /// Makes instruments.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Every instrument as it stands now, in Prometheus' text format.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be rendered");
            String::new()
        })
    }
}
