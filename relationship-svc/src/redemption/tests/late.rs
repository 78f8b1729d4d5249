//! A limit counts from the beginning of what it limits, whenever it is written down.

use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::race::{all_at_once, count, two};
use super::*;
use crate::MIGRATIONS;

fn by<'a>(order: &'a str, customer: &'a str) -> Quoted<'a> {
    Quoted::new(order, &[("SPRING", "spring", 1_000)]).by(customer)
}

#[tokio::test]
async fn once_per_customer_counts_what_was_redeemed_before_it_was_said() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        for order in ["o1", "o2"] {
            shop.redeem(&by(order, "7")).await.unwrap();
        }
        let guest = Quoted { guest: "guest-key-of-ann-", ..by("o3", "") };
        shop.redeem(&guest).await.unwrap();
        shop.limit("spring", per_customer(2)).await;
        assert_eq!(reason(shop.redeem(&by("o4", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.redeem(&Quoted { order: "o5", ..guest }).await.unwrap();
        let again = Quoted { guest: "guest-key-of-ann-", ..by("o6", "") };
        assert_eq!(reason(shop.redeem(&again).await), "CUSTOMER_LIMIT_REACHED");
        shop.redeem(&by("o7", "8")).await.unwrap();
        // What counted late comes back as everything does.
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem(&by("o8", "7")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o9", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_held_counts_under_a_limit_that_comes_later_and_only_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        shop.hold(&by("o1", "7")).await.unwrap();
        shop.hold(&by("o2", "8")).await.unwrap();
        shop.limit("spring", per_customer(1)).await;
        assert_eq!(reason(shop.redeem(&by("o3", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.redeem_held("o1").await.unwrap();
        assert_eq!(reason(shop.redeem(&by("o4", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.release("o2").await;
        shop.redeem(&by("o5", "8")).await.unwrap();
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_is_taken_away_and_comes_back_finds_the_same_count() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, per_customer(2)).await;
        shop.redeem(&by("o1", "7")).await.unwrap();
        shop.limit("spring", Limits::default()).await;
        shop.redeem(&by("o2", "7")).await.unwrap();
        shop.limit("spring", per_customer(2)).await;
        assert_eq!(reason(shop.redeem(&by("o3", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn another_recurrence_counts_what_its_running_period_has_seen() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::with(
            db,
            Arc::new(FixedClock::at(at("2026-06-30T12:00:00Z"))),
            Config { tenant_time_zone: "Europe/Vienna".to_owned(), ..Config::default() },
        );
        shop.spring(None, Limits::default()).await;
        shop.redeem(&by("june", "7")).await.unwrap();
        shop.later(SignedDuration::from_hours(24));
        shop.redeem(&by("july-1", "7")).await.unwrap();
        shop.later(SignedDuration::from_hours(48));
        shop.redeem(&by("july-3", "7")).await.unwrap();
        let most = |most, recurrence| Limits { recurrence, ..uses(most) };
        for (recurrence, seen) in
            [(None, 3), (Some(Recurrence::Month), 2), (Some(Recurrence::Day), 1), (Some(Recurrence::Year), 3)]
        {
            shop.limit("spring", most(seen, recurrence)).await;
            let told = reason(shop.redeem(&by("more", "8")).await);
            assert_eq!(told, "INCENTIVE_EXHAUSTED", "{recurrence:?}");
        }
        let money = |minor| Limits { recurrence: Some(Recurrence::Month), ..budget(minor) };
        shop.limit("spring", money(2_500)).await;
        assert_eq!(reason(shop.redeem(&by("more", "8")).await), "BUDGET_EXHAUSTED");
        shop.limit("spring", per_customer_period(2, Recurrence::Month)).await;
        assert_eq!(reason(shop.redeem(&by("more", "7")).await), "CUSTOMER_PERIOD_LIMIT_REACHED");
        shop.limit("spring", Limits { recurrence: Some(Recurrence::Month), ..uses(3) }).await;
        shop.roll_back("july-1", &[], RollbackReason::Cancelled).await.unwrap();
        for order in ["more-1", "more-2"] {
            shop.redeem(&by(order, "8")).await.unwrap();
        }
        assert_eq!(reason(shop.redeem(&by("more-3", "8")).await), "INCENTIVE_EXHAUSTED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_counted_late_is_counted_once_however_often_it_is_begun() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        // More orders than one transaction takes.
        for order in 0..130 {
            shop.redeem(&by(&format!("o{order}"), "7")).await.unwrap();
        }
        let limits = per_customer(131);
        futures::future::join_all((0..3).map(|_| shop.limit_counted("spring", &limits))).await;
        shop.limit("spring", limits).await;
        shop.redeem(&by("last", "7")).await.unwrap();
        assert_eq!(reason(shop.redeem(&by("over", "7")).await), "CUSTOMER_LIMIT_REACHED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_is_added_while_two_processes_redeem_misses_nothing() {
    two(async |one, two| {
        one.spring(None, Limits::default()).await;
        for order in 0..40 {
            one.redeem(&by(&format!("before-{order}"), &(order % 10).to_string())).await.unwrap();
        }
        let redeem = all_at_once(&one, &two, 400, async |shop, caller| {
            shop.redeem(&by(&format!("o{caller}"), &(caller % 10).to_string())).await
        });
        let (outcomes, ()) = tokio::join!(redeem, one.limit("spring", per_customer(6)));
        let (good, reasons) = count(&outcomes);
        assert!(reasons.iter().all(|reason| *reason == "CUSTOMER_LIMIT_REACHED"), "{reasons:?}");
        let audit = two.audit().await;
        assert_eq!(audit.redeemed, 40 + good);
        for customer in 0..10 {
            let (order, customer) = (format!("after-{customer}"), customer.to_string());
            let had = one.redeemed_by(&customer).await;
            let told = reason(two.redeem(&by(&order, &customer)).await);
            assert_eq!(told, if had < 6 { "OK" } else { "CUSTOMER_LIMIT_REACHED" }, "had {had}");
        }
        one.audit().await;
    })
    .await;
}
