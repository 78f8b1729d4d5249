//! `clients/run LANGUAGE STEP`, with what it fetches kept in the target folder and not in somebody's home.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use std::{env, process};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::architecture::root;
use crate::cli::program;

/// What a client of three programs and a JVM needs at most on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether a program is on the PATH.
pub fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A folder for what is fetched and built.
pub fn kept(name: &str) -> PathBuf {
    root().join("target/clients").join(name)
}

/// Where each language keeps its packages.
pub fn caches() -> Vec<(&'static str, String)> {
    let folder = |name: &str| kept(name).to_str().unwrap().to_owned();
    let more = |variable: &str, flag: &str| {
        let set = env::var_os(variable).unwrap_or_default();
        format!("{} {flag}", set.to_string_lossy())
    };
    vec![
        ("GOCACHE", folder("go-build")),
        ("GOMODCACHE", folder("go-modules")),
        // Else nobody but root could delete the target folder.
        ("GOFLAGS", more("GOFLAGS", "-modcacherw")),
        ("MAVEN_OPTS", more("MAVEN_OPTS", &format!("-Dmaven.repo.local={}", folder("maven")))),
        ("PIP_CACHE_DIR", folder("pip")),
        ("npm_config_cache", folder("npm")),
    ]
}

/// A command at the top of the tree, with these caches.
pub fn command(program: &str) -> process::Command {
    let mut command = process::Command::new(program);
    command.current_dir(root()).envs(caches()).stdin(Stdio::null());
    command
}

/// What a command printed, or what it said where it failed.
pub fn output(command: &mut process::Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| error.to_string())?;
    let (said, error) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() { Ok(said.into_owned()) } else { Err(format!("{said}{error}")) }
}

/// One step of `clients/run`.
pub fn run(language: &str, step: &str) -> Result<String, String> {
    output(command("clients/run").args([language, step]))
}

/// What a client printed.
pub struct Told {
    pub text: String,
    pub error: String,
    pub well: bool,
}

/// A client that tells its story.
pub struct Step {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    text: String,
}

impl Step {
    pub fn tell(language: &str, campaign: &str, relationship: &str, cursor: &Path) -> Self {
        let mut command = if language == "rust" {
            // As the workspace built it, beside `tandem`.
            process::Command::new(program().with_file_name("tandem-client"))
        } else {
            let mut command = command("clients/run");
            command.args([language, "tell"]);
            command
        };
        command.env("TANDEM_CAMPAIGN", campaign).env("TANDEM_RELATIONSHIP", relationship);
        command
            .env("TANDEM_CURSOR", cursor)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Command::from(command).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, text: String::new() }
    }

    async fn next(&mut self) -> bool {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let Ok(line) = line else { panic!("nothing comes after:\n{}", self.text) };
        let Some(line) = line.unwrap() else { return false };
        self.text.extend([&line, "\n"]);
        true
    }

    /// Reads as far as a line that begins so.
    pub async fn until(&mut self, start: &str) {
        while !self.text.lines().last().is_some_and(|line| line.starts_with(start)) {
            if !self.next().await {
                return;
            }
        }
    }

    /// Reads to the end.
    pub async fn told(mut self) -> Told {
        while self.next().await {}
        let mut error = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut error).await.unwrap();
        let well = self.child.wait().await.unwrap().success();
        Told { text: self.text, error, well }
    }
}
