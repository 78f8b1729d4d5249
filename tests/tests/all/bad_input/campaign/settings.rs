//! Settings of a tenant.

use prost_types::Duration;
use tandem_proto::campaign::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::campaign::v1::{GetSettingsRequest, Settings, UpdateSettingsRequest};

use super::*;

pub async fn settings(pair: &Pair, table: &mut Table) {
    let mut client = SettingsServiceClient::new(pair.campaign.channel());
    let update = |settings: Settings, paths: &[&str]| UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: mask(paths),
        request_id: String::new(),
    };
    let wrong = Settings {
        name: "settings/relationship".to_owned(),
        time_zone: "+02:00".to_owned(),
        locale: "no language".to_owned(),
        campaign_max_days: Some(367),
        quote_ttl: Some(Duration { seconds: 0, nanos: 500 }),
        ..Settings::default()
    };
    let fields = [
        "settings.campaign_max_days",
        "settings.locale",
        "settings.name",
        "settings.quote_ttl",
        "settings.time_zone",
    ];
    let answer = client.update_settings(update(wrong.clone(), &[])).await;
    table.refuses("settings of which nothing is right", answer, invalid(&fields)).await;
    let wrong = Settings { name: String::new(), ..wrong };
    let answer = client.update_settings(update(wrong, &["locale", "colour"])).await;
    let fields = ["settings.locale", "update_mask"];
    table.refuses("a mask that names a wrong and an unknown setting", answer, invalid(&fields)).await;
    let stale = Settings { etag: "v7".to_owned(), ..Settings::default() };
    let answer = client.update_settings(update(stale, &["locale"])).await;
    table.refuses("another version", answer, platform(Code::Aborted, "ETAG_MISMATCH")).await;
    let answer = client.get_settings(GetSettingsRequest { name: "settings/7".to_owned() }).await;
    table.refuses("settings of another name", answer, invalid(&["name"])).await;
}
