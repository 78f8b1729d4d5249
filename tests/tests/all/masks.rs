//! Nothing is wiped unseen: every update and upsert of the contracts is listed here, and tried with every field that it may
//! change, over the wire, on both engines.

mod table;

use std::collections::BTreeSet;

use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value as Field};
use serde_json::{Map, Value, json};
use tandem_proto::common::v1::Limits;
use tandem_tests::answer::{Refusal, named};
use tandem_tests::database::Engine;
use tandem_tests::raw::Raw;
use tandem_tests::stage::orders::Shop;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use table::{Resource, STAGE, WRITES, Write};

/// Both services, spoken to in JSON.
struct Wire {
    contracts: DescriptorPool,
    shop: Shop,
}

impl Wire {
    async fn new(engine: Engine) -> Self {
        let contracts = DescriptorPool::decode(tandem_proto::DESCRIPTORS).expect("our own contracts");
        let wire = Self { contracts, shop: Shop::with_replicas(engine, 1, Limits::default()).await };
        wire.stage().await;
        wire
    }

    /// One of each that may be changed, and another of each that they name.
    async fn stage(&self) {
        for of in STAGE.map(|of| of()) {
            let (_, id) = of.name.split_once('/').expect("a name");
            let ids = if ["Segment", "Customer"].contains(&of.kind) { vec![id, "other"] } else { vec![id] };
            if of.kind == "Objective" {
                self.create(&of, "grow").await;
            }
            for id in ids {
                self.create(&of, id).await;
            }
        }
        self.import(json!({ "labels": { "a": "b" } }), "0").await;
    }

    async fn create(&self, of: &Resource, id: &str) {
        let create = format!("{}/Create{}", of.service, of.kind);
        let body = json!({ of.field(): of.full, format!("{}Id", of.field()): id });
        self.call(&create, body).await.unwrap_or_else(|status| panic!("{create}: {status}"));
    }

    /// Brings in the code of the table, of which an item says this too; so many are refused.
    async fn import(&self, mut item: Value, refused: &str) {
        item["code"] = json!("MASKED");
        item["incentive"] = json!("incentives/masked");
        let path = "tandem.relationship.v1.VoucherService/ImportVouchers";
        let answer = self.call(path, json!({ "vouchers": [item] })).await.expect("an answer");
        assert_eq!(answer["failed"].as_str().unwrap_or("0"), refused, "{answer}");
    }

    fn method(&self, path: &str) -> MethodDescriptor {
        let (service, method) = path.split_once('/').expect("a path");
        let service = self.contracts.get_service_by_name(service).expect(service);
        service.methods().find(|one| one.name() == method).expect(method)
    }

    fn channel(&self, path: &str) -> Channel {
        let shop = &self.shop;
        let at = if path.starts_with("tandem.campaign.") { &shop.campaigns } else { &shop.relationships };
        at[0].channel()
    }

    async fn call(&self, path: &str, body: Value) -> Result<Value, Status> {
        let method = self.method(path);
        let message = DynamicMessage::deserialize(method.input(), body).expect("a request of the contract");
        let (message, uri) = (Bytes::from(message.encode_to_vec()), format!("/{path}"));
        let uri = PathAndQuery::try_from(uri).expect("a path");
        let mut client = tonic::client::Grpc::new(self.channel(path));
        client.ready().await.expect("a connection");
        let answer = if method.is_client_streaming() {
            let answers = client.streaming(Request::new(tokio_stream::iter([message])), uri, Raw).await?;
            answers.into_inner().message().await?.expect("one message, one answer")
        } else {
            client.unary(Request::new(message), uri, Raw).await?.into_inner()
        };
        let mut answer = DynamicMessage::decode(method.output(), answer).expect("an answer");
        without_details(&mut answer);
        Ok(serde_json::to_value(&answer).expect("JSON"))
    }

    /// What is stored, as far as an update may change it.
    async fn stored(&self, of: &Resource) -> Map<String, Value> {
        let get = format!("{}/Get{}", of.service, of.kind);
        let answer = self.call(&get, json!({ "name": of.name })).await.expect("it is there");
        let found = answer[of.field()].as_object().cloned().expect("a resource");
        found.into_iter().filter(|(field, _)| of.changes().contains(&field.as_str())).collect()
    }
}

