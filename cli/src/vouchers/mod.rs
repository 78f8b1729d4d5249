//! `tandem vouchers`: make, take out and bring in codes, and what support does to one by hand.

mod change;
mod table;
mod usable;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tandem_proto::relationship::v1::{
    CodeFormat, ExportVouchersRequest, GenerateVouchersRequest, ImportVouchersRequest,
    ImportVouchersResponse, Voucher, VoucherImportFailure,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{money, name, request_id};

/// What to do with codes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make codes of an incentive. Broken off, the same --request-id goes on where it stopped.
    Generate(Generate),
    /// Write the codes of an incentive as CSV, with --output json as one voucher of the contract on each line.
    Export(Export),
    /// Bring in codes made elsewhere, from CSV with a column `code`.
    Import(Import),
    /// Change a code by hand: its dates, its uses, whose it is; enable it again.
    Update(change::Update),
    /// Top a gift card up, or correct what is on it.
    Adjust(change::Adjust),
    /// List what was done to a code by hand, newest first.
    Changes(change::Changes),
    /// List which codes of a customer's are usable for a basket, best first.
    Usable(usable::Arguments),
}

/// Arguments of `tandem vouchers generate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem vouchers generate --incentive ten-off --quantity 1000000 --pattern 'SPRING-####-####' --check-character")]
pub struct Generate {
    /// The incentive: `ten-off` or `incentives/ten-off`.
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
    /// Uses of one code; default: the incentive's.
    #[arg(long)]
    max_uses: Option<i64>,
    /// One code may be used as often as the incentive allows all of them together.
    #[arg(long, conflicts_with = "max_uses")]
    unlimited_uses: bool,
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
    /// The incentive: `ten-off` or `incentives/ten-off`.
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
#[command(
    after_help = "Columns: those that an export has. `code` is needed; an empty cell, or a column that is not there, says
nothing: uses of one code are then the incentive's. Amounts are written 50.00 EUR, moments 2026-12-31T23:00:00Z,
labels as one JSON object. Another column is refused by name; a row that is wrong is told by its line, and the others
go in.

Examples:
  tandem vouchers import --incentive ten-off --file codes.csv
  tandem vouchers import --incentive ten-off-again --file export.csv --move-archived"
)]
pub struct Import {
    /// The incentive: `ten-off` or `incentives/ten-off`.
    #[arg(long)]
    incentive: String,
    /// CSV with a head.
    #[arg(long)]
    file: PathBuf,
    /// Keep upper and lower case apart, of codes without a column `name`.
    #[arg(long)]
    case_sensitive: bool,
    /// Bring codes that exist under an archived incentive to this one, with what they have been used. The column
    /// `incentive` may then name another one.
    #[arg(long)]
    move_archived: bool,
}

const CODES_PER_MESSAGE: usize = 1_000;

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Generate(arguments) => generate(arguments, target, format).await,
        Command::Export(arguments) => export(arguments, target, format).await,
        Command::Import(arguments) => import(arguments, target, format).await,
        Command::Update(arguments) => change::update(arguments, target, format).await,
        Command::Adjust(arguments) => change::adjust(arguments, target, format).await,
        Command::Changes(arguments) => change::list(arguments, target, format).await,
        Command::Usable(arguments) => usable::run(arguments, target, format).await,
    }
}

