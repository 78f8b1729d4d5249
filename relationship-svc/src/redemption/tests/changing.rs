//! What support does to codes while orders use them.

use std::collections::BTreeMap;

use tandem_platform::idempotency::Request;
use tandem_platform::service::Asked;
use tandem_platform::testing;
use tandem_proto::relationship::v1::RollbackReason;

use super::race::{all_at_once, two};
use super::*;
use crate::MIGRATIONS;
use crate::voucher::Uses;
use crate::voucher::change::Wanted;
use crate::voucher::commands::change::{Adjustment, Update, adjust, update};

impl Shop {
    fn asks<W>(&self, method: &'static str, what: W) -> Asked<W> {
        Asked { call: self.call.clone(), request: Request::new(method, &request_id(), &()), what }
    }

    async fn change(&self, code: &str, wanted: Wanted) -> Outcome<Voucher> {
        let (code, etag, reason) = (code.to_owned(), String::new(), "by hand".to_owned());
        let asked = self.asks("UpdateVoucher", Update { code, etag, wanted, reason });
        update(self.app.clone(), asked).await
    }

    async fn move_to(&self, code: &str, customer: &str) -> Outcome<Voucher> {
        self.change(code, Wanted { customer: Some(customer.to_owned()), ..Wanted::default() }).await
    }

    async fn adjust(&self, code: &str, minor: i64) -> Outcome<Voucher> {
        let (code, amount, reason) = (code.to_owned(), Money::new(minor, eur()), "by hand".to_owned());
        adjust(self.app.clone(), self.asks("AdjustBalance", Adjustment { code, amount, reason })).await
    }

    async fn people(&self, ids: &[&str]) {
        for id in ids {
            let customer = crate::customer::Customer {
                id: (*id).to_owned(),
                version: 1,
                created: self.now(),
                updated: self.now(),
                ..Default::default()
            };
            let stored = transact!(self.app.db, |tx| {
                let mut writes = Writes::of(&self.call.tenant);
                let row = std::slice::from_ref(&customer);
                writes.push(crate::customer::store::CUSTOMERS.insert(row, None)?);
                writes.run(tx).await
            });
            stored.unwrap();
        }
    }
}

