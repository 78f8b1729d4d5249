//! Whatever can be typed or set is looked at, or refused by its name.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::architecture::{files, root};
use crate::cli::{Up, ran};

/// Every command with what it cannot do without, and the flags of all commands that it reads.
const COMMANDS: &[(&str, &[&str], Reads)] = &[
    ("up", &[], Reads::Nothing),
    ("demo", &[], Reads::Nothing),
    ("completion", &["bash"], Reads::Nothing),
    ("handbook", &["--to", "/tmp/nowhere"], Reads::Nothing),
    ("apply", &["-f", FILE], Reads::Both),
    ("diff", &["-f", FILE], Reads::BothAsText),
    ("export", &["--to", "/tmp/nowhere"], Reads::BothAsText),
    ("settings show", &[], Reads::Both),
    ("settings set", &["--time-zone", "UTC"], Reads::Both),
    ("objectives create", &["a", "--metric", "orders", "--target", "1"], Reads::Campaign),
    ("objectives show", &["a"], Reads::Campaign),
    ("objectives list", &[], Reads::Campaign),
    ("products create", &["a"], Reads::Campaign),
    ("products show", &["a"], Reads::Campaign),
    ("products list", &[], Reads::Campaign),
    ("products import", &["--file", TABLE], Reads::Campaign),
    ("products export", &[], Reads::Campaign),
    ("campaigns create", &["a", "--objective", "a"], Reads::Campaign),
    ("campaigns show", &["a"], Reads::Campaign),
    ("campaigns list", &[], Reads::Campaign),
    ("campaigns schedule", &["a"], Reads::Campaign),
    ("campaigns launch", &["a"], Reads::Campaign),
    ("campaigns pause", &["a"], Reads::Campaign),
    ("campaigns resume", &["a"], Reads::Campaign),
    ("campaigns end", &["a"], Reads::Campaign),
    ("campaigns cancel", &["a"], Reads::Campaign),
    ("campaigns archive", &["a"], Reads::Campaign),
    ("incentives create", &["a", "--percent", "10"], Reads::Relationship),
    ("incentives show", &["a"], Reads::Relationship),
    ("incentives list", &[], Reads::Relationship),
    ("attributes create", &["a", "--type", "number"], Reads::Relationship),
    ("attributes show", &["a"], Reads::Relationship),
    ("attributes list", &[], Reads::Relationship),
    ("segments create", &["a", "--rule", "true"], Reads::Relationship),
    ("segments show", &["a"], Reads::Relationship),
    ("segments list", &[], Reads::Relationship),
    ("segments count", &["a"], Reads::Relationship),
    ("segments members", &["a"], Reads::Relationship),
    ("segments explain", &["--rule", "true"], Reads::Relationship),
    ("segments import", &["a", "--file", TABLE], Reads::Relationship),
    ("rules check", &["true", "--for", "offer"], Reads::Campaign),
    ("vouchers generate", &["--incentive", "a", "--quantity", "1"], Reads::Relationship),
    ("vouchers export", &["--incentive", "a"], Reads::Relationship),
    ("vouchers import", &["--incentive", "a", "--file", TABLE], Reads::Relationship),
    ("vouchers update", &["A", "--reason", "r", "--enable"], Reads::Relationship),
    ("vouchers adjust", &["A", "--reason", "r", "--add", "1.00 EUR"], Reads::Relationship),
    ("vouchers changes", &["A"], Reads::Relationship),
    ("vouchers usable", &["--customer", "7", "--line", "p:1:1"], Reads::Relationship),
    ("customers import", &["--file", TABLE], Reads::Relationship),
    ("customers export", &[], Reads::Relationship),
    ("customers show", &["a"], Reads::Relationship),
    ("customers list", &[], Reads::Relationship),
    ("interactions import", &["--file", TABLE], Reads::Relationship),
    ("interactions export", &["--customer", "a"], Reads::Relationship),
    ("interactions record", &["--customer", "a", "--type", "visit"], Reads::Relationship),
    ("interactions list", &["--customer", "a"], Reads::Relationship),
    ("customers data", &["a"], Reads::RelationshipAsText),
    ("customers merge", &["a", "--into", "b"], Reads::Relationship),
    ("customers erase", &["a", "--yes"], Reads::Relationship),
    ("consents list", &["a"], Reads::Relationship),
    (
        "consents record",
        &["a", "--purpose", "p", "--channel", "email", "--state", "denied", "--source", "s"],
        Reads::Relationship,
    ),
    ("consents confirm", &["t"], Reads::Relationship),
    ("consents check", &["a", "--purpose", "p", "--channel", "email"], Reads::Relationship),
    ("consents suppress", &["--email", "a@b.de", "--reason", "bounce"], Reads::Relationship),
    ("consents suppressions", &[], Reads::Relationship),
    ("consents clear", &["--email", "a@b.de", "--reason", "bounce", "--note", "n"], Reads::Relationship),
    ("consents token", &["a", "--purpose", "p", "--channel", "email"], Reads::Relationship),
    ("consents unsubscribe", &["t"], Reads::Relationship),
    ("quote", &["--currency", "EUR", "--line", "products/a:1"], Reads::Campaign),
    ("order commit", &["--order", "a", "--quote-token", "t"], Reads::Campaign),
    ("order hold", &["--order", "a", "--quote-token", "t"], Reads::Campaign),
    ("order cancel", &["a"], Reads::Campaign),
    ("order return", &["a", "1=1"], Reads::Campaign),
    ("order show", &["a"], Reads::Campaign),
    ("order explain", &["a"], Reads::Campaign),
    ("limits", &["campaigns/a"], Reads::Campaign),
    ("redeem", &["--order", "a", "--currency", "EUR", "--line", "p:1:1", "--code", "C"], Reads::Relationship),
    ("clock show", &[], Reads::Campaign),
    ("clock set", &["2027-01-01T00:00:00Z"], Reads::Campaign),
    ("clock advance", &["1d"], Reads::Campaign),
    ("events tail", &[], Reads::Relationship),
    ("events set-aside", &[], Reads::Campaign),
    ("events retry", &["a"], Reads::Campaign),
];

