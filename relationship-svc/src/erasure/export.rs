//! Everything that is held on one person, page by page: through the tables of [`list`] in their order, by how each joins a
//! person. What a message of the contract stands for is shown as that, the rest row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use prost::Message;
use serde_json::{Value, json};
use tandem_kernel::limits::{CounterKey, Tally};
use tandem_platform::db::Reader;
use tandem_platform::erasing::Person;
use tandem_platform::erasing::scrub::{answer, names};
use tandem_platform::{Fault, Outcome, Tenant, counters, rewrite};
use tandem_proto::common::v1::{Event, EventBatch};
use tandem_proto::relationship::v1::StoredRow;
use tandem_proto::relationship::v1::export_customer_response::Part;
use uuid::Uuid;

use super::list::{self, Shown};
use super::scrub::{self, Ours};
use super::store;
use crate::consent::Channel;
use crate::customer::store::CUSTOMERS;
use crate::incentive::store::INCENTIVES;
use crate::interaction::order::Order;
use crate::interaction::store::Span;
use crate::redemption::store::By;
use crate::relationship::{Relationship, Who};
use crate::voucher::{Frame, Voucher};
use crate::{App, consent, customer, interaction, redemption, relationship, segment, voucher};

/// Rows that are read at once.
const PAGE: usize = 500;

/// Where an export goes on: in which table, and behind which row.
#[derive(Debug, Clone, Default)]
pub struct Place {
    table: usize,
    row: String,
}

/// Whose, as it is asked for.
#[derive(Debug, Clone)]
pub struct Export {
    app: Arc<App>,
    tenant: Tenant,
    person: Person,
}

/// Some parts, and the last row that was looked at where there may be more behind it.
type Page = (Vec<Part>, Option<String>);

impl Export {
    /// Of the customer of an id.
    pub fn new(app: &Arc<App>, tenant: &Tenant, id: &str) -> Self {
        let pseudonym = app.people.pseudonym(tenant.as_str(), id);
        Self { app: app.clone(), tenant: tenant.clone(), person: scrub::person(id, &pseudonym) }
    }

    /// The next parts, and where it goes on; `None` at the end.
    pub async fn next(&self, place: Place) -> Outcome<Option<(Vec<Part>, Place)>> {
        let Some(table) = list::TABLES.get(place.table) else { return Ok(None) };
        let mut reader = self.app.db.read().await?;
        let (parts, behind) = self.page(&mut reader, table.shown, &place.row).await?;
        let on = match behind {
            Some(row) => Place { row, ..place },
            None => Place { table: place.table + 1, row: String::new() },
        };
        Ok(Some((parts, on)))
    }

    async fn page(&self, reader: &mut Reader, shown: Shown, behind: &str) -> Outcome<Page> {
        match shown {
            Shown::Nothing => Ok((Vec::new(), None)),
            Shown::Customer => self.customer(reader).await,
            Shown::Consents => self.consents(reader, behind).await,
            Shown::ConsentStates => self.states(reader).await,
            Shown::Suppressions => self.suppressions(reader).await,
            Shown::Interactions => self.interactions(reader, behind).await,
            Shown::Orders => self.orders(reader, behind).await,
            Shown::Relationship => self.relationship(reader).await,
            Shown::Lists => self.lists(reader).await,
            Shown::Watched => self.watched(reader).await,
            Shown::Look => self.look(reader).await,
            Shown::Vouchers => self.vouchers(reader, behind).await,
            Shown::Changes => self.changes(reader, behind).await,
            Shown::Redemptions => self.redemptions(reader, behind).await,
            Shown::Counters => self.counters(reader, behind).await,
            Shown::Claims => self.claims(reader, behind).await,
            Shown::Answers => self.answers(reader, behind).await,
            Shown::Events => self.events(reader, behind).await,
            Shown::SetAside => self.set_aside(reader, behind).await,
            Shown::Erasures => self.erasures(reader).await,
            Shown::Aliases => self.aliases(reader).await,
        }
    }

    fn id(&self) -> &str {
        self.person.id()
    }

