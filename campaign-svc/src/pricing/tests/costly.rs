//! Baskets that are made to be hard: they are bounded, say so, and hold up nobody else.

use std::sync::mpsc;
use std::time::Duration;

use futures::poll;
use tandem_kernel::limits::Overrun;
use tandem_kernel::pricing::{Outcome, Reason};
use tandem_platform::testing::engines;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::{self as wire, BatchQuoteRequest, ExplainOfferRequest, QuoteRequest};
use tandem_proto::common::v1;
use tonic::Code as Grpc;
use tonic_types::StatusExt;

use super::*;
use crate::pricing::allowance::AT_ONCE;
use crate::pricing::price::Refusal;
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

/// Only waited for where a test fails.
const LONG: Duration = Duration::from_secs(60);

fn primes_from(first: i64) -> impl Iterator<Item = i64> {
    (first..).filter(|number| (2..).take_while(|by| by * by <= *number).all(|by| number % by != 0))
}

/// So many lines whose quantities and prices are distinct primes.
fn primes(lines: usize) -> QuoteRequest {
    let line = |(at, (quantity, price)): (usize, (i64, i64))| v1::Line {
        unit_price: Some(api::euros(price)),
        ..api::line(&format!("l{at}"), &format!("p{at}"), quantity)
    };
    let numbers = primes_from(2).zip(primes_from(1_009)).take(lines).enumerate();
    api::asked(numbers.map(line).collect())
}

/// What no offer is for.
fn ordinary() -> QuoteRequest {
    let line = v1::Line { unit_price: Some(api::euros(1_000)), ..api::line("a", "other", 1) };
    api::asked(vec![line])
}

/// Two of those units for less than in every group before.
fn pair(group: i32) -> wire::Offer {
    let kind = v1::discount::Kind::FixedPrice(v1::FixedPriceDiscount {
        prices: vec![api::euros(1_900 - 150 * i64::from(group))],
        per: v1::Per::Set.into(),
        set_quantity: 2,
    });
    let products = (0..500).map(|at| format!("products/p{at}")).collect();
    let scope = Some(v1::Scope { products, ..v1::Scope::default() });
    let group_policy = v1::GroupPolicy::BestForCustomer.into();
    let pair = v1::Discount { kind: Some(kind), scope, group, group_policy, ..v1::Discount::default() };
    api::offer(&format!("o{group:02}"), pair)
}

/// A service whose one thread for long evaluations may keep so many waiting, with twelve groups of pairs.
async fn hard(db: tandem_platform::Db, queue: usize) -> Harness {
    let mut config = Config::default();
    config.pricing.long_evaluation_threads = 1;
    config.pricing.long_evaluation_queue = queue;
    let harness = Harness::with(db, config);
    api::draft(&harness, "pairs", &[], api::mix((0..12).map(pair).collect(), Vec::new())).await;
    api::launch(&harness, "pairs").await;
    api::refresh(&harness).await;
    harness
}

#[tokio::test]
async fn a_hard_basket_is_settled_group_by_group_says_so_and_stays_the_same() {
    engines(&MIGRATIONS, |db| async move {
        let harness = hard(db, 4).await;
        let answer = api::quote(&harness, primes(500)).await.unwrap();
        assert!(answer.approximate);
        assert_eq!(answer.decisions.len(), 12);
        let mut turned = primes(500);
        turned.basket.as_mut().unwrap().lines.reverse();
        let again = api::quote(&harness, turned).await.unwrap();
        assert_eq!((again.totals, again.approximate), (answer.totals, true));
        let (decided, decisions) = (again.decisions, answer.decisions);
        let amounts = |of: &[wire::Decision]| of.iter().map(|one| one.amount.clone()).collect::<Vec<_>>();
        assert_eq!(amounts(&decided), amounts(&decisions));
        assert!(!api::quote(&harness, primes(3)).await.unwrap().approximate);
    })
    .await;
}

