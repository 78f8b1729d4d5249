//! Do the counters say what the ledger says? Everything is counted again from the redemptions and compared.
//!
//! For tests, benchmarks and demos; it reads the whole ledger of a tenant and wants nobody to write meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tandem_kernel::limits::periods_before;
use tandem_platform::counters::{self, ClaimRow};
use tandem_platform::{Db, Outcome, Tenant};

use super::store::audit::{self as store, VoucherCount};
use super::{CounterKey, CounterKind, Redemption, State};

/// What a tenant's counters and ledger agree on, and where they do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Redeemed, rolled back ones included.
    pub redeemed: usize,
    /// Of those, the ones of which nothing or a part has come back.
    pub live: usize,
    /// Held.
    pub held: usize,
    /// Given away or paid and not come back, by incentive and currency, minor units.
    pub money: BTreeMap<(String, String), i64>,
    /// One sentence per disagreement; empty where all is well.
    pub faults: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    used: i64,
    held: i64,
}

/// Counts everything of `tenant` again.
pub async fn audit(db: &Db, tenant: &Tenant) -> Outcome<Audit> {
    let mut reader = db.read().await?;
    let ledger = store::redemptions(&mut reader, tenant).await?;
    let tallies = counters::all(&mut reader, tenant).await?;
    let claims = counters::all_claims(&mut reader, tenant).await?;
    let vouchers = store::vouchers(&mut reader, tenant).await?;
    let mut audit = Audit::default();
    let mut counted: HashMap<CounterKey, Count> = HashMap::new();
    let mut codes: HashMap<String, VoucherCount> = HashMap::new();
    for one in &ledger {
        count(&mut audit, one, &mut counted, &mut codes);
    }
    live_once(&mut audit, &ledger);
    take_claims(&mut audit, &ledger, &claims, &mut counted, &mut codes);
    for (key, tally) in tallies {
        let wanted = counted.remove(&key).unwrap_or_default();
        let found = Count { used: tally.used, held: tally.held };
        if wanted != found {
            audit.faults.push(format!("{key:?} says {found:?}, the ledger {wanted:?}"));
        }
    }
    let over = forgotten(&ledger);
    let expected =
        |key: &CounterKey| !over.iter().any(|(first, end)| (&**first..&**end).contains(&&*key.period));
    for (key, wanted) in
        counted.into_iter().filter(|(key, wanted)| *wanted != Count::default() && expected(key))
    {
        audit.faults.push(format!("{key:?} does not exist, the ledger says {wanted:?}"));
    }
    compare_vouchers(&mut audit, vouchers, codes);
    for (code, adjusted, ledger) in store::adjustments(&mut reader, tenant).await? {
        if adjusted != ledger {
            audit
                .faults
                .push(format!("gift card {code} was adjusted by {adjusted}, the ledger says {ledger}"));
        }
    }
    Ok(audit)
}

/// The names of the periods whose counters may have been forgotten by the time of the last redemption.
fn forgotten(ledger: &[Redemption]) -> Vec<(String, String)> {
    let last = ledger.iter().map(|one| one.updated).max();
    let before = last.and_then(|last| last.checked_sub(counters::KEPT_AFTER_END).ok());
    before.map(periods_before).map(Vec::from).unwrap_or_default()
}

fn count(
    audit: &mut Audit,
    one: &Redemption,
    counted: &mut HashMap<CounterKey, Count>,
    codes: &mut HashMap<String, VoucherCount>,
) {
    match one.state {
        State::Held => audit.held += 1,
        State::Released | State::Expired => {}
        State::Redeemed | State::PartiallyRolledBack | State::RolledBack => {
            audit.redeemed += 1;
            audit.live += usize::from(one.state.is_redeemed());
            let (uses, money) = one.weight();
            *audit.money.entry((one.incentive.clone(), one.currency.code().to_owned())).or_default() += money;
            let incentive: Arc<str> = one.incentive.as_str().into();
            let subject = one.person.subject();
            for key in one.details.counted.keys(&incentive, one.currency, subject.as_ref()) {
                let worth = if key.kind.is_money() { money } else { uses };
                counted.entry(key).or_default().used += worth;
            }
            let code = voucher(codes, &one.code);
            code.uses += uses;
            code.spent += if one.details.tender { money } else { 0 };
        }
    }
    let lines: i64 = one.details.lines.iter().map(|share| share.amount).sum();
    if lines + one.details.shipping != one.amount {
        audit.faults.push(format!(
            "{one}: shares sum to {lines} + {}, amount is {}",
            one.details.shipping, one.amount
        ));
    }
}

fn voucher<'c>(codes: &'c mut HashMap<String, VoucherCount>, code: &str) -> &'c mut VoucherCount {
    codes.entry(code.to_owned()).or_insert_with(|| VoucherCount {
        code: code.to_owned(),
        max_uses: None,
        uses: 0,
        uses_held: 0,
        worth: 0,
        spent: 0,
        spent_held: 0,
    })
}

fn live_once(audit: &mut Audit, ledger: &[Redemption]) {
    let mut live = HashSet::new();
    for one in ledger.iter().filter(|one| one.state.is_live()) {
        if !live.insert((&one.order, &one.code)) {
            audit.faults.push(format!("order {} has code {} live twice", one.order, one.code));
        }
    }
}

fn take_claims(
    audit: &mut Audit,
    ledger: &[Redemption],
    claims: &[ClaimRow],
    counted: &mut HashMap<CounterKey, Count>,
    codes: &mut HashMap<String, VoucherCount>,
) {
    let holds: HashMap<_, _> =
        ledger.iter().filter(|one| one.state == State::Held).map(|one| (one.id, one.expires)).collect();
    for claim in claims {
        if holds.get(&claim.holder) != Some(&Some(claim.expires)) {
            audit.faults.push(format!("a claim of {} belongs to no hold", claim.holder));
        }
        if claim.key.kind == CounterKind::Voucher {
            let code = voucher(codes, &claim.key.owner);
            code.uses_held += claim.uses;
            code.spent_held += claim.amount;
        } else {
            counted.entry(claim.key.clone()).or_default().held += claim.uses + claim.amount;
        }
    }
}

fn compare_vouchers(
    audit: &mut Audit,
    vouchers: Vec<VoucherCount>,
    mut codes: HashMap<String, VoucherCount>,
) {
    for found in vouchers {
        let VoucherCount { max_uses, worth, .. } = found;
        let wanted = codes.remove(&found.code);
        let wanted = wanted.map(|wanted| VoucherCount { max_uses, worth, ..wanted });
        if wanted.as_ref() != Some(&found) {
            audit.faults.push(format!("voucher says {found:?}, the ledger {wanted:?}"));
        }
        if max_uses.is_some_and(|most| found.uses + found.uses_held > most) {
            audit.faults.push(format!("voucher {} is used more often than it may be: {found:?}", found.code));
        }
        if found.spent + found.spent_held > worth {
            audit.faults.push(format!("gift card {} has paid more than it was worth: {found:?}", found.code));
        }
    }
    for (code, wanted) in codes {
        if (wanted.uses, wanted.uses_held, wanted.spent, wanted.spent_held) != (0, 0, 0, 0) {
            audit.faults.push(format!("voucher {code} counts nothing, the ledger {wanted:?}"));
        }
    }
}
