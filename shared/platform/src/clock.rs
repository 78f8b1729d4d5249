//! The clock that an operator moves, for demonstrations and tests: one for all services of a process, which only a caller of
//! [`crate::shell::run`] can give them.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tandem_kernel::clock::{Clock, Ids, MovedClock, StampedIds, SystemClock, Unmoved};
use tandem_proto::common::v1::clock_service_server::{ClockService, ClockServiceServer};
use tandem_proto::common::v1::{
    ErrorReason, GetClockRequest, GetClockResponse, MoveClockRequest, MoveClockResponse,
};
use tandem_proto::convert;
use tonic::{Request, Response, Status};

use crate::config::{ConfigError, ServerConfig};
use crate::db::signals::lock;
use crate::fault::{Fault, Kind, Outcome, Violations};
use crate::field;
use crate::tasks::Tasks;

/// What is wrong with a time where none can be computed with.
const OUT_OF_REACH: &str = "must be from 1970-01-01T00:00:00Z to before 2200-01-01T00:00:00Z";

/// The clock and whom to tell that it was moved. Clones share it.
#[derive(Debug, Clone)]
pub struct Movable(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Arc<MovedClock>,
    ids: Arc<StampedIds>,
    /// Of the services that have it.
    looking: Mutex<Vec<Tasks>>,
}

impl Movable {
    /// Says `at`, and runs on as the machine's does.
    ///
    /// # Errors
    /// Where that is out of reach.
    pub fn starting(at: Timestamp) -> Result<Self, ConfigError> {
        let clock = MovedClock::starting(SystemClock, at)
            .map_err(|_| ConfigError::new(format!("the clock {OUT_OF_REACH}, is {at}")))?;
        Ok(Self(Arc::new(Shared { clock: Arc::new(clock), ids: Arc::default(), looking: Mutex::default() })))
    }

    /// Whoever can reach the server could move the clock.
    ///
    /// # Errors
    /// Where other machines can.
    pub fn only_here(service: &str, server: &ServerConfig) -> Result<(), ConfigError> {
        if server.listen.ip().is_loopback() {
            return Ok(());
        }
        Err(ConfigError::new(format!(
            "a clock that is moved is for this machine alone, and other machines can reach {service}: server.listen = \
             \"{}\"; listen on 127.0.0.1, or start on the machine's clock",
            server.listen
        )))
    }

    /// What time it is.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// Ids by its time.
    pub fn ids(&self) -> Arc<dyn Ids> {
        self.0.ids.clone()
    }

    /// The service of the contract, beside those whose tasks these are.
    pub fn server(&self, tasks: &Tasks) -> ClockServiceServer<Self> {
        lock(&self.0.looking).push(tasks.clone());
        ClockServiceServer::new(self.clone())
    }

    /// Moves it, and has everybody look.
    fn forward(&self, request: &MoveClockRequest) -> Outcome<Timestamp> {
        let mut violations = Violations::new();
        let v = &mut violations;
        v.check(request.time.is_some(), "time", "is required");
        let given = request.time.as_ref();
        let at = given.and_then(|at| field::read(v, |problems| convert::timestamp("time", at, problems)));
        violations.finish()?;
        self.0.clock.forward(at.unwrap_or_default()).map_err(refused)?;
        lock(&self.0.looking).iter().for_each(Tasks::look);
        Ok(self.0.clock.now())
    }
}

fn refused(why: Unmoved) -> Fault {
    match why {
        Unmoved::OutOfReach => Fault::invalid_field("time", OUT_OF_REACH),
        Unmoved::GoesBack(now) => {
            let message = format!("the clock says {now} already, and it is moved forward only");
            Fault::new(Kind::Precondition, ErrorReason::ClockGoesBack, message).with("time", now)
        }
    }
}

#[tonic::async_trait]
impl ClockService for Movable {
    async fn get_clock(&self, _: Request<GetClockRequest>) -> Result<Response<GetClockResponse>, Status> {
        let time = Some(convert::to_timestamp(self.0.clock.now()));
        Ok(Response::new(GetClockResponse { time }))
    }

    async fn move_clock(
        &self,
        request: Request<MoveClockRequest>,
    ) -> Result<Response<MoveClockResponse>, Status> {
        let time = Some(convert::to_timestamp(self.forward(request.get_ref())?));
        Ok(Response::new(MoveClockResponse { time }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(at: &str) -> MoveClockRequest {
        MoveClockRequest { time: Some(convert::to_timestamp(at.parse().unwrap())) }
    }

    #[test]
    fn only_who_listens_on_this_machine_may_have_it() {
        let mut server = ServerConfig::default();
        for (listen, allowed) in
            [("127.0.0.1:0", true), ("[::1]:0", true), ("0.0.0.0:0", false), ("192.0.2.1:7401", false)]
        {
            server.listen = listen.parse().unwrap();
            let said = Movable::only_here("campaign-svc", &server).map_err(|error| error.to_string());
            assert_eq!(said.is_ok(), allowed, "{listen}");
            let named = |said: &String| said.contains("campaign-svc") && said.contains(listen);
            assert!(said.as_ref().err().is_none_or(named), "{said:?}");
        }
    }

    #[test]
    fn what_cannot_be_moved_to_is_refused_by_name() {
        let movable = Movable::starting("2030-01-01T00:00:00Z".parse().unwrap()).unwrap();
        let back = movable.forward(&to("2029-12-31T23:59:59Z")).unwrap_err();
        assert_eq!(back.reason(), "CLOCK_GOES_BACK");
        for wrong in [MoveClockRequest::default(), to("2200-01-01T00:00:00Z")] {
            assert_eq!(movable.forward(&wrong).unwrap_err().reason(), "INVALID_ARGUMENT", "{wrong:?}");
        }
        assert!(
            movable.forward(&to("2031-01-01T00:00:00Z")).unwrap() >= "2031-01-01T00:00:00Z".parse().unwrap()
        );
        assert!(Movable::starting("1969-01-01T00:00:00Z".parse().unwrap()).is_err());
    }
}
