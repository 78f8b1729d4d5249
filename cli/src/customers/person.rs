//! `tandem customers erase` and `data`: taking one person away, and showing them all that is held.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use tandem_proto::relationship::v1::{
    EraseCustomerRequest, EraseCustomerResponse, Erasure, ExportCustomerRequest, ExportCustomerResponse,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::name;
use crate::output::{self, Format};

/// Arguments of `tandem customers erase`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is known of the customer and what they said goes; in ledgers a pseudonym takes the place of the id,
and their addresses are not written to until they opt in anew with proof. This cannot be undone.

Example:
  tandem customers erase 7 --yes"
)]
pub struct Erase {
    /// The customer: `7` or `customers/7`.
    customer: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Do not wait until it is done everywhere.
    #[arg(long)]
    no_wait: bool,
}

/// Arguments of `tandem customers data`.
#[derive(Debug, Args)]
#[command(after_help = "One JSON document for each thing that is held, in one line.

Example:
  tandem customers data 7 > 7.jsonl")]
pub struct Data {
    /// The customer: `7` or `customers/7`.
    customer: String,
}

/// How often it is asked whether an erasure is done, and for how long.
const ASK: Duration = Duration::from_millis(200);
const PATIENCE: u32 = 3_000;

/// Erases a customer.
pub async fn erase(arguments: Erase, target: &Target, format: Format) -> Result<(), Failure> {
    let name = name::full("customers", &arguments.customer);
    let mut client = target.customers().await?;
    if !arguments.yes && !agreed(&name)? {
        return Err(Failure::said("nothing was erased"));
    }
    let request = EraseCustomerRequest { name, request_id: String::new() };
    let mut answer = client.erase_customer(request.clone()).await?.into_inner();
    let waits = if arguments.no_wait { 0 } else { PATIENCE };
    for _ in 0..waits {
        if is_done(&answer) {
            break;
        }
        tokio::time::sleep(ASK).await;
        answer = client.erase_customer(request.clone()).await?.into_inner();
    }
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.EraseCustomerResponse", &answer)?)
        }
        Format::Table => show(&answer.erasure.unwrap_or_default()),
    }
    Ok(())
}

fn is_done(answer: &EraseCustomerResponse) -> bool {
    answer.erasure.as_ref().is_none_or(|erasure| erasure.done_time.is_some())
}

fn show(erasure: &Erasure) {
    println!("{} stands in ledgers from now on", erasure.pseudonym);
    match &erasure.done_time {
        Some(_) => println!("  everything else was taken out"),
        None => println!("  the rest is being taken out"),
    }
    if erasure.forget_time.is_some() {
        let at = output::time(erasure.forget_time.as_ref());
        println!("  the event that tells others of it has the id until {at}");
    }
}

/// Whether whoever types says yes. Nobody can where there is no terminal.
fn agreed(name: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::said(format!("{name} is erased for good: say --yes")));
    }
    eprint!("erase {name} for good? [y/N] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Shows all that is held on a customer.
pub async fn data(arguments: Data, target: &Target) -> Result<(), Failure> {
    let request = ExportCustomerRequest { name: name::full("customers", &arguments.customer) };
    let mut stream = target.customers().await?.export_customer(request).await?.into_inner();
    let mut out = std::io::stdout().lock();
    while let Some(part) = stream.message().await? {
        writeln!(out, "{}", line(&part)?)?;
    }
    Ok(())
}

fn line(part: &ExportCustomerResponse) -> Result<String, Failure> {
    output::json("tandem.relationship.v1.ExportCustomerResponse", part)
}
