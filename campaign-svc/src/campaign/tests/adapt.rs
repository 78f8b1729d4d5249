use jiff::SignedDuration;
use tandem_platform::db::Db;
use tandem_platform::testing;
use tandem_proto::campaign::v1::{
    self, AdaptCampaignRequest, CampaignState, CompareMixRevisionsRequest, GetMixRevisionRequest,
    ListMixRevisionsRequest, MarketingMix, MixDifference,
};
use tandem_proto::common::v1::{Discount, GroupPolicy, PercentDiscount, discount};
use tandem_proto::convert::to_timestamp;
use tonic::{Code, Status};

use super::super::{Move, name, revision_name};
use crate::MIGRATIONS;
use crate::testing::Harness;
use crate::tests::{Clients, a_campaign, a_mix, eur, fields, metadata, percent, refusal};

async fn start(db: Db) -> (Harness, Clients) {
    let harness = Harness::new(db);
    let mut clients = Clients::of(&harness);
    clients.objective("growth").await;
    clients.campaign("spring", a_campaign(harness.app.clock.now())).await;
    clients.step("spring", Move::Launch).await.unwrap();
    (harness, clients)
}

fn adapt(mix: MarketingMix) -> AdaptCampaignRequest {
    AdaptCampaignRequest {
        name: name("spring"),
        mix: Some(mix),
        reason: "sells too slowly".to_owned(),
        cause: "observations/17".to_owned(),
        ..AdaptCampaignRequest::default()
    }
}

/// A third off instead of a fifth.
fn a_third() -> MarketingMix {
    let mut mix = a_mix();
    mix.price.as_mut().unwrap().offers = vec![percent("twenty", 333_333)];
    mix
}

async fn compare(clients: &mut Clients, from: i64, to: i64) -> Result<Vec<MixDifference>, Status> {
    let campaign = name("spring");
    let request = CompareMixRevisionsRequest { campaign, from_revision: from, to_revision: to };
    Ok(clients.campaigns.compare_mix_revisions(request).await?.into_inner().differences)
}

#[tokio::test]
async fn a_running_campaign_adapts_at_once_and_says_who_and_why() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        harness.clock.advance(SignedDuration::from_hours(1));
        let request = AdaptCampaignRequest { request_id: "a1".to_owned(), ..adapt(a_third()) };
        let adapted = clients.campaigns.adapt_campaign(request.clone()).await.unwrap().into_inner();
        let again = clients.campaigns.adapt_campaign(request).await.unwrap().into_inner();
        assert_eq!(adapted, again);
        let (campaign, revision) = (adapted.campaign.unwrap(), adapted.revision.unwrap());
        assert_eq!((campaign.revision, campaign.state()), (2, CampaignState::Running));
        assert_eq!(revision.name, "campaigns/spring/mixRevisions/2");
        assert_eq!((revision.author.as_str(), revision.reason.as_str()), ("anonymous", "sells too slowly"));
        assert_eq!(revision.cause, "observations/17");
        assert_eq!(revision.effective_time, Some(to_timestamp(harness.app.clock.now())));
        assert_eq!(campaign.mix, revision.mix);
        let first = GetMixRevisionRequest { name: revision_name("spring", 1) };
        let first = clients.campaigns.get_mix_revision(first).await.unwrap().into_inner().revision.unwrap();
        assert_ne!(first.mix, campaign.mix, "an older revision stays as it was");
    })
    .await;
}

#[tokio::test]
async fn a_coming_revision_takes_effect_by_the_clock() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let tomorrow = harness.app.clock.now() + SignedDuration::from_hours(24);
        let later = AdaptCampaignRequest { effective_time: Some(to_timestamp(tomorrow)), ..adapt(a_third()) };
        let adapted = clients.campaigns.adapt_campaign(later.clone()).await.unwrap().into_inner();
        assert_eq!(adapted.campaign.as_ref().unwrap().revision, 1);
        assert_eq!(adapted.revision.as_ref().unwrap().revision, 2);
        let refused = clients.campaigns.adapt_campaign(adapt(a_mix())).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "REVISION_OUT_OF_ORDER".to_owned()));
        let refused = clients.campaigns.adapt_campaign(later).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "REVISION_OUT_OF_ORDER");
        harness.clock.set(tomorrow);
        assert_eq!(clients.read("spring").await.revision, 2);
    })
    .await;
}

#[tokio::test]
async fn an_adaptation_that_cannot_be_is_refused_and_changes_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let nothing = AdaptCampaignRequest { name: name("spring"), ..AdaptCampaignRequest::default() };
        let refused = clients.campaigns.adapt_campaign(nothing).await.unwrap_err();
        assert_eq!(fields(&refused), ["mix", "reason"]);
        let empty = clients.campaigns.adapt_campaign(adapt(MarketingMix::default())).await.unwrap_err();
        assert_eq!(refusal(&empty), (Code::FailedPrecondition, "MIX_INCOMPLETE".to_owned()));
        let mut outside = a_mix();
        let placement = &mut outside.promotion.as_mut().unwrap().placements[0];
        placement.schedule = Some(crate::tests::days(harness.app.clock.now(), 2, 32));
        let refused = clients.campaigns.adapt_campaign(adapt(outside)).await.unwrap_err();
        assert_eq!(fields(&refused), ["mix.promotion.placements[0].schedule"]);
        clients.step("spring", Move::End).await.unwrap();
        let ended = clients.campaigns.adapt_campaign(adapt(a_third())).await.unwrap_err();
        assert_eq!(refusal(&ended), (Code::FailedPrecondition, "WRONG_STATE".to_owned()));
        assert_eq!(metadata(&ended, "state").as_deref(), Some("ENDED"));
        assert_eq!(clients.read("spring").await.revision, 1);
    })
    .await;
}

