//! `tandem vouchers`: make, take out and bring in codes.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tandem_kernel::money::Currency;
use tandem_proto::relationship::v1::{
    CodeFormat, ExportVouchersRequest, GenerateVouchersRequest, ImportVouchersRequest, Voucher,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{customers, money};

/// What to do with codes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make codes of an incentive. Broken off, the same --request-id goes on where it stopped.
    Generate(Generate),
    /// Write the codes of an incentive as CSV.
    Export(Export),
    /// Bring in codes made elsewhere, from CSV with a column `code`.
    Import(Import),
}

/// Arguments of `tandem vouchers generate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem vouchers generate --incentive ten-off --quantity 1000000 --pattern 'SPRING-####-####' --check-character")]
pub struct Generate {
    /// The incentive's id.
    #[arg(long)]
    incentive: String,
    /// How many, 1 to 10,000,000.
    #[arg(long)]
    quantity: i64,
    /// How codes look: `#` is a drawn character.
    #[arg(long, default_value = "")]
    pattern: String,
    /// Stands before the pattern.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Add a check character.
    #[arg(long)]
    check_character: bool,
    /// Uses of one code, 0 unlimited; default: the incentive's.
    #[arg(long)]
    max_uses: Option<i64>,
    /// What a gift card is worth: `50.00 EUR`.
    #[arg(long)]
    balance: Option<String>,
    /// Goes on where a broken call stopped; default: a fresh one, printed.
    #[arg(long)]
    request_id: Option<String>,
}

/// Arguments of `tandem vouchers export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The incentive's id.
    #[arg(long)]
    incentive: String,
    /// Only this batch, as `tandem vouchers generate` names it.
    #[arg(long, default_value = "")]
    batch: String,
    /// The file; default: standard output.
    #[arg(long)]
    file: Option<PathBuf>,
}

/// Arguments of `tandem vouchers import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The incentive's id.
    #[arg(long)]
    incentive: String,
    /// CSV with a head; the column `code` is needed, `max_uses` and `customer` are read where they stand.
    #[arg(long)]
    file: PathBuf,
    /// Keep upper and lower case apart.
    #[arg(long)]
    case_sensitive: bool,
}

const CODES_PER_MESSAGE: usize = 1_000;

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Generate(arguments) => generate(arguments, target, format).await,
        Command::Export(arguments) => export(arguments, target).await,
        Command::Import(arguments) => import(arguments, target, format).await,
    }
}

async fn generate(arguments: Generate, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.request_id.unwrap_or_else(fresh_request_id);
    let request = GenerateVouchersRequest {
        incentive: format!("incentives/{}", arguments.incentive),
        quantity: arguments.quantity,
        format: Some(CodeFormat {
            pattern: arguments.pattern,
            prefix: arguments.prefix,
            check_character: arguments.check_character,
            ..CodeFormat::default()
        }),
        max_uses: arguments.max_uses,
        balance: arguments.balance.as_deref().map(balance).transpose()?,
        request_id: request_id.clone(),
        ..GenerateVouchersRequest::default()
    };
    let mut progress = target.vouchers().await?.generate_vouchers(request).await?.into_inner();
    let bar = output::progress(arguments.quantity.unsigned_abs(), "codes");
    let mut last = None;
    loop {
        match progress.message().await {
            Ok(Some(step)) => {
                bar.set_position(step.done.unsigned_abs());
                last = Some(step);
            }
            Ok(None) => break,
            Err(status) => {
                bar.abandon();
                eprintln!("to go on: repeat with --request-id {request_id}");
                return Err(status.into());
            }
        }
    }
    bar.finish();
    let Some(last) = last else { return Err(Failure::said("the service ended without a word of progress")) };
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.GenerateVouchersResponse", &last)?)
        }
        Format::Table => println!("{} codes, {}", last.done, last.batch),
    }
    Ok(())
}

