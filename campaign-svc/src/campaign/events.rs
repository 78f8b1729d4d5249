//! Campaigns as the contract shows them, in answers and in events.

pub mod message;

use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::campaign::v1::{
    CampaignAdapted, CampaignCreated, CampaignDeleted, CampaignStateChanged, CampaignUpdated,
};

use super::{Campaign, Revision, State, View};

/// It was drafted.
pub fn created(view: &View) -> Recorded {
    let event = CampaignCreated { campaign: Some(message::campaign(view)) };
    of("tandem.campaign.v1.CampaignCreated", &view.campaign, &event)
}

/// It was changed without a step of its life.
pub fn updated(view: &View) -> Recorded {
    let event = CampaignUpdated { campaign: Some(message::campaign(view)) };
    of("tandem.campaign.v1.CampaignUpdated", &view.campaign, &event)
}

/// A draft was deleted.
pub fn deleted(campaign: &Campaign) -> Recorded {
    let event = CampaignDeleted { name: campaign.name() };
    of("tandem.campaign.v1.CampaignDeleted", campaign, &event)
}

/// It took a step by hand, out of `from`.
pub fn state_changed(view: &View, from: State) -> Recorded {
    let event = CampaignStateChanged {
        campaign: Some(message::campaign(view)),
        from_state: message::state(from).into(),
    };
    of("tandem.campaign.v1.CampaignStateChanged", &view.campaign, &event)
}

/// It has a new revision.
pub fn adapted(view: &View, revision: &Revision) -> Recorded {
    let event = CampaignAdapted {
        campaign: Some(message::campaign(view)),
        revision: Some(message::revision(&view.campaign.id, revision)),
    };
    of("tandem.campaign.v1.CampaignAdapted", &view.campaign, &event)
}

fn of(type_: &'static str, campaign: &Campaign, event: &impl prost::Message) -> Recorded {
    told(type_, campaign, event)
}
