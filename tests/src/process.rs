//! A service as a process of its own, that can be killed, frozen and told to stop.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tonic::transport::{Channel, Endpoint};

/// How long a service may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// campaign-svc.
    Campaign,
    /// relationship-svc.
    Relationship,
}

impl Kind {
    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Campaign => "campaign-svc",
            Self::Relationship => "relationship-svc",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Campaign => "TANDEM_CAMPAIGN_",
            Self::Relationship => "TANDEM_RELATIONSHIP_",
        }
    }
}

/// A running service. It is killed when dropped.
#[derive(Debug)]
pub struct Service {
    kind: Kind,
    settings: Vec<(String, String)>,
    /// Where its log goes; nowhere special without.
    log: Option<PathBuf>,
    child: Child,
    address: String,
}

impl Service {
    /// Migrates the database, starts the service on a free port and waits until it answers. `settings` are keys as in
    /// the configuration with two underscores (`SERVER__DRAIN_MS`).
    ///
    /// # Panics
    /// Where it does not come up within 30 seconds.
    pub fn start(kind: Kind, database: &str, settings: &[(&str, &str)]) -> Self {
        let up = Self::start_with(kind, database, settings, None, START_LIMIT);
        up.unwrap_or_else(|| panic!("{} did not answer within {START_LIMIT:?}", kind.program()))
    }

    /// The same, with what it says on standard error in the file `log`.
    ///
    /// # Panics
    /// Where it does not come up within 30 seconds.
    pub fn start_logged(kind: Kind, database: &str, settings: &[(&str, &str)], log: &Path) -> Self {
        let up = Self::start_with(kind, database, settings, Some(log.to_owned()), START_LIMIT);
        up.unwrap_or_else(|| panic!("{} did not answer within {START_LIMIT:?}", kind.program()))
    }

    /// The same; `None` where it does not come up within `limit`.
    ///
    /// # Panics
    /// Where the database cannot be migrated.
    pub fn start_within(
        kind: Kind,
        database: &str,
        settings: &[(&str, &str)],
        limit: Duration,
    ) -> Option<Self> {
        Self::start_with(kind, database, settings, None, limit)
    }

    fn start_with(
        kind: Kind,
        database: &str,
        settings: &[(&str, &str)],
        log: Option<PathBuf>,
        limit: Duration,
    ) -> Option<Self> {
        let mut all: Vec<(String, String)> = vec![
            ("DATABASE__URL".to_owned(), database.to_owned()),
            ("SERVER__LAME_DUCK_MS".to_owned(), "0".to_owned()),
            ("LOG__FILTER".to_owned(), "warn".to_owned()),
            ("SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ];
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let migrated = command(kind, &all).arg("migrate").status().expect("the service's program runs");
        assert!(migrated.success(), "{} migrate failed", kind.program());
        let (child, address) = spawn(kind, &all, log.as_deref(), limit)?;
        Some(Self { kind, settings: all, log, child, address })
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection that is made when first used, and made again when lost.
    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .expect("an address of our own")
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .connect_lazy()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("an own child");
        self.child.wait().expect("an own child");
    }

    /// Starts it again on the same address after it was killed or has ended.
    ///
    /// # Panics
    /// Where it does not come up within 30 seconds.
    pub fn restart(&mut self) {
        let up = self.restart_within(START_LIMIT);
        assert!(up, "{} did not answer within {START_LIMIT:?}", self.kind.program());
    }

    /// The same; false where it does not come up within `limit`: it is killed then.
    pub fn restart_within(&mut self, limit: Duration) -> bool {
        let address = self.address.clone();
        self.settings.retain(|(key, _)| key != "SERVER__LISTEN");
        self.settings.push(("SERVER__LISTEN".to_owned(), address));
        let up = spawn(self.kind, &self.settings, self.log.as_deref(), limit);
        let is_up = up.is_some();
        if let Some((child, address)) = up {
            (self.child, self.address) = (child, address);
        }
        is_up
    }

    /// Kills it and starts it again with this setting too.
    ///
    /// # Panics
    /// Where it does not come up within 30 seconds.
    pub fn restart_with(&mut self, key: &str, value: &str) {
        self.settings.push((key.to_owned(), value.to_owned()));
        self.kill();
        self.restart();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("process ids fit");
        kill(Pid::from_raw(pid), signal).expect("an own child");
    }

    /// Waits until it ends by itself; `None` where `limit` runs out.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("an own child") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A frozen process does not die of a kill before it is thawed on every kernel; SIGKILL does both.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(kind: Kind, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(program(kind));
    for (key, value) in settings {
        command.env(format!("{}{key}", kind.prefix()), value);
    }
    command.stdin(Stdio::null());
    command
}

/// The program beside the running test or benchmark: both come from the same build.
fn program(kind: Kind) -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.ancestors().find(|folder| folder.join(kind.program()).is_file());
    let folder =
        folder.unwrap_or_else(|| panic!("{} is not built: cargo build --workspace --bins", kind.program()));
    folder.join(kind.program())
}

/// `None` where it does not come up within `limit`: it is killed then.
fn spawn(
    kind: Kind,
    settings: &[(String, String)],
    log: Option<&Path>,
    limit: Duration,
) -> Option<(Child, String)> {
    let mut command = command(kind, settings);
    if let Some(log) = log {
        let log = File::options().create(true).append(true).open(log).expect("a file for the log");
        command.stderr(log);
    }
    let mut child = command.arg("serve").stdout(Stdio::piped()).spawn().expect("the service starts");
    let stdout = child.stdout.take().expect("standard output is piped");
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            if let Some((_, address)) = line.trim().split_once(" listening on ") {
                let _ = send.send(address.to_owned());
            }
            line.clear();
        }
        let _ = lines.read_to_end(&mut Vec::new());
    });
    match receive.recv_timeout(limit) {
        Ok(address) => Some((child, address)),
        Err(_) => {
            let _ = child.kill();
            let _ = child.wait();
            None
        }
    }
}
