//! Which codes of a customer's are usable for a basket, best first.

use tandem_platform::testing;

use super::plain::plain;
use super::*;
use crate::MIGRATIONS;

impl Shop {
    fn hers(&self, code: &str, incentive: &str) -> Voucher {
        Voucher { customer: Some("ada".to_owned()), ..self.code(code, incentive) }
    }

    fn asked(&self) -> v1::ListUsableVouchersRequest {
        v1::ListUsableVouchersRequest {
            customer: "customers/ada".to_owned(),
            basket: plain(&[]).basket,
            ..v1::ListUsableVouchersRequest::default()
        }
    }

    async fn usable(&self, asked: v1::ListUsableVouchersRequest) -> v1::ListUsableVouchersResponse {
        rpc::usable(&self.app, &self.call, asked).await.unwrap()
    }

    /// (code, saving or refusal) of every page.
    async fn listed(&self, asked: v1::ListUsableVouchersRequest) -> Vec<(String, String)> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = self.usable(v1::ListUsableVouchersRequest { page_token, ..asked.clone() }).await;
            all.extend(page.vouchers.iter().map(told));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }
}

fn told(one: &v1::UsableVoucher) -> (String, String) {
    let code = one.voucher.as_ref().unwrap().code.clone();
    let saving = one.saving.as_ref().map(|_| minor(&one.saving).to_string());
    (code, saving.unwrap_or_else(|| one.refusal.clone()))
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(code, said)| ((*code).to_owned(), (*said).to_owned())).collect()
}

async fn wallet(shop: &Shop) {
    shop.incentive("five", off(500)).await;
    shop.incentive("ten", off(1_000)).await;
    shop.incentive("card", gift_card()).await;
    let ending = |code: &str, end: &str| Voucher { ends: Some(at(end)), ..shop.hers(code, "five") };
    let of_ada = |voucher: Voucher| Voucher { customer: Some("ada".to_owned()), ..voucher };
    let disabled = shop.hers("GONE", "ten");
    shop.codes(vec![
        shop.hers("TEN-B", "ten"),
        shop.hers("TEN-A", "ten"),
        ending("FIVE-LATE", "2026-09-01T00:00:00Z"),
        ending("FIVE-SOON", "2026-08-01T00:00:00Z"),
        ending("FIVE-OVER", "2026-06-01T00:00:00Z"),
        Voucher { starts: Some(at("2026-12-01T00:00:00Z")), ..shop.hers("FIVE-NEXT", "five") },
        of_ada(shop.card("CARD-20", "card", 2_000)),
        of_ada(shop.card("CARD-99", "card", 9_900)),
        shop.code("NOBODYS", "ten"),
        Voucher { customer: Some("bob".to_owned()), ..shop.code("BOBS", "ten") },
        disabled,
    ])
    .await;
    shop.redeem(&Quoted::new("o1", &[("GONE", "ten", 1_000)]).by("ada")).await.unwrap();
}

#[tokio::test]
async fn codes_stand_by_what_each_saves_alone_then_by_their_end_then_by_code() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        wallet(&shop).await;
        // 35.00 of goods and 4.90 of shipping.
        let usable = [
            ("TEN-A", "1000"),
            ("TEN-B", "1000"),
            ("FIVE-SOON", "500"),
            ("FIVE-LATE", "500"),
            ("CARD-99", "3990"),
            ("CARD-20", "2000"),
        ];
        assert_eq!(shop.listed(shop.asked()).await, pairs(&usable));
        let every = v1::ListUsableVouchersRequest { include_unusable: true, page_size: 2, ..shop.asked() };
        let unusable =
            [("FIVE-OVER", "CODE_EXPIRED"), ("FIVE-NEXT", "CODE_NOT_YET_VALID"), ("GONE", "CODE_EXHAUSTED")];
        assert_eq!(shop.listed(every).await, pairs(&[&usable[..], &unusable].concat()), "in pages of two");
        let answer = shop.usable(shop.asked()).await;
        let tenders: Vec<bool> = answer.vouchers.iter().map(|one| one.tender).collect();
        assert_eq!(tenders, [false, false, false, false, true, true]);
        assert!(!answer.more_vouchers);
    })
    .await;
}

