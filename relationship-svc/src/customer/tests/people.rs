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
        let answer = import_customers(&mut client, rows).await.unwrap();
        assert_eq!((answer.created, answer.updated, answer.failed), (1, 2, 0));
        let after = get(&mut client, "a").await;
        assert_eq!((after.display_name.as_str(), after.country.as_str()), ("A", "AT"));
        let rows = vec![message(vec![title.clone()], mask(&["country"]))];
        import_customers(&mut client, rows).await.unwrap();
        assert_eq!(get(&mut client, "a").await.country, "");
        let rows = vec![message(vec![title], mask(&["shoe_size"]))];
        let unknown = import_customers(&mut client, rows).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask"]);
    })
    .await;
}

#[tokio::test]
async fn an_attribute_that_is_named_alone_leaves_the_others_as_they_are() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let of = |entries: &[(&str, &str)]| Message {
            attributes: entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            country: "DE".to_owned(),
            ..named("ada")
        };
        create(&mut client, of(&[("a", "1"), ("b", "2"), ("é.x", "3")])).await.unwrap();
        let paths = ["attributes.a", "attributes.b", "attributes.e\u{301}.x"];
        let after = update(&mut client, of(&[("a", "4"), ("c", "5"), ("é.x", "6")]), &paths).await.unwrap();
        assert_eq!(after.attributes, of(&[("a", "4"), ("é.x", "6")]).attributes, "b is named and not said");
        let message = |customer, paths: &[&str]| ImportCustomersRequest {
            customers: vec![customer],
            update_mask: mask(paths),
        };
        let rows = vec![message(of(&[("c", "5")]), &["attributes.c"]), message(of(&[]), &["attributes.a"])];
        import_customers(&mut client, rows).await.unwrap();
        assert_eq!(get(&mut client, "ada").await.attributes, of(&[("c", "5"), ("é.x", "6")]).attributes);

        let many: Vec<(String, String)> = (0..63).map(|at| (format!("k{at}"), "v".to_owned())).collect();
        let many: Vec<(&str, &str)> =
            many.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let full = Message { attributes: of(&many).attributes, ..named("full") };
        create(&mut client, full).await.unwrap();
        let one = |key: &str| Message { attributes: of(&[(key, "v")]).attributes, ..named("full") };
        let rows = ["x", "y", "x"].map(|key| message(one(key), &[&format!("attributes.{key}")]));
        let answer = import_customers(&mut client, rows.to_vec()).await.unwrap();
        assert_eq!((answer.updated, answer.failed, answer.failures[0].index), (2, 1, 1), "64 and no more");
        let status = update(&mut client, one("y"), &["attributes.y"]).await.unwrap_err();
        assert_eq!(fields(&status), ["customer.attributes"]);
        let attributes = get(&mut client, "full").await.attributes;
        assert!(attributes.len() == 64 && attributes.contains_key("x"));
        let status = update(&mut client, one("y"), &["tags.y"]).await.unwrap_err();
        assert_eq!(fields(&status), ["update_mask"]);
    })
    .await;
}

#[tokio::test]
async fn an_import_tells_every_block_once_it_is_durable() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = client(&harness);
        let (send, messages) = futures::channel::mpsc::unbounded();
        let mut answers = client.import_customers(messages).await.unwrap().into_inner();
        let wrong = Message { country: "UK".to_owned(), ..named("b") };
        let block = |customers| ImportCustomersRequest { customers, update_mask: None };
        send.unbounded_send(block(vec![named("a"), wrong.clone(), named("c")])).unwrap();
        let told = answers.message().await.unwrap().unwrap();
        assert_eq!((told.done, told.created, told.failed, told.failures[0].index), (3, 2, 1, 1));
        assert_eq!(get(&mut client, "c").await.name, "customers/c", "while the stream goes on");
        send.unbounded_send(block(vec![named("a"), wrong])).unwrap();
        let told = answers.message().await.unwrap().unwrap();
        assert_eq!((told.done, told.updated, told.failed, told.failures.len()), (5, 1, 2, 1));
        assert_eq!(told.failures[0].index, 4, "each refusal is told once");
        send.unbounded_send(block(vec![named("d")])).unwrap();
        send.unbounded_send(block((0..1_001).map(|at| named(&format!("x{at}"))).collect())).unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().done, 6, "what came before is written and told");
        assert_eq!(fields(&answers.message().await.unwrap_err()), ["customers"]);
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
