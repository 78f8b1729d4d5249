//! What an operator types about what people do.

use std::time::{Duration, Instant};

use serde_json::Value;
use tandem_tests::stage::in_seconds;

use crate::cli::Up;

/// A moment so many seconds ago.
pub fn ago(seconds: i64) -> String {
    let then = in_seconds(-seconds);
    jiff::Timestamp::new(then.seconds, 0).unwrap().to_string()
}

#[test]
fn an_order_comes_by_itself_and_a_customer_has_a_page() {
    let up = Up::start();
    let customers = up.file("customers.csv", "id\nada\n");
    up.tandem(&["customers", "import", "--file", &customers]);
    let visit = ["interactions", "record", "--customer", "ada", "--type", "visit", "--event-id", "v-1"];
    let (then, later) = (ago(86_400), ago(3_600));
    let at = ["--at", then.as_str()];
    assert_eq!(up.tandem(&[&visit[..], &at].concat()), "recorded v-1\n");
    assert_eq!(up.tandem(&[&visit[..], &at].concat()), "v-1 was recorded before\n");
    let differs = up.refused(&[&visit[..], &["--at", later.as_str()]].concat());
    assert!(differs.contains("v-1 was recorded with other content"), "{differs}");
    let review =
        ["interactions", "record", "--customer", "customers/ada", "--type", "review", "--rating", "4"];
    up.tandem(&[&review[..], &["--scale", "1..5", "--product", "mug", "--attribute", "mood=good"]].concat());
    let quote = up.json(&["quote", "--customer", "ada", "--line", "mug:2:10.00"]);
    let token = quote["quoteToken"].as_str().unwrap();
    up.tandem(&["order", "commit", "--order", "#1001", "--quote-token", token]);

    let end = Instant::now() + Duration::from_secs(30);
    let orders = loop {
        let list = ["interactions", "list", "--customer", "ada", "--type", "order"];
        let found = up.tandem(&[&["--output", "json"], &list[..]].concat());
        if !found.is_empty() {
            break found;
        }
        assert!(Instant::now() < end, "the order has not come by itself");
        std::thread::sleep(Duration::from_millis(50));
    };
    let order: Value = serde_json::from_str(&orders).unwrap();
    assert_eq!(order["interaction"]["orderId"], "#1001");
    assert_eq!(order["interaction"]["fromCampaign"], true);
    assert_eq!(order["interaction"]["amount"]["units"], "20");

    let page = up.tandem(&["customers", "show", "ada"]);
    for said in [
        "name: customers/ada",
        "FIRST_PURCHASE",
        "20.00 EUR",
        "75 % of the best",
        "VISIT",
        "#1001",
        "mood=good",
    ] {
        assert!(page.contains(said), "{said} is not on the page:\n{page}");
    }
    up.stop();
}
