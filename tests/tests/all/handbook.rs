//! The handbook: its pages are linked, and its examples are run as they stand there, on the real services.

mod links;
mod page;
mod run;

use std::collections::BTreeSet;
use std::path::PathBuf;

use prost_reflect::DescriptorPool;

use crate::architecture::{files, root};
use crate::cli::Up;
use page::{Kind, Page};

/// A page that people write stays short enough to be read.
const MOST_LINES: usize = 250;
/// Where what `tandem handbook` writes stands.
const WRITTEN: &str = "reference/";

fn folder() -> PathBuf {
    root().join("docs/handbook/src")
}

/// The pages that people write.
fn pages() -> Vec<Page> {
    let all = links::markdown(&folder()).into_iter().filter(|path| !path.starts_with(WRITTEN));
    all.map(|path| Page::read(&folder(), &path)).collect()
}

#[test]
fn every_example_of_the_handbook_is_run_and_does_what_stands_there() {
    let up = Up::start();
    let pages: Vec<Page> = pages().into_iter().filter(Page::is_run).collect();
    let wrong = std::thread::scope(|scope| {
        let runs: Vec<_> = pages.iter().map(|page| scope.spawn(|| run::wrong(page, &up))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let examples: usize = pages.iter().map(Page::examples).sum();
    assert!(examples > 30, "the handbook has {examples} examples");
    up.stop();
}

#[test]
fn every_block_of_the_handbook_is_of_a_kind_that_is_run_or_is_no_example() {
    for page in pages() {
        for block in &page.blocks {
            assert!(
                Kind::of(&block.language).is_some(),
                "{}: a block of {:?} is neither run nor known to be none: see CONTRIBUTING.md",
                page.path,
                block.language
            );
        }
    }
    // What is written holds no examples but those that its own tests judge.
    for path in links::markdown(&folder()).into_iter().filter(|path| path.starts_with(WRITTEN)) {
        assert!(Page::read(&folder(), &path).blocks.is_empty(), "{path} has a block that nobody runs");
    }
}

#[test]
fn every_page_is_in_the_summary_and_short_enough_to_be_read() {
    let summary = std::fs::read_to_string(folder().join("SUMMARY.md")).unwrap();
    let listed: Vec<String> = links::links(&summary);
    let known: BTreeSet<String> =
        links::markdown(&folder()).into_iter().filter(|path| path != "SUMMARY.md").collect();
    assert_eq!(known, listed.iter().cloned().collect(), "SUMMARY.md lists every page");
    assert_eq!(known.len(), listed.len(), "SUMMARY.md lists a page twice");
    for page in pages() {
        assert!(page.lines <= MOST_LINES, "{} has {} lines", page.path, page.lines);
    }
}

#[test]
fn every_link_from_page_to_page_leads_somewhere() {
    let mut pages: Vec<String> = ["docs", "clients"]
        .into_iter()
        .flat_map(|folder| {
            links::markdown(&root().join(folder)).into_iter().map(move |path| format!("{folder}/{path}"))
        })
        .filter(|path| !path.contains("node_modules/"))
        .collect();
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned));
    let broken: Vec<String> = pages.iter().flat_map(|page| links::broken(&root(), page)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_reason_that_the_contracts_have_is_given_by_somebody() {
    let mut sources = String::new();
    for folder in ["shared/platform/src", "campaign-svc/src", "relationship-svc/src"] {
        let all = files(&root().join(folder)).into_iter();
        for file in all.filter(|file| !file.to_string_lossy().contains("/tests")) {
            sources += &std::fs::read_to_string(file).unwrap();
        }
    }
    let pool = DescriptorPool::decode(tandem_proto::DESCRIPTORS).unwrap();
    for package in ["common", "campaign", "relationship"] {
        let reasons = pool.get_enum_by_name(&format!("tandem.{package}.v1.ErrorReason")).unwrap();
        for value in reasons.values().filter(|value| value.number() != 0) {
            let name = value.name().trim_start_matches("ERROR_REASON_");
            let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
            let variant = format!("::{}", name.split('_').map(word).collect::<String>());
            let is_given = sources.contains(&variant) || sources.contains(&format!("{name:?}"));
            assert!(is_given, "nobody gives {name} of {package}");
        }
    }
}
