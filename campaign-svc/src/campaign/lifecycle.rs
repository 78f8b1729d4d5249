//! DRAFT → SCHEDULED → RUNNING ⇄ PAUSED → ENDED → ARCHIVED; CANCELLED from any state before ENDED.
//!
//! Stored is what was done by hand, the [`Step`]; the [`State`] follows from it, the window and the clock. An open
//! campaign waits for its window, runs in it and ends with it; a paused one ends with its window too.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Refusal, Window};

/// What a campaign is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Being written.
    Draft,
    /// Waits for its window.
    Scheduled,
    /// In its window.
    Running,
    /// Held by hand.
    Paused,
    /// Over.
    Ended,
    /// Filed away.
    Archived,
    /// Called off.
    Cancelled,
}

impl State {
    /// Nothing of it can be had any more, for good.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Archived | Self::Cancelled)
    }
}

/// What was done last by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Step {
    /// Written.
    #[default]
    Draft,
    /// Scheduled, launched or resumed.
    Open,
    /// Paused.
    Paused,
    /// Ended before its window.
    Ended,
    /// Called off.
    Cancelled,
    /// Filed away.
    Archived,
}

/// What can be done by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It runs when its window opens.
    Schedule,
    /// It runs now.
    Launch,
    /// It is held.
    Pause,
    /// It goes on.
    Resume,
    /// It is over before its window.
    End,
    /// It is called off.
    Cancel,
    /// It is filed away.
    Archive,
}

impl Move {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Schedule, Self::Launch, Self::Pause, Self::Resume, Self::End, Self::Cancel, Self::Archive];

    /// Whether it brings the mix before customers.
    pub fn needs_mix(self) -> bool {
        matches!(self, Self::Schedule | Self::Launch)
    }

    /// As in "the campaign cannot …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Schedule => "be scheduled",
            Self::Launch => "be launched",
            Self::Pause => "be paused",
            Self::Resume => "be resumed",
            Self::End => "be ended",
            Self::Cancel => "be cancelled",
            Self::Archive => "be archived",
        }
    }

    /// Where it leads from `state`, if it may be done there.
    fn from(self, state: State) -> Option<Step> {
        use State as S;
        match (self, state) {
            (Self::Schedule, S::Draft) => Some(Step::Open),
            (Self::Launch, S::Draft | S::Scheduled) => Some(Step::Open),
            (Self::Pause, S::Running) => Some(Step::Paused),
            (Self::Resume, S::Paused) => Some(Step::Open),
            (Self::End, S::Running | S::Paused) => Some(Step::Ended),
            (Self::Cancel, S::Draft | S::Scheduled | S::Running | S::Paused) => Some(Step::Cancelled),
            (Self::Archive, S::Ended | S::Cancelled) => Some(Step::Archived),
            _ => None,
        }
    }
}

/// Whether offers could be had, from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// From when.
    pub from: Timestamp,
    /// Whether.
    pub kind: PhaseKind,
}

/// Whether offers could be had; within the window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhaseKind {
    /// Scheduled, launched or resumed.
    Open,
    /// Paused.
    Paused,
    /// Ended or called off.
    Closed,
}

/// What was done to a campaign by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The last of it.
    pub step: Step,
    /// When it was launched first, where a step has settled that.
    pub launched: Option<Timestamp>,
    /// All of it, by time.
    pub phases: Vec<Phase>,
}

impl Life {
    /// The state at `at`.
    pub fn state(&self, window: Window, at: Timestamp) -> State {
        match self.step {
            Step::Draft => State::Draft,
            Step::Open | Step::Paused if window.end <= at => State::Ended,
            Step::Paused => State::Paused,
            Step::Open if at < window.start => State::Scheduled,
            Step::Open => State::Running,
            Step::Ended => State::Ended,
            Step::Cancelled => State::Cancelled,
            Step::Archived => State::Archived,
        }
    }

    /// When it was launched first, as known at `at`: by hand, or by the clock that reached its window.
    pub fn launched(&self, window: Window, at: Timestamp) -> Option<Timestamp> {
        self.launched.or_else(|| {
            let opened =
                self.phases.iter().find(|phase| phase.kind == PhaseKind::Open)?.from.max(window.start);
            (self.step == Step::Open && opened <= at && opened < window.end).then_some(opened)
        })
    }

    /// After `wanted` at `now`; `window` is that before the step.
    pub(super) fn step(&self, wanted: Move, window: Window, now: Timestamp) -> Result<Self, Refusal> {
        let state = self.state(window, now);
        let step = wanted.from(state).ok_or(Refusal::WrongState { state, wanted: wanted.words() })?;
        if wanted.needs_mix() && window.end <= now {
            return Err(Refusal::WindowOver);
        }
        let launched = if wanted == Move::Launch { Some(now) } else { self.launched(window, now) };
        let mut phases = self.phases.clone();
        let kind = match step {
            Step::Open => Some(PhaseKind::Open),
            Step::Paused => Some(PhaseKind::Paused),
            Step::Ended | Step::Cancelled => Some(PhaseKind::Closed),
            Step::Draft | Step::Archived => None,
        };
        phases.extend(kind.map(|kind| Phase { from: now, kind }));
        Ok(Self { step, launched, phases })
    }

    /// The spans `[from, until)` in which its offers could be, can be or will be had, by time. What lies ahead holds only
    /// as long as nobody takes another step.
    pub fn open_spans(&self, window: Window) -> Vec<(Timestamp, Timestamp)> {
        let ends = self.phases.iter().skip(1).map(|phase| phase.from).chain([window.end]);
        let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (phase, end) in self.phases.iter().zip(ends) {
            let (from, until) = (phase.from.max(window.start), end.min(window.end));
            if phase.kind != PhaseKind::Open || from >= until {
                continue;
            }
            match spans.last_mut() {
                Some(last) if last.1 == from => last.1 = until,
                _ => spans.push((from, until)),
            }
        }
        spans
    }
}
