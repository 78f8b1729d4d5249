//! `tandem consents record`, `confirm`, `token` and `unsubscribe`: what people say, and their links.

use clap::{Args, ValueEnum};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{
    ConfirmConsentRequest, Consent, ConsentProof, ConsentState, IssueUnsubscribeTokenRequest, LegalBasis,
    RecordConsentRequest, UnsubscribeRequest,
};

use super::{Channel, channel, said};
use crate::connect::Target;
use crate::failure::Failure;
use crate::name;
use crate::output::{self, Format};

/// Arguments of `tandem consents record`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem consents record 7 --purpose newsletter --channel email --state pending --text 2026-01 --source web-form
  tandem consents record 7 --purpose all --channel all --state withdrawn --source call-centre")]
pub struct Record {
    /// The customer: `7` or `customers/7`.
    customer: String,
    /// What for, a short word: `newsletter`; `all` of what refuses.
    #[arg(long)]
    purpose: String,
    /// By what.
    #[arg(long, value_enum)]
    channel: Channel,
    /// What they said.
    #[arg(long, value_enum)]
    state: State,
    /// What a grant rests on.
    #[arg(long, value_enum, default_value_t = Basis::Consent)]
    basis: Basis,
    /// Which text they saw.
    #[arg(long, default_value = "")]
    text: String,
    /// Where they said it.
    #[arg(long)]
    source: String,
    /// Where what shows it can be looked up.
    #[arg(long, default_value = "")]
    proof: String,
    /// When they said it; default: now.
    #[arg(long, value_name = "MOMENT")]
    time: Option<String>,
    /// When it ends; default: a grant never, a link after 7 days.
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
}

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Yes.
    Granted,
    /// No.
    Denied,
    /// No more.
    Withdrawn,
    /// They are asked, by a link.
    Pending,
}

/// What a grant rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Basis {
    /// The person said so.
    Consent,
    /// Needed to do what was agreed.
    Contract,
    /// The sender's interest outweighs.
    LegitimateInterest,
    /// A law demands it.
    LegalObligation,
}

/// Arguments of `tandem consents confirm`.
#[derive(Debug, Args)]
pub struct Confirm {
    /// From the link.
    token: String,
    /// The IP address that opened it.
    #[arg(long, default_value = "")]
    client_address: String,
    /// The program that opened it.
    #[arg(long, default_value = "")]
    user_agent: String,
}

/// Arguments of `tandem consents token`.
#[derive(Debug, Args)]
pub struct Token {
    /// The customer: `7` or `customers/7`.
    customer: String,
    /// What for, or `all`.
    #[arg(long)]
    purpose: String,
    /// By what: email, sms, phone or whatsapp.
    #[arg(long, value_enum)]
    channel: Channel,
}

/// Arguments of `tandem consents unsubscribe`.
#[derive(Debug, Args)]
pub struct Unsubscribe {
    /// From the link or the header.
    token: String,
}

impl State {
    fn of(self) -> ConsentState {
        match self {
            Self::Granted => ConsentState::Granted,
            Self::Denied => ConsentState::Denied,
            Self::Withdrawn => ConsentState::Withdrawn,
            Self::Pending => ConsentState::Pending,
        }
    }

    fn grants(self) -> bool {
        matches!(self, Self::Granted | Self::Pending)
    }
}

impl Basis {
    fn of(self) -> LegalBasis {
        match self {
            Self::Consent => LegalBasis::Consent,
            Self::Contract => LegalBasis::Contract,
            Self::LegitimateInterest => LegalBasis::LegitimateInterest,
            Self::LegalObligation => LegalBasis::LegalObligation,
        }
    }
}

fn moment(flag: &str, text: &Option<String>) -> Result<Option<prost_types::Timestamp>, Failure> {
    let read = |text: &String| text.parse().map(to_timestamp).map_err(|error| Failure::at(flag, error));
    text.as_ref().map(read).transpose()
}

/// Takes down what somebody said.
pub async fn record(arguments: Record, target: &Target, format: Format) -> Result<(), Failure> {
    let basis = if arguments.state.grants() { arguments.basis.of() } else { LegalBasis::Unspecified };
    let proof = ConsentProof { reference: arguments.proof, ..ConsentProof::default() };
    let consent = Consent {
        customer: name::full("customers", &arguments.customer),
        purpose: arguments.purpose,
        channel: arguments.channel.into(),
        state: arguments.state.of().into(),
        legal_basis: basis.into(),
        text_version: arguments.text,
        source: arguments.source,
        proof: Some(proof),
        time: moment("--time", &arguments.time)?,
        expire_time: moment("--until", &arguments.until)?,
        ..Consent::default()
    };
    let request = RecordConsentRequest { consent: Some(consent), request_id: String::new() };
    let answer = target.consents().await?.record_consent(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.RecordConsentResponse", &answer)?)
        }
        Format::Table => {
            let consent = answer.consent.unwrap_or_default();
            let late = if answer.superseded { "; something newer is known, and holds" } else { "" };
            println!(
                "{}: {} by {}{late}",
                said(consent.state()),
                consent.purpose,
                channel(consent.channel())
            );
            if !answer.token.is_empty() {
                println!("{}", answer.token);
            }
        }
    }
    Ok(())
}

/// Takes a link that was opened.
pub async fn confirm(arguments: Confirm, target: &Target, format: Format) -> Result<(), Failure> {
    let Confirm { token, client_address, user_agent } = arguments;
    let proof = Some(ConsentProof { client_address, user_agent, ..ConsentProof::default() });
    let request = ConfirmConsentRequest { token, proof, request_id: String::new() };
    let answer = target.consents().await?.confirm_consent(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.ConfirmConsentResponse", &answer)?)
        }
        Format::Table => {
            let consent = answer.consent.unwrap_or_default();
            println!(
                "granted: {} by {} for {}",
                consent.purpose,
                channel(consent.channel()),
                consent.customer
            );
        }
    }
    Ok(())
}

/// Prints the token of an unsubscribe.
pub async fn token(arguments: Token, target: &Target, format: Format) -> Result<(), Failure> {
    let request = IssueUnsubscribeTokenRequest {
        customer: name::full("customers", &arguments.customer),
        purpose: arguments.purpose,
        channel: arguments.channel.into(),
    };
    let answer = target.consents().await?.issue_unsubscribe_token(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.IssueUnsubscribeTokenResponse", &answer)?)
        }
        Format::Table => println!("{}", answer.token),
    }
    Ok(())
}

/// Takes an unsubscribe.
pub async fn unsubscribe(arguments: Unsubscribe, target: &Target, format: Format) -> Result<(), Failure> {
    let request = UnsubscribeRequest { token: arguments.token, request_id: String::new() };
    let answer = target.consents().await?.unsubscribe(request).await?.into_inner();
    match format {
        Format::Json => println!("{}", output::json("tandem.relationship.v1.UnsubscribeResponse", &answer)?),
        Format::Table => {
            let row = answer.suppression.unwrap_or_default();
            println!("unsubscribed: {} by {}", row.purpose, channel(row.channel()));
        }
    }
    Ok(())
}