#[tokio::test]
async fn each_is_worth_what_a_validation_of_it_alone_says() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        wallet(&shop).await;
        shop.incentive(
            "dear",
            Definition { discount: Discount { minimum_spend: amounts(9_900), ..off(1).discount }, ..off(1) },
        )
        .await;
        shop.incentive("spent", limited(off(700), budget(600))).await;
        shop.codes(vec![shop.hers("DEAR", "dear"), shop.hers("SPENT", "spent")]).await;
        let every = v1::ListUsableVouchersRequest { include_unusable: true, ..shop.asked() };
        let listed = shop.usable(every).await.vouchers;
        assert_eq!(listed.len(), 11);
        for one in &listed {
            let code = one.voucher.as_ref().unwrap().code.clone();
            let request = v1::ValidateVouchersRequest {
                plain: Some(plain(&[&code])),
                customer: "customers/ada".to_owned(),
                ..v1::ValidateVouchersRequest::default()
            };
            let alone = rpc::validate(&shop.app, &shop.call, request).await.unwrap().codes.remove(0);
            let told = (one.saving.clone(), one.refusal.clone(), one.message.clone());
            assert_eq!(told, (alone.amount, alone.refusal, alone.message), "{code}");
        }
        let missing = listed.iter().find(|one| one.refusal == "NOT_APPLICABLE").unwrap();
        assert!(missing.message.contains("64.00"), "{}", missing.message);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_codes_of_one_kind_are_priced_once_and_what_the_work_does_not_suffice_for_is_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("five", off(500)).await;
        let many = |first: usize| {
            (first..first + 1_000).map(|number| shop.hers(&format!("CODE-{number:05}"), "five")).collect()
        };
        for thousand in 0..10 {
            shop.codes(many(thousand * 1_000)).await;
        }
        let asked = v1::ListUsableVouchersRequest { page_size: 1_000, ..shop.asked() };
        let listed = shop.listed(asked.clone()).await;
        assert_eq!(listed.len(), 10_000);
        assert!(listed.is_sorted() && listed.iter().all(|(_, saving)| saving == "500"));
        assert!(!shop.usable(asked.clone()).await.more_vouchers);
        shop.codes(vec![shop.hers("CODE-99999", "five")]).await;
        assert!(shop.usable(asked).await.more_vouchers);

        let costly = Shop::new(shop.app.db.clone());
        for number in 0..60 {
            let incentive = format!("costly-{number}");
            costly.incentive(&incentive, super::costly::where_costly()).await;
            let his = Voucher {
                customer: Some("bob".to_owned()),
                ..costly.code(&format!("C{number:02}"), &incentive)
            };
            costly.codes(vec![his]).await;
        }
        let basket = super::costly::primes(5, &[], 32).basket;
        let asked = v1::ListUsableVouchersRequest {
            customer: "customers/bob".to_owned(),
            basket,
            include_unusable: true,
            page_size: 100,
            ..v1::ListUsableVouchersRequest::default()
        };
        let listed = costly.listed(asked).await;
        let left_out = listed.iter().filter(|(_, said)| said == "BASKET_TOO_COSTLY").count();
        assert_eq!(listed.len(), 60);
        assert!(
            (10..50).contains(&left_out),
            "some 345,000 steps each of 10,000,000: {left_out} are left out"
        );
    })
    .await;
}

#[tokio::test]
async fn a_question_without_a_customer_or_a_price_is_refused_at_once() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let wrong = v1::ListUsableVouchersRequest {
            place: "x".repeat(129),
            page_size: -1,
            ..v1::ListUsableVouchersRequest::default()
        };
        let fault = rpc::usable(&shop.app, &shop.call, wrong).await.unwrap_err();
        let fields: Vec<&str> = fault.violations().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["customer", "basket", "place", "page_size"]);
        let foreign = v1::ListUsableVouchersRequest { page_token: "x".to_owned(), ..shop.asked() };
        assert_eq!(reason(rpc::usable(&shop.app, &shop.call, foreign).await), "INVALID_PAGE_TOKEN");
    })
    .await;
}
