//! A campaign from its launch to its end.

use std::time::{Duration, Instant};

use tandem_proto::campaign::v1::{
    AdaptCampaignRequest, CampaignState, CompareMixRevisionsRequest, DecisionOutcome, EndCampaignRequest,
    GetMediaPlanRequest, GetObjectiveProgressRequest, GetObjectiveProgressResponse, IncentivesStatus,
    PauseCampaignRequest, QuoteResponse, ResumeCampaignRequest,
};
use tandem_proto::relationship::v1::redeem_vouchers_request::What;
use tandem_proto::relationship::v1::{
    RedeemVouchersRequest, Redemption, RedemptionState, ReturnedLine, RollbackReason,
    RollbackRedemptionRequest,
};
use tandem_tests::database::Engine;
use tandem_tests::ledger::{self, Ledger};
use tandem_tests::stage::{eur, minor};

use super::stage::{Shop, ask, mix, shop, total};

const PATIENCE: Duration = Duration::from_secs(20);
const SPRING: &str = "campaigns/spring";
const OFFER: &str = "campaigns/spring/offers/shirts";

/// (source, outcome, cents) of every decision.
fn decisions(quote: &QuoteResponse) -> Vec<(&str, DecisionOutcome, i64)> {
    let told = quote.decisions.iter();
    told.map(|one| (one.source.as_str(), one.outcome(), minor(one.amount.as_ref()))).collect()
}

fn has_offer(quote: &QuoteResponse) -> bool {
    quote.decisions.iter().any(|one| one.source == OFFER && one.outcome() == DecisionOutcome::Applied)
}

async fn redeem(shop: &Shop, customer: &str, order: &str, quote: &QuoteResponse) -> Vec<Redemption> {
    let request = RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(What::QuoteToken(quote.quote_token.clone())),
        customer: format!("customers/{customer}"),
        request_id: format!("redeem-{order}"),
        order_digest: quote.order_digest.clone(),
        ..RedeemVouchersRequest::default()
    };
    let answer = shop.relationship.vouchers.clone().redeem_vouchers(request).await;
    answer.expect("a quote is redeemed").into_inner().redemptions
}

