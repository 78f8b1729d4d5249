//! The standard methods: what every aggregate answers alike, said once and tried on each that is listed here.

use std::collections::BTreeSet;

use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor};
use serde_json::{Value, json};
use tandem_proto::common::v1::Limits;
use tandem_tests::answer::named;
use tandem_tests::database::Engine;
use tandem_tests::raw::Raw;
use tandem_tests::stage::orders::Shop;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// An aggregate with the standard methods that it has.
struct Aggregate {
    service: &'static str,
    /// `Customer`; its list is that with an s.
    kind: &'static str,
    /// What ends one: `Archive`, `Delete`, or nothing.
    end: Option<&'static str>,
    /// One that can be created, without a name.
    example: fn() -> Value,
}

const AGGREGATES: [Aggregate; 7] = [
    Aggregate {
        service: "tandem.campaign.v1.ObjectiveService",
        kind: "Objective",
        end: Some("Archive"),
        example: || json!({ "displayName": "a", "metric": "OBJECTIVE_METRIC_ORDERS", "targetCount": "10" }),
    },
    Aggregate {
        service: "tandem.campaign.v1.ProductService",
        kind: "Product",
        end: Some("Archive"),
        example: || json!({ "displayName": "a" }),
    },
    Aggregate {
        service: "tandem.campaign.v1.CampaignService",
        kind: "Campaign",
        end: Some("Delete"),
        example: || {
            json!({
                "displayName": "a",
                "objective": "objectives/grow",
                "window": { "startTime": "2031-01-01T00:00:00Z", "endTime": "2031-02-01T00:00:00Z" },
            })
        },
    },
    Aggregate {
        service: "tandem.relationship.v1.AttributeService",
        kind: "Attribute",
        end: Some("Delete"),
        example: || json!({ "displayName": "a", "valueType": "ATTRIBUTE_TYPE_NUMBER" }),
    },
    Aggregate {
        service: "tandem.relationship.v1.CustomerService",
        kind: "Customer",
        end: None,
        example: || json!({ "displayName": "a" }),
    },
    Aggregate {
        service: "tandem.relationship.v1.SegmentService",
        kind: "Segment",
        end: Some("Delete"),
        example: || json!({ "displayName": "a", "rule": "customer.country == 'AT'" }),
    },
    Aggregate {
        service: "tandem.relationship.v1.IncentiveService",
        kind: "Incentive",
        end: Some("Archive"),
        example: || json!({ "displayName": "a", "discount": { "percent": { "ratePpm": 50_000 } } }),
    },
];

fn contracts() -> DescriptorPool {
    DescriptorPool::decode(tandem_proto::DESCRIPTORS).expect("our own contracts")
}

/// One aggregate at one service.
struct Case<'a> {
    of: &'a Aggregate,
    service: ServiceDescriptor,
    channel: Channel,
    calls: usize,
}

