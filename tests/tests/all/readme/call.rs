//! A call as grpcurl makes it: by the method's name, from JSON to JSON.

use prost::Message;
use prost::bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use tandem_tests::raw::Raw;
use tonic::Request;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

/// Calls `method`, "package.Service/Method", at `address` with `body` as JSON.
///
/// # Panics
/// Where the method, a field of the body or the answer is not as it should be.
pub async fn call(address: &str, method: &str, body: &str) -> Value {
    let pool = DescriptorPool::decode(tandem_proto::DESCRIPTORS).unwrap();
    let (service, name) = method.split_once('/').unwrap_or_else(|| panic!("{method} is no method"));
    let found = pool.get_service_by_name(service).unwrap_or_else(|| panic!("there is no {service}"));
    let found = found.methods().find(|one| one.name() == name);
    let found = found.unwrap_or_else(|| panic!("{service} has no {name}"));
    assert!(!found.is_server_streaming() && !found.is_client_streaming(), "{method} streams");

    let mut json = serde_json::Deserializer::from_str(body);
    let asked = DynamicMessage::deserialize(found.input(), &mut json)
        .and_then(|asked| json.end().map(|()| asked))
        .unwrap_or_else(|error| panic!("{method} does not take {body}: {error}"));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(format!("/{method}")).unwrap();
    let asked = Bytes::from(asked.encode_to_vec());
    let answer = client.unary(Request::new(asked), path, Raw).await;
    let answer = answer.unwrap_or_else(|status| panic!("{method} with {body}: {status:?}")).into_inner();
    serde_json::to_value(DynamicMessage::decode(found.output(), answer).unwrap()).unwrap()
}
