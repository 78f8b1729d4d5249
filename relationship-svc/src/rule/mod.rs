//! The rules that this service keeps, each with what it may read and examples of it.

pub mod rpc;

use tandem_kernel::rule::{SCOPE, Use};

use crate::{incentive, segment};

/// Whether a code can be used.
pub static INCENTIVE: Use = Use {
    name: "incentive",
    stands: "`Incentive.condition`",
    vocabulary: || &incentive::CONDITION,
    examples: &[
        ("basket.quantity > 1", "two units or more"),
        ("now.month == 12 && now.day <= 24", "until Christmas"),
        ("basket.products.exists(p, p.startsWith('album-'))", "with an album in the basket"),
    ],
};

/// Who belongs to a segment.
pub static SEGMENT: Use = Use {
    name: "segment",
    stands: "`Segment.rule`",
    vocabulary: || &segment::VOCABULARY,
    examples: &[
        ("customer.country == 'AT' && 'vip' in customer.tags", "Austrian customers with a tag"),
        ("days_to_birthday <= 7", "whose birthday comes within a week; of whom it is known"),
        ("customer.age_days > 365 && has(customer.attributes.club)", "members for a year"),
    ],
};

/// Every one.
pub static USES: [&Use; 3] = [&INCENTIVE, &SEGMENT, &SCOPE];
