//! Generation, import, export, lists.

use std::collections::HashSet;

use tandem_platform::testing;
use tandem_proto::relationship::v1::*;
use tonic::Code;

use super::{client, euros, export, generate, gift_card, open, ten_off, wanted};
use crate::MIGRATIONS;
use crate::testing::{Harness, fields, import_vouchers, reason};

#[tokio::test]
async fn codes_are_made_in_the_wanted_number_each_once_and_durable_with_progress() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let progress = generate(&mut client, wanted(25_000, "SPRING-######", "first")).await.unwrap();
        let done: Vec<i64> = progress.iter().map(|step| step.done).collect();
        assert!(done.is_sorted_by(|one, next| one < next), "{done:?}");
        assert_eq!(done.last(), Some(&25_000));
        let codes: HashSet<String> =
            export(&mut client, &progress[0].batch).await.into_iter().map(|voucher| voucher.code).collect();
        assert_eq!(codes.len(), 25_000);
        assert!(codes.iter().all(|code| code.starts_with("SPRING-")));
        let told = harness.events().await;
        let blocks = told.iter().filter(|event| event.r#type.ends_with("VouchersGenerated")).count();
        assert_eq!(blocks, done.len());
    })
    .await;
}

#[tokio::test]
async fn a_generation_that_broke_off_goes_on_where_it_stopped() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let mut stream = client.generate_vouchers(wanted(30_000, "", "again")).await.unwrap().into_inner();
        let first = stream.message().await.unwrap().unwrap();
        drop(stream);
        let rest = generate(&mut client, wanted(30_000, "", "again")).await.unwrap();
        assert!(rest.iter().all(|step| step.batch == first.batch && step.done > first.done));
        assert_eq!(export(&mut client, "").await.len(), 30_000);
        let over = generate(&mut client, wanted(30_000, "", "again")).await.unwrap();
        assert_eq!(over.iter().map(|step| step.done).collect::<Vec<_>>(), [30_000]);
        assert_eq!(export(&mut client, "").await.len(), 30_000);
        let other = generate(&mut client, wanted(40_000, "", "again")).await.unwrap_err();
        assert_eq!((other.code(), reason(&other).as_str()), (Code::InvalidArgument, "REQUEST_ID_REUSED"));
    })
    .await;
}

#[tokio::test]
async fn a_pattern_with_too_few_codes_is_refused_and_nothing_is_made() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let refused = generate(&mut client, wanted(103, "AB##", "small")).await.unwrap_err();
        assert_eq!(
            (refused.code(), fields(&refused)),
            (Code::InvalidArgument, vec!["format.pattern".to_owned()])
        );
        assert!(export(&mut client, "").await.is_empty());
        assert_eq!(
            generate(&mut client, wanted(102, "AB##", "fits")).await.unwrap().last().unwrap().done,
            102
        );
    })
    .await;
}

#[tokio::test]
async fn everything_wrong_with_a_generation_is_said_at_once() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let request = GenerateVouchersRequest {
            incentive: "ten-off".to_owned(),
            quantity: 0,
            format: Some(CodeFormat { charset: "A".to_owned(), ..CodeFormat::default() }),
            max_uses: Some(-1),
            balance: Some(euros(-1)),
            ..GenerateVouchersRequest::default()
        };
        let refused = generate(&mut client(&harness), request).await.unwrap_err();
        let named = ["request_id", "quantity", "incentive", "format.charset", "max_uses", "balance"];
        assert_eq!(fields(&refused), named);
    })
    .await;
}

