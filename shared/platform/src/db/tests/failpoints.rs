//! Failures around a commit. Failpoints are process-wide: run these alone, with `--features failpoints failpoints`.

use super::transactions::{put, stored};
use super::*;
use crate::fault::Kind;

#[tokio::test]
async fn failpoints_around_a_commit_stand_for_lost_answers() {
    let scenario = fail::FailScenario::setup();
    testing::engines(test_migrations(), |db| async move {
        fail::cfg("db::before_commit", "return").unwrap();
        let before = transact!(db, |tx| { put(tx, "before", 1).await });
        fail::remove("db::before_commit");
        assert_eq!(before.unwrap_err().kind(), Kind::UnknownOutcome);
        assert_eq!(stored(&db, "before").await, None);

        fail::cfg("db::after_commit", "return").unwrap();
        let after = transact!(db, |tx| { put(tx, "after", 1).await });
        fail::remove("db::after_commit");
        assert_eq!(after.unwrap_err().kind(), Kind::UnknownOutcome);
        assert_eq!(stored(&db, "after").await, Some(1));

        fail::cfg("db::before_commit", "2*return(contention)->off").unwrap();
        transact!(db, |tx| { put(tx, "replayed", 1).await }).unwrap();
        fail::remove("db::before_commit");
        assert_eq!(stored(&db, "replayed").await, Some(1));
    })
    .await;
    scenario.teardown();
}
