//! How the codes of a tenant look, kept in memory: a code that was mistyped is known as such before it is looked up.
//!
//! A code is excluded where it looks like one of a format with a check character and is none of it, and no other format of
//! the tenant's can have made it. A tenant that has brought in codes of no format has none excluded.
//!
//! **Nothing is excluded that may exist.** A format is written down before the first code of it is stored, so is that there
//! are codes of no format; neither is ever taken back. Where other replicas may exclude codes by what they have read before,
//! whoever writes it down waits until they no longer rely on that: what was read is relied on for [`RELIED_ON`] only. Most
//! calls need none of this: what is not excluded by what is known is looked up anyway.

use std::sync::Arc;
use std::time::Duration;

use tandem_kernel::code::Typed;
use tandem_platform::kept::Kept;
use tandem_platform::{Outcome, Tenant, transact};
use tokio::time::Instant;

use super::format::Format;
use super::store::format::{self as store, MOST, Noted};
use crate::App;

/// Tenants kept at least; twice as many at most.
const TENANTS: usize = 1_024;
/// How long codes may be excluded by what was read.
const RELIED_ON: Duration = Duration::from_millis(400);
/// How long until nobody relies on what was read before, with a margin for clocks that do not run alike.
const FORGOTTEN: Duration = Duration::from_millis(600);
/// How long until formats are noticed that another replica has begun to use.
const NOTICED: Duration = Duration::from_secs(10);

/// Those of the tenants that were asked for lately.
#[derive(Debug)]
pub struct Formats(Kept<Tenant, Arc<Known>>);

impl Default for Formats {
    fn default() -> Self {
        Self(Kept::new(TENANTS))
    }
}

/// What is written down of one tenant.
#[derive(Debug)]
pub struct Known {
    /// When the reading began.
    read: Instant,
    noted: Vec<Noted>,
    /// Codes of no format may exist.
    open: bool,
}

impl Known {
    fn new(read: Instant, noted: Vec<Noted>) -> Self {
        let open = noted.len() > MOST || noted.iter().any(|one| one.format.is_none());
        Self { read, noted, open }
    }

    fn formats(&self) -> impl Iterator<Item = &Format> {
        self.noted.iter().filter_map(|one| one.format.as_ref())
    }

    fn excludes(&self, typed: &Typed) -> bool {
        let of = |test: fn(&Format, &str) -> bool| {
            self.formats().any(|format| typed.stored().any(|code| test(format, code)))
        };
        !self.open && of(Format::is_mistyped) && !of(Format::fits)
    }

    /// Whether everybody knows that there may be a code of this format, or of none.
    fn is_settled(&self, format: Option<&Format>) -> bool {
        self.noted.iter().any(|one| one.settled && one.format.as_ref() == format)
    }

    /// Whether everybody knows that there may be this code.
    fn admits(&self, code: &str) -> bool {
        let fits = |one: &Noted| one.settled && one.format.as_ref().is_none_or(|format| format.fits(code));
        self.noted.iter().any(fits)
    }

    /// Whether somebody may exclude codes of `format` by the others, not knowing of it.
    fn may_exclude(&self, format: Option<&Format>) -> bool {
        let others = self.formats().any(|other| other.has_check_character() && Some(other) != format);
        others && !self.is_settled(None)
    }
}

/// Rules out those that no format of the tenant's can have made.
pub async fn rule_out(app: &App, tenant: &Tenant, typed: &mut [Typed]) -> Outcome<()> {
    if typed.is_empty() {
        return Ok(());
    }
    let mut known = match app.formats.0.get(tenant) {
        Some(known) if known.open || known.read.elapsed() < NOTICED => known,
        _ => read(app, tenant).await?,
    };
    let excluded = |known: &Known| typed.iter().any(|one| known.excludes(one));
    if excluded(&known) && known.read.elapsed() >= RELIED_ON {
        known = read(app, tenant).await?;
    }
    typed.iter_mut().filter(|one| known.excludes(one)).for_each(Typed::rule_out);
    Ok(())
}

/// Before codes from elsewhere are stored: says where they are of no format that there are such codes.
pub async fn admit(app: &App, tenant: &Tenant, codes: impl Iterator<Item = &str> + Clone) -> Outcome<()> {
    let foreign = |known: &Known| codes.clone().any(|code| !known.admits(code));
    if app.formats.0.get(tenant).is_none_or(|known| foreign(&known)) && foreign(&*read(app, tenant).await?) {
        announce(app, tenant, None).await?;
    }
    Ok(())
}

/// Before the first code of a format is stored, and before the first of none: writes that down where everybody sees it.
pub async fn announce(app: &App, tenant: &Tenant, format: Option<&Format>) -> Outcome<()> {
    if app.formats.0.get(tenant).is_some_and(|known| known.is_settled(format)) {
        return Ok(());
    }
    transact!(app.db, |tx| {
        if store::all(tx, tenant).await?.is_empty() && store::has_codes(tx, tenant).await? {
            // Nobody knows what they look like: they were stored before formats were written down.
            store::add(tx, tenant, None).await?;
            store::settle(tx, tenant, None).await?;
        }
        store::add(tx, tenant, format).await
    })?;
    // Read afterwards: of two that write at the same time one at least sees both.
    let known = read(app, tenant).await?;
    if known.is_settled(format) {
        return Ok(());
    }
    if known.may_exclude(format) {
        tokio::time::sleep(FORGOTTEN).await;
    }
    transact!(app.db, |tx| { store::settle(tx, tenant, format).await })?;
    read(app, tenant).await?;
    Ok(())
}

async fn read(app: &App, tenant: &Tenant) -> Outcome<Arc<Known>> {
    let read = Instant::now();
    let mut reader = app.db.read().await?;
    let known = Arc::new(Known::new(read, store::all(&mut reader, tenant).await?));
    app.formats.0.put(tenant.clone(), known.clone());
    Ok(known)
}
