//! Campaigns, revisions and mixes as the contract shows them.

use std::collections::BTreeMap;

use tandem_kernel::id;
use tandem_kernel::limits::Limits;
use tandem_kernel::money::{Currency, Money};
use tandem_kernel::period;
use tandem_kernel::pricing::PriceChange;
use tandem_platform::grpc;
use tandem_platform::resource::Resource;
use tandem_proto::campaign::v1::{self, CampaignState, ChannelSpend, GetMediaPlanResponse};
use tandem_proto::common::v1::Interval;
use tandem_proto::convert::to_timestamp;

use super::super::mix::{Channel, Medium, Mix, Offer, Placement, PriceRule};
use super::super::{Campaign, Revision, State, View, revision_name};
use crate::{objective, product};

/// A campaign with the mix in effect.
pub fn campaign(view: &View) -> v1::Campaign {
    let View { campaign, revision, at } = view;
    let definition = &campaign.definition;
    v1::Campaign {
        name: campaign.name(),
        display_name: definition.display_name.clone(),
        description: definition.description.clone(),
        objective: objective::name(&definition.objective),
        window: Some(Interval {
            start_time: Some(to_timestamp(definition.window.start)),
            end_time: Some(to_timestamp(definition.window.end)),
        }),
        time_zone: definition.zone.name().to_owned(),
        segments: names("segments", &definition.segments),
        budgets: definition.budgets.iter().map(Into::into).collect(),
        limits: limits(&definition.limits),
        mix: Some(mix(&revision.mix)),
        revision: revision.revision,
        labels: definition.labels.clone(),
        state: state(view.state()).into(),
        launch_time: campaign.launched(*at).map(to_timestamp),
        create_time: Some(to_timestamp(campaign.created)),
        update_time: Some(to_timestamp(campaign.updated)),
        etag: grpc::etag(campaign.version),
    }
}

/// A state.
pub fn state(state: State) -> CampaignState {
    match state {
        State::Draft => CampaignState::Draft,
        State::Scheduled => CampaignState::Scheduled,
        State::Running => CampaignState::Running,
        State::Paused => CampaignState::Paused,
        State::Ended => CampaignState::Ended,
        State::Archived => CampaignState::Archived,
        State::Cancelled => CampaignState::Cancelled,
    }
}

/// A revision of the campaign `id`.
pub fn revision(id: &str, revision: &Revision) -> v1::MixRevision {
    v1::MixRevision {
        name: revision_name(id, revision.revision),
        revision: revision.revision,
        mix: Some(mix(&revision.mix)),
        effective_time: Some(to_timestamp(revision.effective)),
        author: revision.author.clone(),
        reason: revision.reason.clone(),
        cause: revision.cause.clone(),
        create_time: Some(to_timestamp(revision.created)),
    }
}

/// A mix.
pub fn mix(mix: &Mix) -> v1::MarketingMix {
    v1::MarketingMix {
        product: Some(v1::ProductMix {
            products: names(product::COLLECTION, &mix.product.products),
            categories: mix.product.categories.clone(),
            featured_products: names(product::COLLECTION, &mix.product.featured_products),
        }),
        price: Some(v1::PriceMix {
            price_rules: mix.price.price_rules.iter().map(price_rule).collect(),
            offers: mix.price.offers.iter().map(offer).collect(),
            margin_floor_ppm: mix.price.margin_floor_ppm,
        }),
        place: Some(v1::PlaceMix {
            countries: mix.place.countries.clone(),
            stores: names("stores", &mix.place.stores),
            online_shops: names("shops", &mix.place.online_shops),
            marketplaces: names("marketplaces", &mix.place.marketplaces),
        }),
        promotion: Some(v1::PromotionMix {
            placements: mix.promotion.placements.iter().map(placement).collect(),
        }),
    }
}

/// The media plan of a mix: its placements by start, and what they cost by channel and currency.
pub fn media_plan(campaign: &Campaign, mix: &Mix) -> GetMediaPlanResponse {
    let mut placements: Vec<&Placement> = mix.promotion.placements.iter().collect();
    placements.sort_by_key(|one| one.schedule.start().unwrap_or(campaign.definition.window.start));
    let mut spend: BTreeMap<(Channel, Currency), i64> = BTreeMap::new();
    for one in &placements {
        if let Some(planned) = one.planned_spend {
            let sum = spend.entry((one.channel, planned.currency)).or_default();
            *sum = sum.saturating_add(planned.minor);
        }
    }
    let spent = |((of, currency), minor): ((Channel, Currency), i64)| ChannelSpend {
        channel: channel(of).into(),
        planned_spend: Some(Money::new(minor, currency).into()),
    };
    GetMediaPlanResponse {
        placements: placements.into_iter().map(placement).collect(),
        spend: spend.into_iter().map(spent).collect(),
    }
}

fn price_rule(rule: &PriceRule) -> v1::PriceRule {
    use v1::price_rule::Change;
    v1::PriceRule {
        id: rule.id.clone(),
        priority: rule.priority,
        scope: Some(&rule.scope).filter(|scope| !scope.is_everything()).map(Into::into),
        change: Some(match &rule.change {
            PriceChange::Percent { rate_ppm } => Change::RatePpm(*rate_ppm),
            PriceChange::Amount(amounts) => Change::Amounts(amounts.into()),
            PriceChange::Fixed(prices) => Change::Prices(prices.into()),
        }),
        segments: names("segments", &rule.segments),
        condition: rule.condition.clone(),
    }
}

fn offer(offer: &Offer) -> v1::Offer {
    v1::Offer {
        id: offer.id.clone(),
        titles: offer.titles.clone(),
        discount: Some((&offer.discount).into()),
        segments: names("segments", &offer.segments),
        condition: offer.condition.clone(),
        limits: limits(&offer.limits),
    }
}

fn placement(placement: &Placement) -> v1::Placement {
    let medium = match placement.channel.medium() {
        Medium::Digital => v1::Medium::Digital,
        Medium::Classical => v1::Medium::Classical,
    };
    let schedule = &placement.schedule;
    v1::Placement {
        id: placement.id.clone(),
        medium: medium.into(),
        channel: channel(placement.channel).into(),
        planned_spend: placement.planned_spend.map(Into::into),
        schedule: Some(schedule).filter(|one| **one != period::Window::default()).map(Into::into),
        message: placement.message.clone(),
    }
}

fn channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Email => v1::Channel::Email,
        Channel::Sms => v1::Channel::Sms,
        Channel::Push => v1::Channel::Push,
        Channel::Search => v1::Channel::Search,
        Channel::Social => v1::Channel::Social,
        Channel::Display => v1::Channel::Display,
        Channel::Tv => v1::Channel::Tv,
        Channel::Radio => v1::Channel::Radio,
        Channel::Print => v1::Channel::Print,
        Channel::Outdoor => v1::Channel::Outdoor,
    }
}

fn limits(limits: &Limits) -> Option<tandem_proto::common::v1::Limits> {
    Some(limits).filter(|limits| **limits != Limits::default()).map(Into::into)
}

fn names(collection: &str, ids: &[String]) -> Vec<String> {
    ids.iter().map(|one| id::name(collection, one)).collect()
}
