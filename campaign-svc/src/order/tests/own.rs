//! A quote for an order does not count against it what the order holds, or what the one it replaces has counted; what single
//! customers may have is in the quote; and what is quoted is granted.

use tandem_platform::db::Statement;
use tandem_platform::{on_engine, transact};
use tandem_proto::common::v1::Overrun;

use super::quotes::{commit, offered, shop};
use super::*;
use crate::pricing::tests::api::{asked, line, quote as quote_of, refresh, store_product};

fn of(order: &str, request: &QuoteRequest) -> QuoteRequest {
    QuoteRequest { order_id: order.to_owned(), ..request.clone() }
}

fn replacing(order: &str, request: &QuoteRequest) -> QuoteRequest {
    QuoteRequest { replaces_order_id: order.to_owned(), ..request.clone() }
}

fn by(customer: &str, request: &QuoteRequest) -> QuoteRequest {
    // A guest: nobody needs to know him.
    QuoteRequest { guest_key: customer.repeat(16), ..request.clone() }
}

async fn hold(shop: &Shop, order: &str, quote: &QuoteResponse) -> Result<Order, Status> {
    let request = HoldOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        ttl: None,
        request_id: format!("hold-{order}-{}", shop.now().as_second()),
    };
    Ok(shop.orders().hold_order(request).await?.into_inner().order.unwrap())
}

async fn replace(shop: &Shop, order: &str, old: &str, quote: &QuoteResponse) -> Result<Order, Status> {
    let request = CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token.clone(),
        request_id: format!("replace-{old}-by-{order}"),
        replaces: format!("orders/{old}"),
    };
    Ok(shop.orders().commit_order(request).await?.into_inner().order.unwrap())
}

/// What the offer takes off, and why it takes nothing.
async fn told(shop: &Shop, request: QuoteRequest) -> (i64, DecisionReason) {
    let (_, off, reason) = offered(shop, request).await;
    (off, reason)
}

const GIVEN: DecisionReason = DecisionReason::Unspecified;

#[tokio::test]
async fn the_hold_of_an_order_does_not_stand_in_the_way_of_its_own_quote() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, uses(1)).await;
        let (first, ..) = offered(&shop, of("o1", &request)).await;
        hold(&shop, "o1", &first).await.unwrap();
        assert_eq!(told(&shop, request.clone()).await, (0, DecisionReason::UsesExhausted));
        assert_eq!(told(&shop, of("o2", &request)).await, (0, DecisionReason::UsesExhausted));
        let (again, off, _) = offered(&shop, of("o1", &request)).await;
        assert_eq!(off, 300);
        assert_eq!(refused(commit(&shop, "o2", &again).await), "QUOTE_TOKEN_MISMATCH");
        commit(&shop, "o1", &again).await.unwrap();
        // What is committed is final.
        assert_eq!(told(&shop, of("o1", &request)).await, (0, DecisionReason::UsesExhausted));
    })
    .await;
}

#[tokio::test]
async fn a_hold_that_has_lapsed_keeps_nothing_of_the_quote_of_its_order() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, uses(1)).await;
        let (first, ..) = offered(&shop, of("o1", &request)).await;
        hold(&shop, "o1", &first).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_mins(15));
        let (again, off, _) = offered(&shop, of("o1", &request)).await;
        assert_eq!(off, 300);
        shop.commit("o2", "7", 300).await.unwrap();
        assert_eq!(refused(commit(&shop, "o1", &again).await), "OFFER_EXHAUSTED");
        assert_eq!(told(&shop, of("o1", &request)).await, (0, DecisionReason::UsesExhausted));
    })
    .await;
}

#[tokio::test]
async fn a_budget_is_quoted_with_what_the_order_holds_of_it() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = shop(db, budget(400, Overrun::Cap)).await;
        let (first, ..) = offered(&shop, of("o1", &request)).await;
        hold(&shop, "o1", &first).await.unwrap();
        assert_eq!(told(&shop, request.clone()).await, (100, GIVEN));
        let twice = QuoteRequest { basket: asked(vec![line("a", "mug", 2)]).basket, ..request };
        let (more, off, _) = offered(&shop, of("o1", &twice)).await;
        assert_eq!(off, 400);
        shop.harness.clock.advance(SignedDuration::from_secs(1));
        hold(&shop, "o1", &more).await.unwrap();
        assert_eq!(shop.taken().await, [0, 0, 1, 400]);
    })
    .await;
}