    async fn customer(&self, reader: &mut Reader) -> Outcome<Page> {
        let found = CUSTOMERS.find(reader, &self.tenant, self.id()).await?;
        Ok((found.iter().map(|one| Part::Customer(customer::events::message(one))).collect(), None))
    }

    async fn consents(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let (at, id) = when(behind);
        let before = (at, if behind.is_empty() { Uuid::max() } else { uuid(&id) });
        let found = consent::store::newest(reader, &self.tenant, self.id(), before, PAGE).await?;
        let on = full(&found, |last| format!("{}\n{}", last.at.as_microsecond(), last.id));
        Ok((found.iter().map(|one| Part::Consent(consent::events::message(one))).collect(), on))
    }

    async fn aliases(&self, reader: &mut Reader) -> Outcome<Page> {
        let found = customer::store::alias::of(reader, &self.tenant, self.id()).await?;
        let shown = |one: customer::alias::Alias| {
            row("customer_alias", &json!({ "person": one.person, "merged": one.merged.to_string() }))
        };
        Ok((found.into_iter().map(shown).collect(), None))
    }

    async fn states(&self, reader: &mut Reader) -> Outcome<Page> {
        let held = consent::store::current(reader, &self.tenant, vec![self.id().to_owned()]).await?;
        let row = |(key, current)| row("consent_state", &json!({ "of": key, "holds": current }));
        Ok((held.into_iter().map(row).collect(), None))
    }

    async fn suppressions(&self, reader: &mut Reader) -> Outcome<Page> {
        let Some(person) = CUSTOMERS.find(reader, &self.tenant, self.id()).await? else {
            return Ok((Vec::new(), None));
        };
        let addresses = [Channel::Email, Channel::Phone].map(|channel| channel.address(&person.profile));
        let hashes: Vec<_> = addresses
            .iter()
            .flatten()
            .flat_map(|address| self.app.people.hashes(self.tenant.as_str(), address))
            .collect();
        let rows = consent::store::suppression::of(reader, &self.tenant, &hashes).await?;
        Ok((rows.iter().map(|one| Part::Suppression(consent::events::suppression(one))).collect(), None))
    }

    fn who(&self) -> Who {
        Who::Customer(self.id().to_owned())
    }

    async fn interactions(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let (at, id) = when(behind);
        let span = Span { from: Timestamp::UNIX_EPOCH, before: (at, &id) };
        let found = interaction::store::newest(reader, &self.tenant, &self.who(), span, PAGE as i64).await?;
        let on = full(&found, |last| format!("{}\n{}", last.at.as_microsecond(), last.event_id));
        let shown = |one: interaction::store::Entry| {
            let (at, recorded) = (one.at.to_string(), one.recorded.to_string());
            let of = json!({
                "event_id": one.event_id, "type": one.kind.text(), "happened": at, "recorded": recorded,
                "amount": one.amount.map(|amount| amount.to_string()), "order_id": one.order,
                "details": one.details,
            });
            row("interaction", &of)
        };
        Ok((found.into_iter().map(shown).collect(), on))
    }

    /// Those that were placed: of others only a return is known, which is shown as what they did.
    async fn orders(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let (at, id) = when(behind);
        let span = Span { from: Timestamp::UNIX_EPOCH, before: (at, &id) };
        let found =
            interaction::store::order::newest(reader, &self.tenant, &self.who(), span, PAGE as i64).await?;
        let place = |last: &Order| {
            format!("{}\n{}", last.placed.unwrap_or(Timestamp::UNIX_EPOCH).as_microsecond(), last.id)
        };
        let on = full(&found, place);
        let shown = |one: Order| {
            let of = json!({
                "order_id": one.id, "placed": one.placed.map(|at| at.to_string()),
                "amount": one.amount.map(|amount| amount.to_string()), "returned": one.back(),
                "cancelled": one.cancelled, "details": one.details,
            });
            row("customer_order", &of)
        };
        Ok((found.into_iter().map(shown).collect(), on))
    }

