//! The command `tandem`, as an operator types it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tandem_tests::stage::{Relationship, incentive, percent};
use tempfile::TempDir;
use tonic::transport::Endpoint;

/// Both services, run by `tandem up` in a folder of their own.
pub struct Up {
    child: Child,
    /// Address of campaign-svc.
    pub campaign: String,
    /// Address of relationship-svc.
    pub relationship: String,
    /// Their own folder.
    pub folder: TempDir,
}

impl Up {
    /// Starts both on free ports.
    pub fn start() -> Self {
        Self::with(&["--campaign-listen", "127.0.0.1:0", "--relationship-listen", "127.0.0.1:0"], &[])
    }

    /// Starts both with these flags and variables, in a folder of their own where `--data` is not among them.
    pub fn with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut command = Command::new(program());
        command.arg("up").args(flags);
        if !flags.contains(&"--data") {
            command.arg("--data").arg(&data);
        }
        let mut child = command
            .env("TANDEM_CAMPAIGN_RELATIONSHIP__TIMEOUT_MS", "5000")
            .env("TANDEM_CAMPAIGN_LOG__FILTER", "error")
            .env("TANDEM_CAMPAIGN_SERVER__LAME_DUCK_MS", "0")
            .env("TANDEM_RELATIONSHIP_SERVER__LAME_DUCK_MS", "0")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |service: &str| {
            let line = lines.next().unwrap().unwrap();
            let (name, address) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert_eq!(name, service);
            address.trim().to_owned()
        };
        let (campaign, relationship) = (address("campaign-svc"), address("relationship-svc"));
        // Nobody may write into a pipe that nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, campaign, relationship, folder }
    }

    /// Runs a command against the two and answers what it printed.
    pub fn tandem(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tandem {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command against the two, whatever comes of it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// A command against the two, to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.env("TANDEM_CAMPAIGN", &self.campaign).env("TANDEM_RELATIONSHIP", &self.relationship);
        command.args(arguments);
        command
    }

    /// As [`Self::tandem`], with `input` on standard input.
    pub fn piped(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tandem {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails says.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "tandem {arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: "), "{error}");
        error
    }

    /// The one JSON document a command answers.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.tandem(&[&["--output", "json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("tandem {arguments:?}: {error}: {text}"))
    }

    /// A file of this text in the folder of the two.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Ends both as Ctrl-C does.
    pub fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "tandem up ended with {status}");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of `name`, one of our programs, with these arguments and variables.
pub fn ran(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program().with_file_name(name));
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null()).output().unwrap()
}

/// Beside this test: both come from the same build.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().find(|folder| folder.join("tandem").is_file());
    folder
        .map(|folder: &Path| folder.join("tandem"))
        .expect("tandem is not built: cargo build --workspace --bins")
}

