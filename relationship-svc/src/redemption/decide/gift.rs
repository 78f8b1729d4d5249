//! What a code gives, and when it may.

use super::super::{Refusal, Share};
use crate::voucher::Timeliness;

/// What one code is to give, settled before anything is counted.
#[derive(Debug, Clone)]
pub(in super::super) struct Gift {
    pub amount: i64,
    pub lines: Vec<Share>,
    pub shipping: i64,
    pub tender: bool,
}

pub(super) fn untimely(timeliness: Timeliness) -> Option<Refusal> {
    match timeliness {
        Timeliness::Early => Some(Refusal::CodeNotYetValid),
        Timeliness::Late => Some(Refusal::CodeExpired),
        Timeliness::Valid => None,
    }
}