async fn generate(arguments: Generate, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.request_id.unwrap_or_else(request_id::fresh);
    let request = GenerateVouchersRequest {
        incentive: name::full("incentives", &arguments.incentive),
        quantity: arguments.quantity,
        format: Some(CodeFormat {
            pattern: arguments.pattern,
            prefix: arguments.prefix,
            check_character: arguments.check_character,
            ..CodeFormat::default()
        }),
        max_uses: arguments.max_uses,
        unlimited_uses: arguments.unlimited_uses,
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
    money::read(text).map_err(|why| Failure::at("--balance", why))
}

async fn export(arguments: Export, target: &Target, format: Format) -> Result<(), Failure> {
    let request = ExportVouchersRequest {
        incentive: name::full("incentives", &arguments.incentive),
        batch: name::optional("batches", &arguments.batch),
    };
    let mut blocks = target.vouchers().await?.export_vouchers(request).await?.into_inner();
    let mut sink: Box<dyn Write> = match &arguments.file {
        Some(path) => {
            Box::new(std::fs::File::create(path).map_err(|error| Failure::at(path.display(), error))?)
        }
        None => Box::new(std::io::stdout()),
    };
    if format == Format::Json {
        while let Some(block) = blocks.message().await? {
            for voucher in &block.vouchers {
                writeln!(sink, "{}", output::json("tandem.relationship.v1.Voucher", voucher)?)?;
            }
        }
        return Ok(sink.flush()?);
    }
    let mut rows = csv::Writer::from_writer(sink);
    let bar = indicatif::ProgressBar::new_spinner();
    let failed = |error: csv::Error| Failure::said(error.to_string());
    rows.write_record(table::COLUMNS.iter().map(|column| column.name)).map_err(failed)?;
    while let Some(block) = blocks.message().await? {
        for voucher in &block.vouchers {
            rows.write_record(table::COLUMNS.iter().map(|column| (column.write)(voucher))).map_err(failed)?;
        }
        bar.inc(block.vouchers.len() as u64);
        bar.set_message("codes written");
    }
    rows.flush()?;
    bar.finish();
    Ok(())
}

async fn import(arguments: Import, target: &Target, format: Format) -> Result<(), Failure> {
    let (rows, mut bad) = table::read(&arguments.file)?;
    let incentive = name::full("incentives", &arguments.incentive);
    let (mut lines, mut vouchers) = (Vec::new(), Vec::new());
    for (line, voucher) in rows {
        let other = !voucher.incentive.is_empty() && voucher.incentive != incentive;
        if other && !arguments.move_archived {
            let why = format!("column incentive: is {}, and --incentive is {incentive}", voucher.incentive);
            bad.push(table::Bad { line, why });
            continue;
        }
        lines.push(line);
        vouchers.push(Voucher { incentive: incentive.clone(), ..voucher });
    }
    let answer = send(&arguments, target, vouchers).await?;
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.ImportVouchersResponse", &answer)?);
            for row in &bad {
                eprintln!("line {}: {}", row.line, row.why);
            }
        }
        Format::Table => {
            let refused = answer.failed + bad.len() as i64;
            let ImportVouchersResponse { created, existing, moved, .. } = answer;
            println!("{created} created, {existing} were there, {moved} moved, {refused} refused");
            for row in &bad {
                println!("  line {}: {}", row.line, row.why);
            }
            for failure in &answer.failures {
                let line = usize::try_from(failure.index).ok().and_then(|index| lines.get(index));
                let line = line.copied().unwrap_or_default();
                println!("  line {line}: {}: {}", failure.code, why(failure));
            }
            let untold = answer.failed - answer.failures.len() as i64;
            if untold > 0 {
                println!("  and {untold} more");
            }
        }
    }
    if answer.failed > 0 || !bad.is_empty() { Err(Failure::said("some rows were refused")) } else { Ok(()) }
}

async fn send(
    arguments: &Import,
    target: &Target,
    vouchers: Vec<Voucher>,
) -> Result<ImportVouchersResponse, Failure> {
    let bar = output::progress(vouchers.len() as u64, "codes");
    let (case_sensitive, move_archived) = (arguments.case_sensitive, arguments.move_archived);
    let blocks: Vec<_> = vouchers.chunks(CODES_PER_MESSAGE).map(<[Voucher]>::to_vec).collect();
    let sent = bar.clone();
    let messages = futures::StreamExt::map(futures::stream::iter(blocks), move |vouchers| {
        sent.inc(vouchers.len() as u64);
        ImportVouchersRequest { vouchers, case_sensitive, move_archived }
    });
    let answer = target.vouchers().await?.import_vouchers(messages).await?.into_inner();
    bar.finish();
    Ok(answer)
}

/// Why the service refused a row, on one line: a field of the contract has the name of its column.
fn why(failure: &VoucherImportFailure) -> String {
    let Some(status) = &failure.status else { return String::new() };
    let details = prost::Message::encode_to_vec(status);
    let status =
        tonic::Status::with_details(tonic::Code::from(status.code), status.message.clone(), details.into());
    let violations = tonic_types::StatusExt::get_details_bad_request(&status);
    let violations: Vec<String> = violations
        .iter()
        .flat_map(|bad| &bad.field_violations)
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        .collect();
    if violations.is_empty() { status.message().to_owned() } else { violations.join("; ") }
}
