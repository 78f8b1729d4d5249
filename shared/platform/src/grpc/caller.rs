//! Who calls: metadata becomes a [`Call`] in the request's extensions.

use std::sync::Arc;

use tonic::Status;
use tonic::body::Body;
use tower::Layer;

use super::handle::Handle;
use super::{PRINCIPAL, TENANT};
use crate::call::{Call, Tenant};
use crate::fault::{Fault, Outcome};
use crate::trace::Trace;

/// The layer. Takes `tandem-tenant` and `tandem-principal` at their word: whoever can reach the server is trusted,
/// which is why a server without authentication listens on loopback unless told otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdentifyCaller;

impl<N> Layer<N> for IdentifyCaller {
    type Service = Identified<N>;

    fn layer(&self, next: N) -> Identified<N> {
        Identified(next)
    }
}

/// See [`IdentifyCaller`].
#[derive(Debug)]
pub struct Identified<N>(N);

impl<N: Handle> Handle for Identified<N> {
    type Body = N::Body;

    async fn handle(&self, mut request: http::Request<Body>) -> http::Response<Self::Body> {
        let trace = request.extensions().get::<Trace>().copied().unwrap_or_default();
        match caller(request.headers()) {
            Ok(call) => {
                request.extensions_mut().insert(Call { trace, ..call });
                self.0.handle(request).await
            }
            Err(fault) => Status::from(fault).into_http(),
        }
    }
}

fn caller(headers: &http::HeaderMap) -> Outcome<Call> {
    let tenant = match headers.get(TENANT) {
        None => Tenant::default(),
        Some(value) => value.to_str().ok().and_then(Tenant::parse).ok_or_else(|| {
            Fault::invalid_field(TENANT, "metadata: 1 to 63 characters of a-z, 0-9 and - expected")
        })?,
    };
    let principal = match headers.get(PRINCIPAL) {
        None => Call::anonymous(),
        Some(value) => match value.to_str() {
            Ok(name) if (1..=128).contains(&name.len()) => Arc::from(name),
            _ => {
                return Err(Fault::invalid_field(
                    PRINCIPAL,
                    "metadata: 1 to 128 visible ASCII characters expected",
                ));
            }
        },
    };
    Ok(Call::of(tenant, principal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_says_nothing_is_anonymous_in_the_default_tenant() {
        let call = caller(&http::HeaderMap::new()).unwrap();
        assert_eq!((call.tenant.as_str(), call.principal.as_ref()), ("default", "anonymous"));
    }

    #[test]
    fn an_ill_formed_tenant_is_refused() {
        let mut headers = http::HeaderMap::new();
        headers.insert(TENANT, "No Such".parse().unwrap());
        let fault = caller(&headers).unwrap_err();
        assert_eq!(fault.violations()[0].field, TENANT);
    }
}
