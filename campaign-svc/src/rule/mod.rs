//! The rules that this service keeps, each with what it may read and examples of it.

pub mod rpc;

use tandem_kernel::rule::{SCOPE, Use};

use crate::campaign::mix;

/// Whether an offer applies.
pub static OFFER: Use = Use {
    name: "offer",
    stands: "`Offer.condition` of a campaign",
    vocabulary: || &mix::VOCABULARY,
    examples: &[
        ("basket.amount >= 5000 && basket.currency == 'EUR'", "from 50.00 EUR on"),
        ("now.weekday == 1 && now.hour < 12", "on Mondays before noon"),
        ("place.channel == 'store' && place.country == 'AT'", "in Austrian stores"),
        ("basket.attributes.medium == 'email'", "who came by e-mail; not who does not say"),
    ],
};

/// When a price rule holds.
pub static PRICE_RULE: Use = Use {
    name: "price-rule",
    stands: "`PriceRule.condition` of a campaign",
    vocabulary: || &mix::TIME,
    examples: &[("now.hour >= 17 && now.hour < 19", "from five to seven")],
};

/// Every one.
pub static USES: [&Use; 3] = [&OFFER, &PRICE_RULE, &SCOPE];
