//! The services of a process by name: the end of the road. A hash of the name instead of tonic's router, which matches
//! patterns, copies path parameters and boxes both bodies again on every call.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;

use foldhash::fast::FixedState;
use tandem_proto::common::v1::ErrorReason;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tower::Service;

use super::handle::Handle;
use crate::fault::refusal;

type Response = http::Response<Body>;

trait Serve: Send + Sync {
    fn serve(&self, request: http::Request<Body>) -> BoxFuture<Response, Infallible>;
}

impl<S> Serve for S
where
    S: Service<
            http::Request<Body>,
            Response = Response,
            Error = Infallible,
            Future = BoxFuture<Response, Infallible>,
        > + Clone
        + Send
        + Sync,
{
    fn serve(&self, request: http::Request<Body>) -> BoxFuture<Response, Infallible> {
        // Generated servers are always ready: they hold an Arc and nothing to wait for.
        self.clone().call(request)
    }
}

/// The services of one process.
#[derive(Default)]
pub struct Services(HashMap<&'static str, Box<dyn Serve>, FixedState>);

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Services {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "a list is added to; nobody expects `services + server`"
    )]
    pub fn add<S>(mut self, server: S) -> Self
    where
        S: Service<
                http::Request<Body>,
                Response = Response,
                Error = Infallible,
                Future = BoxFuture<Response, Infallible>,
            > + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.0.insert(S::NAME, Box::new(server));
        self
    }

    /// Their full names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }
}

impl Handle for Services {
    type Body = Body;

    async fn handle(&self, request: http::Request<Body>) -> Response {
        let path = request.uri().path();
        let name = path.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(name, _)| name);
        match name.and_then(|name| self.0.get(name)) {
            Some(service) => match service.serve(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => {
                refusal(Code::Unimplemented, ErrorReason::Unimplemented, "no such service", &[]).into_http()
            }
        }
    }
}
