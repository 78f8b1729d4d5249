//! Quote tokens that are not what they say.

use prost::Message;
use tandem_kernel::seal::Keyring;
use tandem_proto::common::v1::QuoteClaims;
use tandem_proto::relationship::v1::RedeemVouchersRequest;
use tandem_proto::relationship::v1::redeem_vouchers_request::What;
use tandem_tests::stage::{in_seconds, quoted, redeem_quote, sealed};

/// "another-key-that-nobody-shares-here", in base64.
const SECRET: &str = "YW5vdGhlci1rZXktdGhhdC1ub2JvZHktc2hhcmVzLWhlcmU=";

/// What the stage's code gives in a quote.
pub fn honest(order: &str) -> QuoteClaims {
    quoted(order, "customers/ada", &[("GOOD", "good", 100)])
}

/// Redeems `token` for ada's order.
pub fn redeem(token: String) -> RedeemVouchersRequest {
    RedeemVouchersRequest { what: Some(What::QuoteToken(token)), ..redeem_quote("order", &honest("order")) }
}

/// Sealed by somebody who calls the key as we do.
pub fn forged() -> String {
    under("development")
}

/// Sealed with a key that nobody here has.
pub fn foreign() -> String {
    under("elsewhere")
}

fn under(id: &str) -> String {
    let keys = Keyring::parse(&format!("{id}:{SECRET}")).expect("a key");
    keys.seal(&honest("order").encode_to_vec())
}

/// One character is another.
pub fn altered() -> String {
    let token = sealed(&honest("order"));
    let place = token.len() / 2;
    let other = if token.as_bytes()[place] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &token[..place], &token[place + 1..])
}

/// Sealed by us, but not a quote.
pub fn no_quote() -> String {
    let mut claims = honest("order");
    claims.currency_code = "NONE".to_owned();
    sealed(&claims)
}

/// Its time is over.
pub fn lapsed() -> String {
    let times = (Some(in_seconds(-1_000)), Some(in_seconds(-100)));
    let claims = QuoteClaims { issue_time: times.0, expire_time: times.1, ..honest("order") };
    sealed(&claims)
}
