//! The clock that an operator moves.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Up;

const START: &str = "2031-03-01T00:00:00Z";
const PATIENCE: Duration = Duration::from_secs(30);

fn started() -> Up {
    let free = ["--campaign-listen", "127.0.0.1:0", "--relationship-listen", "127.0.0.1:0"];
    Up::with(&[&free[..], &["--clock", START]].concat(), &[])
}

fn time(answer: &Value) -> jiff::Timestamp {
    answer["time"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_clock_starts_where_it_is_told_runs_on_and_is_moved_forward_alone() {
    let up = started();
    let first = time(&up.json(&["clock", "show"]));
    let start: jiff::Timestamp = START.parse().unwrap();
    assert!((start..start + PATIENCE).contains(&first), "{first}");
    assert!(time(&up.json(&["clock", "show"])) > first, "it runs on");
    let later = time(&up.json(&["clock", "advance", "1 year 1 day"]));
    let wanted: jiff::Timestamp = "2032-03-02T00:00:00Z".parse().unwrap();
    assert!((wanted..wanted + PATIENCE).contains(&later), "{later}");
    for back in [&["clock", "set", START][..], &["clock", "advance", "-1d"]] {
        let error = up.refused(back);
        assert!(error.contains("CLOCK_GOES_BACK") && error.contains("2032-03-02T"), "{error}");
    }
    assert!(up.tandem(&["clock", "set", "2040-01-01T00:00:00Z"]).starts_with("2040-01-01T00:00:0"));
    up.stop();
}

#[test]
fn both_services_see_a_year_go_by_at_once_in_what_is_asked_and_in_what_runs_by_itself() {
    let up = started();
    let customers = up.file("customers.csv", "id,email\nada,ada@example.org\n");
    up.tandem(&["customers", "import", "--file", &customers]);
    up.tandem(&["incentives", "create", "ten-off", "--percent", "10"]);
    let codes = up.file("codes.csv", "code,valid_until\nSPRING,2031-06-01T00:00:00Z\n");
    up.tandem(&["vouchers", "import", "--incentive", "ten-off", "--file", &codes]);
    let quote = ["quote", "--customer", "ada", "--code", "SPRING", "--line", "mug:1:10.00"];
    let quoted = up.json(&quote);
    assert_eq!(quoted["totals"]["total"]["units"], "9", "{quoted}");
    let token = quoted["quoteToken"].as_str().unwrap();
    up.tandem(&["order", "commit", "--order", "1001", "--quote-token", token]);
    let visit = ["interactions", "record", "--customer", "ada", "--type", "visit", "--event-id", "v1"];
    up.tandem(&[&visit[..], &["--at", START]].concat());
    let stage = || up.json(&["customers", "show", "ada"])["relationship"]["stage"].clone();
    eventually("the order has come", || stage() == "STAGE_FIRST_PURCHASE");

    let timeline = up.tandem(&["--output", "json", "interactions", "list", "--customer", "ada"]);
    let timeline: Vec<Value> = timeline.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let time = |entry: &Value| entry["eventTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let times: Vec<jiff::Timestamp> = timeline.iter().map(time).collect();
    assert!(
        times.len() == 3 && times.is_sorted_by(|one, other| one >= other),
        "ids have its time too: {times:?}"
    );
    let changes = ["--output", "json", "events", "tail", "--type", "StageChanged"];
    let first = up.tandem(&[&changes[2..], &["--from-start", "--limit", "1"]].concat());
    let cursor = first.split_whitespace().next().unwrap();

    up.tandem(&["clock", "advance", "1y2mo"]);
    assert_eq!(stage(), "STAGE_LAPSED");
    let quoted = up.json(&quote);
    assert_eq!(quoted["totals"]["total"]["units"], "10", "the code is over: {quoted}");
    // Nobody asks for these: they are looked at because the clock was moved.
    let told = up.tandem(&[&changes[..], &["--cursor", cursor, "--limit", "2"]].concat());
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stages: Vec<&str> = told.iter().map(|event| event["payload"]["toStage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["STAGE_AT_RISK", "STAGE_LAPSED"], "one after the other, as they would have come");
    let visits = || up.tandem(&["interactions", "list", "--customer", "ada", "--type", "visit"]);
    eventually("visits are kept for 395 days", || !visits().contains("VISIT"));
    up.stop();
}

#[test]
fn who_was_not_started_on_such_a_clock_has_none() {
    let up = Up::start();
    for command in [&["clock", "show"][..], &["clock", "set", START], &["clock", "advance", "1d"]] {
        let error = up.refused(command);
        assert!(error.contains("tandem up --clock"), "{error}");
    }
    up.stop();
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not so: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
