//! Equal calls get equal answers: every write that takes a request_id, sent twenty times at one moment, to both replicas
//! where there are two.

mod campaign;
mod orders;
mod relationship;

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tandem_proto::common::v1::Limits;
use tandem_proto::relationship::v1::consent_service_client::ConsentServiceClient;
use tandem_proto::relationship::v1::{Channel as Medium, IssueUnsubscribeTokenRequest};
use tandem_tests::answer::{Tally, named};
use tandem_tests::database::Engine;
use tandem_tests::process::Service;
use tandem_tests::raw::Raw;
use tandem_tests::stage::orders::Shop;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

const CALLERS: usize = 20;

/// Both services in one or two replicas, and the writes that were tried.
struct Stage {
    shop: Shop,
    methods: DescriptorPool,
    tried: BTreeSet<String>,
}

impl Stage {
    async fn set(engine: Engine) -> Self {
        let replicas = if engine == Engine::Postgres { 2 } else { 1 };
        let limits = Limits { max_uses: Some(100), ..Limits::default() };
        let shop = Shop::with_replicas(engine, replicas, limits).await;
        shop.codes(&["CODE-A", "CODE-B"], 100).await;
        let methods = DescriptorPool::decode(tandem_proto::DESCRIPTORS).expect("our own contracts");
        Self { shop, methods, tried: BTreeSet::new() }
    }

    /// Every write that takes a request_id: `tandem.campaign.v1.OrderService/CommitOrder`.
    fn writes(&self) -> BTreeSet<String> {
        let services = self.methods.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let writes = services.filter(|method| method.input().get_field_by_name("request_id").is_some());
        writes.map(|method| path(&method)).collect()
    }

    /// Sends a write, whose package may be left out, twenty times at once; all hear the same, which must be a success.
    async fn twenty(&mut self, method: &str, message: &impl Message) -> Bytes {
        let found = self.methods.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let is_it = |one: &MethodDescriptor| one.name() == method || path(one) == method;
        let method = found.into_iter().find(is_it).expect(method);
        let service = method.parent_service().full_name().to_owned();
        let replicas = match service.starts_with("tandem.campaign.") {
            true => &self.shop.campaigns,
            false => &self.shop.relationships,
        };
        let answers = at_once(replicas, &method, message.encode_to_vec().into()).await;
        assert_eq!(Tally::of(&answers), Tally::expected([("OK", CALLERS)]), "{}", path(&method));
        let answers: Vec<Bytes> = answers.into_iter().flatten().collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{} answers differently", path(&method));
        self.tried.insert(path(&method));
        answers[0].clone()
    }
}

impl Stage {
    /// What a customer unsubscribes with.
    async fn unsubscribe_token(&self, customer: &str) -> String {
        let request = IssueUnsubscribeTokenRequest {
            customer: customer.to_owned(),
            purpose: "newsletter".to_owned(),
            channel: Medium::Email.into(),
        };
        let mut client = ConsentServiceClient::new(self.shop.relationships[0].channel());
        client.issue_unsubscribe_token(request).await.expect("a token").into_inner().token
    }
}

fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().full_name(), method.name())
}

/// The answers to one call that is sent so often at one moment; of a stream the last message.
async fn at_once(
    replicas: &[Service],
    method: &MethodDescriptor,
    message: Bytes,
) -> Vec<Result<Bytes, Status>> {
    let start = Arc::new(Barrier::new(CALLERS));
    let mut calls = JoinSet::new();
    for caller in 0..CALLERS {
        let (channel, message, start) =
            (replicas[caller % replicas.len()].channel(), message.clone(), start.clone());
        let (path, streams) = (format!("/{}", path(method)), method.is_server_streaming());
        calls.spawn(async move {
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.expect("a connection");
            start.wait().await;
            send(client, path, message, streams).await
        });
    }
    calls.join_all().await
}

async fn send(
    mut client: tonic::client::Grpc<Channel>,
    path: String,
    message: Bytes,
    streams: bool,
) -> Result<Bytes, Status> {
    let path = PathAndQuery::try_from(path).expect("a path");
    if !streams {
        return client.unary(Request::new(message), path, Raw).await.map(tonic::Response::into_inner);
    }
    let mut answers = client.server_streaming(Request::new(message), path, Raw).await?.into_inner();
    let mut last = Bytes::new();
    while let Some(answer) = answers.message().await? {
        last = answer;
    }
    Ok(last)
}

async fn every_write(engine: Engine) {
    let mut stage = Stage::set(engine).await;
    campaign::writes(&mut stage).await;
    orders::writes(&mut stage).await;
    stage.shop.books().await;
    // Redeems for orders of its own, which campaign-svc knows nothing of.
    relationship::writes(&mut stage).await;
    assert_eq!(stage.tried, stage.writes());
    assert_eq!(stage.shop.read().await.ledger.wrong(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_sent_twenty_times_at_once_is_answered_the_same_on_sqlite() {
    every_write(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_sent_twenty_times_at_once_to_two_replicas_is_answered_the_same_on_postgres() {
    every_write(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bodies_under_one_request_id_one_is_done_and_the_other_told_so() {
    for engine in Engine::BOTH {
        let stage = Stage::set(engine).await;
        let replicas = stage.shop.campaigns.len();
        let (one, other) = orders::two_bodies(&stage.shop);
        let mut calls = JoinSet::new();
        for caller in 0..CALLERS {
            let (orders, step) =
                (stage.shop.orders(caller % replicas), [&one, &other][caller / 2 % 2].clone());
            calls.spawn(async move { (caller / 2 % 2, orders.send(&step).await) });
        }
        let answers = calls.join_all().await;
        let done = answers.iter().find(|(_, answer)| answer.is_ok()).expect("one is done").0;
        for (body, answer) in &answers {
            match answer {
                Ok(_) => assert_eq!(*body, done, "both were done"),
                Err(status) => assert_eq!(named(status), "InvalidArgument REQUEST_ID_REUSED"),
            }
        }
        assert_eq!(answers.iter().filter(|(body, _)| *body == done).count(), CALLERS / 2);
        assert_eq!(answers.iter().filter(|(_, answer)| answer.is_ok()).count(), CALLERS / 2);
        assert_eq!(stage.shop.books().await.counted(tandem_tests::stage::orders::OFFER).0, 1);
    }
}
