//! Whether the disk under the database has room, as its refusals tell.

use super::Telemetry;
use crate::db::Db;

impl Telemetry {
    /// Tells whether the disk under `db` is full (`tandem.storage.full`), and how many writes were refused for it.
    pub fn observe_storage(&self, db: &Db) {
        let looked_at = db.clone();
        self.meter()
            .u64_observable_gauge("tandem.storage.full")
            .with_description(
                "1 while writes are refused because the disk under the database is full, else 0.",
            )
            .with_callback(move |gauge| gauge.observe((!looked_at.storage().has_room()).into(), &[]))
            .build();
        let looked_at = db.clone();
        self.meter()
            .u64_observable_counter("tandem.storage.refused")
            .with_unit("{write}")
            .with_description("Transactions refused because the disk under the database was full.")
            .with_callback(move |counter| counter.observe(looked_at.storage().refusals(), &[]))
            .build();
    }
}