    async fn relationship(&self, reader: &mut Reader) -> Outcome<Page> {
        let found = relationship::store::find(reader, &self.tenant, &self.who()).await?;
        let shown = |one: Relationship| {
            let of = json!({
                "orders": one.orders, "amounts": one.amounts, "stage": one.told,
                "first_order": one.first_order.map(|at| at.to_string()),
                "last_order": one.last_order.map(|at| at.to_string()),
                "last_activity": one.last_activity.map(|at| at.to_string()),
                "ratings": one.ratings.count, "ratings_sum": one.ratings.sum,
            });
            row("relationship", &of)
        };
        Ok((found.into_iter().map(shown).collect(), None))
    }

    async fn lists(&self, reader: &mut Reader) -> Outcome<Page> {
        let lists = segment::store::lists::of(reader, &self.tenant, vec![self.id().to_owned()]).await?;
        let segments = lists.into_values().flatten();
        Ok((segments.map(|one| row("segment_member", &json!({ "segment": one }))).collect(), None))
    }

    async fn watched(&self, reader: &mut Reader) -> Outcome<Page> {
        let was = segment::store::watch::was(reader, &self.tenant, vec![self.id().to_owned()]).await?;
        let shown = |(_, segment)| row("segment_watched_member", &json!({ "segment": segment }));
        Ok((was.into_iter().map(shown).collect(), None))
    }

    async fn look(&self, reader: &mut Reader) -> Outcome<Page> {
        let due = segment::store::watch::due_of(reader, &self.tenant, self.id()).await?;
        let shown = |at: Timestamp| row("customer_look", &json!({ "due": at.to_string() }));
        Ok((due.into_iter().map(shown).collect(), None))
    }

    async fn vouchers(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let of = voucher::store::list::Of::Customer(self.id());
        let found = voucher::store::list::page(reader, &self.tenant, of, behind, PAGE).await?;
        let on = full(&found, |last| last.code.clone());
        let now = self.app.clock.now();
        let mut frames: BTreeMap<&str, Frame> = BTreeMap::new();
        for id in found.iter().map(|one| one.incentive.as_str()).collect::<BTreeSet<_>>() {
            let incentive = INCENTIVES.find(reader, &self.tenant, id).await?;
            frames.extend(incentive.map(|one| (id, Frame::of(&one))));
        }
        let part = |one: &Voucher| {
            Some(Part::Voucher(voucher::events::message(one, frames.get(one.incentive.as_str())?, now)))
        };
        Ok((found.iter().filter_map(part).collect(), on))
    }

    async fn changes(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let (code, id) = two(behind);
        let found = store::changes(reader, &self.tenant, &(code, uuid(&id)), self.id(), PAGE as i64).await?;
        let mut parts = Vec::new();
        for (code, id, fields) in &found {
            let Some(fields) = fields else { continue };
            if answer(&Ours, &self.person, fields)?.is_some() {
                let fields: Value = serde_json::from_str(fields).unwrap_or_default();
                parts.push(row("voucher_change", &json!({ "code": code, "id": id, "fields": fields })));
            }
        }
        Ok((parts, full(&found, |(code, id, _)| format!("{code}\n{id}"))))
    }

    async fn redeemed(&self, reader: &mut Reader, behind: &str) -> Outcome<Vec<redemption::Redemption>> {
        let before = if behind.is_empty() { Uuid::max() } else { uuid(behind) };
        let by = By::Customer(self.id());
        redemption::store::newest(reader, &self.tenant, by, before, PAGE as i64).await
    }

    async fn redemptions(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let found = self.redeemed(reader, behind).await?;
        let on = full(&found, |last| last.id.to_string());
        Ok((found.iter().map(|one| Part::Redemption(redemption::events::message(one))).collect(), on))
    }

    /// Those that the ledger says they count in. Of one that many redemptions count in it is told with the newest of a page.
    async fn counters(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let found = self.redeemed(reader, behind).await?;
        let on = full(&found, |last| last.id.to_string());
        let keys: BTreeSet<CounterKey> = found.iter().flat_map(redemption::rename::per_customer).collect();
        let counted = counters::find(reader, &self.tenant, keys.iter()).await?;
        let shown = |(key, tally): (CounterKey, Tally)| {
            let (used, held) = (tally.used, tally.held);
            let of = json!({ "owner": &*key.owner, "period": &*key.period, "used": used, "held": held });
            row("counter", &of)
        };
        Ok((counted.into_iter().map(shown).collect(), on))
    }

