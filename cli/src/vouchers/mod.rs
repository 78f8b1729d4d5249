//! `tandem vouchers`: make, take out and bring in codes, and what support does to one by hand.

mod change;
pub mod table;
mod usable;

use clap::{Args, Subcommand};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::{
    CodeFormat, ExportVouchersRequest, GenerateVouchersRequest, ImportVouchersRequest,
    ImportVouchersResponse, Voucher,
};
use tonic::Status;

use self::table::Codes;
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::files::import::{self, Answers, Block, Import, Told};
use crate::files::read::{Changing, Reading, Settle};
use crate::files::write::{self, To};
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
    Import(FromFile),
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
#[command(
    after_help = "The columns are those that an import reads. A cell that a spreadsheet would run (=, +, -, @) has an
apostrophe before it, which an import takes away again.

Examples:
  tandem vouchers export --incentive ten-off --file codes.csv
  tandem --output json vouchers export --incentive ten-off | jq .code"
)]
pub struct Export {
    /// The incentive: `ten-off` or `incentives/ten-off`.
    #[arg(long)]
    incentive: String,
    /// Only this batch, as `tandem vouchers generate` names it.
    #[arg(long, default_value = "")]
    batch: String,
    #[command(flatten)]
    to: To,
}

/// Arguments of `tandem vouchers import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns: those that an export has, in any order and case. `code` is needed; an empty cell, or a column that
is not there, says nothing: uses of one code are then the incentive's. Amounts are written 50.00 EUR, moments
2026-12-31T23:00:00Z, or as a date with --time-zone (valid_until: to the end of that day), labels as one JSON object. Another
column is refused by name. Every row that can be read goes in; every other is told by line, column and reason.

Examples:
  tandem vouchers import --incentive ten-off --file codes.csv --rejects rejects.csv     (mend that, then import it)
  tandem vouchers import --incentive ten-off --file - --date-format %d.%m.%Y --time-zone Europe/Vienna
  tandem vouchers import --incentive ten-off-again --file export.csv --move-archived"
)]
pub struct FromFile {
    /// The incentive: `ten-off` or `incentives/ten-off`.
    #[arg(long)]
    incentive: String,
    #[command(flatten)]
    how: Reading,
    /// Keep upper and lower case apart, of codes without a column `name`.
    #[arg(long)]
    case_sensitive: bool,
    /// Bring codes that exist under an archived incentive to this one, with what they have been used. The column
    /// `incentive` may then name another one.
    #[arg(long)]
    move_archived: bool,
}

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
    let mut export = write::Export::<Codes>::begin(&arguments.to, format, Vec::new())?;
    while let Some(block) = blocks.message().await? {
        export.write(block.vouchers)?;
    }
    export.end()
}

async fn import(arguments: FromFile, target: &Target, format: Format) -> Result<(), Failure> {
    let FromFile { incentive, how, case_sensitive, move_archived } = arguments;
    let codes = Codes { incentive: name::full("incentives", &incentive), case_sensitive, move_archived };
    import::run(codes, &how, &Changing::default(), target, format).await
}

impl Import for Codes {
    type Client = VoucherServiceClient<Connection>;

    const OUTCOMES: &'static [(&'static str, &'static str)] =
        &[("created", "created"), ("existing", "were there"), ("moved", "moved")];
    const REASONS: &'static [(&'static str, &'static str)] = &[
        ("CUSTOMER_NOT_FOUND", "customer"),
        ("SOURCE_ID_TAKEN", "source_id"),
        ("INCENTIVE_ARCHIVED", "incentive"),
    ];

    fn settle(&self) -> Settle<Voucher> {
        let (incentive, may_move) = (self.incentive.clone(), self.move_archived);
        Box::new(move |voucher| {
            let named = std::mem::replace(&mut voucher.incentive, incentive.clone());
            match named.is_empty() || named == incentive || may_move {
                true => Ok(()),
                false => Err(("incentive", format!("is {named}, and --incentive is {incentive}"))),
            }
        })
    }

    async fn connect(target: &Target) -> Result<Self::Client, Failure> {
        target.vouchers().await
    }

    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<Voucher>>,
    ) -> Result<Answers, Status> {
        let (case_sensitive, move_archived) = (self.case_sensitive, self.move_archived);
        let messages = blocks.map(move |block| ImportVouchersRequest {
            vouchers: block.items,
            case_sensitive,
            move_archived,
        });
        let answers = client.clone().import_vouchers(messages).await?.into_inner();
        Ok(answers.map_ok(told).boxed())
    }
}

fn told(answer: ImportVouchersResponse) -> Told {
    let failures = answer.failures.into_iter().map(|failure| (failure.index, failure.status));
    let counts = vec![answer.created, answer.existing, answer.moved];
    Told { done: answer.done, counts, failures: failures.collect() }
}
