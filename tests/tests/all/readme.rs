//! What README.md shows, done as it stands there: its calls against both services, its Python, its commands.

mod call;
mod shell;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::cli::Up;
use shell::Shell;

/// The addresses that README.md names.
const CAMPAIGN: &str = "127.0.0.1:7401";
const RELATIONSHIP: &str = "127.0.0.1:7402";

/// A fenced block.
pub struct Block {
    pub language: String,
    pub text: String,
}

fn readme() -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(top.join("README.md")).unwrap()
}

/// The fenced blocks of a page.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                blocks.push(Block { language: language.to_owned(), text: String::new() });
            }
            None if inside => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            None => {}
        }
    }
    assert!(!inside, "a block does not end");
    blocks
}

/// `text` with the addresses of the services that run here.
fn addressed(text: &str, up: &Up) -> String {
    let host = |address: &str| address.trim_start_matches("http://").to_owned();
    text.replace(CAMPAIGN, &host(&up.campaign)).replace(RELATIONSHIP, &host(&up.relationship))
}

fn python(arguments: &[&str], input: &str) -> Option<Output> {
    let mut command = Command::new("python3");
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// Whether the packages are there that README.md names.
fn has_python() -> bool {
    let import = "import grpc, google.protobuf.message_factory, grpc_reflection.v1alpha.reflection";
    python(&["-c", import], "").is_some_and(|output| output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_and_program_of_the_readme_works_as_it_stands_there() {
    let blocks = blocks(&readme());
    let up = Up::start();
    let (mut answers, mut programs) = (Vec::new(), 0);
    // One shell for all: a block may use what an earlier one has set.
    let mut shell = Shell::default();
    let with_python = has_python();
    for block in &blocks {
        let text = addressed(&block.text, &up);
        match block.language.as_str() {
            "sh" if text.contains("grpcurl") => answers.extend(shell.run(&text).await),
            "python" if with_python => {
                for time in ["first", "second"] {
                    let output = python(&["-"], &text).unwrap();
                    let (said, error) =
                        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                    let failed = format!("the Python of README.md failed the {time} time");
                    assert!(output.status.success(), "{failed}:\n{text}\n{error}");
                    assert!(
                        said.contains("ORDER_STATE_COMMITTED"),
                        "{failed}: no order was committed: {said}"
                    );
                }
                programs += 1;
            }
            "python" => {
                eprintln!("left out, because grpcio and grpcio-reflection are not installed:\n{text}")
            }
            "sh" | "mermaid" => {}
            other => panic!("nobody knows how to try a block of {other:?}"),
        }
    }
    let committed = |(method, answer): &&(String, Value)| {
        method.ends_with("OrderService/CommitOrder") && answer["order"]["state"] == "ORDER_STATE_COMMITTED"
    };
    assert_eq!(answers.iter().filter(committed).count(), 1, "quote, then commit, by grpcurl: {answers:?}");
    assert!(programs == 1 || !with_python, "README.md has {programs} Python programs");
    up.stop();
}

#[test]
fn every_command_of_the_readme_is_there() {
    let text = readme();
    let mut commands = 0;
    // Code inside a sentence.
    for code in text.split('`').skip(1).step_by(2).filter(|code| code.starts_with("tandem ")) {
        let arguments: Vec<&str> = code.split(' ').skip(1).collect();
        let output = Command::new(crate::cli::program()).args(&arguments).output().unwrap();
        assert!(output.status.success(), "{code}: {}", String::from_utf8_lossy(&output.stderr));
        commands += 1;
    }
    assert!(commands >= 4, "README.md names {commands} commands");
    for block in blocks(&text) {
        for line in block.text.lines().filter(|line| line.starts_with("./")) {
            let script = line.split_whitespace().next().unwrap();
            let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            assert!(top.join(script).is_file(), "{script} is not there");
        }
    }
}
