//! Limits that hold for every value of something that an order says of itself: "2,000.00 per store".

use tandem_kernel::limits::CounterKind;
use tandem_platform::counters;
use tandem_proto::common::v1::{LimitDimension, LimitKind, Overrun, ValueLimit};

use super::quotes::{commit, offered, shop};
use super::*;

fn by(dimension: LimitDimension, attribute: &str) -> ValueLimit {
    ValueLimit { dimension: dimension.into(), attribute: attribute.to_owned(), ..ValueLimit::default() }
}

fn limits(limit: ValueLimit) -> common::Limits {
    common::Limits { per_value: vec![limit], ..common::Limits::default() }
}

/// 20.00 per store.
fn per_store(overrun: Overrun) -> common::Limits {
    let limit = ValueLimit { budgets: vec![euros(2_000)], ..by(LimitDimension::Place, "") };
    common::Limits { overrun: overrun.into(), ..limits(limit) }
}

fn uses_per_till(most: i64) -> common::Limits {
    limits(ValueLimit { max_uses: Some(most), ..by(LimitDimension::Attribute, "till") })
}

fn at(place: &str, request: &QuoteRequest) -> QuoteRequest {
    QuoteRequest { place: place.to_owned(), ..request.clone() }
}

fn with(key: &str, value: &str, request: &QuoteRequest) -> QuoteRequest {
    let mut request = request.clone();
    request.basket.as_mut().unwrap().attributes.insert(key.to_owned(), value.to_owned());
    request
}

impl Shop {
    async fn sell_at(&self, place: &str, order: &str, off: i64) -> Result<Order, Status> {
        let claims = QuoteClaims { place: place.to_owned(), ..self.claims("7", off) };
        self.commit_as(order, &format!("commit-{order}"), &claims).await
    }

    async fn sell_by(&self, till: &str, order: &str) -> Result<Order, Status> {
        let limit_attributes = [("till".to_owned(), till.to_owned())].into();
        let claims = QuoteClaims { limit_attributes, ..self.claims("7", 100) };
        self.commit_as(order, &format!("commit-{order}"), &claims).await
    }

    async fn adapt_limits(&self, limits: common::Limits) -> Result<(), Status> {
        self.adapt_from(limits, None).await
    }

    async fn adapt_from(&self, limits: common::Limits, from: Option<Timestamp>) -> Result<(), Status> {
        let offer = api::Offer { limits: Some(limits), ..offer("ten", percent(100_000)) };
        let request = AdaptCampaignRequest {
            name: "campaigns/spring".to_owned(),
            mix: Some(mix(vec![offer], vec![])),
            reason: "other limits".to_owned(),
            effective_time: from.map(to_timestamp),
            ..AdaptCampaignRequest::default()
        };
        CampaignServiceClient::new(self.harness.channel()).adapt_campaign(request).await.map(|_| ())
    }

    /// Uses, or money, and what is held of it, by the subject of the offer's counters per value.
    async fn of_values(&self, kind: CounterKind) -> Vec<(String, String, i64, i64)> {
        let mut reader = self.harness.app.db.read().await.unwrap();
        let rows = counters::all(&mut reader, &self.harness.call.tenant).await.unwrap();
        let of_offer = rows
            .into_iter()
            .filter(|(key, _)| key.kind == kind && &*key.owner == "campaigns/spring/offers/ten");
        let mut told: Vec<_> = of_offer
            .map(|(key, tally)| (key.subject.to_string(), key.period.to_string(), tally.used, tally.held))
            .collect();
        told.sort_unstable();
        told
    }
}

fn row(subject: &str, used: i64, held: i64) -> (String, String, i64, i64) {
    (subject.to_owned(), String::new(), used, held)
}

#[tokio::test]
async fn a_budget_per_store_is_kept_by_every_store_and_comes_back_where_it_was_spent() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, per_store(Overrun::Reject)).await;
        shop.sell_at("AT-1", "o1", 1_500).await.unwrap();
        let status = shop.sell_at("AT-1", "o2", 600).await.unwrap_err();
        assert_eq!(reason(&status), "BUDGET_EXHAUSTED");
        shop.sell_at("AT-2", "o3", 2_000).await.unwrap();
        shop.sell_at("AT-1", "o4", 500).await.unwrap();
        let money = [row("EUR place=AT-1", 2_000, 0), row("EUR place=AT-2", 2_000, 0)];
        assert_eq!(shop.of_values(CounterKind::ValueBudget).await, money);
        assert_eq!(
            shop.of_values(CounterKind::ValueUses).await,
            [row("place=AT-1", 2, 0), row("place=AT-2", 1, 0)]
        );
        shop.take_back("o1", "r1", 1).await.unwrap();
        shop.cancel("o3").await.unwrap();
        let money = [row("EUR place=AT-1", 1_500, 0), row("EUR place=AT-2", 0, 0)];
        assert_eq!(shop.of_values(CounterKind::ValueBudget).await, money);
        assert_eq!(
            shop.of_values(CounterKind::ValueUses).await,
            [row("place=AT-1", 2, 0), row("place=AT-2", 0, 0)]
        );
        shop.sell_at("AT-1", "o5", 500).await.unwrap();
        assert_eq!(refused(shop.sell_at("AT-1", "o6", 1).await), "BUDGET_EXHAUSTED");
    })
    .await;
}