#[tokio::test]
async fn what_a_replaced_order_has_counted_and_not_given_back_is_free_for_the_new_one() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits {
            max_uses: Some(1),
            max_uses_per_customer: Some(1),
            ..budget(400, Overrun::Reject)
        };
        let (shop, request) = shop(db, limits).await;
        let request = by("a", &request);
        let (first, ..) = offered(&shop, request.clone()).await;
        commit(&shop, "old", &first).await.unwrap();
        let used = (0, DecisionReason::UsesExhausted);
        assert_eq!(told(&shop, request.clone()).await, used);
        for other in ["nobody", "held"] {
            assert_eq!(told(&shop, replacing(other, &request)).await, used, "{other} is none");
        }
        let (new, off, _) = offered(&shop, replacing("old", &of("new", &request))).await;
        assert_eq!(off, 300);
        replace(&shop, "new", "old", &new).await.unwrap();
        assert_eq!(shop.taken().await, [1, 300, 0, 0]);
        assert_eq!(told(&shop, replacing("old", &request)).await, used, "it was cancelled");
        shop.cancel("new").await.unwrap();
        assert_eq!(
            told(&shop, replacing("new", &request)).await,
            (300, GIVEN),
            "nothing is given back twice"
        );
    })
    .await;
}

#[tokio::test]
async fn the_limits_of_a_customer_are_in_the_quote() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits {
            max_uses_per_customer: Some(2),
            max_uses_per_customer_period: Some(1),
            customer_period: common::Recurrence::Day.into(),
            ..common::Limits::default()
        };
        let (shop, request) = shop(db, limits).await;
        assert_eq!(told(&shop, request.clone()).await, (0, DecisionReason::CustomerRequired));
        let (ada, bob) = (by("a", &request), by("b", &request));
        for day in 0..2 {
            let (quote, off, _) = offered(&shop, ada.clone()).await;
            assert_eq!(off, 300);
            hold(&shop, &format!("o{day}"), &quote).await.unwrap();
            let none = DecisionReason::CustomerLimitReached;
            let today = if day == 0 { DecisionReason::CustomerPeriodLimitReached } else { none };
            assert_eq!(told(&shop, ada.clone()).await, (0, today));
            assert_eq!(told(&shop, bob.clone()).await, (300, GIVEN));
            let (own, off, _) = offered(&shop, of(&format!("o{day}"), &ada)).await;
            assert_eq!(off, 300, "its own hold is none");
            commit(&shop, &format!("o{day}"), &own).await.unwrap();
            shop.harness.clock.advance(SignedDuration::from_hours(24));
        }
        assert_eq!(told(&shop, ada.clone()).await, (0, DecisionReason::CustomerLimitReached));
        assert_eq!(told(&shop, replacing("o0", &ada)).await, (300, GIVEN));
    })
    .await;
}

/// Takes the counters away.
async fn without_counters(shop: &Shop) {
    const RENAME: Statement = Statement::same("ALTER TABLE counter RENAME TO gone");
    transact!(shop.harness.app.db, |tx| {
        Ok(on_engine!(tx, RENAME, |sql, conn| sqlx::query(sql).execute(conn).await.map(drop))?)
    })
    .unwrap();
}

