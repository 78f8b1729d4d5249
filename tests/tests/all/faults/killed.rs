//! relationship-svc is killed.

use tandem_tests::database::{Database, Engine};
use tandem_tests::ledger::Ledger;
use tandem_tests::load::{Attempt, Load, repeat, settle};
use tandem_tests::postgres::{Cluster, Durability};
use tandem_tests::process::Service;
use tandem_tests::stage::{Relationship, start_relationship};

use super::{CALLERS, set_stage, turn};

/// Loads, kills and restarts `victim` in the middle, and holds the ledger against what the callers were told.
async fn nothing_acknowledged_is_lost(victim: &mut Service, callers: &[Relationship], database: &str) {
    set_stage(&callers[0]).await;
    let load = Load::start(callers, CALLERS, turn);
    load.more_acknowledged(200).await;
    victim.kill();
    load.failed(1).await;
    victim.restart();
    load.more_acknowledged(200).await;
    let attempts = load.stop().await;

    let cut_off = attempts.iter().filter(|attempt| !attempt.is_settled()).count();
    assert!(cut_off > 0, "nobody was cut off");
    let settled = settle(callers, attempts).await;
    assert_eq!(refused(&settled), Vec::<String>::new());
    Ledger::checked(database).await.tells_the_same(&settled);
    repeat(callers, &settled).await;
    Ledger::checked(database).await.tells_the_same(&settled);
}

/// A rollback of an order whose redemption was not done yet may be refused; nothing else may.
fn refused(attempts: &[Attempt]) -> Vec<String> {
    let refusals =
        attempts.iter().filter_map(Attempt::refusal).filter(|refusal| refusal.reason != "NOT_FOUND");
    refusals.map(|refusal| format!("{:?} {} {}", refusal.code, refusal.reason, refusal.message)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_it_acknowledged_on_sqlite() {
    let database = Database::new(Engine::Sqlite).await;
    let mut service = start_relationship(database.url(), &[]);
    let callers: Vec<Relationship> = (0..4).map(|_| Relationship::of(&service)).collect();
    nothing_acknowledged_is_lost(&mut service, &callers, database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_it_acknowledged_on_postgres_while_another_goes_on() {
    let cluster = Cluster::start(Durability::Durable);
    let database = cluster.database("killed").await;
    let mut victim = start_relationship(&database, &[]);
    let other = start_relationship(&database, &[]);
    let callers: Vec<Relationship> =
        (0..4).flat_map(|_| [Relationship::of(&victim), Relationship::of(&other)]).collect();
    nothing_acknowledged_is_lost(&mut victim, &callers, &database).await;
}
