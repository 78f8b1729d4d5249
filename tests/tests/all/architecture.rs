//! The dependency rule of ARCHITECTURE.md, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file: its path from the top of the tree and its lines without comments.
struct Source {
    path: String,
    lines: Vec<(usize, String)>,
    length: usize,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.contains("/tests") || self.path.ends_with("testing.rs") || self.path.contains("/testing/")
    }

    fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// `commands.rs` and everything in a folder `commands/` are the same layer.
    fn is_layer(&self, layer: &str) -> bool {
        self.file() == format!("{layer}.rs") || self.path.contains(&format!("/{layer}/"))
    }

    /// The aggregate a service's file belongs to: `voucher` of `relationship-svc/src/voucher/store.rs`.
    fn aggregate(&self) -> Option<&str> {
        let inside = self.path.split_once("-svc/src/")?.1;
        inside.split_once('/').map(|(folder, _)| folder)
    }

    fn lines_with<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
        self.lines
            .iter()
            .filter(move |(_, line)| words.iter().any(|word| line.contains(word)))
            .map(move |(number, line)| format!("{}:{number}: {}", self.path, line.trim()))
    }
}

/// The top of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &str) -> Vec<Source> {
    let found: Vec<Source> = files(&root().join(folder)).iter().map(|file| read(file)).collect();
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// Every Rust file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end]
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or("").to_owned()))
        .collect();
    let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    Source { path: relative, lines, length: text.lines().count() }
}

fn services() -> Vec<Source> {
    let mut both = sources("campaign-svc/src");
    both.extend(sources("relationship-svc/src"));
    both
}

fn assert_none(breaches: Vec<String>, rule: &str) {
    assert!(breaches.is_empty(), "{rule}\n{}", breaches.join("\n"));
}

/// No file of `folder` that `applies` has one of `words`.
fn forbid(all: &[Source], applies: impl Fn(&Source) -> bool, words: &[&str], rule: &str) {
    let breaches = all.iter().filter(|source| !source.is_test() && applies(source));
    assert_none(breaches.flat_map(|source| source.lines_with(words)).collect(), rule);
}

#[test]
fn the_kernel_knows_no_wire_no_database_and_no_run_time() {
    let words = [
        "tonic",
        "prost",
        "sqlx",
        "tokio",
        "tandem_platform",
        "tandem_proto",
        "async fn",
        "std::fs",
        "std::net",
    ];
    forbid(&sources("shared/kernel/src"), |_| true, &words, "the kernel is pure");
}

#[test]
fn shared_rooms_know_no_service() {
    let words = ["campaign_svc", "relationship_svc"];
    forbid(&sources("shared/platform/src"), |_| true, &words, "the platform knows no service");
    let words = ["campaign_svc", "relationship_svc", "tandem_platform", "sqlx"];
    forbid(&sources("proto/src"), |_| true, &words, "the contracts know the kernel only");
}

#[test]
fn the_platform_has_no_business_word() {
    let words = ["tandem_proto::campaign", "tandem_proto::relationship", "voucher", "incentive", "discount"];
    forbid(&sources("shared/platform/src"), |_| true, &words, "mechanisms have no business word in them");
}

#[test]
fn the_services_meet_only_through_the_contracts() {
    forbid(
        &sources("campaign-svc/src"),
        |_| true,
        &["relationship_svc"],
        "campaign-svc uses no code of its peer",
    );
    forbid(
        &sources("relationship-svc/src"),
        |_| true,
        &["campaign_svc"],
        "relationship-svc uses no code of its peer",
    );
}

#[test]
fn rules_are_pure_functions() {
    let words = ["async fn", "sqlx", "tonic::", "Clock", "clock.now"];
    let rules = |source: &Source| {
        source.file() == "mod.rs" && source.aggregate().is_some() && !in_layer_folder(source)
    };
    forbid(&services(), rules, &words, "mod.rs holds types and pure transitions");
}

fn in_layer_folder(source: &Source) -> bool {
    ["commands", "store", "rpc", "tasks", "events"]
        .iter()
        .any(|layer| source.path.contains(&format!("/{layer}/")))
}

