//! Orders that replace others: what the old one gives back serves the new one, or nothing happens.

use tandem_platform::testing;
use tandem_proto::relationship::v1::{self, RedemptionState, RollbackReason};

use super::race::{all_at_once, count, two};
use super::*;
use crate::MIGRATIONS;

impl Shop {
    fn replacing_request(&self, replaced: &str, quoted: &Quoted<'_>) -> v1::RedeemVouchersRequest {
        v1::RedeemVouchersRequest {
            replaces_order_id: replaced.to_owned(),
            ..self.redeem_request(quoted.order, self.token(quoted))
        }
    }

    /// Redeems what was quoted for the order, in the place of another.
    async fn replace(&self, replaced: &str, quoted: &Quoted<'_>) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem_as(self.replacing_request(replaced, quoted)).await
    }

    async fn states(&self, order: &str) -> Vec<&'static str> {
        self.of_order(order).await.iter().map(|one| one.state.name()).collect()
    }

    /// Everything that a refused call must leave as it is.
    async fn everything(
        &self,
        order: &str,
        code: &str,
    ) -> (Vec<Redemption>, Voucher, audit::Audit, Vec<String>) {
        (self.of_order(order).await, self.voucher(code).await, self.audit().await, self.events().await)
    }
}

fn spring(order: &str) -> Quoted<'_> {
    Quoted::new(order, &[("SPRING", "spring", 1_000)])
}

#[tokio::test]
async fn the_last_use_of_a_replaced_order_serves_the_new_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let limits = Limits {
            max_uses: Some(1),
            budgets: amounts(1_000),
            per_customer_period: Some(CustomerPeriod { max_uses: 1, period: Recurrence::Day }),
            ..per_customer(1)
        };
        shop.spring(Some(1), limits).await;
        shop.redeem(&spring("o1").by("7")).await.unwrap();
        assert_eq!(reason(shop.redeem(&spring("o2").by("7")).await), "CODE_EXHAUSTED");
        let answer = shop.replace("o1", &spring("o2").by("7")).await.unwrap();
        assert_eq!(answer.redemptions[0].order_id, "o2");
        assert_eq!(
            (shop.states("o1").await, shop.states("o2").await),
            (vec!["ROLLED_BACK"], vec!["REDEEMED"])
        );
        assert!(shop.of_order("o1").await[0].details.use_restored, "as for a cancelled order");
        let audit = shop.audit().await;
        assert_eq!((audit.live, audit.money[&("spring".to_owned(), "EUR".to_owned())]), (1, 1_000));
        let events = shop.events().await;
        let told: Vec<&str> =
            events.iter().map(String::as_str).filter(|event| event.contains("Rede")).collect();
        assert_eq!(told, ["VoucherRedeemed", "RedemptionRolledBack", "VoucherRedeemed"]);
    })
    .await;
}

#[tokio::test]
async fn a_refused_replacement_leaves_the_old_order_redeemed_and_every_counter_as_it_was() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits { budgets: amounts(1_000), ..per_customer(1) }).await;
        shop.incentive("other", off(1_000)).await;
        shop.codes(vec![shop.code("OTHER", "other")]).await;
        shop.redeem_one("o9", "OTHER", "other").await.unwrap();
        shop.redeem(&spring("o1").by("7")).await.unwrap();
        let before = shop.everything("o1", "SPRING").await;
        let dear = Quoted::new("o2", &[("SPRING", "spring", 1_001)]).by("7");
        assert_eq!(reason(shop.replace("o1", &dear).await), "BUDGET_EXHAUSTED");
        let both = Quoted::new("o2", &[("SPRING", "spring", 500), ("OTHER", "other", 500)]).by("7");
        assert_eq!(reason(shop.replace("o1", &both).await), "CODE_EXHAUSTED");
        let conclusive =
            v1::RedeemVouchersRequest { conclusive: true, ..shop.replacing_request("o1", &both) };
        assert_eq!(reason(shop.redeem_as(conclusive).await), "CODE_EXHAUSTED");
        let nothing_held = v1::RedeemVouchersRequest { what: None, ..shop.replacing_request("o1", &both) };
        assert_eq!(reason(shop.redeem_as(nothing_held).await), "HOLD_OVER");
        assert_eq!(shop.everything("o1", "SPRING").await, before);
        assert_eq!(shop.states("o2").await, Vec::<&str>::new());
    })
    .await;
}

