//! Pure codec: no state, no crypto, no allocation while decoding, no panic path.

pub(crate) mod enums;
