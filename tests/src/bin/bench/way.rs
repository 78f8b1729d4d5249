//! The way of an order into how its customer stands: from the answer of its commit until relationship-svc says so, at half the
//! highest rate of commits; and what the commits lose by being followed.

use std::time::{Duration, Instant};

use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{CreateCustomerRequest, GetRelationshipRequest};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::Outcome;
use crate::load::{Target, said};
use crate::orders::Orders;
use crate::people::customer_name;

/// How long one order may take to arrive before the row is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(5);
/// Between two orders that are watched.
const PAUSE: Duration = Duration::from_millis(250);

/// Whose orders are watched.
pub struct Watched {
    customer: u32,
    known: RelationshipServiceClient<Channel>,
    orders: i64,
}

impl Watched {
    /// A customer of whom there is no order yet; nobody else has this number.
    pub async fn create(relationship: Channel, customer: u32) -> Outcome<Self> {
        let name = customer_name(customer);
        let customer_id = name.trim_start_matches("customers/").to_owned();
        let request = CreateCustomerRequest { customer_id, ..Default::default() };
        CustomerServiceClient::new(relationship.clone()).create_customer(request).await?;
        Ok(Self { customer, known: RelationshipServiceClient::new(relationship), orders: 0 })
    }

    /// Commits one order; answers how long it took from the answer until it counts, in seconds.
    pub async fn one(&mut self, target: &Target, orders: &mut Orders) -> Outcome<f64> {
        let order = orders.commit(self.customer, 0, None);
        target.call(order).await.map_err(|status| format!("a watched commit: {}", said(&status)))?;
        let start = Instant::now();
        self.orders += 1;
        loop {
            let request =
                GetRelationshipRequest { customer: customer_name(self.customer), ..Default::default() };
            let found = self.known.get_relationship(request).await?.into_inner().relationship;
            if found.is_some_and(|found| found.orders == self.orders) {
                return Ok(start.elapsed().as_secs_f64());
            }
            if start.elapsed() > PATIENCE {
                return Err("an order did not arrive".into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The longest that one took while others commit at so many a second, in seconds.
    pub async fn longest(
        &mut self,
        target: &Target,
        orders: &mut Orders,
        per_second: f64,
        time: Duration,
    ) -> Outcome<f64> {
        let others: Vec<_> =
            (0..(per_second * time.as_secs_f64()) as usize).map(|_| orders.any_commit(false)).collect();
        let (mut load, sending) = (JoinSet::new(), target.clone());
        load.spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
            let mut calls = JoinSet::new();
            for order in others {
                ticks.tick().await;
                let target = sending.clone();
                calls.spawn(async move { target.call(order).await.is_ok() });
            }
            calls.join_all().await.into_iter().filter(|ok| !ok).count()
        });
        let (mut longest, end) = (0.0_f64, Instant::now() + time);
        while Instant::now() < end {
            longest = longest.max(self.one(target, orders).await?);
            tokio::time::sleep(PAUSE).await;
        }
        match load.join_all().await.into_iter().sum::<usize>() {
            0 => Ok(longest),
            failed => Err(format!("{failed} commits failed").into()),
        }
    }
}
