//! PostgreSQL of either side goes away under load and comes back; a replica learns what another has spent.

use std::time::Duration;

use tandem_proto::campaign::v1::{DecisionReason, QuoteRequest};
use tandem_proto::common::v1::Limits;
use tandem_tests::database::{Database, Engine};
use tandem_tests::postgres::{Cluster, Durability};
use tandem_tests::stage::Campaigns;
use tandem_tests::stage::basket;
use tandem_tests::stage::orders::{OFFER, Shop};

use super::load::Load;
use super::uses;

/// Whose database goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Campaign,
    Relationship,
}

async fn a_database_goes_and_comes_back(side: Side) {
    let cluster = Cluster::start(Durability::Durable);
    let apart = Database::at(cluster.database("apart").await);
    let other = Database::new(Engine::Postgres).await;
    let (relationship, campaign) = match side {
        Side::Campaign => (other, apart),
        Side::Relationship => (apart, other),
    };
    let shop = Shop::on(relationship, campaign, 1, Limits::default()).await;
    let load = Load::start(&shop, 16).await;
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(800)).await;
        tokio::task::block_in_place(|| cluster.down());
        tokio::time::sleep(Duration::from_millis(800)).await;
        tokio::task::block_in_place(|| cluster.up());
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(load.stop(&shop).await > 50, "there was a load");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_counts_on_one_side_only_when_the_database_of_campaign_svc_goes_away() {
    a_database_goes_and_comes_back(Side::Campaign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_counts_on_one_side_only_when_the_database_of_relationship_svc_goes_away() {
    a_database_goes_and_comes_back(Side::Relationship).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_has_spent_leaves_the_quotes_of_another() {
    let shop = Shop::with_replicas(Engine::Postgres, 2, uses(1)).await;
    let request = QuoteRequest { basket: Some(basket(&[("1", 3, 10_000)])), ..QuoteRequest::default() };
    let other = Campaigns::of(&shop.campaigns[1]);
    let reason_of_offer = |quote: &tandem_proto::campaign::v1::QuoteResponse| {
        quote.decisions.iter().find(|one| one.source == OFFER).map(|one| one.reason())
    };
    let offered = |reason| reason == Some(DecisionReason::Unspecified);
    other.quote_when(request.clone(), |quote| offered(reason_of_offer(quote))).await;
    shop.orders(0).send(&shop.commit("o1", &[])).await.expect("the only use");
    let spent = |reason| reason == Some(DecisionReason::UsesExhausted);
    other.quote_when(request, |quote| spent(reason_of_offer(quote))).await;
}
