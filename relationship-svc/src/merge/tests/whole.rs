//! All that somebody has, and what becomes of it.

use std::collections::BTreeMap;

use tandem_platform::testing;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::*;

use super::*;
use crate::MIGRATIONS;
use crate::consent::tests as consents;
use crate::customer::alias::person;
use crate::customer::store::alias;
use crate::erasure::tests::stage::*;
use crate::merge::steps;
use crate::segment::store::lists;
use crate::testing::reason;

const KEPT: &str = "customers/kept";

fn kept() -> Customer {
    Customer {
        name: KEPT.to_owned(),
        display_name: "A. King".to_owned(),
        locale: "en".to_owned(),
        attributes: BTreeMap::from([("size".to_owned(), "9".to_owned())]),
        tags: vec!["new".to_owned()],
        ..Customer::default()
    }
}

async fn both(harness: &Harness) {
    set(harness).await;
    upsert(harness, vec![kept()]).await;
}

async fn timeline(harness: &Harness, customer: &str) -> usize {
    let request = ListInteractionsRequest { customer: customer.to_owned(), ..Default::default() };
    let mut client = InteractionServiceClient::new(harness.channel());
    client.list_interactions(request).await.unwrap().into_inner().entries.len()
}

async fn said(harness: &Harness, customer: &str) -> Vec<(ConsentState, String)> {
    let request = ListConsentsRequest { customer: customer.to_owned(), ..Default::default() };
    let listed = consents::client(harness).list_consents(request).await.unwrap().into_inner();
    listed.consents.into_iter().map(|one| (one.state(), one.customer)).collect()
}

#[tokio::test]
async fn a_profile_takes_what_the_other_alone_says_and_both_ids_answer() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        both(&harness).await;
        let answer = merge(&harness, NAME, KEPT).await.unwrap();
        let one = get(&harness, NAME).await.unwrap();
        assert_eq!(answer.customer.as_ref(), Some(&one));
        assert_eq!(
            (one.name.as_str(), one.display_name.as_str(), one.locale.as_str()),
            (KEPT, "A. King", "en")
        );
        assert_eq!((one.email.as_str(), one.country.as_str()), ("Ada-17@example.org", "AT"));
        assert_eq!(one.attributes.keys().collect::<Vec<_>>(), ["size", "street"]);
        assert_eq!(one.tags, ["new", "vip"]);
        let again = merge(&harness, NAME, KEPT).await.unwrap();
        assert!(again.merged_before && !again.done && again.customer == answer.customer);
        assert_eq!(again.merge_time, answer.merge_time);
        moved(&harness).await;
        assert!(merge(&harness, NAME, KEPT).await.unwrap().done);
    })
    .await;
}

#[tokio::test]
async fn what_both_did_is_one_from_the_first_moment_and_moves_part_by_part() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        both(&harness).await;
        let (before, words) = (timeline(&harness, NAME).await, said(&harness, NAME).await.len());
        let stood = relationship(&harness, NAME).await;
        merge(&harness, NAME, KEPT).await.unwrap();
        let (tenant, ada) = (&harness.call.tenant, person("ada-17"));
        let mut parts = 0;
        loop {
            right(&harness).await;
            for name in [NAME, KEPT] {
                assert_eq!(timeline(&harness, name).await, before, "after {parts} parts");
                let stands = relationship(&harness, name).await;
                assert_eq!((stands.customer.as_str(), stands.orders), (KEPT, stood.orders));
                assert_eq!(stands.monetary, stood.monetary);
                let refused = redeem(&harness, "o9", "A5", name).await.unwrap_err();
                assert_eq!(reason(&refused), "CUSTOMER_LIMIT_REACHED", "after {parts} parts");
            }
            // Each part is a transaction of its own, done by whichever process is there: here a new one each time.
            let another = Harness::new(testing::second_handle(&harness.app.db));
            if !steps::proceed(&another.app, tenant, &ada, harness.app.clock.now()).await.unwrap() {
                let open =
                    alias::find(&mut harness.app.db.read().await.unwrap(), tenant, &ada).await.unwrap();
                if open.unwrap().open.is_none() {
                    break;
                }
                harness.clock.advance(WRITING);
            }
            parts += 1;
        }
        assert!(parts >= 5, "{parts}");
        let words_now = said(&harness, KEPT).await;
        assert_eq!(words_now.len(), words);
        assert!(words_now.iter().all(|(_, customer)| customer == KEPT), "{words_now:?}");
        assert_eq!(
            testing::holding(&harness.app.db, "c/ada-17").await,
            ["customer_alias.person", "relationship.person"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_link_that_was_sent_before_works_and_the_stricter_word_of_one_moment_holds() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        upsert(&harness, vec![ada(), kept()]).await;
        let token = consent(&harness, ConsentState::Pending, -20).await.token;
        let state = |purpose: &str, state, customer: &str| Consent {
            customer: customer.to_owned(),
            purpose: purpose.to_owned(),
            ..consents::said(state, -30)
        };
        let mut client = consents::client(&harness);
        consents::record(&mut client, state("loyalty", ConsentState::Granted, KEPT)).await.unwrap();
        consents::record(&mut client, state("loyalty", ConsentState::Denied, NAME)).await.unwrap();
        merge(&harness, NAME, KEPT).await.unwrap();
        let check = |purpose: &str, customer: &str| CheckContactRequest {
            customer: customer.to_owned(),
            purpose: purpose.to_owned(),
            channel: Channel::Email.into(),
            transactional: false,
        };
        for name in [NAME, KEPT] {
            let answer = client.check_contact(check("loyalty", name)).await.unwrap().into_inner();
            assert_eq!(answer.refusal(), ContactRefusal::Denied);
        }
        moved(&harness).await;
        let confirm = ConfirmConsentRequest { token, ..Default::default() };
        let granted = client.confirm_consent(confirm).await.unwrap().into_inner().consent.unwrap();
        assert_eq!((granted.customer.as_str(), granted.state()), (KEPT, ConsentState::Granted));
        assert!(client.check_contact(check("newsletter", NAME)).await.unwrap().into_inner().allowed);
        let late = consent(&harness, ConsentState::Withdrawn, 30).await.consent.unwrap();
        assert_eq!(late.customer, KEPT, "what is said under the old id is said by who is kept");
    })
    .await;
}

