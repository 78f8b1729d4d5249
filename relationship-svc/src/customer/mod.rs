//! The people the business has a relationship with.
//!
//! - Everything but the id may be missing. What is not known is empty.
//! - Addresses are kept normalised, so that the same person is found again: an e-mail trimmed, its domain as people read it
//!   in small letters; a phone in E.164; locale, country and zone in their canonical spelling. Libraries read them; what
//!   was stored in an older form stays until it is written again.
//! - A zone that the time zone database does not know is refused: an unknown zone must never bypass quiet hours.
//! - A birthday has a month and a day and perhaps a year; 29 February is one in every year that is not known.
//! - The relationship began when it says so, else when the customer was created here.

pub mod alias;
pub mod commands;
pub mod events;
mod normal;
pub mod rpc;
pub mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tandem_kernel::country;
use tandem_kernel::period::{Date, LeapDay};
use tandem_kernel::rule::{Fact, Fullness, Type, Vocabulary};
use tandem_platform::resource::{Field, Maps, Resource, Stem, Table};

/// The first part of every customer's name.
pub const COLLECTION: &str = "customers";
/// The most attributes of one customer.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most tags of one customer.
pub const MAX_TAGS: usize = 64;
/// The most customers of one batch.
pub const MAX_BATCH: usize = 1_000;

/// One person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What is known of a person; as it is kept, where it went through [`Profile::normalised`].
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

/// What an update may name.
pub const FIELDS: &[Field<Profile>] = &[
    ("display_name", |to, from| to.display_name.clone_from(&from.display_name)),
    ("email", |to, from| to.email.clone_from(&from.email)),
    ("phone", |to, from| to.phone.clone_from(&from.phone)),
    ("locale", |to, from| to.locale.clone_from(&from.locale)),
    ("time_zone", |to, from| to.time_zone.clone_from(&from.time_zone)),
    ("country", |to, from| to.country.clone_from(&from.country)),
    ("birthday", |to, from| to.birthday = from.birthday),
    ("attributes", |to, from| to.attributes.clone_from(&from.attributes)),
    ("tags", |to, from| to.tags.clone_from(&from.tags)),
    ("since_time", |to, from| to.since = from.since),
];

impl Profile {
    /// Whether it has no more attributes than one may: entries that are named alone come to those that are there.
    pub fn fits(&self) -> bool {
        self.attributes.len() <= MAX_ATTRIBUTES
    }
}

impl Maps for Profile {
    const NAMES: &'static [&'static str] = &["attributes"];

    fn map(&mut self, _: &str) -> Option<&mut BTreeMap<String, String>> {
        Some(&mut self.attributes)
    }
}

impl Customer {
    /// A customer that did not exist before.
    pub fn new(id: String, profile: Profile, now: Timestamp) -> Self {
        Self { id, version: 1, profile, created: now, updated: now }
    }

    /// The next version, with another profile.
    #[must_use]
    pub fn known(self, profile: Profile, now: Timestamp) -> Self {
        Self { version: self.version + 1, profile, updated: now, ..self }
    }

    /// When the relationship began.
    pub fn since(&self) -> Timestamp {
        self.profile.since.unwrap_or(self.created)
    }

    /// The zone of their days: their own, else that of their country, else the tenant's.
    pub fn zone(&self, tenant: &TimeZone) -> TimeZone {
        let country = || country::zone(&self.profile.country).and_then(zone);
        zone(&self.profile.time_zone).or_else(country).unwrap_or_else(|| tenant.clone())
    }

    /// Days until the next birthday; 0 on that day, which is one of their zone. 29 February is 1 March in common years.
    pub fn days_to_birthday(&self, now: Timestamp, tenant: &TimeZone) -> Option<i64> {
        let birthday = self.profile.birthday?;
        birthday.days_from(self.zone(tenant).to_datetime(now).date(), LeapDay::default())
    }
}

impl Resource for Customer {
    const COLLECTION: &'static str = COLLECTION;
    const TABLE: &'static Table<Self> = &store::CUSTOMERS;

    fn stem(&self) -> Stem<'_> {
        Stem { id: &self.id, version: self.version, created: self.created }
    }
}

/// The zone of this name, where the database of zones has it.
pub fn zone(name: &str) -> Option<TimeZone> {
    Some(name).filter(|name| !name.is_empty()).and_then(|name| TimeZone::get(name).ok())
}

/// The resource name of a customer's id.
pub fn name(id: &str) -> String {
    tandem_kernel::id::name(COLLECTION, id)
}

/// What a rule over customers may read, in segments and in filters of lists alike; see [`crate::attribute::Declared`] for what
/// a tenant adds.
pub fn vocabulary() -> Vocabulary {
    let size = |most: usize| u64::try_from(most).unwrap_or(u64::MAX);
    let kind = Type::facts([
        ("id", Type::Text, "without `customers/`"),
        ("display_name", Type::Text, "or empty"),
        ("email", Type::Text, "or empty"),
        ("phone", Type::Text, "or empty"),
        ("locale", Type::Text, "BCP 47, or empty"),
        ("country", Type::Text, "ISO 3166-1 alpha-2, or empty"),
        ("time_zone", Type::Text, "IANA zone, or empty"),
        ("tags", Type::list(Type::Text, size(MAX_TAGS)), ""),
        ("attributes", Type::Declared(BTreeMap::new(), size(MAX_ATTRIBUTES)), ""),
        ("birthday_month", Type::Int, "1 to 12; 0 where it is not known"),
        ("birthday_day", Type::Int, "1 to 31; 0 where it is not known"),
        ("age_days", Type::Int, "days since the relationship began"),
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
