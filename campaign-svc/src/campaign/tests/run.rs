use jiff::SignedDuration;
use tandem_platform::db::Db;
use tandem_platform::{Tenant, testing};
use tandem_proto::campaign::v1::{
    self, CampaignState, GetMediaPlanRequest, LaunchCampaignRequest, Medium, Placement, ProductMix,
};
use tonic::Code;

use super::super::{Move, name, store};
use crate::MIGRATIONS;
use crate::testing::Harness;
use crate::tests::{Clients, a_campaign, a_mix, days, eur, metadata, refusal, subjects};

async fn start(db: Db) -> (Harness, Clients) {
    let harness = Harness::new(db);
    let mut clients = Clients::of(&harness);
    clients.objective("growth").await;
    clients.campaign("spring", a_campaign(harness.app.clock.now())).await;
    (harness, clients)
}

#[tokio::test]
async fn a_whole_life_by_hand_and_by_the_clock() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let scheduled = clients.step("spring", Move::Schedule).await.unwrap();
        assert_eq!((scheduled.state(), scheduled.launch_time), (CampaignState::Scheduled, None));
        harness.clock.advance(SignedDuration::from_hours(24));
        let running = clients.read("spring").await;
        assert_eq!((running.state(), running.etag.as_str()), (CampaignState::Running, "v2"));
        assert_eq!(running.launch_time, running.window.as_ref().unwrap().start_time);
        let paused = clients.step("spring", Move::Pause).await.unwrap();
        assert_eq!((paused.state(), paused.launch_time), (CampaignState::Paused, running.launch_time));
        assert_eq!(clients.step("spring", Move::Resume).await.unwrap().state(), CampaignState::Running);
        assert_eq!(clients.step("spring", Move::End).await.unwrap().state(), CampaignState::Ended);
        let refused = clients.step("spring", Move::Resume).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "WRONG_STATE".to_owned()));
        assert_eq!(metadata(&refused, "state").as_deref(), Some("ENDED"));
        assert_eq!(subjects(&refused), ["campaigns/spring"]);
        assert_eq!(clients.step("spring", Move::Archive).await.unwrap().state(), CampaignState::Archived);
        assert_eq!(clients.read("spring").await.etag, "v6");
    })
    .await;
}

