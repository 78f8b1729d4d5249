//! Offers and codes limited by segment, from the quote to both ledgers: where the customer is, is asked, sealed and counted.

use tandem_proto::campaign::v1::{
    Campaign, CommitOrderRequest, MarketingMix, Offer, PriceMix, ProductMix, QuoteRequest, QuoteResponse,
};
use tandem_proto::common::v1::{Interval, LimitDimension, Limits, Overrun, ValueLimit};
use tandem_proto::relationship::v1::{Customer, Incentive};
use tandem_tests::answer::Refusal;
use tandem_tests::database::Engine;
use tandem_tests::stage::orders::{Shop, Step, cancel};
use tandem_tests::stage::{Campaigns, basket, eur, in_seconds, incentive, minor, off};

const OFFER: &str = "campaigns/learn/offers/six";
const CODE: &str = "vouchers/LEARN";

/// So much per segment.
fn per_segment(money: i64) -> Option<Limits> {
    let limit = ValueLimit {
        dimension: LimitDimension::Segment.into(),
        budgets: vec![eur(money)],
        ..ValueLimit::default()
    };
    Some(Limits { per_value: vec![limit], overrun: Overrun::Cap.into(), ..Limits::default() })
}

/// 6.00 off by an offer and 10.00 off by a code for students and teachers: 8.00 and 15.00 per segment. Ada is a student, Bob is both.
async fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine, Limits::default()).await;
    let relationship = shop.relationship(0);
    relationship.segment("students", "'student' in customer.tags").await;
    relationship.segment("teachers", "'teacher' in customer.tags").await;
    let customer = |name: &str, tags: &str| Customer {
        name: format!("customers/{name}"),
        tags: tags.split(' ').map(str::to_owned).collect(),
        ..Customer::default()
    };
    relationship.make_customers(vec![customer("ada", "student"), customer("bob", "student teacher")]).await;
    let segments = vec!["segments/students".to_owned(), "segments/teachers".to_owned()];
    let limited =
        Incentive { limits: per_segment(1_500), segments: segments.clone(), ..incentive(off(1_000)) };
    relationship.incentive("learn", limited).await;
    relationship.codes("learn", &["LEARN"], 100).await;
    let offer = Offer {
        id: "six".to_owned(),
        titles: [(String::new(), "Six".to_owned())].into(),
        discount: Some(off(600)),
        limits: per_segment(800),
        segments,
        ..Offer::default()
    };
    let campaign = Campaign {
        display_name: "Learn".to_owned(),
        objective: "objectives/more".to_owned(),
        window: Some(Interval { start_time: Some(in_seconds(-60)), end_time: Some(in_seconds(86_400)) }),
        mix: Some(MarketingMix {
            product: Some(ProductMix { categories: vec!["books".to_owned()], ..ProductMix::default() }),
            price: Some(PriceMix { offers: vec![offer], ..PriceMix::default() }),
            ..MarketingMix::default()
        }),
        ..Campaign::default()
    };
    let campaigns = Campaigns::of(&shop.campaigns[0]);
    campaigns.campaign("learn", campaign).await;
    campaigns.launch("learn").await;
    shop
}

async fn quote(shop: &Shop, customer: &str) -> QuoteResponse {
    let request = QuoteRequest {
        basket: Some(basket(&[("1", 1, 10_000)])),
        customer: customer.to_owned(),
        codes: vec!["LEARN".to_owned()],
        require_incentives: true,
        ..QuoteRequest::default()
    };
    Campaigns::of(&shop.campaigns[0]).quote(request).await
}

/// What offer and code take off.
fn taken(quote: &QuoteResponse) -> (i64, i64) {
    let of = |source: &str| {
        let decision = quote.decisions.iter().find(|one| one.source == source);
        decision.map_or(0, |decision| decision.amount.as_ref().map_or(0, |amount| minor(Some(amount))))
    };
    (of(OFFER), of(CODE))
}

fn commit(order: &str, quote: &QuoteResponse) -> Step {
    Step::Commit(CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        request_id: format!("commit-{order}"),
        replaces: String::new(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_per_segment_is_kept_by_both_services_and_whoever_is_in_two_draws_on_both() {
    for engine in Engine::BOTH {
        let shop = shop(engine).await;
        let orders = shop.orders(0);
        let (first, second) = (quote(&shop, "customers/ada").await, quote(&shop, "customers/ada").await);
        assert_eq!((taken(&first), taken(&second)), ((600, 1_000), (600, 1_000)));
        orders.send(&commit("o1", &first)).await.expect("committed");
        let status = orders.send(&commit("o2", &second)).await.expect_err("2.00 and 5.00 are left");
        assert_eq!(Refusal::of(&status).reason, "PRICE_CHANGED");
        let of_both = quote(&shop, "customers/bob").await;
        assert_eq!(taken(&of_both), (200, 500), "students have no more, and Bob is one");
        orders.send(&commit("o3", &of_both)).await.expect("committed");
        assert_eq!(taken(&quote(&shop, "customers/ada").await), (0, 0));
        assert_eq!(taken(&quote(&shop, "").await), (0, 0), "nobody is in no segment");
        orders.send(&cancel("o1")).await.expect("cancelled");
        assert_eq!(taken(&quote(&shop, "customers/bob").await), (600, 1_000));
        assert_eq!(taken(&quote(&shop, "customers/ada").await), (600, 1_000));
        let books = shop.books().await;
        assert_eq!(books.orders["o1"].state, "CANCELLED");
    }
}
