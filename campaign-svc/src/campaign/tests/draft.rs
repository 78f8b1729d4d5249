use std::collections::BTreeMap;

use jiff::SignedDuration;
use prost_types::FieldMask;
use tandem_platform::testing;
use tandem_proto::campaign::v1::{
    self, CampaignState, Channel, CreateCampaignRequest, DeleteCampaignRequest, GetCampaignRequest,
    GetMixRevisionRequest, ListCampaignsRequest, Medium, Offer, Placement, PriceMix, PriceRule, ProductMix,
    PromotionMix, UpdateCampaignRequest, price_rule,
};
use tandem_proto::common::v1::{
    BundleDiscount, Discount, GiftCardTender, Limits, MoneyList, PercentDiscount, PointsReward, Scope,
    discount,
};
use tonic::Code;
use tonic_types::StatusExt;

use super::super::{Move, name, revision_name};
use crate::MIGRATIONS;
use crate::testing::Harness;
use crate::tests::{Clients, a_campaign, a_mix, days, eur, fields, metadata, percent, refusal, subjects};

async fn start(harness: &Harness) -> Clients {
    let mut clients = Clients::of(harness);
    clients.objective("growth").await;
    clients
}

fn update(campaign: v1::Campaign, paths: &[&str]) -> UpdateCampaignRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    UpdateCampaignRequest {
        campaign: Some(campaign),
        update_mask: Some(FieldMask { paths }),
        request_id: String::new(),
    }
}

