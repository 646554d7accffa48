//! Pure codec: no state, no crypto, no allocation while decoding, no panic path.
//!
//! Decoding borrows from the input and is strict: a field that runs past the end, bytes after the last field and lengths
//! outside their bounds are errors. It knows the shape of messages and nothing about when they may arrive, which values
//! were offered or what is acceptable.

#[cfg(test)]
#[macro_use]
mod properties;

pub(crate) mod codec;
pub(crate) mod enums;
pub(crate) mod extensions;
pub(crate) mod handshake;
pub(crate) mod hello;
pub(crate) mod kx12;
pub(crate) mod kx13;
pub(crate) mod record;
