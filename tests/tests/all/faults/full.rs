//! What a service says of a full disk: to its callers, to whoever asks for its health, to a Prometheus server and to the
//! log.

use std::time::{Duration, Instant};

use tandem_proto::relationship::v1::GetIncentiveRequest;
use tandem_tests::answer::{Refusal, named};
use tandem_tests::disk::Disk;
use tandem_tests::process::{Kind, Service};
use tandem_tests::scrape::{free_address, scrape};
use tandem_tests::stage::{Relationship, incentive, percent, quoted, redeem_quote};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// Writes that are tried in vain.
const REFUSED: usize = 500;
/// The most that the log may grow by, whatever the number of writes: a few lines.
const LOGGED: u64 = 4_096;

async fn redeem(caller: &Relationship, order: &str) -> Result<(), Status> {
    let request = redeem_quote(order, &quoted(order, "customers/ada", &[("FULL", "full", 100)]));
    caller.vouchers.clone().redeem_vouchers(request).await.map(drop)
}

async fn health(service: &Service, name: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: name.to_owned() };
    let answer = HealthClient::new(service.channel()).check(request).await.expect("it is asked by name");
    answer.into_inner().status()
}

async fn until_health(service: &Service, wanted: ServingStatus) {
    let end = Instant::now() + LIMIT;
    while health(service, "").await != wanted {
        assert!(Instant::now() < end, "never {wanted:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// Of the log, with its size.
fn said(log: &std::path::Path, words: &str) -> (usize, u64) {
    let text = std::fs::read_to_string(log).unwrap();
    (text.lines().filter(|line| line.contains(words)).count(), text.len() as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_to_callers_health_metrics_and_once_to_the_log() {
    let Some(disk) = Disk::mount(40) else { return };
    let (logs, metrics) = (tempfile::tempdir().unwrap(), free_address());
    let log = logs.path().join("log");
    let url = format!("sqlite:{}", disk.path().join("full.db").display());
    let settings = [("METRICS__LISTEN", metrics.as_str()), ("LOG__FILTER", "info")];
    let service = Service::start_logged(Kind::Relationship, &url, &settings, &log);
    let caller = Relationship::of(&service);
    caller.incentive("full", incentive(percent(100_000))).await;
    caller.codes("full", &["FULL"], 0).await;
    redeem(&caller, "before").await.expect("there is room");
    assert!(scrape(&metrics).contains("tandem_storage_full 0\n"));
    until_health(&service, ServingStatus::Serving).await;
    let (_, before) = said(&log, "");

    disk.fill();
    for order in 0..REFUSED {
        let refusal = Refusal::of(&redeem(&caller, &format!("full-{order}")).await.expect_err("no room"));
        let told = (refusal.code, refusal.reason.as_str(), refusal.retry);
        assert_eq!(told, (Code::Unavailable, "STORAGE_FULL", true), "{order}");
    }
    let read = GetIncentiveRequest { name: "incentives/full".to_owned() };
    caller.incentives.clone().get_incentive(read).await.expect("reads go on");
    until_health(&service, ServingStatus::NotServing).await;
    assert_eq!(health(&service, "tandem.reads").await, ServingStatus::Serving);
    let metrics = scrape(&metrics);
    assert!(metrics.contains("tandem_storage_full 1\n"), "{metrics}");
    assert!(metrics.contains(&format!("tandem_storage_refused_total {REFUSED}\n")), "{metrics}");

    disk.give_room();
    let room = Instant::now();
    while let Err(status) = redeem(&caller, "after").await {
        assert!(room.elapsed() < Duration::from_secs(1), "{}", named(&status));
        tokio::time::sleep(POLL).await;
    }
    until_health(&service, ServingStatus::Serving).await;
    let (full, after) = said(&log, "the disk under the database is full");
    assert_eq!((full, said(&log, "has room again").0), (1, 1));
    assert!(after - before < LOGGED, "{}", std::fs::read_to_string(&log).unwrap());
}