#[tokio::test]
async fn a_hard_basket_holds_up_nobody_else() {
    engines(&MIGRATIONS, |db| async move {
        let harness = hard(db, 4).await;
        let (go, gate) = mpsc::channel();
        let mut busy = Box::pin(harness.app.heavy.run(move |_| gate.recv_timeout(LONG)));
        assert!(poll!(&mut busy).is_pending());
        let name = "campaigns/pairs/offers/o03".to_owned();
        let explained = ExplainOfferRequest { offer: name, quote: Some(primes(500)) };
        let batch = BatchQuoteRequest { requests: vec![primes(500); 3] };
        let (mut one, mut other, mut third) = (
            PricingServiceClient::new(harness.channel()),
            PricingServiceClient::new(harness.channel()),
            PricingServiceClient::new(harness.channel()),
        );
        let mut quoted = Box::pin(one.quote(primes(500)));
        let mut explained = Box::pin(other.explain_offer(explained));
        let mut batch = Box::pin(third.batch_quote(batch));
        tokio::select! {
            biased;
            _ = &mut quoted => panic!("a hard basket was priced where calls are served"),
            _ = &mut explained => panic!("an offer was explained where calls are served"),
            _ = &mut batch => panic!("hard baskets of a batch were priced where calls are served"),
            answer = api::quote(&harness, ordinary()) => assert!(answer.is_ok()),
        }
        go.send(()).unwrap();
        let (quoted, explained, batch) = tokio::join!(quoted, explained, batch);
        assert!(quoted.unwrap().into_inner().approximate);
        assert!(explained.unwrap().into_inner().decision.is_some());
        let results = batch.unwrap().into_inner().results;
        assert!(results.iter().all(|result| result.quote.as_ref().is_some_and(|quote| quote.approximate)));
    })
    .await;
}

#[tokio::test]
async fn where_too_many_wait_for_a_thread_the_next_is_told_when_to_come_back_and_a_batch_waits_once() {
    engines(&MIGRATIONS, |db| async move {
        let harness = hard(db, 2).await;
        // What quotes answer from is in memory from now on: nothing but the threads is waited for.
        assert!(api::quote(&harness, ordinary()).await.is_ok());
        let (go, gate) = mpsc::channel();
        let mut busy = Box::pin(harness.app.heavy.run(move |_| gate.recv_timeout(LONG)));
        assert!(poll!(&mut busy).is_pending());
        let mut client = PricingServiceClient::new(harness.channel());
        let mut batch = Box::pin(client.batch_quote(BatchQuoteRequest { requests: vec![primes(500); 3] }));
        let mut second = Box::pin(api::quote(&harness, primes(500)));
        tokio::select! {
            biased;
            _ = &mut batch => panic!("nothing has been computed yet"),
            _ = &mut second => panic!("nothing has been computed yet"),
            third = api::quote(&harness, primes(500)) => {
                let refused = third.unwrap_err();
                assert_eq!(refused.code(), Grpc::ResourceExhausted);
                assert_eq!(refused.get_details_error_info().unwrap().reason, "OVERLOADED");
                assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
            }
        }
        assert!(api::quote(&harness, ordinary()).await.is_ok(), "an ordinary quote waits for no thread");
        go.send(()).unwrap();
        let (second, batch) = tokio::join!(second, batch);
        assert!(second.is_ok());
        assert!(batch.unwrap().into_inner().results.iter().all(|result| result.quote.is_some()));
    })
    .await;
}

const COSTLY: &str =
    "line.categories.all(a, line.categories.all(b, line.categories + line.categories != [a, b]))";

fn full(line: Line) -> Line {
    Line { categories: (0..32).map(|at| format!("category-{at}")).collect(), ..line }
}

#[test]
fn an_offer_whose_rules_take_too_much_on_a_basket_is_left_out_alone() {
    let scope = Scope { condition: COSTLY.to_owned(), ..Scope::default() };
    let mix = mix(
        vec![offer("costly", Discount { scope, ..percent(100_000) }), offer("ten", percent(100_000))],
        Vec::new(),
    );
    let snapshot = snapshot(Vec::new(), &[planned("c", mix)]);
    let lines = || (0..3).map(|at| full(line(&format!("l{at}"), &format!("p{at}"), 1, 1_000)));
    let one = ask(lines().take(1).collect());
    let both: Vec<i64> =
        price(&snapshot, &one, &Incentives::NotAsked).evaluation.decisions.iter().map(|d| d.amount).collect();
    assert_eq!(both, [100, 90]);
    let three = ask(lines().collect());
    let priced = price(&snapshot, &three, &Incentives::NotAsked);
    assert_eq!(priced.verdicts[0].decided, Err(Refusal::TooCostly));
    assert_eq!(priced.evaluation.decisions[0].amount, 300);
}

