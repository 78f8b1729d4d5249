//! What can be done to campaigns. Each is a write to the catalogue: its version is bumped right after the claim.
//!
//! Locks are taken in the order catalogue version, objective, campaign.

mod refusal;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_platform::idempotency::{self, Claim, Request};
use tandem_platform::outbox::{self, Batch};
use tandem_platform::{Call, Fault, Outcome, Tx, grpc, transact};
use tandem_proto::campaign::v1::ErrorReason;

use super::revisions::{Adaptation, Revision};
use super::store::Stored;
use super::{Campaign, Change, Definition, Mix, Move, View, events, name, store};
use crate::{App, catalogue, objective};

/// Drafts a campaign with the first revision of its mix.
pub async fn create(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    definition: &Definition,
    mix: &Mix,
) -> Outcome<View> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        realises(tx, call, &definition.objective).await?;
        let after = match store::lock(tx, &call.tenant, id).await? {
            Some(Stored { deleted: false, .. }) => return Err(Fault::already_exists(name(id))),
            Some(Stored { campaign, .. }) => campaign.version,
            None => 0,
        };
        let limit = app.config.pricing.campaign_max_days;
        let campaign = Campaign::create(id.to_owned(), definition.clone(), limit, after, now);
        let campaign = campaign.map_err(|refusal| refusal.fault(id))?;
        let revision = Revision::first(mix.clone(), &call.principal, now);
        save(tx, call, catalogue_version, &campaign).await?;
        store::add_revision(tx, &call.tenant, id, &revision).await?;
        let view = View { campaign, revision, at: now };
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::created(&view));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &view).await?;
        Ok(view)
    })
}

/// Changes fields of a campaign that is not over; its mix only in a draft, which makes a new revision. Where nothing
/// differs, nothing happens.
pub async fn update(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    change: &Change,
) -> Outcome<View> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        if let Some(objective) = &change.objective {
            realises(tx, call, objective).await?;
        }
        let (before, revisions) = locked(tx, call, id, etag, now).await?;
        let changed = before.update(&revisions, change, &call.principal, limit(app), now);
        let (campaign, revision) = changed.map_err(|refusal| refusal.fault(id))?;
        if let Some(revision) = &revision {
            store::add_revision(tx, &call.tenant, id, revision).await?;
        }
        let differs = campaign != before;
        let view = View { campaign, revision: revision.map_or_else(|| current(&revisions), Ok)?, at: now };
        if differs {
            save(tx, call, catalogue_version, &view.campaign).await?;
            let mut batch = Batch::new(call, app.ids.as_ref(), now);
            batch.push(events::updated(&view));
            outbox::append(tx, batch).await?;
        }
        idempotency::finish(tx, &call.tenant, request, &view).await?;
        Ok(view)
    })
}

/// Deletes a draft.
pub async fn delete(app: &App, call: &Call, request: &Request, id: &str, etag: &str) -> Outcome<()> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(()) = idempotency::claim(tx, call, request, now).await? {
            return Ok(());
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let (before, _) = locked(tx, call, id, etag, now).await?;
        let campaign = before.delete(now).map_err(|refusal| refusal.fault(id))?;
        let stored = Stored { campaign, deleted: true };
        store::save(tx, &call.tenant, catalogue_version, &stored).await?;
        store::delete_revisions(tx, &call.tenant, id).await?;
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::deleted(&stored.campaign));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &()).await
    })
}

/// Takes a step by hand: schedule, launch, pause, resume, end, cancel, archive.
pub async fn step(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    wanted: Move,
) -> Outcome<View> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let (before, revisions) = locked(tx, call, id, etag, now).await?;
        let revision = current(&revisions)?;
        let campaign =
            before.step(wanted, &revision.mix, limit(app), now).map_err(|refusal| refusal.fault(id))?;
        save(tx, call, catalogue_version, &campaign).await?;
        let view = View { campaign, revision, at: now };
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::state_changed(&view, before.state(now)));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &view).await?;
        Ok(view)
    })
}

/// A campaign that has adapted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapted {
    /// With the mix that is in effect.
    pub view: View,
    /// The new revision, which may come into effect later.
    pub revision: Revision,
}

/// Makes a new revision of the mix of a campaign that is scheduled, running or paused.
pub async fn adapt(
    app: &App,
    call: &Call,
    request: &Request,
    id: &str,
    etag: &str,
    adaptation: &Adaptation,
) -> Outcome<Adapted> {
    let now = app.clock.now();
    transact!(app.db, |tx| {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(done);
        }
        let catalogue_version = catalogue::store::bump(tx, &call.tenant, now).await?;
        let (before, revisions) = locked(tx, call, id, etag, now).await?;
        let newest = revisions.last().ok_or_else(no_revision)?;
        let revision = newest.adapt(&before, adaptation.clone(), &call.principal, now);
        let revision = revision.map_err(|refusal| refusal.fault(id))?;
        let campaign = before.revise(&revision, now);
        save(tx, call, catalogue_version, &campaign).await?;
        store::add_revision(tx, &call.tenant, id, &revision).await?;
        let current = if revision.effective <= now { revision.clone() } else { current(&revisions)? };
        let adapted = Adapted { view: View { campaign, revision: current, at: now }, revision };
        let mut batch = Batch::new(call, app.ids.as_ref(), now);
        batch.push(events::adapted(&adapted.view, &adapted.revision));
        outbox::append(tx, batch).await?;
        idempotency::finish(tx, &call.tenant, request, &adapted).await?;
        Ok(adapted)
    })
}

/// The objective a campaign names must be there and active, and stays so until the transaction ends.
async fn realises(tx: &mut Tx, call: &Call, id: &str) -> Outcome<()> {
    match objective::store::share(tx, &call.tenant, id).await? {
        Some(objective) => objective.active().map_err(|refusal| refusal.fault(id)),
        None => {
            let fault = Fault::precondition(ErrorReason::ObjectiveUnknown, "the objective does not exist");
            Err(fault.violating(objective::name(id), "OBJECTIVE_UNKNOWN", "does not exist"))
        }
    }
}

/// The campaign, locked, with the revision in effect and all that are to come.
async fn locked(
    tx: &mut Tx,
    call: &Call,
    id: &str,
    etag: &str,
    now: Timestamp,
) -> Outcome<(Campaign, Vec<Revision>)> {
    let found = store::lock(tx, &call.tenant, id).await?.filter(|stored| !stored.deleted);
    let campaign = found.ok_or_else(|| Fault::not_found(name(id)))?.campaign;
    grpc::check_etag(etag, campaign.version, name(id))?;
    let revisions = store::revisions_from_current(tx, &call.tenant, id, now).await?;
    Ok((campaign, revisions))
}

async fn save(tx: &mut Tx, call: &Call, catalogue_version: i64, campaign: &Campaign) -> Outcome<()> {
    let stored = Stored { campaign: campaign.clone(), deleted: false };
    store::save(tx, &call.tenant, catalogue_version, &stored).await
}

fn current(revisions: &[Revision]) -> Outcome<Revision> {
    revisions.first().cloned().ok_or_else(no_revision)
}

fn no_revision() -> Fault {
    Fault::internal("a campaign has no mix revision")
}

fn limit(app: &App) -> u32 {
    app.config.pricing.campaign_max_days
}