#[test]
fn commands_hold_no_sql_and_no_wire_types() {
    let words = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "tonic::", "Request<", "Response<"];
    forbid(&services(), |source| source.is_layer("commands"), &words, "commands.rs orders effects");
}

#[test]
fn stores_neither_decide_nor_commit() {
    let words = ["transact!", ".commit(", ".begin(", "clock.now", "tonic::"];
    forbid(&services(), |source| source.is_layer("store"), &words, "store.rs loads and saves");
}

#[test]
fn the_wire_holds_no_sql() {
    let words = ["SELECT ", "INSERT INTO", "DELETE FROM", "sqlx", "transact!"];
    forbid(&services(), |source| source.is_layer("rpc"), &words, "rpc.rs parses and encodes");
}

#[test]
fn no_aggregate_calls_the_commands_of_another() {
    let mut breaches = Vec::new();
    for source in services().iter().filter(|source| !source.is_test()) {
        let Some(own) = source.aggregate() else { continue };
        for (number, line) in &source.lines {
            let Some((before, _)) = line.split_once("::commands") else { continue };
            let other = before.rsplit("crate::").next().unwrap_or("").trim();
            if before.contains("crate::") && other != own {
                breaches.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(
        breaches,
        "an aggregate uses another's store or rules, never its commands (no nested transactions)",
    );
}

#[test]
fn files_stay_short_enough_to_read() {
    const LONGEST: usize = 500;
    let folders = [
        "proto/src",
        "shared/kernel/src",
        "shared/platform/src",
        "campaign-svc/src",
        "relationship-svc/src",
        "cli/src",
        "clients/rust/src",
        "tests/src",
    ];
    let all = folders.iter().flat_map(|folder| sources(folder));
    let long = all
        .filter(|source| source.length > LONGEST)
        .map(|source| format!("{} {}", source.path, source.length));
    assert_none(long.collect(), "a file past 500 lines becomes a folder");
}

/// Where a file is seen from the top of its crate: `order::store::step` of `campaign-svc/src/order/store/step.rs`.
fn module(source: &Source) -> String {
    let inside = source.path.split_once("/src/").map_or("", |(_, inside)| inside);
    inside.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

#[test]
fn every_statement_is_prepared_by_a_test() {
    let mut breaches = Vec::new();
    for (folder, test) in [
        ("campaign-svc/src", "campaign-svc/src/tests.rs"),
        ("relationship-svc/src", "relationship-svc/src/tests.rs"),
        ("shared/platform/src", "shared/platform/src/db/tests.rs"),
    ] {
        let test = fs::read_to_string(root().join(test)).unwrap();
        let sources = sources(folder);
        let ours: Vec<_> = sources.iter().filter(|source| !source.is_test()).collect();
        // `("find", FIND),`, `("all", *ALL)` or `("find", page::FIND)`
        let listed = |room: &str, name: &str| {
            let of_room = ours.iter().filter(|source| module(source).split("::").next() == Some(room));
            let ends = [format!(", {name})"), format!(", *{name})"), format!("::{name})")];
            of_room
                .flat_map(|source| source.lines_with(&[", \"", "(\""]))
                .any(|line| ends.iter().any(|end| line.contains(end)))
        };
        for source in &ours {
            let module = module(source);
            let room = module.split("::").next().unwrap_or_default();
            for (number, line) in &source.lines {
                let said = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub ");
                let kept = said.strip_prefix("const ").or_else(|| said.strip_prefix("static "));
                let Some((name, kind)) = kept.and_then(|kept| kept.split_once(": ")) else { continue };
                if kind.starts_with("Statement ") || kind.starts_with("LazyLock<Statement>") {
                    if !listed(room, name) {
                        breaches.push(format!("{}:{number}: {name} is in no list", source.path));
                    }
                } else if name == "STATEMENTS" && !test.contains(&format!("{module}::STATEMENTS")) {
                    breaches.push(format!("{}:{number}: nothing prepares them", source.path));
                } else if kind.starts_with("Table<") && !test.contains(&format!("{module}::statements()")) {
                    breaches.push(format!("{}:{number}: nothing prepares its statements", source.path));
                }
            }
        }
    }
    assert_none(
        breaches,
        "every statement is listed where it stands, and every list is prepared on both engines",
    );
}
