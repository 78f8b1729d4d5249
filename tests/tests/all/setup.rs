//! A tenant's set-up as files, as an operator takes it from one pair to the next.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::cli::Up;

/// One of every kind, as people write them: with comments, out of order, and with what may be left out left out.
const SHOP: &str = r##"
# Names what stands below.
name: incentives/ten-off
displayName: Ten off
titles: {"": Ten off, de: Zehn Prozent}
discount:
  percent: {ratePpm: 100000}
  minimumSpend:
  - {currencyCode: EUR, units: 20}
segments: [segments/vips]
condition: basket.quantity > 1 && now.weekday < 6
campaign: campaigns/spring
limits: {maxUses: 100, budgets: [{currencyCode: EUR, units: 500}]}
---
name: incentives/card
displayName: Card
discount: {giftCard: {}}
---
name: campaigns/spring
displayName: Spring
objective: objectives/grow
window: {startTime: 2031-03-01T00:00:00Z, endTime: 2031-04-01T00:00:00Z}
budgets: [{currencyCode: EUR, units: 9000, nanos: 500000000}]
labels: {team: b, season: spring}
mix:
  product: {products: [products/mug]}
  price:
    priceRules:
    - {id: evening, ratePpm: 50000, scope: {categories: [kitchen]}, condition: now.hour >= 17}
    offers:
    - id: tiers
      titles: {"": More is less}
      discount:
        tiered:
          tiers:
          - {thresholds: [{currencyCode: EUR, units: 50}], ratePpm: 50000}
          - {thresholds: [{currencyCode: EUR, units: 100}], amounts: {amounts: [{currencyCode: EUR, units: 15}]}}
  place: {countries: [AT, NO]}
  promotion:
    placements:
    - {id: posters, medium: MEDIUM_CLASSICAL, channel: CHANNEL_OUTDOOR, plannedSpend: {currencyCode: EUR, units: 300}}
---
name: products/mug
displayName: "Mug: 0,3 l"
categories: [kitchen]
attributes: {colour: "#fff", size: "12"}
prices:
- {price: {currencyCode: EUR, units: 12, nanos: 500000000}}
- {place: CH, price: {currencyCode: CHF, units: 14}}
unitCosts: [{currencyCode: EUR, units: 4}]
taxRatePpm: 200000
---
name: segments/vips
displayName: VIPs
rule: |
  "vip" in customer.tags &&
  customer.country == "AT"
---
name: objectives/grow
displayName: Grow
metric: OBJECTIVE_METRIC_REVENUE
targetMoney: {currencyCode: EUR, units: 50000}
window: {startTime: 2031-01-01T00:00:00Z, endTime: 2031-12-31T00:00:00Z}
"##;

/// Every file below a folder, by its name from there.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The outcomes of an apply, by name.
fn outcomes(said: &str) -> BTreeMap<String, String> {
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
    lines.map(|line| (text(&line, "name"), text(&line, "outcome"))).collect()
}

impl Up {
    fn apply(&self, file: &str) -> BTreeMap<String, String> {
        outcomes(&self.tandem(&["--output", "json", "apply", "-f", file]))
    }

    fn exported(&self, to: &str) -> BTreeMap<String, String> {
        let folder = self.folder.path().join(to);
        self.tandem(&["export", "--to", folder.to_str().unwrap()]);
        files(&folder)
    }
}

