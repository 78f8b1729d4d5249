//! Settings over the wire, on both engines.

use jiff::SignedDuration;
use prost_types::{Duration, FieldMask};
use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::campaign::v1::{
    Campaign, GetSettingsRequest, GetSettingsResponse, Settings, SettingsUpdated, UpdateSettingsRequest,
};
use tandem_proto::convert::to_timestamp;
use tonic::{Code, Status};

use crate::MIGRATIONS;
use crate::campaign::Move;
use crate::testing::{Channel, Harness};
use crate::tests::{Clients, a_campaign, days, fields, metadata, refusal};

pub fn client(harness: &Harness) -> SettingsServiceClient<Channel> {
    SettingsServiceClient::new(harness.channel())
}

pub async fn read(harness: &Harness) -> GetSettingsResponse {
    client(harness).get_settings(GetSettingsRequest::default()).await.unwrap().into_inner()
}

/// Sets what is said, or what the mask names; answers what is set then.
pub async fn set(harness: &Harness, settings: Settings, mask: &[&str]) -> Result<Settings, Status> {
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: Some(FieldMask { paths }),
        request_id: String::new(),
    };
    Ok(client(harness).update_settings(request).await?.into_inner().settings.unwrap())
}

pub fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

#[tokio::test]
async fn what_a_tenant_has_not_set_is_as_the_process_says() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let GetSettingsResponse { settings, effective } = read(&harness).await;
        let nothing =
            Settings { name: "settings/campaign".to_owned(), etag: "v0".to_owned(), ..Settings::default() };
        assert_eq!(settings, Some(nothing.clone()));
        let defaults = Settings {
            etag: String::new(),
            time_zone: "UTC".to_owned(),
            campaign_max_days: Some(92),
            quote_ttl: seconds(900),
            ..nothing
        };
        assert_eq!(effective, Some(defaults.clone()));

        let given = Settings {
            time_zone: "Europe/Vienna".to_owned(),
            locale: "de_at".to_owned(),
            campaign_max_days: Some(7),
            ..Settings::default()
        };
        let stored = set(&harness, given, &[]).await.unwrap();
        assert_eq!((stored.locale.as_str(), stored.etag.as_str()), ("de-AT", "v1"));
        assert_eq!(stored.update_time, Some(to_timestamp(harness.app.clock.now())));
        let found = read(&harness).await;
        assert_eq!(found.settings, Some(stored));
        let in_force = found.effective.unwrap();
        assert_eq!((in_force.campaign_max_days, in_force.quote_ttl), (Some(7), seconds(900)));

        let cleared = set(&harness, Settings::default(), &["*"]).await.unwrap();
        assert_eq!((cleared.time_zone.as_str(), cleared.campaign_max_days), ("", None));
        assert_eq!(read(&harness).await.effective, Some(defaults));
    })
    .await;
}

#[tokio::test]
async fn every_change_is_told_and_what_changes_nothing_is_not() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let given = || Settings { campaign_max_days: Some(7), ..Settings::default() };
        let first = set(&harness, given(), &[]).await.unwrap();
        assert_eq!(set(&harness, given(), &[]).await.unwrap(), first);
        let told = harness.events().await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].r#type, "tandem.campaign.v1.SettingsUpdated");
        assert_eq!((told[0].aggregate.as_str(), told[0].aggregate_version), ("settings/campaign", 1));
        let payload: SettingsUpdated =
            prost::Message::decode(told[0].payload.as_ref().unwrap().value.as_slice()).unwrap();
        assert_eq!(payload.settings, Some(first));
        let stale = Settings { etag: "v0".to_owned(), ..given() };
        let stale = set(&harness, stale, &[]).await.unwrap_err();
        assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_and_what_is_not_changed_may_be_wrong() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let wrong = || Settings {
            name: "settings/other".to_owned(),
            time_zone: "Europe/Atlantis".to_owned(),
            locale: "no language".to_owned(),
            campaign_max_days: Some(0),
            quote_ttl: Some(Duration { seconds: 1, nanos: 1 }),
            ..Settings::default()
        };
        let refused = set(&harness, wrong(), &[]).await.unwrap_err();
        let all = ["name", "time_zone", "locale", "campaign_max_days", "quote_ttl"];
        assert_eq!(fields(&refused), all.map(|field| format!("settings.{field}")));
        let unnamed = Settings { name: String::new(), campaign_max_days: Some(366), ..wrong() };
        assert!(set(&harness, unnamed, &["campaign_max_days"]).await.is_ok());
        for (days, ttl) in [(367, 1), (-1, 1), (1, 0), (1, -1), (1, 86_401)] {
            let wrong =
                Settings { campaign_max_days: Some(days), quote_ttl: seconds(ttl), ..Settings::default() };
            assert_eq!(fields(&set(&harness, wrong, &[]).await.unwrap_err()).len(), 1, "{days} {ttl}");
        }
        let unknown = set(&harness, Settings::default(), &["colour"]).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask"]);
        let other = GetSettingsRequest { name: "settings/relationship".to_owned() };
        assert_eq!(fields(&client(&harness).get_settings(other).await.unwrap_err()), ["name"]);
    })
    .await;
}

#[tokio::test]
async fn a_campaign_that_is_longer_than_the_tenants_limit_is_refused_with_the_tenants_number() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        clients.objective("growth").await;
        let now = harness.app.clock.now();
        let lasting = |length: i64| Campaign { window: Some(days(now, 1, 1 + length)), ..a_campaign(now) };
        clients.campaign("usual", lasting(30)).await;
        set(&harness, Settings { campaign_max_days: Some(7), ..Settings::default() }, &[]).await.unwrap();
        let refused = clients.try_campaign("long", lasting(8)).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "WINDOW_TOO_LONG".to_owned()));
        assert_eq!(metadata(&refused, "limit_days").as_deref(), Some("7"));
        clients.campaign("short", lasting(7)).await;
        let refused = clients.step("usual", Move::Schedule).await.unwrap_err();
        assert_eq!(metadata(&refused, "limit_days").as_deref(), Some("7"), "a draft is none that is out");
        set(&harness, Settings { campaign_max_days: Some(120), ..Settings::default() }, &[]).await.unwrap();
        clients.step("usual", Move::Schedule).await.unwrap();
        clients.campaign("long", lasting(120)).await;
        harness.clock.advance(SignedDuration::from_hours(48));
        set(&harness, Settings { campaign_max_days: Some(1), ..Settings::default() }, &[]).await.unwrap();
        clients.step("usual", Move::Pause).await.unwrap();
    })
    .await;
}
