//! The contracts in other languages: what each needs stands in them, and the clients of `clients/` are generated from them,
//! built, and tell their story against a real pair.

mod contracts;
mod lines;
mod protoc;
mod step;

use std::io::Write;
use std::path::Path;

use tandem_tests::proxy::{Point, Proxy};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::cli::Up;
use step::{Step, Told};

/// What every client prints, each time it runs.
const STORY: &str = "\
set up: products/client-mug, incentives/client-ten-off, code CLIENT-TEN
refused: INVALID_ARGUMENT of tandem.common.v1
  basket.lines[0].quantity
quoted: 2 mugs, 25.00 EUR less 2.50 EUR
committed: 22.50 EUR
asked again: the same answer
refused: QUANTITY_EXCEEDED of tandem.campaign.v1
returned: 1 mug, 11.25 EUR to pay back
event: OrderCommitted, 22.50 EUR
event: OrderLinesReturned, 11.25 EUR
";

/// A language with a client, and the programs that its client cannot be built without.
struct Language {
    name: &'static str,
    needs: &'static [&'static str],
}

const LANGUAGES: [Language; 5] = [
    Language { name: "go", needs: &["go", "npx"] },
    Language { name: "java", needs: &["javac", "mvn"] },
    Language { name: "python", needs: &["python3", "npx"] },
    Language { name: "rust", needs: &[] },
    Language { name: "typescript", needs: &["node", "npx"] },
];

/// Tests that fetch and build: one after the other, for they share folders, and leave the machine's other core to others.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

fn language(name: &str) -> &'static Language {
    LANGUAGES.iter().find(|language| language.name == name).unwrap()
}

/// Says so past the test runner, which keeps what a test prints to itself.
fn skipped(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "\nskipped: {what}: {why}");
}

impl Language {
    /// Whether its packages could be had; says so where not.
    fn is_at_hand(&self) -> bool {
        let client = format!("the client in {}", self.name);
        if let Some(missing) = self.needs.iter().find(|program| !step::has(program)) {
            skipped(&client, &format!("{missing} is not installed"));
            return false;
        }
        // Cargo has everything already: it has built this test.
        if self.name == "rust" {
            return true;
        }
        let fetched = step::run(self.name, "fetch");
        if let Err(error) = &fetched {
            skipped(&client, &format!("its packages cannot be had: {}", error.lines().last().unwrap_or("")));
        }
        fetched.is_ok()
    }

    /// Generates and compiles. The one in Rust was, with the workspace.
    fn build(&self) {
        if self.name != "rust" {
            step::run(self.name, "build").unwrap_or_else(|error| panic!("{}: {error}", self.name));
        }
    }

    fn tell(&self, campaign: &str, relationship: &str, cursor: &Path) -> Step {
        Step::tell(self.name, campaign, relationship, cursor)
    }

    /// Tells the story with a commit whose answer is lost: it was done, and the client does not know.
    async fn tell_unheard(&self, up: &Up, cursor: &Path) -> Told {
        let upstream = up.campaign.trim_start_matches("http://");
        let mut network = Proxy::marking(upstream, &format!("commit-{}-", self.name)).await;
        network.stop_at(Point::Answered);
        let mut story = self.tell(&network.endpoint(), &up.relationship, cursor);
        story.until("quoted").await;
        assert_eq!(network.stopped().await, Point::Answered);
        network.cut(true);
        network.cut(false);
        story.told().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_is_generated_and_built_and_tells_the_same_story() {
    let _alone = alone().await;
    let up = Up::start();
    let kept = TempDir::new().unwrap();
    let mut wrong = Vec::new();
    for language in LANGUAGES.iter().filter(|language| language.is_at_hand()) {
        language.build();
        let cursor = kept.path().join(language.name);
        let first = language.tell(&up.campaign, &up.relationship, &cursor).told().await;
        // From the stored cursor on: what the first run has seen does not come again.
        let second = language.tell_unheard(&up, &cursor).await;
        for (told, run) in [(first, "first"), (second, "second, its commit unheard")] {
            if told.text != STORY || !told.well {
                wrong.push(format!("{} ({run}):\n{}{}", language.name, told.text, told.error));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    up.stop();
}
