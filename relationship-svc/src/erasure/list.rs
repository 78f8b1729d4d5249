//! Every table and column of the schema, with what an erasure does to it and how it joins a person. There is no other list: the
//! export goes through the tables in this order, the erasure does what stands here, and a test fails on a column without an entry.
//!
//! What callers write in their own words (a rule, a reason, a label, where a consent was said, the number of an order) is theirs
//! and stays: the contract asks them not to name people there.

mod tables;

pub use tables::TABLES;

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Says nothing of a person.
    Keeps,
    /// Goes, or is emptied.
    Removes,
    /// The pseudonym takes the place of the id.
    Pseudonym,
    /// A document: the person's values are taken out of it.
    Scrubbed,
    /// A hash from the beginning, which nobody can read a person off.
    Hashed,
    /// The id, until the event that tells of the erasure is old.
    Forgotten,
}

/// How the rows of a table join a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Not at all.
    Nobody,
    /// This column is the id.
    Id(&'static str),
    /// This column is who it is, `c/{id}`, as limits per customer have it too.
    Subject(&'static str),
    /// This column is a keyed hash of an address of theirs.
    Address(&'static str),
    /// The id stands somewhere in this column.
    Text(&'static str),
    /// This column is the id in passing: the place of a task that goes through all people.
    Passing(&'static str),
}

/// As what the rows of a table are shown to whom they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Not at all: they are of nobody.
    Nothing,
    /// What is known of them.
    Customer,
    /// What they said.
    Consents,
    /// What holds of it.
    ConsentStates,
    /// Suppressions of the addresses that they have now.
    Suppressions,
    /// Their codes.
    Vouchers,
    /// What was done by hand to codes and names them.
    Changes,
    /// What they did.
    Interactions,
    /// What they ordered, as it counts for the relationship.
    Orders,
    /// How they stand.
    Relationship,
    /// Lists that they are on.
    Lists,
    /// Watched segments that they were told to be in.
    Watched,
    /// When it is found out again which they are in.
    Look,
    /// What they redeemed.
    Redemptions,
    /// What is counted of it.
    Counters,
    /// What they hold of limits.
    Claims,
    /// Answers by request_id that name them.
    Answers,
    /// Events that name them.
    Events,
    /// Events of the other service that could not be taken in and name them.
    SetAside,
    /// What is left of an erasure.
    Erasures,
    /// Ids that stand for them.
    Aliases,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How it joins a person.
    pub join: Join,
    /// As what it is shown.
    pub shown: Shown,
    /// Every column with what becomes of it.
    pub columns: &'static [(&'static str, Fate)],
}

/// The event that tells others of an erasure: it has the id until it is old.
pub const TELLS_OF_ERASURE: &str = "tandem.relationship.v1.CustomerErased";

/// The field that says what a code was given for, in documents and messages alike: callers may say it by the bare id.
pub const SOURCE: &str = "source_id";

/// A message of the contract that tells of one person alone.
#[derive(Debug)]
pub struct Personal {
    /// Its full name.
    pub message: &'static str,
    /// The field that says whom.
    pub names: &'static str,
    /// What else stays of it.
    pub keeps: &'static [&'static str],
}

/// Every such message: of the others only the name of the person is taken out.
pub const PERSONAL: &[Personal] = &[
    Personal { message: "tandem.relationship.v1.Customer", names: "name", keeps: &[] },
    Personal {
        message: "tandem.relationship.v1.Consent",
        names: "customer",
        keeps: &[
            "id",
            "purpose",
            "channel",
            "state",
            "legal_basis",
            "text_version",
            "source",
            "time",
            "expire_time",
            "confirms",
            "record_time",
            "principal",
        ],
    },
];
