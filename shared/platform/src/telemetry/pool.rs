//! The connections to the database, looked at when somebody scrapes.

use opentelemetry::KeyValue;

use super::Telemetry;
use crate::db::Db;

impl Telemetry {
    /// Tells how busy the connections of `db` are: `db.client.connection.count` by state, and the most there may be.
    pub fn observe_pool(&self, db: &Db) {
        let states = ["used", "idle"].map(|state| [KeyValue::new("state", state)]);
        let looked_at = db.clone();
        self.meter()
            .u64_observable_gauge("db.client.connection.count")
            .with_unit("{connection}")
            .with_description("Open connections to the database, by state; on SQLite those that read.")
            .with_callback(move |gauge| {
                let connections = looked_at.pool_use();
                // The two numbers are read one after the other: more may be idle than were open.
                let used = connections.open.saturating_sub(connections.idle);
                for (count, state) in [used, connections.idle].into_iter().zip(&states) {
                    gauge.observe(count.into(), state);
                }
            })
            .build();
        let looked_at = db.clone();
        self.meter()
            .u64_observable_gauge("db.client.connection.max")
            .with_unit("{connection}")
            .with_description("The most connections to the database that may be open.")
            .with_callback(move |gauge| gauge.observe(looked_at.pool_use().max.into(), &[]))
            .build();
    }
}
