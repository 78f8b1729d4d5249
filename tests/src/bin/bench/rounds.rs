//! Loads whose accepted calls are found again in the ledgers, and what their rounds come to.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;

use crate::Outcome;
use crate::args::Scale;
use crate::audit::{Book, Ledger, relay_lag};
use crate::load::{self, Calls, Measured, Target};
use crate::report::{Beside, Report, Target as Aim};

/// How long before its end a load is asked how far the relay is: while it is still under way.
const BEFORE_END: Duration = Duration::from_millis(100);

/// Ledgers that each get one entry per accepted call.
pub type Books<'a> = [(&'a PgPool, Book)];

/// Fails unless `load` has left one entry per accepted call in every book, and every limit has counted it.
pub async fn audited<T>(books: &Books<'_>, load: impl Future<Output = Outcome<(u64, T)>>) -> Outcome<T> {
    let mut before = Vec::with_capacity(books.len());
    for (pool, book) in books {
        before.push(Ledger::now(pool, *book).await?);
    }
    let (accepted, result) = load.await?;
    for ((pool, book), before) in books.iter().zip(&before) {
        Ledger::now(pool, *book).await?.must_have(accepted, before)?;
    }
    Ok(result)
}

/// Sends `calls`, first to warm up, then measured; answers also how far the slowest relay was behind, in seconds.
pub async fn measured(
    target: &Target,
    calls: &Arc<Calls>,
    callers: usize,
    scale: &Scale,
    books: &Books<'_>,
) -> Outcome<(Measured, f64)> {
    audited(books, async {
        let warm = load::run(target, calls, callers, scale.warm_up).await?;
        let lag = async {
            tokio::time::sleep(scale.measure.saturating_sub(BEFORE_END)).await;
            let mut worst: f64 = 0.0;
            for (pool, _) in books {
                worst = worst.max(relay_lag(pool).await?);
            }
            Outcome::Ok(worst)
        };
        let (measured, lag) = tokio::join!(load::run(target, calls, callers, scale.measure), lag);
        let measured = measured?;
        Ok((warm.ok + measured.ok, (measured, lag?)))
    })
    .await
}

/// The rounds of one row.
#[derive(Debug, Default)]
pub struct Rounds {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    lag: f64,
}

impl Rounds {
    /// Takes a round in, and shows it as progress.
    pub fn add(&mut self, theirs: f64, (measured, lag): (Measured, f64)) {
        self.theirs.push(theirs);
        self.ours.push(measured.rate());
        self.lag = self.lag.max(lag);
        eprintln!("  round {}: {}, relay {lag:.3} s behind", self.ours.len(), measured.shown());
    }

    /// The rate, and how far the relay was behind.
    pub fn report(&self, report: &mut Report, name: &str, yardstick: &'static str, target: Aim) {
        report.add(name, "1/s", &self.ours, Beside { yardstick, values: &self.theirs, target });
        report.add(format!("relay's lag: {name}"), "s", &[self.lag], Beside::nothing(Aim::Below(1.0)));
    }
}
