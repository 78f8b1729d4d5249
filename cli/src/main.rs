//! The command of Tandem: both services in one process, the demo, and what an operator types.

mod clock;
mod completion;
mod connect;
mod consents;
mod customers;
mod decisions;
mod demo;
mod events;
mod failure;
mod files;
mod handbook;
mod interactions;
mod limits;
mod money;
mod name;
mod order;
mod output;
mod percent;
mod products;
mod quote;
mod redeem;
mod request_id;
mod rules;
mod segments;
mod setup;
mod up;
mod vouchers;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Id, Parser, Subcommand};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::Format;
use crate::setup::{apply, browse, create, diff, export, settings};

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
  tandem apply -f setup/
  tandem vouchers generate --incentive ten-off --quantity 1000 --pattern 'SPRING-####-####'
  tandem quote --currency EUR --line 42:2:19.90 --code SPRING-ABCD-EFGH --customer 7
  tandem order commit --order 1001 --quote-token \"$TOKEN\"
  tandem events tail --service relationship --type VoucherRedeemed";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run both services in one process, by default on SQLite under a data folder.
    Up(up::Arguments),
    /// Tell the whole story on a real shop's purchases and check its sums.
    Demo(demo::Arguments),
    /// Make a tenant's set-up what files say.
    Apply(apply::Arguments),
    /// Show how files differ from what is there.
    Diff(diff::Arguments),
    /// Write a tenant's set-up into a folder of files.
    Export(export::Arguments),
    /// What a tenant has set for itself at both services, and what is in force.
    #[command(subcommand)]
    Settings(settings::Command),
    /// What marketing wants to reach.
    #[command(subcommand)]
    Objectives(browse::Command<create::Objective>),
    /// What is sold, at what price; bring it in and take it out as files.
    #[command(subcommand)]
    Products(products::Command),
    /// What runs when, and the steps of its life.
    #[command(subcommand)]
    Campaigns(browse::Campaigns),
    /// What codes give.
    #[command(subcommand)]
    Incentives(browse::Command<create::Incentive>),
    /// What the attributes of customers are.
    #[command(subcommand)]
    Attributes(browse::Command<create::Attribute>),
    /// Groups of customers, and who is in them.
    #[command(subcommand)]
    Segments(segments::Command),
    /// What rules may say, and what is wrong with one.
    #[command(subcommand)]
    Rules(rules::Command),
    /// Make, take out and bring in codes.
    #[command(subcommand)]
    Vouchers(vouchers::Command),
    /// Bring in customers, take them out, look at them, erase them.
    #[command(subcommand)]
    Customers(customers::Command),
    /// Bring in what people do, take it out, tell of it by hand, and read timelines.
    #[command(subcommand)]
    Interactions(interactions::Command),
    /// Whom one may write to: what people said, and suppressed addresses.
    #[command(subcommand)]
    Consents(consents::Command),
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
    /// Move the clock of services that `tandem up --clock` started.
    #[command(subcommand)]
    Clock(clock::Command),
    /// Write the pages of the handbook that are made from the contracts and the code: API, errors, events, settings, rules.
    Handbook(handbook::Arguments),
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
            Self::Up(_) | Self::Demo(_) | Self::Handbook(_) | Self::Completion(_) => Vec::new(),
            Self::Settings(settings) => {
                let campaign: &[&str] = if settings.is_of(CAMPAIGN[0]) { &CAMPAIGN } else { &[] };
                let relationship: &[&str] = if settings.is_of(RELATIONSHIP[0]) { &RELATIONSHIP } else { &[] };
                [campaign, relationship, &TLS, &["output"]].concat()
            }
            Self::Apply(_) => [&CAMPAIGN[..], &RELATIONSHIP, &TLS, &["output"]].concat(),
            // What they write has one form.
            Self::Diff(_) | Self::Export(_) => [&CAMPAIGN[..], &RELATIONSHIP, &TLS].concat(),
            // What is held on somebody has one form.
            Self::Customers(customers::Command::Data(_)) => [&RELATIONSHIP[..], &TLS].concat(),
            Self::Vouchers(_)
            | Self::Customers(_)
            | Self::Interactions(_)
            | Self::Consents(_)
            | Self::Redeem(_)
            | Self::Incentives(_)
            | Self::Attributes(_)
            | Self::Segments(_) => [&RELATIONSHIP[..], &TLS, &["output"]].concat(),
            Self::Limits(limits) if limits.is_of_relationship() => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Rules(rules) if rules.is_of_relationship() => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Events(events) if events.is_of_relationship() => {
                [&RELATIONSHIP[..], &TLS, &["output"]].concat()
            }
            Self::Quote(_)
            | Self::Clock(_)
            | Self::Order(_)
            | Self::Limits(_)
            | Self::Rules(_)
            | Self::Events(_)
            | Self::Objectives(_)
            | Self::Products(_)
            | Self::Campaigns(_) => [&CAMPAIGN[..], &TLS, &["output"]].concat(),
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

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { target, output, command } = arguments;
    match command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Apply(arguments) => apply::run(arguments, &target, output).await,
        Command::Diff(arguments) => diff::run(arguments, &target).await,
        Command::Export(arguments) => export::run(arguments, &target).await,
        Command::Settings(command) => settings::run(command, &target, output).await,
        Command::Objectives(command) => browse::run(command, &target, output).await,
        Command::Products(command) => products::run(command, &target, output).await,
        Command::Campaigns(command) => browse::campaigns(command, &target, output).await,
        Command::Incentives(command) => browse::run(command, &target, output).await,
        Command::Attributes(command) => browse::run(command, &target, output).await,
        Command::Segments(command) => segments::run(command, &target, output).await,
        Command::Rules(command) => rules::run(command, &target, output).await,
        Command::Vouchers(command) => vouchers::run(command, &target, output).await,
        Command::Customers(command) => customers::run(command, &target, output).await,
        Command::Interactions(command) => interactions::run(command, &target, output).await,
        Command::Consents(command) => consents::run(command, &target, output).await,
        Command::Quote(arguments) => quote::run(arguments, &target, output).await,
        Command::Order(command) => order::run(command, &target, output).await,
        Command::Limits(arguments) => limits::run(arguments, &target, output).await,
        Command::Redeem(arguments) => redeem::run(arguments, &target, output).await,
        Command::Events(command) => events::run(command, &target, output).await,
        Command::Clock(command) => clock::run(command, &target, output).await,
        Command::Handbook(arguments) => handbook::run(&arguments),
        Command::Completion(arguments) => completion::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_calls_a_flag_of_its_own_as_those_of_all_commands_are_called() {
        fn own(of: &clap::Command, shared: &[Id]) {
            for below in of.get_subcommands() {
                let taken = below.get_arguments().find(|one| shared.contains(one.get_id()));
                assert!(taken.is_none(), "{}: {taken:?}", below.get_name());
                own(below, shared);
            }
        }
        let command = Arguments::command();
        let shared: Vec<Id> = command.get_arguments().map(|one| one.get_id().clone()).collect();
        assert!(shared.iter().any(|id| id == "campaign"), "{shared:?}");
        own(&command, &shared);
    }
}
