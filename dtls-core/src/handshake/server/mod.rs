//! The server's side of the handshake: `hello` until the version is known, then one module per version.

pub(crate) mod hello;
pub(crate) mod v12;
pub(crate) mod v13;
