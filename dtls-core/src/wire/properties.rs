//! What every message of the wire has to satisfy, for the tests of each.

use alloc::vec::Vec;

use super::extensions::{Extensions, U16List};
use proptest::{collection::vec, prelude::*, sample::Index};

/// Asserts that bytes accepted by `$message::parse` are the only encoding of what was parsed, and that neither fewer nor
/// more bytes are accepted. Does nothing if they are not accepted.
macro_rules! assert_canonical {
    ($message:ident, $bytes:expr) => {{
        let bytes: &[u8] = $bytes;
        if let Ok(message) = $message::parse(bytes) {
            let written = $crate::wire::codec::encode_to_vec(|w| message.write(w)).unwrap();
            assert_eq!(written, bytes);
            for n in 0..bytes.len() {
                assert!($message::parse(&bytes[..n]).is_err(), "accepted {n} of {} bytes", bytes.len());
            }
            let longer = [bytes, &[0]].concat();
            assert_eq!($message::parse(&longer), Err(DecodeError::Trailing));
        }
    }};
}

/// Asserts that `$message` is written and parsed back as it was, and writes nothing else.
macro_rules! assert_round_trip {
    ($message:ident, $value:expr) => {{
        let value = $value;
        let written = $crate::wire::codec::encode_to_vec(|w| value.write(w)).unwrap();
        assert_eq!($message::parse(&written).as_ref(), Ok(&value));
        assert_canonical!($message, &written);
    }};
}

pub(super) fn bytes(len: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), len)
}

/// Arbitrary bytes, or one of `valid` with up to three bytes replaced and perhaps an end cut off, which gets further.
pub(super) fn hostile(valid: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<Index>(), prop_oneof![any::<u8>(), 0..4u8]), 0..=3);
    let near =
        (prop::sample::select(valid), edits, any::<Option<Index>>()).prop_map(|(valid, edits, cut)| {
            let mut bytes = valid.to_vec();
            for (at, value) in edits {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        });
    prop_oneof![1 => bytes(0..=80), 3 => near]
}

/// What [`Extensions`] borrow.
#[derive(Debug)]
pub(super) struct OwnedExtensions {
    groups: Option<Vec<u8>>,
    formats: Option<Vec<u8>>,
    extended_master_secret: bool,
    renegotiated_connection: Option<Vec<u8>>,
}

impl OwnedExtensions {
    pub(super) fn as_extensions(&self) -> Extensions<'_> {
        Extensions {
            supported_groups: self.groups.as_deref().map(U16List),
            ec_point_formats: self.formats.as_deref(),
            extended_master_secret: self.extended_master_secret,
            renegotiation_info: self.renegotiated_connection.as_deref(),
            ..Extensions::default()
        }
    }
}

pub(super) fn owned_extensions() -> impl Strategy<Value = OwnedExtensions> {
    let optional = |len| prop::option::of(bytes(len));
    (prop::option::of(u16_list()), optional(1..=255), any::<bool>(), optional(0..=255)).prop_map(
        |(groups, formats, extended_master_secret, renegotiated_connection)| OwnedExtensions {
            groups,
            formats,
            extended_master_secret,
            renegotiated_connection,
        },
    )
}

/// The bytes of a [`U16List`].
pub(super) fn u16_list() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<[u8; 2]>(), 1..=60).prop_map(|pairs| pairs.concat())
}
