//! Writes protobuf messages straight from what was decided.
//!
//! An answer with 20 offers on 10 lines holds some 250 amounts. As generated types each is a struct with a text of its
//! own on the heap, measured twice before it is written: more work than the pricing. Written in one go it is a tenth.
//!
//! As the generated types do, fields with their default value are left out, and lengths are in their shortest form.

/// A message being written.
#[derive(Debug, Default)]
pub struct Wire(Vec<u8>);

const VARINT: u32 = 0;
const LENGTH: u32 = 2;
/// Bytes of the longest length of a nested message.
const MAX_HEADER: usize = 10;

impl Wire {
    /// An empty message with room for `bytes`.
    pub fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    /// An int64, int32 or enum.
    pub fn number(&mut self, field: u32, value: i64) {
        if value != 0 {
            self.key(field, VARINT);
            self.varint(value.cast_unsigned());
        }
    }

    /// An optional int64 that is there.
    pub fn present(&mut self, field: u32, value: i64) {
        self.key(field, VARINT);
        self.varint(value.cast_unsigned());
    }

    /// A uint32.
    pub fn count(&mut self, field: u32, value: usize) {
        if value != 0 {
            self.key(field, VARINT);
            self.varint(value as u64);
        }
    }

    /// A bool.
    pub fn truth(&mut self, field: u32, value: bool) {
        self.number(field, value.into());
    }

    /// A string.
    pub fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// A string in two parts.
    pub fn joined(&mut self, field: u32, first: &str, second: &str) {
        if first.len() + second.len() > 0 {
            self.key(field, LENGTH);
            self.varint((first.len() + second.len()) as u64);
            self.0.extend_from_slice(first.as_bytes());
            self.0.extend_from_slice(second.as_bytes());
        }
    }

    /// A string or bytes.
    pub fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.whole(field, value);
        }
    }

    /// Optional bytes that are there, be they none.
    pub fn whole(&mut self, field: u32, value: &[u8]) {
        self.key(field, LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A message, present even where it is empty; once more for each item of a repeated one.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        let place = self.0.len();
        // One byte for the length, which is enough for most; the rest is moved where it is not.
        self.0.push(0);
        write(self);
        let length = self.0.len() - place - 1;
        if length < 0x80 {
            self.0[place] = length as u8;
            return;
        }
        let mut header = Self(Vec::with_capacity(MAX_HEADER));
        header.varint(length as u64);
        self.0.splice(place..=place, header.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use tandem_proto::common::v1::{Money, QuoteClaims, SealedCode, SealedLine, SealedShare};

    use super::Wire;

    proptest! {
        #[test]
        fn it_writes_what_the_generated_types_write(
            currency_code in "[A-Z]{0,3}",
            units in any::<i64>(),
            nanos in any::<i32>(),
        ) {
            let mut wire = Wire::default();
            wire.text(1, &currency_code);
            wire.number(2, units);
            wire.number(3, nanos.into());
            prop_assert_eq!(wire.finish(), Money { currency_code, units, nanos }.encode_to_vec());
        }

        #[test]
        fn nested_messages_of_any_length_are_framed(
            ids in proptest::collection::vec("[a-z]{0,200}", 0..30),
            shares in proptest::collection::vec((any::<u32>(), any::<i64>()), 0..2_000),
            tender in any::<bool>(),
        ) {
            let mut wire = Wire::default();
            for id in &ids {
                wire.message(12, |wire| wire.joined(1, &id[..id.len() / 2], &id[id.len() / 2..]));
            }
            wire.message(14, |wire| {
                for (line, minor) in &shares {
                    wire.message(5, |wire| {
                        wire.count(1, *line as usize);
                        wire.number(2, *minor);
                    });
                }
                wire.truth(7, tender);
            });
            let shares = shares.iter().map(|(line, minor)| SealedShare { line: *line, minor: *minor }).collect();
            let claims = QuoteClaims {
                lines: ids.into_iter().map(|id| SealedLine { id, ..SealedLine::default() }).collect(),
                codes: vec![SealedCode { shares, tender, ..SealedCode::default() }],
                ..QuoteClaims::default()
            };
            prop_assert_eq!(wire.finish(), claims.encode_to_vec());
        }
    }
}
