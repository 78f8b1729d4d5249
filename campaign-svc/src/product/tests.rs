use std::collections::BTreeMap;

use jiff::SignedDuration;
use prost_types::FieldMask;
use tandem_platform::testing;
use tandem_proto::campaign::v1::{
    self, ArchiveProductRequest, BatchUpsertProductsRequest, CreateProductRequest, GetProductRequest,
    ListPriceHistoryRequest, ListProductsRequest, PriceHistoryEntry, ProductState, UpdateProductRequest,
};
use tonic::Code;

use super::*;
use crate::MIGRATIONS;
use crate::testing::Harness;
use crate::tests::{Clients, eur, fields, refusal};

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, Currency::new(currency).unwrap())
}

fn listed(place: &str, minor: i64, currency: &str) -> ListPrice {
    ListPrice { place: place.to_owned(), price: money(minor, currency) }
}

#[test]
fn the_history_gains_what_appears_changes_and_goes() {
    let now = Timestamp::UNIX_EPOCH;
    let before = [listed("", 100, "EUR"), listed("", 90, "USD"), listed("DE", 80, "EUR")];
    let after = [listed("", 100, "EUR"), listed("", 95, "USD"), listed("AT", 85, "EUR")];
    let gained: Vec<(String, String, Option<i64>)> = price_entries(&before, &after, now)
        .into_iter()
        .map(|entry| (entry.place, entry.currency.code().to_owned(), entry.minor))
        .collect();
    let expected = [("", "USD", Some(95)), ("AT", "EUR", Some(85)), ("DE", "EUR", None)];
    assert_eq!(gained, expected.map(|(place, of, minor)| (place.to_owned(), of.to_owned(), minor)));
    assert!(price_entries(&after, &after, now).is_empty());
}

fn price(place: &str, price: tandem_proto::common::v1::Money) -> v1::ListPrice {
    v1::ListPrice { place: place.to_owned(), price: Some(price) }
}

fn a_product() -> v1::Product {
    v1::Product {
        display_name: "Spade".to_owned(),
        categories: vec!["tools".to_owned(), "garden".to_owned()],
        attributes: BTreeMap::from([("colour".to_owned(), "green".to_owned())]),
        prices: vec![price("stores/graz", eur(19, 0)), price("", eur(20, 0))],
        unit_costs: vec![eur(9, 50)],
        tax_rate_ppm: 200_000,
        ..v1::Product::default()
    }
}

fn create(id: &str, product: v1::Product) -> CreateProductRequest {
    CreateProductRequest { product: Some(product), product_id: id.to_owned(), request_id: String::new() }
}

fn prices_only(product: v1::Product) -> UpdateProductRequest {
    UpdateProductRequest {
        product: Some(product),
        update_mask: Some(FieldMask { paths: vec!["prices".to_owned()] }),
        request_id: String::new(),
    }
}

fn history(id: &str) -> ListPriceHistoryRequest {
    ListPriceHistoryRequest { product: name(id), ..ListPriceHistoryRequest::default() }
}

fn shown(entries: &[PriceHistoryEntry]) -> Vec<(String, Option<i64>)> {
    entries.iter().map(|one| (one.place.clone(), one.price.as_ref().map(|price| price.units))).collect()
}

