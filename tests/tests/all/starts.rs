//! What fails at a start says what, where and what to do, once, and never a password.

use std::net::TcpListener;

use tandem_tests::database::{Database, Engine};

use crate::cli::ran;

const PASSWORD: &str = "pa55word";

/// What a program that must not start says, on both streams.
fn fails(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = ran(name, arguments, environment);
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!output.status.success(), "{name} {arguments:?} {environment:?} should have failed: {said}");
    assert!(!said.contains(PASSWORD), "{name} {arguments:?} shows a password: {said}");
    said
}

/// Tries every way to start against one address.
fn refused_everywhere(address: &str, what: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let listen = ("TANDEM_CAMPAIGN_SERVER__LISTEN", "127.0.0.1:0");
    let timeout = ("TANDEM_CAMPAIGN_DATABASE__ACQUIRE_TIMEOUT_MS", "300");
    let settings = [("TANDEM_CAMPAIGN_DATABASE__URL", address), listen, timeout];
    let up = ["up", "--data", &data, "--campaign-database", address, "--relationship-listen", "127.0.0.1:0"];
    for (who, said) in [
        ("database.url", fails("campaign-svc", &["serve"], &settings)),
        ("database.url", fails("campaign-svc", &["migrate"], &settings)),
        ("--campaign-database", fails("tandem", &up, &[listen, timeout])),
    ] {
        assert!(said.contains("campaign-svc: ") && said.contains(who), "{said}");
        for word in what {
            assert_eq!(said.matches(word).count(), 1, "{word:?} is to be said once: {said}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_address_of_postgresql_is_said_in_an_operators_words() {
    let database = Database::new(Engine::Postgres).await;
    let (_, place) = database.url().split_once('@').unwrap();
    let (server, _) = place.split_once('/').unwrap();
    let rest = place.split_once('?').map_or(String::new(), |(_, rest)| format!("?{rest}"));
    let and = |parameter: &str| {
        if rest.is_empty() { format!("?{parameter}") } else { format!("{rest}&{parameter}") }
    };
    for (address, what) in [
        (
            format!("postgres://tandem:{PASSWORD}@{server}/nope{rest}"),
            ["has no database of this name", "createdb"],
        ),
        (
            format!("postgres://nobody:{PASSWORD}@{server}/nope{rest}"),
            ["refuses this user", "does not exist"],
        ),
        (
            format!("postgres://tandem:{PASSWORD}@{server}/postgres{}", and("sslmode=require")),
            ["offers none", "sslmode=disable"],
        ),
        (
            format!("postgres://tandem:{PASSWORD}@{server}/postgres{}", and("colour=red")),
            ["\"colour\" is not known", "sslrootcert"],
        ),
        (
            format!("postgres://tandem:{PASSWORD}@127.0.0.1:1/nope"),
            ["gives no connection", "database.acquire_timeout_ms"],
        ),
        (
            format!("mysql://tandem:{PASSWORD}@{server}/nope"),
            ["is not an address that can be used", "write postgres://"],
        ),
    ] {
        refused_everywhere(&address, &what);
    }
}

#[test]
fn what_is_wrong_with_a_file_of_sqlite_is_said_in_an_operators_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "not a database, but long enough to be looked at as one".repeat(40)).unwrap();
    refused_everywhere(&format!("sqlite:{}", text.display()), &["not a database of SQLite", "name another"]);
    let missing = folder.path().join("missing/campaign.db");
    refused_everywhere(
        &format!("sqlite:{}", missing.display()),
        &["cannot be opened or made", "is its folder there"],
    );
}

#[test]
fn a_taken_port_and_who_wanted_it_are_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let database = format!("sqlite:{}", folder.path().join("r.db").display());
    let settings =
        [("TANDEM_RELATIONSHIP_SERVER__LISTEN", &*address), ("TANDEM_RELATIONSHIP_DATABASE__URL", &database)];
    let up = ["up", "--data", &data, "--relationship-listen", &address, "--campaign-listen", "127.0.0.1:0"];
    for said in [fails("relationship-svc", &["serve"], &settings), fails("tandem", &up, &[])] {
        let port = format!("port {}", taken.local_addr().unwrap().port());
        assert!(said.contains("relationship-svc: ") && said.contains(&port), "{said}");
    }
}

#[test]
fn settings_are_shown_without_what_is_secret() {
    let address = format!("postgres://tandem:{PASSWORD}@db/campaign?password={PASSWORD}");
    let keys = format!("k1:{PASSWORD}");
    let settings = [("TANDEM_CAMPAIGN_DATABASE__URL", &*address), ("TANDEM_CAMPAIGN_SEAL_KEYS", &*keys)];
    let shown = String::from_utf8(ran("campaign-svc", &["config"], &settings).stdout).unwrap();
    assert!(shown.contains("postgres://tandem@db/campaign") && shown.contains("(set)"), "{shown}");
    assert!(!shown.contains(PASSWORD), "{shown}");
}
