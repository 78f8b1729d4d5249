//! Every table and column of the schema, with what an erasure does to it. A test fails on a column that is not here.
//!
//! What callers write in their own words (a reason, a label, the number of an order, an attribute of a basket) is theirs and
//! stays: the contract asks them not to name people there.

use std::collections::{BTreeMap, BTreeSet};

use tandem_platform::testing;

use crate::MIGRATIONS;

/// What becomes of a column that may name somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Is emptied.
    Removes,
    /// The pseudonym takes the place of the id.
    Pseudonym,
    /// A document: the person's values are taken out of it.
    Scrubbed,
    /// A hash from the beginning, which nobody can read a person off.
    Hashed,
    /// Goes as soon as relationship-svc has answered; so long the erasure is not done.
    Waits,
    /// The id, until everything was gone through twice.
    Forgotten,
}

use Fate::{Forgotten, Hashed, Pseudonym, Removes, Scrubbed, Waits};

/// A table: what of it may name somebody, and the columns that say nothing of anybody.
type Table = (&'static str, &'static [(&'static str, Fate)], &'static str);

const TABLES: &[Table] = &[
    (
        "sales_order",
        &[("customer", Pseudonym), ("guest", Removes)],
        "tenant id holder state sold expires first_held committed replaces replaced_by created \
         updated version",
    ),
    ("order_step", &[("pending", Waits)], "tenant order_id due tries"),
    (
        "redemption_feedback",
        &[("customer", Pseudonym)],
        "tenant redemption order_id campaign incentive currency amount returned tender order_total \
         state version occurred updated",
    ),
    ("counter", &[("subject", Pseudonym)], "tenant kind owner period used held told tracks late"),
    ("hold_claim", &[("subject", Pseudonym)], "tenant kind owner period holder uses amount expires"),
    ("request_claim", &[("outcome", Scrubbed)], "tenant method request_id hash created"),
    ("event_batch", &[("payload", Scrubbed)], "tenant id position created"),
    ("set_aside_event", &[("payload", Scrubbed)], "tenant consumer event_id reason created"),
    (
        "erasure",
        &[("who", Hashed), ("customer", Forgotten)],
        "tenant pseudonym erased heard step place again",
    ),
    (
        "campaign",
        &[],
        "tenant id display_name description objective starts ends time_zone segments budgets limits \
         labels step launched phases latest_revision deleted version catalogue_version created \
         updated settled",
    ),
    ("catalogue_version", &[], "tenant version changed used"),
    ("consumed_event", &[], "tenant consumer event_id consumed"),
    ("consumer_cursor", &[], "tenant consumer position seq updated"),
    ("consumer_leader", &[], "consumer holder expires"),
    ("mix_revision", &[], "tenant campaign revision mix effective author reason cause created"),
    ("near_limit", &[], "tenant period kind owner subject changed"),
    (
        "objective",
        &[],
        "tenant id display_name description metric target target_currency starts ends labels state \
         version created updated",
    ),
    ("price_history", &[], "tenant product place currency effective minor catalogue_version"),
    (
        "product",
        &[],
        "tenant id display_name categories attributes prices unit_costs tax_rate_ppm state version \
         catalogue_version created updated",
    ),
    ("relay", &[], "tenant position forgotten second moved"),
    ("tenant_settings", &[], "tenant version document updated"),
];

/// Every `table.column` with this fate.
pub fn with(fate: Fate) -> Vec<String> {
    let of = |(table, theirs, _): &Table| -> Vec<String> {
        let columns = theirs.iter().filter(|(_, one)| *one == fate);
        columns.map(|(column, _)| format!("{table}.{column}")).collect()
    };
    let mut all: Vec<String> = TABLES.iter().flat_map(of).collect();
    all.sort();
    all
}

#[tokio::test]
async fn every_column_of_the_schema_says_what_an_erasure_does_to_it() {
    testing::engines(&MIGRATIONS, |db| async move {
        let columns = |(table, theirs, keeps): &Table| {
            let theirs = theirs.iter().map(|(column, _)| (*column).to_owned());
            let all: BTreeSet<String> = theirs.chain(keeps.split(' ').map(str::to_owned)).collect();
            ((*table).to_owned(), all)
        };
        let listed: BTreeMap<String, BTreeSet<String>> = TABLES.iter().map(columns).collect();
        let there: BTreeMap<String, BTreeSet<String>> = testing::columns(&db)
            .await
            .into_iter()
            .map(|(table, columns)| (table, columns.into_iter().collect()))
            .collect();
        assert_eq!(listed, there);
    })
    .await;
}
