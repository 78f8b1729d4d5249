//! What may come back and what may not, and an erasure that is interrupted.

use jiff::SignedDuration;
use tandem_platform::testing;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::*;

use super::stage::*;
use crate::MIGRATIONS;
use crate::consent::tests as consents;
use crate::erasure::{Step, commands};
use crate::testing::{Harness, audit, reason};

async fn refusal(harness: &Harness) -> (ContactRefusal, SuppressionReason) {
    let request = CheckContactRequest {
        customer: NAME.to_owned(),
        purpose: "newsletter".to_owned(),
        channel: Channel::Email.into(),
        transactional: false,
    };
    let answer = consents::client(harness).check_contact(request).await.unwrap().into_inner();
    (answer.refusal(), answer.suppression())
}

#[tokio::test]
async fn who_comes_back_is_not_written_to_until_they_opt_in_with_proof() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        assert_eq!(refusal(&harness).await.0, ContactRefusal::Unspecified);
        erased(&harness).await;
        assert_eq!(refusal(&harness).await.0, ContactRefusal::Erased);
        let said = Consent { customer: NAME.to_owned(), ..consents::said(ConsentState::Granted, 0) };
        let unknown = consents::record(&mut consents::client(&harness), said).await.unwrap_err();
        assert_eq!(reason(&unknown), "CUSTOMER_ERASED");
        // Imported anew, under her id and another, with a consent from before.
        upsert(&harness, vec![ada(), Customer { name: "customers/new".to_owned(), ..ada() }]).await;
        consent(&harness, ConsentState::Granted, -10).await;
        let suppressed = (ContactRefusal::Suppressed, SuppressionReason::Erasure);
        assert_eq!(refusal(&harness).await, suppressed);
        let parts = export(&harness, NAME).await.unwrap();
        let codes = parts.iter().filter(|part| matches!(part, export_customer_response::Part::Voucher(_)));
        assert_eq!(codes.count(), 0, "her codes do not come back");
        harness.clock.advance(SignedDuration::from_secs(60));
        let token = consent(&harness, ConsentState::Pending, 60).await.token;
        assert_eq!(refusal(&harness).await, suppressed, "asked, and not confirmed");
        let confirm = ConfirmConsentRequest { token, ..ConfirmConsentRequest::default() };
        consents::client(&harness).confirm_consent(confirm).await.unwrap();
        assert_eq!(refusal(&harness).await.0, ContactRefusal::Unspecified);
        // Erased once more, with what she said before and again.
        harness.clock.advance(SignedDuration::from_secs(60));
        erased(&harness).await;
        upsert(&harness, vec![ada()]).await;
        assert_eq!(refusal(&harness).await, suppressed);
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_customer_stands_as_it_stood_for_who_comes_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        upsert(&harness, vec![ada(), eve()]).await;
        incentive(&harness, "twice", 2, &["A1", "A2", "A3", "A4", "A5"]).await;
        redeem(&harness, "o1", "A1", NAME).await.unwrap();
        erased(&harness).await;
        upsert(&harness, vec![ada()]).await;
        redeem(&harness, "o2", "A2", NAME).await.unwrap();
        let third = redeem(&harness, "o3", "A3", NAME).await.unwrap_err();
        assert_eq!(reason(&third), "CUSTOMER_LIMIT_REACHED", "one before she was erased, one after");
        let look = GetLimitsRequest {
            name: "incentives/twice".to_owned(),
            customer: NAME.to_owned(),
            ..GetLimitsRequest::default()
        };
        let limits =
            IncentiveServiceClient::new(harness.channel()).get_limits(look).await.unwrap().into_inner();
        assert_eq!(limits.limits.iter().map(|limit| limit.uses).max(), Some(2));
        redeem(&harness, "o4", "A4", "customers/eve").await.unwrap();
        // What comes back of the order from before gives its use back.
        let back = RollbackRedemptionRequest {
            order_id: "o1".to_owned(),
            reason: RollbackReason::Cancelled.into(),
            request_id: "back".to_owned(),
            ..RollbackRedemptionRequest::default()
        };
        vouchers(&harness).rollback_redemption(back).await.unwrap();
        redeem(&harness, "o5", "A5", NAME).await.unwrap();
        erased(&harness).await;
        upsert(&harness, vec![ada()]).await;
        let third = redeem(&harness, "o6", "A3", NAME).await.unwrap_err();
        assert_eq!(reason(&third), "CUSTOMER_LIMIT_REACHED", "erased twice, counted once");
        let audit = audit(&harness.app.db, &harness.call.tenant).await.unwrap();
        assert_eq!(audit.faults, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn what_has_come_back_leaves_no_counter_of_theirs() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        upsert(&harness, vec![ada(), eve()]).await;
        incentive(&harness, "twice", 2, &["A1", "A2"]).await;
        for (order, code, customer) in [("o1", "A1", NAME), ("o2", "A2", "customers/eve")] {
            redeem(&harness, order, code, customer).await.unwrap();
            let back = RollbackRedemptionRequest {
                order_id: order.to_owned(),
                reason: RollbackReason::Cancelled.into(),
                request_id: format!("back-{order}"),
                ..RollbackRedemptionRequest::default()
            };
            vouchers(&harness).rollback_redemption(back).await.unwrap();
        }
        assert_eq!(testing::holding(&harness.app.db, "c/ada-17").await, ["counter.subject"]);
        erased(&harness).await;
        assert_eq!(testing::holding(&harness.app.db, "c/ada-17").await, Vec::<String>::new());
        assert_eq!(testing::holding(&harness.app.db, "c/eve").await, ["counter.subject"], "others stay");
    })
    .await;
}