#[tokio::test]
async fn revisions_are_listed_newest_first() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        for _ in 0..4 {
            harness.clock.advance(SignedDuration::from_hours(1));
            clients.campaigns.adapt_campaign(adapt(a_third())).await.unwrap();
        }
        let page = |page_token: String| ListMixRevisionsRequest {
            campaign: name("spring"),
            page_size: 2,
            page_token,
        };
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let list = clients.campaigns.list_mix_revisions(page(token)).await.unwrap().into_inner();
            found.extend(list.revisions.iter().map(|one| one.revision));
            token = list.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, [5, 4, 3, 2, 1]);
        clients.campaign("summer", a_campaign(harness.app.clock.now())).await;
        let token = clients.campaigns.list_mix_revisions(page(String::new())).await.unwrap().into_inner();
        let other = ListMixRevisionsRequest { campaign: name("summer"), ..page(token.next_page_token) };
        let refused = clients.campaigns.list_mix_revisions(other).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "INVALID_PAGE_TOKEN");
    })
    .await;
}

#[tokio::test]
async fn two_revisions_are_compared_field_by_field() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let mut mix = a_mix();
        mix.product.as_mut().unwrap().products = vec!["products/p2".to_owned(), "products/p1".to_owned()];
        let price = mix.price.as_mut().unwrap();
        price.price_rules.clear();
        price.margin_floor_ppm = 100_000;
        price.offers = vec![
            percent("extra", 50_000),
            v1::Offer {
                titles: [(String::new(), "New".to_owned()), ("de".to_owned(), "Neu".to_owned())].into(),
                discount: Some(Discount {
                    kind: Some(discount::Kind::Percent(PercentDiscount { rate_ppm: 250_000 })),
                    group_policy: GroupPolicy::First.into(),
                    minimum_spend: vec![eur(50, 0)],
                    ..Discount::default()
                }),
                ..percent("twenty", 0)
            },
        ];
        mix.promotion.as_mut().unwrap().placements[0].planned_spend = Some(eur(1_300, 0));
        harness.clock.advance(SignedDuration::from_hours(1));
        clients.campaigns.adapt_campaign(adapt(mix)).await.unwrap();

        let differences = compare(&mut clients, 1, 2).await.unwrap();
        let found: Vec<(&str, bool, bool)> = differences
            .iter()
            .map(|one| (one.path.as_str(), !one.from_value.is_empty(), !one.to_value.is_empty()))
            .collect();
        let expected = [
            ("product.products[products/p2]", false, true),
            ("price.price_rules[cut]", true, false),
            ("price.offers[twenty].titles[]", true, true),
            ("price.offers[twenty].titles[de]", false, true),
            ("price.offers[twenty].discount.percent.rate_ppm", true, true),
            ("price.offers[twenty].discount.group_policy", true, true),
            ("price.offers[twenty].discount.minimum_spend[EUR]", false, true),
            ("price.offers[extra]", false, true),
            ("price.margin_floor_ppm", false, true),
            ("promotion.placements[radio].planned_spend", true, true),
        ];
        assert_eq!(found, expected);
        let of = |path: &str| differences.iter().find(|one| one.path == path).unwrap();
        let rate = of("price.offers[twenty].discount.percent.rate_ppm");
        assert_eq!((rate.from_value.as_str(), rate.to_value.as_str()), ("200000", "250000"));
        let policy = of("price.offers[twenty].discount.group_policy");
        assert_eq!(policy.to_value, r#""GROUP_POLICY_FIRST""#);
        let spend = of("promotion.placements[radio].planned_spend");
        assert_eq!(spend.to_value, r#"{"currencyCode":"EUR","units":"1300"}"#);
        assert!(of("price.offers[extra]").to_value.contains(r#""ratePpm":50000"#));

        assert!(compare(&mut clients, 2, 2).await.unwrap().is_empty());
        let back = compare(&mut clients, 2, 1).await.unwrap();
        assert_eq!(back.len(), differences.len());
        let unknown = compare(&mut clients, 1, 9).await.unwrap_err();
        assert_eq!(refusal(&unknown), (Code::NotFound, "REVISION_UNKNOWN".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn the_same_items_in_another_order_are_one_difference() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (harness, mut clients) = start(db).await;
        let mut mix = a_mix();
        mix.product.as_mut().unwrap().categories = vec!["a".to_owned(), "b".to_owned()];
        harness.clock.advance(SignedDuration::from_hours(1));
        clients.campaigns.adapt_campaign(adapt(mix.clone())).await.unwrap();
        mix.product.as_mut().unwrap().categories.reverse();
        harness.clock.advance(SignedDuration::from_hours(1));
        clients.campaigns.adapt_campaign(adapt(mix)).await.unwrap();
        let differences = compare(&mut clients, 2, 3).await.unwrap();
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].path, "product.categories");
        assert_eq!(
            (differences[0].from_value.as_str(), differences[0].to_value.as_str()),
            (r#"["a","b"]"#, r#"["b","a"]"#)
        );
    })
    .await;
}

#[tokio::test]
async fn a_revision_is_named_by_a_number() {
    testing::engines(&MIGRATIONS, |db| async move {
        let (_harness, mut clients) = start(db).await;
        for bad in ["campaigns/spring/mixRevisions/01", "campaigns/spring/mixRevisions/x", "campaigns/spring"]
        {
            let request = GetMixRevisionRequest { name: bad.to_owned() };
            let refused = clients.campaigns.get_mix_revision(request).await.unwrap_err();
            assert_eq!(fields(&refused), ["name"], "{bad}");
        }
        let request = GetMixRevisionRequest { name: revision_name("none", 1) };
        let refused = clients.campaigns.get_mix_revision(request).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    })
    .await;
}