impl Case<'_> {
    fn method(&self, name: &str) -> MethodDescriptor {
        self.service.methods().find(|method| method.name() == name).expect(name)
    }

    /// `customer`
    fn field(&self) -> String {
        self.of.kind.to_lowercase()
    }

    /// `customers/a`
    fn name(&self, id: &str) -> String {
        format!("{}s/{id}", self.field())
    }

    async fn call(&self, name: &str, body: Value) -> Result<Value, Status> {
        let method = self.method(name);
        let message = DynamicMessage::deserialize(method.input(), body).expect("a request of the contract");
        let path = PathAndQuery::try_from(format!("/{}/{name}", self.of.service)).expect("a path");
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.expect("a connection");
        let answer = client.unary(Request::new(Bytes::from(message.encode_to_vec())), path, Raw).await?;
        let answer = DynamicMessage::decode(method.output(), answer.into_inner()).expect("an answer");
        Ok(serde_json::to_value(&answer).expect("JSON"))
    }

    /// The request_id of the next write.
    fn request(&mut self) -> String {
        self.calls += 1;
        format!("standard-{}-{}", self.of.kind, self.calls)
    }

    async fn create(&self, id: &str, request: &str, example: Value) -> Result<Value, Status> {
        let (wanted, field) = (format!("{}Id", self.field()), self.field());
        let body = json!({ wanted: id, field.clone(): example, "requestId": request });
        self.call(&format!("Create{}", self.of.kind), body).await.map(|answer| answer[&field].clone())
    }

    /// Calls it so, as far as `mask` says.
    async fn rename(&mut self, id: &str, etag: &str, title: &str, mask: &str) -> Result<Value, Status> {
        let (field, request) = (self.field(), self.request());
        let given = json!({ "name": self.name(id), "displayName": title, "etag": etag });
        let body = json!({ field.clone(): given, "updateMask": mask, "requestId": request });
        self.call(&format!("Update{}", self.of.kind), body).await.map(|answer| answer[&field].clone())
    }

    async fn list(&self, body: Value) -> Result<(Vec<String>, String), Status> {
        let answer = self.call(&format!("List{}s", self.of.kind), body).await?;
        let items = answer[format!("{}s", self.field())].as_array().cloned().unwrap_or_default();
        let names = items.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned());
        Ok((names.collect(), answer["nextPageToken"].as_str().unwrap_or_default().to_owned()))
    }

    fn hears<T>(&self, answer: Result<T, Status>, wanted: &str, of: &str) {
        let heard = answer.err().map_or_else(|| "OK".to_owned(), |status| named(&status));
        assert_eq!(heard, wanted, "{}: {of}", self.of.kind);
    }

    async fn creates(&mut self) {
        let (request, example) = (self.request(), (self.of.example)());
        let first = self.create("a", &request, example.clone()).await.expect("the example is right");
        assert_eq!(first["name"], self.name("a"));
        let again = self.create("a", &request, example.clone()).await.expect("its repetition");
        assert_eq!(first, again, "{}: a repetition is answered as the first", self.of.kind);
        let mut other = example.clone();
        other["displayName"] = json!("another");
        let reused = self.create("a", &request, other).await;
        self.hears(reused, "InvalidArgument REQUEST_ID_REUSED", "the request_id of another body");
        let request = self.request();
        let twice = self.create("a", &request, example.clone()).await;
        self.hears(twice, "AlreadyExists ALREADY_EXISTS", "an id that is taken");
        let request = self.request();
        self.create("b", &request, example).await.expect("another one");
    }

    async fn gets(&self) {
        let field = self.field();
        let get = format!("Get{}", self.of.kind);
        let found = self.call(&get, json!({ "name": self.name("a") })).await.expect("it is there");
        assert_eq!(found[&field]["displayName"], "a");
        let gone = self.call(&get, json!({ "name": self.name("nobody") })).await;
        self.hears(gone, "NotFound NOT_FOUND", "a name of nobody");
        let wrong = self.call(&get, json!({ "name": "nobody" })).await;
        self.hears(wrong, "InvalidArgument INVALID_ARGUMENT", "what is no name");
    }

    async fn lists(&self) {
        let (a, b) = (self.name("a"), self.name("b"));
        let ours = format!("{}.id in ['a', 'b']", self.field());
        for (order, wanted) in [("name", [&a, &b]), ("name desc", [&b, &a]), ("create_time", [&a, &b])] {
            let all = self.list(json!({ "filter": ours, "orderBy": order })).await.expect("a list").0;
            assert_eq!(all.iter().collect::<Vec<_>>(), wanted, "{} by {order}", self.of.kind);
        }
        let (page, token) = self.list(json!({ "filter": ours, "pageSize": 1 })).await.expect("a page");
        assert_eq!(page, [a]);
        let next = self.list(json!({ "filter": ours, "pageSize": 1, "pageToken": token })).await;
        assert_eq!(next.expect("the next page").0, [b]);
        let other = self.list(json!({ "pageSize": 1, "pageToken": token })).await;
        self.hears(other, "InvalidArgument INVALID_PAGE_TOKEN", "a token of another filter");
    }

    async fn updates(&mut self) {
        let before = self.rename("a", "", "first", "displayName").await.expect("an update");
        let etag = before["etag"].as_str().unwrap_or_default().to_owned();
        let after = self.rename("a", &etag, "second", "displayName").await.expect("the etag is the newest");
        assert_eq!(after["displayName"], "second");
        let same = self.rename("a", "", "second", "displayName").await.expect("an update to what is there");
        // A customer who is sent again is known anew.
        if self.of.kind != "Customer" {
            assert_eq!(
                same["etag"], after["etag"],
                "{}: where nothing differs, nothing happens",
                self.of.kind
            );
        }
        let stale = self.rename("a", &etag, "third", "displayName").await;
        self.hears(stale, "Aborted ETAG_MISMATCH", "an etag of before");
        let unknown = self.rename("a", "", "third", "displayName,colour").await;
        self.hears(unknown, "InvalidArgument INVALID_ARGUMENT", "a field that nobody knows in the mask");
        let nobody = self.rename("nobody", "", "third", "displayName").await;
        self.hears(nobody, "NotFound NOT_FOUND", "an update of nobody");
    }

    async fn ends(&mut self, end: &str) {
        let (method, name) = (format!("{end}{}", self.of.kind), self.name("a"));
        let stale = json!({ "name": name, "etag": "\"v1\"", "requestId": self.request() });
        self.hears(self.call(&method, stale).await, "Aborted ETAG_MISMATCH", "an end with an etag of before");
        let body = json!({ "name": name, "requestId": self.request() });
        let ended = self.call(&method, body.clone()).await.expect("it ends");
        assert_eq!(ended, self.call(&method, body).await.expect("its repetition"));
        let nobody = json!({ "name": self.name("nobody"), "requestId": self.request() });
        self.hears(self.call(&method, nobody).await, "NotFound NOT_FOUND", "an end of nobody");
    }
}

