//! relationship-svc answers, refuses, hangs, dies and comes back.

use std::time::Duration;

use tandem_platform::config::DatabaseConfig;
use tandem_platform::testing::sqlite;
use tandem_platform::{Fault, Kind as FaultKind};
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::{DecisionReason, IncentivesStatus, QuoteRequest, QuoteResponse};
use tandem_proto::common::v1;
use tandem_proto::convert::open_claims;
use tandem_proto::relationship::v1::{ErrorReason, EvaluateIncentivesResponse, EvaluatedCode};
use tonic::{Code as Grpc, Status};
use tonic_types::StatusExt;

use super::peer::{Manner, Peer};
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

fn harness(db: tandem_platform::Db, peer: &Peer) -> Harness {
    let mut config = Config { database: DatabaseConfig::default(), ..Config::default() };
    config.relationship.endpoint = peer.double.endpoint();
    // Long enough for a busy machine: nobody waits for it but those who are to wait in vain.
    config.relationship.timeout_ms = 300;
    Harness::with(db, config)
}

fn asked() -> QuoteRequest {
    let price = v1::Money { currency_code: "EUR".to_owned(), units: 10, nanos: 0 };
    QuoteRequest {
        basket: Some(v1::Basket {
            currency_code: "EUR".to_owned(),
            lines: vec![v1::Line {
                id: "a".to_owned(),
                product: "products/1".to_owned(),
                quantity: 1,
                unit_price: Some(price),
                ..v1::Line::default()
            }],
            ..v1::Basket::default()
        }),
        customer: "customers/7".to_owned(),
        codes: vec!["ten".to_owned()],
        locale: "de".to_owned(),
        ..QuoteRequest::default()
    }
}

fn ten_percent() -> EvaluateIncentivesResponse {
    EvaluateIncentivesResponse {
        codes: vec![EvaluatedCode {
            given_code: "ten".to_owned(),
            code: "TEN".to_owned(),
            refusal: "OK".to_owned(),
            incentive: "incentives/ten".to_owned(),
            version: 4,
            discount: Some(v1::Discount {
                kind: Some(v1::discount::Kind::Percent(v1::PercentDiscount { rate_ppm: 100_000 })),
                ..v1::Discount::default()
            }),
            condition: "basket.amount >= 1000".to_owned(),
            title: "Zehn".to_owned(),
            uses_left: -1,
            ..EvaluatedCode::default()
        }],
        customer_known: true,
        ..EvaluateIncentivesResponse::default()
    }
}

async fn quote(harness: &Harness, request: QuoteRequest) -> Result<QuoteResponse, Status> {
    let answer = PricingServiceClient::new(harness.channel()).quote(request).await;
    answer.map(tonic::Response::into_inner)
}

/// Asks again and again, for ten seconds at most.
async fn until(harness: &Harness, wanted: IncentivesStatus) {
    let asking = async {
        while quote(harness, asked()).await.unwrap().incentives_status() != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), asking).await.unwrap();
}

fn units(response: &QuoteResponse) -> i64 {
    response.totals.as_ref().unwrap().total.as_ref().unwrap().units
}

#[tokio::test]
async fn the_answer_is_priced_explained_and_sealed() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Answers(ten_percent()));
        let harness = harness(db, &peer);
        let response = quote(&harness, asked()).await.unwrap();
        assert_eq!(response.incentives_status(), IncentivesStatus::Included);
        assert_eq!(units(&response), 9);
        let decision = &response.decisions[0];
        assert_eq!((&*decision.source, &*decision.incentive), ("vouchers/ten", "incentives/ten"));
        assert_eq!((decision.revision, &*decision.title), (4, "Zehn"));
        let claims = open_claims(&response.quote_token, &harness.app.keys).unwrap();
        assert_eq!((&*claims.codes[0].code, claims.codes[0].version, claims.degraded), ("TEN", 4, false));
        let question = &peer.asked()[0];
        assert_eq!(
            (&*question.customer, &*question.codes[0], &*question.locale),
            ("customers/7", "ten", "de")
        );
        assert_eq!(question.currency_code, "EUR");
        assert_eq!(peer.tenants(), ["default"]);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_asked_where_neither_customer_nor_code_is_given() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Hangs);
        let request = QuoteRequest { customer: String::new(), codes: Vec::new(), ..asked() };
        let response = quote(&harness(db, &peer), request).await.unwrap();
        assert_eq!(response.incentives_status(), IncentivesStatus::NotAsked);
        assert_eq!(peer.asked().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_hangs_degrades_the_quote_and_its_token() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Hangs);
        let harness = harness(db, &peer);
        let response = quote(&harness, asked()).await.unwrap();
        assert_eq!(response.incentives_status(), IncentivesStatus::Unavailable);
        assert_eq!(response.decisions[0].reason(), DecisionReason::PeerUnavailable);
        assert_eq!(units(&response), 10);
        let claims = open_claims(&response.quote_token, &harness.app.keys).unwrap();
        assert!(claims.degraded && claims.codes.is_empty());

        let required =
            quote(&harness, QuoteRequest { require_incentives: true, ..asked() }).await.unwrap_err();
        assert_eq!(required.code(), Grpc::Unavailable);
        assert_eq!(required.get_details_error_info().unwrap().reason, "INCENTIVES_UNAVAILABLE");

        peer.will(Manner::Answers(ten_percent()));
        assert_eq!(quote(&harness, asked()).await.unwrap().incentives_status(), IncentivesStatus::Included);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_dies_is_found_again_when_it_is_back() {
    sqlite(&MIGRATIONS, |db| async move {
        let mut peer = Peer::start(Manner::Answers(ten_percent()));
        let harness = harness(db, &peer);
        assert_eq!(quote(&harness, asked()).await.unwrap().incentives_status(), IncentivesStatus::Included);
        peer.double.kill();
        until(&harness, IncentivesStatus::Unavailable).await;
        peer.double.up();
        until(&harness, IncentivesStatus::Included).await;
    })
    .await;
}

#[tokio::test]
async fn what_the_peer_refuses_on_purpose_is_told_and_its_overload_is_not() {
    sqlite(&MIGRATIONS, |db| async move {
        let throttled =
            Fault::new(FaultKind::Exhausted, ErrorReason::GuessingThrottled, "too many unknown codes");
        let peer = Peer::start(Manner::Refuses(throttled));
        let harness = harness(db, &peer);
        let refused = quote(&harness, asked()).await.unwrap_err();
        assert_eq!(refused.code(), Grpc::ResourceExhausted);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("GUESSING_THROTTLED", "tandem.relationship.v1"));

        for silent in [Fault::overloaded("calls"), Fault::internal("no"), Fault::database_unavailable()] {
            peer.will(Manner::Refuses(silent));
            let response = quote(&harness, asked()).await.unwrap();
            assert_eq!(response.incentives_status(), IncentivesStatus::Unavailable);
        }
    })
    .await;
}

#[tokio::test]
async fn a_definition_that_is_not_understood_refuses_its_code_only() {
    sqlite(&MIGRATIONS, |db| async move {
        let mut strange = ten_percent();
        strange.codes[0].condition = "weather.sunny".to_owned();
        let peer = Peer::start(Manner::Answers(strange));
        let response = quote(&harness(db, &peer), asked()).await.unwrap();
        assert_eq!(response.decisions[0].reason(), DecisionReason::CodeRefused);
        assert_eq!(response.decisions[0].code_refusal, "NOT_APPLICABLE");
        assert_eq!(units(&response), 10);
    })
    .await;
}
