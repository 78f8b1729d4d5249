//! `tandem consents suppress`, `suppressions` and `clear`: addresses that are not written to.

use clap::{Args, ValueEnum};
use tandem_proto::relationship::v1::{
    ClearSuppressionRequest, ContactAddress, ListSuppressionsRequest, SuppressRequest, Suppression,
    SuppressionReason, contact_address,
};

use super::{Channel, channel, word};
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// An address.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Address {
    /// An e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// A telephone number with its country code.
    #[arg(long)]
    phone: Option<String>,
    /// The token of a device.
    #[arg(long)]
    device: Option<String>,
}

/// Arguments of `tandem consents suppress`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem consents suppress --email ada@example.org --reason bounce
  tandem consents suppress --email ada@example.org --reason unsubscribe --purpose newsletter")]
pub struct Suppress {
    #[command(flatten)]
    address: Address,
    /// By what; default: by everything that the address has.
    #[arg(long, value_enum, default_value_t = Channel::All)]
    channel: Channel,
    /// Why.
    #[arg(long, value_enum)]
    reason: Reason,
    /// What for, of an unsubscribe; default: for everything.
    #[arg(long, default_value = "all")]
    purpose: String,
    /// What is to be said of it. Not the address.
    #[arg(long, default_value = "")]
    note: String,
}

/// Arguments of `tandem consents suppressions`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    address: Address,
}

/// Arguments of `tandem consents clear`.
#[derive(Debug, Args)]
#[command(after_help = "An unsubscribe is lifted by an opt-in with proof and by nothing else.

Example:
  tandem consents clear --email ada@example.org --reason bounce --note 'the mailbox is back'")]
pub struct Clear {
    #[command(flatten)]
    address: Address,
    /// By what; default: by everything that the address has.
    #[arg(long, value_enum, default_value_t = Channel::All)]
    channel: Channel,
    /// Of what is lifted, as often as needed.
    #[arg(long = "reason", value_enum, required = true)]
    reasons: Vec<Reason>,
    /// Why it is lifted. Not the address.
    #[arg(long)]
    note: String,
}

/// Why an address is suppressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reason {
    /// There is no such mailbox.
    Bounce,
    /// Somebody there called a message spam.
    Complaint,
    /// By hand.
    Manual,
    /// Somebody there wants no more.
    Unsubscribe,
}

impl From<Reason> for i32 {
    fn from(reason: Reason) -> Self {
        let of = match reason {
            Reason::Bounce => SuppressionReason::Bounce,
            Reason::Complaint => SuppressionReason::Complaint,
            Reason::Manual => SuppressionReason::Manual,
            Reason::Unsubscribe => SuppressionReason::Unsubscribe,
        };
        of.into()
    }
}

impl Address {
    fn given(self) -> Option<ContactAddress> {
        let email = self.email.map(contact_address::Address::Email);
        let phone = self.phone.map(contact_address::Address::Phone);
        let device = self.device.map(contact_address::Address::Device);
        let address = email.or(phone).or(device)?;
        Some(ContactAddress { address: Some(address) })
    }
}

/// Suppresses an address.
pub async fn suppress(arguments: Suppress, target: &Target, format: Format) -> Result<(), Failure> {
    let request = SuppressRequest {
        address: arguments.address.given(),
        channel: arguments.channel.into(),
        purpose: arguments.purpose,
        reason: arguments.reason.into(),
        note: arguments.note,
        ..SuppressRequest::default()
    };
    let answer = target.consents().await?.suppress(request).await?.into_inner();
    match format {
        Format::Json => println!("{}", output::json("tandem.relationship.v1.SuppressResponse", &answer)?),
        Format::Table => show(&answer.suppressions),
    }
    Ok(())
}

/// Lists suppressions.
pub async fn list(arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    let mut client = target.consents().await?;
    let mut request = ListSuppressionsRequest { address: arguments.address.given(), ..Default::default() };
    let mut rows = Vec::new();
    loop {
        let page = client.list_suppressions(request.clone()).await?.into_inner();
        match format {
            Format::Json => {
                println!("{}", output::json("tandem.relationship.v1.ListSuppressionsResponse", &page)?);
            }
            Format::Table => rows.extend(page.suppressions),
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if format == Format::Table {
        show(&rows);
    }
    Ok(())
}

/// Lifts suppressions by hand.
pub async fn clear(arguments: Clear, target: &Target, format: Format) -> Result<(), Failure> {
    let request = ClearSuppressionRequest {
        address: arguments.address.given(),
        channel: arguments.channel.into(),
        reasons: arguments.reasons.into_iter().map(Into::into).collect(),
        note: arguments.note,
        request_id: String::new(),
    };
    let answer = target.consents().await?.clear_suppression(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.ClearSuppressionResponse", &answer)?)
        }
        Format::Table => show(&answer.suppressions),
    }
    Ok(())
}

fn show(rows: &[Suppression]) {
    let mut table =
        output::table(["address (hash)", "channel", "purpose", "reason", "since", "lifted", "note"]);
    for row in rows {
        table.add_row([
            row.address_hash.clone(),
            channel(row.channel()),
            row.purpose.clone(),
            word(row.reason().as_str_name(), "SUPPRESSION_REASON_"),
            output::time(row.suppress_time.as_ref()),
            output::time(row.clear_time.as_ref()),
            row.note.clone(),
        ]);
    }
    println!("{table}");
}
