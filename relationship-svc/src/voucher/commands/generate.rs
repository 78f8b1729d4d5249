//! Makes codes, block by block. Each block is a transaction, so a generation that breaks off keeps what it has made and
//! the same `request_id` goes on from there.

use rand::CryptoRng;
use std::collections::HashSet;

use tandem_platform::idempotency::Request;
use tandem_platform::outbox::{self, Batch as Events};
use tandem_platform::{Call, Fault, Outcome, Violations, transact};
use tandem_proto::relationship::v1::ErrorReason;

use super::{active, settled};
use crate::App;
use crate::voucher::batch::{Batch, Plan};
use crate::voucher::format::Format;
use crate::voucher::{Balance, Uses, Voucher, events, formats, store};

/// Codes of one transaction: enough to be quick, few enough to be a sign of progress.
const BLOCK: i64 = 10_000;
/// Blocks in a row that add no code at all; after so many the space has no room left.
const FRUITLESS_BLOCKS: u32 = 20;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Id of the incentive.
    pub incentive: String,
    /// How many.
    pub quantity: i64,
    /// How they look.
    pub format: Format,
    /// Their own start.
    pub starts: Option<jiff::Timestamp>,
    /// Their own end.
    pub ends: Option<jiff::Timestamp>,
    /// Of one code.
    pub uses: Uses,
    /// What a gift card is worth.
    pub balance: Option<Balance>,
}

/// Checks what is asked for; without effect.
pub async fn check(app: &App, call: &Call, wanted: &Wanted) -> Outcome<Plan> {
    let mut reader = app.db.read().await?;
    let ready = active(app, &mut reader, &call.tenant, &wanted.incentive).await?;
    let mut v = Violations::new();
    let max_uses = settled(&mut v, &ready, wanted.balance, "balance", wanted.uses);
    v.finish()?;
    Ok(Plan {
        format: wanted.format.clone(),
        starts: wanted.starts,
        ends: wanted.ends,
        max_uses,
        balance: wanted.balance,
    })
}

/// Opens a batch, or finds the one that the same request opened before.
pub async fn open(app: &App, call: &Call, request: &Request, wanted: &Wanted) -> Outcome<Batch> {
    let plan = check(app, call, wanted).await?;
    formats::announce(app, &call.tenant, Some(&plan.format)).await?;
    let now = app.clock.now();
    let batch = Batch {
        id: app.ids.next(now).to_string(),
        incentive: wanted.incentive.clone(),
        quantity: wanted.quantity,
        done: 0,
        plan,
        created: now,
    };
    transact!(app.db, |tx| { store::batch::open(tx, &call.tenant, request, &batch).await })
}

/// Makes the rest of `batch`'s codes, or the next block of them, and answers how far it is. `random` draws the codes.
pub async fn next_block(
    app: &App,
    call: &Call,
    batch: &Batch,
    random: &mut impl CryptoRng,
) -> Outcome<Batch> {
    for _ in 0..FRUITLESS_BLOCKS {
        let now = app.clock.now();
        let codes = draw(&batch.plan.format, batch.missing().min(BLOCK), random);
        let vouchers: Vec<Voucher> = codes
            .into_iter()
            .map(|code| batch.plan.voucher(code, &batch.incentive, Some(&batch.id), now))
            .collect();
        let after = transact!(app.db, |tx| {
            let mut locked = store::batch::lock(tx, &call.tenant, &batch.id).await?;
            let wanted = usize::try_from(locked.missing()).unwrap_or(usize::MAX).min(vouchers.len());
            let made = store::insert_many(tx, &call.tenant, &vouchers[..wanted]).await?;
            if made > 0 {
                locked.done += i64::try_from(made).unwrap_or(i64::MAX);
                store::batch::advance(tx, &call.tenant, &locked.id, locked.done).await?;
                let mut told = Events::new(call, app.ids.as_ref(), now);
                told.push(events::generated(&locked.incentive, Some(&locked.id), made));
                outbox::append(tx, told).await?;
            }
            Ok(locked)
        })?;
        if after.done > batch.done {
            return Ok(after);
        }
    }
    Err(Fault::precondition(ErrorReason::CodeSpaceTooSmall, "every code that was drawn exists already"))
}

/// Different codes, in order, so that neighbours meet on the same pages of the index.
fn draw(format: &Format, count: i64, random: &mut impl CryptoRng) -> Vec<String> {
    let count = usize::try_from(count).unwrap_or(0);
    let mut codes = HashSet::with_capacity(count);
    while codes.len() < count {
        codes.insert(format.draw(random));
    }
    let mut codes: Vec<String> = codes.into_iter().collect();
    codes.sort_unstable();
    codes
}
