//! A subscription as every EventService offers it: where to begin, what to leave out, and the cursor beside each event.

use std::collections::HashMap;

use futures::{Stream, StreamExt};
use tandem_proto::common::v1::Event;
use tonic::Streaming;

use super::merge::{Told, merge};
use super::{Cursor, Delivery, Filter, follow, head};
use crate::tasks::Tasks;
use crate::{Db, Fault, Outcome, Tenant, Violations};

/// The most type prefixes of one subscription.
const MAX_TYPES: usize = 20;
/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 256;

/// What a subscriber asks for, in the words of the contract.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Of an earlier response; empty: from the oldest event kept; "end": only what comes.
    pub cursor: String,
    /// Only types that begin with one of these; empty: all.
    pub types: Vec<String>,
    /// Only aggregates that begin with this; empty: all.
    pub aggregate_prefix: String,
}

#[derive(Debug)]
enum From {
    Oldest,
    After(Cursor),
    End,
}

/// The events of `tenant` that are asked for, each with the cursor behind it, until the process drains. A cursor without
/// an event says that what lay before it was left out by the filter.
pub async fn feed(
    db: &Db,
    tasks: &Tasks,
    tenant: &Tenant,
    asked: Asked,
) -> Outcome<impl Stream<Item = Outcome<(String, Option<Event>)>> + Send + use<>> {
    let (from, filter) = read(asked)?;
    let cursor = match from {
        From::Oldest => None,
        From::After(cursor) => Some(cursor),
        From::End => Some(head(db, tenant).await?),
    };
    let goodbye = tasks.draining().clone().cancelled_owned();
    Ok(follow(db, tenant, cursor, filter).map(|delivery| delivery.map(told)).take_until(goodbye))
}

fn read(asked: Asked) -> Outcome<(From, Filter)> {
    let mut v = Violations::new();
    let from = match asked.cursor.as_str() {
        "" => From::Oldest,
        "end" => From::End,
        text => match text.parse() {
            Ok(cursor) => From::After(cursor),
            Err(_) => {
                v.add("cursor", "must be a cursor of an earlier response, \"end\", or empty");
                From::Oldest
            }
        },
    };
    check_types(&mut v, &asked.types);
    let fits = asked.aggregate_prefix.len() <= MAX_PREFIX;
    v.check(fits, "aggregate_prefix", format!("must have at most {MAX_PREFIX} bytes"));
    v.finish()?;
    let aggregates = Some(asked.aggregate_prefix).filter(|prefix| !prefix.is_empty()).into_iter().collect();
    Ok((from, Filter { types: asked.types, aggregates }))
}

/// Notes what is wrong with the types of a subscription.
fn check_types(v: &mut Violations, types: &[String]) {
    v.check(types.len() <= MAX_TYPES, "types", format!("must have at most {MAX_TYPES} entries"));
    for (index, prefix) in types.iter().take(MAX_TYPES).enumerate() {
        let fits = (1..=MAX_PREFIX).contains(&prefix.len());
        v.check(fits, format!("types[{index}]"), format!("must have 1 to {MAX_PREFIX} bytes"));
    }
}

/// A part of what the follower of all tenants says, in the words of the contract.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Tenants and their cursors.
    pub cursors: Vec<(String, String)>,
    /// Only types that begin with one of these; none in all parts: all.
    pub types: Vec<String>,
}

/// The events of all tenants for the other service, until the process drains. `read` reads one message of what it says; the
/// events begin when it has said all. At most `together` tenants are read by one statement.
pub async fn feed_all<R, F: Fn(R) -> Said>(
    db: &Db,
    tasks: &Tasks,
    requests: Streaming<R>,
    read: F,
    together: usize,
) -> Outcome<impl Stream<Item = Outcome<Told>> + Send + use<R, F>> {
    let (known, filter) = tokio::select! {
        said = said(requests, read) => said?,
        () = tasks.draining().cancelled() => return Err(Fault::shutting_down()),
    };
    Ok(merge(db, known, filter, together).take_until(tasks.draining().clone().cancelled_owned()))
}

/// What the follower knows and wants, from its first message to its last.
async fn said<R, F: Fn(R) -> Said>(
    mut requests: Streaming<R>,
    read: F,
) -> Outcome<(HashMap<Tenant, Cursor>, Filter)> {
    let (mut known, mut types, mut v) = (HashMap::new(), Vec::new(), Violations::new());
    while let Some(request) = requests.message().await.map_err(Fault::from_peer)? {
        let said = read(request);
        for (index, (tenant, cursor)) in said.cursors.iter().enumerate() {
            let (tenant, cursor) = (Tenant::parse(tenant), cursor.parse::<Cursor>());
            v.check(tenant.is_some(), format!("cursors[{index}].tenant"), "is not a tenant");
            v.check(
                cursor.is_ok(),
                format!("cursors[{index}].cursor"),
                "must be a cursor of an earlier response",
            );
            known.extend(tenant.zip(cursor.ok()));
        }
        check_types(&mut v, &said.types);
        types.extend(said.types);
        v.finish()?;
        v = Violations::new();
    }
    check_types(&mut v, &types);
    v.finish()?;
    Ok((known, Filter { types, aggregates: Vec::new() }))
}

fn told(delivery: Delivery) -> (String, Option<Event>) {
    match delivery {
        Delivery::Event(event) => (Cursor::of(&event).to_string(), Some(*event)),
        Delivery::Progress(cursor) => (cursor.to_string(), None),
    }
}
