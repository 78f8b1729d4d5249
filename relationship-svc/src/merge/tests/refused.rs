//! What cannot be merged, and what cannot be written under an id that stands for another one.

use tandem_platform::testing;
use tandem_proto::relationship::v1::*;
use tonic::Code;

use super::*;
use crate::MIGRATIONS;
use crate::erasure::tests::stage::{customers, erase, upsert};
use crate::testing::{import_customers, reason};

fn named(id: &str) -> Customer {
    Customer { name: format!("customers/{id}"), ..Customer::default() }
}

async fn people(harness: &Harness, ids: &[&str]) {
    upsert(harness, ids.iter().map(|id| named(id)).collect()).await;
}

async fn why(harness: &Harness, source: &str, target: &str) -> (Code, String) {
    let refused =
        merge(harness, &format!("customers/{source}"), &format!("customers/{target}")).await.unwrap_err();
    (refused.code(), reason(&refused))
}

#[tokio::test]
async fn what_cannot_be_merged_is_refused_by_its_name() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        people(&harness, &["a", "b", "c", "e"]).await;
        let precondition = |reason: &str| (Code::FailedPrecondition, reason.to_owned());
        assert_eq!(why(&harness, "a", "a").await, precondition("MERGE_INTO_SELF"));
        assert_eq!(why(&harness, "a", "no").await, (Code::NotFound, "NOT_FOUND".to_owned()));
        assert_eq!(why(&harness, "no", "a").await, (Code::NotFound, "NOT_FOUND".to_owned()));
        erase(&harness, "customers/e").await.unwrap();
        assert_eq!(why(&harness, "e", "a").await, (Code::NotFound, "CUSTOMER_ERASED".to_owned()));
        assert_eq!(why(&harness, "a", "e").await, (Code::NotFound, "CUSTOMER_ERASED".to_owned()));
        merge(&harness, "customers/a", "customers/b").await.unwrap();
        assert_eq!(why(&harness, "a", "c").await, precondition("CUSTOMER_MERGED"));
        assert_eq!(why(&harness, "c", "a").await, precondition("CUSTOMER_MERGED"));
        assert_eq!(why(&harness, "b", "a").await, precondition("MERGE_IN_A_CIRCLE"));
        // Whoever stood for one who goes stands for the last.
        merge(&harness, "customers/b", "customers/c").await.unwrap();
        for id in ["a", "b", "c"] {
            assert_eq!(get(&harness, &format!("customers/{id}")).await.unwrap().name, "customers/c");
        }
        assert_eq!(why(&harness, "c", "a").await, precondition("MERGE_IN_A_CIRCLE"));
        moved(&harness).await;
        assert_eq!(get(&harness, "customers/a").await.unwrap().name, "customers/c");
    })
    .await;
}

#[tokio::test]
async fn no_profile_is_written_under_an_id_that_stands_for_another() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        people(&harness, &["a", "b"]).await;
        merge(&harness, "customers/a", "customers/b").await.unwrap();
        let mut client = customers(&harness);
        let create = CreateCustomerRequest { customer: Some(named("a")), ..Default::default() };
        assert_eq!(reason(&client.create_customer(create).await.unwrap_err()), "CUSTOMER_MERGED");
        let update = UpdateCustomerRequest {
            customer: Some(Customer { country: "AT".to_owned(), ..named("a") }),
            ..Default::default()
        };
        let refused = client.update_customer(update).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "CUSTOMER_MERGED")
        );
        let batch =
            BatchUpsertCustomersRequest { customers: vec![named("a"), named("x")], ..Default::default() };
        let results = client.batch_upsert_customers(batch).await.unwrap().into_inner().results;
        let codes: Vec<i32> = results.iter().map(|one| one.status.as_ref().unwrap().code).collect();
        assert_eq!(codes, [Code::FailedPrecondition as i32, 0]);
        let rows = ImportCustomersRequest { customers: vec![named("a"), named("y")], update_mask: None };
        let answer = import_customers(&mut client, vec![rows]).await.unwrap();
        assert_eq!((answer.created, answer.failed), (1, 1));
        assert_eq!(get(&harness, "customers/a").await.unwrap().name, "customers/b");
    })
    .await;
}

#[tokio::test]
async fn a_profile_with_more_than_one_may_have_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let with = |id: &str| {
            let key = |n: i32| (format!("{id}{n}"), "1".to_owned());
            Customer { attributes: (0..40).map(key).collect(), ..named(id) }
        };
        upsert(&harness, vec![with("a"), with("b")]).await;
        assert_eq!(why(&harness, "a", "b").await.1, "MERGE_DOES_NOT_FIT");
        let request = MergeCustomersRequest {
            source: "a".to_owned(),
            target: "customers/b".to_owned(),
            fields: vec![MergeField { field: "shoe".to_owned(), rule: 9 }],
            ..Default::default()
        };
        let refused = ask(&harness, request).await.unwrap_err();
        assert_eq!(testing::fields(&refused), ["source", "fields[0].rule", "fields[0].field"]);
    })
    .await;
}
