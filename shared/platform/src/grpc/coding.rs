//! gzip and zstd, of one message at a time.

use std::io::{self, Read, Write};

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// What stands before each message: whether it is compressed, and how long it is.
pub const PREFIX: usize = 5;
/// Fast rather than small: a network that needs more than this is slower than any client.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// How messages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`
    Gzip,
    /// `zstd`
    Zstd,
}

impl Coding {
    /// What is accepted, in the words of `grpc-accept-encoding`.
    pub const ALL: &'static str = "zstd,gzip,identity";

    /// As headers say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Of a header's word.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Zstd, Self::Gzip].into_iter().find(|coding| coding.name() == name.trim())
    }

    /// The better one of those that a client accepts; zstd takes a fifth of the time.
    pub fn of_accepted(names: &str) -> Option<Self> {
        let accepted = |coding: Self| names.split(',').any(|name| Self::parse(name) == Some(coding));
        [Self::Zstd, Self::Gzip].into_iter().find(|coding| accepted(*coding))
    }

    /// The message, smaller, with its prefix; `None` where it would not be.
    pub fn compressed(self, message: &[u8]) -> Option<Bytes> {
        let mut into = prefixed(true, 0, message.len() / 2).writer();
        let written = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(&mut into, Compression::new(GZIP_LEVEL));
                encoder.write_all(message).and_then(|()| encoder.finish().map(|_| ()))
            }
            Self::Zstd => zstd::stream::copy_encode(message, &mut into, ZSTD_LEVEL),
        };
        let mut into = into.into_inner();
        let length = into.len() - PREFIX;
        written.ok().filter(|()| length < message.len())?;
        into[1..PREFIX].copy_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
        Some(into.freeze())
    }

    /// The message as it was, with its prefix. One that is longer than `limit` is not read to its end: what is answered
    /// then says so in its prefix, and whoever reads that refuses it.
    pub fn decompressed(self, message: &[u8], limit: usize) -> io::Result<Bytes> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut plain = Vec::new();
        match self {
            Self::Gzip => GzDecoder::new(message).take(most).read_to_end(&mut plain)?,
            Self::Zstd => zstd::stream::Decoder::with_buffer(message)?.take(most).read_to_end(&mut plain)?,
        };
        if plain.len() > limit {
            return Ok(announced(plain.len()));
        }
        let mut into = prefixed(false, plain.len(), plain.len());
        into.extend_from_slice(&plain);
        Ok(into.freeze())
    }
}

/// The prefix of a message of `length`, uncompressed.
pub fn announced(length: usize) -> Bytes {
    prefixed(false, length, 0).freeze()
}

/// The prefix of a message of `length`, with room for `more`.
fn prefixed(compressed: bool, length: usize, more: usize) -> BytesMut {
    let mut into = BytesMut::with_capacity(PREFIX + more);
    into.put_u8(compressed.into());
    into.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    into
}

/// Whether the message at the beginning of `bytes` is compressed, and its length; `None` where the prefix is not whole.
pub fn prefix(bytes: &[u8]) -> Option<(bool, usize)> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    Some((prefix[0] == 1, usize::try_from(length).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_what_is_not_worth_it_is_left() {
        let text = "a line of an order, and another one. ".repeat(1_000);
        for coding in [Coding::Gzip, Coding::Zstd] {
            let small = coding.compressed(text.as_bytes()).unwrap();
            assert!(small.len() < text.len() / 10);
            assert_eq!(prefix(&small), Some((true, small.len() - PREFIX)));
            let plain = coding.decompressed(&small[PREFIX..], text.len()).unwrap();
            assert_eq!(prefix(&plain), Some((false, text.len())));
            assert_eq!(&plain[PREFIX..], text.as_bytes());
            assert_eq!(coding.compressed(b"short"), None);
            assert!(coding.decompressed(b"not compressed at all", 100).is_err());
        }
    }

    #[test]
    fn what_is_too_long_is_not_read_to_its_end() {
        let bomb = vec![0; 64 * 1024 * 1024];
        for coding in [Coding::Gzip, Coding::Zstd] {
            let small = coding.compressed(&bomb).unwrap();
            let plain = coding.decompressed(&small[PREFIX..], 1_000).unwrap();
            assert_eq!((plain.len(), prefix(&plain)), (PREFIX, Some((false, 1_001))));
        }
    }

    #[test]
    fn the_better_one_is_chosen_of_what_is_accepted() {
        assert_eq!(Coding::of_accepted("identity, gzip,zstd"), Some(Coding::Zstd));
        assert_eq!(Coding::of_accepted("identity,deflate,gzip"), Some(Coding::Gzip));
        assert_eq!(Coding::of_accepted("identity,deflate"), None);
    }
}
