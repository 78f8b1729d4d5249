//! Callers that go on whatever happens, and what must be true of what they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tandem_tests::stage::orders::{Quotes, Shop, Step, cancel, is_settled, take_back};
use tokio::task::JoinSet;

/// Callers that commit, return and cancel until they are told to stop, and repeat nothing.
pub struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<Vec<(Step, bool)>>,
}

impl Load {
    /// Starts so many callers on a code that never runs out.
    pub async fn start(shop: &Shop, callers: usize) -> Self {
        shop.codes(&["LOAD"], 1_000_000).await;
        let mut load = Self { stop: Arc::default(), callers: JoinSet::new() };
        for caller in 0..callers {
            let (quotes, stop) = (shop.quotes(), load.stop.clone());
            let orders = shop.orders(caller % shop.campaigns.len());
            load.callers.spawn(async move {
                let mut sent = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    for step in steps(&quotes, caller, number) {
                        let answer = orders.send(&step).await;
                        let acknowledged = answer.is_ok();
                        let settled = answer.as_ref().err().is_none_or(is_settled);
                        sent.push((step, acknowledged));
                        if !settled {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            break;
                        }
                    }
                }
                sent
            });
        }
        load
    }

    /// Every step that was acknowledged stands; answers how many there were.
    pub async fn stop(self, shop: &Shop) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let sent: Vec<(Step, bool)> = self.callers.join_all().await.into_iter().flatten().collect();
        let books = shop.books().await;
        let mut acknowledged = 0;
        for step in sent.iter().filter(|(_, acknowledged)| *acknowledged).map(|(step, _)| step) {
            acknowledged += 1;
            let (order, fine): (&str, &[&str]) = match step {
                Step::Commit(commit) => (&commit.order_id, &["COMMITTED", "PARTIALLY_RETURNED", "CANCELLED"]),
                Step::Return(back) => (&back.name[7..], &["PARTIALLY_RETURNED", "CANCELLED"]),
                Step::Cancel(cancel) => (&cancel.name[7..], &["CANCELLED"]),
                Step::Hold(_) => continue,
            };
            let state = books.orders.get(order).map(|order| order.state.as_str()).unwrap_or("nothing");
            assert!(fine.contains(&state), "{order} is {state}, but {step:?} was acknowledged");
        }
        acknowledged
    }
}

fn steps(quotes: &Quotes, caller: usize, number: usize) -> Vec<Step> {
    let order = format!("o{caller}-{number}");
    let codes: &[&str] = if number % 4 == 3 { &[] } else { &["LOAD"] };
    let mut steps = vec![quotes.commit(&order, codes)];
    if number % 2 == 1 {
        steps.push(take_back(&order, &format!("return-{order}"), 1));
    }
    if number % 3 == 2 {
        steps.push(cancel(&order));
    }
    steps
}
