//! Filters that take long to judge.

use super::*;

#[tokio::test]
async fn a_costly_filter_makes_short_pages_and_a_costlier_one_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let customer = |at: usize| Message { name: format!("customers/c{at:02}"), ..Message::default() };
        let message =
            ImportCustomersRequest { customers: (0..60).map(customer).collect(), ..Default::default() };
        let mut client = client(&harness);
        import_customers(&mut client, vec![message]).await.unwrap();
        let exists = "customer.tags.exists(t, t + 'a' == 'b' || t + 'c' == 'd')";
        let mut request = ListCustomersRequest {
            filter: format!("{}true", format!("!{exists} && ").repeat(7)),
            page_size: 100,
            ..ListCustomersRequest::default()
        };
        let mut pages = Vec::new();
        loop {
            let page = client.list_customers(request.clone()).await.unwrap().into_inner();
            pages.push(page.customers.len());
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert!(pages.len() > 1, "{pages:?}");
        assert_eq!(pages.iter().sum::<usize>(), 60);
        let filter = "customer.tags.all(a, customer.tags.all(b, a + b != 'x'))".to_owned();
        let refused = ListCustomersRequest { filter, ..ListCustomersRequest::default() };
        let status = client.list_customers(refused).await.unwrap_err();
        assert_eq!(fields(&status), ["filter"]);
        assert!(status.message().contains("12500"), "{}", status.message());
    })
    .await;
}
