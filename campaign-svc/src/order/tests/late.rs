//! A limit counts from the beginning of what it limits, whenever it is written down.

use futures::future::join_all;
use tandem_kernel::limits::CounterKind;
use tandem_platform::counters;

use super::*;

impl Shop {
    /// Gives the offer other limits, by a new revision of the mix.
    async fn adapt(&self, limits: common::Limits) {
        let offer = api::Offer { limits: Some(limits), ..offer("ten", percent(100_000)) };
        let request = AdaptCampaignRequest {
            name: "campaigns/spring".to_owned(),
            mix: Some(mix(vec![offer], vec![])),
            reason: "other limits".to_owned(),
            ..AdaptCampaignRequest::default()
        };
        let answer =
            CampaignServiceClient::new(self.harness.channel()).adapt_campaign(request).await.unwrap();
        assert_eq!(answer.into_inner().limits_hold_from_time, Some(to_timestamp(self.now())));
    }

    /// Gives the campaign other limits.
    async fn limit(&self, limits: common::Limits) {
        let campaign = api::Campaign {
            name: "campaigns/spring".to_owned(),
            limits: Some(limits),
            ..api::Campaign::default()
        };
        let request = UpdateCampaignRequest {
            campaign: Some(campaign),
            update_mask: Some(prost_types::FieldMask { paths: vec!["limits".to_owned()] }),
            ..UpdateCampaignRequest::default()
        };
        let answer =
            CampaignServiceClient::new(self.harness.channel()).update_campaign(request).await.unwrap();
        assert_eq!(answer.into_inner().limits_hold_from_time, Some(to_timestamp(self.now())));
    }

    /// What is counted of the offer for customers, uses and holds together.
    async fn of_customers(&self) -> i64 {
        let mut reader = self.harness.app.db.read().await.unwrap();
        let rows = counters::all(&mut reader, &self.harness.call.tenant).await.unwrap();
        let of_offer = rows.iter().filter(|(key, _)| {
            key.kind == CounterKind::Customer && &*key.owner == "campaigns/spring/offers/ten"
        });
        of_offer.map(|(_, tally)| tally.used + tally.held).sum()
    }
}

fn per_customer(most: i64) -> common::Limits {
    common::Limits { max_uses_per_customer: Some(most), ..common::Limits::default() }
}

fn per_period(most: i64, recurrence: common::Recurrence) -> common::Limits {
    common::Limits { recurrence: recurrence.into(), ..uses(most) }
}

#[tokio::test]
async fn once_per_customer_counts_what_was_bought_before_an_adaptation_said_so() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        shop.commit("o1", "7", 10).await.unwrap();
        shop.hold("o2", "8", 10).await.unwrap();
        shop.commit("gone", "9", 10).await.unwrap();
        shop.cancel("gone").await.unwrap();
        shop.adapt(per_customer(1)).await;
        assert_eq!(refused(shop.commit("o3", "7", 10).await), "CUSTOMER_LIMIT_REACHED");
        assert_eq!(refused(shop.commit("o4", "8", 10).await), "CUSTOMER_LIMIT_REACHED");
        shop.commit("o2", "8", 10).await.unwrap();
        assert_eq!(refused(shop.commit("o5", "8", 10).await), "CUSTOMER_LIMIT_REACHED");
        shop.commit("o6", "9", 10).await.unwrap();
        // What counted late comes back as everything does.
        shop.cancel("o1").await.unwrap();
        shop.commit("o7", "7", 10).await.unwrap();
        assert_eq!(shop.of_customers().await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_quote_from_before_a_limit_is_held_to_it() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let quoted = shop.claims("7", 10);
        assert_eq!(quoted.offers[0].revision, 1);
        shop.adapt(uses(1)).await;
        shop.commit_as("o1", "r1", &quoted).await.unwrap();
        assert_eq!(refused(shop.commit_as("o2", "r2", &quoted).await), "OFFER_EXHAUSTED");
    })
    .await;
}

