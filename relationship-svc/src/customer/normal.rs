//! From what was sent to what is kept: one spelling for each address, and every violation at once.

use std::collections::BTreeMap;

use tandem_kernel::period::Zone;
use tandem_kernel::problem::Problem;
use tandem_kernel::text;

use super::{MAX_ATTRIBUTES, MAX_TAGS, Profile};

const MAX_DISPLAY_NAME: usize = 200;
const MAX_EMAIL: usize = 320;
const MAX_LOCALE: usize = 35;
const MAX_ATTRIBUTE_KEY_BYTES: usize = 64;
const MAX_ATTRIBUTE_BYTES: usize = 256;
const MAX_TAG: usize = 64;

impl Profile {
    /// As it is kept; what is wrong with what was sent is added to `problems`. Fields are named as in the contract.
    #[must_use]
    pub fn normalised(mut self, problems: &mut Vec<Problem>) -> Self {
        let mut take = |field: &str, text: &mut String, read: fn(&str) -> Result<String, String>| {
            *text = read(text).unwrap_or_else(|message| {
                problems.push(Problem::new(field, message));
                String::new()
            });
        };
        take("display_name", &mut self.display_name, display_name);
        take("email", &mut self.email, email);
        take("phone", &mut self.phone, phone);
        take("locale", &mut self.locale, locale);
        take("time_zone", &mut self.time_zone, zone);
        take("country", &mut self.country, country);
        check_attributes(&self.attributes, problems);
        text::compose_map(&mut self.attributes);
        text::compose_all(&mut self.tags);
        self.tags = tags(self.tags, problems);
        self
    }
}

/// A text of one line.
fn display_name(text: &str) -> Result<String, String> {
    if text.chars().count() > MAX_DISPLAY_NAME {
        return Err(format!("must have at most {MAX_DISPLAY_NAME} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters".to_owned());
    }
    Ok(text.to_owned())
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
