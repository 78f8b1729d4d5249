//! The command of Tandem: both services in one process, the demo, and what an operator types.

mod completion;
mod connect;
mod customers;
mod decisions;
mod demo;
mod events;
mod failure;
mod limits;
mod money;
mod order;
mod output;
mod quote;
mod redeem;
mod up;
mod vouchers;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Id, Parser, Subcommand};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::Format;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tandem: operational and relationship marketing over gRPC.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, propagate_version = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Tables for people, JSON for programs (one document per answer, proto3 JSON).
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  tandem up --data ./data
  tandem demo
  tandem vouchers generate --incentive ten-off --quantity 1000 --pattern 'SPRING-####-####'
  tandem quote --currency EUR --line products/42:2:19.90 --code SPRING-ABCD-EFGH --customer customers/7
  tandem order commit --order 1001 --quote-token \"$TOKEN\"
  tandem events tail --service relationship --type tandem.relationship.v1.Voucher";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run both services in one process, by default on SQLite under a data folder.
    Up(up::Arguments),
    /// Tell the whole story on a real shop's purchases and check its sums.
    Demo(demo::Arguments),
    /// Make, take out and bring in codes.
    #[command(subcommand)]
    Vouchers(vouchers::Command),
    /// Bring in customers.
    #[command(subcommand)]
    Customers(customers::Command),
    /// Price a basket.
    Quote(quote::Arguments),
    /// Hold, commit, cancel, return and show orders.
    #[command(subcommand)]
    Order(order::Command),
    /// How far the limits of an offer, a campaign or an incentive are.
    Limits(limits::Arguments),
    /// Redeem codes for an order at relationship-svc alone.
    Redeem(redeem::Arguments),
    /// Follow what happens.
    #[command(subcommand)]
    Events(events::Command),
    /// Print the completion script of a shell.
    Completion(completion::Arguments),
}

impl Command {
    /// Which of the flags that stand for all commands this one reads; the others are refused where they are typed.
    fn reads(&self) -> Vec<&'static str> {
        const CAMPAIGN: [&str; 2] = ["campaign", "tenant"];
        const RELATIONSHIP: [&str; 2] = ["relationship", "tenant"];
        const TLS: [&str; 4] = ["tls_ca", "tls_server_name", "tls_certificate", "tls_key"];
        match self {
            Self::Up(_) | Self::Demo(_) | Self::Completion(_) => Vec::new(),
            // It writes a table for spreadsheets, whatever is asked for elsewhere.
            Self::Vouchers(vouchers::Command::Export(_)) => [&RELATIONSHIP[..], &TLS].concat(),
            Self::Vouchers(_) | Self::Customers(_) | Self::Redeem(_) => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Limits(limits) if limits.is_of_relationship() => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Events(events::Command::Tail(tail)) if tail.is_of_relationship() => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Quote(_) | Self::Order(_) | Self::Limits(_) | Self::Events(_) => {
                [&CAMPAIGN[..], &TLS, &["output"]].concat()
            }
        }
    }
}

/// What was typed; refuses a flag that the command would not look at.
fn arguments() -> Result<Arguments, clap::Error> {
    let mut command = Arguments::command();
    let matches = command.clone().get_matches();
    let arguments = Arguments::from_arg_matches(&matches)?;
    let read = arguments.command.reads();
    let mut typed =
        matches.ids().filter(|id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine));
    let shared = |id: &Id| command.get_arguments().any(|argument| argument.get_id() == id);
    match typed.find(|id| shared(id) && !read.contains(&id.as_str())) {
        None => Ok(arguments),
        Some(id) => {
            let name = matches.subcommand_name().unwrap_or_default();
            let flag = id.as_str().replace('_', "-");
            let message = format!("`tandem {name}` does not read --{flag}; see `tandem {name} --help`");
            Err(command.error(ErrorKind::ArgumentConflict, message))
        }
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)))
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Failure::from(error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// `customers/7`, of `7` as well.
fn named(collection: &str, id: &str) -> String {
    let full = id.strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'));
    if full { id.to_owned() } else { format!("{collection}/{id}") }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { target, output, command } = arguments;
    match command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Vouchers(command) => vouchers::run(command, &target, output).await,
        Command::Customers(command) => customers::run(command, &target, output).await,
        Command::Quote(arguments) => quote::run(arguments, &target, output).await,
        Command::Order(command) => order::run(command, &target, output).await,
        Command::Limits(arguments) => limits::run(arguments, &target, output).await,
        Command::Redeem(arguments) => redeem::run(arguments, &target, output).await,
        Command::Events(command) => events::run(command, &target, output).await,
        Command::Completion(arguments) => completion::run(&arguments),
    }
}
