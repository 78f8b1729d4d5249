//! CPU time of other processes: user and system, all threads together, to the nanosecond.

use std::time::{Duration, Instant};

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use tandem_tests::process::Service;

use crate::Outcome;

/// What some processes have used since a moment.
#[derive(Debug)]
pub struct Meter {
    before: Vec<(u32, Duration)>,
    since: Instant,
}

impl Meter {
    /// From now on.
    pub fn of(services: &[&Service]) -> Outcome<Self> {
        let pids: Vec<u32> = services.iter().map(|service| service.pid()).collect();
        Self::of_processes(&pids)
    }

    /// From now on.
    pub fn of_processes(pids: &[u32]) -> Outcome<Self> {
        let before = pids.iter().map(|pid| Ok((*pid, used(*pid)?)));
        let before = before.collect::<Outcome<_>>()?;
        Ok(Self { before, since: Instant::now() })
    }

    /// Together. A process that has ended meanwhile counts nothing.
    pub fn used(&self) -> Duration {
        let since = |(pid, before): &(u32, Duration)| used(*pid).unwrap_or(*before).saturating_sub(*before);
        self.before.iter().map(since).sum()
    }

    /// Of one core, in per cent.
    pub fn percent(&self) -> f64 {
        100.0 * self.used().as_secs_f64() / self.since.elapsed().as_secs_f64()
    }
}

fn used(pid: u32) -> Outcome<Duration> {
    Ok(clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?.now()?.into())
}