#[test]
fn a_set_up_goes_from_one_pair_to_the_next_and_is_the_same_there() {
    let (here, there) = (Up::start(), Up::start());
    let shop = here.file("shop.yaml", SHOP);
    let all = |outcome: &str| {
        let names = [
            "campaigns/spring",
            "incentives/card",
            "incentives/ten-off",
            "objectives/grow",
            "products/mug",
            "segments/vips",
        ];
        names.map(|name| (name.to_owned(), outcome.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
    };
    assert_eq!(here.apply(&shop), all("CREATED"));
    assert_eq!(here.apply(&shop), all("UNCHANGED"), "what is left out is no difference");
    assert_eq!(here.tandem(&["diff", "-f", &shop]), "");

    let exported = here.exported("out");
    assert_eq!(exported.len(), 6, "{exported:#?}");
    assert!(exported["campaigns/spring.yaml"].starts_with("name: campaigns/spring\n"), "{exported:#?}");
    assert!(
        !exported.values().any(|text| text.contains("etag") || text.contains("createTime")),
        "{exported:#?}"
    );
    let folder = here.folder.path().join("out");
    assert_eq!(there.apply(folder.to_str().unwrap()), all("CREATED"));
    assert_eq!(there.exported("out"), exported);
    assert_eq!(there.apply(folder.to_str().unwrap()), all("UNCHANGED"));
    let before = there.json(&["incentives", "show", "ten-off"])["version"].clone();
    assert_eq!(before, "1", "what is unchanged has no new version");
    here.stop();
    there.stop();
}

#[test]
fn what_differs_is_shown_and_changed_and_a_campaign_that_is_out_is_adapted() {
    let up = Up::start();
    let shop = up.file("shop.yaml", SHOP);
    up.apply(&shop);
    let changed = SHOP
        .replace("units: 12, nanos", "units: 13, nanos")
        .replace("displayName: Spring\n", "displayName: In spring\n");
    let changed = up.file("changed.yaml", &changed);
    let difference = up.run(&["diff", "-f", &changed]);
    let shown = String::from_utf8(difference.stdout).unwrap();
    assert!(!difference.status.success(), "{shown}");
    for line in [
        "--- products/mug",
        "-    units: 12",
        "+    units: 13",
        "-displayName: Spring",
        "+displayName: In spring",
    ] {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }
    let planned = outcomes(&up.tandem(&["--output", "json", "apply", "--dry-run", "-f", &changed]));
    assert_eq!(planned["products/mug"], "UPDATED");
    assert!(up.tandem(&["products", "show", "mug"]).contains("units: 12"), "a dry run changes nothing");
    let done = up.apply(&changed);
    let updated: Vec<&String> =
        done.iter().filter(|(_, outcome)| *outcome == "UPDATED").map(|(name, _)| name).collect();
    assert_eq!(updated, ["campaigns/spring", "products/mug"]);

    assert!(up.tandem(&["campaigns", "schedule", "spring"]).contains("campaigns/spring is scheduled"));
    let exported = up.exported("out");
    let other = exported["campaigns/spring.yaml"].replace("ratePpm: 50000", "ratePpm: 60000");
    let other = up.file("other.yaml", &other);
    assert_eq!(up.apply(&other)["campaigns/spring"], "UPDATED");
    assert_eq!(up.apply(&other)["campaigns/spring"], "UNCHANGED");
    let campaign = up.json(&["campaigns", "show", "campaigns/spring"]);
    assert_eq!(campaign["revision"], "2", "{campaign}");
    assert_eq!(campaign["state"], "CAMPAIGN_STATE_SCHEDULED");
    up.stop();
}

#[test]
fn a_document_that_is_wrong_fails_alone_and_says_where() {
    let up = Up::start();
    let text = "name: products/a
displayName: A
---
name: products/b
colour: red
---
name: objectives/c
displayName: C
metric: OBJECTIVE_METRIC_ORDERS
targetCount: -3
---
name: products/d
";
    let file = up.file("bad.yaml", text);
    let output = up.run(&["apply", "-f", &file]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("created   products/a") && said.contains("created   products/d"), "{said}");
    assert!(
        said.contains(&format!("failed    products/b ({file}:5): colour: there is no such field")),
        "{said}"
    );
    assert!(said.contains(&format!("failed    objectives/c ({file}:10): targetCount: ")), "{said}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: 2 of 4 documents failed\n");
    let missing = up.refused(&["apply", "-f", "/nonexistent.yaml"]);
    assert!(missing.contains("/nonexistent.yaml"), "{missing}");
    let piped = up.piped(&["apply", "-f", "-"], "{\"name\": \"products/e\", \"displayName\": \"E\"}");
    assert_eq!(piped, "created   products/e\n");
    up.stop();
}

#[test]
fn what_is_gone_is_told_or_removed_from_a_folder() {
    let up = Up::start();
    up.tandem(&["products", "create", "mug", "--price", "12.50 EUR", "--tax", "20"]);
    let folder = up.folder.path().join("out");
    let other = folder.join("products/gone.yaml");
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::write(&other, "name: products/gone\n").unwrap();
    let export = ["export", "--to", folder.to_str().unwrap()];
    let told = up.run(&export);
    assert!(String::from_utf8(told.stderr).unwrap().contains("--prune") && other.exists());
    up.tandem(&[&export[..], &["--prune"]].concat());
    assert_eq!(files(&folder).into_keys().collect::<Vec<_>>(), ["products/mug.yaml"]);
    up.stop();
}

#[test]
fn every_kind_is_created_by_flags_shown_and_listed_in_one_rhythm() {
    let up = Up::start();
    let window = ["--start", "2031-03-01T00:00:00Z", "--end", "2031-04-01T00:00:00Z"];
    let objective = ["objectives", "create", "grow", "--metric", "revenue", "--target", "50000.00 EUR"];
    assert_eq!(up.tandem(&[&objective[..], &window].concat()), "objectives/grow is created\n");
    up.tandem(&["products", "create", "products/mug", "--price", "12.50 EUR", "--price", "CH=14.00 CHF"]);
    up.tandem(&["attributes", "create", "shoe_size", "--type", "number", "--personal"]);
    up.tandem(&["segments", "create", "vips", "--rule", "'vip' in customer.tags"]);
    let campaign =
        ["campaigns", "create", "spring", "--objective", "grow", "--percent", "10", "--segment", "vips"];
    up.tandem(&[&campaign[..], &window].concat());
    up.tandem(&[
        "incentives",
        "create",
        "ten-off",
        "--percent",
        "12.5",
        "--segment",
        "segments/vips",
        "--serves",
        "spring",
    ]);
    for (collection, id) in [
        ("objectives", "grow"),
        ("products", "mug"),
        ("attributes", "shoe_size"),
        ("segments", "vips"),
        ("campaigns", "spring"),
        ("incentives", "ten-off"),
    ] {
        let name = format!("{collection}/{id}");
        assert_eq!(up.json(&[collection, "show", id])["name"], *name);
        assert_eq!(up.json(&[collection, "show", &name])["name"], *name);
        assert!(up.tandem(&[collection, "show", id]).starts_with(&format!("name: {name}\n")));
        assert!(up.tandem(&[collection, "list"]).contains(&name));
        assert_eq!(up.json(&[collection, "list"])[collection][0]["name"], *name);
        let missing = up.refused(&[collection, "show", "nobody"]);
        assert!(
            missing.contains(&format!("{collection}/nobody does not exist; `tandem {collection} list`")),
            "{missing}"
        );
    }
    let incentive = up.json(&["incentives", "show", "ten-off"]);
    assert_eq!(incentive["discount"]["percent"]["ratePpm"], 125_000, "{incentive}");
    assert_eq!(incentive["campaign"], "campaigns/spring");
    let twice = up.refused(&["segments", "create", "vips", "--rule", "true"]);
    assert_eq!(
        twice,
        "error: segments/vips exists already (ALREADY_EXISTS)\n  choose another name; `tandem apply -f` changes what is there\n"
    );
    let wrong = up.refused(&["segments", "create", "b", "--rule", "customer.tgas"]);
    assert!(wrong.starts_with("error: --rule: line 1, column "), "{wrong}");
    up.stop();
}

#[test]
fn every_name_is_taken_with_and_without_its_collection() {
    let up = Up::start();
    up.tandem(&["incentives", "create", "ten-off", "--percent", "10"]);
    let customers = up.file("customers.csv", "id\nada\ncustomers/bob\n");
    up.tandem(&["customers", "import", "--file", &customers]);
    assert!(up.tandem(&["customers", "show", "bob"]).starts_with("name: customers/bob\n"));
    for incentive in ["ten-off", "incentives/ten-off"] {
        let codes = up.file("codes.csv", "code\nTEN-1\n");
        up.tandem(&["vouchers", "import", "--incentive", incentive, "--file", &codes]);
        up.tandem(&["vouchers", "generate", "--incentive", incentive, "--quantity", "1"]);
        let lines = up.tandem(&["--output", "json", "vouchers", "export", "--incentive", incentive]);
        for line in lines.lines() {
            let voucher: Value = serde_json::from_str(line).unwrap();
            assert_eq!(voucher["incentive"], "incentives/ten-off");
        }
    }
    for (customer, product) in [("ada", "a:2:10.00"), ("customers/ada", "products/a:2:10.00")] {
        let quote = up.json(&["quote", "--customer", customer, "--line", product, "--code", "ten-1"]);
        assert_eq!(quote["totals"]["total"]["units"], "18", "{quote}");
        let usable = ["vouchers", "usable", "--customer", customer, "--line", product];
        up.tandem(&usable);
        let order = format!("order-{}", customer.len());
        up.tandem(&[
            "order",
            "hold",
            "--order",
            &order,
            "--quote-token",
            quote["quoteToken"].as_str().unwrap(),
        ]);
        up.tandem(&["order", "cancel", &order]);
    }
    let whose = up.refused(&["limits", "ten-off"]);
    assert!(whose.contains("campaigns/ten-off or incentives/ten-off"), "{whose}");
    let unknown = up.refused(&["events", "tail", "--type", "Voucher"]);
    assert!(unknown.contains("VoucherRedeemed") && unknown.contains("IncentiveCreated"), "{unknown}");
    let seen = up.tandem(&["events", "tail", "--from-start", "--limit", "1", "--type", "IncentiveCreated"]);
    assert!(seen.contains("incentives/ten-off"), "{seen}");
    up.stop();
}
