//! Batches, refusals, bad items, full lanes, deadlines and the end.

mod stored;

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::*;
use crate::call::Deadline;
use crate::fault::Kind;

const BAD: u32 = 13;

type Batches = Vec<(String, Vec<u32>)>;
type Judge = dyn Fn(&[u32]) -> Outcome<()> + Send + Sync;

/// Records its batches; each waits for a permit.
#[derive(Clone)]
struct Recorder {
    batches: Arc<Mutex<Batches>>,
    gate: Arc<Semaphore>,
    whole: Arc<Judge>,
}

impl Recorder {
    fn new(whole: impl Fn(&[u32]) -> Outcome<()> + Send + Sync + 'static) -> Self {
        Self { batches: Arc::default(), gate: Arc::new(Semaphore::new(0)), whole: Arc::new(whole) }
    }

    fn open(self) -> Self {
        self.gate.add_permits(10_000);
        self
    }

    fn batches(&self) -> Batches {
        self.batches.lock().unwrap().clone()
    }
}

impl Runner for Recorder {
    type Item = u32;
    type Output = u32;

    async fn run(&self, groups: &[Group<'_, u32>]) -> Outcome<Vec<Outcome<u32>>> {
        let tenants: Vec<&str> = groups.iter().map(|group| group.tenant.as_str()).collect();
        let items: Vec<u32> = groups.iter().flat_map(|group| group.items).copied().collect();
        self.batches.lock().unwrap().push((tenants.join(" "), items.clone()));
        self.gate.acquire().await.unwrap().forget();
        (self.whole)(&items)?;
        let judge =
            |item: &u32| if *item == 404 { Err(Fault::not_found("items/404")) } else { Ok(item * 10) };
        Ok(items.iter().map(judge).collect())
    }
}

fn config() -> LanesConfig {
    LanesConfig { lanes: 1, tenants_per_transaction: 1, ..LanesConfig::default() }
}

/// Submits all at once, in order, and answers in order.
async fn submit(lanes: &Lanes<Recorder>, tenant: &str, items: &[u32]) -> Vec<Outcome<u32>> {
    let call = Call::system(tenant);
    futures::future::join_all(items.iter().map(|item| lanes.submit(&call, 0, *item))).await
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_caller_gets_its_own_outcome_and_a_refusal_spares_its_neighbours() {
    let recorder = Recorder::new(|_| Ok(())).open();
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let outcomes = submit(&lanes, "default", &[1, 404, 3]).await;
    assert_eq!((outcomes[0].clone().unwrap(), outcomes[2].clone().unwrap()), (10, 30));
    assert_eq!(outcomes[1].clone().unwrap_err().kind(), Kind::NotFound);
    assert_eq!(recorder.batches(), [("default".to_owned(), vec![1, 404, 3])]);
}

#[tokio::test]
async fn what_queues_during_a_transaction_forms_the_next_one_by_tenant_in_order() {
    let recorder = Recorder::new(|_| Ok(()));
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let first = submit(&lanes, "a", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let open = async {
            until(|| lanes.waiting() == 6).await;
            recorder.gate.add_permits(100);
        };
        tokio::join!(
            submit(&lanes, "a", &[2, 3]),
            submit(&lanes, "b", &[4, 5]),
            submit(&lanes, "a", &[6, 7]),
            open
        )
    };
    tokio::join!(first, rest);
    let batch = |tenant: &str, items: &[u32]| (tenant.to_owned(), items.to_vec());
    assert_eq!(recorder.batches(), [batch("a", &[1]), batch("a", &[2, 3, 6, 7]), batch("b", &[4, 5])]);
}

#[tokio::test]
async fn tenants_share_a_transaction_up_to_the_setting_in_the_order_of_their_names() {
    let recorder = Recorder::new(|_| Ok(()));
    let config = LanesConfig { tenants_per_transaction: 2, ..config() };
    let lanes = Lanes::start(&config, &Tasks::new(), recorder.clone());
    let first = submit(&lanes, "z", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let open = async {
            until(|| lanes.waiting() == 6).await;
            recorder.gate.add_permits(100);
        };
        tokio::join!(
            submit(&lanes, "c", &[2, 3]),
            submit(&lanes, "a", &[4]),
            submit(&lanes, "b", &[5]),
            submit(&lanes, "c", &[6, 404]),
            open
        )
    };
    let (_, (c, a, b, late, ())) = tokio::join!(first, rest);
    let batch = |tenants: &str, items: &[u32]| (tenants.to_owned(), items.to_vec());
    let wanted = [batch("z", &[1]), batch("a c", &[4, 2, 3, 6, 404]), batch("b", &[5])];
    assert_eq!(recorder.batches(), wanted);
    let told = |outcomes: Vec<Outcome<u32>>| outcomes.into_iter().map(Result::ok).collect::<Vec<_>>();
    assert_eq!(told(c), [Some(20), Some(30)], "every caller its own");
    assert_eq!((told(a), told(b), told(late)), (vec![Some(40)], vec![Some(50)], vec![Some(60), None]));
}

#[tokio::test]
async fn contention_among_several_tenants_is_that_of_one() {
    let locked = |items: &[u32]| if items.contains(&BAD) { Err(Fault::contention()) } else { Ok(()) };
    let recorder = Recorder::new(locked).open();
    let config = LanesConfig { tenants_per_transaction: 3, ..config() };
    let lanes = Lanes::start(&config, &Tasks::new(), recorder.clone());
    let (a, b, c) =
        tokio::join!(submit(&lanes, "a", &[1]), submit(&lanes, "b", &[BAD, 2]), submit(&lanes, "c", &[3]));
    assert!(a[0].is_ok() && c[0].is_ok());
    assert!(b.iter().all(|one| one.as_ref().unwrap_err().kind() == Kind::Aborted));
    assert_eq!(recorder.batches().len(), 4, "once together, once each");
}

#[tokio::test]
async fn one_bad_item_of_one_tenant_never_fails_another_tenant() {
    let refuse_bad = |items: &[u32]| {
        if items.contains(&BAD) { Err(Fault::internal("the database refused a statement")) } else { Ok(()) }
    };
    let recorder = Recorder::new(refuse_bad).open();
    let config = LanesConfig { tenants_per_transaction: 8, ..config() };
    let lanes = Lanes::start(&config, &Tasks::new(), recorder.clone());
    let tenants = ["a", "b", "c", "d", "e"];
    let items = |tenant: &str| if tenant == "d" { [1, BAD, 2] } else { [1, 2, 3] };
    let outcomes = futures::future::join_all(
        tenants.map(|tenant| async { submit(&lanes, tenant, &items(tenant)).await }),
    );
    for (tenant, outcomes) in tenants.iter().zip(outcomes.await) {
        for (item, outcome) in items(tenant).iter().zip(outcomes) {
            match outcome {
                Ok(value) => assert_eq!(value, item * 10),
                Err(fault) => assert_eq!((*item, fault.kind()), (BAD, Kind::Internal)),
            }
        }
    }
}

#[tokio::test]
async fn a_batch_is_capped() {
    let recorder = Recorder::new(|_| Ok(())).open();
    let lanes = Lanes::start(&LanesConfig { max_batch: 3, ..config() }, &Tasks::new(), recorder.clone());
    submit(&lanes, "a", &[1, 2, 3, 4, 5, 6, 7]).await;
    let sizes: Vec<usize> = recorder.batches().iter().map(|(_, items)| items.len()).collect();
    assert_eq!(sizes, [3, 3, 1]);
}

#[tokio::test]
async fn one_key_is_one_lane_and_many_keys_are_many() {
    let recorder = Recorder::new(|_| Ok(())).open();
    let lanes = Lanes::start(&LanesConfig { lanes: 4, ..config() }, &Tasks::new(), recorder.clone());
    let call = Call::system("a");
    futures::future::join_all((0..64).map(|_| lanes.submit(&call, "SPRING", 1))).await;
    assert_eq!(recorder.batches().len(), 1);
    futures::future::join_all((0..64_u32).map(|key| lanes.submit(&call, key, 1))).await;
    assert_eq!(recorder.batches().len(), 5);
}

#[tokio::test]
async fn a_few_items_wait_for_another_lanes_few_and_grow_and_a_crowd_does_not_wait() {
    let recorder = Recorder::new(|_| Ok(()));
    let config = LanesConfig { lanes: 2, ..config() };
    let lanes = Lanes::start(&config, &Tasks::new(), recorder.clone());
    let call = Call::system("a");
    let hash = |key: u32| foldhash::fast::FixedState::default().hash_one((&call.tenant, key)) % 2;
    let other = (1..).find(|key| hash(*key) != hash(0)).unwrap();
    let of = |key: u32, items: std::ops::Range<u32>| {
        let (lanes, call) = (&lanes, &call);
        futures::future::join_all(items.map(move |item| lanes.submit(call, key, item)))
    };
    let sizes = || recorder.batches().iter().map(|(_, items)| items.len()).collect::<Vec<_>>();
    let story = async {
        until(|| sizes() == [1]).await;
        let rest = async {
            until(|| lanes.waiting() == 0).await;
            recorder.gate.add_permits(1);
            until(|| sizes() == [1, 5]).await;
            let crowd = async {
                until(|| sizes() == [1, 5, 40]).await;
                recorder.gate.add_permits(100);
            };
            tokio::join!(of(0, 100..140), crowd);
        };
        tokio::join!(of(other, 10..12), of(other, 12..15), rest);
    };
    tokio::join!(of(0, 0..1), story);
    assert_eq!(sizes(), [1, 5, 40]);
}

#[tokio::test]
async fn a_full_lane_refuses_at_once() {
    let recorder = Recorder::new(|_| Ok(()));
    let lanes = Lanes::start(&LanesConfig { capacity: 2, ..config() }, &Tasks::new(), recorder.clone());
    let first = submit(&lanes, "a", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let full = async {
            until(|| lanes.waiting() == 2).await;
            let refused = lanes.submit(&Call::system("a"), 0, 4).await.unwrap_err();
            assert_eq!((refused.kind(), refused.reason()), (Kind::Exhausted, "OVERLOADED"));
            recorder.gate.add_permits(100);
        };
        tokio::join!(submit(&lanes, "a", &[2, 3]), full).0
    };
    let (_, waited) = tokio::join!(first, rest);
    assert!(waited.iter().all(Result::is_ok));
}

#[tokio::test]
async fn one_bad_item_never_fails_its_neighbours() {
    let refuse_bad = |items: &[u32]| {
        if items.contains(&BAD) { Err(Fault::internal("the database refused a statement")) } else { Ok(()) }
    };
    let recorder = Recorder::new(refuse_bad).open();
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let items: Vec<u32> = (1..=20).collect();
    let outcomes = submit(&lanes, "a", &items).await;
    for (item, outcome) in items.iter().zip(outcomes) {
        match outcome {
            Ok(value) => assert_eq!(value, item * 10),
            Err(fault) => assert_eq!((*item, fault.kind()), (BAD, Kind::Internal)),
        }
    }
    let decided: Vec<u32> =
        recorder.batches().into_iter().filter(|(_, b)| !b.contains(&BAD)).flat_map(|(_, b)| b).collect();
    assert!(decided.is_sorted(), "parts run in order of arrival: {decided:?}");
}

#[tokio::test]
async fn a_statement_that_fails_for_everybody_costs_a_bounded_number_of_transactions() {
    let recorder = Recorder::new(|_| Err(Fault::internal("no such column"))).open();
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let outcomes = submit(&lanes, "a", &(0..512).collect::<Vec<_>>()).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().kind() == Kind::Internal));
    assert!(recorder.batches().len() < 300, "{}", recorder.batches().len());
}