/// The details of an item's status are messages of google.rpc, which our descriptors do not hold.
fn without_details(answer: &mut DynamicMessage) {
    for list in ["results", "failures"] {
        let items = answer.get_field_by_name_mut(list).and_then(Field::as_list_mut);
        for item in items.into_iter().flatten() {
            let status = item.as_message_mut().and_then(|item| item.get_field_by_name_mut("status"));
            if let Some(status) = status.and_then(Field::as_message_mut) {
                status.clear_field_by_name("details");
            }
        }
    }
}

/// Whether all that was said is stored; the server may say more.
fn holds(stored: &Value, said: &Value) -> bool {
    match (stored, said) {
        (Value::Object(stored), Value::Object(said)) => {
            said.iter().all(|(key, said)| stored.get(key).is_some_and(|stored| holds(stored, said)))
        }
        (Value::Array(stored), Value::Array(said)) => {
            stored.len() == said.len() && stored.iter().zip(said).all(|(stored, said)| holds(stored, said))
        }
        _ => stored == said,
    }
}

/// One write with what it is about.
struct Case<'a> {
    wire: &'a Wire,
    write: &'a Write,
    of: Resource,
}

impl Case<'_> {
    /// Sends what `given` says, under this mask.
    #[expect(
        clippy::disallowed_methods,
        reason = "the verdict on an item of a batch, as if it were a call of its own"
    )]
    async fn send(&self, mut given: Map<String, Value>, mask: Option<&str>) -> Result<(), Status> {
        given.insert("name".to_owned(), json!(self.of.name));
        let mut body = match self.write.is_batch {
            true => json!({ format!("{}s", self.of.field()): [given] }),
            false => json!({ self.of.field(): given }),
        };
        if let Some(mask) = mask {
            body["updateMask"] = json!(mask);
        }
        if self.of.kind == "Voucher" {
            body["reason"] = json!("a test");
        }
        let answer = self.wire.call(self.write.path, body).await?;
        // Of a batch the verdict stands in the answer.
        let item = answer["results"].get(0).or(answer["failures"].get(0));
        match item.and_then(|item| item["status"]["code"].as_i64()).unwrap_or(0) {
            0 => Ok(()),
            _ => Err(Status::new(Code::InvalidArgument, item.expect("it was refused").to_string())),
        }
    }

    async fn reset(&self) -> Map<String, Value> {
        let full = self.of.full.as_object().cloned().expect("an object");
        self.send(full.clone(), Some("*"))
            .await
            .unwrap_or_else(|status| panic!("{}: {status}", self.of.kind));
        self.wire.stored(&self.of).await
    }

    /// What is stored without this field and those that go with it.
    fn rest(&self, field: &str, stored: &Map<String, Value>) -> Map<String, Value> {
        let goes = |other: &str| other == field || self.of.together.contains(&(field, other));
        stored
            .iter()
            .filter(|(other, _)| !goes(other))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    async fn without_a_mask_only_what_is_said_changes(&self, field: &str) {
        let said = self.of.other[field].clone();
        assert!(!said.is_null(), "{}: the table has no other {field}", self.write.path);
        let before = self.reset().await;
        let answer = self.send(Map::from_iter([(field.to_owned(), said.clone())]), None).await;
        let after = self.wire.stored(&self.of).await;
        let about = format!("{} of {field} alone", self.write.path);
        if let Err(status) = answer {
            assert!(self.of.bound.contains(&field), "{about}: {status}");
            assert_eq!(after, before, "{about} was refused");
            return;
        }
        assert!(holds(&after[field], &said), "{about}: {}", after[field]);
        assert_eq!(self.rest(field, &after), self.rest(field, &before), "{about} leaves the rest");
    }

    async fn what_is_named_and_not_said_is_cleared(&self, field: &str) {
        let mut before = self.reset().await;
        if !before.contains_key(field) {
            // It does not go with the rest, or is the default.
            let _ = self.send(Map::from_iter([(field.to_owned(), self.of.other[field].clone())]), None).await;
            before = self.wire.stored(&self.of).await;
        }
        let answer = self.send(Map::new(), Some(field)).await;
        let after = self.wire.stored(&self.of).await;
        let about = format!("{} of {field}, which is not said", self.write.path);
        if let Err(status) = answer {
            assert!(self.of.required.contains(&field), "{about}: {status}");
            assert_eq!(after, before, "{about} was refused");
            return;
        }
        assert!(!self.of.required.contains(&field), "{about}: it can be cleared");
        let cleared = after.get(field).cloned().unwrap_or_default();
        // The server has a value of its own where nobody says one.
        let default = self.of.default[field].clone();
        assert!(cleared == default || default == json!("any"), "{about}: {cleared}");
        let was = before.get(field).cloned().unwrap_or_default();
        assert!(cleared != was || self.of.bound.contains(&field), "{about}: it is as it was");
        assert_eq!(self.rest(field, &after), self.rest(field, &before), "{about} leaves the rest");
    }

    async fn unknown_fields_are_refused_by_name(&self) {
        let before = self.wire.stored(&self.of).await;
        let given = self.of.full.as_object().cloned().expect("an object");
        let status = self.send(given, Some("shoeSize")).await.expect_err("nobody knows it");
        assert_eq!(named(&status), "InvalidArgument INVALID_ARGUMENT", "{}", self.write.path);
        assert_eq!(Refusal::of(&status).fields, ["update_mask"], "{}", self.write.path);
        assert!(status.message().contains("shoe_size"), "{}: {}", self.write.path, status.message());
        for field in self.of.changes() {
            let snake = snake(field);
            assert!(status.message().contains(&snake), "{} does not know {snake}", self.write.path);
        }
        assert_eq!(self.wire.stored(&self.of).await, before);
    }
}