#[tokio::test]
async fn gift_cards_have_a_balance_and_nothing_else_has_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        open(&harness, "card", Incentive { discount: Some(gift_card()), ..Incentive::default() }).await;
        let mut client = client(&harness);
        let card = |balance| GenerateVouchersRequest {
            incentive: "incentives/card".to_owned(),
            balance,
            ..wanted(1, "", "card")
        };
        let without = generate(&mut client, card(None)).await.unwrap_err();
        assert_eq!(fields(&without), ["balance"]);
        let reducing = GenerateVouchersRequest { balance: Some(euros(5)), ..wanted(1, "", "reduces") };
        assert_eq!(fields(&generate(&mut client, reducing).await.unwrap_err()), ["balance"]);
        generate(&mut client, card(Some(euros(50)))).await.unwrap();
        let request =
            ListVouchersRequest { incentive: "incentives/card".to_owned(), ..ListVouchersRequest::default() };
        let vouchers = client.list_vouchers(request).await.unwrap().into_inner().vouchers;
        assert_eq!((vouchers[0].balance.clone(), vouchers[0].max_uses), (Some(euros(50)), None));
    })
    .await;
}

#[tokio::test]
async fn an_import_counts_what_is_new_what_was_there_and_what_is_wrong() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        let row = |code: &str, incentive: &str| Voucher {
            code: code.to_owned(),
            incentive: format!("incentives/{incentive}"),
            max_uses: Some(1),
            ..Voucher::default()
        };
        let block = |vouchers| ImportVouchersRequest { vouchers, ..ImportVouchersRequest::default() };
        let blocks = vec![
            block(vec![row("alpha", "ten-off"), row("ALPHA", "ten-off"), row("x y", "ten-off")]),
            block(vec![row("beta", "nothing"), row("Alpha", "ten-off"), row("gamma", "ten-off")]),
        ];
        let answer = import_vouchers(&mut client, blocks).await.unwrap();
        assert_eq!((answer.created, answer.existing, answer.failed), (2, 2, 2));
        let failed: Vec<(i64, &str)> =
            answer.failures.iter().map(|failure| (failure.index, failure.code.as_str())).collect();
        assert_eq!(failed, [(2, "x y"), (3, "beta")]);
        let codes: Vec<String> =
            export(&mut client, "").await.into_iter().map(|voucher| voucher.code).collect();
        assert_eq!(codes, ["ALPHA", "GAMMA"]);
    })
    .await;
}

#[tokio::test]
async fn a_list_goes_on_behind_its_last_code_and_only_for_the_same_question() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(250, "", "list")).await.unwrap();
        let mut request = ListVouchersRequest {
            incentive: "incentives/ten-off".to_owned(),
            page_size: 100,
            filter: "voucher.state == 'ACTIVE'".to_owned(),
            ..ListVouchersRequest::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = client.list_vouchers(request.clone()).await.unwrap().into_inner();
            seen.extend(page.vouchers.into_iter().map(|voucher| voucher.code));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert!(seen.is_sorted());
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 250);
        request.filter = "voucher.uses > 0".to_owned();
        let foreign = client.list_vouchers(request).await.unwrap_err();
        assert_eq!(reason(&foreign), "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn a_code_is_found_however_it_is_typed_and_ends_when_it_is_disabled() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(1, "HELLO-######", "one")).await.unwrap();
        let code = export(&mut client, "").await.remove(0).code;
        let typed = format!("vouchers/{}", code.to_lowercase());
        let found = client.get_voucher(GetVoucherRequest { name: typed.clone() }).await.unwrap().into_inner();
        assert_eq!(found.voucher.unwrap().code, code);
        let request = DisableVoucherRequest { name: typed, request_id: "end".to_owned() };
        for _ in 0..2 {
            let ended = client.disable_voucher(request.clone()).await.unwrap().into_inner().voucher.unwrap();
            assert_eq!(ended.state(), VoucherState::Disabled);
        }
        let told = harness.events().await;
        assert_eq!(told.iter().filter(|event| event.r#type.ends_with("VoucherDisabled")).count(), 1);
        let unknown = GetVoucherRequest { name: "vouchers/NOBODY".to_owned() };
        assert_eq!(reason(&client.get_voucher(unknown).await.unwrap_err()), "NOT_FOUND");
    })
    .await;
}
