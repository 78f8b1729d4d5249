//! campaign-svc without its peer.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tandem_proto::campaign::v1::{DecisionReason, IncentivesStatus, QuoteRequest, QuoteResponse};
use tandem_proto::relationship::v1::{Customer, RedeemVouchersRequest, redeem_vouchers_request::What};
use tandem_tests::answer::named;
use tandem_tests::database::Engine;
use tandem_tests::stage::{Campaigns, Pair, basket, incentive, minor, percent};

/// How long a quote waits for its peer.
const PEER_MS: u64 = 250;
/// What the caller of a quote grants.
const GRANTED: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(15);

fn request() -> QuoteRequest {
    QuoteRequest {
        basket: Some(basket(&[("1", 1, 10_000)])),
        customer: "customers/ada".to_owned(),
        codes: vec!["PEER".to_owned()],
        ..QuoteRequest::default()
    }
}

/// A quote by a caller who does not wait for ever.
async fn quote(campaigns: &Campaigns, request: QuoteRequest) -> Result<QuoteResponse, tonic::Status> {
    let mut request = tonic::Request::new(request);
    request.set_timeout(GRANTED);
    campaigns.pricing.clone().quote(request).await.map(tonic::Response::into_inner)
}

async fn set_stage(pair: &Pair) {
    let (_, relationship) = pair.callers();
    relationship
        .make_customers(vec![Customer { name: "customers/ada".to_owned(), ..Customer::default() }])
        .await;
    relationship.incentive("peer", incentive(percent(100_000))).await;
    relationship.codes("peer", &["PEER"], 0).await;
}

/// Every quote answers in time without the code, says so, and refuses where the code was required.
async fn quotes_are_degraded(campaigns: &Campaigns) -> QuoteResponse {
    let mut last = QuoteResponse::default();
    for _ in 0..10 {
        let began = Instant::now();
        last = quote(campaigns, request()).await.expect("a quote answers without its peer");
        assert!(began.elapsed() < GRANTED, "{:?}", began.elapsed());
        assert_eq!(last.incentives_status(), IncentivesStatus::Unavailable);
        assert_eq!(minor(last.totals.as_ref().and_then(|totals| totals.total.as_ref())), 10_000);
        let reasons: Vec<DecisionReason> = last.decisions.iter().map(|one| one.reason()).collect();
        assert_eq!(reasons, [DecisionReason::PeerUnavailable]);
    }
    let required = QuoteRequest { require_incentives: true, ..request() };
    let refused = quote(campaigns, required).await.expect_err("the code was required");
    assert_eq!(named(&refused), "Unavailable INCENTIVES_UNAVAILABLE");
    last
}

async fn quotes_recover(campaigns: &Campaigns) -> QuoteResponse {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = quote(campaigns, request()).await.expect("a quote");
        if answer.incentives_status() == IncentivesStatus::Included {
            assert_eq!(minor(answer.totals.as_ref().and_then(|totals| totals.total.as_ref())), 9_000);
            return answer;
        }
        assert!(Instant::now() < end, "not recovered within {PATIENCE:?}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every thread of a process has stopped: a signal takes a moment to reach them all.
async fn until_frozen(pid: u32) {
    let end = Instant::now() + PATIENCE;
    let is_frozen = || {
        std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    };
    while !is_frozen() {
        assert!(Instant::now() < end, "not frozen within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_relationship_svc_is_frozen_quotes_go_on_without_incentives_and_recover() {
    let pair = Pair::start(Engine::Sqlite, PEER_MS).await;
    let (campaigns, relationship) = pair.callers();
    set_stage(&pair).await;
    quotes_recover(&campaigns).await;

    pair.relationship.signal(Signal::SIGSTOP);
    until_frozen(pair.relationship.pid()).await;
    let degraded = quotes_are_degraded(&campaigns).await;
    pair.relationship.signal(Signal::SIGCONT);
    let whole = quotes_recover(&campaigns).await;

    let redeem = |order: &str, quote: &QuoteResponse| RedeemVouchersRequest {
        order_id: order.to_owned(),
        what: Some(What::QuoteToken(quote.quote_token.clone())),
        customer: "customers/ada".to_owned(),
        request_id: format!("redeem-{order}"),
        ..RedeemVouchersRequest::default()
    };
    let refused = relationship.vouchers.clone().redeem_vouchers(redeem("degraded", &degraded)).await;
    assert_eq!(named(&refused.expect_err("it has no incentives")), "FailedPrecondition QUOTE_DEGRADED");
    let redeemed = relationship.vouchers.clone().redeem_vouchers(redeem("whole", &whole)).await;
    assert_eq!(minor(redeemed.unwrap().into_inner().redemptions[0].amount.as_ref()), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_relationship_svc_is_dead_quotes_go_on_without_incentives_and_recover() {
    let mut pair = Pair::start(Engine::Sqlite, PEER_MS).await;
    let (campaigns, _) = pair.callers();
    set_stage(&pair).await;
    quotes_recover(&campaigns).await;

    pair.relationship.kill();
    quotes_are_degraded(&campaigns).await;
    pair.relationship.restart();
    quotes_recover(&campaigns).await;
}
