//! The classical transaction, run by pgbench: one transaction per redemption, one statement per step, each row that one
//! redemption of the service writes. It reads nothing, opens no token and decides only what a `WHERE` can.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{FromRow, PgPool};
use tempfile::TempDir;

use crate::Outcome;
use crate::args::{INCENTIVES, Scale};
use crate::orders::{AMOUNT, Codes};
use crate::people::{
    BUDGET_EUR, FIRST_CODE, FIRST_CUSTOMER, FIRST_INCENTIVE, HOT, HOT_CODE, MAX_USES, MAX_USES_PER_CODE,
    MAX_USES_PER_CUSTOMER, ONE,
};
use crate::world::{World, YARDSTICK};

/// Clients side by side; the best of them counts.
pub const CLIENTS: [u32; 3] = [1, 16, 64];

/// What a redemption of the service wrote, to be written again.
#[derive(Debug, Clone, FromRow)]
pub struct Sample {
    method: String,
    outcome: String,
    details: String,
    payload_bytes: i32,
}

impl Sample {
    /// The newest one.
    pub async fn newest(pool: &PgPool) -> Outcome<Self> {
        let sql = "SELECT c.method, c.outcome, r.details::text AS details,
                (SELECT length(payload) FROM event_batch ORDER BY id DESC LIMIT 1) AS payload_bytes
             FROM redemption AS r JOIN request_claim AS c ON c.request_id = 'r-' || r.order_id
            ORDER BY r.id DESC LIMIT 1";
        Ok(sqlx::query_as(sql).fetch_one(pool).await?)
    }

    /// The sizes of the documents.
    pub fn shown(&self) -> String {
        let (outcome, details) = (self.outcome.len(), self.details.len());
        format!("outcome {outcome} bytes, details {details} bytes, event {} bytes", self.payload_bytes)
    }
}

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

/// Runs pgbench over the Unix socket.
#[derive(Debug)]
pub struct Pgbench {
    binary: PathBuf,
    socket: PathBuf,
    port: String,
    scripts: TempDir,
    runs: u32,
}

impl Pgbench {
    /// Writes the scripts.
    pub fn new(world: &World, sample: &Sample, scale: &Scale) -> Outcome<Self> {
        let scripts = tempfile::tempdir()?;
        for codes in [Codes::Hot, Codes::Many, Codes::One] {
            std::fs::write(script_path(scripts.path(), codes), script(codes, sample, scale))?;
        }
        let socket = world.cluster.socket_folder();
        Ok(Self { binary: binary()?, socket, port: world.port()?.to_owned(), scripts, runs: 0 })
    }

    /// Runs the script for so many seconds.
    pub fn run(&mut self, codes: Codes, clients: u32, seconds: u64, latency: bool) -> Outcome<Timed> {
        self.runs += 1;
        let log = self.scripts.path().join(format!("log-{}", self.runs));
        let mut command = Command::new(&self.binary);
        command.args(["--no-vacuum", "--protocol=prepared", "--username=tandem"]);
        command.args(["--host".as_ref(), self.socket.as_os_str(), "--port".as_ref(), self.port.as_ref()]);
        command.args([format!("--client={clients}"), format!("--jobs={}", clients.min(2))]);
        command.args([format!("--time={seconds}"), "-Di=0".to_owned(), format!("-Drun={}", self.runs)]);
        command.arg("--file").arg(script_path(self.scripts.path(), codes));
        if latency {
            command.arg("--log").arg("--log-prefix").arg(&log);
        }
        let said = command.arg(YARDSTICK).output()?;
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

fn script_path(folder: &Path, codes: Codes) -> PathBuf {
    folder.join(format!("{codes:?}.sql"))
}

/// Guards stand where the service judges limits; documents are constants of the statement, so that they cost the least.
fn script(codes: Codes, sample: &Sample, scale: &Scale) -> String {
    let last = |count: u32| FIRST_CODE + count - 1;
    let (draw, code, incentive) = match codes {
        Codes::Hot => (String::new(), format!("'{HOT_CODE}'"), format!("'{HOT}'")),
        Codes::Many => (
            format!(
                "\\set code random({FIRST_CODE}, {})\n\\set incentive {FIRST_INCENTIVE} + :code % {INCENTIVES}\n",
                last(scale.many_codes)
            ),
            "'M' || :code".to_owned(),
            "'m' || :incentive".to_owned(),
        ),
        Codes::One => (
            format!("\\set code random({FIRST_CODE}, {})\n", last(scale.one_codes)),
            "'L' || :code".to_owned(),
            format!("'{ONE}'"),
        ),
    };
    let customer = "'c' || :customer";
    let counter = |kind: u32, subject: &str| {
        format!(
            "tenant = 'default' AND kind = {kind} AND owner = {incentive} AND subject = '{subject}' AND period = ''"
        )
    };
    let [uses, money] = [counter(1, ""), counter(2, "EUR")];
    // Ascending, as the service's are: neighbours on the pages of the index.
    let id = "encode(int8send((extract(epoch FROM clock_timestamp()) * 1000000)::bigint) || \
              int8send(:client_id::bigint * 1000000000 + :i::bigint), 'hex')::uuid";
    let (method, outcome, details) = (&sample.method, constant(&sample.outcome), constant(&sample.details));
    let payload_bytes = sample.payload_bytes;
    let budget = BUDGET_EUR * 100;
    let last_customer = FIRST_CUSTOMER + scale.customers - 1;
    format!(
        "\\set i :i + 1
\\set customer random({FIRST_CUSTOMER}, {last_customer})
{draw}BEGIN;
INSERT INTO request_claim (tenant, method, request_id, hash, outcome, created) VALUES ('default', '{method}', 'r-p' || :run || '-' || :client_id || '-' || :i, decode(repeat('a7', 32), 'hex'), {outcome}, now()) ON CONFLICT DO NOTHING;
UPDATE voucher SET uses = uses + 1, version = version + 1 WHERE tenant = 'default' AND code = {code} AND NOT disabled AND uses + uses_held < least(max_uses, {MAX_USES_PER_CODE});
UPDATE counter SET used = used + 1 WHERE {uses} AND used + held < {MAX_USES};
UPDATE counter SET used = used + {AMOUNT} WHERE {money} AND used + held + {AMOUNT} <= {budget};
INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told) VALUES ('default', 3, {incentive}, 'c/' || {customer}, '', 1, 0, 0) ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE SET used = counter.used + 1 WHERE counter.used + counter.held < {MAX_USES_PER_CUSTOMER};
INSERT INTO redemption (tenant, id, order_id, ordinal, code, incentive, incentive_version, customer, state, currency, amount, returned, details, created, updated, version) VALUES ('default', {id}, 'p' || :run || '-' || :client_id || '-' || :i, 0, {code}, {incentive}, 1, {customer}, 'REDEEMED', 'EUR', {AMOUNT}, 0, {details}::jsonb, now(), now(), 1);
INSERT INTO event_batch (id, created, payload) VALUES ({id}, now(), decode(repeat('a7', {payload_bytes}), 'hex'));
COMMIT;
"
    )
}

/// A text that pgbench does not look for variables in; the planner folds it into a constant.
fn constant(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("convert_from(decode('{hex}', 'hex'), 'UTF8')")
}
