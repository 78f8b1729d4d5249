//! What messages will go by: who they come from, what delivers them, when nobody is written to and how often at most.
//!
//! - Every part is checked and kept as it is meant; what messages make of it is theirs.
//! - A password or a key is never here: it is named, and only what the operator has put there for tenants can be
//!   ([`SecretName`]). Else a tenant could name the key that seals quotes, and have it sent to a server of its own.

use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use tandem_kernel::period::Recurrence;
use tandem_kernel::{email, phone};

/// Where variables for tenants begin.
const VARIABLE: &str = "TANDEM_SECRET_";
/// Where files for tenants are.
const FOLDER: &str = "/run/secrets/";
/// The longest name of a sender of text messages.
const MAX_SENDER_NAME: usize = 11;

/// By what a message reaches somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Push message of an app.
    Push,
}

/// Who messages come from. What is empty is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Of e-mails.
    pub email: String,
    /// Beside it.
    pub display_name: String,
    /// Where answers to e-mails go.
    pub reply_to: String,
    /// Of text messages: a number or a name.
    pub sms: String,
}

/// What delivers messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Chosen by the tenant.
    pub id: String,
    /// What it delivers.
    pub channel: Channel,
    /// Where it is.
    pub endpoint: String,
    /// By which name one logs in, or empty.
    pub user: String,
    /// Where the password or the key is.
    pub secret: Option<SecretName>,
}

/// The name of a secret, never the secret: `env:TANDEM_SECRET_SMTP`, `file:/run/secrets/smtp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretName(String);

/// Each day `[start, end)` by the clock on the wall, perhaps over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// Inclusive, to the minute.
    pub start: Time,
    /// Exclusive, another one.
    pub end: Time,
    /// What becomes of a message whose time that is.
    pub action: QuietAction,
}

/// What becomes of a message in quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QuietAction {
    /// It waits for their end.
    Hold,
    /// It is never sent.
    Cancel,
}

/// So many messages at most within a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrequencyCap {
    /// To one person, and to one address.
    pub max_messages: u32,
    /// Within which time.
    pub window: CapWindow,
    /// What counts.
    pub counts: Counts,
}

/// Within which time messages count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CapWindow {
    /// So many seconds before the message.
    Rolling(u32),
    /// The day, week, month or year in the person's zone.
    Calendar(Recurrence),
}

/// Which messages count, and are held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Counts {
    /// Every one.
    All,
    /// Those by this channel.
    Channel(Channel),
    /// Those of this class, as the tenant calls it.
    Class(String),
}

impl SecretName {
    /// Reads the name of a secret.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let named = match text.split_once(':') {
            Some(("env", variable)) => variable.strip_prefix(VARIABLE).is_some_and(is_variable),
            Some(("file", path)) => path.strip_prefix(FOLDER).is_some_and(is_below),
            _ => false,
        };
        let expected = "must name a secret, env:TANDEM_SECRET_… or file:/run/secrets/…, and never be one";
        if named { Ok(Self(text.to_owned())) } else { Err(expected) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

fn is_variable(rest: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !rest.is_empty() && rest.bytes().all(known)
}

/// Whether a path stays below the folder it begins in.
fn is_below(rest: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    rest.split('/').all(|part| !["", ".", ".."].contains(&part) && part.bytes().all(known))
}

/// Who text messages come from, as it is kept: a number in E.164, or a name.
///
/// # Errors
/// What it must be.
pub fn sms_sender(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if let Ok(number) = phone::canonical(text, None) {
        return Ok(number);
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b' ';
    let is_name = (1..=MAX_SENDER_NAME).contains(&text.len())
        && text.bytes().all(known)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let expected = "must be a number in E.164, such as +436601234567, or 1 to 11 letters, digits and spaces, a letter among them";
    if is_name { Ok(text.to_owned()) } else { Err(expected) }
}

/// An address of e-mail as it is kept; empty is none.
///
/// # Errors
/// What it must be.
pub fn mailbox(text: &str) -> Result<String, email::NoEmail> {
    if text.trim().is_empty() { Ok(String::new()) } else { email::canonical(text) }
}

/// Where a provider of this channel is.
///
/// # Errors
/// What it must be.
pub fn check_endpoint(channel: Channel, endpoint: &str) -> Result<(), &'static str> {
    let expected = match channel {
        Channel::Email => {
            "must be smtps://host:port, smtp://host:port or https://host/path, without user, password and query"
        }
        Channel::Sms | Channel::Push => "must be https://host/path, without user, password and query",
    };
    let uri: http::Uri = endpoint.parse().map_err(|_| expected)?;
    let is_mail = channel == Channel::Email && uri.path().trim_matches('/').is_empty();
    let scheme_fits = match uri.scheme_str() {
        Some("https") => true,
        Some("smtp" | "smtps") => is_mail,
        _ => false,
    };
    let plain =
        uri.authority().is_some_and(|place| !place.host().is_empty() && !place.as_str().contains('@'));
    if scheme_fits && plain && uri.query().is_none() { Ok(()) } else { Err(expected) }
}

/// "HH:MM".
pub fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !two(hour) || !two(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// As "HH:MM".
pub fn time_text(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}
