//! From what was sent to what is kept: one spelling for each address, and every violation at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tandem_kernel::period::{Date, Zone};
use tandem_kernel::problem::Problem;

use super::{MAX_ATTRIBUTES, MAX_TAGS, Profile};

const MAX_DISPLAY_NAME: usize = 200;
const MAX_EMAIL: usize = 320;
const MAX_LOCALE: usize = 35;
const MAX_ATTRIBUTE_KEY_BYTES: usize = 64;
const MAX_ATTRIBUTE_BYTES: usize = 256;
const MAX_TAG: usize = 64;

/// A profile as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Up to 200 characters.
    pub display_name: String,
    /// Up to 320 characters.
    pub email: String,
    /// E.164; spaces and the usual separators may stand in it.
    pub phone: String,
    /// BCP 47.
    pub locale: String,
    /// IANA.
    pub time_zone: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Comes back each year.
    pub birthday: Option<Date>,
    /// Up to 64 entries, keys up to 64 and values up to 256 bytes.
    pub attributes: BTreeMap<String, String>,
    /// Up to 64, each up to 64 characters.
    pub tags: Vec<String>,
    /// When the relationship began.
    pub since: Option<Timestamp>,
}

impl Draft {
    /// The normalised profile, or everything that is wrong with the draft. Fields are named as in the contract.
    pub fn profile(self) -> Result<Profile, Vec<Problem>> {
        let mut problems = Vec::new();
        let profile = {
            let mut take = |field: &str, result: Result<String, String>| {
                result.unwrap_or_else(|message| {
                    problems.push(Problem::new(field, message));
                    String::new()
                })
            };
            Profile {
                display_name: take("display_name", line(self.display_name, MAX_DISPLAY_NAME)),
                email: take("email", email(&self.email)),
                phone: take("phone", phone(&self.phone)),
                locale: take("locale", locale(&self.locale)),
                time_zone: take("time_zone", zone(&self.time_zone)),
                country: take("country", country(&self.country)),
                ..Profile::default()
            }
        };
        check_attributes(&self.attributes, &mut problems);
        let tags = tags(self.tags, &mut problems);
        if problems.is_empty() {
            Ok(Profile {
                birthday: self.birthday,
                attributes: self.attributes,
                tags,
                since: self.since,
                ..profile
            })
        } else {
            Err(problems)
        }
    }
}

/// A text of one line: at most `most` characters, no control characters.
fn line(text: String, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        return Err(format!("must have at most {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    Ok(text)
}

/// The local part stays as it is: only its own server knows whether its case matters.
fn email(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let wrong = || "must be an e-mail address of at most 320 characters: local@domain".to_owned();
    let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control())
    };
    if !plain(local) || !plain(domain) || text.chars().count() > MAX_EMAIL {
        return Err(wrong());
    }
    Ok(format!("{local}@{}", domain.to_lowercase()))
}

fn phone(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    if digits.is_empty() && text.trim().is_empty() {
        return Ok(String::new());
    }
    let number = digits.strip_prefix('+').unwrap_or_default();
    let first = number.bytes().next().unwrap_or(b'0');
    if number.bytes().all(|b| b.is_ascii_digit())
        && (b'1'..=b'9').contains(&first)
        && (7..=15).contains(&number.len())
    {
        Ok(digits)
    } else {
        Err("must be E.164: + and 7 to 15 digits, the first of them not 0".to_owned())
    }
}

/// Language in small letters, script capitalised, region in capitals, the rest in small letters.
fn locale(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let wrong = || "must be a BCP 47 language tag, like de-AT".to_owned();
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    if !letters(language) || !(2..=8).contains(&language.len()) || text.len() > MAX_LOCALE {
        return Err(wrong());
    }
    let mut tag = language.to_ascii_lowercase();
    for part in parts {
        if !(1..=8).contains(&part.len()) || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(wrong());
        }
        tag.push('-');
        match part.len() {
            2 if letters(part) => tag.push_str(&part.to_ascii_uppercase()),
            4 if letters(part) => {
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            _ => tag.push_str(&part.to_ascii_lowercase()),
        }
    }
    Ok(tag)
}

fn zone(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    Zone::new(text).map(|zone| zone.name().to_owned()).map_err(|error| error.to_string())
}

fn country(text: &str) -> Result<String, String> {
    match text.as_bytes() {
        [] => Ok(String::new()),
        [one, two] if one.is_ascii_alphabetic() && two.is_ascii_alphabetic() => Ok(text.to_ascii_uppercase()),
        _ => Err("must be an ISO 3166-1 alpha-2 code, like AT".to_owned()),
    }
}

fn check_attributes(attributes: &BTreeMap<String, String>, problems: &mut Vec<Problem>) {
    if attributes.len() > MAX_ATTRIBUTES {
        problems.push(Problem::new("attributes", format!("must have at most {MAX_ATTRIBUTES} entries")));
    }
    for (key, value) in attributes.iter().take(MAX_ATTRIBUTES) {
        let field =
            || format!("attributes[{:?}]", key.chars().take(MAX_ATTRIBUTE_KEY_BYTES).collect::<String>());
        if key.is_empty() || key.len() > MAX_ATTRIBUTE_KEY_BYTES || key.contains('\0') {
            problems.push(Problem::new(
                field(),
                format!("the key must have 1 to {MAX_ATTRIBUTE_KEY_BYTES} bytes"),
            ));
        }
        if value.len() > MAX_ATTRIBUTE_BYTES || value.contains('\0') {
            problems.push(Problem::new(
                field(),
                format!("the value must have at most {MAX_ATTRIBUTE_BYTES} bytes"),
            ));
        }
    }
}

fn tags(mut tags: Vec<String>, problems: &mut Vec<Problem>) -> Vec<String> {
    if tags.len() > MAX_TAGS {
        problems.push(Problem::new("tags", format!("must have at most {MAX_TAGS} entries")));
    }
    for (index, tag) in tags.iter().take(MAX_TAGS).enumerate() {
        if tag.is_empty() || tag.chars().count() > MAX_TAG || tag.chars().any(char::is_control) {
            problems
                .push(Problem::new(format!("tags[{index}]"), format!("must have 1 to {MAX_TAG} characters")));
        }
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}