#[tokio::test]
async fn counters_are_read_only_for_a_customer_of_an_offer_that_counts_them_and_for_an_order_that_has_something()
 {
    engines(&MIGRATIONS, |db| async move {
        let each = common::Limits { max_uses_per_customer: Some(9), ..uses(9) };
        let (shop, request) = shop(db, each).await;
        let other = QuoteRequest { place: "DE".to_owned(), ..request.clone() };
        let at = PlaceMix { countries: vec!["AT".to_owned()], ..PlaceMix::default() };
        let (held, ..) = offered(&shop, by("a", &of("o1", &request))).await;
        hold(&shop, "o1", &held).await.unwrap();
        let mut austria = mix(vec![offer("ten", percent(100_000))], vec![]);
        austria.place = Some(at);
        draft(&shop.harness, "austria", &[], austria).await;
        launch(&shop.harness, "austria").await;
        refresh(&shop.harness).await;
        without_counters(&shop).await;
        let asks = async |request: QuoteRequest| quote_of(&shop.harness, request).await.is_err();
        assert!(!asks(request.clone()).await, "nobody is named");
        assert!(!asks(of("o2", &request)).await, "the order has nothing");
        assert!(asks(by("a", &request)).await, "the offer counts him");
        assert!(asks(of("o1", &request)).await, "the order has a hold");
        assert!(asks(by("a", &other)).await, "wherever the offer is in force");
    })
    .await;
}

/// "spring" has a budget of its own, and two more offers: of 20 % and of 30 % of the mug at 30.00.
async fn of_one_budget(db: Db, minor: i64, overrun: Overrun) -> (Shop, QuoteRequest) {
    let mut config = Config::default();
    config.relationship.endpoint = "http://127.0.0.1:1".into();
    let harness = Harness::with(db, config);
    let offers = [("a", 100_000), ("b", 200_000), ("c", 300_000)].map(|(id, rate)| {
        let initial = common::Base::Initial.into();
        offer(id, common::Discount { base: initial, ..percent(rate) })
    });
    draft(&harness, "spring", &[], mix(offers.into(), vec![])).await;
    let shop = Shop { harness };
    let campaign = api::Campaign {
        name: "campaigns/spring".to_owned(),
        limits: Some(budget(minor, overrun)),
        ..api::Campaign::default()
    };
    super::limits::change(&shop, campaign, "limits").await;
    launch(&shop.harness, "spring").await;
    store_product(&shop.harness, "mug", 3_000).await;
    (shop, asked(vec![line("a", "mug", 1)]))
}

/// By offer: what it takes off.
fn amounts(quote: &QuoteResponse) -> Vec<i64> {
    let minor = |money: &common::Money| money.units * 100 + i64::from(money.nanos / 10_000_000);
    quote.decisions.iter().map(|one| one.amount.as_ref().map_or(0, minor)).collect()
}