#[tokio::test]
async fn an_incentive_that_gives_each_customer_one_code_gives_none_to_who_comes_back() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        upsert(&harness, vec![ada(), eve()]).await;
        incentive(&harness, "once", 1, &["A1", "A2", "A3"]).await;
        let sole = UpdateIncentiveRequest {
            incentive: Some(Incentive {
                name: "incentives/once".to_owned(),
                one_code_per_customer: true,
                ..Incentive::default()
            }),
            ..UpdateIncentiveRequest::default()
        };
        IncentiveServiceClient::new(harness.channel()).update_incentive(sole).await.unwrap();
        let assign = |customer: &str, source: &str| AssignVouchersRequest {
            incentive: "incentives/once".to_owned(),
            assignments: vec![Assignment { customer: customer.to_owned(), source_id: source.to_owned() }],
            request_id: source.to_owned(),
            ..AssignVouchersRequest::default()
        };
        vouchers(&harness).assign_vouchers(assign(NAME, "first")).await.unwrap();
        erased(&harness).await;
        upsert(&harness, vec![ada()]).await;
        let again = vouchers(&harness).assign_vouchers(assign(NAME, "second")).await.unwrap().into_inner();
        let status = again.results[0].status.clone().unwrap();
        assert_eq!(status.code, 9, "{}", status.message);
        let other = vouchers(&harness).assign_vouchers(assign("customers/eve", "third")).await.unwrap();
        assert!(other.into_inner().results[0].voucher.is_some());
    })
    .await;
}

#[tokio::test]
async fn what_is_held_when_somebody_is_erased_can_be_redeemed_and_counts() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        erased(&harness).await;
        let held = RedeemVouchersRequest {
            order_id: "o2".to_owned(),
            request_id: "redeem-o2".to_owned(),
            ..RedeemVouchersRequest::default()
        };
        let redeemed = vouchers(&harness).redeem_vouchers(held).await.unwrap().into_inner();
        assert!(redeemed.redemptions[0].customer.starts_with("customers/erased~"));
        let audit = audit(&harness.app.db, &harness.call.tenant).await.unwrap();
        assert_eq!((audit.redeemed, audit.held, audit.faults), (3, 0, vec![]));
    })
    .await;
}

#[tokio::test]
async fn an_erasure_goes_on_where_it_was_and_after_every_part_the_books_are_right() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        let begun = erase(&harness, NAME).await.unwrap();
        let pseudonym = begun.pseudonym.trim_start_matches("customers/").to_owned();
        let (tenant, now) = (&harness.call.tenant, harness.app.clock.now());
        let mut parts = 0;
        // Each part is a transaction of its own, done by whichever process is there: here a new one each time.
        loop {
            let audit = audit(&harness.app.db, tenant).await.unwrap();
            assert_eq!(audit.faults, Vec::<String>::new(), "after {parts} parts");
            parts += 1;
            let another = Harness::new(testing::second_handle(&harness.app.db));
            if !commands::proceed(&another.app, tenant, &pseudonym, now).await.unwrap() {
                break;
            }
        }
        assert!(parts >= Step::ALL.len(), "{parts}");
        assert_eq!(found(&harness).await, ["erasure.customer", "event_batch.payload"]);
        assert!(!commands::proceed(&harness.app, tenant, &pseudonym, now).await.unwrap());
    })
    .await;
}
