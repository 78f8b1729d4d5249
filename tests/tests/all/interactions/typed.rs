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

#[test]
fn the_page_of_a_customer_has_the_codes_they_can_use_and_whether_to_write_to_them() {
    let up = Up::start();
    let customers = up.file("customers.csv", "id,email\nada,ada@example.org\n");
    up.tandem(&["customers", "import", "--file", &customers]);
    up.tandem(&["incentives", "create", "ten-off", "--percent", "10"]);
    let codes = up.file("codes.csv", "code,customer,disabled\nADA-1,ada,\nADA-2,ada,true\n");
    up.tandem(&["vouchers", "import", "--incentive", "ten-off", "--file", &codes]);
    let said = ["consents", "record", "ada", "--purpose", "newsletter", "--channel", "email"];
    up.tandem(&[&said[..], &["--state", "denied", "--source", "call-centre"]].concat());

    let page = up.tandem(&["customers", "show", "ada"]);
    for said in ["email: ada@example.org", "PROSPECT", "ADA-1", "newsletter", "denied", "an order of theirs"]
    {
        assert!(page.contains(said), "{said} is not on the page:\n{page}");
    }
    assert!(!page.contains("ADA-2"), "it cannot be used:\n{page}");

    let page = up.json(&["customers", "show", "customers/ada"]);
    assert_eq!(page["relationship"]["stage"], "STAGE_PROSPECT");
    assert_eq!(page["vouchers"][0]["code"], "ADA-1");
    let contacts = page["relationship"]["contacts"].as_array().unwrap();
    let answer = |purpose: &str, channel: &str| {
        let is_it = |one: &&Value| {
            one["purpose"].as_str().unwrap_or_default() == purpose
                && one["channel"] == format!("CHANNEL_{channel}")
        };
        contacts.iter().find(is_it).unwrap().clone()
    };
    assert_eq!(answer("newsletter", "EMAIL")["refusal"], "CONTACT_REFUSAL_DENIED");
    assert_eq!(answer("newsletter", "POST")["refusal"], "CONTACT_REFUSAL_NO_CONSENT");
    assert_eq!(answer("", "EMAIL")["allowed"], true, "it serves an order of theirs");
    assert_eq!(answer("", "SMS")["refusal"], "CONTACT_REFUSAL_NO_ADDRESS");
    assert!(up.refused(&["customers", "show", "bob"]).contains("customers/bob does not exist"));
    up.stop();
}
