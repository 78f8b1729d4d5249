//! Codes of any script, wherever codes go.

use tandem_platform::testing;

use super::importing::{get, import, item};
use super::*;
use crate::MIGRATIONS;
use crate::testing::{Harness, fields};

/// As shops have them, in the order in which they are listed.
const CODES: [&str; 9] =
    ["10", "50%OFF", "A/B", "A_B", "SPRING-24", "VIP", "ÉTÉ-2026", "ΣΟΦΌΣ", "夏のセール"];

#[tokio::test]
async fn codes_of_any_script_are_stored_found_listed_exported_and_brought_in_again() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let typed = [
            "10\n",
            "50%off",
            "a/b",
            "a_b",
            "ｓpring–24",
            " vip",
            "e\u{301}te\u{301}-2026",
            "σοφός",
            "夏のｾｰﾙ",
        ];
        let answer = import(&mut client, typed.map(item).to_vec()).await;
        assert_eq!((answer.created, answer.failed), (9, 0), "{:?}", answer.failures);
        let exported = export(&mut client, "").await;
        assert_eq!(exported.iter().map(|voucher| &*voucher.code).collect::<Vec<_>>(), CODES);
        let again = import(&mut client, exported.clone()).await;
        assert_eq!((again.existing, again.failed), (9, 0), "{:?}", again.failures);
        for (typed, voucher) in typed.iter().zip(&exported) {
            assert_eq!(get(&mut client, typed).await, *voucher);
            assert_eq!(voucher.name, format!("vouchers/{}", voucher.code));
        }
        let mut seen = Vec::new();
        let mut request = ListVouchersRequest {
            incentive: "incentives/ten-off".to_owned(),
            page_size: 2,
            ..ListVouchersRequest::default()
        };
        loop {
            let page = client.list_vouchers(request.clone()).await.unwrap().into_inner();
            seen.extend(page.vouchers.into_iter().map(|voucher| voucher.code));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, CODES);
    })
    .await;
}

#[tokio::test]
async fn a_code_has_1_to_64_visible_characters() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let wrong = ["", "\u{200b}", "two words", &"x".repeat(65), &"ß".repeat(33), "\u{e000}"];
        let answer = import(&mut client, wrong.map(item).to_vec()).await;
        assert_eq!((answer.created, answer.failed), (0, 6));
        let longest = "夏".repeat(64);
        assert_eq!(import(&mut client, vec![item(&longest)]).await.created, 1);
        assert_eq!(get(&mut client, &longest).await.code, longest);
        let name = |code: &str| GetVoucherRequest { name: format!("vouchers/{code}") };
        for none in ["two words", &"x".repeat(65), "NOBODY"] {
            let refused = client.get_voucher(name(none)).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::NotFound, "{none}");
        }
        assert_eq!(fields(&client.get_voucher(name("\u{200b}")).await.unwrap_err()), ["name"]);
    })
    .await;
}

#[tokio::test]
async fn everything_wrong_with_an_item_is_told_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let contradictory = Voucher {
            max_uses: Some(1),
            uses: 2,
            state: VoucherState::Active.into(),
            initial_balance: Some(euros(5)),
            balance: Some(euros(6)),
            ..item("CODE")
        };
        let answer = import(&mut client, vec![contradictory]).await;
        let status = answer.failures[0].status.clone().unwrap();
        let details = prost::Message::encode_to_vec(&status).into();
        let refused = Status::with_details(tonic::Code::from(status.code), status.message, details);
        assert_eq!(fields(&refused), ["initial_balance", "uses", "balance", "state"]);

        let wanted = GenerateVouchersRequest {
            max_uses: Some(0),
            request_id: String::new(),
            incentive: "ten-off".to_owned(),
            ..wanted(1_000_000, "AB##", "")
        };
        let refused = generate(&mut client, wanted).await.unwrap_err();
        assert_eq!(fields(&refused), ["request_id", "incentive", "max_uses", "format.pattern"]);
    })
    .await;
}
