//! Who calls, and until when: the part of a request that every command needs and no message carries.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::{Fault, Outcome};
use crate::trace::Trace;

static DEFAULT_TENANT: LazyLock<Tenant> = LazyLock::new(|| Tenant(Arc::from("default")));
static ANONYMOUS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("anonymous"));
static SYSTEM: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("system"));

/// Whose data a call touches: the first column of every key. 1 to 63 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of that name; `None` where the name is not one.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "default" {
            return Some(Self::default());
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        ((1..=63).contains(&name.len()) && name.bytes().all(plain)).then(|| Self(Arc::from(name)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// The tenant `default`: everybody's, until authentication names another.
    fn default() -> Self {
        DEFAULT_TENANT.clone()
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Tenant {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The moment after which nobody waits for the answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// The deadline as an instant of the runtime's monotonic clock.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether nobody waits any more.
    pub fn passed(self) -> bool {
        self.0 <= Instant::now()
    }
}

/// One call: whose data, on whose behalf, until when.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose data.
    pub tenant: Tenant,
    /// Who calls; `anonymous` until authentication is configured, `system` for our own tasks.
    pub principal: Arc<str>,
    /// Until when; `None` for our own tasks and for streams without end.
    pub deadline: Option<Deadline>,
    /// Where the call is found in the logs.
    pub trace: Trace,
}

impl Call {
    /// A call of our own: pollers and tests. An ill-formed `tenant` becomes the default one.
    pub fn system(tenant: &str) -> Self {
        Self::of(Tenant::parse(tenant).unwrap_or_default(), SYSTEM.clone())
    }

    /// A call of `principal` without a deadline or a trace.
    pub fn of(tenant: Tenant, principal: Arc<str>) -> Self {
        Self { tenant, principal, deadline: None, trace: Trace::default() }
    }

    /// The principal of a caller that did not say who it is.
    pub fn anonymous() -> Arc<str> {
        ANONYMOUS.clone()
    }

    /// Fails with DEADLINE_EXCEEDED once nobody waits any more: asked between statements, because a statement itself
    /// is never cancelled.
    pub fn check_deadline(&self) -> Outcome<()> {
        match self.deadline {
            Some(deadline) if deadline.passed() => Err(Fault::deadline_exceeded()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_1_to_63_lower_case_letters_digits_and_dashes() {
        assert_eq!(Tenant::parse("shop-7").unwrap().as_str(), "shop-7");
        assert!(Tenant::parse(&"a".repeat(63)).is_some());
        for bad in ["", "Shop", "a_b", "a b", "ä", &"a".repeat(64)] {
            assert_eq!(Tenant::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_passed_deadline_is_noticed_between_statements() {
        let mut call = Call::system("default");
        assert!(call.check_deadline().is_ok());
        call.deadline = Some(Deadline::after(Duration::from_secs(60)));
        assert!(call.check_deadline().is_ok());
        call.deadline = Some(Deadline::after(Duration::ZERO));
        assert_eq!(call.check_deadline().unwrap_err().reason(), "DEADLINE_EXCEEDED");
    }
}
