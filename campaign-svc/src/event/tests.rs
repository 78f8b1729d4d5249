use futures::StreamExt;
use prost::Message;
use tandem_platform::outbox::{Relay, RelayConfig};
use tandem_platform::testing;
use tandem_proto::campaign::v1::event_service_client::EventServiceClient;
use tandem_proto::campaign::v1::{self, CampaignState, CampaignStateChanged, SubscribeRequest};
use tandem_proto::common::v1::Event;
use tonic::Code;

use crate::MIGRATIONS;
use crate::campaign::Move;
use crate::testing::Harness;
use crate::tests::{Clients, a_campaign, a_mix, fields, refusal};

/// Gives positions to what has committed: nothing runs by itself in a harness.
async fn relay(harness: &Harness) {
    let app = &harness.app;
    Relay::new(app.db.clone(), app.clock.clone(), RelayConfig::default()).pass().await.unwrap();
}

/// The next `count` events.
async fn events(harness: &Harness, request: SubscribeRequest, count: usize) -> Vec<Event> {
    let mut client = EventServiceClient::new(harness.channel());
    let stream = client.subscribe(request).await.unwrap().into_inner();
    stream.filter_map(async |response| response.unwrap().event).take(count).collect().await
}

#[tokio::test]
async fn every_change_is_told_in_its_order() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        clients.objective("growth").await;
        clients.campaign("spring", a_campaign(harness.app.clock.now())).await;
        clients.step("spring", Move::Launch).await.unwrap();
        let adapt = v1::AdaptCampaignRequest {
            name: "campaigns/spring".to_owned(),
            mix: Some(a_mix()),
            reason: "why".to_owned(),
            ..Default::default()
        };
        clients.campaigns.adapt_campaign(adapt).await.unwrap();
        clients.step("spring", Move::Pause).await.unwrap();
        relay(&harness).await;

        let all = events(&harness, SubscribeRequest::default(), 5).await;
        let told: Vec<(&str, &str, i64)> = all
            .iter()
            .map(|one| {
                let type_ = one.r#type.strip_prefix("tandem.campaign.v1.").unwrap();
                (type_, one.aggregate.as_str(), one.aggregate_version)
            })
            .collect();
        let expected = [
            ("ObjectiveCreated", "objectives/growth", 1),
            ("CampaignCreated", "campaigns/spring", 1),
            ("CampaignStateChanged", "campaigns/spring", 2),
            ("CampaignAdapted", "campaigns/spring", 3),
            ("CampaignStateChanged", "campaigns/spring", 4),
        ];
        assert_eq!(told, expected);
        let launched = all[2].payload.as_ref().unwrap();
        assert_eq!(launched.type_url, "type.googleapis.com/tandem.campaign.v1.CampaignStateChanged");
        let launched = CampaignStateChanged::decode(launched.value.as_slice()).unwrap();
        assert_eq!(launched.from_state(), CampaignState::Draft);
        assert_eq!(launched.campaign.unwrap().state(), CampaignState::Running);

        let steps = SubscribeRequest {
            types: vec!["tandem.campaign.v1.CampaignState".to_owned()],
            ..SubscribeRequest::default()
        };
        assert_eq!(events(&harness, steps, 2).await, [all[2].clone(), all[4].clone()]);
        let after =
            SubscribeRequest { cursor: format!("{}.{}", all[2].position, all[2].seq), ..Default::default() };
        assert_eq!(events(&harness, after, 2).await, all[3..]);
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_is_not_told() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        let now = harness.app.clock.now();
        assert!(clients.try_campaign("spring", a_campaign(now)).await.is_err());
        clients.objective("growth").await;
        relay(&harness).await;
        let first = events(&harness, SubscribeRequest::default(), 1).await;
        assert_eq!(first[0].r#type, "tandem.campaign.v1.ObjectiveCreated");
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_hears_of_its_own_tenant_only() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        let create = v1::CreateObjectiveRequest {
            objective: Some(crate::tests::an_objective()),
            objective_id: "theirs".to_owned(),
            request_id: String::new(),
        };
        let mut foreign = tonic::Request::new(create);
        foreign.metadata_mut().insert("tandem-tenant", "other".parse().unwrap());
        clients.objectives.create_objective(foreign).await.unwrap();
        clients.objective("ours").await;
        relay(&harness).await;
        let heard = events(&harness, SubscribeRequest::default(), 1).await;
        assert_eq!(heard[0].aggregate, "objectives/ours");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_cursor_is_refused_and_what_was_forgotten_is_out_of_range() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut client = EventServiceClient::new(harness.channel());
        let request = SubscribeRequest {
            cursor: "yesterday".to_owned(),
            types: vec![String::new()],
            aggregate_prefix: "x".repeat(257),
        };
        let refused = client.subscribe(request).await.unwrap_err();
        assert_eq!(fields(&refused), ["cursor", "types[0]", "aggregate_prefix"]);
        let future = SubscribeRequest { cursor: "99.0".to_owned(), ..SubscribeRequest::default() };
        let mut stream = client.subscribe(future).await.unwrap().into_inner();
        let expired = stream.message().await.unwrap_err();
        assert_eq!(refusal(&expired), (Code::OutOfRange, "CURSOR_EXPIRED".to_owned()));
    })
    .await;
}