#[tokio::test]
async fn codes_and_holds_are_those_of_the_one_who_is_kept_and_lists_too() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        both(&harness).await;
        merge(&harness, NAME, KEPT).await.unwrap();
        // The hold of an order, and a code that is still called the old one's.
        let held = RedeemVouchersRequest {
            order_id: "o2".to_owned(),
            customer: KEPT.to_owned(),
            request_id: "redeem-o2".to_owned(),
            ..RedeemVouchersRequest::default()
        };
        vouchers(&harness).redeem_vouchers(held).await.unwrap();
        right(&harness).await;
        let refused = redeem(&harness, "o8", "A1", KEPT).await.unwrap_err();
        assert_eq!(reason(&refused), "CUSTOMER_LIMIT_REACHED", "theirs, and no use is left");
        moved(&harness).await;
        right(&harness).await;
        let request = ListVouchersRequest { customer: KEPT.to_owned(), ..Default::default() };
        let codes = vouchers(&harness).list_vouchers(request).await.unwrap().into_inner().vouchers;
        let codes: Vec<_> = codes.into_iter().map(|one| (one.code, one.source_id)).collect();
        assert_eq!(codes, [("A1".to_owned(), "ada-17".to_owned())]);
        let reader = &mut harness.app.db.read().await.unwrap();
        let on = lists::of(reader, &harness.call.tenant, vec!["kept".to_owned(), "ada-17".to_owned()]).await;
        let on: Vec<_> = on.unwrap().into_iter().collect();
        assert_eq!(on, [("kept".to_owned(), ["guests-of-honour".to_owned()].into())]);
        let back = RollbackRedemptionRequest {
            order_id: "o1".to_owned(),
            reason: RollbackReason::Cancelled.into(),
            request_id: "back".to_owned(),
            ..RollbackRedemptionRequest::default()
        };
        vouchers(&harness).rollback_redemption(back).await.unwrap();
        redeem(&harness, "o8", "A1", NAME).await.unwrap();
        right(&harness).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_any_id_of_who_is_erased_after_a_merge() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        both(&harness).await;
        merge(&harness, NAME, KEPT).await.unwrap();
        tasks::go_on(&harness.app).await.unwrap();
        // Exported first: all is shown, the old id too.
        let parts = export(&harness, KEPT).await.unwrap();
        let shown = |part: &export_customer_response::Part| format!("{part:?}").contains("c/ada-17");
        assert!(parts.iter().any(shown));
        // Some of it has moved, some has not.
        erase(&harness, NAME).await.unwrap();
        crate::erasure::tasks::go_on(&harness.app).await.unwrap();
        right(&harness).await;
        assert_eq!(found(&harness).await, ["erasure.customer", "event_batch.payload"]);
        let gone = get(&harness, NAME).await.unwrap_err();
        assert_eq!(reason(&gone), "CUSTOMER_ERASED");
        assert_eq!(reason(&get(&harness, KEPT).await.unwrap_err()), "CUSTOMER_ERASED");
        let told: Vec<String> = harness.events().await.into_iter().map(|event| event.r#type).collect();
        assert_eq!(told.iter().filter(|one| one.ends_with("CustomerErased")).count(), 2, "each id by itself");
        harness.clock.advance(SignedDuration::from_hours(24 * 400));
        crate::erasure::tasks::forget(&harness.app).await.unwrap();
        assert_eq!(found(&harness).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_preview_says_what_would_be_and_changes_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        both(&harness).await;
        redeem(&harness, "o7", "A5", KEPT).await.unwrap();
        let (ada_before, kept_before) =
            (get(&harness, NAME).await.unwrap(), get(&harness, KEPT).await.unwrap());
        let told = harness.events().await.len();
        let request = MergeCustomersRequest {
            source: NAME.to_owned(),
            target: KEPT.to_owned(),
            fields: vec![MergeField { field: "display_name".to_owned(), rule: MergeRule::KeepSource.into() }],
            validate_only: true,
            ..Default::default()
        };
        let answer = ask(&harness, request.clone()).await.unwrap();
        let preview = answer.preview.unwrap();
        assert_eq!(answer.customer.unwrap().display_name, "Augusta King");
        assert_eq!((preview.redemptions, preview.vouchers, preview.orders), (2, 1, 1));
        assert_eq!((preview.interactions, preview.consents, preview.lists), (1, 2, 1));
        let fields: Vec<_> =
            preview.conflicts.iter().map(|one| (one.field.as_str(), one.source_wins)).collect();
        assert_eq!(fields, [("display_name", true), ("locale", false)]);
        let over: Vec<_> =
            preview.limits_over.iter().map(|one| (one.incentive.as_str(), one.uses, one.max_uses)).collect();
        assert_eq!(over, [("incentives/twice", 3, 2)]);
        assert_eq!(
            (get(&harness, NAME).await.unwrap(), get(&harness, KEPT).await.unwrap()),
            (ada_before, kept_before)
        );
        assert_eq!(harness.events().await.len(), told);
        let merged = ask(&harness, MergeCustomersRequest { validate_only: false, ..request }).await.unwrap();
        assert_eq!(merged.customer.unwrap().display_name, "Augusta King");
    })
    .await;
}
