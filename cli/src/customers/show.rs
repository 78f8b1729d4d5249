//! `tandem customers show`: a customer on one page.

use clap::Args;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tandem_proto::relationship::v1::{
    GetRelationshipRequest, ListInteractionsRequest, ListVouchersRequest, Relationship, TimelineEntry,
    Voucher,
};

use super::contact;
use super::standing;
use crate::connect::Target;
use crate::failure::Failure;
use crate::interactions::timeline;
use crate::output::{self, Format};
use crate::setup::browse;
use crate::setup::text::yaml;
use crate::{money, name};

/// Arguments of `tandem customers show`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is known of them; the stage of the journey, since when and why; recency, frequency and value; codes that
they can use; whether one may write to them, and why not, by purpose and channel; and the last of their timeline. With --output
json one document: customer, relationship, vouchers and timeline, each as the contract has it.

Examples:
  tandem customers show 7
  tandem --output json customers show 7 | jq .relationship.stage"
)]
pub struct Show {
    /// The customer: `7` or `customers/7`.
    customer: String,
}

/// Lines of the timeline, and codes, that the page shows.
const LINES: usize = 10;
/// Pages that are asked for to find so many codes.
const PAGES: usize = 10;
/// Codes that can be used: others have no place on it.
const USABLE: &str = "voucher.state == 'ACTIVE'";

/// All that is on the page.
struct Page {
    customer: DynamicMessage,
    relationship: Relationship,
    vouchers: Vec<Voucher>,
    timeline: Vec<TimelineEntry>,
}

/// Shows it.
pub async fn run(arguments: Show, target: &Target, format: Format) -> Result<(), Failure> {
    let name = name::full("customers", &arguments.customer);
    let page = page(&name, target).await?;
    match format {
        Format::Json => println!("{}", page.json()?),
        Format::Table => page.print()?,
    }
    Ok(())
}

/// Prints the page of the customer of this name.
pub async fn print(name: &str, target: &Target) -> Result<(), Failure> {
    page(name, target).await?.print()
}

async fn page(name: &str, target: &Target) -> Result<Page, Failure> {
    let customer = browse::customer(name, target).await?;
    let standing = GetRelationshipRequest { customer: name.to_owned(), guest_key: String::new() };
    let standing = target.relationships().await?.get_relationship(standing).await?.into_inner();
    let happened =
        ListInteractionsRequest { customer: name.to_owned(), ..ListInteractionsRequest::default() };
    Ok(Page {
        customer,
        relationship: standing.relationship.unwrap_or_default(),
        vouchers: usable(name, target).await?,
        timeline: timeline::entries(target, happened, LINES).await?,
    })
}

/// The first codes of a customer that can be used.
async fn usable(customer: &str, target: &Target) -> Result<Vec<Voucher>, Failure> {
    let mut client = target.vouchers().await?;
    let mut request = ListVouchersRequest {
        customer: customer.to_owned(),
        filter: USABLE.to_owned(),
        ..ListVouchersRequest::default()
    };
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page = client.list_vouchers(request.clone()).await?.into_inner();
        found.extend(page.vouchers);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() || found.len() >= LINES {
            break;
        }
    }
    found.truncate(LINES);
    Ok(found)
}

impl Page {
    fn json(&self) -> Result<Value, Failure> {
        let of = |name: &str| format!("tandem.relationship.v1.{name}");
        let entry = |entry| output::value(&of("TimelineEntry"), entry);
        let voucher = |voucher| output::value(&of("Voucher"), voucher);
        Ok(json!({
            "customer": output::value(&of("Customer"), &self.customer)?,
            "relationship": output::value(&of("Relationship"), &self.relationship)?,
            "vouchers": self.vouchers.iter().map(voucher).collect::<Result<Vec<_>, _>>()?,
            "timeline": self.timeline.iter().map(entry).collect::<Result<Vec<_>, _>>()?,
        }))
    }

    fn print(&self) -> Result<(), Failure> {
        print!("{}", yaml(&self.customer)?);
        for (name, value) in standing::lines(&self.relationship) {
            println!("{name:<14}{value}");
        }
        if !self.vouchers.is_empty() {
            println!("\n{}", codes(&self.vouchers));
        }
        println!("\n{}", contact::table(&self.relationship.contacts));
        if !self.timeline.is_empty() {
            println!("\n{}", timeline::table(&self.timeline));
        }
        Ok(())
    }
}

fn codes(vouchers: &[Voucher]) -> comfy_table::Table {
    let mut table = output::table(["code they can use", "of", "left on it", "until"]);
    output::right(&mut table, &[2]);
    for one in vouchers {
        let left = one.balance.as_ref().map(|left| money::show(Some(left))).unwrap_or_default();
        let until = output::time(one.expire_time.as_ref());
        table.add_row([one.code.clone(), one.incentive.clone(), left, until]);
    }
    table
}
