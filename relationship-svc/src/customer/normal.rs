//! From what was sent to what is kept: one spelling for each address, and every violation at once.

use std::collections::BTreeMap;

use tandem_kernel::country::Country;
use tandem_kernel::email;
use tandem_kernel::locale::Locale;
use tandem_kernel::period::Zone;
use tandem_kernel::phone::{self, PhoneError};
use tandem_kernel::problem::Problem;
use tandem_kernel::text;

use super::{MAX_ATTRIBUTES, MAX_TAGS, Profile};

const MAX_DISPLAY_NAME: usize = 200;
const MAX_ATTRIBUTE_KEY_BYTES: usize = 64;
const MAX_ATTRIBUTE_BYTES: usize = 256;
const MAX_TAG: usize = 64;

impl Profile {
    /// As it is kept; what is wrong with what was sent is added to `problems`. Fields are named as in the contract.
    #[must_use]
    pub fn normalised(mut self, problems: &mut Vec<Problem>) -> Self {
        let said = self.country.clone();
        let mut take = |field: &str, text: &mut String, read: fn(&str) -> Result<String, String>| {
            *text = read(text).unwrap_or_else(|message| {
                problems.push(Problem::new(field, message));
                String::new()
            });
        };
        take("display_name", &mut self.display_name, display_name);
        take("email", &mut self.email, email);
        take("locale", &mut self.locale, locale);
        take("time_zone", &mut self.time_zone, zone);
        take("country", &mut self.country, country);
        self.phone = phone(&self.phone, &said).unwrap_or_else(|error| {
            problems.push(Problem::new("phone", error.to_string()));
            String::new()
        });
        check_attributes(&self.attributes, problems);
        text::compose(&mut self.display_name);
        text::compose(&mut self.email);
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

fn email(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    email::canonical(text).map_err(|error| error.to_string())
}

fn locale(text: &str) -> Result<String, String> {
    Locale::parse(text).map(|locale| locale.tag().to_owned()).map_err(|error| error.to_string())
}

fn zone(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    Zone::new(text).map(|zone| zone.name().to_owned()).map_err(|error| error.to_string())
}

fn country(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    Country::new(text).map(|country| country.code().to_owned()).map_err(|error| error.to_string())
}

/// Of the country beside it, or of the one that is meant by what is none.
fn phone(text: &str, country: &str) -> Result<String, PhoneError> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let country = Country::new(country).map_or_else(|unknown| unknown.meant, Some);
    phone::canonical(text, country)
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
