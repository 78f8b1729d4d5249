//! Settings of a tenant over several processes, and as an operator types them.

use std::time::{Duration, Instant};

use tandem_proto::campaign::v1::settings_service_client::SettingsServiceClient;
use tandem_proto::campaign::v1::{QuoteRequest, Settings, UpdateSettingsRequest};
use tandem_proto::common::v1::Limits;
use tandem_tests::database::Engine;
use tandem_tests::process::Service;
use tandem_tests::stage::orders::Shop;
use tandem_tests::stage::{Campaigns, basket, in_seconds};

use crate::cli::Up;

/// For how many seconds a quote of this replica holds, to within a few.
async fn holds_for(replica: &Service) -> i64 {
    let request = QuoteRequest { basket: Some(basket(&[("1", 1, 1_000)])), ..QuoteRequest::default() };
    let until = Campaigns::of(replica).quote(request).await.valid_until.expect("a promise").seconds;
    until - in_seconds(0).seconds
}

async fn set_ttl(replica: &Service, seconds: i64) {
    let quote_ttl = Some(prost_types::Duration { seconds, nanos: 0 });
    let settings = Some(Settings { quote_ttl, ..Settings::default() });
    let update = UpdateSettingsRequest { settings, ..UpdateSettingsRequest::default() };
    SettingsServiceClient::new(replica.channel()).update_settings(update).await.expect("it is set");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_at_one_replica_is_gone_by_at_once_there_and_soon_at_every_other() {
    let shop = Shop::with_replicas(Engine::Postgres, 2, Limits::default()).await;
    let [here, there] = &shop.campaigns[..] else { panic!("two replicas") };
    for seconds in [10_000, 20_000, 30_000] {
        // Both know what was in force before.
        holds_for(there).await;
        set_ttl(here, seconds).await;
        let is_it = |held: i64| (seconds - 60..=seconds).contains(&held);
        assert!(is_it(holds_for(here).await), "at once");
        let begun = Instant::now();
        while !is_it(holds_for(there).await) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "half a second on a machine that does nothing else"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[test]
fn an_operator_sees_what_is_in_force_and_who_says_so_and_sets_and_clears_it() {
    let up = Up::start();
    let lines = |text: &str, setting: &str| -> Vec<String> {
        let of = text.lines().filter(|line| line.contains(setting));
        of.map(|line| line.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let shown = up.tandem(&["settings", "show"]);
    assert_eq!(lines(&shown, "campaign max days"), ["campaign max days campaign 92 the process"]);
    assert_eq!(
        lines(&shown, "time zone"),
        ["time zone campaign UTC the process", "time zone relationship UTC the process"]
    );
    assert_eq!(lines(&shown, "quiet hours"), ["quiet hours relationship nobody"]);
    let set = ["settings", "set", "--time-zone", "Europe/Vienna", "--quote-ttl-seconds", "60"];
    let shown = up.tandem(&[&set[..], &["--quiet-hours", "21:00-08:00"]].concat());
    assert_eq!(lines(&shown, "quote ttl"), ["quote ttl campaign 60s the tenant"]);
    assert!(shown.contains("21:00") && shown.contains("08:00"), "{shown}");
    let cleared = up.tandem(&["settings", "set", "--clear", "time-zone", "--service", "relationship"]);
    assert_eq!(lines(&cleared, "time zone"), ["time zone relationship UTC the process"]);
    let shown = up.tandem(&["settings", "show", "--service", "campaign"]);
    assert_eq!(lines(&shown, "time zone"), ["time zone campaign Europe/Vienna the tenant"]);
    let json = up.json(&["settings", "show", "--service", "campaign"]);
    assert_eq!(json["settings"]["quoteTtl"], "60s");
    for (typed, said) in [
        (&["--clear", "colour"][..], "colour: there is no such setting; it is one of campaign_max_days, "),
        (
            &["--restored-days", "3", "--service", "campaign"],
            "restored_days: campaign-svc has no such setting",
        ),
        (&["--time-zone", "Vienna"], "--time-zone: `Vienna` is not a time zone"),
        (&["--time-zone", "UTC", "--clear", "time-zone"], "--clear time-zone: is set as well"),
        (&["--quiet-hours", "21:00"], "--quiet-hours: write HH:MM-HH:MM"),
    ] {
        let heard = up.refused(&[&["settings", "set"], typed].concat());
        assert!(heard.contains(said), "{typed:?}: {heard}");
    }
    up.stop();
}

#[test]
fn settings_go_from_one_pair_to_the_next_with_the_rest_of_a_set_up() {
    let (here, there) = (Up::start(), Up::start());
    let text = "name: settings/relationship
timeZone: Europe/Vienna
providers:
- {id: mail, channel: MESSAGE_CHANNEL_EMAIL, endpoint: 'smtps://mail.example:465', secret: 'env:TANDEM_SECRET_SMTP'}
quietHours: {start: '21:00', end: '08:00'}
frequencyCaps: [{maxMessages: 2, rolling: 86400s}]
---
name: settings/campaign
campaignMaxDays: 30
";
    let file = here.file("settings.yaml", text);
    let said = "updated   settings/campaign\nupdated   settings/relationship\n";
    assert_eq!(here.tandem(&["apply", "-f", &file]), said);
    assert_eq!(here.tandem(&["apply", "-f", &file]), said.replace("updated  ", "unchanged"));
    assert_eq!(here.tandem(&["diff", "-f", &file]), "");
    let folder = here.folder.path().join("out");
    let folder = folder.to_str().unwrap();
    assert_eq!(here.tandem(&["export", "--to", folder]), "settings/campaign\nsettings/relationship\n");
    assert_eq!(there.tandem(&["apply", "-f", folder]), said);
    let shown = there.json(&["settings", "show", "--service", "relationship"]);
    assert_eq!(shown["settings"]["frequencyCaps"][0]["rolling"], "86400s");
    // What a document leaves out is as the process says again.
    let less = here.file("less.yaml", "name: settings/campaign\nlocale: de\n");
    assert_eq!(here.tandem(&["apply", "-f", &less]), "updated   settings/campaign\n");
    assert_eq!(here.json(&["settings", "show", "--service", "campaign"])["effective"]["campaignMaxDays"], 92);
    here.tandem(&["settings", "set", "--service", "campaign", "--clear", "locale"]);
    here.tandem(&["export", "--prune", "--to", folder]);
    let left: Vec<String> = std::fs::read_dir(format!("{folder}/settings"))
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["relationship.yaml"], "what says nothing has no file");
    let unknown = here.file("other.yaml", "name: settings/other\n");
    let heard = String::from_utf8(here.run(&["apply", "-f", &unknown]).stdout).unwrap();
    assert!(heard.contains("write settings/campaign, settings/relationship, attributes/…"), "{heard}");
    here.stop();
    there.stop();
}
