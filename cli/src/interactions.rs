//! `tandem interactions`: tell of something by hand, and read a timeline.

use clap::{Args, Subcommand, ValueEnum};
use tandem_proto::relationship::v1::{
    Interaction, InteractionType, ListInteractionsRequest, Rating, RecordInteractionsRequest, TimelineEntry,
    timeline_entry::What,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{money, name, order, request_id};

/// What to do with interactions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell of one.
    Record(Box<Record>),
    /// What somebody did and what was done for them, newest first.
    List(List),
}

/// Arguments of `tandem interactions record`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem interactions record --customer 7 --type visit --medium email
  tandem interactions record --customer 7 --type order --order 1001 --amount '59.90 EUR' --at 2026-03-01T10:00:00Z
  tandem interactions record --customer 7 --type review --product 42 --rating 4 --scale 1..5")]
pub struct Record {
    /// What happened.
    #[arg(long = "type", value_enum)]
    kind: Kind,
    /// To whom: `7` or `customers/7`.
    #[arg(long, default_value = "", required_unless_present = "guest")]
    customer: String,
    /// To which guest, by the key.
    #[arg(long, default_value = "", conflicts_with = "customer")]
    guest: String,
    /// When; default: now.
    #[arg(long)]
    at: Option<jiff::Timestamp>,
    /// What makes it the same when it is told again; default: a fresh id.
    #[arg(long)]
    event_id: Option<String>,
    /// Of an order, a return, a payment or a basket: `59.90 EUR`.
    #[arg(long, value_parser = money::read)]
    amount: Option<tandem_proto::common::v1::Money>,
    /// The checkout's own id of the order it is about.
    #[arg(long, default_value = "")]
    order: String,
    /// The product it is about.
    #[arg(long, default_value = "")]
    product: String,
    /// By what medium it came.
    #[arg(long, default_value = "")]
    medium: String,
    /// Where.
    #[arg(long, default_value = "")]
    place: String,
    /// Of a review or an answer: a number on the scale.
    #[arg(long, requires = "scale", allow_negative_numbers = true)]
    rating: Option<i32>,
    /// The scale of the rating, the worst first.
    #[arg(long, requires = "rating", value_parser = scale, value_name = "1..5", allow_hyphen_values = true)]
    scale: Option<(i32, i32)>,
    /// Anything else: `key=value`; may be given more than once.
    #[arg(long = "attribute", value_parser = attribute, value_name = "KEY=VALUE")]
    attributes: Vec<(String, String)>,
}

/// Arguments of `tandem interactions list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem interactions list --customer 7
  tandem interactions list --customer 7 --type order --type return")]
pub struct List {
    /// Whose: `7` or `customers/7`.
    #[arg(long, default_value = "", required_unless_present = "guest")]
    customer: String,
    /// Of which guest, by the key.
    #[arg(long, default_value = "", conflicts_with = "customer")]
    guest: String,
    /// Only these; may be given more than once.
    #[arg(long = "type", value_enum)]
    types: Vec<Kind>,
    /// Only what happened at this time or later.
    #[arg(long)]
    from: Option<jiff::Timestamp>,
    /// Only what happened before.
    #[arg(long)]
    until: Option<jiff::Timestamp>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// What happened, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Visit,
    Basket,
    Order,
    Payment,
    Delivery,
    Return,
    Support,
    Review,
    MessageOpen,
    MessageClick,
    Reply,
    SurveyAnswer,
    Custom,
}

impl Kind {
    fn wire(self) -> InteractionType {
        match self {
            Self::Visit => InteractionType::Visit,
            Self::Basket => InteractionType::Basket,
            Self::Order => InteractionType::Order,
            Self::Payment => InteractionType::Payment,
            Self::Delivery => InteractionType::Delivery,
            Self::Return => InteractionType::Return,
            Self::Support => InteractionType::Support,
            Self::Review => InteractionType::Review,
            Self::MessageOpen => InteractionType::MessageOpen,
            Self::MessageClick => InteractionType::MessageClick,
            Self::Reply => InteractionType::Reply,
            Self::SurveyAnswer => InteractionType::SurveyAnswer,
            Self::Custom => InteractionType::Custom,
        }
    }
}

fn scale(text: &str) -> Result<(i32, i32), String> {
    let wrong = || format!("`{text}` is no scale: write 1..5");
    let (lowest, highest) = text.split_once("..").ok_or_else(wrong)?;
    Ok((lowest.parse().map_err(|_| wrong())?, highest.parse().map_err(|_| wrong())?))
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no =: write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Record(arguments) => record(*arguments, target, format).await,
        Command::List(arguments) => list(arguments, target, format).await,
    }
}

