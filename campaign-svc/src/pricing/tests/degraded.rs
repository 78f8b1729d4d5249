//! relationship-svc answers, refuses, hangs, dies and comes back.

use std::time::Duration;

use tandem_platform::Fault;
use tandem_platform::config::DatabaseConfig;
use tandem_platform::testing::sqlite;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::{DecisionReason, IncentivesStatus, QuoteRequest, QuoteResponse};
use tandem_proto::common::v1;
use tandem_proto::convert::open_claims;
use tandem_proto::relationship::v1::{EvaluateIncentivesResponse, EvaluatedCode};
use tonic::{Code as Grpc, Status};
use tonic_types::StatusExt;

use super::peer::{Manner, Peer};
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

fn harness(db: tandem_platform::Db, peer: &Peer) -> Harness {
    let mut config = Config { database: DatabaseConfig::default(), ..Config::default() };
    config.relationship.endpoint = peer.double.endpoint().into();
    // Long enough for a busy machine: nobody waits for it but those who are to wait in vain.
    config.relationship.timeout_ms = 300;
    config.relationship.retry_ms = 300;
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

/// With the usual settings.
fn usual(db: tandem_platform::Db, peer: &Peer) -> Harness {
    let mut config = Config { database: DatabaseConfig::default(), ..Config::default() };
    config.relationship.endpoint = peer.double.endpoint().into();
    Harness::with(db, config)
}

/// The quote of a caller who grants so long.
async fn quote_within(harness: &Harness, limit: Duration) -> QuoteResponse {
    let mut request = tonic::Request::new(asked());
    request.set_timeout(limit);
    PricingServiceClient::new(harness.channel()).quote(request).await.unwrap().into_inner()
}

/// Why a quote that needs its incentives is refused.
async fn cause_when_required(harness: &Harness) -> String {
    let refused = quote(harness, QuoteRequest { require_incentives: true, ..asked() }).await.unwrap_err();
    refused.get_details_error_info().unwrap().metadata["cause"].clone()
}

/// The causes that were counted.
fn degraded(harness: &Harness) -> Vec<(&'static str, u64)> {
    let text = harness.app.telemetry.render();
    let count = |cause: &&str| {
        let series = format!("tandem_quotes_degraded_total{{cause=\"{cause}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u64>().unwrap()
    };
    let causes = ["breaker_open", "failed", "overloaded", "timeout", "unreachable"];
    causes.iter().map(|cause| (*cause, count(cause))).filter(|(_, count)| *count > 0).collect()
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
        until(&harness, IncentivesStatus::Included).await;
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
        assert!(["unreachable", "breaker_open"].contains(&&*cause_when_required(&harness).await));
        peer.double.up();
        until(&harness, IncentivesStatus::Included).await;
    })
    .await;
}

#[tokio::test]
async fn what_the_peer_refuses_on_purpose_is_told_and_its_overload_is_not() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Refuses(Fault::invalid_field("codes", "too strange")));
        let harness = harness(db, &peer);
        let refused = quote(&harness, asked()).await.unwrap_err();
        assert_eq!(refused.code(), Grpc::InvalidArgument);

        for (silent, cause) in [
            (Fault::overloaded("calls"), "overloaded"),
            (Fault::internal("no"), "failed"),
            (Fault::database_unavailable(), "failed"),
        ] {
            peer.will(Manner::Refuses(silent));
            let response = quote(&harness, asked()).await.unwrap();
            assert_eq!(response.incentives_status(), IncentivesStatus::Unavailable);
            assert_eq!(cause_when_required(&harness).await, cause);
        }
        assert_eq!(degraded(&harness), [("failed", 4), ("overloaded", 2)]);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_was_guessed_too_often_is_a_decision_and_the_basket_is_priced() {
    sqlite(&MIGRATIONS, |db| async move {
        let throttled = EvaluatedCode {
            given_code: "ten".to_owned(),
            code: "TEN".to_owned(),
            refusal: "GUESSING_THROTTLED".to_owned(),
            retry_delay: Some(prost_types::Duration { seconds: 2, nanos: 500_000_000 }),
            ..EvaluatedCode::default()
        };
        let answer =
            EvaluateIncentivesResponse { codes: vec![throttled], ..EvaluateIncentivesResponse::default() };
        let peer = Peer::start(Manner::Answers(answer));
        let harness = harness(db, &peer);
        let request = QuoteRequest { client_id: "10.0.0.1".to_owned(), ..asked() };
        let response = quote(&harness, request).await.unwrap();
        assert_eq!((units(&response), response.incentives_status()), (10, IncentivesStatus::Included));
        let decision = &response.decisions[0];
        assert_eq!(decision.reason(), DecisionReason::CodeRefused);
        assert_eq!(decision.code_refusal, "GUESSING_THROTTLED");
        let delay = prost_types::Duration { seconds: 2, nanos: 500_000_000 };
        assert_eq!(decision.retry_delay, Some(delay));
        assert_eq!(peer.asked()[0].client_id, "10.0.0.1");
    })
    .await;
}

