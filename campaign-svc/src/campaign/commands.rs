//! What can be done to campaigns. Each is a write to the catalogue: its version is bumped right after the claim.
//!
//! Locks are taken in the order catalogue version, objective, campaign.

mod refusal;
mod values;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tandem_platform::resource::{Change, New, Touch, Unit};
use tandem_platform::service::Asked;
use tandem_platform::{Call, Fault, Outcome, once};
use tandem_proto::campaign::v1::ErrorReason;

use super::revisions::{Adaptation, Revision};
use super::{Campaign, Draft, Move, View, events, name, store};
use crate::{App, catalogue, objective};

/// Drafts a campaign with the first revision of its mix.
pub async fn create(app: Arc<App>, asked: Asked<New<Draft>>) -> Outcome<View> {
    let limit = limit(&app, &asked.call).await?;
    once!(app, asked, |unit, new| {
        let (id, Draft { definition, mix }) = (&new.id, &new.given);
        let now = unit.now();
        catalogue::commands::bump(unit).await?;
        realises(unit, &definition.objective).await?;
        let tenant = unit.tenant();
        let after = match store::CAMPAIGNS.lock_any(unit.tx(), tenant, id).await? {
            Some(campaign) if !campaign.deleted => return Err(Fault::already_exists(name(id))),
            Some(campaign) => campaign.version,
            None => 0,
        };
        let campaign = Campaign::create(id.clone(), definition.clone(), limit, after, now);
        let campaign = campaign.map_err(|refusal| refusal.fault(id))?;
        let revision = Revision::first(mix.clone(), unit.principal(), now);
        unit.save_many(std::slice::from_ref(&campaign))?;
        unit.write(store::add_revision(id, &revision)?);
        let view = View { campaign, revision, at: now };
        unit.tell(events::created(&view));
        Ok(view)
    })
}

/// Changes fields of a campaign that is not over; its mix only in a draft, which makes a new revision. Where nothing
/// differs, nothing happens.
pub async fn update(app: Arc<App>, asked: Asked<Change<Draft>>) -> Outcome<View> {
    let limit = limit(&app, &asked.call).await?;
    once!(app, asked, |unit, change| {
        let (id, now) = (&change.touch.id, unit.now());
        catalogue::commands::bump(unit).await?;
        if let Some(draft) = change.given("objective") {
            realises(unit, &draft.definition.objective).await?;
        }
        let (before, revisions) = locked(unit, &change.touch).await?;
        let mix = revisions.last().ok_or_else(no_revision)?.mix.clone();
        let draft = change.of(&Draft { definition: before.definition.clone(), mix });
        let named = change.names("mix");
        let changed = before.update(&revisions, draft, named, unit.principal(), limit, now);
        let (campaign, revision) = changed.map_err(|refusal| refusal.fault(id))?;
        if let Some(revision) = &revision {
            unit.write(store::add_revision(id, revision)?);
        }
        let differs = campaign != before;
        let view = View { campaign, revision: revision.map_or_else(|| current(&revisions), Ok)?, at: now };
        if differs {
            values::of_campaign(unit, &before, &view.campaign).await?;
            unit.save_many(std::slice::from_ref(&view.campaign))?;
            unit.tell(events::updated(&view));
        }
        Ok(view)
    })
}

/// Deletes a draft.
pub async fn delete(app: Arc<App>, asked: Asked<Touch>) -> Outcome<()> {
    once!(app, asked, |unit, touch| {
        let (id, now) = (&touch.id, unit.now());
        catalogue::commands::bump(unit).await?;
        let (before, _) = locked(unit, touch).await?;
        let campaign = before.delete(now).map_err(|refusal| refusal.fault(id))?;
        unit.write(store::delete_revisions(id));
        unit.save(campaign, events::deleted)?;
        Ok(())
    })
}

/// Takes a step by hand: schedule, launch, pause, resume, end, cancel, archive.
pub async fn step(app: Arc<App>, asked: Asked<(Touch, Move)>) -> Outcome<View> {
    let limit = limit(&app, &asked.call).await?;
    once!(app, asked, |unit, step| {
        let ((touch, wanted), now) = (step, unit.now());
        catalogue::commands::bump(unit).await?;
        let (before, revisions) = locked(unit, touch).await?;
        let revision = current(&revisions)?;
        let campaign = before.step(*wanted, &revision.mix, limit, now);
        let campaign = campaign.map_err(|refusal| refusal.fault(&touch.id))?;
        unit.save_many(std::slice::from_ref(&campaign))?;
        let view = View { campaign, revision, at: now };
        unit.tell(events::state_changed(&view, before.state(now)));
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
pub async fn adapt(app: Arc<App>, asked: Asked<(Touch, Adaptation)>) -> Outcome<Adapted> {
    once!(app, asked, |unit, what| {
        let ((touch, adaptation), now) = (what, unit.now());
        let id = &touch.id;
        catalogue::commands::bump(unit).await?;
        let (before, revisions) = locked(unit, touch).await?;
        let newest = revisions.last().ok_or_else(no_revision)?;
        let revision = newest.adapt(&before, adaptation.clone(), unit.principal(), now);
        let revision = revision.map_err(|refusal| refusal.fault(id))?;
        values::of_offers(unit, id, &newest.mix, &revision).await?;
        let campaign = before.revise(&revision, now);
        unit.save_many(std::slice::from_ref(&campaign))?;
        unit.write(store::add_revision(id, &revision)?);
        let current = if revision.effective <= now { revision.clone() } else { current(&revisions)? };
        let adapted = Adapted { view: View { campaign, revision: current, at: now }, revision };
        unit.tell(events::adapted(&adapted.view, &adapted.revision));
        Ok(adapted)
    })
}

/// The objective a campaign names must be there and active, and stays so until the transaction ends.
async fn realises(unit: &mut Unit<'_>, id: &str) -> Outcome<()> {
    let tenant = unit.tenant();
    match objective::store::OBJECTIVES.share(unit.tx(), tenant, id).await? {
        Some(objective) => objective.active().map_err(|refusal| refusal.fault(id)),
        None => {
            let fault = Fault::precondition(ErrorReason::ObjectiveUnknown, "the objective does not exist");
            Err(fault.violating(objective::name(id), "OBJECTIVE_UNKNOWN", "does not exist"))
        }
    }
}

/// The campaign, locked, with the revision in effect and all that are to come.
async fn locked(unit: &mut Unit<'_>, touch: &Touch) -> Outcome<(Campaign, Vec<Revision>)> {
    let (tenant, now) = (unit.tenant(), unit.now());
    let campaign: Campaign = unit.lock(touch).await?;
    let revisions = store::revisions_from_current(unit.tx(), tenant, &touch.id, now).await?;
    Ok((campaign, revisions))
}

fn current(revisions: &[Revision]) -> Outcome<Revision> {
    revisions.first().cloned().ok_or_else(no_revision)
}

fn no_revision() -> Fault {
    Fault::internal("a campaign has no mix revision")
}

/// How many days a campaign of the tenant may last.
async fn limit(app: &App, call: &Call) -> Outcome<u32> {
    Ok(app.tenancy.of(app, &call.tenant).await?.campaign_max_days)
}
