//! `tandem products`: what is sold, at what price, one by one and as files.

mod table;

use clap::{Args, Subcommand};
use futures::StreamExt;
use futures::stream::BoxStream;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{
    BatchUpsertProductsRequest, BatchUpsertProductsResponse, ListProductsRequest, Product, ProductState,
};
use tonic::Status;

use self::table::Products;
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::files::column::Table;
use crate::files::import::{self, Answers, Block, Import, Told};
use crate::files::pages;
use crate::files::read::{Changing, Reading};
use crate::files::write::{self, To};
use crate::output::Format;
use crate::setup::{browse, create};

/// What to do with products.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What every kind has.
    #[command(flatten)]
    Common(browse::Command<create::Product>),
    /// Create products, or change those that are there and put them on sale again, from CSV with a column `id`.
    Import(FromFile),
    /// Write what is on sale as CSV, with --output json as one product of the contract on each line.
    Export(Export),
}

/// Arguments of `tandem products import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns, in any order and case: id (needed), display_name, categories (a|b|c; a bar within one is \\|),
prices (12.50 EUR|DE=12.00 EUR|stores/berlin=11.00 EUR: all of them), unit_costs (4.00 EUR), tax (20 % or 7.5), attributes
(one JSON object, all of them), and attr.NAME for one attribute. An empty cell, or a column that is not there, changes
nothing; an attribute that has no column stays. Another column is refused by name, unless --attributes names it. Every row
that can be read goes in; every other is told by line, column and reason.

Examples:
  tandem products import --file products.csv
  tandem products import --file artikel.csv --encoding windows-1252 --attributes colour --rejects rejects.csv"
)]
pub struct FromFile {
    #[command(flatten)]
    how: Reading,
    #[command(flatten)]
    change: Changing,
}

/// Arguments of `tandem products export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The columns are those that an import reads. A cell that a spreadsheet would run (=, +, -, @) has an
apostrophe before it, which an import takes away again. What is archived is left out: an import would put it on sale again.

Examples:
  tandem products export --file products.csv
  tandem products export --filter '\"mugs\" in product.categories' > mugs.csv"
)]
pub struct Export {
    #[command(flatten)]
    to: To,
    /// Only those of which this rule is true: `\"mugs\" in product.categories`.
    #[arg(long, default_value = "")]
    filter: String,
    /// Attributes that get a column of their own, `attr.NAME`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    attributes: Vec<String>,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Common(command) => browse::run(command, target, format).await,
        Command::Import(FromFile { how, change }) => {
            import::run(Products, &how, &change, target, format).await
        }
        Command::Export(arguments) => export(arguments, target, format).await,
    }
}

impl Import for Products {
    type Client = ProductServiceClient<Connection>;

    const OUTCOMES: &'static [(&'static str, &'static str)] =
        &[("created", "created"), ("updated", "updated")];

    async fn connect(target: &Target) -> Result<Self::Client, Failure> {
        target.products().await
    }

    /// One batch after the other.
    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<<Self as Table>::Item>>,
    ) -> Result<Answers, Status> {
        let (client, mut so_far) = (client.clone(), Told { counts: vec![0; 2], ..Told::default() });
        let ask = move |Block { items, mask }| {
            let mut client = client.clone();
            let request =
                BatchUpsertProductsRequest { products: items, update_mask: mask, ..Default::default() };
            async move { client.batch_upsert_products(request).await }
        };
        let answers = blocks.then(ask).map(move |answer| {
            count(&mut so_far, answer?.into_inner());
            Ok(so_far.clone())
        });
        Ok(answers.boxed())
    }
}

fn count(so_far: &mut Told, answer: BatchUpsertProductsResponse) {
    so_far.failures.clear();
    for result in answer.results {
        let index = so_far.done;
        so_far.done += 1;
        match result.status.filter(|status| status.code != 0) {
            Some(status) => so_far.failures.push((index, Some(status))),
            None => so_far.counts[usize::from(!result.created)] += 1,
        }
    }
}

async fn export(arguments: Export, target: &Target, format: Format) -> Result<(), Failure> {
    let Export { to, filter, attributes } = arguments;
    let client = target.products().await?;
    let mut export = write::Export::<Products>::begin(&to, format, attributes)?;
    let ask = |page_token| {
        let (mut client, filter) = (client.clone(), filter.clone());
        let request = ListProductsRequest { page_size: 1_000, page_token, filter, order_by: String::new() };
        async move { client.list_products(request).await }
    };
    let on_sale = |product: &Product| product.state() != ProductState::Archived;
    let write = |page: Vec<Product>| page.into_iter().filter(on_sale).collect();
    pages::each(ask, |page| export.write(write(page.products)).map(|()| page.next_page_token)).await?;
    export.end()
}
