//! What can be asked of a run.

use std::time::Duration;

use clap::{Parser, Subcommand};

/// Measures Tandem against pgbench, a bare gRPC echo and COPY.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    version,
    after_help = "\
Examples:
  cargo run --release -p tandem-tests --bin bench
  cargo run --release -p tandem-tests --bin bench -- --quick
  cargo run --release -p tandem-tests --bin bench -- --rows 'hot code' --rounds 1
  cargo run --release -p tandem-tests --bin bench -- --json --check > rows.jsonl

The services are found beside this program: build them first with the same profile,
  cargo build --release -p campaign-svc -p relationship-svc -p tandem-tests --bins"
)]
pub struct Args {
    /// Prints one JSON object per row instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Ends with an error where a target is missed.
    #[arg(long)]
    pub check: bool,
    /// Measures only rows whose name contains this.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub rows: String,
    /// Measures each row so many times and takes the median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99), value_name = "N")]
    pub rounds: u32,
    /// A small stage and short measurements: to see whether it works, not how fast it is.
    #[arg(long)]
    pub quick: bool,
    /// How long each measurement lasts, in seconds: 8, or 2 with --quick.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_600), value_name = "N")]
    pub seconds: Option<u64>,
    /// Keeps the services and the database running after the last row until Enter is pressed, for profiling.
    #[arg(long)]
    pub stay: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does in its other processes.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Answers every call with so many bytes.
    #[command(hide = true)]
    Echo {
        /// The size of each answer.
        answer_bytes: usize,
    },
}

/// How much there is, and how long is measured.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// People the business knows.
    pub customers: u32,
    /// People, where there are many.
    pub people: u32,
    /// Codes spread over [`INCENTIVES`] incentives.
    pub many_codes: u32,
    /// Codes of the one incentive with a limit.
    pub one_codes: u32,
    /// Running campaigns, where there are many.
    pub crowd: u32,
    /// Codes that are generated at once.
    pub generated: u32,
    /// Tenants, where there are many.
    pub tenants: u32,
    /// Tenants, where there are very many.
    pub many_tenants: u32,
    /// Events that campaign-svc takes in.
    pub events: usize,
    /// Products that a service starts with.
    pub products: u32,
    /// Orders of a year, and claims of a week.
    pub orders: u32,
    /// Offers limited by day, and incentives.
    pub limited: u32,
    /// Days on which each of them was used up.
    pub days: u32,
    /// How long a service has at least to forget what is over: once around for whatever looks for that.
    pub sweep: Duration,
    /// Each measurement.
    pub measure: Duration,
    /// Unmeasured load before it.
    pub warm_up: Duration,
}

impl Scale {
    /// How long each load lasts, warm-up included.
    pub fn load(&self) -> Duration {
        self.warm_up + self.measure
    }
}

/// Incentives of the rows with distinct codes.
pub const INCENTIVES: u32 = 100;
/// Running campaigns of the plain quote rows.
pub const CAMPAIGNS: u32 = 200;
/// Callers of the redeem and commit rows.
pub const CALLERS: usize = 256;
/// Callers of the quote rows and of the echo.
pub const QUOTERS: usize = 64;

impl Args {
    /// The stage of this run.
    pub fn scale(&self) -> Scale {
        let measure = |usual| Duration::from_secs(self.seconds.unwrap_or(usual));
        let full = Scale {
            customers: 10_000,
            people: 1_000_000,
            many_codes: 250_000,
            one_codes: 100_000,
            crowd: 10_000,
            generated: 1_000_000,
            tenants: 1_000,
            many_tenants: 10_000,
            events: 20_000,
            products: 300_000,
            orders: 1_000_000,
            limited: 1_000,
            days: 365,
            sweep: Duration::from_secs(70),
            measure: measure(8),
            warm_up: Duration::from_secs(2),
        };
        if !self.quick {
            return full;
        }
        Scale {
            people: 50_000,
            many_codes: 20_000,
            one_codes: 10_000,
            crowd: 1_000,
            generated: 100_000,
            tenants: 100,
            many_tenants: 200,
            events: 1_000,
            products: 3_000,
            orders: 10_000,
            limited: 100,
            days: 30,
            sweep: Duration::from_secs(2),
            measure: measure(2),
            warm_up: Duration::from_millis(500),
            ..full
        }
    }

    /// Whether a row of this name is asked for.
    pub fn wants(&self, row: &str) -> bool {
        row.contains(&self.rows)
    }
}