#[tokio::test]
async fn a_part_that_will_do_replaces_the_whole_order() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let quoted = Quoted::new("o2", &[("NONE", "none", 500), ("SPRING", "spring", 1_000)]);
        let request = v1::RedeemVouchersRequest { partial: true, ..shop.replacing_request("o1", &quoted) };
        let answer = shop.redeem_as(request).await.unwrap();
        let refusals: Vec<&str> = answer.codes.iter().map(|code| code.refusal.as_str()).collect();
        assert_eq!(refusals, ["CODE_UNKNOWN", ""]);
        assert_eq!((shop.states("o1").await, shop.uses("SPRING").await), (vec!["ROLLED_BACK"], 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_replaced_order_holds_is_released_to_the_new_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.hold_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(reason(shop.redeem_one("o2", "SPRING", "spring").await), "CODE_EXHAUSTED");
        shop.replace("o1", &spring("o2")).await.unwrap();
        assert_eq!((shop.states("o1").await, shop.states("o2").await), (vec!["RELEASED"], vec!["REDEEMED"]));
        let audit = shop.audit().await;
        assert_eq!((audit.held, audit.live), (0, 1));
        let events = shop.events().await;
        let told: Vec<&str> =
            events.iter().map(String::as_str).filter(|event| event.starts_with("Voucher")).collect();
        assert_eq!(told, ["VoucherHeld", "VoucherReleased", "VoucherRedeemed"]);
        // And a hold of its own is redeemed in the place of another order.
        shop.roll_back("o2", &[], RollbackReason::Cancelled).await.unwrap();
        shop.hold_one("o3", "SPRING", "spring").await.unwrap();
        let held = v1::RedeemVouchersRequest { what: None, ..shop.replacing_request("o2", &spring("o3")) };
        shop.redeem_as(held).await.unwrap();
        assert_eq!(shop.audit().await.live, 1);
    })
    .await;
}

