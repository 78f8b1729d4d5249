//! `tandem interactions record`: tell of something by hand.

use clap::Args;
use tandem_kernel::clock::{Clock, SystemClock};
use tandem_proto::relationship::v1::{Interaction, Rating, RecordInteractionsRequest};

use super::kind::Kind;
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{money, name, order, request_id};

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

/// Tells of it.
pub async fn run(arguments: Record, target: &Target, format: Format) -> Result<(), Failure> {
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
    let at = arguments.at.unwrap_or_else(|| SystemClock.now());
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

/// `1..5`.
pub fn scale(text: &str) -> Result<(i32, i32), String> {
    let wrong = || format!("`{text}` is no scale: write 1..5");
    let (lowest, highest) = text.split_once("..").ok_or_else(wrong)?;
    Ok((lowest.parse().map_err(|_| wrong())?, highest.parse().map_err(|_| wrong())?))
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no =: write key=value"))?;
    Ok((key.to_owned(), value.to_owned()))
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
