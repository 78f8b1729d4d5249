//! Many callers, one limit, two processes: what no concurrency may break. On PostgreSQL, where two processes can meet.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{self, RollbackReason};

use super::*;
use crate::MIGRATIONS;

/// Two processes on one database.
pub(super) async fn two(body: impl AsyncFnOnce(Shop, Shop)) {
    testing::postgres(&MIGRATIONS, |database| async move {
        let clock = Arc::new(FixedClock::at(at("2026-07-01T12:00:00Z")));
        let one = Shop::with(database.db.clone(), clock.clone(), Config::default());
        let two = Shop::with(database.another().await, clock, Config::default());
        body(one, two).await;
    })
    .await;
}

pub(super) fn count<T>(outcomes: &[Outcome<T>]) -> (usize, Vec<&'static str>) {
    let mut reasons: Vec<&'static str> =
        outcomes.iter().filter_map(|one| one.as_ref().err()).map(|fault| fault.reason()).collect();
    let good = outcomes.len() - reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    (good, reasons)
}

/// Half of the callers to each process, all at once.
pub(super) async fn all_at_once<T>(
    one: &Shop,
    two: &Shop,
    callers: usize,
    call: impl AsyncFn(&Shop, usize) -> T,
) -> Vec<T> {
    let calls = (0..callers).map(|caller| call(if caller % 2 == 0 { one } else { two }, caller));
    futures::future::join_all(calls).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_1000_callers_on_a_code_of_100_uses_exactly_100_redeem() {
    two(async |one, two| {
        one.spring(Some(100), Limits::default()).await;
        let outcomes = all_at_once(&one, &two, 1_000, async |shop, caller| {
            shop.redeem_one(&format!("o{caller}"), "SPRING", "spring").await
        })
        .await;
        assert_eq!(count(&outcomes), (100, vec!["CODE_EXHAUSTED"]));
        assert_eq!((one.uses("SPRING").await, one.audit().await.redeemed), (100, 100));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_money_budget_is_never_exceeded() {
    two(async |one, two| {
        one.spring(None, budget(70_500)).await;
        let outcomes = all_at_once(&one, &two, 400, async |shop, caller| {
            let amount = 700 + i64::try_from(caller % 7).unwrap() * 100;
            shop.redeem(&Quoted::new(&format!("o{caller}"), &[("SPRING", "spring", amount)])).await
        })
        .await;
        let (good, reasons) = count(&outcomes);
        assert_eq!(reasons, ["BUDGET_EXHAUSTED"]);
        let audit = one.audit().await;
        let spent = audit.money[&("spring".to_owned(), "EUR".to_owned())];
        assert_eq!(audit.redeemed, good);
        assert!((69_801..=70_500).contains(&spent), "{spent}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_customer_uses_an_incentive_as_often_as_allowed_and_no_more() {
    two(async |one, two| {
        one.spring(None, per_customer(3)).await;
        let outcomes = all_at_once(&one, &two, 300, async |shop, caller| {
            let customer = format!("{}", caller % 10);
            shop.redeem(&Quoted::new(&format!("o{caller}"), &[("SPRING", "spring", 1_000)]).by(&customer))
                .await
        })
        .await;
        assert_eq!(count(&outcomes), (30, vec!["CUSTOMER_LIMIT_REACHED"]));
        one.audit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn holds_that_lapse_meanwhile_leave_room_for_exactly_as_many() {
    two(async |one, two| {
        one.spring(Some(100), budget(100_000)).await;
        let held = all_at_once(&one, &two, 100, async |shop, caller| {
            let order = format!("h{caller}");
            let token = shop.token(&Quoted::new(&order, &[("SPRING", "spring", 1_000)]));
            shop.hold_as(shop.hold_request(&order, token, if caller % 2 == 0 { 60 } else { 3_600 })).await
        })
        .await;
        assert_eq!(count(&held).0, 100);
        assert_eq!(reason(one.redeem_one("early", "SPRING", "spring").await), "CODE_EXHAUSTED");
        one.later(SignedDuration::from_secs(60));
        let outcomes = all_at_once(&one, &two, 300, async |shop, caller| {
            if caller < 100 {
                shop.redeem_held(&format!("h{caller}")).await
            } else {
                shop.redeem_one(&format!("o{caller}"), "SPRING", "spring").await
            }
        })
        .await;
        let (good, reasons) = count(&outcomes);
        assert_eq!((good, reasons), (100, vec!["CODE_EXHAUSTED", "HOLD_OVER"]));
        let audit = one.audit().await;
        assert_eq!((one.uses("SPRING").await, audit.redeemed), (100, 100));
        super::super::tasks::sweep(&one.app).await.unwrap();
        assert_eq!(one.audit().await.held, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_codes_per_order_in_any_order_meet_their_limits() {
    two(async |one, two| {
        for (incentive, code) in [("left", "LEFT"), ("right", "RIGHT")] {
            one.incentive(incentive, limited(off(1_000), uses(80))).await;
            one.codes(vec![Voucher { max_uses: None, ..one.code(code, incentive) }]).await;
        }
        let outcomes = all_at_once(&one, &two, 400, async |shop, caller| {
            let mut codes = vec![("LEFT", "left", 500), ("RIGHT", "right", 500)];
            if caller % 3 == 0 {
                codes.reverse();
            }
            shop.redeem(&Quoted::new(&format!("o{caller}"), &codes)).await
        })
        .await;
        assert_eq!(count(&outcomes), (80, vec!["INCENTIVE_EXHAUSTED"]));
        assert_eq!(one.audit().await.redeemed, 160);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_roll_backs_of_one_redemption_credit_once() {
    two(async |one, two| {
        one.spring(Some(1), budget(1_000)).await;
        one.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let outcomes = all_at_once(&one, &two, 50, async |shop, _| {
            shop.roll_back("o1", &[], RollbackReason::Cancelled).await
        })
        .await;
        let returned: Vec<i64> = outcomes.iter().map(|one| minor(&one.as_ref().unwrap().returned)).collect();
        assert_eq!(returned.iter().sum::<i64>(), 1_000);
        assert_eq!(one.uses("SPRING").await, 0);
        one.redeem_one("o2", "SPRING", "spring").await.unwrap();
        let units = all_at_once(&one, &two, 20, async |shop, _| {
            shop.roll_back("o2", &[("a", 1)], RollbackReason::Returned).await
        })
        .await;
        assert_eq!(count(&units), (3, vec!["QUANTITY_EXCEEDED"]));
        let audit = one.audit().await;
        assert_eq!(audit.money[&("spring".to_owned(), "EUR".to_owned())], 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_order_redeems_once_whoever_asks_and_whatever_it_brings() {
    two(async |one, two| {
        for (incentive, code) in [("left", "LEFT"), ("right", "RIGHT")] {
            one.incentive(incentive, off(1_000)).await;
            one.codes(vec![Voucher { max_uses: None, ..one.code(code, incentive) }]).await;
        }
        for order in 0..20 {
            let order = format!("o{order}");
            let outcomes = all_at_once(&one, &two, 8, async |shop, caller| {
                let (code, incentive) = if caller % 4 < 2 { ("LEFT", "left") } else { ("RIGHT", "right") };
                shop.redeem_one(&order, code, incentive).await
            })
            .await;
            assert_eq!(count(&outcomes), (4, vec!["ORDER_ALREADY_REDEEMED"]));
        }
        assert_eq!(one.audit().await.redeemed, 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_sent_to_both_processes_counts_once() {
    two(async |one, two| {
        one.spring(Some(100), per_customer(1)).await;
        let requests: Vec<v1::RedeemVouchersRequest> = (0..50)
            .map(|order| {
                let (order, customer) = (format!("o{order}"), format!("{order}"));
                let quoted = Quoted::new(&order, &[("SPRING", "spring", 1_000)]).by(&customer);
                one.redeem_request(&order, one.token(&quoted))
            })
            .collect();
        let outcomes = all_at_once(&one, &two, 200, async |shop, caller| {
            shop.redeem_as(requests[caller / 4].clone()).await
        })
        .await;
        for same in outcomes.chunks(4) {
            let first = same[0].as_ref().unwrap();
            assert!(same.iter().all(|other| other.as_ref().unwrap() == first));
        }
        assert_eq!((one.uses("SPRING").await, one.audit().await.redeemed), (50, 50));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_use_goes_to_one_order_however_often_it_asks() {
    two(async |one, two| {
        for round in 0..20 {
            let (incentive, code) = (format!("last{round}"), format!("LAST{round}"));
            one.incentive(&incentive, limited(off(1_000), budget(1_000))).await;
            one.codes(vec![one.code(&code, &incentive)]).await;
            // Each time under another request_id, as a checkout that has lost its own would.
            let outcomes = all_at_once(&one, &two, 8, async |shop, _| {
                shop.redeem_one(&format!("o{round}"), &code, &incentive).await
            })
            .await;
            assert_eq!(count(&outcomes), (8, vec![]));
        }
        assert_eq!(one.audit().await.redeemed, 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once_leaves_counters_that_equal_the_ledger() {
    two(async |one, two| {
        let limits = Limits { budgets: amounts(60_000), max_uses_per_customer: Some(4), ..uses(70) };
        one.incentive("left", limited(off(1_000), limits.clone())).await;
        one.incentive("right", limited(off(1_000), limits)).await;
        for (incentive, code) in [("left", "LEFT"), ("right", "RIGHT")] {
            one.codes(vec![Voucher { max_uses: Some(60), ..one.code(code, incentive) }]).await;
        }
        all_at_once(&one, &two, 600, async |shop, caller| {
            let (order, customer) = (format!("o{}", caller % 90), format!("{}", caller % 30));
            let codes = match caller % 3 {
                0 => vec![("LEFT", "left", 900)],
                1 => vec![("RIGHT", "right", 1_000)],
                _ => vec![("RIGHT", "right", 300), ("LEFT", "left", 700)],
            };
            let quoted = Quoted::new(&order, &codes).by(&customer);
            let outcome = match caller % 7 {
                0..=2 => shop.redeem(&quoted).await.err(),
                3 => shop.hold(&quoted).await.err(),
                4 => shop.redeem_held(&order).await.err(),
                5 => shop.roll_back(&order, &[("a", 1)], RollbackReason::Returned).await.err(),
                _ => {
                    shop.release(&order).await;
                    None
                }
            };
            // Refused, never broken.
            let refused = outcome.as_ref().is_none_or(|fault| {
                matches!(fault.kind(), tandem_platform::Kind::Precondition | tandem_platform::Kind::NotFound)
            });
            assert!(refused, "{outcome:?}");
        })
        .await;
        one.audit().await;
    })
    .await;
}
