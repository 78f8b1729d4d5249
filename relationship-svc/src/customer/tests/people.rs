//! People's data as libraries read it, and what a batch leaves as it was.

use tandem_platform::Call;
use tandem_platform::db::Writes;
use tandem_platform::transact;

use super::*;
use crate::customer::{Customer, store};

fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

async fn get(client: &mut Client, id: &str) -> Message {
    let request = GetCustomerRequest { name: format!("customers/{id}") };
    client.get_customer(request).await.unwrap().into_inner().customer.unwrap()
}

#[tokio::test]
async fn what_people_write_is_kept_as_the_standards_write_it() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let phone = |phone: &str, country: &str| Message {
            phone: phone.to_owned(),
            country: country.to_owned(),
            ..Message::default()
        };
        for (sent, country) in [
            ("+43 (0)660 123 45 67", ""),
            ("0043 660 1234567", ""),
            ("0043 660 1234567", "AT"),
            ("0660 1234567", "AT"),
            ("0660/123 45 67", "at"),
        ] {
            let kept = create(&mut client, phone(sent, country)).await.unwrap();
            assert_eq!(kept.phone, "+436601234567", "{sent} {country}");
        }
        let email = |email: &str| Message { email: email.to_owned(), ..Message::default() };
        let kept = create(&mut client, email(" Ada@xn--BCHER-kva.DE ")).await.unwrap();
        assert_eq!(kept.email, "Ada@bücher.de");
        let locale = |locale: &str| Message { locale: locale.to_owned(), ..Message::default() };
        for (sent, kept) in [("de_AT", "de-AT"), ("DE", "de"), ("ZH-hant-tw", "zh-Hant-TW")] {
            assert_eq!(create(&mut client, locale(sent)).await.unwrap().locale, kept);
        }
        for (wrong, field) in [
            (phone("+43 1", ""), "customer.phone"),
            (phone("+999 1234567", ""), "customer.phone"),
            (phone("0660 1234567", ""), "customer.phone"),
            (phone("0660 1234567", "DE"), "customer.phone"),
            (phone("", "UK"), "customer.country"),
            (phone("020 7183 8750", "UK"), "customer.country"),
            (email("ada@example..org"), "customer.email"),
            (email("Ada <ada@example.org>"), "customer.email"),
            (locale("german"), "customer.locale"),
        ] {
            let said = format!("{wrong:?}");
            assert_eq!(fields(&create(&mut client, wrong).await.unwrap_err()), [field], "{said}");
        }
        let refused = create(&mut client, phone("", "UK")).await.unwrap_err();
        assert!(refused.message().contains("GB may be meant"), "{}", refused.message());
    })
    .await;
}

#[tokio::test]
async fn a_batch_leaves_what_nobody_speaks_of_as_it_was() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let before = create(&mut client, ada()).await.unwrap();
        let moved = Message { country: "DE".to_owned(), ..named("ada") };
        let batch = |customer: &Message, update_mask| BatchUpsertCustomersRequest {
            customers: vec![customer.clone()],
            update_mask,
            ..BatchUpsertCustomersRequest::default()
        };
        client.batch_upsert_customers(batch(&moved, None)).await.unwrap();
        let after = get(&mut client, "ada").await;
        let same = Message {
            country: "DE".to_owned(),
            etag: after.etag.clone(),
            update_time: after.update_time,
            ..before.clone()
        };
        assert_eq!(after, same);
        client.batch_upsert_customers(batch(&moved, mask(&["email", "tags"]))).await.unwrap();
        let after = get(&mut client, "ada").await;
        assert_eq!(
            (after.email.as_str(), after.tags.len()),
            ("", 0),
            "what is named and not said is cleared"
        );
        assert_eq!((&after.phone, &after.display_name), (&before.phone, &before.display_name));
        client.batch_upsert_customers(batch(&moved, mask(&["*"]))).await.unwrap();
        let after = get(&mut client, "ada").await;
        assert_eq!((after.phone.as_str(), after.country.as_str(), after.birthday), ("", "DE", None));

        let new = Message { name: "customers/eve".to_owned(), ..ada() };
        client.batch_upsert_customers(batch(&new, mask(&["country"]))).await.unwrap();
        assert_eq!(get(&mut client, "eve").await.email, "Ada@example.org", "what is new is all that is said");
        let unknown = client.batch_upsert_customers(batch(&new, mask(&["shoe_size"]))).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask"]);
        assert!(unknown.message().contains("shoe_size"), "{}", unknown.message());
    })
    .await;
}

#[tokio::test]
async fn rows_of_an_import_about_one_customer_are_done_one_after_the_other() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let country = Message { country: "AT".to_owned(), ..named("a") };
        let title = Message { display_name: "A".to_owned(), ..named("a") };
        let message = |customers, update_mask| ImportCustomersRequest { customers, update_mask };
        let rows = vec![message(vec![country, title.clone()], None), message(vec![title.clone()], None)];
        let answer = client.import_customers(futures::stream::iter(rows)).await.unwrap().into_inner();
        assert_eq!((answer.created, answer.updated, answer.failed), (1, 2, 0));
        let after = get(&mut client, "a").await;
        assert_eq!((after.display_name.as_str(), after.country.as_str()), ("A", "AT"));
        let rows = [message(vec![title.clone()], mask(&["country"]))];
        client.import_customers(futures::stream::iter(rows)).await.unwrap();
        assert_eq!(get(&mut client, "a").await.country, "");
        let rows = [message(vec![title], mask(&["shoe_size"]))];
        let unknown = client.import_customers(futures::stream::iter(rows)).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask"]);
    })
    .await;
}

#[tokio::test]
async fn a_customer_stored_in_an_older_form_is_found_and_changed_as_before() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let profile = Profile {
            phone: "+4306601234567".to_owned(),
            country: "UK".to_owned(),
            locale: "iw".to_owned(),
            ..Profile::default()
        };
        let old = Customer::new("old".to_owned(), profile, harness.app.clock.now());
        let (tenant, row) = (Call::system("default").tenant, std::slice::from_ref(&old));
        transact!(harness.app.db, |tx| {
            let mut writes = Writes::of(&tenant);
            writes.push(store::CUSTOMERS.insert(row, None)?);
            writes.run(tx).await
        })
        .unwrap();
        let filter = "customer.country == 'UK' && customer.phone == '+4306601234567'".to_owned();
        let request = ListCustomersRequest { filter, ..ListCustomersRequest::default() };
        let found = client.list_customers(request).await.unwrap().into_inner().customers;
        assert_eq!(found.len(), 1, "a filter compares with what is stored");
        let titled = Message { display_name: "Old".to_owned(), ..named("old") };
        let after = update(&mut client, titled, &[]).await.unwrap();
        assert_eq!((after.display_name.as_str(), after.country.as_str()), ("Old", "UK"));
        let dialled = Message { phone: after.phone.clone(), ..named("old") };
        let mended = update(&mut client, dialled, &[]).await.unwrap();
        assert_eq!(mended.phone, "+436601234567", "what is written again is read anew");
    })
    .await;
}
