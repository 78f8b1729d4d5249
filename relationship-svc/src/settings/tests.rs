//! Settings over the wire, on both engines; what a setting does is told where it is done.

use std::collections::BTreeMap;

use prost_types::{Duration, FieldMask};
use tandem_platform::testing::{engines, fields, reason};
use tandem_proto::common::v1::Recurrence;
use tandem_proto::relationship::v1::frequency_cap::{Counts, Window};
use tandem_proto::relationship::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::relationship::v1::{
    FrequencyCap, GetSettingsRequest, GetSettingsResponse, MessageChannel, Provider, QuietHours,
    QuietHoursAction, Retention, Sender, Settings, StageRules, UpdateSettingsRequest,
};
use tonic::Status;

use super::contact::{Channel, SecretName, check_endpoint, sms_sender, time_of_day};
use crate::MIGRATIONS;
use crate::testing::Harness;

async fn read(harness: &Harness) -> GetSettingsResponse {
    let mut client = SettingsServiceClient::new(harness.channel());
    client.get_settings(GetSettingsRequest::default()).await.unwrap().into_inner()
}

/// Sets what is said, or what the mask names; answers what is set then.
async fn set(harness: &Harness, settings: Settings, mask: &[&str]) -> Result<Settings, Status> {
    let paths = mask.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: Some(FieldMask { paths }),
        request_id: String::new(),
    };
    let mut client = SettingsServiceClient::new(harness.channel());
    Ok(client.update_settings(request).await?.into_inner().settings.unwrap())
}

fn provider(id: &str, channel: MessageChannel, endpoint: &str, secret: &str) -> Provider {
    Provider {
        id: id.to_owned(),
        channel: channel.into(),
        endpoint: endpoint.to_owned(),
        user: "shop".to_owned(),
        secret: secret.to_owned(),
    }
}

fn rolling(seconds: i64) -> Option<Window> {
    Some(Window::Rolling(Duration { seconds, nanos: 0 }))
}

/// All that can be set.
fn everything() -> Settings {
    Settings {
        time_zone: "Europe/Vienna".to_owned(),
        locale: "de-AT".to_owned(),
        restored_days: Some(3),
        stage_rules: Some(StageRules {
            loyal_orders: Some(4),
            loyal_days: Some(300),
            at_risk_days: Some(30),
            lapsed_days: Some(60),
            won_back_days: Some(20),
        }),
        retention: Some(Retention { trade_days: Some(700), voice_days: Some(70), trace_days: Some(7) }),
        default_sender: Some(Sender {
            email: "hello@shop.example".to_owned(),
            display_name: "Shop".to_owned(),
            reply_to: "desk@shop.example".to_owned(),
            sms: "Shop 24".to_owned(),
        }),
        footers: BTreeMap::from([(String::new(), "Shop Ltd\nVienna".to_owned())]),
        providers: vec![
            provider("mail", MessageChannel::Email, "smtps://mail.example:465", "env:TANDEM_SECRET_SMTP"),
            provider("text", MessageChannel::Sms, "https://text.example/v1", "file:/run/secrets/text/key"),
        ],
        quiet_hours: Some(QuietHours {
            start: "21:00".to_owned(),
            end: "08:00".to_owned(),
            action: QuietHoursAction::Cancel.into(),
        }),
        frequency_caps: vec![
            FrequencyCap { max_messages: 2, window: rolling(86_400), counts: None },
            FrequencyCap {
                max_messages: 1,
                window: Some(Window::Calendar(Recurrence::Week.into())),
                counts: Some(Counts::Channel(MessageChannel::Sms.into())),
            },
            FrequencyCap {
                max_messages: 4,
                window: Some(Window::Calendar(Recurrence::Month.into())),
                counts: Some(Counts::MessageClass("newsletter".to_owned())),
            },
        ],
        ..Settings::default()
    }
}

