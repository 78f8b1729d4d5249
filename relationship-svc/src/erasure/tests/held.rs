//! Nothing of somebody is left, in any column of any table, and before that everything is shown.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tandem_platform::testing;
use tandem_proto::relationship::v1::export_customer_response::Part;
use tandem_proto::relationship::v1::*;
use tonic::Code;

use super::stage::*;
use crate::MIGRATIONS;
use crate::erasure::list::{Shown, TABLES};
use crate::erasure::tasks;
use crate::testing::{Harness, audit, fields, reason};

/// What has the id until the event that tells of the erasure is old.
const TELLING: [&str; 2] = ["erasure.customer", "event_batch.payload"];

#[tokio::test]
async fn no_column_of_any_table_has_anything_of_somebody_who_was_erased() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        let before = found(&harness).await;
        for column in [
            "customer.email",
            "request_claim.outcome",
            "event_batch.payload",
            "redemption.customer",
            "consent.proof",
            "voucher_change.fields",
            "counter.subject",
            "hold_claim.subject",
            "interaction.person",
            "interaction.details",
            "customer_order.person",
            "customer_order.details",
            "relationship.person",
            "segment_member.customer",
            "segment_watched_member.customer",
            "customer_look.customer",
        ] {
            assert!(before.contains(&column.to_owned()), "{column} of {before:?}");
        }
        let erasure = erased(&harness).await;
        assert!(erasure.done_time.is_some());
        assert_eq!(found(&harness).await, TELLING);
        for value in &VALUES[1..] {
            let left = testing::holding(&harness.app.db, value).await;
            assert_eq!(left, Vec::<String>::new(), "{value}");
        }
        harness.clock.advance(SignedDuration::from_hours(7 * 24));
        tasks::forget(&harness.app).await.unwrap();
        assert_eq!(found(&harness).await, Vec::<String>::new());
        let audit = audit(&harness.app.db, &harness.call.tenant).await.unwrap();
        assert_eq!((audit.redeemed, audit.held, audit.faults), (2, 1, vec![]));
        assert!(!testing::holding(&harness.app.db, "eve@example.org").await.is_empty(), "others stay");
        assert_eq!(
            testing::holding(&harness.app.db, "erased~").await,
            [
                "consent.customer",
                "counter.subject",
                "customer_order.person",
                "erasure.pseudonym",
                "event_batch.payload",
                "hold_claim.subject",
                "redemption.customer",
                "relationship.person",
                "request_claim.outcome",
                "voucher.customer",
                "voucher_change.fields",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_held_is_shown_and_nothing_of_others() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        let parts = export(&harness, NAME).await.unwrap();
        let of = |part: &Part| match part {
            Part::Customer(_) => "customer".to_owned(),
            Part::Consent(_) => "consent".to_owned(),
            Part::Suppression(_) => "suppression".to_owned(),
            Part::Voucher(_) => "voucher".to_owned(),
            Part::Redemption(_) => "redemption".to_owned(),
            Part::Event(_) => "event_batch".to_owned(),
            Part::Row(row) => row.table.clone(),
        };
        let shown: BTreeSet<String> = parts.iter().map(of).collect();
        // She was not erased, nothing of hers is suppressed, no event of the other service was set aside, and nobody was merged
        // into her.
        let nothing = ["erasure", "suppression", "set_aside_event", "customer_alias"];
        let joined = TABLES.iter().filter(|table| table.shown != Shown::Nothing).map(|table| table.name);
        let expected: BTreeSet<String> =
            joined.filter(|table| !nothing.contains(table)).map(str::to_owned).collect();
        assert_eq!(shown, expected);
        let text = format!("{parts:?}");
        for value in ["ada-17", "Ada-17@example.org", "+436601234567", "Augusta King"] {
            assert!(text.contains(value), "{value} in {text}");
        }
        assert!(!text.contains("eve@example.org"));
        assert_eq!(export(&harness, "customers/nobody").await.unwrap_err().code(), Code::NotFound);
        assert_eq!(fields(&export(&harness, "nobody").await.unwrap_err()), ["name"]);
        erased(&harness).await;
        assert_eq!(reason(&export(&harness, NAME).await.unwrap_err()), "CUSTOMER_ERASED");
    })
    .await;
}

#[tokio::test]
async fn who_was_erased_is_told_so_and_erasing_again_changes_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        set(&harness).await;
        let request = EraseCustomerRequest { name: NAME.to_owned(), request_id: "erase".to_owned() };
        let begun = customers(&harness).erase_customer(request.clone()).await.unwrap().into_inner();
        assert!(begun.erasure.as_ref().unwrap().done_time.is_none());
        assert_eq!(
            Some(erase(&harness, NAME).await.unwrap()),
            begun.erasure,
            "it goes on, and does not begin anew"
        );
        tasks::go_on(&harness.app).await.unwrap();
        let again = customers(&harness).erase_customer(request).await.unwrap().into_inner();
        assert_eq!(again, begun, "a repeated request hears what it heard");
        let events = harness.events().await.len();
        let done = erase(&harness, NAME).await.unwrap();
        assert_eq!(done.pseudonym, begun.erasure.unwrap().pseudonym);
        assert_eq!(harness.events().await.len(), events, "told once");
        let get = GetCustomerRequest { name: NAME.to_owned() };
        let gone = customers(&harness).get_customer(get).await.unwrap_err();
        assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "CUSTOMER_ERASED"));
        let nobody = erase(&harness, "customers/nobody").await.unwrap_err();
        assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::NotFound, "NOT_FOUND"));
        let create = CreateCustomerRequest {
            customer: Some(ada()),
            request_id: "create".to_owned(),
            ..CreateCustomerRequest::default()
        };
        let answer = customers(&harness).create_customer(create).await.unwrap().into_inner();
        assert_eq!(answer.customer.unwrap().name, done.pseudonym, "an old request does not bring her back");
        assert_eq!(found(&harness).await, TELLING);
    })
    .await;
}
