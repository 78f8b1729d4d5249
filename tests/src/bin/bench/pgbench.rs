//! pgbench on the copy of a service's database: one transaction after the other, one statement after the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::PgPool;
use tempfile::TempDir;

use crate::Outcome;
use crate::audit::Writes;
use crate::report::figure;
use crate::scripts::Script;
use crate::world::Server;

/// Clients side by side; the best of them counts.
const CLIENTS: [u32; 3] = [1, 16, 64];

/// What one run of pgbench came to.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// Transactions per second, without the time to connect.
    pub rate: f64,
    /// Committed.
    pub transactions: i64,
    /// Half of the transactions took less, in milliseconds; only where it was asked for.
    pub p50_ms: f64,
}

/// Runs pgbench over the Unix socket, and sees that each transaction writes what one call of the service writes.
#[derive(Debug)]
pub struct Pgbench {
    binary: PathBuf,
    socket: PathBuf,
    port: String,
    database: String,
    pool: PgPool,
    scripts: TempDir,
    runs: u32,
    measure: Duration,
    /// What one call alone has written.
    one: Writes,
}

impl Pgbench {
    /// Writes the scripts; each run lasts `measure`.
    pub async fn new(
        server: &Server,
        database: &str,
        scripts: &[Script],
        one: Writes,
        measure: Duration,
    ) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        for script in scripts {
            std::fs::write(folder.path().join(script.name), &script.text)?;
        }
        Ok(Self {
            binary: binary()?,
            socket: server.cluster.socket_folder(),
            port: server.port()?.to_owned(),
            database: database.to_owned(),
            pool: server.pool(database).await?,
            scripts: folder,
            runs: 0,
            measure,
            one,
        })
    }

    /// Transactions per second, the best of all numbers of clients.
    pub async fn best(&mut self, server: &Server, script: &str, round: u32) -> Outcome<f64> {
        let mut best: f64 = 0.0;
        let mut shown = Vec::new();
        for clients in CLIENTS {
            server.checkpoint().await?;
            let timed = self.run(script, clients, false).await?;
            shown.push(format!("{} ({clients})", figure(timed.rate)));
            best = best.max(timed.rate);
        }
        eprintln!("  round {round}: pgbench, {script}: {} /s", shown.join(", "));
        Ok(best)
    }

    /// Runs a script with so many clients.
    pub async fn run(&mut self, script: &str, clients: u32, latency: bool) -> Outcome<Timed> {
        let before = Writes::so_far(&self.pool).await?;
        let timed = self.timed(script, clients, latency)?;
        let mut wrote = Ok(());
        for _ in 0..20 {
            // Sessions hand in their counts as they end, which may be a moment after pgbench has.
            wrote = Writes::so_far(&self.pool).await?.since(&before).must_be(timed.transactions, &self.one);
            if wrote.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        wrote.map_err(|error| format!("the yardstick is not the same work: {error}"))?;
        Ok(timed)
    }

    fn timed(&mut self, script: &str, clients: u32, latency: bool) -> Outcome<Timed> {
        self.runs += 1;
        let log = self.scripts.path().join(format!("log-{}", self.runs));
        let mut command = Command::new(&self.binary);
        command.args(["--no-vacuum", "--protocol=prepared", "--username=tandem"]);
        command.args(["--host".as_ref(), self.socket.as_os_str(), "--port".as_ref(), self.port.as_ref()]);
        command.args([format!("--client={clients}"), format!("--jobs={}", clients.min(2))]);
        command.args([
            format!("--time={}", self.measure.as_secs()),
            "-Di=0".to_owned(),
            format!("-Drun={}", self.runs),
        ]);
        command.arg("--file").arg(self.scripts.path().join(script));
        if latency {
            command.arg("--log").arg("--log-prefix").arg(&log);
        }
        let said = command.arg(&self.database).output()?;
        let text = String::from_utf8_lossy(&said.stdout);
        let number = |before: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(before))?;
            line.split([' ', '/']).next()?.parse::<f64>().ok()
        };
        let failed = number("number of failed transactions: ").unwrap_or(0.0);
        match (number("tps = "), number("number of transactions actually processed: ")) {
            (Some(rate), Some(transactions)) if said.status.success() && failed == 0.0 => {
                let p50_ms = if latency { median_ms(self.scripts.path(), &log)? } else { 0.0 };
                Ok(Timed { rate, transactions: transactions as i64, p50_ms })
            }
            _ => Err(format!("pgbench: {text}{}", String::from_utf8_lossy(&said.stderr)).into()),
        }
    }
}

/// Beside the server, as tests/postgres finds it, else on the path.
fn binary() -> Outcome<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for version in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten() {
        found.push(version?.path().join("bin/pgbench"));
    }
    found.push(PathBuf::from("/usr/local/pgsql/bin/pgbench"));
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found.pop().unwrap_or_else(|| PathBuf::from("pgbench")))
}

/// The third column of the log is the latency in microseconds.
fn median_ms(folder: &Path, log: &Path) -> Outcome<f64> {
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    let mut micros: Vec<f64> = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(&name) {
            let text = std::fs::read_to_string(file.path())?;
            let third = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok());
            micros.extend(third);
        }
    }
    Ok(crate::report::median(&micros) / 1_000.0)
}
