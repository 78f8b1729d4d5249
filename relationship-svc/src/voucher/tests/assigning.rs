//! Giving codes to customers.

use std::collections::HashSet;

use tandem_platform::testing;
use tandem_proto::relationship::v1::*;
use tonic::Code;

use super::{client, customers, euros, generate, gift_card, open, percent, ten_off, wanted};
use crate::MIGRATIONS;
use crate::testing::{Harness, fields, import_vouchers};

fn assignments(pairs: &[(&str, &str)], request_id: &str) -> AssignVouchersRequest {
    let assignment = |(customer, source): &(&str, &str)| Assignment {
        customer: format!("customers/{customer}"),
        source_id: (*source).to_owned(),
    };
    AssignVouchersRequest {
        incentive: "incentives/ten-off".to_owned(),
        assignments: pairs.iter().map(assignment).collect(),
        request_id: request_id.to_owned(),
        ..AssignVouchersRequest::default()
    }
}

fn codes(answer: &AssignVouchersResponse) -> Vec<String> {
    let code = |result: &AssignmentResult| result.voucher.as_ref().map(|voucher| voucher.code.clone());
    answer.results.iter().map(|result| code(result).unwrap_or_default()).collect()
}

#[tokio::test]
async fn the_same_source_gets_the_same_code_and_another_source_another() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        customers(&harness, &["ada", "bob"]).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(10, "", "ten")).await.unwrap();
        let first = assignments(&[("ada", "order-1"), ("bob", "order-2"), ("ada", "order-3")], "one");
        let first = client.assign_vouchers(first).await.unwrap().into_inner();
        assert_eq!(codes(&first).iter().collect::<HashSet<_>>().len(), 3);
        let second =
            client.assign_vouchers(assignments(&[("bob", "order-2")], "two")).await.unwrap().into_inner();
        assert_eq!(codes(&second)[0], codes(&first)[1]);
        assert!(second.results[0].existing);
        let told = harness.events().await;
        assert_eq!(told.iter().filter(|event| event.r#type.ends_with("VoucherAssigned")).count(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_customer_gets_one_code_where_the_incentive_says_so() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let incentive =
            Incentive { discount: Some(percent(1)), one_code_per_customer: true, ..Incentive::default() };
        open(&harness, "ten-off", incentive).await;
        customers(&harness, &["ada"]).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(10, "", "ten")).await.unwrap();
        let request = assignments(&[("ada", "a"), ("ada", "b")], "one");
        let answer = client.assign_vouchers(request).await.unwrap().into_inner();
        assert_eq!(codes(&answer)[0], codes(&answer)[1]);
        assert_eq!(answer.results.iter().map(|result| result.existing).collect::<Vec<_>>(), [false, true]);
    })
    .await;
}

#[tokio::test]
async fn one_assignment_that_cannot_be_does_not_stop_the_others() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        customers(&harness, &["ada", "bob"]).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(1, "", "one")).await.unwrap();
        let request = assignments(&[("nobody", "a"), ("ada", "b"), ("bob", "c")], "one");
        let answer = client.assign_vouchers(request).await.unwrap().into_inner();
        let status = |result: &AssignmentResult| Code::from_i32(result.status.as_ref().unwrap().code);
        let statuses: Vec<Code> = answer.results.iter().map(status).collect();
        assert_eq!(statuses, [Code::NotFound, Code::Ok, Code::FailedPrecondition]);
    })
    .await;
}

#[tokio::test]
async fn a_card_that_was_spent_elsewhere_is_given_to_nobody() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        open(&harness, "card", Incentive { discount: Some(gift_card()), ..Incentive::default() }).await;
        customers(&harness, &["ada", "bob"]).await;
        let card = |code: &str, left: i64| Voucher {
            code: code.to_owned(),
            incentive: "incentives/card".to_owned(),
            initial_balance: Some(euros(50)),
            balance: Some(euros(left)),
            ..Voucher::default()
        };
        let mut client = client(&harness);
        let vouchers = vec![card("BEGUN", 10), card("FRESH", 50)];
        let request = ImportVouchersRequest { vouchers, ..ImportVouchersRequest::default() };
        import_vouchers(&mut client, vec![request]).await.unwrap();
        let request = AssignVouchersRequest {
            incentive: "incentives/card".to_owned(),
            ..assignments(&[("ada", "a"), ("bob", "b")], "one")
        };
        let answer = client.assign_vouchers(request).await.unwrap().into_inner();
        assert_eq!(codes(&answer), ["FRESH", ""]);
    })
    .await;
}

#[tokio::test]
async fn with_a_format_codes_are_made_where_none_is_free() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        customers(&harness, &["ada", "bob"]).await;
        let format = CodeFormat { pattern: "FRESH-######".to_owned(), ..CodeFormat::default() };
        let request = AssignVouchersRequest {
            format: Some(format),
            ..assignments(&[("ada", "a"), ("bob", "b")], "one")
        };
        let answer = client(&harness).assign_vouchers(request).await.unwrap().into_inner();
        assert!(codes(&answer).iter().all(|code| code.starts_with("FRESH-")), "{:?}", codes(&answer));
    })
    .await;
}

#[tokio::test]
async fn callers_who_assign_at_once_give_one_code_for_one_source() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        ten_off(&harness).await;
        customers(&harness, &["ada"]).await;
        let mut client = client(&harness);
        generate(&mut client, wanted(50, "", "fifty")).await.unwrap();
        let calls = (0..20).map(|call| {
            let mut client = client.clone();
            async move {
                let request = assignments(&[("ada", "birthday")], &format!("call-{call}"));
                codes(&client.assign_vouchers(request).await.unwrap().into_inner()).remove(0)
            }
        });
        let given: HashSet<String> = futures::future::join_all(calls).await.into_iter().collect();
        assert_eq!(given.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn everything_wrong_with_an_assignment_is_said_at_once() {
    testing::sqlite(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let request = AssignVouchersRequest { incentive: "x".to_owned(), ..assignments(&[("ä", "")], "") };
        let refused = client(&harness).assign_vouchers(request).await.unwrap_err();
        assert_eq!(
            fields(&refused),
            ["request_id", "incentive", "assignments[0].customer", "assignments[0].source_id"]
        );
    })
    .await;
}
