//! Bytes that no client of ours would send.

use tandem_tests::raw::Raw;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Sends `message` to `method`: `/tandem.relationship.v1.VoucherService/GetVoucher`.
pub async fn send(channel: &Channel, method: &'static str, message: Vec<u8>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    client.unary(Request::new(message.into()), PathAndQuery::from_static(method), Raw).await.map(|_| ())
}

/// A message whose field 1 is a text that is not UTF-8.
pub fn invalid_utf8() -> Vec<u8> {
    vec![0x0a, 4, b'c', 0xff, 0xfe, b'd']
}
