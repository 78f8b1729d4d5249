//! How much a quote tells, so that every client can read it, and the order that it becomes: both stay under what an answer
//! holds ([`ANSWER_BYTES`](tandem_platform::grpc::ANSWER_BYTES)). Counted by bytes that do not depend on how a message
//! is written, so that the limits can be said in the contract.

use tandem_kernel::pricing::{Decision, Outcome, Reason};
use tandem_platform::{Fault, Outcome as Answer};
use tandem_proto::campaign::v1::ErrorReason;

use super::price::{Ask, Incentives, Priced, Source, Verdict};

/// What all that applies may take.
const MAX_APPLIED_BYTES: usize = 2_000_000;
/// What is told of offers that do not apply.
const MAX_OTHERS_BYTES: usize = 250_000;
/// Amounts and numbers of one decision, in the answer and in its token.
const PER_DECISION: usize = 160;
/// What one part of a set lacks.
const PER_PART: usize = 8;
/// Amounts of one share, likewise.
const PER_SHARE: usize = 56;

/// Measures what is told of a priced basket.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'q> {
    /// What was asked.
    pub ask: &'q Ask,
    /// What it costs.
    pub priced: &'q Priced<'q>,
    /// What relationship-svc had to say.
    pub incentives: &'q Incentives,
}

impl<'q> Extent<'q> {
    /// What is told of it, and how many offers that do not apply are left out; every code and everything that applies
    /// is told.
    ///
    /// # Errors
    /// QUOTE_TOO_COSTLY where what applies is more than an answer holds.
    pub fn told(self) -> Answer<(Vec<&'q Verdict<'q>>, usize)> {
        let verdicts = &self.priced.verdicts;
        let (mut told, mut applied, mut others) = (Vec::with_capacity(verdicts.len().min(64)), 0, 0);
        for verdict in verdicts {
            let decided = self.applied(verdict);
            if decided.is_some() || matches!(verdict.source, Source::Code(_)) {
                applied += self.of_decision(verdict) + self.of_shares(verdict, decided);
                told.push(verdict);
                continue;
            }
            others += self.of_decision(verdict);
            if others <= MAX_OTHERS_BYTES {
                told.push(verdict);
            }
        }
        if applied > MAX_APPLIED_BYTES {
            let message =
                "more discounts apply to more lines of the basket than one answer can tell: split the basket";
            return Err(Fault::precondition(ErrorReason::QuoteTooCostly, message)
                .with("bytes", applied as u64)
                .with("limit_bytes", MAX_APPLIED_BYTES as u64));
        }
        let left_out = verdicts.len() - told.len();
        Ok((told, left_out))
    }

    fn applied(self, verdict: &Verdict<'_>) -> Option<&'q Decision> {
        let decided = self.priced.evaluation.decisions.get(verdict.decided.ok()?)?;
        (decided.outcome == Outcome::Applied).then_some(decided)
    }

    /// Its name is told twice: in the decision, and in the token or as what another lost to.
    fn of_decision(self, verdict: &Verdict<'_>) -> usize {
        let title = match verdict.source {
            Source::Offer(entry) => entry.offer().map_or(0, |offer| offer.titles.of(&self.ask.locale).len()),
            Source::Code(index) => self.incentives.code(index).map_or(0, |code| code.title.len()),
        };
        let parts = match verdict.decided.ok().and_then(|at| self.priced.evaluation.decisions.get(at)) {
            Some(Decision {
                outcome: Outcome::Inapplicable { reason: Reason::SetsIncomplete { missing } },
                ..
            }) => missing.parts().count(),
            _ => 0,
        };
        PER_DECISION + PER_PART * parts + 2 * self.name(verdict.source) + title
    }

    /// A quote tells each share with the id of its line, an order with the name of what gave it.
    fn of_shares(self, verdict: &Verdict<'_>, decided: Option<&Decision>) -> usize {
        let (name, lines) = (self.name(verdict.source), &self.ask.basket.lines);
        let shares = decided.map_or(&[][..], |decided| &decided.line_amounts);
        let ids = shares.iter().filter_map(|(line, _)| lines.get(*line));
        ids.map(|line| PER_SHARE + line.id.len().max(name)).sum()
    }

    /// Bytes of what an order names it by.
    fn name(self, source: Source<'_>) -> usize {
        match source {
            Source::Offer(entry) => entry.name.len(),
            Source::Code(index) => {
                let incentive = self.incentives.code(index).map_or(0, |code| code.incentive.len());
                incentive.max(self.ask.codes.get(index).map_or(0, String::len))
            }
        }
    }
}
