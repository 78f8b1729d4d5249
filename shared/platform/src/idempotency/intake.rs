//! The request_ids of a whole batch, from claim to answers: what every runner of a lane does around its decisions.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Claimed, Duplicate, Request};
use super::{claim_many, duplicates, finish_many, outcome_of, release_many, to_json};
use crate::call::Tenant;
use crate::db::Tx;
use crate::fault::{Fault, Outcome};

/// The claimed requests of one batch: [`Intake::claim`] is the first statement of its transaction,
/// [`Intake::settle`] the last. In between the runner decides what is [`Intake::fresh`], in that order.
#[derive(Debug)]
pub struct Intake<'a> {
    tenant: &'a Tenant,
    requests: Vec<&'a Request>,
    places: Vec<Place>,
}

/// Where the answer to one request comes from.
#[derive(Debug)]
enum Place {
    Fresh,
    Stored(String),
    Of(usize),
    Reused,
}

impl<'a> Intake<'a> {
    /// Claims the requests of a batch, in order of arrival. Those of an id that occurred before in the batch share the
    /// answer of the first, or are refused where their body differs.
    pub async fn claim(
        tx: &mut Tx,
        tenant: &'a Tenant,
        requests: impl IntoIterator<Item = &'a Request>,
        now: Timestamp,
    ) -> Outcome<Self> {
        let requests: Vec<&Request> = requests.into_iter().collect();
        let within = duplicates(requests.iter().copied());
        let firsts = requests.iter().zip(&within).filter(|(_, place)| **place == Duplicate::First);
        let firsts: Vec<&Request> = firsts.map(|(request, _)| *request).collect();
        let mut claimed = claim_many(tx, tenant, &firsts, now).await?.into_iter();
        let mut places = Vec::with_capacity(requests.len());
        for place in within {
            places.push(match place {
                Duplicate::Of(first) => Place::Of(first),
                Duplicate::Reused => Place::Reused,
                Duplicate::First => match claimed.next() {
                    Some(Claimed::Fresh) => Place::Fresh,
                    Some(Claimed::Repeat(outcome)) => Place::Stored(outcome),
                    Some(Claimed::Reused) => Place::Reused,
                    None => return Err(Fault::internal("a claim of a batch was lost")),
                },
            });
        }
        Ok(Self { tenant, requests, places })
    }

    /// The indices of the requests to decide.
    pub fn fresh(&self) -> impl Iterator<Item = usize> + '_ {
        let fresh = |(index, place): (usize, &Place)| matches!(place, Place::Fresh).then_some(index);
        self.places.iter().enumerate().filter_map(fresh)
    }

    /// Stores what was decided, one outcome for each of [`Intake::fresh`]: successes with their requests, while the
    /// claims of refused ones are taken back. Answers every request of the batch, in order of arrival.
    pub async fn settle<T>(self, tx: &mut Tx, decided: Vec<Outcome<T>>) -> Outcome<Vec<Outcome<T>>>
    where
        T: Clone + Serialize + DeserializeOwned,
    {
        if decided.len() != self.fresh().count() {
            return Err(Fault::internal("a batch was not decided in full"));
        }
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for (index, outcome) in self.fresh().zip(&decided) {
            match outcome {
                Ok(value) => done.push((self.requests[index], to_json(value)?)),
                Err(_) => refused.push(self.requests[index]),
            }
        }
        finish_many(tx, self.tenant, &done).await?;
        release_many(tx, self.tenant, &refused).await?;
        let mut decided = decided.into_iter();
        let mut answers: Vec<Outcome<T>> = Vec::with_capacity(self.places.len());
        for place in self.places {
            let answer = match place {
                Place::Fresh => match decided.next() {
                    Some(outcome) => outcome,
                    None => return Err(Fault::internal("a batch was not decided in full")),
                },
                Place::Stored(outcome) => outcome_of(&outcome),
                Place::Of(first) => answers[first].clone(),
                Place::Reused => Err(Fault::request_id_reused()),
            };
            answers.push(answer);
        }
        Ok(answers)
    }
}
