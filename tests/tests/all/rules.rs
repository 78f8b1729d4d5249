//! Rules are judged before they are saved, by both services, as an answer that names the place.

use crate::cli::Up;

#[test]
fn a_rule_is_judged_for_what_it_is_for_and_the_place_of_an_error_is_named() {
    let up = Up::start();
    for (what, rule) in [
        ("offer", "basket.amount >= 5000 && now.weekday == 1"),
        ("price-rule", "now.hour >= 17"),
        ("scope", "line.quantity > 2"),
        ("incentive", "place.country == 'AT'"),
        ("segment", "'vip' in customer.tags"),
    ] {
        let said = up.tandem(&["rules", "check", rule, "--for", what]);
        assert!(said.starts_with("right; at most ") && said.ends_with(" steps of 250000\n"), "{said}");
    }
    // Each reads its own facts alone.
    for (what, rule) in
        [("price-rule", "basket.amount > 1"), ("segment", "line.quantity > 2"), ("scope", "now.hour > 1")]
    {
        assert!(!up.run(&["rules", "check", rule, "--for", what]).status.success(), "{what}: {rule}");
    }
    let wrong = up.run(&["rules", "check", "true &&\n basket.totl > 1", "--for", "offer"]);
    let said = String::from_utf8(wrong.stdout).unwrap();
    assert!(said.starts_with("line 2, column 8: `basket` has no field `totl`"), "{said}");
    assert!(said.ends_with("\n   basket.totl > 1\n         ^\n"), "{said}");
    assert_eq!(String::from_utf8(wrong.stderr).unwrap(), "error: the rule would not be saved\n");

    let json = up.run(&["--output", "json", "rules", "check", "1 + 1", "--for", "segment"]);
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(answer["findings"][0]["message"], "a rule must be true or false, this one is a whole number");
    assert!(answer["findings"][0].get("line").is_none(), "the rule as a whole is meant: {answer}");
    up.stop();
}