#[tokio::test]
async fn offers_that_stack_never_take_more_than_their_campaign_has_left() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = of_one_budget(db, 1_500, Overrun::Cap).await;
        let (first, ..) = offered(&shop, request.clone()).await;
        assert_eq!(amounts(&first), [300, 600, 600]);
        assert_eq!(first.decisions[2].reason(), GIVEN);
        commit(&shop, "o1", &first).await.unwrap();
        let (second, ..) = offered(&shop, request).await;
        assert_eq!(amounts(&second), [0; 3]);
        assert!(second.decisions.iter().all(|one| one.reason() == DecisionReason::BudgetExhausted));
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_the_rest_of_its_campaigns_budget_does_not_cover_leaves_it_to_those_behind() {
    engines(&MIGRATIONS, |db| async move {
        let (shop, request) = of_one_budget(db, 1_300, Overrun::Reject).await;
        let (first, ..) = offered(&shop, request.clone()).await;
        assert_eq!(amounts(&first), [300, 600, 0]);
        assert_eq!(first.decisions[2].reason(), DecisionReason::BudgetExhausted);
        commit(&shop, "o1", &first).await.unwrap();
        // 9.00 of 13.00 are gone, which nobody has told of yet: it is known once an order was refused for it.
        let (stale, ..) = offered(&shop, request.clone()).await;
        assert_eq!(refused(commit(&shop, "o2", &stale).await), "BUDGET_EXHAUSTED");
        shop.harness.clock.advance(SignedDuration::from_secs(1));
        let (second, ..) = offered(&shop, request).await;
        assert_eq!(amounts(&second), [300, 0, 0]);
        commit(&shop, "o2", &second).await.unwrap();
        assert_eq!(shop.counted("campaigns/spring").await, [2, 1_200, 0, 0]);
    })
    .await;
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Holds, commits, replaces and cancels at random: whatever was just quoted for it is granted.
async fn what_is_quoted_is_granted(shop: &Shop, request: &QuoteRequest, seed: u64) {
    let mut dice = Dice(seed);
    let (mut held, mut counted) = (Vec::<String>::new(), Vec::<String>::new());
    for number in 0..60 {
        shop.harness.clock.advance(SignedDuration::from_secs(1));
        let who = dice.next(3);
        let units = i64::try_from(1 + dice.next(3)).unwrap();
        let basket = asked(vec![line("a", "mug", units)]).basket;
        let request = QuoteRequest { basket, ..by(["a", "b", "c"][usize::try_from(who).unwrap()], request) };
        let fresh = format!("o{number}");
        match dice.next(5) {
            0 => {
                let (quote, ..) = offered(shop, of(&fresh, &request)).await;
                granted(shop, &request, hold(shop, &fresh, &quote).await, &fresh, "").await;
                held.push(fresh);
            }
            1 if !held.is_empty() => {
                let order = held[0].clone();
                let (quote, ..) = offered(shop, of(&order, &request)).await;
                granted(shop, &request, hold(shop, &order, &quote).await, &order, "").await;
            }
            2 if !held.is_empty() => {
                let order = held.remove(0);
                let (quote, ..) = offered(shop, of(&order, &request)).await;
                granted(shop, &request, commit(shop, &order, &quote).await, &order, "").await;
                counted.push(order);
            }
            3 if !counted.is_empty() => {
                let old = counted.remove(0);
                let (quote, ..) = offered(shop, replacing(&old, &of(&fresh, &request))).await;
                granted(shop, &request, replace(shop, &fresh, &old, &quote).await, &fresh, &old).await;
                counted.push(fresh);
            }
            _ if counted.len() > 3 => {
                shop.cancel(&counted.remove(0)).await.unwrap();
            }
            _ => {
                let (quote, ..) = offered(shop, of(&fresh, &request)).await;
                granted(shop, &request, commit(shop, &fresh, &quote).await, &fresh, "").await;
                counted.push(fresh);
            }
        }
    }
}

/// What everybody has taken is known of limits that are nearly spent: one that was not yet may refuse once, and is known then.
async fn granted(shop: &Shop, request: &QuoteRequest, answer: Result<Order, Status>, order: &str, old: &str) {
    let Err(refusal) = answer else { return };
    let why = reason(&refusal);
    let everybodys = ["OFFER_EXHAUSTED", "BUDGET_EXHAUSTED", "PRICE_CHANGED"];
    assert!(everybodys.contains(&why.as_str()), "{order}: {refusal:?}");
    shop.harness.clock.advance(SignedDuration::from_secs(1));
    let (quote, ..) = offered(shop, replacing(old, &of(order, request))).await;
    let again = match old {
        "" => commit(shop, order, &quote).await,
        old => replace(shop, order, old, &quote).await,
    };
    again.unwrap();
}

#[tokio::test]
async fn what_is_quoted_for_an_order_is_granted_to_it() {
    engines(&MIGRATIONS, |db| async move {
        let limits = common::Limits {
            max_uses: Some(7),
            max_uses_per_customer: Some(3),
            max_uses_per_customer_period: Some(2),
            customer_period: common::Recurrence::Day.into(),
            ..budget(2_000, Overrun::Cap)
        };
        let (shop, request) = shop(db, limits).await;
        what_is_quoted_is_granted(&shop, &request, 7).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_quoted_of_a_campaigns_budget_is_granted() {
    for overrun in [Overrun::Cap, Overrun::Reject] {
        engines(&MIGRATIONS, |db| async move {
            let (shop, request) = of_one_budget(db, 4_000, overrun).await;
            what_is_quoted_is_granted(&shop, &request, 11).await;
        })
        .await;
    }
}