/// campaign-svc's figures, once they are those of relationship-svc's ledger.
async fn reconciled(shop: &Shop) -> GetObjectiveProgressResponse {
    let end = Instant::now() + PATIENCE;
    loop {
        let request = GetObjectiveProgressRequest { name: "objectives/turnover".to_owned() };
        let progress =
            shop.campaigns.objectives.clone().get_objective_progress(request).await.unwrap().into_inner();
        let found = ledger::Campaign {
            redemptions: progress.redemptions,
            revenue: minor(progress.reached_money.as_ref()),
            discounts: progress.discounts.iter().map(|money| minor(Some(money))).sum(),
        };
        let wanted = Ledger::checked(shop.pair.relationship_database.url()).await.campaign("spring");
        if found == wanted {
            return progress;
        }
        assert!(Instant::now() < end, "campaign-svc says {found:?}, the ledger {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_campaign(engine: Engine) {
    let shop = shop(engine).await;
    let before = shop.campaigns.quote(ask("ada", "", &[])).await;
    assert_eq!((total(&before), before.decisions.len()), (13_000, 0), "nothing runs yet");

    let launched = shop.campaigns.launch("spring").await;
    assert_eq!((launched.state(), launched.revision), (CampaignState::Running, 1));
    let quote = shop.campaigns.quote_when(ask("ada", "order-1", &["welcome-1"]), has_offer).await;
    assert_eq!(quote.incentives_status(), IncentivesStatus::Included);
    // 120.00 of shirts less 12.00, a mug at 9.00 instead of 10.00, 5.00 off the order.
    assert_eq!(total(&quote), 12_900 - 1_200 - 500);
    let applied = DecisionOutcome::Applied;
    assert_eq!(decisions(&quote), [("vouchers/welcome-1", applied, 500), (OFFER, applied, 1_200)]);
    assert_eq!((quote.decisions[1].revision, quote.decisions[1].title.as_str()), (1, "Hemden günstiger"));
    let mug = &quote.lines[1];
    assert_eq!((minor(mug.unit_price.as_ref()), minor(mug.prior_price.as_ref())), (900, 1_000));
    assert_eq!(mug.price_rule, "campaigns/spring/priceRules/mugs");
    // Who is no member gets no member's offer; the code is for everybody.
    let strangers = shop.campaigns.quote(ask("eve", "", &["WELCOME-1"])).await;
    assert!(!has_offer(&strangers) && total(&strangers) == 12_900 - 500);

    let redemptions = redeem(&shop, "ada", "order-1", &quote).await;
    let amounts: Vec<i64> = redemptions.iter().map(|one| minor(one.amount.as_ref())).collect();
    assert_eq!((amounts, redemptions[0].campaign.as_str()), (vec![500], SPRING));
    part_comes_back(&shop, &redemptions[0]).await;
    let progress = reconciled(&shop).await;
    assert_eq!((progress.redemptions, progress.reached_money.as_ref()), (1, Some(&eur(11_200))));
    assert_eq!(
        (progress.reached_ppm, progress.campaigns.as_slice()),
        (112_000, [SPRING.to_owned()].as_slice())
    );

    it_adapts(&shop).await;
    it_pauses_and_ends(&shop).await;
    let progress = reconciled(&shop).await;
    assert_eq!(progress.redemptions, 4);
}

/// One of three shirts comes back: a third of what the code took off the shirts.
async fn part_comes_back(shop: &Shop, redemption: &Redemption) {
    let shirts = minor(redemption.lines[0].amount.as_ref());
    assert_eq!(shirts + minor(redemption.lines[1].amount.as_ref()), 500);
    let request = RollbackRedemptionRequest {
        order_id: "order-1".to_owned(),
        lines: vec![ReturnedLine { line_id: "1".to_owned(), quantity: 1 }],
        reason: RollbackReason::Returned.into(),
        request_id: "return-1".to_owned(),
        ..RollbackRedemptionRequest::default()
    };
    let answer = shop.relationship.vouchers.clone().rollback_redemption(request).await.unwrap().into_inner();
    assert_eq!(minor(answer.returned.as_ref()), (2 * shirts + 3) / 6, "half up");
    assert_eq!(answer.redemptions[0].state(), RedemptionState::PartiallyRolledBack);
}

async fn it_adapts(shop: &Shop) {
    let old = shop.campaigns.quote(ask("bob", "order-2", &["WELCOME-2"])).await;
    let request = AdaptCampaignRequest {
        name: SPRING.to_owned(),
        mix: Some(mix(200_000)),
        reason: "shirts sell too slowly".to_owned(),
        ..AdaptCampaignRequest::default()
    };
    let mut campaigns = shop.campaigns.campaigns.clone();
    let adapted = campaigns.adapt_campaign(request).await.unwrap().into_inner();
    assert_eq!(adapted.revision.map(|revision| revision.revision), Some(2));
    let compare =
        CompareMixRevisionsRequest { campaign: SPRING.to_owned(), from_revision: 1, to_revision: 2 };
    let compared = campaigns.compare_mix_revisions(compare).await.unwrap().into_inner().differences;
    let changed: Vec<(&str, &str, &str)> = compared
        .iter()
        .map(|one| (one.path.as_str(), one.from_value.as_str(), one.to_value.as_str()))
        .collect();
    assert_eq!(changed, [("price.offers[shirts].discount.percent.rate_ppm", "100000", "200000")]);

    let is_new =
        |quote: &QuoteResponse| quote.decisions.iter().any(|one| one.source == OFFER && one.revision == 2);
    let new = shop.campaigns.quote_when(ask("bob", "order-3", &["WELCOME-2"]), is_new).await;
    assert_eq!((total(&old), total(&new)), (12_900 - 1_200 - 500, 12_900 - 2_400 - 500));
    assert_eq!(redeem(shop, "bob", "order-2", &old).await.len(), 1, "what was promised under revision 1");
    assert_eq!(redeem(shop, "bob", "order-3", &new).await.len(), 1);
    let plan = campaigns
        .get_media_plan(GetMediaPlanRequest { campaign: SPRING.to_owned() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((plan.placements.len(), plan.spend.len()), (2, 2));
}

async fn it_pauses_and_ends(shop: &Shop) {
    let mut campaigns = shop.campaigns.campaigns.clone();
    let promised = shop.campaigns.quote(ask("ada", "order-4", &["WELCOME-2"])).await;
    campaigns
        .pause_campaign(PauseCampaignRequest { name: SPRING.to_owned(), ..Default::default() })
        .await
        .unwrap();
    let paused = shop.campaigns.quote_when(ask("ada", "", &["WELCOME-2"]), |quote| !has_offer(quote)).await;
    assert_eq!(
        total(&paused),
        13_000 - 500,
        "neither offer nor price rule; the code is not the campaign's to pause"
    );
    assert_eq!(redeem(shop, "ada", "order-4", &promised).await.len(), 1, "tokens already given are honoured");
    campaigns
        .resume_campaign(ResumeCampaignRequest { name: SPRING.to_owned(), ..Default::default() })
        .await
        .unwrap();
    shop.campaigns.quote_when(ask("ada", "", &[]), has_offer).await;
    campaigns
        .end_campaign(EndCampaignRequest { name: SPRING.to_owned(), ..Default::default() })
        .await
        .unwrap();
    let ended = shop.campaigns.quote_when(ask("ada", "", &[]), |quote| !has_offer(quote)).await;
    assert_eq!(total(&ended), 13_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_launched_quoted_redeemed_adapted_paused_and_ended_and_both_services_agree_on_sqlite() {
    a_campaign(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_launched_quoted_redeemed_adapted_paused_and_ended_and_both_services_agree_on_postgres()
{
    a_campaign(Engine::Postgres).await;
}
