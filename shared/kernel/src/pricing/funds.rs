//! Money budgets: what they let a discount take at its turn, and what is left of them behind it.

use super::Fund;
use crate::limits::Overrun;

/// The places of those that one candidate draws on.
pub(super) type Drawn = [Option<usize>; 2];

/// What the budgets of a candidate let it take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// It shrinks to this.
    pub most: i64,
    /// It is refused where it takes more than this.
    at_most: i64,
}

impl Room {
    /// Of the funds at these places, of which so much is `left`.
    pub(super) fn of(drawn: &Drawn, funds: &[Fund], left: &[i64]) -> Self {
        let mut room = Self { most: i64::MAX, at_most: i64::MAX };
        for at in drawn.iter().flatten() {
            let (Some(fund), Some(left)) = (funds.get(*at), left.get(*at)) else { continue };
            let bound = match fund.overrun {
                // Where nothing is left there is nothing to shrink to.
                Overrun::Cap if *left > 0 => &mut room.most,
                Overrun::Cap | Overrun::Reject => &mut room.at_most,
            };
            *bound = (*bound).min((*left).max(0));
        }
        room
    }

    /// Whether it may take so much, which is above 0.
    pub(super) fn covers(self, amount: i64) -> bool {
        amount <= self.at_most
    }
}

/// Takes `amount` out of the funds at these places.
pub(super) fn draw(drawn: &Drawn, left: &mut [i64], amount: i64) {
    for at in drawn.iter().flatten() {
        if let Some(left) = left.get_mut(*at) {
            *left -= amount;
        }
    }
}