#[tokio::test]
async fn a_product_is_read_as_it_was_created_sorted() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        let created =
            api.create_product(create("p1", a_product())).await.unwrap().into_inner().product.unwrap();
        assert_eq!(created.categories, ["garden", "tools"]);
        assert_eq!(created.prices, [price("", eur(20, 0)), price("stores/graz", eur(19, 0))]);
        assert_eq!((created.state(), created.etag.as_str()), (ProductState::Active, "v1"));
        let read = api.get_product(GetProductRequest { name: name("p1") }).await.unwrap().into_inner();
        assert_eq!(read.product.unwrap(), created);
        let twice = api.create_product(create("p1", a_product())).await.unwrap_err();
        assert_eq!(refusal(&twice), (Code::AlreadyExists, "ALREADY_EXISTS".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_a_product_is_named_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        let wrong = v1::Product {
            display_name: "x".repeat(201),
            categories: vec!["a".to_owned(), String::new(), "a".to_owned()],
            prices: vec![
                price("", eur(-1, 0)),
                price("not a place", eur(1, 0)),
                price("DE", eur(1, 0)),
                price("DE", eur(2, 0)),
                v1::ListPrice::default(),
                price(
                    "d e",
                    tandem_proto::common::v1::Money { currency_code: "eur".to_owned(), units: 1, nanos: -1 },
                ),
            ],
            unit_costs: vec![eur(1, 0), eur(2, 0)],
            tax_rate_ppm: 1_000_001,
            ..a_product()
        };
        let refused = api.create_product(create("p1", wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let expected = [
            "product.display_name",
            "product.categories[1]",
            "product.categories[2]",
            "product.prices[0].price",
            "product.prices[1].place",
            "product.prices[3]",
            "product.prices[4].price",
            "product.prices[5].place",
            "product.prices[5].price.currency_code",
            "product.prices[5].price.nanos",
            "product.unit_costs[1].currency_code",
            "product.tax_rate_ppm",
        ];
        assert_eq!(fields(&refused), expected);
    })
    .await;
}

#[tokio::test]
async fn every_change_of_a_list_price_is_in_the_history_newest_first() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        let created =
            api.create_product(create("p1", a_product())).await.unwrap().into_inner().product.unwrap();
        harness.clock.advance(SignedDuration::from_secs(60));
        let cheaper = v1::Product { prices: vec![price("", eur(18, 0))], ..created };
        let cheaper = api.update_product(prices_only(cheaper)).await.unwrap().into_inner().product.unwrap();
        harness.clock.advance(SignedDuration::from_secs(60));
        let dearer = v1::Product { prices: vec![price("", eur(21, 0))], ..cheaper };
        api.update_product(prices_only(dearer)).await.unwrap();

        let all = api.list_price_history(history("p1")).await.unwrap().into_inner().entries;
        let places = ["", "stores/graz", "", "stores/graz", ""].map(str::to_owned);
        let prices = [Some(21), None, Some(18), Some(19), Some(20)];
        assert_eq!(shown(&all), places.into_iter().zip(prices).collect::<Vec<_>>());
        assert!(all.iter().all(|entry| entry.currency_code == "EUR"));

        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            let request = ListPriceHistoryRequest { page_size: 2, page_token: token, ..history("p1") };
            let page = api.list_price_history(request).await.unwrap().into_inner();
            paged.extend(page.entries);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(paged, all);

        let general = ListPriceHistoryRequest { place: Some(String::new()), ..history("p1") };
        let general = api.list_price_history(general).await.unwrap().into_inner().entries;
        assert_eq!(general.len(), 3);
        let dollars = ListPriceHistoryRequest { currency_code: "USD".to_owned(), ..history("p1") };
        assert!(api.list_price_history(dollars).await.unwrap().into_inner().entries.is_empty());

        let first = ListPriceHistoryRequest { page_size: 1, ..history("p1") };
        let token = api.list_price_history(first).await.unwrap().into_inner().next_page_token;
        let other =
            ListPriceHistoryRequest { place: Some("DE".to_owned()), page_token: token, ..history("p1") };
        let refused = api.list_price_history(other).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn a_batch_succeeds_and_fails_item_by_item() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        api.create_product(create("p1", a_product())).await.unwrap();
        api.create_product(create("p2", a_product())).await.unwrap();
        api.archive_product(ArchiveProductRequest { name: name("p2"), ..ArchiveProductRequest::default() })
            .await
            .unwrap();
        let named = |id: &str| v1::Product { name: name(id), ..a_product() };
        let request = BatchUpsertProductsRequest {
            products: vec![
                named("p3"),
                v1::Product { tax_rate_ppm: -1, ..named("p4") },
                v1::Product { display_name: "Fork".to_owned(), ..named("p1") },
                named("p3"),
                named("p2"),
                a_product(),
            ],
            request_id: "b1".to_owned(),
            update_mask: None,
        };
        let done = api.batch_upsert_products(request.clone()).await.unwrap().into_inner();
        let results: Vec<(i32, bool)> =
            done.results.iter().map(|one| (one.status.as_ref().unwrap().code, one.created)).collect();
        let bad = Code::InvalidArgument as i32;
        assert_eq!(results, [(0, true), (bad, false), (0, false), (bad, false), (0, false), (bad, false)]);
        let why = &done.results[1].status.as_ref().unwrap();
        assert!(why.message.contains("tax_rate_ppm") && !why.details.is_empty(), "{why:?}");
        let again = api.batch_upsert_products(request).await.unwrap().into_inner();
        assert_eq!(again, done);

        let list = api.list_products(ListProductsRequest::default()).await.unwrap().into_inner().products;
        let all: Vec<(&str, &str, ProductState)> =
            list.iter().map(|one| (one.name.as_str(), one.etag.as_str(), one.state())).collect();
        let active = ProductState::Active;
        let expected =
            [("products/p1", "v2", active), ("products/p2", "v3", active), ("products/p3", "v1", active)];
        assert_eq!(all, expected);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_too_many_is_refused_as_a_whole() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        let products =
            (0..=MAX_BATCH).map(|n| v1::Product { name: name(&n.to_string()), ..v1::Product::default() });
        let request = BatchUpsertProductsRequest { products: products.collect(), ..Default::default() };
        assert_eq!(fields(&api.batch_upsert_products(request).await.unwrap_err()), ["products"]);
        let none = api.batch_upsert_products(BatchUpsertProductsRequest::default()).await.unwrap_err();
        assert_eq!(fields(&none), ["products"]);
    })
    .await;
}

