//! The request_ids of a whole batch, from look-up to answers: what every runner of a lane does around its decisions.

use super::{Claimed, Duplicate, Request, duplicates, look_up_many};
use crate::call::Tenant;
use crate::db::Tx;
use crate::fault::{Fault, Outcome};

/// What is known of one call of a batch before it is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// Nothing: it is to be decided.
    Fresh,
    /// It was done before; the stored outcome as JSON, see [`outcome_of`](super::outcome_of).
    Repeat(String),
    /// It is the same call as the one at this place of the batch.
    Same(usize),
    /// Its request_id stands for something else.
    Reused,
}

/// Finds the calls of a batch that were done before or stand in it twice; those without a request are fresh. A request is
/// claimed only when its outcome is stored, by [`store_many`](super::store_many): whoever loses that race replays and
/// finds the answer here.
pub async fn recall(tx: &mut Tx, tenant: &Tenant, requests: &[Option<&Request>]) -> Outcome<Vec<Recalled>> {
    let mut recalled = vec![Recalled::Fresh; requests.len()];
    let given: Vec<(usize, &Request)> =
        requests.iter().enumerate().filter_map(|(at, request)| Some((at, (*request)?))).collect();
    let (mut places, mut firsts) = (Vec::with_capacity(given.len()), Vec::with_capacity(given.len()));
    let within = duplicates(given.iter().map(|(_, request)| *request));
    for ((at, request), duplicate) in given.iter().zip(within) {
        match duplicate {
            Duplicate::First => {
                places.push(*at);
                firsts.push(*request);
            }
            Duplicate::Of(first) => recalled[*at] = Recalled::Same(given[first].0),
            Duplicate::Reused => recalled[*at] = Recalled::Reused,
        }
    }
    for (at, claimed) in places.into_iter().zip(look_up_many(tx, tenant, &firsts).await?) {
        recalled[at] = match claimed {
            Claimed::Fresh => Recalled::Fresh,
            Claimed::Repeat(stored) => Recalled::Repeat(stored),
            Claimed::Reused => Recalled::Reused,
        };
    }
    Ok(recalled)
}

/// What became of one call of a batch.
#[derive(Clone, Debug)]
pub enum Settled<D> {
    /// Decided in this transaction.
    Fresh(D),
    /// It repeats an earlier call, with what was answered then.
    Repeat(D),
    /// It repeats the call at this place, which stands before it.
    Same(usize),
    /// Its request_id stands for something else.
    Reused,
}

/// The answers to a batch, in its order. Every call must have been settled.
pub fn answers<D: Clone>(settled: Vec<Option<Settled<D>>>) -> Vec<Outcome<D>> {
    let mut answers: Vec<Outcome<D>> = Vec::with_capacity(settled.len());
    for one in settled {
        let answer = match one {
            Some(Settled::Fresh(decided) | Settled::Repeat(decided)) => Ok(decided),
            Some(Settled::Reused) => Err(Fault::request_id_reused()),
            Some(Settled::Same(first)) => answers
                .get(first)
                .cloned()
                .unwrap_or_else(|| Err(Fault::internal("an item was repeated before it was decided"))),
            None => Err(Fault::internal("an item of a batch was not decided")),
        };
        answers.push(answer);
    }
    answers
}