#[tokio::test]
async fn another_recurrence_of_an_offer_or_a_campaign_counts_what_its_running_period_has_seen() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        shop.commit("yesterday", "7", 10).await.unwrap();
        shop.harness.clock.advance(SignedDuration::from_hours(24));
        shop.commit("today", "7", 10).await.unwrap();
        shop.adapt(per_period(1, common::Recurrence::Day)).await;
        assert_eq!(refused(shop.commit("more", "7", 10).await), "OFFER_EXHAUSTED");
        shop.adapt(per_period(2, common::Recurrence::Year)).await;
        assert_eq!(refused(shop.commit("more", "7", 10).await), "OFFER_EXHAUSTED");
        shop.adapt(common::Limits::default()).await;
        shop.limit(per_period(1, common::Recurrence::Day)).await;
        assert_eq!(refused(shop.commit("more", "7", 10).await), "OFFER_EXHAUSTED");
        shop.limit(per_period(2, common::Recurrence::Day)).await;
        shop.commit("more", "7", 10).await.unwrap();
        assert_eq!(refused(shop.commit("even-more", "7", 10).await), "OFFER_EXHAUSTED");
        shop.limit(common::Limits::default()).await;
        shop.adapt(uses(4)).await;
        shop.commit("fourth", "7", 10).await.unwrap();
        assert_eq!(refused(shop.commit("fifth", "7", 10).await), "OFFER_EXHAUSTED");
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_is_taken_away_and_comes_back_finds_the_same_count() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, per_customer(2)).await;
        shop.commit("o1", "7", 10).await.unwrap();
        shop.adapt(common::Limits::default()).await;
        shop.commit("o2", "7", 10).await.unwrap();
        shop.adapt(per_customer(2)).await;
        assert_eq!(refused(shop.commit("o3", "7", 10).await), "CUSTOMER_LIMIT_REACHED");
    })
    .await;
}

#[tokio::test]
async fn more_orders_than_one_page_are_counted() {
    engines(&MIGRATIONS, |db| async move {
        let shop = Shop::open(db, common::Limits::default()).await;
        let orders: Vec<String> = (0..230).map(|order| format!("o{order}")).collect();
        join_all(orders.iter().map(|order| shop.commit(order, "7", 10))).await;
        shop.adapt(per_customer(231)).await;
        shop.commit("last", "7", 10).await.unwrap();
        assert_eq!(refused(shop.commit("over", "7", 10).await), "CUSTOMER_LIMIT_REACHED");
        assert_eq!(shop.of_customers().await, 231);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_that_is_added_while_two_processes_sell_misses_nothing() {
    postgres(&MIGRATIONS, |database| async move {
        let shop = Shop::open(database.db.clone(), common::Limits::default()).await;
        let other = Shop { harness: Harness::with(database.another().await, Config::default()) };
        let names: Vec<(String, String)> =
            (0..300).map(|order| (format!("o{order}"), (order % 10).to_string())).collect();
        for (order, customer) in &names[..30] {
            shop.commit(order, customer, 10).await.unwrap();
        }
        let sell = join_all(names[30..].iter().enumerate().map(|(at, (order, customer))| {
            let shop = if at % 2 == 0 { &shop } else { &other };
            shop.commit(order, customer, 10)
        }));
        let (answers, ()) = tokio::join!(sell, shop.adapt(per_customer(5)));
        let refused: Vec<String> = answers.iter().filter_map(|one| one.as_ref().err()).map(reason).collect();
        assert!(refused.iter().all(|reason| reason == "CUSTOMER_LIMIT_REACHED"), "{refused:?}");
        let sold = 300 - i64::try_from(refused.len()).unwrap();
        assert_eq!((shop.taken().await[0], shop.of_customers().await), (sold, sold));
        for customer in 0..10 {
            let (order, customer) = (format!("more-{customer}"), customer.to_string());
            let told = other.commit(&order, &customer, 10).await;
            assert_eq!(super::refused(told), "CUSTOMER_LIMIT_REACHED", "27 or more for each before");
        }
    })
    .await;
}
