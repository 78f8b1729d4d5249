//! Health, by the standard protocol, and reflection.

use std::sync::Arc;

use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::services::Services;
use crate::config::ConfigError;

const HEALTH: &str = "grpc.health.v1.Health";
/// The name under which it is asked whether reads and quotes are answered, whatever becomes of writes.
const READS: &str = "tandem.reads";

/// What a process can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// Nothing yet, or nothing for now: the database does not answer, or its schema is not current.
    Nothing,
    /// All that writes nothing: the disk under the database is full.
    Reads,
    /// Everything.
    Everything,
}

/// What the process says about itself: NOT_SERVING until told otherwise, and for ever once it is stopping. Clones
/// share it.
///
/// Asked by no name, or by that of a service, it says whether the process can do everything; by `tandem.reads`, whether it
/// can do all that writes nothing.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    names: Arc<[&'static str]>,
    stopping: Arc<Mutex<bool>>,
}

impl Health {
    /// Says what the process can do. Without effect once it is stopping.
    pub async fn set_serving(&self, serving: Serving) {
        let stopping = self.stopping.lock().await;
        if !*stopping {
            self.say(serving == Serving::Everything).await;
            self.say_one(READS, serving != Serving::Nothing).await;
        }
    }

    /// Says NOT_SERVING, for good.
    pub async fn stop(&self) {
        let mut stopping = self.stopping.lock().await;
        *stopping = true;
        self.say(false).await;
    }

    async fn say(&self, serving: bool) {
        for name in self.names.iter() {
            self.say_one(name, serving).await;
        }
    }

    async fn say_one(&self, name: &str, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status(name, status).await;
    }
}

impl Services {
    /// Adds the health service, which answers for the whole process (the empty name) and for each service added so
    /// far; all NOT_SERVING.
    pub async fn with_health(self) -> (Self, Health) {
        let (reporter, server) = health_reporter();
        let names = ["", READS].into_iter().chain(self.names()).collect();
        let health = Health { reporter, names, stopping: Arc::default() };
        health.say(false).await;
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
