//! `tandem customers`: bring in customers, take them out, look at them, show them all that is held, merge and erase them.

mod contact;
mod merge;
mod person;
pub mod show;
mod standing;
pub mod table;

use clap::{Args, Subcommand};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::{ImportCustomersRequest, ImportCustomersResponse, ListCustomersRequest};
use tonic::Status;

use self::table::Customers;
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::files::column::Table;
use crate::files::import::{self, Answers, Block, Import, Told};
use crate::files::pages;
use crate::files::read::{Changing, Reading};
use crate::files::write::{self, To};
use crate::output::Format;
use crate::setup::browse;

/// What to do with customers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create customers, or change those that are there, from CSV with a column `id`.
    Import(FromFile),
    /// Write customers as CSV, with --output json as one customer of the contract on each line.
    Export(Export),
    /// Show one: what is known, how they stand, what they may use, whether to write to them, and what happened last.
    Show(show::Show),
    /// List them, by name.
    List(browse::List),
    /// All that is held on one, as JSON, line by line.
    Data(person::Data),
    /// Merge one into another: both were the same person.
    Merge(merge::Merge),
    /// Erase one for good.
    Erase(person::Erase),
}

/// Arguments of `tandem customers import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns, in any order and case: id (needed), display_name, email, phone, locale (de-AT), time_zone
(Europe/Vienna), country (AT), birthday (1990-02-28; --02-28 where the year is not known), tags (a|b|c; a bar within one
is \\|), since_time (2020-01-01T00:00:00Z, or a date with --time-zone), attributes (one JSON object, all of them), and attr.NAME
for one attribute. An empty cell, or a column that is not there, changes nothing; an attribute that has no column stays.
Another column is refused by name, unless --attributes names it. Every row that can be read goes in; every other is told by
line, column and reason.

Examples:
  tandem customers import --file customers.csv
  tandem customers import --file export.csv --encoding windows-1252 --date-format %d.%m.%Y --attributes shoe_size,shop
  tandem customers import --file customers.csv --rejects rejects.csv     (mend rejects.csv, then import it)
  zcat customers.csv.gz | tandem customers import --file -"
)]
pub struct FromFile {
    #[command(flatten)]
    how: Reading,
    #[command(flatten)]
    change: Changing,
}

/// Arguments of `tandem customers export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The columns are those that an import reads. A cell that a spreadsheet would run (=, +, -, @) has an
apostrophe before it, which an import takes away again. Attributes are one JSON object, but for those that --attributes gives a
column of their own.

Examples:
  tandem customers export --file customers.csv
  tandem customers export --filter 'customer.country == \"AT\"' --attributes shoe_size > austria.csv
  tandem --output json customers export | jq .email"
)]
pub struct Export {
    #[command(flatten)]
    to: To,
    /// Only those of which this rule is true: `customer.country == \"AT\"`.
    #[arg(long, default_value = "")]
    filter: String,
    /// Attributes that get a column of their own, `attr.NAME`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    attributes: Vec<String>,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Import(FromFile { how, change }) => {
            import::run(Customers, &how, &change, target, format).await
        }
        Command::Export(arguments) => export(arguments, target, format).await,
        Command::Show(arguments) => show::run(arguments, target, format).await,
        Command::List(arguments) => browse::list_customers(arguments, target, format).await,
        Command::Data(arguments) => person::data(arguments, target).await,
        Command::Merge(arguments) => merge::merge(arguments, target, format).await,
        Command::Erase(arguments) => person::erase(arguments, target, format).await,
    }
}

impl Import for Customers {
    type Client = CustomerServiceClient<Connection>;

    const OUTCOMES: &'static [(&'static str, &'static str)] =
        &[("created", "created"), ("updated", "updated")];

    async fn connect(target: &Target) -> Result<Self::Client, Failure> {
        target.customers().await
    }

    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<<Self as Table>::Item>>,
    ) -> Result<Answers, Status> {
        let messages = blocks
            .map(|Block { items, mask }| ImportCustomersRequest { customers: items, update_mask: mask });
        let answers = client.clone().import_customers(messages).await?.into_inner();
        Ok(answers.map_ok(told).boxed())
    }
}

fn told(answer: ImportCustomersResponse) -> Told {
    let failures = answer.failures.into_iter().map(|failure| (failure.index, failure.status));
    Told { done: answer.done, counts: vec![answer.created, answer.updated], failures: failures.collect() }
}

async fn export(arguments: Export, target: &Target, format: Format) -> Result<(), Failure> {
    let Export { to, filter, attributes } = arguments;
    let client = target.customers().await?;
    let mut export = write::Export::<Customers>::begin(&to, format, attributes)?;
    let ask = |page_token| {
        let (mut client, filter) = (client.clone(), filter.clone());
        let request = ListCustomersRequest { page_size: 1_000, page_token, filter, order_by: String::new() };
        async move { client.list_customers(request).await }
    };
    pages::each(ask, |page| export.write(page.customers).map(|()| page.next_page_token)).await?;
    export.end()
}