#[tokio::test]
async fn a_client_id_is_at_most_128_characters_without_control_characters() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Answers(ten_percent()));
        let harness = harness(db, &peer);
        let with = |client_id: String| QuoteRequest { client_id, ..asked() };
        assert!(quote(&harness, with("ä".repeat(128))).await.is_ok());
        for bad in ["a".repeat(129), "a\nb".to_owned()] {
            let refused = quote(&harness, with(bad)).await.unwrap_err();
            let fields = refused.get_details_bad_request().unwrap().field_violations;
            assert_eq!(fields[0].field, "client_id");
        }
    })
    .await;
}

#[tokio::test]
async fn a_slow_peer_is_waited_for_and_the_codes_are_in_the_quote() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::AnswersLate(Duration::from_millis(300), ten_percent()));
        let harness = usual(db, &peer);
        let response = quote_within(&harness, Duration::from_secs(2)).await;
        assert_eq!(response.incentives_status(), IncentivesStatus::Included);
        assert_eq!(units(&response), 9);
        assert_eq!(degraded(&harness), []);
    })
    .await;
}

#[tokio::test]
async fn a_quote_waits_for_half_of_its_callers_time_and_a_second_at_most() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Answers(ten_percent()));
        let harness = usual(db, &peer);
        quote_within(&harness, Duration::from_millis(200)).await;
        quote_within(&harness, Duration::from_secs(1)).await;
        quote_within(&harness, Duration::from_secs(9)).await;
        let granted = peer.granted_ms();
        assert!((50..=100).contains(&granted[0]), "{granted:?}");
        assert!((300..=500).contains(&granted[1]), "{granted:?}");
        assert_eq!(granted[2], 1_000);
    })
    .await;
}

#[tokio::test]
async fn impatient_callers_of_a_slow_peer_go_without_and_do_not_spoil_it_for_the_others() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::AnswersLate(Duration::from_millis(300), ten_percent()));
        let harness = usual(db, &peer);
        for _ in 0..12 {
            let response = quote_within(&harness, Duration::from_millis(200)).await;
            assert_eq!(response.incentives_status(), IncentivesStatus::Unavailable);
        }
        assert_eq!(degraded(&harness), [("timeout", 12)]);
        let patient = quote_within(&harness, Duration::from_secs(2)).await;
        assert_eq!(patient.incentives_status(), IncentivesStatus::Included);
    })
    .await;
}

#[tokio::test]
async fn of_a_peer_that_hangs_the_first_quote_waits_and_the_others_do_not_until_it_is_back() {
    sqlite(&MIGRATIONS, |db| async move {
        let peer = Peer::start(Manner::Hangs);
        let harness = harness(db, &peer);
        for cause in ["timeout", "breaker_open", "breaker_open"] {
            assert_eq!(cause_when_required(&harness).await, cause);
        }
        assert_eq!(peer.asked().len(), 1);
        peer.will(Manner::Answers(ten_percent()));
        until(&harness, IncentivesStatus::Included).await;
        for _ in 0..5 {
            assert_eq!(
                quote(&harness, asked()).await.unwrap().incentives_status(),
                IncentivesStatus::Included
            );
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
