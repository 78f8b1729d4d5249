//! Runs the examples of a page, one after the other in one shell, against a pair that all pages share.

use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use jiff::SignedDuration;
use snapbox::{Assert, IntoData};
use tandem_kernel::clock::{Clock, SystemClock};

use super::page::{Page, Step};
use crate::cli::{Up, program};

/// Stands before what a step has printed, and before how it ended.
const PRINTED: char = '\u{1e}';
const ENDED: char = '\u{1f}';

/// What a step did.
struct Did {
    printed: String,
    well: bool,
}

/// What of a page's examples does otherwise than stands there.
pub fn wrong(page: &Page, up: &Up) -> Vec<String> {
    let steps = page.steps();
    let did = did(page, &steps, up);
    let mut wrong = Vec::new();
    if did.len() != steps.len() {
        let ended = did.last().map_or("", |did| did.printed.as_str());
        wrong.push(format!("{}: {} of {} steps were done: {ended}", page.path, did.len(), steps.len()));
    }
    for (step, Did { printed, well }) in steps.iter().zip(did) {
        match step {
            Step::Apply(documents) if !well => {
                wrong.push(format!("{}: cannot be applied: {printed}\n{documents}", page.path));
            }
            Step::Apply(_) => {}
            Step::Type { command, prints } => {
                let fails = prints.lines().any(|line| line.starts_with("error: "));
                if fails == well {
                    let ended = if well { "ends well" } else { "fails" };
                    wrong.push(format!("{}: $ {command}\n{ended}: {printed}", page.path));
                } else if let Err(difference) =
                    Assert::new().try_eq(None, printed.into_data(), prints.clone().into_data())
                {
                    wrong.push(format!("{}: $ {command}\n{difference}", page.path));
                }
            }
        }
    }
    wrong
}

/// Types all of it into one shell, so that a step may use what an earlier one has set.
fn did(page: &Page, steps: &[Step], up: &Up) -> Vec<Did> {
    let folder = tempfile::tempdir().unwrap();
    let own = program();
    let others: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let path = env::join_paths(own.parent().map(ToOwned::to_owned).into_iter().chain(others)).unwrap();
    let mut command = Command::new("sh");
    command.arg("-s").current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("PATH", path).env("TANDEM_TENANT", page.tenant());
    command.env("TANDEM_CAMPAIGN", &up.campaign).env("TANDEM_RELATIONSHIP", &up.relationship);
    let now = SystemClock.now();
    let moments = [("TODAY", now), ("IN_30_DAYS", now + SignedDuration::from_hours(30 * 24))];
    let moments = moments.map(|(name, at)| (name, at.strftime("%Y-%m-%dT00:00:00Z").to_string()));
    command.envs(moments.iter().map(|(name, at)| (name, at)));
    let mut child = command.spawn().unwrap();
    let script = script(steps, &moments);
    let mut input = child.stdin.take().unwrap();
    let typing = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = typing.join();
    let said = String::from_utf8(output.stdout).unwrap();
    said.split(PRINTED)
        .skip(1)
        .filter_map(|part| {
            let (printed, ended) = part.split_once(ENDED)?;
            Some(Did { printed: printed.to_owned(), well: ended.trim() == "0" })
        })
        .collect()
}

fn script(steps: &[Step], moments: &[(&str, String)]) -> String {
    let mut script = "exec 2>&1\n".to_owned();
    for step in steps {
        let command = match step {
            // Nothing that is typed may read what is still to be typed.
            Step::Type { command, .. } => format!("{{ {command}\n}} </dev/null"),
            Step::Apply(documents) => {
                let with = |text: String, (name, at): &(&str, String)| text.replace(&format!("${name}"), at);
                let documents = moments.iter().fold(documents.clone(), with);
                format!("tandem apply -f - <<'END-OF-DOCUMENTS'\n{documents}END-OF-DOCUMENTS")
            }
        };
        let _ = writeln!(script, "printf '{PRINTED}'\n{command}\nprintf '{ENDED}%s\\n' $?");
    }
    script
}