fn balance(text: &str) -> Result<tandem_proto::common::v1::Money, Failure> {
    let (amount, code) = text.split_once(' ').ok_or_else(|| Failure::said("--balance: write `50.00 EUR`"))?;
    let currency = Currency::new(code).map_err(|error| Failure::at("--balance", error))?;
    money::parse(amount, currency)
}

/// Unique enough for one operator: ids are the kernel's.
pub fn fresh_request_id() -> String {
    use tandem_kernel::clock::{Clock, Ids, SystemClock, SystemIds};
    SystemIds.next(SystemClock.now()).to_string()
}

async fn export(arguments: Export, target: &Target) -> Result<(), Failure> {
    let request = ExportVouchersRequest {
        incentive: format!("incentives/{}", arguments.incentive),
        batch: arguments.batch,
    };
    let mut blocks = target.vouchers().await?.export_vouchers(request).await?.into_inner();
    let sink: Box<dyn Write> = match &arguments.file {
        Some(path) => {
            Box::new(std::fs::File::create(path).map_err(|error| Failure::at(path.display(), error))?)
        }
        None => Box::new(std::io::stdout()),
    };
    let mut rows = csv::Writer::from_writer(sink);
    let bar = indicatif::ProgressBar::new_spinner();
    let failed = |error: csv::Error| Failure::said(error.to_string());
    rows.write_record(["code", "incentive", "customer", "batch", "max_uses", "uses", "state"])
        .map_err(failed)?;
    while let Some(block) = blocks.message().await? {
        for voucher in &block.vouchers {
            rows.write_record([
                voucher.code.as_str(),
                voucher.incentive.as_str(),
                voucher.customer.as_str(),
                voucher.batch.as_str(),
                &voucher.max_uses.to_string(),
                &voucher.uses.to_string(),
                voucher.state().as_str_name().trim_start_matches("VOUCHER_STATE_"),
            ])
            .map_err(failed)?;
        }
        bar.inc(block.vouchers.len() as u64);
        bar.set_message("codes written");
    }
    rows.flush()?;
    bar.finish();
    Ok(())
}

async fn import(arguments: Import, target: &Target, format: Format) -> Result<(), Failure> {
    let vouchers = read_codes(&arguments.file, &arguments.incentive)?;
    let bar = output::progress(vouchers.len() as u64, "codes");
    let case_sensitive = arguments.case_sensitive;
    let blocks: Vec<_> = vouchers.chunks(CODES_PER_MESSAGE).map(<[Voucher]>::to_vec).collect();
    let sent = bar.clone();
    let messages = futures::StreamExt::map(futures::stream::iter(blocks), move |vouchers| {
        sent.inc(vouchers.len() as u64);
        ImportVouchersRequest { vouchers, case_sensitive }
    });
    let answer = target.vouchers().await?.import_vouchers(messages).await?.into_inner();
    bar.finish();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.ImportVouchersResponse", &answer)?)
        }
        Format::Table => {
            println!("{} created, {} were there, {} refused", answer.created, answer.existing, answer.failed);
            for failure in &answer.failures {
                let why = failure.status.as_ref().map_or("", |status| status.message.as_str());
                println!("  row {}: {}: {why}", failure.index + 1, failure.code);
            }
        }
    }
    if answer.failed > 0 { Err(Failure::said("some rows were refused")) } else { Ok(()) }
}

fn read_codes(path: &Path, incentive: &str) -> Result<Vec<Voucher>, Failure> {
    let mut rows = customers::csv_with(path, "code")?;
    let head = rows.headers().map_err(|error| Failure::at(path.display(), error))?.clone();
    let mut vouchers = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|error| Failure::at(path.display(), error))?;
        let field = |name: &str| head.iter().position(|column| column == name).and_then(|at| row.get(at));
        vouchers.push(Voucher {
            code: field("code").unwrap_or_default().to_owned(),
            incentive: format!("incentives/{incentive}"),
            customer: field("customer").unwrap_or_default().to_owned(),
            max_uses: field("max_uses").and_then(|uses| uses.parse().ok()).unwrap_or(1),
            ..Voucher::default()
        });
    }
    Ok(vouchers)
}
