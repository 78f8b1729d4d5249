//! What a redemption has to know of an incentive.

use std::sync::Arc;

use tandem_kernel::limits::Limits;
use tandem_kernel::pricing::Compiled;
use tandem_kernel::rule::Rule;

use crate::incentive::{Ready, ReturnPolicy, State};
use crate::voucher::Frame;

/// One version of an incentive, made ready.
#[derive(Debug)]
pub struct Terms {
    /// Its id.
    pub id: Arc<str>,
    /// Which version.
    pub version: i64,
    /// Dates, whether it is archived, whether codes have to be assigned.
    pub frame: Frame,
    ready: Arc<Ready>,
}

impl Terms {
    /// Of a compiled incentive.
    pub fn of(ready: Arc<Ready>) -> Self {
        let incentive = &ready.incentive;
        let frame = Frame {
            starts: incentive.definition.validity.start(),
            ends: incentive.definition.validity.end(),
            archived: incentive.state == State::Archived,
            assigned_only: incentive.definition.assigned_only,
        };
        Self { id: incentive.id.as_str().into(), version: incentive.version, frame, ready }
    }

    /// The incentive they come from.
    pub fn ready(&self) -> &Arc<Ready> {
        &self.ready
    }

    /// How often and how much.
    pub fn limits(&self) -> &Limits {
        &self.ready.incentive.definition.limits
    }

    /// What it gives.
    pub fn compiled(&self) -> &Compiled {
        &self.ready.discount
    }

    /// Pays rather than reduces.
    pub fn is_tender(&self) -> bool {
        self.ready.incentive.definition.is_tender()
    }

    /// Ids of the segments it is for; empty: everyone.
    pub fn segments(&self) -> &[String] {
        &self.ready.incentive.definition.segments
    }

    /// What must be true of basket, place and time.
    pub fn condition(&self) -> Option<&Rule> {
        self.ready.condition.as_ref()
    }

    /// Id of the campaign it serves.
    pub fn campaign(&self) -> Option<&str> {
        self.ready.incentive.definition.campaign.as_deref()
    }

    /// A full return of goods gives the use back.
    pub fn restores_on_return(&self) -> bool {
        self.ready.incentive.definition.return_policy == ReturnPolicy::OnFullReturn
    }
}
