//! The road as a client sees it: a real server on a loopback socket, layers as a service composes them.

mod compression;
mod drain;
mod edge;
mod limits;
mod probe;
mod secure;

use std::time::Duration;

use prost_types::Any;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::pb::LocalizedMessage;
use uuid::Uuid;

use self::probe::Server;
use super::*;
use crate::config::ServerConfig;

/// Longer than any of these tests takes; where one waits that long, it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings() -> ServerConfig {
    ServerConfig { lame_duck_ms: 0, drain_ms: 5_000, ..ServerConfig::default() }
}

/// A request of the probe: what it shall do, and with what.
fn ask(command: &str, payload: &str) -> Request<LocalizedMessage> {
    Request::new(LocalizedMessage { locale: command.to_owned(), message: payload.to_owned() })
}

async fn send<M>(channel: &Channel, method: &str, request: Request<M>) -> Result<LocalizedMessage, Status>
where
    M: prost::Message + Send + Sync + 'static,
{
    let mut client = tonic::client::Grpc::new(channel.clone()).max_encoding_message_size(64 << 20);
    client.ready().await.unwrap();
    let path = format!("/tandem.test.Probe/{method}").parse().unwrap();
    let answer = client.unary(request, path, ProstCodec::<M, LocalizedMessage>::default());
    tokio::time::timeout(PATIENCE, answer).await.unwrap().map(tonic::Response::into_inner)
}

async fn follow(channel: &Channel, method: &str) -> Result<tonic::Streaming<LocalizedMessage>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = format!("/tandem.test.Probe/{method}").parse().unwrap();
    let codec = ProstCodec::<LocalizedMessage, LocalizedMessage>::default();
    client.server_streaming(ask("", ""), path, codec).await.map(tonic::Response::into_inner)
}

/// Code, reason and metadata of a refusal, which must carry an ErrorInfo.
fn told(status: &Status) -> (Code, String, std::collections::HashMap<String, String>) {
    use tonic_types::StatusExt;
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "tandem.common.v1");
    (status.code(), info.reason.clone(), info.metadata.clone())
}

/// Waits for something that another task does without telling.
async fn until(mut happened: impl FnMut() -> bool) {
    let watch = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.unwrap();
}
