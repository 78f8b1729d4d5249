//! Settings of a tenant.

use std::collections::BTreeMap;

use prost_types::Duration;
use tandem_proto::relationship::v1::frequency_cap::{Counts, Window};
use tandem_proto::relationship::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::relationship::v1::{
    FrequencyCap, MessageChannel, Provider, QuietHours, Retention, Sender, Settings, StageRules,
    UpdateSettingsRequest,
};

use super::*;

pub async fn settings(caller: &Relationship, table: &mut Table) {
    let mut client = SettingsServiceClient::new(caller.channel.clone());
    let update = |settings: Settings, paths: &[&str]| UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: mask(paths),
        request_id: String::new(),
    };
    let provider = |id: &str, channel: MessageChannel, endpoint: &str, secret: &str| Provider {
        id: id.to_owned(),
        channel: channel.into(),
        endpoint: endpoint.to_owned(),
        secret: secret.to_owned(),
        ..Provider::default()
    };
    let wrong = Settings {
        time_zone: "Vienna".to_owned(),
        locale: "x".repeat(36),
        restored_days: Some(0),
        stage_rules: Some(StageRules {
            loyal_orders: Some(1),
            loyal_days: Some(i32::MIN),
            at_risk_days: Some(400),
            lapsed_days: Some(400),
            won_back_days: Some(i32::MAX),
        }),
        retention: Some(Retention { trade_days: Some(0), voice_days: Some(-1), trace_days: Some(3_651) }),
        default_sender: Some(Sender {
            email: "nobody".to_owned(),
            sms: "a name too long".to_owned(),
            ..Sender::default()
        }),
        footers: BTreeMap::from([("de".to_owned(), String::new()), ("e n".to_owned(), "x".to_owned())]),
        providers: vec![
            provider("", MessageChannel::Email, "smtps://mail.example:465", "the password itself"),
            provider("a", MessageChannel::Push, "http://push.example", "file:/etc/shadow"),
            provider("a", MessageChannel::Unspecified, "https://push.example", ""),
        ],
        quiet_hours: Some(QuietHours { start: "9 pm".to_owned(), end: "08:00".to_owned(), action: 3 }),
        frequency_caps: vec![
            FrequencyCap { max_messages: 1_001, window: None, counts: None },
            FrequencyCap {
                max_messages: 1,
                window: Some(Window::Calendar(0)),
                counts: Some(Counts::MessageClass(String::new())),
            },
            FrequencyCap {
                max_messages: 1,
                window: Some(Window::Rolling(Duration { seconds: 60, nanos: 1 })),
                counts: Some(Counts::Channel(9)),
            },
        ],
        ..Settings::default()
    };
    let fields = [
        "settings.default_sender.email",
        "settings.default_sender.sms",
        "settings.footers[de]",
        "settings.footers[e n]",
        "settings.frequency_caps[0].max_messages",
        "settings.frequency_caps[0].rolling",
        "settings.frequency_caps[1].calendar",
        "settings.frequency_caps[1].message_class",
        "settings.frequency_caps[2].channel",
        "settings.frequency_caps[2].rolling",
        "settings.locale",
        "settings.providers[0].id",
        "settings.providers[0].secret",
        "settings.providers[1].endpoint",
        "settings.providers[1].secret",
        "settings.providers[2].channel",
        "settings.providers[2].id",
        "settings.quiet_hours.action",
        "settings.quiet_hours.start",
        "settings.restored_days",
        "settings.retention.trace_days",
        "settings.retention.trade_days",
        "settings.retention.voice_days",
        "settings.stage_rules.at_risk_days",
        "settings.stage_rules.loyal_days",
        "settings.stage_rules.loyal_orders",
        "settings.stage_rules.won_back_days",
        "settings.time_zone",
    ];
    let answer = client.update_settings(update(wrong, &[])).await;
    table.refuses("settings of which nothing is right", answer, invalid(&fields)).await;
    let many = Settings {
        providers: (0..21)
            .map(|number| provider(&number.to_string(), MessageChannel::Sms, "https://a.example", ""))
            .collect(),
        ..Settings::default()
    };
    let answer = client.update_settings(update(many, &[])).await;
    table.refuses("more providers than anybody has", answer, invalid(&["settings.providers"])).await;
    let silent = Settings { default_sender: Some(Sender::default()), ..Settings::default() };
    let answer = client.update_settings(update(silent, &[])).await;
    table.refuses("a sender who says nothing", answer, invalid(&["settings.default_sender"])).await;
    let answer = client.update_settings(update(Settings::default(), &["stage"])).await;
    table.refuses("a setting that nobody knows", answer, invalid(&["update_mask"])).await;
}
