//! The same call again while its step is open and others bring its answer: everybody hears what the first was told.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use tandem_platform::Tenant;
use tandem_proto::common::v1::SealedCode;
use tandem_proto::relationship::v1::{RedeemVouchersRequest, RedeemVouchersResponse};
use tokio::sync::Semaphore;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService};
use tonic::transport::Server;
use tonic::{Request, Response};
use tonic_prost::ProstCodec;
use tower::Service;

use super::super::commands;
use super::*;
use crate::relationship::double::Double;

/// A relationship-svc that accepts whatever it is asked, once it may answer.
#[derive(Clone)]
struct Vouchers(Arc<Peer>);

struct Peer {
    asked: AtomicUsize,
    answers: Semaphore,
}

impl NamedService for Vouchers {
    const NAME: &'static str = "tandem.relationship.v1.VoucherService";
}

impl Service<http::Request<Body>> for Vouchers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = self.0.clone();
        let answer = tower::service_fn(move |_: Request<RedeemVouchersRequest>| {
            let peer = peer.clone();
            async move {
                peer.asked.fetch_add(1, Ordering::SeqCst);
                let _leave = peer.answers.acquire().await.unwrap();
                Ok::<_, Status>(Response::new(RedeemVouchersResponse::default()))
            }
        });
        let codec = ProstCodec::<RedeemVouchersResponse, RedeemVouchersRequest>::default();
        Box::pin(async move { Ok(Grpc::new(codec).unary(answer, request).await) })
    }
}

impl Peer {
    async fn until_asked(&self, times: usize) {
        while self.asked.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Answers nobody until it may again.
    async fn silence(&self) {
        self.answers.acquire_many(Self::MANY).await.unwrap().forget();
        self.asked.store(0, Ordering::SeqCst);
    }

    fn speak(&self) {
        self.answers.add_permits(Self::MANY as usize);
    }

    const MANY: u32 = 1_000;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_repeated_while_others_bring_its_answer_hears_what_the_first_is_told() {
    engines(&MIGRATIONS, |db| async move {
        let peer = Arc::new(Peer { asked: AtomicUsize::new(0), answers: Semaphore::new(1_000) });
        let vouchers = Vouchers(peer.clone());
        let double = Double::start(move || Server::builder().add_service(vouchers.clone()));
        let mut config = Config::default();
        config.relationship.endpoint = double.endpoint().into();
        config.order.timeout_ms = 10_000;
        let shop = Shop::configured(db, common::Limits::default(), config).await;
        let app = &shop.harness.app;
        for round in 0..10 {
            let order = format!("o{round}");
            let commit = CommitOrderRequest {
                order_id: order.clone(),
                quote_token: shop.seal(&with_a_code(shop.claims("7", 300))),
                request_id: format!("commit-{order}"),
                replaces: String::new(),
            };
            peer.silence().await;
            let mut orders = shop.orders();
            let mut first = Box::pin(orders.commit_order(commit.clone()));
            tokio::select! {
                answer = &mut first => panic!("answered: {answer:?}"),
                () = peer.until_asked(1) => {}
            }
            // Its caller goes away; it stays on its way.
            drop(first);

            let tenant = Tenant::default();
            let taken_up = join_all((0..3).map(|_| commands::resume(app, &tenant, &order, 1)));
            let repeated = async {
                peer.until_asked(4).await;
                let repeats = (0..8).map(|_| shop.orders()).map(|mut orders| {
                    let commit = commit.clone();
                    async move { orders.commit_order(commit).await }
                });
                let speak = async { peer.speak() };
                tokio::join!(join_all(repeats), speak).0
            };
            let (taken_up, repeated) = tokio::join!(taken_up, repeated);
            assert!(taken_up.iter().all(Result::is_ok), "{taken_up:?}");
            let told: Vec<Order> =
                repeated.into_iter().map(|answer| answer.unwrap().into_inner().order.unwrap()).collect();
            assert_eq!(told[0].state(), OrderState::Committed);
            assert!(told.iter().all(|order| *order == told[0]), "round {round}: {told:#?}");
        }
        assert_eq!(shop.taken().await, [10, 3_000, 0, 0]);
    })
    .await;
}

fn with_a_code(claims: QuoteClaims) -> QuoteClaims {
    let code = SealedCode {
        code: "CODE".to_owned(),
        incentive: "incentives/ten".to_owned(),
        version: 1,
        amount_minor: 100,
        shares: vec![SealedShare { line: 0, minor: 100 }],
        ..SealedCode::default()
    };
    QuoteClaims { codes: vec![code], total_minor: claims.total_minor - 100, ..claims }
}
