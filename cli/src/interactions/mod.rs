//! `tandem interactions`: bring in what people do, take it out, tell of something by hand, and read a timeline.

mod kind;
mod record;
pub mod table;
pub mod timeline;

use std::sync::mpsc::{Receiver, channel};

use clap::{Args, Subcommand};
use futures::StreamExt;
use futures::stream::BoxStream;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::timeline_entry::What;
use tandem_proto::relationship::v1::{
    Interaction, ListInteractionsRequest, StreamInteractionsRequest, StreamInteractionsResponse,
    TimelineEntry, TimelineSource,
};
use tonic::Status;

use self::table::Interactions;
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::files::import::{self, Answers, Block, Import, Told};
use crate::files::pages;
use crate::files::read::{Changing, Reading};
use crate::files::write::{self, To};
use crate::output::Format;

/// What to do with interactions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record what happened, from CSV with a column `type`.
    Import(FromFile),
    /// Write what one customer or guest did as CSV, with --output json as one interaction of the contract on each line.
    Export(Export),
    /// Tell of one.
    Record(Box<record::Record>),
    /// What somebody did and what was done for them, newest first.
    List(timeline::List),
}

/// Arguments of `tandem interactions import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns, in any order and case: type (needed: visit, basket, order, payment, delivery, return, support, review,
message_open, message_click, reply, survey_answer, custom), event_id (needed, but of an order), event_time (needed:
2026-03-01T10:00:00Z, or as --date-format and --time-zone say), customer or guest_key, amount (59.90 EUR), order_id, product,
medium, place, rating with its scale (1..5), attributes (one JSON object), and attr.NAME for one attribute. Another column is
refused by name, unless --attributes names it. Every row that can be read goes in; every other is told by line, column and
reason. What was recorded before is not recorded twice: event_id, and order_id of an order, say what is the same.

Examples:
  tandem interactions import --file visits.csv
  tandem interactions import --file till.csv --date-format '%d.%m.%Y %H:%M' --time-zone Europe/Vienna --attributes till,clerk
  tandem interactions import --file visits.csv --rejects rejects.csv     (mend rejects.csv, then import it)
  zcat visits.csv.gz | tandem interactions import --file -"
)]
pub struct FromFile {
    #[command(flatten)]
    how: Reading,
    /// Columns that are attributes, beside those that are called `attr.NAME`.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    attributes: Vec<String>,
}

/// Arguments of `tandem interactions export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The columns are those that an import reads; newest first. Codes that were redeemed are no interactions: see
`tandem interactions list`.

Examples:
  tandem interactions export --customer 7 --file 7.csv
  tandem interactions export --customer 7 --type review --attributes shop
  tandem --output json interactions export --customer 7 | jq .type"
)]
pub struct Export {
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    of: timeline::Whose,
    /// Attributes that get a column of their own, `attr.NAME`.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    attributes: Vec<String>,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Import(FromFile { how, attributes }) => {
            let change = Changing { attributes, ..Changing::default() };
            import::run(Interactions, &how, &change, target, format).await
        }
        Command::Export(arguments) => export(arguments, target, format).await,
        Command::Record(arguments) => record::run(*arguments, target, format).await,
        Command::List(arguments) => timeline::run(arguments, target, format).await,
    }
}

impl Import for Interactions {
    type Client = InteractionServiceClient<Connection>;

    const OUTCOMES: &'static [(&'static str, &'static str)] =
        &[("created", "recorded"), ("known", "recorded before")];
    const REASONS: &'static [(&'static str, &'static str)] =
        &[("CUSTOMER_NOT_FOUND", "customer"), ("INTERACTION_DIFFERS", "event_id")];

    async fn connect(target: &Target) -> Result<Self::Client, Failure> {
        target.interactions().await
    }

    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<Interaction>>,
    ) -> Result<Answers, Status> {
        let (hand, sizes) = channel();
        let messages = blocks.map(move |block| {
            // Where nobody asks for it any more no answer is read either.
            let _ = hand.send(block.items.len());
            StreamInteractionsRequest { interactions: block.items }
        });
        let answers = client.clone().stream_interactions(messages).await?.into_inner();
        let mut sum = Sum { sizes, created: 0, known: 0, done: 0 };
        Ok(answers.map(move |answer| answer.and_then(|answer| sum.with(answer))).boxed())
    }
}

/// What the answers to a stream come to. Each is of one message, in their order.
struct Sum {
    /// Rows of the messages that were sent.
    sizes: Receiver<usize>,
    created: i64,
    known: i64,
    done: i64,
}

impl Sum {
    /// How far the stream is with one more.
    fn with(&mut self, answer: StreamInteractionsResponse) -> Result<Told, Status> {
        let sent = self.sizes.try_recv().ok().and_then(|size| i64::try_from(size).ok());
        let sent = sent.ok_or_else(|| Status::data_loss("the service answered what it was not sent"))?;
        let begin = self.done;
        self.done += sent;
        self.created += i64::from(answer.created);
        self.known += i64::from(answer.known);
        let place = |index: i32| begin + i64::from(index);
        let failures = answer.failures.into_iter().map(|failure| (place(failure.index), failure.status));
        let counts = vec![self.created, self.known];
        Ok(Told { done: self.done, counts, failures: failures.collect() })
    }
}

async fn export(arguments: Export, target: &Target, format: Format) -> Result<(), Failure> {
    let Export { to, of, attributes } = arguments;
    let sources = vec![TimelineSource::Interactions.into()];
    let first = ListInteractionsRequest { sources, page_size: 1_000, ..of.request() };
    let client = target.interactions().await?;
    let mut export = write::Export::<Interactions>::begin(&to, format, attributes)?;
    let ask = |page_token| {
        let (mut client, request) = (client.clone(), ListInteractionsRequest { page_token, ..first.clone() });
        async move { client.list_interactions(request).await }
    };
    pages::each(ask, |page| {
        let found = page.entries.into_iter().filter_map(told);
        export.write(found.collect()).map(|()| page.next_page_token)
    })
    .await?;
    export.end()
}

fn told(entry: TimelineEntry) -> Option<Interaction> {
    match entry.what? {
        What::Interaction(one) => Some(one),
        What::Redemption(_) | What::Consent(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use tandem_proto::relationship::v1::RecordFailure;

    use super::*;

    #[test]
    fn answers_are_counted_over_the_whole_stream_and_refusals_by_their_row_in_it() {
        let (sent, sizes) = channel();
        let mut sum = Sum { sizes, created: 0, known: 0, done: 0 };
        let mut told = |rows: usize, created: i32, known: i32, failed: &[i32]| {
            sent.send(rows).unwrap();
            let failure = |index: &i32| RecordFailure { index: *index, ..RecordFailure::default() };
            let failures = failed.iter().map(failure).collect();
            let told = sum.with(StreamInteractionsResponse { created, known, failures }).unwrap();
            (told.done, told.counts, told.failures.into_iter().map(|(row, _)| row).collect::<Vec<_>>())
        };
        assert_eq!(told(1_000, 998, 0, &[0, 999]), (1_000, vec![998, 0], vec![0, 999]));
        assert_eq!(told(3, 1, 1, &[2]), (1_003, vec![999, 1], vec![1_002]));
        let stray = sum.with(StreamInteractionsResponse::default()).unwrap_err();
        assert_eq!(stray.code(), tonic::Code::DataLoss);
    }
}