fn snake(camel: &str) -> String {
    camel.chars().fold(String::new(), |text, c| match c.is_uppercase() {
        true => format!("{text}_{}", c.to_lowercase()),
        false => format!("{text}{c}"),
    })
}

async fn nothing_is_wiped(engine: Engine) {
    let wire = Wire::new(engine).await;
    for write in &WRITES {
        let Some(of) = write.of else { continue };
        let case = Case { wire: &wire, write, of: of() };
        case.reset().await;
        case.unknown_fields_are_refused_by_name().await;
        for field in case.of.changes() {
            case.without_a_mask_only_what_is_said_changes(field).await;
            case.what_is_named_and_not_said_is_cleared(field).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_is_said_or_named_and_nothing_else_on_sqlite() {
    nothing_is_wiped(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_is_said_or_named_and_nothing_else_on_postgres() {
    nothing_is_wiped(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_codes_changes_no_code_that_is_there() {
    let wire = Wire::new(Engine::Sqlite).await;
    let voucher = table::voucher();
    let before = wire.stored(&voucher).await;
    for (item, refused) in [(json!({}), "0"), (json!({ "labels": { "other": "one" } }), "1")] {
        wire.import(item, refused).await;
        assert_eq!(wire.stored(&voucher).await, before);
    }
}

#[test]
fn every_update_and_upsert_of_the_contracts_is_listed_with_the_fields_it_may_change() {
    let contracts = DescriptorPool::decode(tandem_proto::DESCRIPTORS).expect("our own contracts");
    let writes = |method: &MethodDescriptor| {
        let name = method.name();
        let mask = method.input().get_field_by_name("update_mask").is_some();
        mask || ["Update", "Upsert", "Import"].iter().any(|kind| name.contains(kind))
    };
    let methods = contracts.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let wanted: BTreeSet<String> = methods
        .filter(writes)
        .map(|method| format!("{}/{}", method.parent_service().full_name(), method.name()))
        .collect();
    let listed: BTreeSet<String> = WRITES.iter().map(|write| write.path.to_owned()).collect();
    assert_eq!(listed, wanted);
    for write in WRITES.iter().filter(|write| write.of.is_some()) {
        let (service, method) = write.path.split_once('/').expect("a path");
        let service = contracts.get_service_by_name(service).expect(service);
        let method = service.methods().find(|one| one.name() == method).expect(method);
        assert!(method.input().get_field_by_name("update_mask").is_some(), "{} has no mask", write.path);
    }
}
