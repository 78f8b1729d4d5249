//! Every table and column of the schema, with what an erasure does to it and how it joins a person. There is no other list: the
//! export goes through the tables in this order, the erasure does what stands here, and a test fails on a column without an entry.
//!
//! What callers write in their own words (a rule, a reason, a label, where a consent was said, the number of an order) is theirs
//! and stays: the contract asks them not to name people there.

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

const fn table(
    name: &'static str,
    join: Join,
    shown: Shown,
    columns: &'static [(&'static str, Fate)],
) -> Table {
    Table { name, join, shown, columns }
}

const fn nobody(name: &'static str, columns: &'static [(&'static str, Fate)]) -> Table {
    table(name, Join::Nobody, Shown::Nothing, columns)
}

use Fate::{Forgotten, Hashed, Keeps, Pseudonym, Removes, Scrubbed};

/// All of them.
pub const TABLES: &[Table] = &[
    table(
        "customer",
        Join::Id("id"),
        Shown::Customer,
        &[
            ("id", Removes),
            ("tenant", Removes),
            ("version", Removes),
            ("display_name", Removes),
            ("email", Removes),
            ("phone", Removes),
            ("locale", Removes),
            ("time_zone", Removes),
            ("country", Removes),
            ("birth_year", Removes),
            ("birth_month", Removes),
            ("birth_day", Removes),
            ("attributes", Removes),
            ("tags", Removes),
            ("since", Removes),
            ("created", Removes),
            ("updated", Removes),
        ],
    ),
    table(
        "consent",
        Join::Id("customer"),
        Shown::Consents,
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("customer", Pseudonym),
            ("purpose", Keeps),
            ("channel", Keeps),
            ("state", Keeps),
            ("basis", Keeps),
            ("text_version", Keeps),
            ("source", Keeps),
            ("proof", Removes),
            ("said", Keeps),
            ("expires", Keeps),
            ("confirms", Keeps),
            ("recorded", Keeps),
            ("principal", Keeps),
        ],
    ),
    table(
        "consent_state",
        Join::Id("customer"),
        Shown::ConsentStates,
        &[
            ("tenant", Removes),
            ("customer", Removes),
            ("purpose", Removes),
            ("channel", Removes),
            ("state", Removes),
            ("record", Removes),
            ("said", Removes),
            ("expires", Removes),
            ("asked", Removes),
            ("asked_said", Removes),
            ("asked_expires", Removes),
            ("due", Removes),
        ],
    ),
    table(
        "suppression",
        Join::Address("address"),
        Shown::Suppressions,
        &[
            ("tenant", Keeps),
            ("address", Hashed),
            ("channel", Keeps),
            ("purpose", Keeps),
            ("reason", Keeps),
            ("key_id", Keeps),
            ("suppressed", Keeps),
            ("cleared", Keeps),
            ("note", Keeps),
            ("principal", Keeps),
        ],
    ),
    table(
        "interaction",
        Join::Subject("person"),
        Shown::Interactions,
        &[
            ("tenant", Removes),
            ("event_id", Removes),
            ("person", Removes),
            ("type", Removes),
            ("happened", Removes),
            ("recorded", Removes),
            ("hash", Removes),
            ("currency", Removes),
            ("amount", Removes),
            ("order_id", Removes),
            ("rating", Removes),
            ("details", Removes),
        ],
    ),
    table(
        "customer_order",
        Join::Subject("person"),
        Shown::Orders,
        &[
            ("tenant", Keeps),
            ("order_id", Keeps),
            ("person", Pseudonym),
            ("placed", Keeps),
            ("recorded", Keeps),
            ("hash", Hashed),
            ("currency", Keeps),
            ("amount", Keeps),
            ("returned", Keeps),
            ("returned_by_hand", Keeps),
            ("cancelled", Keeps),
            ("told_version", Keeps),
            ("details", Removes),
        ],
    ),
    table(
        "relationship",
        Join::Subject("person"),
        Shown::Relationship,
        &[
            ("tenant", Keeps),
            ("person", Pseudonym),
            ("version", Keeps),
            ("merged_into", Pseudonym),
            ("orders", Keeps),
            ("first_order", Keeps),
            ("last_order", Keeps),
            ("amounts", Keeps),
            ("dates", Keeps),
            ("last_activity", Keeps),
            ("ratings", Keeps),
            ("ratings_sum", Keeps),
            ("ratings_latest", Keeps),
            ("stage", Keeps),
            ("next_change", Keeps),
        ],
    ),
    table(
        "segment_member",
        Join::Id("customer"),
        Shown::Lists,
        &[("tenant", Removes), ("segment", Removes), ("customer", Removes)],
    ),
    table(
        "segment_watched_member",
        Join::Id("customer"),
        Shown::Watched,
        &[("tenant", Removes), ("customer", Removes), ("segment", Removes)],
    ),
    table(
        "customer_look",
        Join::Id("customer"),
        Shown::Look,
        &[("tenant", Removes), ("customer", Removes), ("due", Removes)],
    ),
    table(
        "voucher",
        Join::Id("customer"),
        Shown::Vouchers,
        &[
            ("tenant", Keeps),
            ("code", Keeps),
            ("incentive", Keeps),
            ("batch", Keeps),
            ("customer", Pseudonym),
            ("source_id", Removes),
            ("assigned", Keeps),
            ("starts", Keeps),
            ("ends", Keeps),
            ("max_uses", Keeps),
            ("uses", Keeps),
            ("uses_held", Keeps),
            ("currency", Keeps),
            ("initial_balance", Keeps),
            ("spent", Keeps),
            ("spent_held", Keeps),
            ("restored_until", Keeps),
            ("disabled", Keeps),
            ("created", Keeps),
            ("version", Keeps),
            ("labels", Keeps),
            ("uses_before", Keeps),
            ("spent_before", Keeps),
            ("adjusted", Keeps),
            ("adjusted_before", Keeps),
        ],
    ),
    table(
        "voucher_change",
        Join::Text("fields"),
        Shown::Changes,
        &[
            ("tenant", Keeps),
            ("code", Keeps),
            ("id", Keeps),
            ("principal", Keeps),
            ("reason", Keeps),
            ("fields", Scrubbed),
            ("amount", Keeps),
            ("created", Keeps),
        ],
    ),
    table(
        "redemption",
        Join::Id("customer"),
        Shown::Redemptions,
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("order_id", Keeps),
            ("ordinal", Keeps),
            ("code", Keeps),
            ("incentive", Keeps),
            ("incentive_version", Keeps),
            ("customer", Pseudonym),
            ("guest", Hashed),
            ("state", Keeps),
            ("currency", Keeps),
            ("amount", Keeps),
            ("returned", Keeps),
            ("details", Keeps),
            ("expires", Keeps),
            ("created", Keeps),
            ("updated", Keeps),
            ("version", Keeps),
        ],
    ),
    table(
        "counter",
        Join::Subject("subject"),
        Shown::Counters,
        &[
            ("tenant", Keeps),
            ("kind", Keeps),
            ("owner", Keeps),
            ("subject", Pseudonym),
            ("period", Keeps),
            ("used", Keeps),
            ("held", Keeps),
            ("told", Keeps),
            ("tracks", Keeps),
            ("late", Keeps),
        ],
    ),
    table(
        "hold_claim",
        Join::Subject("subject"),
        Shown::Claims,
        &[
            ("tenant", Keeps),
            ("kind", Keeps),
            ("owner", Keeps),
            ("subject", Pseudonym),
            ("period", Keeps),
            ("holder", Keeps),
            ("uses", Keeps),
            ("amount", Keeps),
            ("expires", Keeps),
        ],
    ),
    table(
        "request_claim",
        Join::Text("outcome"),
        Shown::Answers,
        &[
            ("tenant", Keeps),
            ("method", Keeps),
            ("request_id", Keeps),
            ("hash", Hashed),
            ("outcome", Scrubbed),
            ("created", Keeps),
        ],
    ),
    table(
        "event_batch",
        Join::Text("payload"),
        Shown::Events,
        &[("tenant", Keeps), ("id", Keeps), ("position", Keeps), ("created", Keeps), ("payload", Scrubbed)],
    ),
    table(
        "set_aside_event",
        Join::Text("payload"),
        Shown::SetAside,
        &[
            ("tenant", Keeps),
            ("consumer", Keeps),
            ("event_id", Keeps),
            ("reason", Keeps),
            ("payload", Scrubbed),
            ("created", Keeps),
        ],
    ),
    table(
        "erasure",
        Join::Id("customer"),
        Shown::Erasures,
        &[
            ("tenant", Keeps),
            ("pseudonym", Keeps),
            ("customer", Forgotten),
            ("principal", Keeps),
            ("erased", Keeps),
            ("step", Keeps),
            ("place", Keeps),
            ("done", Keeps),
            ("told", Keeps),
            ("forget", Keeps),
        ],
    ),
    table(
        "customer_alias",
        Join::Id("merged_into"),
        Shown::Aliases,
        &[
            ("tenant", Keeps),
            ("person", Pseudonym),
            ("merged_into", Pseudonym),
            ("principal", Keeps),
            ("merged", Keeps),
            ("step", Keeps),
            ("due", Keeps),
        ],
    ),
    nobody("consumer_leader", &[("consumer", Keeps), ("holder", Keeps), ("expires", Keeps)]),
    nobody(
        "tenant_settings",
        &[("tenant", Keeps), ("version", Keeps), ("document", Keeps), ("updated", Keeps)],
    ),
    nobody(
        "attribute",
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("version", Keeps),
            ("display_name", Keeps),
            ("description", Keeps),
            ("value_type", Keeps),
            ("personal", Keeps),
            ("created", Keeps),
            ("updated", Keeps),
        ],
    ),
    nobody(
        "segment",
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("version", Keeps),
            ("display_name", Keeps),
            ("rule", Keeps),
            ("kind", Keeps),
            ("watched", Keeps),
            ("created", Keeps),
            ("updated", Keeps),
        ],
    ),
    // Where a look at everybody stands: the id of whoever is known before them takes the place.
    nobody("segment_sweep", &[("tenant", Keeps), ("begun", Keeps), ("after", Removes)]),
    nobody("segment_catalogue", &[("tenant", Keeps), ("version", Keeps)]),
    nobody(
        "incentive",
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("version", Keeps),
            ("state", Keeps),
            ("definition", Keeps),
            ("created", Keeps),
            ("updated", Keeps),
        ],
    ),
    nobody(
        "incentive_revision",
        &[
            ("tenant", Keeps),
            ("incentive", Keeps),
            ("version", Keeps),
            ("state", Keeps),
            ("definition", Keeps),
            ("created", Keeps),
            ("updated", Keeps),
        ],
    ),
    nobody("incentive_segment", &[("tenant", Keeps), ("segment", Keeps), ("incentive", Keeps)]),
    nobody(
        "voucher_batch",
        &[
            ("tenant", Keeps),
            ("id", Keeps),
            ("incentive", Keeps),
            ("request_id", Keeps),
            ("request_hash", Keeps),
            ("quantity", Keeps),
            ("done", Keeps),
            ("plan", Keeps),
            ("created", Keeps),
        ],
    ),
    nobody("voucher_format", &[("tenant", Keeps), ("id", Keeps), ("format", Keeps), ("settled", Keeps)]),
    nobody(
        "relay",
        &[("tenant", Keeps), ("position", Keeps), ("forgotten", Keeps), ("second", Keeps), ("moved", Keeps)],
    ),
    nobody(
        "consumer_cursor",
        &[("tenant", Keeps), ("consumer", Keeps), ("position", Keeps), ("seq", Keeps), ("updated", Keeps)],
    ),
    nobody(
        "consumed_event",
        &[("tenant", Keeps), ("consumer", Keeps), ("event_id", Keeps), ("consumed", Keeps)],
    ),
];

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
