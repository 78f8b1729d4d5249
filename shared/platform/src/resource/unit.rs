//! One write of a caller, from its claim to its outcome.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::change::Touch;
use super::read::not_found;
use super::table::Resource;
use crate::call::{Call, Tenant};
use crate::db::{Tx, Write, Writes};
use crate::fault::{Fault, Outcome};
use crate::grpc;
use crate::idempotency::{self, Claim, Request};
use crate::outbox::{self, Batch, Recorded};
use crate::service::Core;

/// What a command does in its transaction. Reads and locks happen at once; what it saves and tells is written at its end,
/// together with its outcome.
pub struct Unit<'a> {
    tx: &'a mut Tx,
    call: &'a Call,
    request: &'a Request,
    now: Timestamp,
    stamp: Option<i64>,
    writes: Vec<Write>,
    events: Batch<'a>,
}

/// What the claim of a request finds.
pub enum Begun<'a, T> {
    /// It is to be done.
    Fresh(Box<Unit<'a>>),
    /// It was done, and this was answered.
    Repeat(T),
}

impl<'a> Unit<'a> {
    /// Claims the request.
    pub async fn begin<T: DeserializeOwned>(
        core: &'a Core,
        tx: &'a mut Tx,
        call: &'a Call,
        request: &'a Request,
        now: Timestamp,
    ) -> Outcome<Begun<'a, T>> {
        if let Claim::Repeat(done) = idempotency::claim(tx, call, request, now).await? {
            return Ok(Begun::Repeat(done));
        }
        let events = Batch::new(call, &*core.ids, now);
        let unit = Self { tx, call, request, now, stamp: None, writes: Vec::new(), events };
        Ok(Begun::Fresh(Box::new(unit)))
    }

    /// When the command began: the same in every attempt.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whose data.
    pub fn tenant(&self) -> &'a Tenant {
        &self.call.tenant
    }

    /// Who asks.
    pub fn principal(&self) -> &'a str {
        &self.call.principal
    }

    /// For statements of the aggregate's own that have to be run before the end.
    pub fn tx(&mut self) -> &mut Tx {
        self.tx
    }

    /// What stamped tables are stamped with from here on.
    pub fn stamp(&mut self, stamp: i64) {
        self.stamp = Some(stamp);
    }

    /// The resource, locked, if the caller has read its version or does not say which. NOT_FOUND, ETAG_MISMATCH.
    pub async fn lock<T: Resource>(&mut self, touch: &Touch) -> Outcome<T> {
        let found = T::TABLE.lock(self.tx, self.tenant(), &touch.id).await?;
        let found = found.ok_or_else(|| not_found::<T>(&touch.id))?;
        grpc::check_etag(&touch.etag, found.stem().version, found.name())?;
        Ok(found)
    }

    /// A new resource with its event. ALREADY_EXISTS where its id is taken.
    pub async fn create<T: Resource>(&mut self, new: T, event: impl FnOnce(&T) -> Recorded) -> Outcome<T> {
        let insert = T::TABLE.insert(std::slice::from_ref(&new), self.stamp)?;
        if insert.count(self.tx, &self.call.tenant).await? == 0 {
            return Err(Fault::already_exists(new.name()));
        }
        self.tell(event(&new));
        Ok(new)
    }

    /// The next version of a locked resource with its event.
    pub fn save<T: Resource>(&mut self, next: T, event: impl FnOnce(&T) -> Recorded) -> Outcome<T> {
        self.write(T::TABLE.save(std::slice::from_ref(&next), self.stamp)?);
        self.tell(event(&next));
        Ok(next)
    }

    /// The same where the next version differs; else the one before, and nothing happens.
    pub fn save_change<T: Resource>(
        &mut self,
        before: T,
        next: T,
        event: impl FnOnce(&T) -> Recorded,
    ) -> Outcome<T> {
        if next.stem().version == before.stem().version { Ok(before) } else { self.save(next, event) }
    }

    /// Next versions of locked resources and new ones that nobody else makes, without events.
    pub fn save_many<T: Resource>(&mut self, rows: &[T]) -> Outcome<()> {
        self.write(T::TABLE.save(rows, self.stamp)?);
        Ok(())
    }

    /// What the aggregate writes beside its rows. No two writes of a unit may be about the same row.
    pub fn write(&mut self, write: impl Into<Option<Write>>) {
        self.writes.extend(write.into());
    }

    /// What happened, on behalf of the caller.
    pub fn tell(&mut self, event: Recorded) {
        self.events.push(event);
    }

    /// Writes everything down, with the outcome.
    pub async fn finish<T: Serialize>(self, outcome: &T) -> Outcome<()> {
        let mut writes = Writes::of(&self.call.tenant);
        self.writes.into_iter().for_each(|write| writes.push(write));
        writes.push(outbox::write(self.events));
        writes.push(idempotency::write(self.request, outcome)?);
        writes.run(self.tx).await
    }
}

/// Runs a command once per request: `once!(core, asked, |unit, what| { … })`, where `asked` is an
/// [`Asked`](crate::service::Asked). Claims the request, answers what was answered where it is a repetition, else
/// runs the body, whose last expression is an [`Outcome`](crate::Outcome), in a transaction, and stores the value with the
/// request. What [`transact!`](crate::transact) says of bodies holds.
#[macro_export]
macro_rules! once {
    ($core:expr, $asked:expr, |$unit:ident, $what:ident| $body:block) => {{
        let core: &$crate::Core = &$core;
        let $crate::service::Asked { call, request, what: $what } = &$asked;
        let begun = core.clock.now();
        $crate::transact!(core.db, |tx| {
            let mut unit = match $crate::resource::Unit::begin(core, tx, call, request, begun).await? {
                $crate::resource::Begun::Repeat(done) => return Ok(done),
                $crate::resource::Begun::Fresh(unit) => unit,
            };
            let answer = {
                let $unit = &mut *unit;
                $crate::db::body(async { $body }).await?
            };
            unit.finish(&answer).await?;
            Ok(answer)
        })
    }};
}