#[tokio::test]
async fn of_many_orders_at_once_each_store_takes_its_uses_and_no_more() {
    engines(&MIGRATIONS, |db| async move {
        let limit = ValueLimit { max_uses: Some(7), ..by(LimitDimension::Place, "") };
        let shop = Shop::open(db, limits(limit)).await;
        let names: Vec<(String, String)> =
            (0..60).map(|order| (format!("o{order}"), format!("AT-{}", order % 3))).collect();
        let sold = names.iter().map(|(order, place)| shop.sell_at(place, order, 10));
        let answers = futures::future::join_all(sold).await;
        let refused: Vec<String> =
            answers.into_iter().filter_map(|one| one.err().map(|why| reason(&why))).collect();
        assert_eq!(refused, vec!["OFFER_EXHAUSTED"; 60 - 21]);
        let of_stores = ["place=AT-0", "place=AT-1", "place=AT-2"].map(|store| row(store, 7, 0));
        assert_eq!(shop.of_values(CounterKind::ValueUses).await, of_stores);
    })
    .await;
}

#[tokio::test]
async fn what_a_hold_keeps_of_a_store_nobody_else_gets_and_it_is_not_judged_twice() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, per_store(Overrun::Reject)).await;
        // Its place is AT.
        shop.hold("o1", "7", 1_500).await.unwrap();
        assert_eq!(shop.of_values(CounterKind::ValueBudget).await, [row("EUR place=AT", 0, 1_500)]);
        assert_eq!(refused(shop.sell_at("AT", "o2", 501).await), "BUDGET_EXHAUSTED");
        shop.sell_at("DE", "o3", 2_000).await.unwrap();
        shop.commit("o1", "7", 1_500).await.unwrap();
        shop.hold("o4", "7", 500).await.unwrap();
        shop.cancel("o4").await.unwrap();
        shop.hold("o5", "7", 500).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_hours(1));
        shop.sell_at("AT", "o6", 500).await.unwrap();
        let money = [row("EUR place=AT", 2_000, 0), row("EUR place=DE", 2_000, 0)];
        assert_eq!(shop.of_values(CounterKind::ValueBudget).await, money);
    })
    .await;
}