#[tokio::test]
async fn a_replacement_repeated_with_the_same_request_id_counts_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let request = shop.replacing_request("o1", &spring("o2"));
        let all = futures::future::join_all((0..4).map(|_| shop.redeem_as(request.clone()))).await;
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().all(|other| other.as_ref().unwrap() == first));
        // Whatever has become of both orders since.
        shop.roll_back("o2", &[], RollbackReason::Cancelled).await.unwrap();
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        assert_eq!(shop.redeem_as(request.clone()).await.unwrap(), *first);
        assert_eq!(shop.states("o1").await, ["ROLLED_BACK", "REDEEMED"]);
        assert_eq!((shop.states("o2").await, shop.uses("SPRING").await), (vec!["ROLLED_BACK"], 1));
        let elsewhere = v1::RedeemVouchersRequest { replaces_order_id: "o3".to_owned(), ..request };
        assert_eq!(reason(shop.redeem_as(elsewhere).await), "REQUEST_ID_REUSED");
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_replacement_under_another_request_id_gets_the_redemption_that_exists() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let first = shop.replace("o1", &spring("o2")).await.unwrap();
        assert_eq!(shop.replace("o1", &spring("o2")).await.unwrap(), first);
        assert_eq!((shop.states("o1").await, shop.uses("SPRING").await), (vec!["ROLLED_BACK"], 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_with_nothing_left_gives_nothing_back_and_the_call_goes_on() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(2), Limits::default()).await;
        shop.replace("never-seen", &spring("o1")).await.unwrap();
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        let before = shop.of_order("o1").await;
        shop.replace("o1", &spring("o2")).await.unwrap();
        assert_eq!(shop.of_order("o1").await, before);
        assert_eq!(shop.uses("SPRING").await, 1);
        shop.hold_one("o3", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(1));
        shop.replace("o3", &spring("o4")).await.unwrap();
        assert_eq!((shop.states("o3").await, shop.uses("SPRING").await), (vec!["EXPIRED"], 2));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn of_an_order_that_came_back_in_part_the_rest_comes_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let never = Definition { return_policy: ReturnPolicy::Never, ..limited(off(1_000), budget(1_000)) };
        shop.incentive("spring", never).await;
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.roll_back("o1", &[("a", 1)], RollbackReason::Returned).await.unwrap();
        let answer = shop.replace("o1", &spring("o2")).await.unwrap();
        assert_eq!(answer.redemptions[0].state(), RedemptionState::Redeemed);
        let old = &shop.of_order("o1").await[0];
        assert_eq!((old.state.name(), old.returned, old.details.use_restored), ("ROLLED_BACK", 1_000, true));
        assert_eq!(shop.audit().await.money[&("spring".to_owned(), "EUR".to_owned())], 1_000);
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_pays_again_what_the_replaced_order_gives_back_and_other_codes_come_back_too() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD", "card", 1_000)]).await;
        shop.spring(Some(1), Limits::default()).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        let pay = |order, replaced: &str, minor| v1::RedeemVouchersRequest {
            replaces_order_id: replaced.to_owned(),
            ..shop.redeem_request(order, shop.paying(&Quoted::new(order, &[("CARD", "card", minor)])))
        };
        shop.redeem_as(pay("o2", "o1", 700)).await.unwrap();
        assert_eq!(shop.uses("SPRING").await, 0);
        assert_eq!(reason(shop.redeem_as(pay("o3", "", 900)).await), "PRICE_CHANGED");
        shop.redeem_as(pay("o3", "o2", 900)).await.unwrap();
        assert_eq!(shop.voucher("CARD").await.balance_left(), Some(100));
        // An order without codes gives everything back all the same.
        shop.replace("o3", &Quoted::new("o4", &[])).await.unwrap();
        assert_eq!(shop.voucher("CARD").await.balance_left(), Some(1_000));
        assert_eq!(shop.audit().await.live, 0);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_has_expired_serves_the_new_order_as_after_any_roll_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", until(off(1_000), "2026-07-02T00:00:00Z")).await;
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
        shop.later(SignedDuration::from_hours(48));
        shop.replace("o1", &spring("o2")).await.unwrap();
        assert_eq!(shop.uses("SPRING").await, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn the_replaced_order_is_another_one_of_at_most_64_bytes() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), Limits::default()).await;
        for bad in ["o1", "bell\u{7}", &"x".repeat(65)] {
            let fault = shop.replace(bad, &spring("o1")).await.unwrap_err();
            let fields: Vec<&str> = fault.violations().iter().map(|one| one.field.as_str()).collect();
            assert_eq!(fields, ["replaces_order_id"], "{bad}");
        }
        assert_eq!(shop.uses("SPRING").await, 0);
        shop.replace(&"é".repeat(32), &spring("o1")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_many_orders_that_replace_the_same_one_the_last_use_serves_the_first() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(Some(1), budget(1_000)).await;
        let orders: Vec<String> = (0..20).map(|order| format!("o{order}")).collect();
        // In one batch with the order they replace, as far as the lane has it so.
        let first = shop.redeem_one("old", "SPRING", "spring");
        let quotes: Vec<Quoted<'_>> = orders.iter().map(|order| spring(order)).collect();
        let rest = futures::future::join_all(quotes.iter().map(|quoted| shop.replace("old", quoted)));
        let (first, outcomes) = futures::join!(first, rest);
        first.unwrap();
        assert_eq!(count(&outcomes), (1, vec!["CODE_EXHAUSTED"]));
        assert_eq!((shop.states("old").await, shop.uses("SPRING").await), (vec!["ROLLED_BACK"], 1));
        assert_eq!(shop.audit().await.live, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_that_replace_each_other_everywhere_at_once_leave_counters_that_equal_the_ledger() {
    two(async |one, two| {
        for (incentive, code) in [("left", "LEFT"), ("right", "RIGHT")] {
            one.incentive(incentive, limited(off(1_000), Limits { budgets: amounts(8_000), ..uses(8) }))
                .await;
            one.codes(vec![Voucher { max_uses: Some(6), ..one.code(code, incentive) }]).await;
        }
        let outcomes = all_at_once(&one, &two, 300, async |shop, caller| {
            let (order, replaced) = (format!("o{}", caller % 12), format!("o{}", (caller * 5 + 1) % 12));
            let codes = match caller % 3 {
                0 => vec![("LEFT", "left", 900)],
                1 => vec![("RIGHT", "right", 1_000)],
                _ => vec![("RIGHT", "right", 300), ("LEFT", "left", 700)],
            };
            let quoted = Quoted::new(&order, &codes);
            match caller % 5 {
                0 => shop.hold(&quoted).await.err(),
                1 => shop.redeem(&quoted).await.err(),
                _ => shop.replace(&replaced, &quoted).await.err(),
            }
        })
        .await;
        // Refused, never broken.
        let broken: Vec<_> = outcomes
            .iter()
            .flatten()
            .filter(|fault| fault.kind() != tandem_platform::Kind::Precondition)
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        one.audit().await;
    })
    .await;
}