#[tokio::test]
async fn contention_an_absent_database_and_an_unknown_outcome_are_everybodys_and_run_once() {
    for fault in [Fault::contention(), Fault::database_unavailable(), Fault::outcome_unknown()] {
        let (kind, reason) = (fault.kind(), fault.reason());
        let recorder = Recorder::new(move |_| Err(fault.clone())).open();
        let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
        let outcomes = submit(&lanes, "a", &[1, 2, 3]).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().kind() == kind), "{reason}");
        assert_eq!(recorder.batches().len(), 1, "{reason}");
    }
}

#[tokio::test]
async fn a_panic_is_an_unknown_outcome_and_the_lane_goes_on() {
    let recorder = Recorder::new(|items| if items.contains(&BAD) { panic!("a bug") } else { Ok(()) }).open();
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let outcomes = submit(&lanes, "a", &[1, BAD]).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap_err().kind() == Kind::UnknownOutcome));
    assert_eq!(submit(&lanes, "a", &[2]).await[0].clone().unwrap(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_deadline_passes_in_the_queue_is_answered_and_not_run() {
    let recorder = Recorder::new(|_| Ok(()));
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let mut hurried = Call::system("a");
    hurried.deadline = Some(Deadline::after(Duration::from_secs(1)));
    let first = submit(&lanes, "a", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let late = async {
            until(|| lanes.waiting() == 2).await;
            tokio::time::advance(Duration::from_secs(2)).await;
            recorder.gate.add_permits(100);
        };
        tokio::join!(lanes.submit(&hurried, 0, 2), submit(&lanes, "a", &[3]), late)
    };
    let (_, (late, patient, ())) = tokio::join!(first, rest);
    assert_eq!(late.unwrap_err().kind(), Kind::DeadlineExceeded);
    assert_eq!(patient[0].clone().unwrap(), 30);
    assert_eq!(recorder.batches()[1].1, [3]);
}

#[tokio::test]
async fn an_item_whose_caller_is_gone_before_its_turn_is_not_run() {
    let recorder = Recorder::new(|_| Ok(()));
    let lanes = Lanes::start(&config(), &Tasks::new(), recorder.clone());
    let call = Call::system("a");
    let first = submit(&lanes, "a", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let mut gone = Box::pin(lanes.submit(&call, 0, 2));
        assert!(futures::poll!(&mut gone).is_pending());
        drop(gone);
        recorder.gate.add_permits(100);
        submit(&lanes, "a", &[3]).await
    };
    tokio::join!(first, rest);
    let run: Vec<u32> = recorder.batches().into_iter().flat_map(|(_, items)| items).collect();
    assert_eq!(run, [1, 3]);
}

#[tokio::test]
async fn a_stopping_process_answers_what_has_queued_and_refuses_what_comes() {
    let recorder = Recorder::new(|_| Ok(()));
    let tasks = Tasks::new();
    let lanes = Lanes::start(&config(), &tasks, recorder.clone());
    let first = submit(&lanes, "a", &[1]);
    let rest = async {
        until(|| recorder.batches().len() == 1).await;
        let stop = async {
            until(|| lanes.waiting() == 3).await;
            tasks.soft().cancel();
            recorder.gate.add_permits(100);
        };
        tokio::join!(submit(&lanes, "a", &[2, 3]), submit(&lanes, "b", &[4]), stop)
    };
    let (_, (queued, other, ())) = tokio::join!(first, rest);
    assert!(queued.iter().chain(&other).all(Result::is_ok));
    assert!(tasks.finish_background(Duration::from_secs(5)).await);
    assert_eq!(submit(&lanes, "a", &[5]).await[0].clone().unwrap_err().reason(), "SHUTTING_DOWN");
}
