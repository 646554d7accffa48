//! The server's first step: which version to answer a ClientHello with, whose sender has proved its address.

use super::{v12, v13};
use crate::{
    config::ServerConfig,
    error::{Error, PeerIncompatible, PeerMisbehaved},
    handshake::{
        ConfigRef, Cx, State,
        negotiate::{COMPRESSION_NULL, choose_version},
        unexpected,
    },
    wire::{
        enums::{HandshakeType, ProtocolVersion},
        handshake::Message,
        hello::ClientHello,
    },
};

/// Nothing was received yet.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct ExpectClientHello {
    pub(crate) config: ConfigRef<ServerConfig>,
    /// The HelloRetryRequest that this hello answers, if the listener sent one.
    pub(crate) retry: Option<Retried>,
}

/// What the cookie of a HelloRetryRequest says about the exchange so far, which the listener has not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Retried {
    /// The hash of the first ClientHello under the hash of the suite.
    pub(crate) hello_hash: alloc::vec::Vec<u8>,
    /// Whether the request asked for a group.
    pub(crate) asked_group: bool,
}

impl ExpectClientHello {
    pub(crate) fn on_message(self, message: &Message<'_>, cx: &mut Cx<'_>) -> Result<State, Error> {
        if message.typ != HandshakeType::CLIENT_HELLO {
            return Err(unexpected());
        }
        let hello = ClientHello::parse(message.body)?;
        if hello.extensions.misplaced {
            return Err(PeerMisbehaved::MisplacedExtension.into());
        }
        if !hello.compression.contains(&COMPRESSION_NULL) {
            return Err(PeerMisbehaved::NoNullCompression.into());
        }
        match choose_version(&self.config.0.settings, &hello) {
            Some(ProtocolVersion::DTLS1_3) => v13::on_client_hello(self, message, &hello, cx),
            Some(_) => v12::on_client_hello(self.config, message, &hello, cx),
            None => Err(PeerIncompatible::NoCommonVersion.into()),
        }
    }
}
