//! relationship-svc as a quote meets it: a real server on a real socket that answers, refuses, hangs or is gone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tandem_platform::{Fault, Kind};
use tandem_proto::relationship::v1::incentive_service_server::{IncentiveService, IncentiveServiceServer};
use tandem_proto::relationship::v1::*;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::relationship::double::Double;

/// What the peer does with the next question.
#[derive(Clone)]
pub enum Manner {
    /// It answers.
    Answers(EvaluateIncentivesResponse),
    /// It answers so late.
    AnswersLate(Duration, EvaluateIncentivesResponse),
    /// It refuses.
    Refuses(Fault),
    /// It hangs.
    Hangs,
}

struct Seen {
    manner: Manner,
    asked: Vec<EvaluateIncentivesRequest>,
    tenants: Vec<String>,
    /// What each question said of the time that is left.
    granted: Vec<String>,
}

/// The peer.
pub struct Peer {
    pub double: Double,
    seen: Arc<Mutex<Seen>>,
}

impl Peer {
    pub fn start(manner: Manner) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            manner,
            asked: Vec::new(),
            tenants: Vec::new(),
            granted: Vec::new(),
        }));
        let service = seen.clone();
        let double = Double::start(move || {
            Server::builder().add_service(IncentiveServiceServer::new(Service(service.clone())))
        });
        Self { double, seen }
    }

    pub fn will(&self, manner: Manner) {
        self.seen.lock().unwrap().manner = manner;
    }

    pub fn asked(&self) -> Vec<EvaluateIncentivesRequest> {
        self.seen.lock().unwrap().asked.clone()
    }

    pub fn tenants(&self) -> Vec<String> {
        self.seen.lock().unwrap().tenants.clone()
    }

    /// Milliseconds that each question grants.
    pub fn granted_ms(&self) -> Vec<u64> {
        let ms = |text: &String| {
            let (digits, unit) = text.split_at(text.len() - 1);
            digits.parse::<u64>().unwrap() / if unit == "n" { 1_000_000 } else { 1_000 }
        };
        self.seen.lock().unwrap().granted.iter().map(ms).collect()
    }
}

struct Service(Arc<Mutex<Seen>>);

fn elsewhere<T>() -> Result<T, Status> {
    let reason = tandem_proto::common::v1::ErrorReason::Unimplemented;
    Err(Fault::new(Kind::Internal, reason, "a quote does not ask this").into())
}

#[tonic::async_trait]
impl IncentiveService for Service {
    async fn create_incentive(
        &self,
        _: Request<CreateIncentiveRequest>,
    ) -> Result<Response<CreateIncentiveResponse>, Status> {
        elsewhere()
    }

    async fn get_incentive(
        &self,
        _: Request<GetIncentiveRequest>,
    ) -> Result<Response<GetIncentiveResponse>, Status> {
        elsewhere()
    }

    async fn list_incentives(
        &self,
        _: Request<ListIncentivesRequest>,
    ) -> Result<Response<ListIncentivesResponse>, Status> {
        elsewhere()
    }

    async fn update_incentive(
        &self,
        _: Request<UpdateIncentiveRequest>,
    ) -> Result<Response<UpdateIncentiveResponse>, Status> {
        elsewhere()
    }

    async fn archive_incentive(
        &self,
        _: Request<ArchiveIncentiveRequest>,
    ) -> Result<Response<ArchiveIncentiveResponse>, Status> {
        elsewhere()
    }

    async fn get_limits(&self, _: Request<GetLimitsRequest>) -> Result<Response<GetLimitsResponse>, Status> {
        elsewhere()
    }

    async fn evaluate_incentives(
        &self,
        request: Request<EvaluateIncentivesRequest>,
    ) -> Result<Response<EvaluateIncentivesResponse>, Status> {
        let told = |key: &str| {
            let value = request.metadata().get(key).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (tenant, granted) = (told("tandem-tenant"), told("grpc-timeout"));
        let manner = {
            let mut seen = self.0.lock().unwrap();
            seen.tenants.push(tenant);
            seen.granted.push(granted);
            seen.asked.push(request.into_inner());
            seen.manner.clone()
        };
        match manner {
            Manner::Answers(answer) => Ok(Response::new(answer)),
            Manner::AnswersLate(after, answer) => {
                tokio::time::sleep(after).await;
                Ok(Response::new(answer))
            }
            Manner::Refuses(fault) => Err(fault.into()),
            Manner::Hangs => std::future::pending().await,
        }
    }
}