#[test]
fn a_quote_that_takes_more_than_it_may_has_no_answer() {
    let scope = || Scope { condition: COSTLY.to_owned(), ..Scope::default() };
    let costly = |at: usize| offer(&format!("o{at}"), Discount { scope: scope(), ..percent(1_000) });
    let snapshot = snapshot(Vec::new(), &[planned("c", mix((0..12).map(costly).collect(), Vec::new()))]);
    let one = ask(vec![full(line("a", "1", 1, 1_000))]);
    let refused = priced(&snapshot, &one, &Incentives::NotAsked, now(), u64::MAX).unwrap_err();
    assert_eq!(refused, Stop::TooMuch { limit: QUOTE.total });
}

#[test]
fn what_is_estimated_to_be_long_is_not_begun_and_what_is_ordinary_is() {
    let tenth =
        |group: i32| Discount { group, group_policy: GroupPolicy::BestForCustomer, ..percent(100_000) };
    let offers = |count: i32| (0..count).map(|at| offer(&format!("o{at}"), tenth(at))).collect();
    let (few, many) = (
        snapshot(Vec::new(), &[planned("c", mix(offers(3), Vec::new()))]),
        snapshot(Vec::new(), &[planned("c", mix(offers(12), Vec::new()))]),
    );
    let lines = |count: usize| -> Vec<Line> {
        (0..count).map(|at| line(&format!("l{at}"), &format!("p{at}"), 1, 1_000)).collect()
    };
    let begun = |snapshot: &Snapshot, lines: Vec<Line>, begin: u64| {
        priced(snapshot, &ask(lines), &Incentives::NotAsked, now(), begin).is_ok()
    };
    assert!(begun(&few, lines(5), AT_ONCE / 50), "fifty ordinary ones are computed where calls are served");
    assert!(!begun(&many, lines(500), AT_ONCE));
    assert!(begun(&many, lines(500), u64::MAX));
}

#[test]
fn however_many_offers_their_budgets_do_not_cover_the_others_meet_without_them() {
    let small = Limits { budgets: amounts(50), overrun: Overrun::Reject, ..Limits::default() };
    let limited =
        |at: usize| Offer { limits: small.clone(), ..offer(&format!("o{at:02}"), percent(100_000)) };
    let offers = (0..30).map(limited).chain([offer("z", percent(100_000))]);
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(offers.collect(), Vec::new()))]);
    let asked = ask(vec![line("a", "1", 1, 1_000)]);
    let priced = price(&snapshot, &asked, &Incentives::NotAsked);
    let uncovered = Outcome::Inapplicable { reason: Reason::BudgetSpent };
    let left_out =
        priced.evaluation.decisions.iter().filter(|decision| decision.outcome == uncovered).count();
    assert_eq!((left_out, priced.evaluation.total), (30, 900));
    assert_eq!(priced.evaluation.decisions[30].outcome, Outcome::Applied);
}

#[tokio::test]
async fn offers_with_costly_rules_are_listed_by_shorter_pages() {
    engines(&MIGRATIONS, |db| async move {
        let harness = hard(db, 4).await;
        let product = wire::Product {
            categories: (0..32).map(|at| format!("category-{at}")).collect(),
            prices: vec![wire::ListPrice { place: String::new(), price: Some(api::euros(1_000)) }],
            ..wire::Product::default()
        };
        let request = wire::CreateProductRequest {
            product: Some(product),
            product_id: "1".to_owned(),
            ..wire::CreateProductRequest::default()
        };
        let mut products = wire::product_service_client::ProductServiceClient::new(harness.channel());
        products.create_product(request).await.unwrap();
        let scope = Some(v1::Scope { condition: COSTLY.to_owned(), ..v1::Scope::default() });
        let costly = |at: usize| {
            api::offer(&format!("c{at}"), v1::Discount { scope: scope.clone(), ..api::percent(100_000) })
        };
        api::draft(&harness, "costly", &[], api::mix((0..5).map(costly).collect(), Vec::new())).await;
        api::launch(&harness, "costly").await;
        api::refresh(&harness).await;
        let mut client = PricingServiceClient::new(harness.channel());
        let mut request = wire::ListApplicableOffersRequest {
            product: "products/1".to_owned(),
            ..wire::ListApplicableOffersRequest::default()
        };
        let mut pages = Vec::new();
        loop {
            let page = client.list_applicable_offers(request.clone()).await.unwrap().into_inner();
            pages.push(page.offers.len());
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert!(pages.len() > 1, "{pages:?}");
        assert_eq!(pages.iter().sum::<usize>(), 5);
    })
    .await;
}