#[tokio::test]
async fn a_draft_is_read_as_it_was_created_with_its_first_revision() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let given = v1::Campaign {
            description: "All of spring".to_owned(),
            time_zone: "Europe/Vienna".to_owned(),
            segments: vec!["segments/vip".to_owned()],
            budgets: vec![eur(5_000, 0)],
            limits: Some(Limits { max_uses: Some(100), ..Limits::default() }),
            labels: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            ..a_campaign(harness.app.clock.now())
        };
        let created = clients.campaign("spring", given.clone()).await;
        let expected = v1::Campaign {
            name: "campaigns/spring".to_owned(),
            revision: 1,
            state: CampaignState::Draft.into(),
            etag: "v1".to_owned(),
            mix: created.mix.clone(),
            limits: created.limits.clone(),
            create_time: created.create_time,
            update_time: created.create_time,
            ..given
        };
        assert_eq!(created, expected);
        let (mix, wanted) = (created.mix.clone().unwrap(), a_mix());
        assert_eq!(
            (&mix.product, &mix.place, &mix.promotion),
            (&wanted.product, &wanted.place, &wanted.promotion)
        );
        assert_eq!(mix.price.as_ref().unwrap().price_rules, wanted.price.unwrap().price_rules);
        assert_eq!(clients.read("spring").await, created);

        let twice = clients.try_campaign("spring", a_campaign(harness.app.clock.now())).await.unwrap_err();
        assert_eq!(refusal(&twice), (Code::AlreadyExists, "ALREADY_EXISTS".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_a_campaign_is_named_at_once() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let gift = Discount {
            kind: Some(discount::Kind::GiftCard(GiftCardTender::default())),
            ..Discount::default()
        };
        let points = PointsReward { points_per_unit: 1 };
        let points = Discount { kind: Some(discount::Kind::Points(points)), ..Discount::default() };
        let bundle =
            Discount { kind: Some(discount::Kind::Bundle(BundleDiscount::default())), ..Discount::default() };
        let scoped = Discount {
            kind: Some(discount::Kind::Percent(PercentDiscount { rate_ppm: 0 })),
            scope: Some(Scope { condition: "line.colour == 'red'".to_owned(), ..Scope::default() }),
            ..Discount::default()
        };
        let offer = |id: &str, discount: Discount| Offer { discount: Some(discount), ..percent(id, 1) };
        let now = harness.app.clock.now();
        let campaign = v1::Campaign {
            display_name: String::new(),
            objective: "goals/growth".to_owned(),
            time_zone: "Mars/Base".to_owned(),
            segments: vec!["segments/a".to_owned(), "segments/a".to_owned()],
            budgets: vec![eur(0, 0)],
            mix: Some(v1::MarketingMix {
                product: Some(ProductMix { products: vec!["p1".to_owned()], ..ProductMix::default() }),
                price: Some(PriceMix {
                    price_rules: vec![
                        PriceRule {
                            id: "r".to_owned(),
                            condition: "basket.amount > 1".to_owned(),
                            ..PriceRule::default()
                        },
                        PriceRule {
                            id: "s s".to_owned(),
                            change: Some(price_rule::Change::Prices(MoneyList::default())),
                            ..PriceRule::default()
                        },
                    ],
                    offers: vec![
                        offer("gift", gift),
                        offer("points", points),
                        offer("bundle", bundle),
                        offer("scoped", scoped),
                        Offer {
                            condition: "customer.id == '1'".to_owned(),
                            limits: Some(Limits { max_uses: Some(0), ..Limits::default() }),
                            ..percent("cel", 1)
                        },
                        Offer {
                            discount: Some(Discount { group: -1, ..Discount::default() }),
                            ..percent("none", 1)
                        },
                    ],
                    margin_floor_ppm: 1_000_000,
                }),
                promotion: Some(PromotionMix {
                    placements: vec![Placement {
                        id: "tv".to_owned(),
                        medium: Medium::Digital.into(),
                        channel: Channel::Tv.into(),
                        schedule: Some(days(now, 0, 5)),
                        ..Placement::default()
                    }],
                }),
                ..v1::MarketingMix::default()
            }),
            ..a_campaign(now)
        };
        let refused = clients.try_campaign("spring", campaign).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned()));
        let mut found = fields(&refused);
        found.sort();
        let expected = [
            "campaign.budgets[0]",
            "campaign.display_name",
            "campaign.mix.price.margin_floor_ppm",
            "campaign.mix.price.offers[0].discount.gift_card",
            "campaign.mix.price.offers[1].discount.points",
            "campaign.mix.price.offers[2].discount.bundle.parts",
            "campaign.mix.price.offers[2].discount.bundle.prices",
            "campaign.mix.price.offers[3].discount.percent.rate_ppm",
            "campaign.mix.price.offers[3].discount.scope.condition",
            "campaign.mix.price.offers[4].condition",
            "campaign.mix.price.offers[4].limits.max_uses",
            "campaign.mix.price.offers[5].discount.group",
            "campaign.mix.price.offers[5].discount.kind",
            "campaign.mix.price.price_rules[0].change",
            "campaign.mix.price.price_rules[0].condition",
            "campaign.mix.price.price_rules[1].id",
            "campaign.mix.price.price_rules[1].prices",
            "campaign.mix.product.products[0]",
            "campaign.mix.promotion.placements[0].medium",
            "campaign.mix.promotion.placements[0].schedule",
            "campaign.objective",
            "campaign.segments[1]",
            "campaign.time_zone",
        ];
        assert_eq!(found, expected);
        let details = refused.get_error_details();
        let reasons: BTreeMap<String, String> = details
            .bad_request()
            .unwrap()
            .field_violations
            .iter()
            .map(|one| (one.field.clone(), one.description.clone()))
            .collect();
        assert!(reasons["campaign.mix.price.offers[4].condition"].contains("customer"));
    })
    .await;
}

#[tokio::test]
async fn texts_have_lines_but_never_the_character_zero() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let now = harness.app.clock.now();
        let lines = v1::Campaign { description: "one\n\ttwo".to_owned(), ..a_campaign(now) };
        clients.campaign("lines", lines).await;
        let mut mix = a_mix();
        let price = mix.price.as_mut().unwrap();
        price.price_rules[0].scope.as_mut().unwrap().categories = vec!["a\0".to_owned()];
        let zero = v1::Campaign { description: "\0".to_owned(), mix: Some(mix), ..a_campaign(now) };
        let refused = clients.try_campaign("zero", zero).await.unwrap_err();
        assert_eq!(fields(&refused), ["campaign.description", "campaign.mix"]);
    })
    .await;
}

