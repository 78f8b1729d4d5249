//! What of a quote's decisions is sealed in its token, so that the order can say later why it cost what it cost: an encoded
//! ExplainOrderResponse of what did not apply. What did is in the token anyway; of it only what a floor cut away is added.

use tandem_kernel::pricing::{Decision, Outcome};

use super::encode;
use super::price::{Ask, Incentives, Priced, Source, Verdict};
use super::wire::Wire;

/// What decisions may take of a token.
const MAX_BYTES: usize = 4_096;
/// Bytes of the key and the length of one of them, and of the number of those that are left out.
const AROUND: usize = 3;

/// As many decisions as there is room for, those first that somebody will ask about, and the number of the others.
pub fn of(ask: &Ask, priced: &Priced<'_>, incentives: &Incentives) -> Vec<u8> {
    let mut sealed = Sealed { wire: Wire::default(), bytes: AROUND, is_full: false };
    for verdict in &priced.verdicts {
        if let Some(decided) = applied(priced, verdict).filter(|decided| decided.cut_by_floor != 0) {
            sealed.add(|| encode::cut(name(verdict.source, incentives), decided.cut_by_floor, ask));
        }
    }
    let mut left_out = 0;
    for first in [true, false] {
        for verdict in &priced.verdicts {
            if applied(priced, verdict).is_none() && is_asked_about(priced, verdict) == first {
                let added = sealed.add(|| encode::untitled(verdict, ask, priced, incentives));
                left_out += usize::from(!added);
            }
        }
    }
    sealed.wire.number(2, i64::try_from(left_out).unwrap_or(i64::MAX)); // decisions_left_out
    sealed.wire.finish()
}

/// Decisions until one does not fit any more.
struct Sealed {
    wire: Wire,
    bytes: usize,
    is_full: bool,
}

impl Sealed {
    fn add(&mut self, decision: impl FnOnce() -> Vec<u8>) -> bool {
        if self.is_full {
            return false;
        }
        let decision = decision();
        self.bytes += decision.len() + AROUND;
        self.is_full = self.bytes > MAX_BYTES;
        if !self.is_full {
            self.wire.bytes(1, &decision); // decisions
        }
        !self.is_full
    }
}

fn decided<'p>(priced: &'p Priced<'_>, verdict: &Verdict<'_>) -> Option<&'p Decision> {
    priced.evaluation.decisions.get(verdict.decided.ok()?)
}

fn applied<'p>(priced: &'p Priced<'_>, verdict: &Verdict<'_>) -> Option<&'p Decision> {
    decided(priced, verdict).filter(|decided| decided.outcome == Outcome::Applied)
}

/// A code that was typed in vain, or an offer that lost to another one.
fn is_asked_about(priced: &Priced<'_>, verdict: &Verdict<'_>) -> bool {
    let skipped = |decided: &Decision| matches!(decided.outcome, Outcome::Skipped { .. });
    matches!(verdict.source, Source::Code(_)) || decided(priced, verdict).is_some_and(skipped)
}

/// As the order names it, in two parts.
fn name<'n>(source: Source<'n>, incentives: &'n Incentives) -> (&'n str, &'n str) {
    match source {
        Source::Offer(entry) => ("", &entry.name),
        Source::Code(index) => (encode::VOUCHERS, incentives.code(index).map_or("", |code| &code.folded)),
    }
}
