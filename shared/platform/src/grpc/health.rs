//! Health, by the standard protocol, and reflection.

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::services::Services;
use crate::config::ConfigError;

const HEALTH: &str = "grpc.health.v1.Health";

/// What the process says about itself: NOT_SERVING until told otherwise, and for ever once it is stopping. Clones
/// share it.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    names: Arc<[&'static str]>,
    stopping: Arc<Mutex<bool>>,
}

impl Health {
    /// Says whether the database answers and its schema is current. Without effect once the process is stopping.
    pub async fn set_serving(&self, serving: bool) {
        let stopping = self.stopping.lock().await;
        if !*stopping {
            self.say(if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).await;
        }
    }

    /// Says NOT_SERVING, for good.
    pub async fn stop(&self) {
        let mut stopping = self.stopping.lock().await;
        *stopping = true;
        self.say(ServingStatus::NotServing).await;
    }

    async fn say(&self, status: ServingStatus) {
        for name in self.names.iter() {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

impl Services {
    /// Adds the health service, which answers for the whole process (the empty name) and for each service added so
    /// far; all NOT_SERVING.
    pub async fn with_health(self) -> (Self, Health) {
        let (reporter, server) = health_reporter();
        let names = std::iter::once("").chain(self.names()).collect();
        let health = Health { reporter, names, stopping: Arc::default() };
        health.say(ServingStatus::NotServing).await;
        (self.add(server), health)
    }

    /// Adds reflection, versions v1 and v1alpha, which lists the services added so far. Fails where the descriptors
    /// of the contracts cannot be read.
    pub fn with_reflection(self) -> Result<Self, ConfigError> {
        let configure = |reflection: &'static str| {
            let names = self.names().filter(|name| *name != HEALTH).chain([HEALTH, reflection]);
            let builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tandem_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            names.fold(builder, |builder, name| builder.with_service_name(name))
        };
        let unreadable = |error| ConfigError::new(format!("the contracts cannot be reflected: {error}"));
        let v1 = configure("grpc.reflection.v1.ServerReflection").build_v1().map_err(unreadable)?;
        let v1alpha =
            configure("grpc.reflection.v1alpha.ServerReflection").build_v1alpha().map_err(unreadable)?;
        Ok(self.add(v1).add(v1alpha))
    }
}