#[tokio::test]
async fn a_launch_is_now_once_and_only_of_what_was_read() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let launch = LaunchCampaignRequest {
            name: name("spring"),
            etag: "v9".to_owned(),
            request_id: "l1".to_owned(),
        };
        let stale = clients.campaigns.launch_campaign(launch.clone()).await.unwrap_err();
        assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        // A refusal leaves no claim: the same id may stand for the mended request.
        let launch = LaunchCampaignRequest { etag: "v1".to_owned(), ..launch };
        let launched = clients.campaigns.launch_campaign(launch.clone()).await.unwrap().into_inner();
        harness.clock.advance(SignedDuration::from_hours(1));
        let again = clients.campaigns.launch_campaign(launch).await.unwrap().into_inner();
        assert_eq!(launched, again);
        let campaign = launched.campaign.unwrap();
        assert_eq!(campaign.window.as_ref().unwrap().start_time, campaign.launch_time);
        let missing = LaunchCampaignRequest { name: name("none"), ..LaunchCampaignRequest::default() };
        let missing = clients.campaigns.launch_campaign(missing).await.unwrap_err();
        assert_eq!(refusal(&missing), (Code::NotFound, "NOT_FOUND".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_launch_names_what_the_mix_lacks() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let empty = v1::Campaign { mix: None, ..a_campaign(harness.app.clock.now()) };
        clients.campaign("empty", empty).await;
        let refused = clients.step("empty", Move::Launch).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "MIX_INCOMPLETE".to_owned()));
        assert_eq!(subjects(&refused), ["mix.product", "mix.price"]);
        let mut mix = a_mix();
        mix.product = Some(ProductMix::default());
        let partial = v1::Campaign { mix: Some(mix), ..a_campaign(harness.app.clock.now()) };
        clients.campaign("partial", partial).await;
        let refused = clients.step("partial", Move::Schedule).await.unwrap_err();
        assert_eq!(subjects(&refused), ["mix.product"]);
        harness.clock.advance(SignedDuration::from_hours(24 * 31));
        let over = clients.step("spring", Move::Launch).await.unwrap_err();
        assert_eq!(refusal(&over), (Code::FailedPrecondition, "WINDOW_OVER".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn the_media_plan_sums_up_by_channel_and_currency() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let now = harness.app.clock.now();
        let placement = |id: &str, channel: v1::Channel, spend: i64, from: i64| Placement {
            id: id.to_owned(),
            medium: Medium::Digital.into(),
            channel: channel.into(),
            planned_spend: Some(eur(spend, 0)),
            schedule: Some(days(now, from, 20)),
            message: String::new(),
        };
        let mut mix = a_mix();
        let placements = &mut mix.promotion.as_mut().unwrap().placements;
        placements.insert(0, placement("late", v1::Channel::Search, 300, 10));
        placements.push(placement("early", v1::Channel::Search, 200, 5));
        clients.campaign("media", v1::Campaign { mix: Some(mix), ..a_campaign(now) }).await;
        let request = GetMediaPlanRequest { campaign: name("media") };
        let plan = clients.campaigns.get_media_plan(request).await.unwrap().into_inner();
        let order: Vec<&str> = plan.placements.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(
            order,
            ["radio", "early", "late"],
            "without a start of its own it starts with the campaign"
        );
        let spend: Vec<(v1::Channel, i64)> =
            plan.spend.iter().map(|one| (one.channel(), one.planned_spend.as_ref().unwrap().units)).collect();
        assert_eq!(spend, [(v1::Channel::Search, 500), (v1::Channel::Radio, 1_200)]);
    })
    .await;
}

#[tokio::test]
async fn replicas_are_fed_what_changed_and_what_is_gone() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db.clone()).await;
        let (tenant, now) = (Tenant::default(), harness.app.clock.now());
        let mut reader = db.read().await.unwrap();
        let versions = crate::catalogue::store::versions(&mut reader).await.unwrap();
        assert_eq!(versions, [(tenant.clone(), 1)], "objectives are not part of the catalogue");
        clients.campaign("summer", a_campaign(now)).await;
        clients.step("summer", Move::Launch).await.unwrap();
        let delete = v1::DeleteCampaignRequest { name: name("spring"), ..Default::default() };
        clients.campaigns.delete_campaign(delete).await.unwrap();

        let fed = store::campaigns_since(&mut reader, &tenant, 1, now).await.unwrap();
        let seen: Vec<(&str, bool)> = fed.iter().map(|one| (one.id.as_str(), one.deleted)).collect();
        assert_eq!(seen, [("spring", true), ("summer", false)]);
        let revisions =
            store::revisions_of(&mut reader, &tenant, ["spring", "summer"].into_iter()).await.unwrap();
        assert_eq!(
            revisions.iter().map(|(id, one)| (id.as_str(), one.revision)).collect::<Vec<_>>(),
            [("summer", 1)]
        );
        let whole = store::campaigns_page(&mut reader, &tenant, "", now, 10).await.unwrap();
        assert_eq!(whole, fed[1..], "who reads everything is not told what is gone");
        assert!(store::campaigns_page(&mut reader, &tenant, "summer", now, 10).await.unwrap().is_empty());
        let long_over = now + SignedDuration::from_hours(24 * 400);
        let later = store::campaigns_since(&mut reader, &tenant, 0, long_over).await.unwrap();
        assert_eq!(later.len(), 1, "what ended before is left out, what is gone is told");
        assert!(store::campaigns_since(&mut reader, &tenant, 4, now).await.unwrap().is_empty());
    })
    .await;
}
