//! The yardstick of the quote rows: a bare tonic server in a process of its own that answers every call with as many
//! bytes as a quote has.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};

use futures::future::{Ready, ready};
use prost::bytes::Bytes;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};

use crate::Outcome;
use tandem_tests::raw::Raw;

/// The method that answers.
pub const PATH: &str = "/bench.Echo/Call";

const SAYS: &str = "echo listening on ";

/// Serves until it is killed.
pub async fn serve(answer_bytes: usize) -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{SAYS}{}", listener.local_addr()?);
    let echo = Echo { answer: Bytes::from(vec![b'x'; answer_bytes]) };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder().add_service(echo).serve_with_incoming(incoming).await?;
    Ok(())
}

#[derive(Debug, Clone)]
struct Echo {
    answer: Bytes,
}

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(echo, request).await) })
    }
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.answer.clone())))
    }
}

/// The other process; it ends when dropped.
#[derive(Debug)]
pub struct EchoProcess {
    child: Child,
    address: String,
}

impl EchoProcess {
    /// Starts one that answers with so many bytes.
    pub fn start(answer_bytes: usize) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["echo", &answer_bytes.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix(SAYS).ok_or("the echo did not start")?.to_owned();
        Ok(Self { child, address })
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for EchoProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
