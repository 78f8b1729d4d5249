//! Whoever guesses codes waits, and nobody else does: both services, with the usual settings.

use tandem_proto::campaign::v1::{Decision, DecisionOutcome, DecisionReason, QuoteRequest, QuoteResponse};
use tandem_tests::database::{Database, Engine};
use tandem_tests::process::{Kind, Service};
use tandem_tests::stage::{Campaigns, Relationship, basket, incentive, minor, percent};

/// Both services as they are delivered, but quiet.
struct Pair {
    campaigns: Campaigns,
    _services: [Service; 2],
    _databases: [Database; 2],
}

impl Pair {
    async fn start(engine: Engine) -> Self {
        let databases = [Database::new(engine).await, Database::new(engine).await];
        let quiet = ("LOG__FILTER", "error");
        let relationship = Service::start(Kind::Relationship, databases[0].url(), &[quiet]);
        let endpoint = format!("http://{}", relationship.address());
        let settings = [quiet, ("RELATIONSHIP__ENDPOINT", endpoint.as_str())];
        let campaign = Service::start(Kind::Campaign, databases[1].url(), &settings);
        let known = Relationship::of(&relationship);
        known.incentive("good", incentive(percent(100_000))).await;
        known.codes("good", &["GOOD"], 0).await;
        let campaigns = Campaigns::of(&campaign);
        Self { campaigns, _services: [relationship, campaign], _databases: databases }
    }

    /// A quote of 100.00 with one code, which must be priced whatever becomes of the code.
    async fn quote(&self, code: &str, customer: &str, client_id: &str) -> (i64, Decision) {
        let request = QuoteRequest {
            basket: Some(basket(&[("1", 1, 10_000)])),
            codes: vec![code.to_owned()],
            customer: customer.to_owned(),
            client_id: client_id.to_owned(),
            ..QuoteRequest::default()
        };
        let QuoteResponse { totals, mut decisions, .. } = self.campaigns.quote(request).await;
        (minor(totals.and_then(|totals| totals.total).as_ref()), decisions.remove(0))
    }

    async fn guess(&self, times: usize, customer: &str, client_id: &str) {
        for guess in 0..times {
            let (total, decision) = self.quote(&format!("GUESS-{guess}"), customer, client_id).await;
            assert_eq!((total, decision.reason()), (10_000, DecisionReason::CodeRefused));
        }
    }

    async fn gets_the_discount(&self, customer: &str, client_id: &str) {
        let (total, decision) = self.quote("good", customer, client_id).await;
        assert_eq!((total, decision.outcome()), (9_000, DecisionOutcome::Applied), "{decision:?}");
    }

    async fn is_throttled(&self, customer: &str, client_id: &str) {
        let (total, decision) = self.quote("good", customer, client_id).await;
        assert_eq!((total, decision.code_refusal.as_str()), (10_000, "GUESSING_THROTTLED"));
        assert!(decision.retry_delay.is_some_and(|delay| delay.seconds < 60));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_guesses_anonymously_locks_nobody_out() {
    for engine in Engine::BOTH {
        let pair = Pair::start(engine).await;
        pair.guess(31, "", "").await;
        pair.gets_the_discount("", "").await;
        pair.gets_the_discount("", "10.0.0.2").await;
        pair.gets_the_discount("customers/ada", "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_or_client_who_guesses_is_throttled_alone_and_the_basket_is_priced() {
    for engine in Engine::BOTH {
        let pair = Pair::start(engine).await;
        pair.guess(31, "customers/bot", "10.0.0.1").await;
        pair.is_throttled("customers/bot", "").await;
        pair.is_throttled("", "10.0.0.1").await;
        pair.gets_the_discount("customers/ada", "10.0.0.1").await;
        pair.gets_the_discount("", "10.0.0.2").await;
        pair.gets_the_discount("", "").await;
    }
}
