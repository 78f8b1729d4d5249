//! The people the business has a relationship with.
//!
//! - Everything but the id may be missing. What is not known is empty.
//! - Addresses are kept normalised, so that the same person is found again: an e-mail trimmed, its domain in lower case;
//!   a phone in E.164; locale, country and zone in their canonical spelling.
//! - A zone that the time zone database does not know is refused: an unknown zone must never bypass quiet hours.
//! - A birthday has a month and a day and perhaps a year; 29 February is one in every year that is not known.
//! - The relationship began when it says so, else when the customer was created here.

pub mod commands;
pub mod events;
mod normal;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_kernel::period::Date;
use tandem_kernel::rule::{Fact, Fullness, Type, Vocabulary};

pub use normal::Draft;

/// The most attributes of one customer.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most tags of one customer.
pub const MAX_TAGS: usize = 64;
/// The most customers of one batch, and of one block of an import.
pub const MAX_BATCH: usize = 1_000;

/// One person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The id within the tenant.
    pub id: String,
    /// Ascending with every change, from 1.
    pub version: i64,
    /// What is known.
    pub profile: Profile,
    /// When it was created here.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// What is known of a person, normalised: made by [`Draft::profile`] only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// How people call them.
    pub display_name: String,
    /// Normalised, or empty.
    pub email: String,
    /// E.164, or empty.
    pub phone: String,
    /// BCP 47, or empty.
    pub locale: String,
    /// IANA, or empty.
    pub time_zone: String,
    /// ISO 3166-1 alpha-2, or empty.
    pub country: String,
    /// Comes back each year.
    pub birthday: Option<Date>,
    /// Facts for segments.
    pub attributes: BTreeMap<String, String>,
    /// Labels for segments, sorted, each once.
    pub tags: Vec<String>,
    /// When the relationship began, where it was said.
    pub since: Option<Timestamp>,
}

/// A field that an update can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `display_name`
    DisplayName,
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `locale`
    Locale,
    /// `time_zone`
    TimeZone,
    /// `country`
    Country,
    /// `birthday`
    Birthday,
    /// `attributes`
    Attributes,
    /// `tags`
    Tags,
    /// `since_time`
    Since,
}

impl Field {
    /// Every field by its name in the contract.
    pub const ALL: &[(&str, Self)] = &[
        ("display_name", Self::DisplayName),
        ("email", Self::Email),
        ("phone", Self::Phone),
        ("locale", Self::Locale),
        ("time_zone", Self::TimeZone),
        ("country", Self::Country),
        ("birthday", Self::Birthday),
        ("attributes", Self::Attributes),
        ("tags", Self::Tags),
        ("since_time", Self::Since),
    ];
}

impl Customer {
    /// A customer that did not exist before.
    pub fn new(id: String, profile: Profile, now: Timestamp) -> Self {
        Self { id, version: 1, profile, created: now, updated: now }
    }

    /// The customer with `fields` taken from `profile`.
    #[must_use]
    pub fn updated(mut self, fields: &[Field], profile: Profile, now: Timestamp) -> Self {
        let mut next = self.profile;
        for field in fields {
            match field {
                Field::DisplayName => next.display_name.clone_from(&profile.display_name),
                Field::Email => next.email.clone_from(&profile.email),
                Field::Phone => next.phone.clone_from(&profile.phone),
                Field::Locale => next.locale.clone_from(&profile.locale),
                Field::TimeZone => next.time_zone.clone_from(&profile.time_zone),
                Field::Country => next.country.clone_from(&profile.country),
                Field::Birthday => next.birthday = profile.birthday,
                Field::Attributes => next.attributes.clone_from(&profile.attributes),
                Field::Tags => next.tags.clone_from(&profile.tags),
                Field::Since => next.since = profile.since,
            }
        }
        self.profile = next;
        self.version += 1;
        self.updated = now;
        self
    }

    /// The resource name.
    pub fn name(&self) -> String {
        name(&self.id)
    }

    /// When the relationship began.
    pub fn since(&self) -> Timestamp {
        self.profile.since.unwrap_or(self.created)
    }
}

/// The resource name of a customer's id.
pub fn name(id: &str) -> String {
    tandem_kernel::id::name("customers", id)
}

/// What a rule over customers may read, in segments and in filters of lists alike.
pub fn vocabulary() -> Vocabulary {
    let size = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
    let kind = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("email", Type::Text),
        ("phone", Type::Text),
        ("locale", Type::Text),
        ("country", Type::Text),
        ("time_zone", Type::Text),
        ("tags", Type::list(Type::Text, size(MAX_TAGS))),
        ("attributes", Type::map(Type::Text, size(MAX_ATTRIBUTES))),
        ("birthday_month", Type::Int),
        ("birthday_day", Type::Int),
        ("age_days", Type::Int),
    ]);
    Vocabulary::new().with("customer", kind)
}

/// How full the lists are that rules read of a customer.
pub fn fullness(customer: &Customer) -> Fullness {
    let size = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
    let Profile { tags, attributes, .. } = &customer.profile;
    Fullness::of([(tags.len(), size(MAX_TAGS)), (attributes.len(), size(MAX_ATTRIBUTES))])
}

/// A customer as the value of `customer` at `now`. A month or day of birth that is not known is 0.
pub fn fact(customer: &Customer, now: Timestamp) -> Fact<'_> {
    let profile = &customer.profile;
    let (month, day) =
        profile.birthday.map_or((0, 0), |date| (i64::from(date.month()), i64::from(date.day())));
    let age_days = (now.as_second() - customer.since().as_second()).div_euclid(24 * 60 * 60);
    Fact::Object(vec![
        ("id", Fact::text(&customer.id)),
        ("display_name", Fact::text(&profile.display_name)),
        ("email", Fact::text(&profile.email)),
        ("phone", Fact::text(&profile.phone)),
        ("locale", Fact::text(&profile.locale)),
        ("country", Fact::text(&profile.country)),
        ("time_zone", Fact::text(&profile.time_zone)),
        ("tags", Fact::texts(&profile.tags)),
        ("attributes", Fact::text_map(&profile.attributes)),
        ("birthday_month", Fact::Int(month)),
        ("birthday_day", Fact::Int(day)),
        ("age_days", Fact::Int(age_days)),
    ])
}
