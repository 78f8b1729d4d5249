//! The sealed promise of a quote.

use prost::Message;
use tandem_kernel::seal::{Keyring, SealError};

use crate::common::v1;

/// Why a quote token says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// The seal is not ours or does not fit.
    Seal(SealError),
    /// Sealed by us, but not a quote.
    NotAQuote,
}

impl std::fmt::Display for TokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seal(error) => error.fmt(f),
            Self::NotAQuote => f.write_str("sealed, but not a quote"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Seals `claims` into a quote token.
pub fn seal_claims(claims: &v1::QuoteClaims, keys: &Keyring) -> String {
    keys.seal(&claims.encode_to_vec())
}

/// Opens a quote token. Says nothing about whether it has lapsed or whose it is.
///
/// # Errors
/// [`TokenError`].
pub fn open_claims(token: &str, keys: &Keyring) -> Result<v1::QuoteClaims, TokenError> {
    let payload = keys.open(token).map_err(TokenError::Seal)?;
    v1::QuoteClaims::decode(payload.as_slice()).map_err(|_| TokenError::NotAQuote)
}
