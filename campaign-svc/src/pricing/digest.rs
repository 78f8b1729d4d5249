//! What a quote was made for, in 32 bytes.

use sha2::{Digest, Sha256};
use tandem_kernel::basket;

use super::price::Ask;

/// SHA-256 over the basket, whatever the order of its lines, the place, the customer or guest, and the codes.
pub fn of(ask: &Ask) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(basket::digest(&ask.basket));
    let mut text = |text: &str| {
        // With its length, so that no two lists of texts look the same.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for part in [&ask.place, &ask.customer, &ask.guest_key] {
        text(part);
    }
    ask.codes.iter().for_each(|code| text(code));
    hash.finalize().into()
}