#[tokio::test]
async fn a_held_code_stays_whose_it_is_and_keeps_the_uses_that_are_held() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.people(&["ada", "bob"]).await;
        shop.incentive("spring", off(1_000)).await;
        let hers =
            Voucher { customer: Some("ada".to_owned()), max_uses: Some(5), ..shop.code("SPRING", "spring") };
        shop.codes(vec![hers]).await;
        shop.hold(&Quoted::new("o1", &[("SPRING", "spring", 1_000)]).by("ada")).await.unwrap();
        let fewer = |most| Wanted { uses: Some(Uses::Most(most)), ..Wanted::default() };
        shop.redeem(&Quoted::new("o2", &[("SPRING", "spring", 1_000)]).by("ada")).await.unwrap();
        assert_eq!(reason(shop.move_to("SPRING", "bob").await), "CODE_HELD");
        assert_eq!(reason(shop.change("SPRING", fewer(1)).await), "USES_EXCEEDED");
        // Nobody has looked at the hold since it lapsed: it counts for nothing all the same.
        shop.later(SignedDuration::from_mins(16));
        assert_eq!(shop.voucher("SPRING").await.usage.uses_held, 1);
        shop.change("SPRING", fewer(1)).await.unwrap();
        shop.move_to("SPRING", "bob").await.unwrap();
        shop.change("SPRING", fewer(2)).await.unwrap();
        let theirs = shop.redeem(&Quoted::new("o3", &[("SPRING", "spring", 1_000)]).by("ada")).await;
        assert_eq!(reason(theirs), "CODE_NOT_YOURS");
        shop.redeem(&Quoted::new("o3", &[("SPRING", "spring", 1_000)]).by("bob")).await.unwrap();
        shop.roll_back("o2", &[], RollbackReason::Cancelled).await.unwrap();
        assert_eq!(shop.uses("SPRING").await, 1);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_that_was_extended_past_its_incentive_is_redeemed() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", until(off(1_000), "2026-06-01T00:00:00Z")).await;
        shop.codes(vec![shop.code("SPRING", "spring")]).await;
        assert_eq!(reason(shop.redeem_one("o1", "SPRING", "spring").await), "CODE_EXPIRED");
        let validity = Some((None, Some(at("2026-08-01T00:00:00Z"))));
        shop.change("SPRING", Wanted { validity, ..Wanted::default() }).await.unwrap();
        shop.redeem_one("o1", "SPRING", "spring").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_gift_card_never_has_less_on_it_than_is_spent_and_held_and_its_ledgers_agree() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("card", gift_card()).await;
        shop.codes(vec![shop.card("CARD", "card", 2_000)]).await;
        let pay = |order, minor| shop.paying(&Quoted::new(order, &[("CARD", "card", minor)]));
        shop.redeem_as(shop.redeem_request("o1", pay("o1", 1_500))).await.unwrap();
        shop.hold_as(shop.hold_request("o2", pay("o2", 400), 60)).await.unwrap();
        assert_eq!(reason(shop.adjust("CARD", -101).await), "BALANCE_OUT_OF_RANGE");
        let emptied = shop.adjust("CARD", -100).await.unwrap();
        assert_eq!(emptied.balance_left(), Some(0));
        shop.audit().await;
        shop.adjust("CARD", 1_000).await.unwrap();
        shop.redeem_as(shop.redeem_request("o3", pay("o3", 1_000))).await.unwrap();
        shop.later(SignedDuration::from_mins(2));
        let corrected = shop.adjust("CARD", -400).await.unwrap();
        assert_eq!(corrected.balance.unwrap().worth(), 2_500, "what a lapsed hold keeps is left");
        assert_eq!(reason(shop.adjust("CARD", -1).await), "BALANCE_OUT_OF_RANGE");
        shop.roll_back("o1", &[], RollbackReason::Cancelled).await.unwrap();
        let card = shop.voucher("CARD").await;
        assert_eq!((card.balance.unwrap().initial, card.usage.spent), (2_000, 1_000));
        shop.audit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_redeems_while_a_code_moves_has_it_or_has_it_not() {
    two(async |one, two| {
        one.people(&["ada", "bob"]).await;
        one.incentive("spring", off(1_000)).await;
        let hers =
            Voucher { customer: Some("ada".to_owned()), max_uses: None, ..one.code("SPRING", "spring") };
        one.codes(vec![hers]).await;
        let outcomes = all_at_once(&one, &two, 60, async |shop, caller| {
            let customer = if caller % 3 == 0 { "bob" } else { "ada" };
            if caller == 20 {
                return ("move", reason(shop.move_to("SPRING", "bob").await));
            }
            let order = format!("o{caller}");
            let quoted = Quoted::new(&order, &[("SPRING", "spring", 1_000)]).by(customer);
            (customer, reason(shop.redeem(&quoted).await))
        })
        .await;
        let mut counted: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for outcome in outcomes {
            *counted.entry(outcome).or_default() += 1;
        }
        assert_eq!(counted.get(&("move", "OK")), Some(&1));
        let allowed = ["OK", "CODE_NOT_YOURS"];
        assert!(counted.keys().all(|(_, reason)| allowed.contains(reason)), "{counted:?}");
        let redeemed: usize = counted
            .iter()
            .filter(|((who, why), _)| *who != "move" && *why == "OK")
            .map(|(_, count)| count)
            .sum();
        let voucher = one.voucher("SPRING").await;
        assert_eq!((voucher.customer.as_deref(), voucher.max_uses), (Some("bob"), None));
        assert_eq!(usize::try_from(voucher.usage.uses).unwrap(), redeemed);
        one.audit().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_pay_and_correct_at_once_none_takes_what_is_not_there() {
    two(async |one, two| {
        one.incentive("card", gift_card()).await;
        one.codes(vec![one.card("CARD", "card", 1_000)]).await;
        let outcomes = all_at_once(&one, &two, 60, async |shop, caller| match caller % 3 {
            0 => shop.adjust("CARD", 200).await.is_ok(),
            1 => shop.adjust("CARD", -300).await.is_ok(),
            _ => {
                let order = format!("o{caller}");
                let token = shop.paying(&Quoted::new(&order, &[("CARD", "card", 300)]));
                shop.redeem_as(shop.redeem_request(&order, token)).await.is_ok()
            }
        })
        .await;
        let done = |kind| outcomes.iter().enumerate().filter(|(at, ok)| at % 3 == kind && **ok).count();
        assert_eq!(done(0), 20);
        let mut taken = done(1) + done(2);
        // Who came before the card was topped up may have been refused: what is left is taken now.
        while one.adjust("CARD", -300).await.is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 16, "5,000 in all, 300 each time");
        assert_eq!(one.voucher("CARD").await.balance_left(), Some(200));
        one.audit().await;
    })
    .await;
}
