//! PostgreSQL goes away and comes back.

use std::time::{Duration, Instant};

use tandem_proto::relationship::v1::GetIncentiveRequest;
use tandem_tests::ledger::Ledger;
use tandem_tests::load::{Attempt, Load, repeat, settle};
use tandem_tests::postgres::{Cluster, Durability};
use tandem_tests::stage::{Relationship, start_relationship};
use tonic::Code;

use super::{CALLERS, set_stage, turn};

/// How long the services may take until they have found the database again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_down_calls_are_unavailable_with_the_outcome_stated_and_recovery_needs_no_restart()
 {
    let cluster = Cluster::start(Durability::Durable);
    let database = cluster.database("down").await;
    let (first, second) = (start_relationship(&database, &[]), start_relationship(&database, &[]));
    let callers: Vec<Relationship> =
        (0..4).flat_map(|_| [Relationship::of(&first), Relationship::of(&second)]).collect();
    set_stage(&callers[0]).await;
    let load = Load::start(&callers, CALLERS, turn);
    load.more_acknowledged(200).await;

    tokio::task::block_in_place(|| cluster.down());
    load.failed(CALLERS).await;
    for caller in &callers[..2] {
        let request = GetIncentiveRequest { name: "incentives/load".to_owned() };
        let read = caller.incentives.clone().get_incentive(request).await;
        let status = read.expect_err("there is no database");
        assert_eq!(tandem_tests::answer::named(&status), "Unavailable DATABASE_UNAVAILABLE");
    }
    tokio::task::block_in_place(|| cluster.up());
    let up = Instant::now();
    load.more_acknowledged(200).await;
    assert!(up.elapsed() < RECOVERY_LIMIT, "recovered after {:?}", up.elapsed());
    let attempts = load.stop().await;

    let failed: Vec<&Attempt> = attempts.iter().filter(|attempt| !attempt.is_settled()).collect();
    for attempt in &failed {
        let refusal = attempt.refusal().expect("it failed");
        assert_eq!(refusal.code, Code::Unavailable, "{refusal:?}");
        let stated = ["DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"];
        assert!(stated.contains(&refusal.reason.as_str()) && refusal.retry, "{refusal:?}");
    }
    let settled = settle(&callers, attempts).await;
    Ledger::checked(&database).await.tells_the_same(&settled);
    repeat(&callers, &settled).await;
    Ledger::checked(&database).await.tells_the_same(&settled);
}