#[tokio::test]
async fn an_archived_product_keeps_its_prices_and_is_found_by_its_state() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        api.create_product(create("p1", a_product())).await.unwrap();
        api.create_product(create("p2", a_product())).await.unwrap();
        let archive = ArchiveProductRequest { name: name("p1"), etag: "v1".to_owned(), ..Default::default() };
        let archived = api.archive_product(archive.clone()).await.unwrap().into_inner().product.unwrap();
        assert_eq!((archived.state(), archived.prices.len()), (ProductState::Archived, 2));
        assert_eq!(refusal(&api.archive_product(archive).await.unwrap_err()).1, "ETAG_MISMATCH");
        let filter = "product.state == 'ARCHIVED' && 'garden' in product.categories".to_owned();
        let request = ListProductsRequest { filter, ..ListProductsRequest::default() };
        let list = api.list_products(request).await.unwrap().into_inner().products;
        assert_eq!(list, [archived]);
    })
    .await;
}

#[tokio::test]
async fn an_attribute_that_is_named_alone_leaves_the_others_as_they_are() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut api = Clients::of(&harness).products;
        let of = |id: &str, entries: &[&str]| v1::Product {
            name: name(id),
            attributes: entries.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect(),
            ..v1::Product::default()
        };
        let many: Vec<String> = (0..64).map(|at| format!("k{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (id, entries) in [("few", &["a", "b"][..]), ("full", &many)] {
            api.create_product(create(id, of(id, entries))).await.unwrap();
        }
        let batch = |paths: &[&str], products| BatchUpsertProductsRequest {
            products,
            update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
            request_id: String::new(),
        };
        let products = vec![of("few", &["c"]), of("full", &["c"]), of("new", &["x"])];
        let request = batch(&["attributes.b", "attributes.c"], products);
        let done = api.batch_upsert_products(request).await.unwrap().into_inner();
        let results: Vec<(i32, bool)> =
            done.results.iter().map(|one| (one.status.as_ref().unwrap().code, one.created)).collect();
        assert_eq!(results, [(0, false), (Code::InvalidArgument as i32, false), (0, true)]);
        let mut stored = Vec::new();
        for id in ["few", "full", "new"] {
            let product = api.get_product(GetProductRequest { name: name(id) }).await.unwrap().into_inner();
            stored.push(product.product.unwrap().attributes);
        }
        let wanted = [of("few", &["a", "c"]), of("full", &many), of("new", &["x"])];
        assert_eq!(stored, wanted.map(|product| product.attributes), "what is new begins with all it says");
        let update = UpdateProductRequest {
            product: Some(of("full", &["c"])),
            update_mask: Some(FieldMask { paths: vec!["attributes.c".to_owned()] }),
            request_id: String::new(),
        };
        assert_eq!(fields(&api.update_product(update).await.unwrap_err()), ["product.attributes"]);
    })
    .await;
}
