//! wolfSSL as a peer in tests: both sides of a connection, a real UDP socket each, and a link that may lose chosen datagrams.
//!
//! wolfSSL is the only other implementation of DTLS 1.3 with pre-shared keys that a test can have. This is the one place of
//! the project with unsafe code: the calls into its C library, all in [`wolf`].

pub mod case;
pub mod pair;
pub mod peer;
pub mod wolf;

/// The identity of all tests.
pub const IDENTITY: &str = "sensor-1";
/// The pre-shared key of all tests.
pub const KEY: [u8; 32] = [0x5a; 32];