    async fn claims(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let found = self.redeemed(reader, behind).await?;
        let on = full(&found, |last| last.id.to_string());
        let held = found.iter().filter(|one| one.state == redemption::State::Held).map(|one| one.id);
        let claims = counters::claims_of(reader, &self.tenant, &held.collect::<Vec<_>>()).await?;
        let shown = |claim: counters::ClaimRow| {
            let (owner, until) = (&*claim.key.owner, claim.expires.to_string());
            let of = json!({ "owner": owner, "uses": claim.uses, "amount": claim.amount, "until": until });
            row("hold_claim", &of)
        };
        Ok((claims.into_iter().map(shown).collect(), on))
    }

    async fn answers(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let page = rewrite::answers(reader, &self.tenant, &two(behind), self.id(), PAGE as i64).await?;
        let mut parts = Vec::new();
        for (method, request_id, outcome) in &page {
            let Some(outcome) = outcome else { continue };
            if answer(&Ours, &self.person, outcome)?.is_some() {
                let outcome: Value = serde_json::from_str(outcome).unwrap_or_default();
                let of = json!({ "method": method, "request_id": request_id, "outcome": outcome });
                parts.push(row("request_claim", &of));
            }
        }
        Ok((parts, full(&page, |(method, request_id, _)| format!("{method}\n{request_id}"))))
    }

    async fn events(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let page = rewrite::events(reader, &self.tenant, uuid(behind), self.id(), PAGE as i64).await?;
        let mut parts = Vec::new();
        for payload in page.iter().filter_map(|(_, payload)| payload.as_deref()) {
            let batch = EventBatch::decode(payload).map_err(unreadable)?;
            parts.extend(batch.events.into_iter().filter(|one| self.names(one)).map(Part::Event));
        }
        Ok((parts, full(&page, |(id, _)| id.to_string())))
    }

    async fn set_aside(&self, reader: &mut Reader, behind: &str) -> Outcome<Page> {
        let (consumer, id) = two(behind);
        let behind = (consumer, uuid(&id));
        let page = rewrite::aside(reader, &self.tenant, &behind, self.id(), PAGE as i64).await?;
        let mut parts = Vec::new();
        for payload in page.iter().filter_map(|(.., payload)| payload.as_deref()) {
            let event = Event::decode(payload).map_err(unreadable)?;
            parts.extend(Some(event).filter(|one| self.names(one)).map(Part::Event));
        }
        Ok((parts, full(&page, |(consumer, id, _)| format!("{consumer}\n{id}"))))
    }

    fn names(&self, event: &Event) -> bool {
        names(&Ours, &self.person, event)
    }

    async fn erasures(&self, reader: &mut Reader) -> Outcome<Page> {
        let found = store::find(reader, &self.tenant, self.person.pseudonym()).await?;
        let shown = |one: super::Erasure| {
            let done = one.done.map(|at| at.to_string());
            row(
                "erasure",
                &json!({ "pseudonym": one.pseudonym, "erased": one.erased.to_string(), "done": done }),
            )
        };
        Ok((found.into_iter().map(shown).collect(), None))
    }
}

fn row(table: &str, row: &Value) -> Part {
    Part::Row(StoredRow { table: table.to_owned(), json: row.to_string() })
}

/// The last row of a page that was full.
fn full<T>(page: &[T], place: impl Fn(&T) -> String) -> Option<String> {
    page.last().filter(|_| page.len() >= PAGE).map(place)
}

/// The moment and the key of a place; from the newest on where there is none.
fn when(place: &str) -> (Timestamp, String) {
    let (at, key) = two(place);
    let at = at.parse().ok().and_then(|at| Timestamp::from_microsecond(at).ok());
    (at.unwrap_or(Timestamp::MAX), key)
}

fn two(place: &str) -> (String, String) {
    let (first, second) = place.split_once('\n').unwrap_or((place, ""));
    (first.to_owned(), second.to_owned())
}

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap_or_default()
}

fn unreadable(error: prost::DecodeError) -> Fault {
    Fault::internal("a stored event cannot be read").caused_by(error)
}
