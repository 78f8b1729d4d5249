//! Erasing and showing, on both engines: nothing of somebody is left, and everything of theirs is shown.

mod held;
mod late;
pub(crate) mod stage;

use std::collections::BTreeSet;

use tandem_platform::testing;

use super::list::{Fate, Join, Shown, TABLES};
use crate::MIGRATIONS;

#[tokio::test]
async fn every_column_of_the_schema_says_what_erasing_does_to_it() {
    testing::engines(&MIGRATIONS, |db| async move {
        let schema = testing::columns(&db).await;
        let listed = |name: &str| TABLES.iter().find(|table| table.name == name);
        for (name, columns) in &schema {
            let table = listed(name).unwrap_or_else(|| panic!("{name} is not in the list of erasure::list"));
            let told: BTreeSet<&str> = table.columns.iter().map(|(column, _)| *column).collect();
            let there: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
            assert_eq!(told, there, "{name}");
        }
        let gone: Vec<&str> =
            TABLES.iter().map(|table| table.name).filter(|name| !schema.contains_key(*name)).collect();
        assert!(gone.is_empty(), "listed and not there: {gone:?}");
    })
    .await;
}

#[test]
fn a_table_that_joins_a_person_is_shown_to_them_and_loses_them() {
    let mut seen = BTreeSet::new();
    for table in TABLES {
        assert!(seen.insert(table.name), "{} stands twice", table.name);
        let is_nothing = matches!(table.join, Join::Nobody | Join::Passing(_));
        assert_eq!(is_nothing, table.shown == Shown::Nothing, "{}", table.name);
        let fate =
            |column: &str| table.columns.iter().find(|(name, _)| *name == column).map(|(_, fate)| *fate);
        let loses = match table.join {
            Join::Nobody => table.columns.iter().all(|(_, fate)| *fate == Fate::Keeps),
            Join::Id(column) | Join::Subject(column) | Join::Passing(column) => {
                matches!(fate(column), Some(Fate::Removes | Fate::Pseudonym | Fate::Forgotten))
            }
            Join::Address(column) => fate(column) == Some(Fate::Hashed),
            Join::Text(column) => fate(column) == Some(Fate::Scrubbed),
        };
        assert!(loses, "{} joins by {:?}, and that column keeps the person", table.name, table.join);
    }
}