#[tokio::test]
async fn a_campaign_names_an_objective_that_exists() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = Clients::of(&harness);
        let now = harness.app.clock.now();
        let refused = clients.try_campaign("spring", a_campaign(now)).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "OBJECTIVE_UNKNOWN".to_owned()));
        assert_eq!(subjects(&refused), ["objectives/growth"]);
        clients.objective("growth").await;
        clients.campaign("spring", a_campaign(now)).await;
        let moved =
            v1::Campaign { name: name("spring"), objective: "objectives/x".to_owned(), ..a_campaign(now) };
        let refused = clients.campaigns.update_campaign(update(moved, &["objective"])).await.unwrap_err();
        assert_eq!(refusal(&refused).1, "OBJECTIVE_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn a_window_longer_than_the_tenant_allows_is_refused() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let now = harness.app.clock.now();
        let long = v1::Campaign { window: Some(days(now, 1, 94)), ..a_campaign(now) };
        let refused = clients.try_campaign("spring", long).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "WINDOW_TOO_LONG".to_owned()));
        assert_eq!(metadata(&refused, "limit_days").as_deref(), Some("92"));
        let open = v1::Campaign { window: None, ..a_campaign(now) };
        assert_eq!(fields(&clients.try_campaign("spring", open).await.unwrap_err()), ["campaign.window"]);
    })
    .await;
}

#[tokio::test]
async fn a_drafts_new_mix_is_a_new_revision_and_the_old_one_stays() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let draft = clients.campaign("spring", a_campaign(harness.app.clock.now())).await;
        let mut mix = a_mix();
        mix.price.as_mut().unwrap().offers = vec![percent("thirty", 300_000)];
        let changed = v1::Campaign { mix: Some(mix), display_name: "ignored".to_owned(), ..draft.clone() };
        let updated = clients.campaigns.update_campaign(update(changed.clone(), &["mix"])).await.unwrap();
        let updated = updated.into_inner().campaign.unwrap();
        assert_eq!((updated.revision, updated.display_name.as_str()), (2, "Spring"));
        assert_eq!(updated.mix.as_ref().unwrap().price.as_ref().unwrap().offers[0].id, "thirty");
        let first = GetMixRevisionRequest { name: revision_name("spring", 1) };
        let first = clients.campaigns.get_mix_revision(first).await.unwrap().into_inner().revision.unwrap();
        assert_eq!(first.mix, draft.mix);

        let stale = clients.campaigns.update_campaign(update(changed, &["mix"])).await.unwrap_err();
        assert_eq!(refusal(&stale), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        let same = clients.campaigns.update_campaign(update(updated.clone(), &["mix"])).await.unwrap();
        assert_eq!(same.into_inner().campaign.unwrap(), updated, "nothing differs, so nothing happens");
        let unknown =
            clients.campaigns.update_campaign(update(updated, &["state", "mix.price"])).await.unwrap_err();
        assert_eq!(fields(&unknown), ["update_mask", "update_mask"]);
    })
    .await;
}

#[tokio::test]
async fn a_window_moves_with_the_placements_of_its_mix_or_not_at_all() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let now = harness.app.clock.now();
        let scheduled = |from, to| {
            let mut mix = a_mix();
            mix.promotion.as_mut().unwrap().placements[0].schedule = Some(days(now, from, to));
            mix
        };
        let draft = v1::Campaign { mix: Some(scheduled(2, 10)), ..a_campaign(now) };
        let draft = clients.campaign("spring", draft).await;
        let moved = v1::Campaign { window: Some(days(now, 40, 60)), ..draft };
        let refused =
            clients.campaigns.update_campaign(update(moved.clone(), &["window"])).await.unwrap_err();
        assert_eq!(fields(&refused), ["campaign.mix.promotion.placements[0].schedule"]);
        let both = v1::Campaign { mix: Some(scheduled(40, 50)), ..moved };
        let both = clients.campaigns.update_campaign(update(both, &["window", "mix"])).await.unwrap();
        assert_eq!(both.into_inner().campaign.unwrap().window, Some(days(now, 40, 60)));
    })
    .await;
}

