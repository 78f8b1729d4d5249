//! Calls of one process that are the same call, one after the other: whoever repeats a call that is on its way waits here,
//! without a connection, and then finds the outcome of the first; or takes its place, where it was refused and left none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::Request;
use crate::call::Tenant;

/// The gates of one process. Clones share them. There is one for each request_id that is on its way, whatever its body.
#[derive(Clone, Debug, Default)]
pub struct Gates(Arc<Mutex<HashMap<Key, Gate>>>);

type Key = (Tenant, &'static str, String);

#[derive(Debug, Default)]
struct Gate {
    passing: Arc<tokio::sync::Mutex<()>>,
    /// Who passes, and who waits.
    users: usize,
}

/// Nobody else passes with this request_id until it is dropped.
#[derive(Debug)]
pub struct Passage {
    _alone: OwnedMutexGuard<()>,
    _place: Place,
}

/// One user of a gate. The last to leave takes it down.
#[derive(Debug)]
struct Place {
    gates: Gates,
    key: Key,
}

impl Gates {
    /// Waits until nobody passes with this request_id, in order of arrival.
    pub async fn pass(&self, tenant: &Tenant, request: &Request) -> Passage {
        let key: Key = (tenant.clone(), request.method, request.id.clone());
        let gate = {
            let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let gate = gates.entry(key.clone()).or_default();
            gate.users += 1;
            gate.passing.clone()
        };
        let place = Place { gates: self.clone(), key };
        Passage { _alone: gate.lock_owned().await, _place: place }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut gates = self.gates.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get_mut(&self.key) {
            gate.users -= 1;
            if gate.users == 0 {
                gates.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;
    use crate::call::{Call, Deadline};
    use crate::grpc;
    use crate::tasks::Tasks;

    fn request(id: &str) -> Request {
        Request::new("CreateThing", id, &())
    }

    #[tokio::test]
    async fn equal_calls_pass_one_after_the_other_in_order_of_arrival_and_others_are_not_held_up() {
        let (gates, tenant) = (Gates::default(), Tenant::default());
        let same = request("a");
        let first = gates.pass(&tenant, &same).await;
        let mut second = Box::pin(gates.pass(&tenant, &same));
        let mut third = Box::pin(gates.pass(&tenant, &same));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        gates.pass(&tenant, &request("b")).await;
        gates.pass(&Tenant::parse("other").unwrap(), &same).await;
        drop(first);
        assert!(poll!(&mut third).is_pending());
        let second = second.await;
        assert!(poll!(&mut third).is_pending());
        drop(second);
        drop(third.await);
        assert!(gates.0.lock().unwrap().is_empty(), "what nobody uses is not kept");
    }

    #[tokio::test]
    async fn who_stops_waiting_holds_up_nobody() {
        let (gates, tenant) = (Gates::default(), Tenant::default());
        let same = request("a");
        let first = gates.pass(&tenant, &same).await;
        let mut second = Box::pin(gates.pass(&tenant, &same));
        let mut third = Box::pin(gates.pass(&tenant, &same));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        drop(second);
        drop(first);
        drop(third.await);
        assert!(gates.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_write_whose_caller_is_gone_is_still_waited_for_and_what_was_refused_is_decided_anew() {
        let (tasks, gates, call) = (Tasks::new(), Gates::default(), Call::system("default"));
        let same = request("a");
        let (end, ended) = oneshot::channel::<()>();
        let write = async move {
            let _ = ended.await;
            Err::<u32, _>(crate::Fault::not_found("things/x"))
        };
        let mut first = Box::pin(grpc::once(&tasks, &gates, &call, &same, write));
        assert!(poll!(&mut first).is_pending());
        drop(first);
        let mut second = Box::pin(grpc::once(&tasks, &gates, &call, &same, async { Ok(7_u32) }));
        assert!(poll!(&mut second).is_pending());
        end.send(()).unwrap();
        assert_eq!(second.await.unwrap(), 7);
        let late = Call { deadline: Some(Deadline::after(std::time::Duration::ZERO)), ..call };
        let refused = grpc::once(&tasks, &gates, &late, &same, async { Ok(8_u32) }).await;
        assert_eq!(refused.unwrap_err().reason(), "DEADLINE_EXCEEDED");
        assert!(gates.0.lock().unwrap().is_empty());
    }
}