/// Stands for a file of one customer and one code.
const TABLE: &str = "TABLE";
/// Stands for a file of a set-up.
const FILE: &str = "FILE";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    Campaign,
    Relationship,
    Both,
    /// Whose answer has one form.
    BothAsText,
    /// Likewise.
    RelationshipAsText,
}

impl Reads {
    fn has(self, flag: &str) -> bool {
        match flag {
            "--campaign" => matches!(self, Self::Campaign | Self::Both | Self::BothAsText),
            "--relationship" => {
                matches!(self, Self::Relationship | Self::RelationshipAsText | Self::Both | Self::BothAsText)
            }
            "--output" => matches!(self, Self::Campaign | Self::Relationship | Self::Both),
            _ => self != Self::Nothing,
        }
    }
}

/// What a command that must fail says.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = ran("tandem", arguments, environment);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "tandem {arguments:?} should have failed: {said}");
    said
}

/// The names below a heading of a help text.
fn listed(help: &str, heading: &str) -> BTreeSet<String> {
    let part = help.split_once(&format!("{heading}:\n")).map_or("", |(_, rest)| rest);
    let lines = part.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let names = lines.filter_map(|line| {
        let name = line.trim_start().split([' ', ',']).next()?;
        let indent = line.len() - line.trim_start().len();
        (indent == 2 || (indent == 6 && name.starts_with("--"))).then(|| name.to_owned())
    });
    names.filter(|name| name != "help").collect()
}

fn help(of: &[&str]) -> String {
    let output = ran("tandem", &[of, &["--help"]].concat(), &[]);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_is_listed_here() {
    let mut found = BTreeSet::new();
    for name in listed(&help(&[]), "Commands") {
        let below = listed(&help(&[&name]), "Commands");
        if below.is_empty() {
            found.insert(name);
        } else {
            found.extend(below.iter().map(|below| format!("{name} {below}")));
        }
    }
    assert_eq!(found, COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect());
}

#[test]
fn a_quote_takes_the_order_it_is_for_and_the_one_it_replaces() {
    let options = listed(&help(&["quote"]), "Options");
    assert!(["--order", "--replaces"].iter().all(|flag| options.contains(*flag)), "{options:?}");
}

#[test]
fn every_flag_of_all_commands_is_read_or_refused_by_name() {
    const NOBODY: &str = "http://127.0.0.1:1";
    // A flag, what is typed with it, and what is said where it is read: nobody answers at that address.
    let flags: &[(&str, &str, &str)] = &[
        ("--campaign", NOBODY, "127.0.0.1:1 (--campaign)"),
        ("--relationship", NOBODY, "127.0.0.1:1 (--relationship)"),
        ("--tenant", "ü", "--tenant = \"ü\": must be"),
        ("--output", "xml", "invalid value 'xml'"),
        ("--tls-ca", "/nonexistent", "--tls-…"),
        ("--tls-server-name", "shop", "--tls-…"),
        ("--tls-certificate", "/nonexistent", "--tls-…"),
        ("--tls-key", "/nonexistent", "--tls-…"),
    ];
    let mut known = listed(&help(&[]), "Services");
    known.extend(listed(&help(&[]), "Options").into_iter().filter(|name| name == "--output"));
    assert_eq!(known, flags.iter().map(|(flag, ..)| (*flag).to_owned()).collect());
    let here = [("TANDEM_CAMPAIGN", NOBODY), ("TANDEM_RELATIONSHIP", NOBODY)];
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv").display().to_string();
    let file = folder.path().join("setup.yaml").display().to_string();
    std::fs::write(&file, "name: products/a\n").unwrap();
    for (command, needs, reads) in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        let column = match words[0] {
            "vouchers" => "code",
            "interactions" => "type",
            _ => "id",
        };
        std::fs::write(&table, format!("{column}\nA\n")).unwrap();
        let typed = |word: &&'static str| match *word {
            TABLE => table.clone(),
            FILE => file.clone(),
            word => word.to_owned(),
        };
        let needs: Vec<String> = needs.iter().map(typed).collect();
        let needs = &needs.iter().map(String::as_str).collect::<Vec<_>>()[..];
        for (flag, value, said) in flags {
            let typed = [&words[..], needs, &[flag, value]].concat();
            if reads.has(flag) {
                let heard = refused(&typed, &here);
                assert!(heard.contains(said), "tandem {typed:?}: {heard}");
            } else {
                let value = if *flag == "--output" { "json" } else { value };
                let typed = [&words[..], needs, &[flag, value]].concat();
                let heard = refused(&typed, &here);
                assert!(heard.contains(&format!("does not read {flag}")), "tandem {typed:?}: {heard}");
                let before = [&[flag, value][..], &words, needs].concat();
                assert!(refused(&before, &here).contains(&format!("does not read {flag}")), "{before:?}");
            }
        }
    }
}