#[tokio::test]
async fn a_mix_that_is_no_draft_is_not_updated() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        clients.campaign("spring", a_campaign(harness.app.clock.now())).await;
        let running = clients.step("spring", Move::Launch).await.unwrap();
        let changed = v1::Campaign { mix: None, display_name: "Summer".to_owned(), ..running };
        let named = clients.campaigns.update_campaign(update(changed.clone(), &["mix"])).await.unwrap_err();
        assert_eq!(refusal(&named), (Code::FailedPrecondition, "WRONG_STATE".to_owned()));
        assert_eq!(metadata(&named, "state").as_deref(), Some("RUNNING"));
        let every_field =
            UpdateCampaignRequest { campaign: Some(changed), ..UpdateCampaignRequest::default() };
        let updated =
            clients.campaigns.update_campaign(every_field).await.unwrap().into_inner().campaign.unwrap();
        assert_eq!((updated.display_name.as_str(), updated.revision), ("Summer", 1));
        assert!(!updated.mix.unwrap().price.unwrap().offers.is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_a_draft_is_deleted_and_its_id_can_begin_anew() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let now = harness.app.clock.now();
        clients.campaign("spring", a_campaign(now)).await;
        clients.campaign("summer", a_campaign(now)).await;
        clients.step("summer", Move::Schedule).await.unwrap();
        let delete = |id: &str, request_id: &str| DeleteCampaignRequest {
            name: name(id),
            request_id: request_id.to_owned(),
            ..DeleteCampaignRequest::default()
        };
        clients.campaigns.delete_campaign(delete("spring", "d1")).await.unwrap();
        clients.campaigns.delete_campaign(delete("spring", "d1")).await.unwrap();
        let gone = clients.campaigns.delete_campaign(delete("spring", "")).await.unwrap_err();
        assert_eq!(refusal(&gone), (Code::NotFound, "NOT_FOUND".to_owned()));
        let gone =
            clients.campaigns.get_campaign(GetCampaignRequest { name: name("spring") }).await.unwrap_err();
        assert_eq!(refusal(&gone), (Code::NotFound, "NOT_FOUND".to_owned()));
        let kept = clients.campaigns.delete_campaign(delete("summer", "")).await.unwrap_err();
        assert_eq!(refusal(&kept), (Code::FailedPrecondition, "WRONG_STATE".to_owned()));

        let again = clients.campaign("spring", a_campaign(now)).await;
        assert_eq!((again.revision, again.etag.as_str()), (1, "v3"), "versions go on, revisions begin anew");
        let list =
            clients.campaigns.list_campaigns(ListCampaignsRequest::default()).await.unwrap().into_inner();
        assert_eq!(list.campaigns.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_request_id_stands_for_one_campaign() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let request = CreateCampaignRequest {
            campaign: Some(a_campaign(harness.app.clock.now())),
            campaign_id: String::new(),
            request_id: "r1".to_owned(),
        };
        let first = clients.campaigns.create_campaign(request.clone()).await.unwrap().into_inner();
        harness.clock.advance(SignedDuration::from_hours(48));
        let again = clients.campaigns.create_campaign(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, again, "the answer is the one that was given, whatever the clock says now");
        let other = CreateCampaignRequest { campaign_id: "mine".to_owned(), ..request };
        let reused = clients.campaigns.create_campaign(other).await.unwrap_err();
        assert_eq!(refusal(&reused), (Code::InvalidArgument, "REQUEST_ID_REUSED".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn campaigns_are_found_by_the_state_the_clock_gives_them() {
    testing::engines(&MIGRATIONS, |db| async move {
        let harness = Harness::new(db);
        let mut clients = start(&harness).await;
        let now = harness.app.clock.now();
        for id in ["a", "b", "c"] {
            clients.campaign(id, a_campaign(now)).await;
        }
        clients.step("b", Move::Schedule).await.unwrap();
        clients.step("c", Move::Launch).await.unwrap();
        let filter = "campaign.state == 'RUNNING' && campaign.objective == 'growth'".to_owned();
        let request = ListCampaignsRequest { filter, ..ListCampaignsRequest::default() };
        let list = clients.campaigns.list_campaigns(request.clone()).await.unwrap().into_inner().campaigns;
        assert_eq!(list.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["campaigns/c"]);
        harness.clock.advance(SignedDuration::from_hours(24));
        let list = clients.campaigns.list_campaigns(request).await.unwrap().into_inner().campaigns;
        assert_eq!(
            list.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["campaigns/b", "campaigns/c"]
        );
        assert!(list.iter().all(|one| one.state() == CampaignState::Running && one.launch_time.is_some()));
    })
    .await;
}
