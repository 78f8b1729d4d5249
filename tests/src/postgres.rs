//! A private cluster of PostgreSQL that can be taken down and brought up again.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// What a cluster promises when its machine loses power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on the disk before it is answered, as in production.
    Durable,
    /// Nothing: for tests that never ask.
    Fast,
}

/// A running cluster; it ends, with its data, when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    url: String,
}

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Panics
    /// Where PostgreSQL cannot be started; the message holds what the script said.
    pub fn start(durability: Durability) -> Self {
        let folder =
            tempfile::Builder::new().prefix("tandem-cluster").tempdir_in("/tmp").expect("a folder in /tmp");
        open_to_all(folder.path());
        let inside = folder.path().join("postgres");
        let mut arguments = vec!["start", inside.to_str().expect("a path in UTF-8")];
        if durability == Durability::Durable {
            arguments.push("durable");
        }
        let url = script(&arguments);
        Self { folder, url }
    }

    /// Makes an empty database and answers its URL.
    pub async fn database(&self, name: &str) -> String {
        let pool = sqlx::PgPool::connect(&self.url).await.expect("the cluster answers");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&pool)
            .await
            .expect("a database");
        pool.close().await;
        self.url.replace("/postgres", &format!("/{name}"))
    }

    /// The URL of the database `postgres`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of the Unix socket.
    pub fn socket_folder(&self) -> PathBuf {
        self.folder.path().join("postgres")
    }

    /// Stops the server as a crash would; the data stay.
    pub fn down(&self) {
        script(&["down", self.socket_folder().to_str().expect("a path in UTF-8")]);
    }

    /// Starts the server again.
    pub fn up(&self) {
        script(&["up", self.socket_folder().to_str().expect("a path in UTF-8")]);
    }

    /// Stops every process of the server where it stands, until the answer is dropped.
    ///
    /// # Panics
    /// Where the server does not run.
    pub fn freeze(&self) -> Frozen {
        let pid_file = self.socket_folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(pid_file).expect("the server runs");
        let server = text.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
        let mut frozen = Frozen(Vec::new());
        frozen.stop(server);
        // The server makes no more children: these are all.
        children(server).into_iter().for_each(|child| frozen.stop(child));
        frozen
    }
}

/// Processes that stand still; they go on when it is dropped.
#[derive(Debug)]
pub struct Frozen(Vec<Pid>);

impl Frozen {
    fn stop(&mut self, pid: i32) {
        let pid = Pid::from_raw(pid);
        // One that has ended meanwhile stands still too.
        if kill(pid, Signal::SIGSTOP).is_ok() {
            self.0.push(pid);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").expect("the processes of this machine");
    let of_parent = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before it is in parentheses and may hold anything: state and parent follow.
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        after_name.split(' ').nth(1).and_then(|pid| pid.parse().ok()) == Some(parent)
    };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(of_parent).collect()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(folder) = self.socket_folder().to_str() {
            script(&["stop", folder]);
        }
    }
}

fn script(arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres");
    let said = Command::new(path).args(arguments).output().expect("tests/postgres runs");
    assert!(said.status.success(), "tests/postgres {arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// The server runs as another user, who must reach its folder.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .expect("permissions of an own folder");
}