#[test]
fn files_and_names_of_tls_are_looked_at_where_the_address_asks_for_it() {
    let quote = ["quote", "--currency", "EUR", "--line", "products/a:1", "--campaign", "https://127.0.0.1:1"];
    let heard = |more: &[&str]| refused(&[&quote[..], more].concat(), &[]);
    assert!(heard(&["--tls-ca", "/nonexistent"]).contains("--tls-ca = \"/nonexistent\""));
    let clear = ["quote", "--currency", "EUR", "--line", "products/a:1", "--campaign", "http://127.0.0.1:1"];
    let inherited = refused(&clear, &[("TANDEM_TLS_CA", "/root.crt")]);
    assert!(inherited.contains("write https://; the environment sets TANDEM_TLS_CA"), "{inherited}");
    let half = heard(&["--tls-certificate", "/dev/null"]);
    assert!(half.contains("--tls-certificate and --tls-key belong together"), "{half}");
    assert!(
        heard(&["--tls-server-name", "not a name"]).contains("--tls-"),
        "{}",
        heard(&["--tls-server-name", "not a name"])
    );
}

#[test]
fn a_missing_scheme_is_told_as_such() {
    let said = refused(&["order", "show", "a", "--campaign", "127.0.0.1:7401"], &[]);
    assert!(said.contains("write http://127.0.0.1:7401 or https://127.0.0.1:7401"), "{said}");
}

#[test]
fn up_does_as_the_environment_and_the_files_say_and_flags_go_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("relationship.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nlame_duck_ms = 0\n")
        .unwrap();
    let database = format!("sqlite:{}", at("elsewhere.db"));
    let data = at("data");
    let up = Up::with(
        &["--data", &data, "--campaign-listen", "127.0.0.1:0"],
        &[
            ("TANDEM_CAMPAIGN_DATABASE__URL", &database),
            // The flag goes before it: nobody could listen there.
            ("TANDEM_CAMPAIGN_SERVER__LISTEN", "127.0.0.1:1"),
            ("TANDEM_RELATIONSHIP_CONFIG", &at("relationship.toml")),
        ],
    );
    assert!(!up.relationship.ends_with(":7402"), "{}", up.relationship);
    assert!(Path::new(&at("elsewhere.db")).exists() && Path::new(&at("data/relationship.db")).exists());
    assert!(!Path::new(&at("data/campaign.db")).exists());
}

#[test]
fn up_refuses_by_name_what_it_would_not_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let free =
        ["up", "--data", &data, "--campaign-listen", "127.0.0.1:0", "--relationship-listen", "127.0.0.1:0"];
    for (more, environment, said) in [
        (
            &[][..],
            &[("TANDEM_CAMPAIGN_RELATIONSHIP__ENDPOINT", "http://127.0.0.1:7402")][..],
            "relationship.endpoint",
        ),
        (&[], &[("TANDEM_RELATIONSHIP_LOG__FILTER", "debug")], "TANDEM_RELATIONSHIP_LOG__"),
        (&[], &[("TANDEM_RELATIONSHIP_SEAL_KEYS", "k1:a2V5")], "seal_keys"),
        (&["--campaign-database", "sqlite:/x.db", "--relationship-database", "sqlite:/y.db"], &[], "--data"),
        (&["--campaign-config", "/nonexistent.toml"], &[], "/nonexistent.toml"),
        (&["--clock", "2200-01-01T00:00:00Z"], &[], "--clock: the clock must be"),
    ] {
        let heard = refused(&[&free[..], more].concat(), environment);
        assert!(heard.contains(said) && !heard.contains("a2V5"), "{heard}");
    }
    assert!(!Path::new(&data).exists(), "nothing was begun");
}

