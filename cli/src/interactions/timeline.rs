//! `tandem interactions list`: what somebody did and what was done for them.

use clap::Args;
use tandem_proto::relationship::v1::{
    Interaction, ListInteractionsRequest, TimelineEntry, timeline_entry::What,
};

use super::kind::{self, Kind};
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{money, name};

/// Whose timeline, and what of it.
#[derive(Debug, Args)]
pub struct Whose {
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
}

impl Whose {
    /// As the contract asks for it, from the first page.
    pub fn request(self) -> ListInteractionsRequest {
        let moment = |at: Option<jiff::Timestamp>| at.map(tandem_proto::convert::to_timestamp);
        ListInteractionsRequest {
            customer: name::optional("customers", &self.customer),
            guest_key: self.guest,
            types: self.types.into_iter().map(|kind| kind.wire().into()).collect(),
            start_time: moment(self.from),
            end_time: moment(self.until),
            ..ListInteractionsRequest::default()
        }
    }
}

/// Arguments of `tandem interactions list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem interactions list --customer 7
  tandem interactions list --customer 7 --type order --type return")]
pub struct List {
    #[command(flatten)]
    of: Whose,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Shows a timeline.
pub async fn run(arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    let entries = entries(target, arguments.of.request(), arguments.limit).await?;
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
pub async fn entries(
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
            Some(What::Consent(one)) => [
                when,
                format!("CONSENT {}", one.state().as_str_name().trim_start_matches("CONSENT_STATE_")),
                String::new(),
                String::new(),
                format!("{} {}", one.purpose, one.channel().as_str_name().trim_start_matches("CHANNEL_")),
            ],
            None => [when, String::new(), String::new(), String::new(), String::new()],
        };
        table.add_row(row);
    }
    table
}

fn word(one: &Interaction) -> String {
    let word = kind::word(one.r#type());
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