#[tokio::test]
async fn an_order_that_does_not_say_what_a_limit_counts_by_is_refused_by_its_name() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses_per_till(1)).await;
        let status = shop.commit("o1", "7", 100).await.unwrap_err();
        assert_eq!(reason(&status), "LIMIT_VALUE_REQUIRED");
        assert_eq!(
            &*status.get_error_details().error_info().unwrap().metadata["dimension"],
            "attribute.till"
        );
        shop.sell_by("1", "o2").await.unwrap();
        assert_eq!(refused(shop.sell_by("1", "o3").await), "OFFER_EXHAUSTED");
        shop.sell_by("2", "o4").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_quoted_of_a_budget_per_store_is_granted_and_what_it_caps() {
    engines(&MIGRATIONS, |db| async move {
        let limit = ValueLimit { budgets: vec![euros(400)], ..by(LimitDimension::Place, "") };
        let (shop, request) =
            shop(db, common::Limits { overrun: Overrun::Cap.into(), ..limits(limit) }).await;
        let (_, off, why) = offered(&shop, request.clone()).await;
        assert_eq!((off, why), (0, DecisionReason::LimitValueRequired));
        let (first, off, _) = offered(&shop, at("AT", &request)).await;
        assert_eq!((off, first.decisions[0].limit_dimension.as_str()), (300, ""));
        commit(&shop, "o1", &first).await.unwrap();
        assert_eq!(refused(commit(&shop, "o2", &first).await), "PRICE_CHANGED");
        let (second, off, _) = offered(&shop, at("AT", &request)).await;
        assert_eq!(off, 100, "what is left of the store's");
        assert_eq!(offered(&shop, at("DE", &request)).await.1, 300);
        commit(&shop, "o2", &second).await.unwrap();
        let own = QuoteRequest { replaces_order_id: "o1".to_owned(), ..at("AT", &request) };
        assert_eq!(offered(&shop, own).await.1, 300, "what the replaced order has counted is free");
        assert_eq!(offered(&shop, at("AT", &request)).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_quote_seals_the_attributes_that_limits_count_by_and_no_others() {
    engines(&MIGRATIONS, |db| async move {
        let mut limits = uses_per_till(1);
        limits.per_value.push(ValueLimit { max_uses: Some(5), ..by(LimitDimension::Medium, "") });
        let (shop, request) = shop(db, limits).await;
        let (lacks, off, why) = offered(&shop, with("till", "1", &request)).await;
        assert_eq!((off, why), (0, DecisionReason::LimitValueRequired));
        assert_eq!(lacks.decisions[0].limit_dimension, "medium");
        let request = with("medium", "app", &with("colour", "red", &request));
        let (first, off, _) = offered(&shop, with("till", "1", &request)).await;
        assert_eq!(off, 300);
        let sealed = tandem_proto::convert::open_claims(&first.quote_token, &shop.harness.app.keys).unwrap();
        let sealed: Vec<(&str, &str)> =
            sealed.limit_attributes.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(sealed, [("medium", "app"), ("till", "1")]);
        commit(&shop, "o1", &first).await.unwrap();
        let (_, off, why) = offered(&shop, with("till", "1", &request)).await;
        assert_eq!((off, why), (0, DecisionReason::UsesExhausted));
        let (second, off, _) = offered(&shop, with("till", "2", &request)).await;
        assert_eq!(off, 300);
        commit(&shop, "o2", &second).await.unwrap();
        let uses = [row("attribute.till=1", 1, 0), row("attribute.till=2", 1, 0), row("medium=app", 2, 0)];
        assert_eq!(shop.of_values(CounterKind::ValueUses).await, uses);
    })
    .await;
}

#[tokio::test]
async fn a_limit_per_value_can_be_added_while_nothing_is_used_and_not_later() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let quoted = shop.claims("7", 100);
        shop.adapt_limits(per_store(Overrun::Reject)).await.unwrap();
        shop.commit_as("o1", "r1", &quoted).await.unwrap();
        let mut more = per_store(Overrun::Reject);
        more.per_value.extend(uses_per_till(9).per_value);
        let status = shop.adapt_limits(more.clone()).await.unwrap_err();
        assert_eq!(reason(&status), "LIMIT_VALUE_LATE");
        let details = status.get_error_details();
        assert_eq!(&*details.error_info().unwrap().metadata["dimension"], "attribute.till");
        assert_eq!(
            details.precondition_failure().unwrap().violations[0].subject,
            "campaigns/spring/offers/ten"
        );
        shop.sell_at("AT", "o2", 100).await.unwrap();
        // Everything came back: nothing is used.
        shop.cancel("o1").await.unwrap();
        shop.cancel("o2").await.unwrap();
        let later = Some(shop.now() + SignedDuration::from_hours(1));
        assert_eq!(
            shop.adapt_from(more.clone(), later).await.unwrap_err().code(),
            tonic::Code::InvalidArgument
        );
        shop.adapt_limits(more).await.unwrap();
        assert_eq!(refused(shop.commit_as("o3", "r3", &quoted).await), "LIMIT_VALUE_REQUIRED");
        shop.sell_by("1", "o4").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_store_keeps_its_count_while_its_limit_is_stricter_looser_gone_or_of_another_period() {
    engines(&MIGRATIONS, |db| async move {
        let per_store = |most, recurrence: common::Recurrence| {
            let limit = ValueLimit { max_uses: Some(most), ..by(LimitDimension::Place, "") };
            common::Limits { recurrence: recurrence.into(), ..limits(limit) }
        };
        let never = common::Recurrence::Unspecified;
        let shop = Shop::open(db, per_store(5, never)).await;
        shop.sell_at("AT", "o1", 10).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_hours(24));
        shop.sell_at("AT", "o2", 10).await.unwrap();
        shop.adapt_limits(per_store(2, never)).await.unwrap();
        assert_eq!(refused(shop.sell_at("AT", "o3", 10).await), "OFFER_EXHAUSTED");
        shop.adapt_limits(common::Limits::default()).await.unwrap();
        shop.sell_at("AT", "o3", 10).await.unwrap();
        shop.adapt_limits(per_store(3, never)).await.unwrap();
        assert_eq!(refused(shop.sell_at("AT", "o4", 10).await), "OFFER_EXHAUSTED");
        shop.adapt_limits(per_store(2, common::Recurrence::Day)).await.unwrap();
        assert_eq!(refused(shop.sell_at("AT", "o4", 10).await), "OFFER_EXHAUSTED", "two today");
        shop.sell_at("DE", "o4", 10).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_hours(24));
        shop.sell_at("AT", "o5", 10).await.unwrap();
        shop.adapt_limits(per_store(4, never)).await.unwrap();
        assert_eq!(refused(shop.sell_at("AT", "o6", 10).await), "OFFER_EXHAUSTED", "four ever");
    })
    .await;
}

#[tokio::test]
async fn a_limit_by_an_attribute_that_is_taken_away_after_a_use_does_not_come_back() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, uses_per_till(2)).await;
        shop.sell_by("1", "o1").await.unwrap();
        shop.adapt_limits(uses_per_till(1)).await.unwrap();
        assert_eq!(refused(shop.sell_by("1", "o2").await), "OFFER_EXHAUSTED");
        shop.adapt_limits(common::Limits::default()).await.unwrap();
        shop.commit("o2", "7", 100).await.unwrap();
        assert_eq!(refused(shop.adapt_limits(uses_per_till(1)).await), "LIMIT_VALUE_LATE");
        shop.cancel("o1").await.unwrap();
        shop.cancel("o2").await.unwrap();
        shop.adapt_limits(uses_per_till(1)).await.unwrap();
        shop.sell_by("1", "o3").await.unwrap();
        assert_eq!(refused(shop.sell_by("1", "o4").await), "OFFER_EXHAUSTED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_per_value_that_is_added_while_two_processes_sell_misses_nothing_or_is_too_late() {
    postgres(&MIGRATIONS, |database| async move {
        let shop = Shop::open(database.db.clone(), common::Limits::default()).await;
        let other = Shop { harness: Harness::with(database.another().await, Config::default()) };
        let names: Vec<String> = (0..40).map(|order| format!("o{order}")).collect();
        let sell = futures::future::join_all(names.iter().enumerate().map(|(at, order)| {
            let shop = if at % 2 == 0 { &shop } else { &other };
            shop.sell_at("AT", order, 10)
        }));
        let limit = ValueLimit { max_uses: Some(5), ..by(LimitDimension::Place, "") };
        let (answers, adapted) = tokio::join!(sell, shop.adapt_limits(limits(limit)));
        let sold = answers.iter().filter(|answer| answer.is_ok()).count();
        match adapted {
            Ok(()) => assert_eq!(sold, 5, "every use is counted"),
            Err(status) => assert_eq!((reason(&status).as_str(), sold), ("LIMIT_VALUE_LATE", 40)),
        }
    })
    .await;
}

#[tokio::test]
async fn get_limits_lists_the_values_that_have_been_counted() {
    engines(&MIGRATIONS, |db| async move {
        let mut limits = per_store(Overrun::Reject);
        limits.per_value[0].max_uses = Some(9);
        let shop = Shop::open(db, limits).await;
        let get = async || {
            let name = "campaigns/spring/offers/ten".to_owned();
            let request = GetLimitsRequest { name, ..GetLimitsRequest::default() };
            let told = CampaignServiceClient::new(shop.harness.channel()).get_limits(request).await.unwrap();
            told.into_inner().limits
        };
        assert!(get().await.is_empty());
        shop.sell_at("DE", "o1", 500).await.unwrap();
        shop.hold("o2", "7", 300).await.unwrap();
        let told = get().await;
        let shown: Vec<(LimitKind, &str, i64)> =
            told.iter().map(|limit| (limit.kind(), &*limit.value, limit.uses + limit.uses_held)).collect();
        let (uses, money) = (LimitKind::UsesPerValue, LimitKind::BudgetPerValue);
        assert_eq!(shown, [(uses, "AT", 1), (money, "AT", 0), (uses, "DE", 1), (money, "DE", 0)]);
        assert!(told.iter().all(|limit| limit.dimension() == LimitDimension::Place));
        assert_eq!((told[1].held.clone(), told[3].left.clone()), (Some(euros(300)), Some(euros(1_500))));
    })
    .await;
}

#[tokio::test]
async fn an_order_decided_by_limits_from_before_is_not_missing_where_its_row_says_what_is_counted_by() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let per_value = vec![tandem_kernel::limits::ValueLimit {
            dimension: tandem_kernel::limits::Dimension::Attribute("till".to_owned()),
            max_uses: Some(1),
            budgets: Default::default(),
        }];
        let limits = tandem_kernel::limits::Limits { per_value, ..Default::default() };
        // The other half of an adaptation that this replica does not know of yet.
        let owner = "campaigns/spring/offers/ten".into();
        let tenant = &shop.harness.call.tenant;
        let turned = tandem_platform::transact!(shop.harness.app.db, |tx| {
            counters::tracks::turn(tx, tenant, &owner, None, &limits).await
        });
        assert_eq!(turned.unwrap(), None);
        assert_eq!(refused(shop.commit("o1", "7", 100).await), "LIMIT_VALUE_REQUIRED");
        shop.sell_by("1", "o2").await.unwrap();
        assert_eq!(shop.of_values(CounterKind::ValueUses).await, [row("attribute.till=1", 1, 0)]);
    })
    .await;
}