async fn all_alike(engine: Engine) {
    let shop = Shop::with_replicas(engine, 1, Limits::default()).await;
    let contracts = contracts();
    for of in &AGGREGATES {
        let at =
            if of.service.starts_with("tandem.campaign.") { &shop.campaigns } else { &shop.relationships };
        let service = contracts.get_service_by_name(of.service).expect(of.service);
        let mut case = Case { of, service, channel: at[0].channel(), calls: 0 };
        if of.kind == "Objective" {
            let request = case.request();
            case.create("grow", &request, (of.example)()).await.expect("an objective for campaigns");
        }
        case.creates().await;
        case.gets().await;
        case.lists().await;
        case.updates().await;
        if let Some(end) = of.end {
            case.ends(end).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_methods_answer_alike_on_sqlite() {
    all_alike(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_methods_answer_alike_on_postgres() {
    all_alike(Engine::Postgres).await;
}

#[test]
fn every_aggregate_of_the_contracts_is_listed_with_the_methods_that_it_has() {
    let mut wanted = BTreeSet::new();
    for service in contracts().services() {
        let methods: BTreeSet<String> = service.methods().map(|method| method.name().to_owned()).collect();
        for kind in methods.iter().filter_map(|method| method.strip_prefix("Create")) {
            let mut ends =
                ["Archive", "Delete"].into_iter().filter(|end| methods.contains(&format!("{end}{kind}")));
            // Where both are there, deleting is what ends a draft.
            wanted.insert((service.full_name().to_owned(), kind.to_owned(), ends.next_back()));
        }
    }
    let listed: BTreeSet<_> =
        AGGREGATES.iter().map(|one| (one.service.to_owned(), one.kind.to_owned(), one.end)).collect();
    assert_eq!(listed, wanted);
}
