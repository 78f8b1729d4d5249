//! PricingService as it is served: the generated server, but for Quote, whose answer comes written.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::bytes::BufMut;
use tandem_platform::grpc;
use tandem_proto::campaign::v1::QuoteRequest;
use tandem_proto::campaign::v1::pricing_service_server::PricingServiceServer;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::{ProstCodec, ProstDecoder};
use tower::Service;

use super::commands::Share;
use super::rpc::Api;
use crate::App;

const QUOTE: &str = "/tandem.campaign.v1.PricingService/Quote";

/// The server of PricingService.
#[derive(Debug, Clone)]
pub struct Server {
    api: Api,
    others: PricingServiceServer<Api>,
    max_message_bytes: usize,
}

impl Server {
    /// Of this process; larger requests are refused.
    pub fn new(app: &Arc<App>, max_message_bytes: usize) -> Self {
        let api = Api::new(app);
        let others = PricingServiceServer::new(api.clone()).max_decoding_message_size(max_message_bytes);
        Self { api, others, max_message_bytes }
    }
}

impl NamedService for Server {
    const NAME: &'static str = <PricingServiceServer<Api> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Server {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != QUOTE {
            return self.others.call(request);
        }
        let (quote, limit) = (Quote(self.api.clone()), self.max_message_bytes);
        Box::pin(async move {
            let mut grpc = Grpc::new(Written).apply_max_message_size_config(Some(limit), None);
            Ok(grpc.unary(quote, request).await)
        })
    }
}

/// The method.
struct Quote(Api);

impl UnaryService<QuoteRequest> for Quote {
    type Response = Vec<u8>;
    type Future = BoxFuture<Response<Vec<u8>>, Status>;

    fn call(&mut self, request: Request<QuoteRequest>) -> Self::Future {
        let api = self.0.clone();
        Box::pin(async move {
            let call = grpc::call(&request)?;
            Ok(Response::new(api.written(&call, request.into_inner(), &Share::of(1)).await?))
        })
    }
}

/// Reads messages as every other method does, and sends those that are written already.
struct Written;

impl Codec for Written {
    type Encode = Vec<u8>;
    type Decode = QuoteRequest;
    type Encoder = Self;
    type Decoder = ProstDecoder<QuoteRequest>;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<QuoteRequest, QuoteRequest>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for Written {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}
