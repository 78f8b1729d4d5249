//! Why quotes went without their incentives, counted.

use tandem_platform::telemetry::KeyValue;
use tandem_platform::telemetry::metrics::{Counter, Meter};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::breaker::Sign;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It did not come in time.
    Timeout,
    /// The question did not get there.
    Unreachable,
    /// Nobody is asked just now, because the peer is gone.
    BreakerOpen,
    /// The peer has too much to do.
    Overloaded,
    /// The peer could not answer, for a reason of its own.
    Failed,
}

impl Cause {
    const ALL: [Self; 5] =
        [Self::Timeout, Self::Unreachable, Self::BreakerOpen, Self::Overloaded, Self::Failed];

    /// As the metric and the contract name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::BreakerOpen => "breaker_open",
            Self::Overloaded => "overloaded",
            Self::Failed => "failed",
        }
    }

    /// Why a status is no answer to a quote's question, and whether it shows that the peer lives.
    pub fn of(status: &Status) -> (Self, Sign) {
        // Without details it is the transport that speaks, not the other service.
        let spoke = status.get_details_error_info().is_some();
        match status.code() {
            Code::ResourceExhausted => (Self::Overloaded, Sign::Heard),
            Code::DeadlineExceeded | Code::Cancelled => {
                (Self::Timeout, if spoke { Sign::Heard } else { Sign::Silent })
            }
            _ if spoke => (Self::Failed, Sign::Heard),
            _ => (Self::Unreachable, Sign::Unreachable),
        }
    }
}

/// The counter.
#[derive(Debug)]
pub struct Degraded {
    counter: Counter<u64>,
    by_cause: [[KeyValue; 1]; Cause::ALL.len()],
}

impl Degraded {
    /// Every cause is a series from the start, so that its first step is seen.
    pub fn of(meter: &Meter) -> Self {
        let counter = meter
            .u64_counter("tandem.quotes.degraded")
            .with_unit("{quote}")
            .with_description("Quotes that relationship-svc was to answer and did not, by cause.")
            .build();
        let by_cause = Cause::ALL.map(|cause| [KeyValue::new("cause", cause.name())]);
        by_cause.iter().for_each(|labels| counter.add(0, labels));
        Self { counter, by_cause }
    }

    /// One more.
    pub fn count(&self, cause: Cause) {
        self.counter.add(1, &self.by_cause[cause as usize]);
    }
}

#[cfg(test)]
mod tests {
    use tandem_platform::Fault;
    use tandem_platform::telemetry::Telemetry;

    use super::*;

    #[test]
    fn what_the_peer_says_shows_that_it_lives_and_what_the_transport_says_does_not() {
        for (fault, cause) in [
            (Fault::overloaded("calls"), Cause::Overloaded),
            (Fault::deadline_exceeded(), Cause::Timeout),
            (Fault::database_unavailable(), Cause::Failed),
            (Fault::shutting_down(), Cause::Failed),
            (Fault::internal("no"), Cause::Failed),
        ] {
            assert_eq!(Cause::of(&fault.into()), (cause, Sign::Heard));
        }
        let transport = |code| Status::from_error(Box::new(std::io::Error::other(format!("{code:?}"))));
        assert_eq!(Cause::of(&transport(Code::Unknown)), (Cause::Unreachable, Sign::Unreachable));
        assert_eq!(Cause::of(&Status::cancelled("time")), (Cause::Timeout, Sign::Silent));
    }

    #[test]
    fn each_cause_is_a_series_of_its_own_from_the_start() {
        let telemetry = Telemetry::new("test").unwrap();
        let degraded = Degraded::of(telemetry.meter());
        degraded.count(Cause::BreakerOpen);
        let text = telemetry.render();
        for cause in Cause::ALL {
            let count = i32::from(cause == Cause::BreakerOpen);
            let line = format!("tandem_quotes_degraded_total{{cause=\"{}\"}} {count}\n", cause.name());
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