#[test]
fn help_names_every_command_and_completion_knows_them() {
    let said = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (help, completion) = (said(&["--help"]), said(&["completion", "bash"]));
    for command in ["up", "demo", "vouchers", "customers", "quote", "order", "redeem", "events", "completion"]
    {
        assert!(help.contains(&format!("  {command}")), "{command} is missing in\n{help}");
        assert!(completion.contains(command), "{command}");
    }
    let orders = ["commit", "hold", "cancel", "return", "show", "explain"].map(|command| ["order", command]);
    let others = [
        &["vouchers", "generate"][..],
        &["vouchers", "update"],
        &["vouchers", "adjust"],
        &["vouchers", "usable"],
        &["vouchers", "import"],
        &["vouchers", "export"],
        &["customers", "import"],
        &["customers", "export"],
        &["products", "import"],
        &["products", "export"],
        &["events", "tail"],
        &["quote"],
        &["redeem"],
        &["up"],
    ];
    for command in others.into_iter().chain(orders.iter().map(|command| &command[..])) {
        assert!(
            said(&[command, &["--help"]].concat()).contains("Example"),
            "{command:?} --help has no example"
        );
    }
    let wrong = Command::new(program()).arg("no-such-command").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_codes_brings_customers_in_quotes_redeems_and_follows_events() {
    let up = Up::start();
    let caller = Relationship::over(Endpoint::from_shared(up.relationship.clone()).unwrap().connect_lazy());
    caller.incentive("ten-off", incentive(percent(100_000))).await;

    let customers =
        up.file("customers.csv", "id,country,tags,attr.shoe_size\nada,AT,vip|early,38\nbob,DE,,\n");
    let imported = up.json(&["customers", "import", "--file", &customers]);
    assert_eq!(imported["created"], "2", "{imported}");
    let codes =
        up.file("codes.csv", "code,max_uses\nwelcome-1,1\nWELCOME-2,5\n夏のセール,1\ne\u{301}té–26,1\n");
    let imported = up.json(&["vouchers", "import", "--incentive", "ten-off", "--file", &codes]);
    assert_eq!(imported["created"], "4", "{imported}");
    let generate = [
        "vouchers",
        "generate",
        "--incentive",
        "ten-off",
        "--quantity",
        "1500",
        "--pattern",
        "SPRING-####-####",
        "--request-id",
        "g1",
    ];
    let generated = up.json(&generate);
    assert_eq!(generated["done"], "1500", "{generated}");
    assert_eq!(up.json(&generate), generated, "the same request makes no more");

    let exported = up.folder.path().join("export.csv");
    up.tandem(&["vouchers", "export", "--incentive", "ten-off", "--file", exported.to_str().unwrap()]);
    let exported = std::fs::read_to_string(exported).unwrap();
    let codes: Vec<&str> = exported.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(codes.len(), 1_504);
    assert!(codes.contains(&"夏のセール") && codes.contains(&"ÉTÉ-26"), "{codes:?}");
    let again = up.file("again.csv", &exported);
    let imported = up.json(&["vouchers", "import", "--incentive", "ten-off", "--file", &again]);
    assert_eq!(imported["existing"], "1504", "{imported}");
    let quote =
        up.json(&["quote", "--code", "été‑26\n", "--currency", "EUR", "--line", "products/42:2:19.90"]);
    assert_eq!(quote["totals"]["total"]["units"], "35", "{quote}");
    assert_eq!(codes.iter().filter(|code| code.starts_with("SPRING-")).count(), 1_500);

    let basket = ["--currency", "EUR", "--line", "products/42:2:19.90", "--customer", "customers/ada"];
    let quote = up.json(&[&["quote", "--code", "welcome-1"][..], &basket].concat());
    assert_eq!(quote["incentivesStatus"], "INCENTIVES_STATUS_INCLUDED", "{quote}");
    assert_eq!(quote["totals"]["total"]["units"], "35", "{quote}");
    let token = quote["quoteToken"].as_str().unwrap();
    let redeem = [
        "redeem",
        "--order",
        "1001",
        "--quote-token",
        token,
        "--customer",
        "customers/ada",
        "--request-id",
        "r1",
    ];
    let redeemed = up.json(&redeem);
    assert_eq!(redeemed["redemptions"][0]["amount"]["nanos"], 980_000_000, "{redeemed}");
    assert_eq!(up.json(&redeem), redeemed);
    let table = up.tandem(&[&["redeem", "--order", "1002", "--code", "WELCOME-2"][..], &basket].concat());
    assert!(table.contains("WELCOME-2") && table.contains("3.98 EUR"), "{table}");
    up.refused(&["redeem", "--order", "1003", "--code", "welcome-1", "--line", "products/42:1:10.00"]);

    let tail = [
        "events",
        "tail",
        "--from-start",
        "--limit",
        "2",
        "--type",
        "tandem.relationship.v1.VoucherRedeemed",
    ];
    let events = up.tandem(&[&["--output", "json"], &tail[..]].concat());
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["payload"]["redemption"]["orderId"], "1001", "{}", events[0]);
    assert_eq!(up.tandem(&tail).lines().count(), 2);
    up.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_commits_shows_returns_replaces_holds_and_cancels_orders() {
    let up = Up::start();
    let caller = Relationship::over(Endpoint::from_shared(up.relationship.clone()).unwrap().connect_lazy());
    caller.incentive("ten-off", incentive(percent(100_000))).await;
    let codes = up.file("codes.csv", "code,max_uses\nTEN-1,3\n");
    up.json(&["vouchers", "import", "--incentive", "ten-off", "--file", &codes]);
    let quote = ["quote", "--code", "ten-1", "--line", "products/a:4:10.00", "--line", "products/b:1:5.00"];
    let quoted_for = |more: &[&str]| up.tandem(&[&["--output", "json"], &quote[..], more].concat());
    let quoted = || quoted_for(&[]);

    // A quote goes from one command to the next, as JSON or as the token alone.
    let shown = up.piped(&["order", "commit", "--order", "1001", "--request-id", "c1"], &quoted());
    assert!(
        shown.contains("TEN-1 of incentives/ten-off") && shown.contains("state       committed"),
        "{shown}"
    );
    assert!(shown.contains("incentives/ten-off 4.00 EUR") && shown.contains("40.50 EUR"), "{shown}");
    let order = up.json(&["order", "show", "1001"])["order"].clone();
    assert_eq!(order["state"], "ORDER_STATE_COMMITTED", "{order}");
    assert_eq!(order["codes"][0]["amount"]["nanos"], 500_000_000, "{order}");

    let returned = ["order", "return", "orders/1001", "1=1", "2=1", "--request-id", "b1"];
    let after = up.json(&returned);
    assert_eq!(up.json(&returned), after, "the same request takes nothing back twice");
    assert_eq!(after["order"]["lines"][0]["returnedQuantity"], "1", "{after}");
    assert_eq!(after["order"]["discount"]["units"], "3", "{after}");
    let error = up.refused(&["order", "return", "1001", "1=4"]);
    assert!(error.contains("QUANTITY_EXCEEDED"), "{error}");
    assert!(up.refused(&["order", "return", "1001", "1:4"]).contains("LINE=UNITS"));

    let amending = quoted_for(&["--order", "orders/1001-b", "--replaces", "1001"]);
    let token = serde_json::from_str::<Value>(&amending).unwrap()["quoteToken"].as_str().unwrap().to_owned();
    let amended = ["order", "commit", "--order", "1001-b", "--replaces", "1001", "--quote-token", &token];
    assert_eq!(up.json(&amended)["order"]["replaces"], "orders/1001");
    let replaced = up.tandem(&["order", "show", "1001"]);
    assert!(replaced.contains("cancelled") && replaced.contains("replaced by orders/1001-b"), "{replaced}");

    let held = up.piped(&["order", "hold", "--order", "1002", "--ttl-seconds", "60"], &quoted());
    assert!(held.contains("held until"), "{held}");
    assert_eq!(up.json(&["order", "cancel", "1002"])["order"]["state"], "ORDER_STATE_CANCELLED");
    assert!(up.refused(&["order", "show", "1003"]).contains("orders/1003"));
    assert!(up.refused(&["order", "commit", "--order", "1003"]).contains("--quote-token"));
    up.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn support_changes_codes_by_hand_sees_what_a_customer_can_use_and_why_an_order_cost_what_it_cost() {
    let up = Up::start();
    let caller = Relationship::over(Endpoint::from_shared(up.relationship.clone()).unwrap().connect_lazy());
    caller.incentive("ten-off", incentive(percent(100_000))).await;
    let customers = up.file("customers.csv", "id\nada\n");
    up.json(&["customers", "import", "--file", &customers]);
    let codes = up.file("codes.csv", "code,max_uses,disabled\nTEN-1,1,true\nTEN-2,1,\n");
    up.json(&["vouchers", "import", "--incentive", "ten-off", "--file", &codes]);

    let change = [
        "vouchers",
        "update",
        "ten-1",
        "--enable",
        "--customer",
        "ada",
        "--valid-until",
        "2090-01-01T00:00:00Z",
        "--reason",
        "the customer rang",
    ];
    let shown = up.tandem(&change);
    assert!(shown.contains("TEN-1 is active, customers/ada, until 2090-01-01T00:00:00Z"), "{shown}");
    assert!(up.refused(&["vouchers", "update", "TEN-1", "--reason", "none"]).contains("--help"));
    let changes = up.tandem(&["vouchers", "changes", "TEN-1"]);
    assert!(
        changes.contains("the customer rang") && changes.contains("customer: - to customers/ada"),
        "{changes}"
    );
    let refused = ["vouchers", "adjust", "TEN-1", "--take", "5.00 EUR", "--reason", "a mistake"];
    assert!(up.refused(&refused).contains("NOT_A_GIFT_CARD"));
    let usable = up.tandem(&["vouchers", "usable", "--customer", "ada", "--line", "products/a:2:10.00"]);
    assert!(usable.contains("TEN-1") && usable.contains("2.00 EUR") && !usable.contains("TEN-2"), "{usable}");

    let quote =
        ["--output", "json", "quote", "--code", "ten-1", "--code", "TEN-2", "--customer", "customers/ada"];
    let quoted = up.tandem(&[&quote[..], &["--code", "nonsense", "--line", "products/a:2:10.00"]].concat());
    up.piped(&["order", "commit", "--order", "1001"], &quoted);
    let explained = up.json(&["order", "explain", "1001"]);
    let told: Vec<(&str, &str)> = explained["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["source"].as_str().unwrap(), one["reason"].as_str().unwrap_or("applied")))
        .collect();
    let expected = [
        ("vouchers/TEN-1", "applied"),
        ("vouchers/TEN-2", "DECISION_REASON_ONE_CODE_PER_INCENTIVE"),
        ("vouchers/nonsense", "DECISION_REASON_CODE_REFUSED"),
    ];
    assert_eq!(told, expected);
    let table = up.tandem(&["order", "explain", "1001"]);
    assert!(table.contains("one_code_per_incentive") && table.contains("code_unknown"), "{table}");
    up.stop();
}
