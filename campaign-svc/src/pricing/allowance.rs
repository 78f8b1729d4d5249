//! How much work a quote may take, and how much of it where calls are served.

use tandem_kernel::work::Allowance;

/// The work of one quote: past the first number groups are settled one by one, past the second there is no quote. At
/// some 10 ns a step the costliest quote takes less than a tenth of a second of one core.
pub const QUOTE: Allowance = Allowance { search: 3_000_000, total: 7_000_000 };

/// Computed where calls are served, up to so many steps: at most a millisecond, in which a thread that serves calls may
/// be late for the next one. An ordinary quote takes some hundred to some thousand.
pub const AT_ONCE: u64 = 100_000;
