//! Orders of many tenants at once: they share transactions, and nothing else.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::*;

/// Commits an order without offers for a tenant.
async fn commit(shop: &Shop, tenant: &str, order: &str) -> Result<Order, Status> {
    let claims = QuoteClaims { tenant: tenant.to_owned(), offers: Vec::new(), ..shop.claims("7", 0) };
    let mut request = tonic::Request::new(CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: shop.seal(&claims),
        request_id: format!("commit-{order}"),
        replaces: String::new(),
    });
    request.metadata_mut().insert("tandem-tenant", tenant.parse().unwrap());
    Ok(shop.orders().commit_order(request).await?.into_inner().order.unwrap())
}

#[tokio::test]
async fn each_tenant_gets_its_own_orders_answers_and_events() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses(1)).await;
        // The same ids and request_ids everywhere: they mean each tenant's own.
        let calls: Vec<(String, String)> =
            (0..4).flat_map(|n| (0..12).map(move |t| (format!("t{t}"), format!("o{n}")))).collect();
        let commits = || calls.iter().map(|(tenant, order)| commit(&shop, tenant, order));
        let first = join_all(commits()).await;
        for ((_, order), answer) in calls.iter().zip(&first) {
            assert_eq!(answer.as_ref().unwrap().name, format!("orders/{order}"));
        }
        let again = join_all(commits()).await;
        for (first, again) in first.iter().zip(again) {
            assert_eq!(first.as_ref().unwrap(), &again.unwrap(), "a repeat hears the same");
        }
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in shop.harness.events().await.into_iter().filter(|event| event.tenant != "default") {
            told.entry(event.tenant).or_default().push(event.aggregate);
        }
        assert_eq!(told.len(), 12);
        for mut orders in told.into_values() {
            orders.sort_unstable();
            assert_eq!(orders, ["orders/o0", "orders/o1", "orders/o2", "orders/o3"], "once each");
        }
    })
    .await;
}
