//! When the condition of time of a price rule holds.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tandem_kernel::rule::{Facts, Fullness, Rule, now_fact};

/// A part of the campaign's window, `[from, until)`.
pub type Span = (Timestamp, Timestamp);

/// What such a condition can read of a moment, as it names it.
const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "weekday"];
/// To what the 30-day price counts.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Zones lie apart by quarters of an hour: within one nothing changes but the minute.
const QUARTER: SignedDuration = SignedDuration::from_mins(15);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A condition over `now`, and the zone in which it reads it.
#[derive(Debug)]
pub struct Hours {
    condition: Rule,
    zone: TimeZone,
    window: Span,
    /// Found when somebody asks.
    spans: OnceLock<Box<[Span]>>,
}

impl Hours {
    /// Of a rule of a campaign with this window.
    pub fn new(condition: Rule, zone: TimeZone, window: Span) -> Self {
        Self { condition, zone, window, spans: OnceLock::new() }
    }

    /// Whether it holds.
    pub fn hold(&self, at: Timestamp) -> bool {
        self.condition.matches(&Facts::new().with("now", now_fact(at, &self.zone)))
    }

    /// The work of judging it.
    pub fn steps(&self) -> u64 {
        self.condition.steps(Fullness::LEAST)
    }

    /// The hours of the window in which it holds at some moment, as few spans.
    pub fn spans(&self) -> &[Span] {
        self.spans.get_or_init(|| self.find().into())
    }

    fn find(&self) -> Vec<Span> {
        let reads = PARTS.map(|part| self.condition.text().contains(part));
        let step = if reads[4] { MINUTE } else { QUARTER };
        let mut known = HashMap::with_hasher(RandomState::default());
        // Moments that are the same to the condition are judged once.
        let mut holds = |at: Timestamp| {
            let local = self.zone.to_datetime(at);
            let parts = [
                local.year(),
                local.month().into(),
                local.day().into(),
                local.hour().into(),
                local.minute().into(),
                local.weekday().to_monday_one_offset().into(),
            ];
            let mut key = [0; PARTS.len()];
            for ((key, part), _) in key.iter_mut().zip(parts).zip(reads).filter(|(_, reads)| *reads) {
                *key = part;
            }
            *known.entry(key).or_insert_with(|| self.hold(at))
        };
        let (start, end) = self.window;
        let mut spans: Vec<Span> = Vec::new();
        for from in moments(hour_of(start), end, HOUR) {
            let until = from.saturating_add(HOUR).unwrap_or(Timestamp::MAX);
            if !moments(from, until, step).any(&mut holds) {
                continue;
            }
            let (from, until) = (from.max(start), until.min(end));
            match spans.last_mut() {
                Some(last) if last.1 == from => last.1 = until,
                _ => spans.push((from, until)),
            }
        }
        spans
    }
}

fn hour_of(at: Timestamp) -> Timestamp {
    let hour = at.as_second().div_euclid(HOUR.as_secs()) * HOUR.as_secs();
    Timestamp::from_second(hour).unwrap_or(at)
}

fn moments(from: Timestamp, until: Timestamp, step: SignedDuration) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), move |at| at.checked_add(step).ok()).take_while(move |at| *at < until)
}
