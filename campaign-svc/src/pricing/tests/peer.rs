//! relationship-svc as a quote meets it: a real server on a real socket that answers, refuses, hangs or is gone.

use std::sync::{Arc, Mutex};

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
    /// It refuses.
    Refuses(Fault),
    /// It hangs.
    Hangs,
}

struct Seen {
    manner: Manner,
    asked: Vec<EvaluateIncentivesRequest>,
    tenants: Vec<String>,
}

/// The peer.
pub struct Peer {
    pub double: Double,
    seen: Arc<Mutex<Seen>>,
}

impl Peer {
    pub fn start(manner: Manner) -> Self {
        let seen = Arc::new(Mutex::new(Seen { manner, asked: Vec::new(), tenants: Vec::new() }));
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

    async fn evaluate_incentives(
        &self,
        request: Request<EvaluateIncentivesRequest>,
    ) -> Result<Response<EvaluateIncentivesResponse>, Status> {
        let tenant = request.metadata().get("tandem-tenant").and_then(|tenant| tenant.to_str().ok());
        let tenant = tenant.unwrap_or_default().to_owned();
        let manner = {
            let mut seen = self.0.lock().unwrap();
            seen.tenants.push(tenant);
            seen.asked.push(request.into_inner());
            seen.manner.clone()
        };
        match manner {
            Manner::Answers(answer) => Ok(Response::new(answer)),
            Manner::Refuses(fault) => Err(fault.into()),
            Manner::Hangs => std::future::pending().await,
        }
    }
}
