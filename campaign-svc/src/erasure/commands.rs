//! The parts of an erasure.

use jiff::Timestamp;
use tandem_platform::erasing::kept::{self, Page};
use tandem_platform::erasing::{Person, Went};
use tandem_platform::{Outcome, Tenant, Tx, transact};
use tandem_proto::common::v1::Event;
use tandem_proto::convert;
use uuid::Uuid;

use super::scrub::Ours;
use crate::erased::{self, Erasure, Step};
use crate::order::rename::{self, Rename};
use crate::order::store::step;
use crate::{App, redemption};

/// Rows that one transaction goes through at most.
const PART: i64 = 500;
/// Orders that one transaction renames at most: each is a document, and others wait for the counters of its limits.
const ORDERS: i64 = 100;

/// Does the next part of an erasure; answers whether there is more to do at once.
pub async fn proceed(app: &App, tenant: &Tenant, pseudonym: &str) -> Outcome<bool> {
    transact!(app.db, |tx| {
        let found = erased::store::lock(tx, tenant, pseudonym).await?;
        let Some((erasure, step)) = found.and_then(|one| one.step.map(|step| (one, step))) else {
            return Ok(false);
        };
        let went = match &erasure.customer {
            Some(id) => part(tx, tenant, step, &Person::new("customers", id, pseudonym), &erasure).await?,
            None => Some(Went::Through),
        };
        let Some(went) = went else { return Ok(false) };
        let next = erasure.gone(went);
        erased::store::save(tx, tenant, &next).await?;
        Ok(next.step.is_some())
    })
}

/// Has an erasure be done once more, where it is time for it.
pub async fn once_more(app: &App, tenant: &Tenant, pseudonym: &str, now: Timestamp) -> Outcome<()> {
    transact!(app.db, |tx| {
        let found = erased::store::lock(tx, tenant, pseudonym).await?;
        let Some(erasure) = found.and_then(|erasure| erasure.once_more(now)) else { return Ok(()) };
        erased::store::save(tx, tenant, &erasure).await
    })
}

/// One part of one step, from a place on; `None`: it has to wait.
async fn part(
    tx: &mut Tx,
    tenant: &Tenant,
    step: Step,
    person: &Person,
    erasure: &Erasure,
) -> Outcome<Option<Went>> {
    let (place, known) = (erasure.place.as_str(), erasure.known());
    let (from, to) = (person.id(), person.pseudonym());
    let rules = Ours { known: &known };
    let page = || Page { tenant, person, rules: &rules, place, limit: PART };
    let went = match step {
        Step::Orders => {
            let who = Rename { from, to };
            rename::rename(tx, tenant, who, |quoted| known.has(quoted), (place, ORDERS)).await?
        }
        Step::Counters => kept::counters(tx, tenant, person, place).await?,
        Step::Feedback => {
            let done = redemption::store::rename(tx, tenant, from, to, PART).await?;
            if done < PART.unsigned_abs() { Went::Through } else { Went::On(String::new()) }
        }
        Step::Answers => kept::answers(tx, page()).await?,
        Step::Events => {
            let of_who_is_back = |_: Uuid, event: &Event| {
                let told = event.occur_time.and_then(|at| convert::timestamp("", &at, &mut Vec::new()));
                told.is_some_and(|told| erasure.is_past(told))
            };
            kept::events(tx, page(), of_who_is_back).await?
        }
        Step::SetAside => kept::aside(tx, page()).await?,
        Step::Open if step::any_of(tx, tenant, to).await? => return Ok(None),
        Step::Open => Went::Through,
    };
    Ok(Some(went))
}