#[tokio::test]
async fn all_that_is_set_is_kept_as_it_was_said_and_cleared_by_name() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let before = read(&harness).await;
        let defaults = before.effective.unwrap();
        assert_eq!((defaults.time_zone.as_str(), defaults.restored_days), ("UTC", Some(14)));
        assert_eq!(before.settings.unwrap().etag, "v0");
        let stored = set(&harness, everything(), &[]).await.unwrap();
        let Settings { name, etag, update_time, .. } = stored.clone();
        assert_eq!((name.as_str(), etag.as_str()), ("settings/relationship", "v1"));
        assert_eq!(stored, Settings { name: name.clone(), etag, update_time, ..everything() });
        let found = read(&harness).await;
        assert_eq!(found.settings, Some(stored));
        assert_eq!(found.effective, Some(Settings { name, ..everything() }));
        let less = set(&harness, Settings::default(), &["providers", "quiet_hours", "restored_days"]).await;
        let less = less.unwrap();
        assert!(less.providers.is_empty() && less.quiet_hours.is_none() && less.restored_days.is_none());
        assert_eq!(less.frequency_caps, everything().frequency_caps);
        set(&harness, Settings::default(), &["*"]).await.unwrap();
        assert_eq!(read(&harness).await.effective, Some(defaults));
        let told = harness.events().await;
        assert!(told.iter().all(|event| event.r#type == "tandem.relationship.v1.SettingsUpdated"));
        assert_eq!(told.len(), 3);
        let stale = Settings { etag: "v1".to_owned(), ..everything() };
        assert_eq!(reason(&set(&harness, stale, &[]).await.unwrap_err()), "ETAG_MISMATCH");
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_named_at_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let wrong = Settings {
            time_zone: "Vienna".to_owned(),
            restored_days: Some(0),
            stage_rules: Some(StageRules {
                loyal_orders: Some(33),
                loyal_days: Some(0),
                at_risk_days: Some(-1),
                lapsed_days: Some(1),
                won_back_days: Some(3_651),
            }),
            retention: Some(Retention { trade_days: Some(3_651), voice_days: Some(0), trace_days: Some(-7) }),
            default_sender: Some(Sender {
                display_name: "x".repeat(101),
                reply_to: "nobody".to_owned(),
                ..Sender::default()
            }),
            footers: BTreeMap::from([("de".to_owned(), "\u{1}".to_owned())]),
            providers: vec![
                provider("mail", MessageChannel::Unspecified, "smtps://mail.example", "hunter2"),
                provider(
                    "a b",
                    MessageChannel::Sms,
                    "smtp://text.example",
                    "env:TANDEM_RELATIONSHIP_SEAL_KEYS",
                ),
                provider("mail", MessageChannel::Email, "smtps://u:p@mail.example", ""),
                provider("mail", MessageChannel::Email, "https://mail.example/send", ""),
            ],
            quiet_hours: Some(QuietHours { start: "24:00".to_owned(), end: "8:00".to_owned(), action: 9 }),
            frequency_caps: vec![
                FrequencyCap::default(),
                FrequencyCap { max_messages: 1, window: rolling(59), counts: Some(Counts::Channel(0)) },
                FrequencyCap { max_messages: 1, window: rolling(60), counts: None },
                FrequencyCap { max_messages: 2, window: rolling(60), counts: None },
            ],
            ..Settings::default()
        };
        let refused = set(&harness, wrong, &[]).await.unwrap_err();
        let all = [
            "time_zone",
            "restored_days",
            "stage_rules.loyal_orders",
            "stage_rules.loyal_days",
            "stage_rules.at_risk_days",
            "stage_rules.lapsed_days",
            "stage_rules.won_back_days",
            "retention.trade_days",
            "retention.voice_days",
            "retention.trace_days",
            "default_sender",
            "default_sender.display_name",
            "default_sender.reply_to",
            "default_sender.display_name",
            "default_sender.reply_to",
            "footers[de]",
            "providers[0].secret",
            "providers[0].channel",
            "providers[1].id",
            "providers[1].secret",
            "providers[1].endpoint",
            "providers[2].endpoint",
            "providers[3].id",
            "quiet_hours.start",
            "quiet_hours.end",
            "quiet_hours.action",
            "frequency_caps[0].max_messages",
            "frequency_caps[0].rolling",
            "frequency_caps[1].rolling",
            "frequency_caps[1].channel",
            "frequency_caps[3]",
        ];
        assert_eq!(fields(&refused), all.map(|field| format!("settings.{field}")));
        assert!(!refused.message().contains("hunter2") && !format!("{refused:?}").contains("hunter2"));
        let same = QuietHours { start: "08:00".to_owned(), end: "08:00".to_owned(), action: 0 };
        let same = Settings { quiet_hours: Some(same), ..Settings::default() };
        assert_eq!(fields(&set(&harness, same, &[]).await.unwrap_err()), ["settings.quiet_hours.end"]);
        assert_eq!(read(&harness).await.settings.unwrap().etag, "v0", "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn rules_of_stages_and_retention_that_are_not_said_are_as_ever() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let ever = StageRules {
            loyal_orders: Some(3),
            loyal_days: Some(365),
            at_risk_days: Some(90),
            lapsed_days: Some(180),
            won_back_days: Some(90),
        };
        let kept = Retention { trade_days: Some(3_650), voice_days: Some(1_095), trace_days: Some(395) };
        let defaults = read(&harness).await.effective.unwrap();
        assert_eq!((defaults.stage_rules, defaults.retention), (Some(ever), Some(kept)));
        let some = StageRules { at_risk_days: Some(30), ..StageRules::default() };
        let traces = Retention { trace_days: Some(30), ..Retention::default() };
        let settings = Settings { stage_rules: Some(some), retention: Some(traces), ..Settings::default() };
        set(&harness, settings, &[]).await.unwrap();
        let found = read(&harness).await;
        assert_eq!(found.settings.unwrap().stage_rules, Some(some), "only what was said");
        let effective = found.effective.unwrap();
        assert_eq!(effective.stage_rules, Some(StageRules { at_risk_days: Some(30), ..ever }));
        assert_eq!(effective.retention, Some(Retention { trace_days: Some(30), ..kept }));
        // Each is set as a whole: what it does not say is as ever again.
        let other = StageRules { lapsed_days: Some(400), ..StageRules::default() };
        set(&harness, Settings { stage_rules: Some(other), ..Settings::default() }, &[]).await.unwrap();
        let effective = read(&harness).await.effective.unwrap();
        assert_eq!(effective.stage_rules, Some(StageRules { lapsed_days: Some(400), ..ever }));
    })
    .await;
}

