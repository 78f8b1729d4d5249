//! What a basket lacks for each offer of a page: each alone, after price rules.

use std::sync::Arc;

use jiff::SignedDuration;
use prost::Message;
use tandem_kernel::pricing::initial;
use tandem_kernel::work::{Allowance, Stop, Work};
use tandem_platform::{Call, Fault, Outcome};
use tandem_proto::campaign::v1::Decision;

use super::super::allowance::{AT_ONCE, QUOTE};
use super::super::entry::Entry;
use super::super::price::{Ask, Incentives, Setting, changes};
use super::super::seen::Own;
use super::super::snapshot::Snapshot;
use super::super::{commands, encode};
use super::PAGE;
use crate::App;

/// What is judged.
#[derive(Debug)]
pub(super) struct Judging {
    pub snapshot: Arc<Snapshot>,
    /// Those that the customer is in.
    pub segments: Vec<String>,
    pub ask: Ask,
    pub offers: Vec<Arc<Entry>>,
}

/// The decisions of the first offers, as many as the work allowed, and whether these are all.
struct Judged {
    decisions: Vec<Vec<u8>>,
    complete: bool,
}

impl Judging {
    /// The decisions of the offers, in their order: of the first at least, of fewer than all where that is too much work for one
    /// page. Judged here where that is short, else where it holds nobody up.
    pub(super) async fn decisions(self, app: &App, call: &Call) -> Outcome<Vec<Option<Decision>>> {
        let now = app.clock.now();
        let (asked, own) = ((&self.ask, self.segments.as_slice()), Own::default());
        let seen = commands::looked(app, call, asked, self.offers.iter(), &own, now).await?;
        let settings = app.tenancy.of(app, &call.tenant).await?;
        let judge = move |total, work: &dyn Fn(Allowance) -> Work| {
            let setting = Setting {
                snapshot: &self.snapshot,
                now,
                zone: settings.zone.rules(),
                ttl: SignedDuration::ZERO,
                segments: &self.segments,
                seen: &seen,
                begin: u64::MAX,
            };
            self.judge(&setting, total, work)
        };
        let mut judged = judge(AT_ONCE, &|allowance| Work::new(allowance));
        if !judged.as_ref().is_ok_and(|judged| judged.complete) {
            judged = app
                .heavy
                .run(move |gone| judge(PAGE, &|allowance| Work::new(allowance).until(gone.clone())))
                .await?;
        }
        let judged = judged.map_err(|_| Fault::deadline_exceeded())?;
        let decoded = judged.decisions.iter().map(|written| Decision::decode(written.as_slice()).map(Some));
        let decoded: Result<Vec<_>, _> = decoded.collect();
        decoded.map_err(|error| Fault::internal("an answer was written that is none").caused_by(error))
    }

    fn judge(
        &self,
        setting: &Setting<'_>,
        total: u64,
        work: &dyn Fn(Allowance) -> Work,
    ) -> Result<Judged, Stop> {
        let (ask, mut page) = (&self.ask, work(Allowance { total, ..QUOTE }));
        let reach = self.snapshot.running().reach(&ask.basket.lines, ask.place());
        let entries = reach.entries(&self.segments, ask.place(), setting.now);
        let rules = setting.rules(&entries, &mut page);
        let initial = initial(&ask.basket, &changes(&rules), &mut page);
        let mut decisions = Vec::with_capacity(self.offers.len());
        for offer in &self.offers {
            let priced = match setting.alone(ask, &initial, offer, &mut page) {
                Err(Stop::TooMuch { .. }) if !decisions.is_empty() || total < PAGE => break,
                // One alone is always within what a quote may take.
                Err(Stop::TooMuch { .. }) => setting.alone(ask, &initial, offer, &mut work(QUOTE))?,
                priced => priced?,
            };
            let of_offer = priced.verdicts.first();
            decisions.extend(of_offer.map(|one| encode::decision(one, ask, &priced, &Incentives::NotAsked)));
        }
        let complete = decisions.len() == self.offers.len();
        Ok(Judged { decisions, complete })
    }
}
