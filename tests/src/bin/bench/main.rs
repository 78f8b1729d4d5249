//! The benchmarks: one run measures the product and, beside it, what everybody knows (pgbench, a bare echo, COPY).
//!
//! A private durable PostgreSQL and both services run as processes of their own. Each row alternates between yardstick
//! and product, round by round, and reports the medians. `docs/benchmarks.md` says why each row is fair.

mod args;
mod audit;
mod baskets;
mod catalogue;
mod clones;
mod commit;
mod compressed;
mod cpu;
mod echo;
mod generate;
mod ground;
mod hard;
mod idle;
mod interactions;
mod load;
mod members;
mod orders;
mod people;
mod pgbench;
mod quotes;
mod redeem;
mod report;
mod rounds;
mod run;
mod scripts;
mod start;
mod tenants;
mod way;
mod world;
mod year;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    let args = Args::parse();
    match start(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Outcome<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Command::Echo { answer_bytes }) = args.command {
        runtime.block_on(echo::serve(answer_bytes))?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = runtime.block_on(run::all(args))?;
    if args.json {
        print!("{}", report.json()?);
    } else {
        println!("{}", report.table());
    }
    let missed = report.missed();
    for row in &missed {
        eprintln!("missed: {row}");
    }
    Ok(if args.check && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
