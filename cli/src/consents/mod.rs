//! `tandem consents`: what people said, whom one may write to, and which addresses are never written to.

mod record;
mod suppress;

use clap::{Args, Subcommand, ValueEnum};
use tandem_proto::relationship::v1::{
    self, CheckContactRequest, Consent, ConsentState, ContactRefusal, ListConsentsRequest, SuppressionReason,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::name;
use crate::output::{self, Format};

/// What to do with consents.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What one customer said, newest first.
    List(List),
    /// Take down what a customer said; what is pending prints the token of its link.
    Record(record::Record),
    /// Take a link that was opened.
    Confirm(record::Confirm),
    /// May I write to this customer now, and why not.
    Check(Check),
    /// Have an address never written to again.
    Suppress(suppress::Suppress),
    /// The addresses that are not written to, as hashes, or those of one address.
    Suppressions(suppress::List),
    /// Lift a suppression by hand.
    Clear(suppress::Clear),
    /// Print the token with which a customer unsubscribes.
    Token(record::Token),
    /// Take an unsubscribe.
    Unsubscribe(record::Unsubscribe),
}

/// Arguments of `tandem consents list`.
#[derive(Debug, Args)]
pub struct List {
    /// The customer: `7` or `customers/7`.
    customer: String,
    /// Only what holds now.
    #[arg(long)]
    current: bool,
}

/// Arguments of `tandem consents check`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem consents check 7 --purpose newsletter --channel email")]
pub struct Check {
    /// The customer: `7` or `customers/7`.
    customer: String,
    /// What for: `newsletter`.
    #[arg(long)]
    purpose: String,
    /// By what.
    #[arg(long, value_enum)]
    channel: Channel,
    /// It serves an order or a request of theirs.
    #[arg(long)]
    transactional: bool,
}

/// By what somebody is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Channel {
    /// Every channel: only of what refuses or suppresses.
    All,
    /// To the e-mail address.
    Email,
    /// To the telephone number.
    Sms,
    /// To a device.
    Push,
    /// By letter.
    Post,
    /// A call.
    Phone,
    /// To the telephone number.
    Whatsapp,
}

impl From<Channel> for i32 {
    fn from(channel: Channel) -> Self {
        let of = match channel {
            Channel::All => v1::Channel::All,
            Channel::Email => v1::Channel::Email,
            Channel::Sms => v1::Channel::Sms,
            Channel::Push => v1::Channel::Push,
            Channel::Post => v1::Channel::Post,
            Channel::Phone => v1::Channel::Phone,
            Channel::Whatsapp => v1::Channel::Whatsapp,
        };
        of.into()
    }
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(arguments, target, format).await,
        Command::Record(arguments) => record::record(arguments, target, format).await,
        Command::Confirm(arguments) => record::confirm(arguments, target, format).await,
        Command::Check(arguments) => check(arguments, target, format).await,
        Command::Suppress(arguments) => suppress::suppress(arguments, target, format).await,
        Command::Suppressions(arguments) => suppress::list(arguments, target, format).await,
        Command::Clear(arguments) => suppress::clear(arguments, target, format).await,
        Command::Token(arguments) => record::token(arguments, target, format).await,
        Command::Unsubscribe(arguments) => record::unsubscribe(arguments, target, format).await,
    }
}

/// A word of an enum of the contract, as people read it.
fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase().replace('_', " ")
}

fn state(consent: &Consent) -> String {
    word(consent.state().as_str_name(), "CONSENT_STATE_")
}

/// A channel as people read it.
pub fn channel(channel: v1::Channel) -> String {
    word(channel.as_str_name(), "CHANNEL_")
}

async fn list(arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    let mut client = target.consents().await?;
    let mut request = ListConsentsRequest {
        customer: name::full("customers", &arguments.customer),
        current: arguments.current,
        ..ListConsentsRequest::default()
    };
    let mut table = output::table(["when", "purpose", "channel", "state", "source", "text", "until"]);
    loop {
        let page = client.list_consents(request.clone()).await?.into_inner();
        match format {
            Format::Json => {
                println!("{}", output::json("tandem.relationship.v1.ListConsentsResponse", &page)?);
            }
            Format::Table => page.consents.iter().for_each(|one| {
                table.add_row([
                    output::time(one.time.as_ref()),
                    one.purpose.clone(),
                    channel(one.channel()),
                    state(one),
                    one.source.clone(),
                    one.text_version.clone(),
                    output::time(one.expire_time.as_ref()),
                ]);
            }),
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if format == Format::Table {
        println!("{table}");
    }
    Ok(())
}

async fn check(arguments: Check, target: &Target, format: Format) -> Result<(), Failure> {
    let request = CheckContactRequest {
        customer: name::full("customers", &arguments.customer),
        purpose: arguments.purpose,
        channel: arguments.channel.into(),
        transactional: arguments.transactional,
    };
    let answer = target.consents().await?.check_contact(request).await?.into_inner();
    match format {
        Format::Json => println!("{}", output::json("tandem.relationship.v1.CheckContactResponse", &answer)?),
        Format::Table if answer.allowed => println!("yes"),
        Format::Table => println!("no: {}", why_not(answer.refusal(), answer.suppression())),
    }
    Ok(())
}

/// What forbids it.
pub fn why_not(refusal: ContactRefusal, suppression: SuppressionReason) -> String {
    let why = word(refusal.as_str_name(), "CONTACT_REFUSAL_");
    let of = word(suppression.as_str_name(), "SUPPRESSION_REASON_");
    if refusal == ContactRefusal::Suppressed { format!("{why}, {of}") } else { why }
}

/// What is said of consents when somebody records one.
fn said(state: ConsentState) -> &'static str {
    match state {
        ConsentState::Pending => "asked for",
        ConsentState::Granted => "granted",
        _ => "refused",
    }
}