#[tokio::test]
async fn who_has_lapsed_was_at_risk_before_by_what_would_be_in_force() {
    engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        for (at_risk_days, lapsed_days, wrong) in [
            (Some(180), None, Some("at_risk_days")),
            (None, Some(90), Some("lapsed_days")),
            (Some(50), Some(50), Some("at_risk_days")),
            (Some(179), None, None),
            (None, Some(91), None),
            (Some(200), Some(201), None),
        ] {
            let rules = StageRules { at_risk_days, lapsed_days, ..StageRules::default() };
            let settings = Settings { stage_rules: Some(rules), ..Settings::default() };
            let named = set(&harness, settings, &[]).await.err().map(|refused| fields(&refused));
            let expected = wrong.map(|field| vec![format!("settings.stage_rules.{field}")]);
            assert_eq!(named, expected, "{rules:?}");
        }
    })
    .await;
}

#[test]
fn a_secret_is_named_and_only_what_is_there_for_tenants_can_be() {
    for good in ["env:TANDEM_SECRET_SMTP_2", "file:/run/secrets/smtp", "file:/run/secrets/shop-1/smtp.key"] {
        assert_eq!(SecretName::parse(good).unwrap().name(), good);
    }
    for bad in [
        "",
        "hunter2",
        "env:",
        "env:TANDEM_SECRET_",
        "env:tandem_secret_smtp",
        "env:TANDEM_RELATIONSHIP_SEAL_KEYS",
        "env:TANDEM_SECRET_A=B",
        "file:smtp",
        "file:/run/secrets/",
        "file:/run/secrets/../../etc/passwd",
        "file:/run/secrets/a/./b",
        "file:/run/secrets//a",
        "file:/run/secretsx/a",
        "file:/etc/passwd",
        "https://example.org",
    ] {
        assert!(SecretName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn who_text_messages_come_from_is_a_number_or_a_short_name() {
    for (given, kept) in [("+43 660 1234567", "+436601234567"), (" Shop ", "Shop"), ("Shop 24", "Shop 24")] {
        assert_eq!(sms_sender(given).as_deref(), Ok(kept));
    }
    for bad in ["", "123", "Twelve chars", "Größe", "a-b"] {
        assert!(sms_sender(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_provider_is_where_its_channel_can_be_and_no_secret_stands_in_its_address() {
    for (channel, endpoint, fits) in [
        (Channel::Email, "smtp://mail.example:587", true),
        (Channel::Email, "smtps://[2001:db8::1]:465/", true),
        (Channel::Email, "https://mail.example/v3/send", true),
        (Channel::Email, "smtps://mail.example/path", false),
        (Channel::Email, "http://mail.example", false),
        (Channel::Email, "mail.example:465", false),
        (Channel::Sms, "https://text.example", true),
        (Channel::Sms, "smtps://text.example", false),
        (Channel::Push, "https://push.example/send?key=abc", false),
        (Channel::Push, "https://user:word@push.example", false),
        (Channel::Push, "https://", false),
    ] {
        assert_eq!(check_endpoint(channel, endpoint).is_ok(), fits, "{endpoint}");
    }
}

#[test]
fn a_time_of_day_has_two_digits_each() {
    for good in ["00:00", "23:59", "08:05"] {
        assert_eq!(super::contact::time_text(time_of_day(good).unwrap()), good);
    }
    for bad in ["", "24:00", "8:00", "08:60", "08:5", "0800", "+8:00", "08:00:00"] {
        assert!(time_of_day(bad).is_none(), "{bad}");
    }
}