async fn record(arguments: Record, target: &Target, format: Format) -> Result<(), Failure> {
    let request = RecordInteractionsRequest { interactions: vec![interaction(arguments)] };
    let answer = target.interactions().await?.record_interactions(request).await?.into_inner();
    let result = answer.results.into_iter().next().unwrap_or_default();
    if format == Format::Json {
        println!("{}", output::json("tandem.relationship.v1.RecordResult", &result)?);
    }
    let status = result.status.unwrap_or_default();
    match (status.code, result.created) {
        (0, true) if format == Format::Table => println!("recorded {}", result.event_id),
        (0, false) if format == Format::Table => println!("{} was recorded before", result.event_id),
        (0, _) => {}
        _ => return Err(Failure::said(status.message)),
    }
    Ok(())
}

fn interaction(arguments: Record) -> Interaction {
    let at = arguments.at.unwrap_or_else(now);
    let rating = arguments.rating.zip(arguments.scale);
    Interaction {
        event_id: arguments.event_id.unwrap_or_else(request_id::fresh),
        r#type: arguments.kind.wire().into(),
        event_time: Some(tandem_proto::convert::to_timestamp(at)),
        customer: name::optional("customers", &arguments.customer),
        guest_key: arguments.guest,
        amount: arguments.amount,
        order_id: if arguments.order.is_empty() { String::new() } else { order::id(&arguments.order) },
        product: name::optional("products", &arguments.product),
        medium: arguments.medium,
        place: arguments.place,
        rating: rating.map(|(value, (lowest, highest))| Rating { value, lowest, highest }),
        attributes: arguments.attributes.into_iter().collect(),
        ..Interaction::default()
    }
}

fn now() -> jiff::Timestamp {
    use tandem_kernel::clock::{Clock, SystemClock};
    SystemClock.now()
}

async fn list(arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    let moment = |at: Option<jiff::Timestamp>| at.map(tandem_proto::convert::to_timestamp);
    let request = ListInteractionsRequest {
        customer: name::optional("customers", &arguments.customer),
        guest_key: arguments.guest,
        types: arguments.types.into_iter().map(|kind| kind.wire().into()).collect(),
        start_time: moment(arguments.from),
        end_time: moment(arguments.until),
        ..ListInteractionsRequest::default()
    };
    let entries = timeline(target, request, arguments.limit).await?;
    match format {
        Format::Json => {
            for entry in &entries {
                println!("{}", output::json("tandem.relationship.v1.TimelineEntry", entry)?);
            }
        }
        Format::Table => println!("{}", table(&entries)),
    }
    Ok(())
}

/// At most so many entries of a timeline.
pub async fn timeline(
    target: &Target,
    mut request: ListInteractionsRequest,
    limit: usize,
) -> Result<Vec<TimelineEntry>, Failure> {
    let mut client = target.interactions().await?;
    let mut entries = Vec::new();
    loop {
        request.page_size = i32::try_from(limit - entries.len()).unwrap_or(i32::MAX);
        let page = client.list_interactions(request.clone()).await?.into_inner();
        entries.extend(page.entries);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || entries.len() >= limit {
            entries.truncate(limit);
            return Ok(entries);
        }
    }
}

/// A timeline as people read it.
pub fn table(entries: &[TimelineEntry]) -> comfy_table::Table {
    let mut table = output::table(["when", "what", "order", "amount", "about"]);
    output::right(&mut table, &[3]);
    for entry in entries {
        let when = output::time(entry.event_time.as_ref());
        let row = match &entry.what {
            Some(What::Interaction(one)) => [
                when,
                word(one),
                one.order_id.clone(),
                one.amount.as_ref().map_or_else(String::new, |amount| money::show(Some(amount))),
                about(one),
            ],
            Some(What::Redemption(one)) => [
                when,
                format!("CODE {}", one.state().as_str_name().trim_start_matches("REDEMPTION_STATE_")),
                one.order_id.clone(),
                money::show(one.amount.as_ref()),
                one.code.clone(),
            ],
            None => [when, String::new(), String::new(), String::new(), String::new()],
        };
        table.add_row(row);
    }
    table
}

fn word(one: &Interaction) -> String {
    let word = one.r#type().as_str_name().trim_start_matches("INTERACTION_TYPE_");
    if one.cancelled { format!("{word}, cancelled") } else { word.to_owned() }
}

fn about(one: &Interaction) -> String {
    let rating = one
        .rating
        .as_ref()
        .map(|rating| format!("{} of {}..{}", rating.value, rating.lowest, rating.highest));
    let returned = one.returned.as_ref().map(|back| format!("{} came back", money::show(Some(back))));
    let said = [&one.product, &one.medium, &one.place].into_iter().filter(|text| !text.is_empty()).cloned();
    let attributes = one.attributes.iter().map(|(key, value)| format!("{key}={value}"));
    rating.into_iter().chain(returned).chain(said).chain(attributes).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_has_a_worst_and_a_best() {
        assert_eq!(scale("1..5"), Ok((1, 5)));
        assert_eq!(scale("-5..5"), Ok((-5, 5)));
        for wrong in ["", "5", "1-5", "a..b"] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
        assert_eq!(attribute("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(attribute("a").is_err());
    }
}