#[test]
fn a_clock_that_is_moved_is_for_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let allowed = "SERVER__ALLOW_REMOTE_WITHOUT_AUTHENTICATION";
    let environment =
        [(format!("TANDEM_CAMPAIGN_{allowed}"), "true"), (format!("TANDEM_RELATIONSHIP_{allowed}"), "true")];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let (here, there) = ("127.0.0.1:0", "0.0.0.0:0");
    for (service, campaign, relationship) in
        [("campaign-svc", there, here), ("relationship-svc", here, there)]
    {
        let listen = ["--campaign-listen", campaign, "--relationship-listen", relationship];
        let up = ["up", "--data", &data, "--clock", "2027-01-01T00:00:00Z"];
        let heard = refused(&[&up[..], &listen].concat(), &environment);
        for part in ["--clock", service, "server.listen", "listen on 127.0.0.1"] {
            assert!(heard.contains(part), "{part}: {heard}");
        }
    }
    assert!(!Path::new(&data).exists(), "nothing was begun");
}

/// The keys of a service's settings, as `config` shows them: `server.max_calls`.
fn keys(of: &Value, prefix: &str, found: &mut Vec<(String, Value)>) {
    match of.as_object().filter(|object| !object.is_empty()) {
        Some(object) => object.iter().for_each(|(key, value)| keys(value, &format!("{prefix}{key}."), found)),
        None => found.push((prefix.trim_end_matches('.').to_owned(), of.clone())),
    }
}

#[test]
fn every_setting_is_taken_over_from_the_environment_and_read_by_somebody() {
    let mut sources = String::new();
    for folder in ["shared/platform/src", "campaign-svc/src", "relationship-svc/src"] {
        for file in files(&root().join(folder)) {
            if !file.ends_with("config.rs") && !file.to_string_lossy().contains("/tests") {
                sources += &std::fs::read_to_string(file).unwrap();
            }
        }
    }
    for (name, prefix) in [("campaign-svc", "TANDEM_CAMPAIGN_"), ("relationship-svc", "TANDEM_RELATIONSHIP_")]
    {
        let shown = ran(name, &["config"], &[]);
        let mut found = Vec::new();
        keys(&serde_json::from_slice(&shown.stdout).unwrap(), "", &mut found);
        assert!(found.len() > 30, "{found:?}");
        for (key, value) in found {
            let field = key.rsplit('.').next().unwrap();
            let read = [format!(".{field}"), format!("{field},"), format!("{field}:"), format!("{field} }}")];
            assert!(read.iter().any(|text| sources.contains(text)), "{name}: nobody reads {key}");
            let wanted = match &value {
                Value::Number(number) => (number.as_u64().unwrap() + 1).to_string(),
                Value::Bool(truth) => (!truth).to_string(),
                _ if key == "log.format" => "json".to_owned(),
                _ if key.ends_with("listen") => "127.0.0.1:7999".to_owned(),
                _ if key == "tenant_time_zone" => "Europe/Vienna".to_owned(),
                // A section of its own, or a list.
                _ if key.ends_with(".tls") || value.is_array() => continue,
                _ => "other".to_owned(),
            };
            let variable = format!("{prefix}{}", key.to_uppercase().replace('.', "__"));
            let set = ran(name, &["config"], &[(&variable, &wanted)]);
            let said = String::from_utf8_lossy(&set.stderr).into_owned();
            assert!(set.status.success(), "{variable}={wanted}: {said}");
            let now: Value = serde_json::from_slice(&set.stdout).unwrap();
            let now = key.split('.').fold(&now, |at, part| &at[part]);
            let expected = if key.ends_with("_keys") { "(set)" } else { &wanted };
            assert_eq!(
                now.as_str().map_or_else(|| now.to_string(), ToOwned::to_owned),
                expected,
                "{variable}"
            );
            let unknown = format!("{variable}_X");
            let refused = ran(name, &["config"], &[(&unknown, "1")]);
            assert!(String::from_utf8_lossy(&refused.stderr).contains(&unknown), "{unknown} is not refused");
        }
    }
}
