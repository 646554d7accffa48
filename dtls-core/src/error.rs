//! Three kinds of failure that never turn into one another by accident.
//!
//! - [`Discard`]: noise. A record or datagram was dropped, counted, and nothing else happened. There is no conversion from
//!   `Discard` to `Error`, so `?` cannot turn noise into death.
//! - [`Error`]: fatal for the connection. Each one maps to exactly one alert, or none, in [`Error::alert`].
//! - [`ConfigError`], [`SendError`], [`ApiMisuse`]: the caller's own input was refused; the connection is as it was.

use core::fmt;

use crate::{alert::AlertDescription, crypto::CryptoError, rand::RngError};

/// Declares a fieldless error enum whose sentence stands beside each variant, and the list of all variants for tests.
macro_rules! rules {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $id:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vmeta])* #[doc = $text] $id,)* }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// The reason in plain words, without a full stop.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$id => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.describe())
            }
        }

        impl core::error::Error for $name {}
    };
}

rules! {
    /// Why bytes could not be decoded. All are answered by `decode_error`.
    DecodeError {
        Truncated => "a field runs past the end",
        Trailing => "bytes are left after the last field",
        Length => "a length is outside its bounds",
        Value => "a value is not one of those defined",
        DuplicateExtension => "an extension appears twice",
    }
}

rules! {
    /// Why a record or datagram was dropped without any other effect.
    Discard {
        Malformed => "not a record: header, length or content type is wrong",
        TooLong => "the record is longer than the protocol allows",
        UnknownEpoch => "no keys for the record's epoch yet, or any more",
        Replay => "this record number was already received",
        TooOld => "the record number is left of the replay window",
        BadTag => "the record does not authenticate",
        NoContentType => "the record's plaintext is nothing but padding",
        WrongVersion => "the record carries another protocol version",
        PlaintextAfterKeys => "an unprotected record after its epoch was replaced by a keyed one",
        UnexpectedContent => "this content type is not expected in this epoch or state",
        EarlyData => "application data before the handshake has completed",
        MalformedFragment => "a handshake fragment header is inconsistent",
        FragmentMismatch => "a fragment contradicts an earlier fragment of the same message",
        FragmentTooLarge => "the handshake message is longer than the configured limit",
        OutsideWindow => "the handshake message is too far ahead",
        NoRoom => "the fragment does not fit into the reassembly limits",
        OldMessage => "the handshake message was already processed",
        MalformedAlert => "an alert that is not two well-formed bytes",
        WarningAlert => "a warning alert without effect",
        MalformedAck => "an unprotected ACK that cannot be right",
        MalformedCcs => "a ChangeCipherSpec that is not the single byte 1",
        Closed => "the connection is closed",
        NotClientHello => "the first message of a new peer is not a ClientHello",
        MalformedClientHello => "the ClientHello of a new peer cannot be decoded",
        NoVersion => "the ClientHello of a new peer offers no version the listener can answer",
        ReplyTooLarge => "the reply would be larger than the request or the output buffer",
        HelloIncomplete => "a fragment of a ClientHello whose rest is still missing",
        NoCookieSecret => "the random source failed, so there is no cookie secret",
        PoolDisabled => "a fragmented ClientHello while reassembly before the cookie is switched off",
        UnknownPeer => "no connection with this peer, and the endpoint takes none from outside",
        EndpointFull => "the endpoint has as many connections or handshakes as it may have",
    }
}

rules! {
    /// A rule the peer broke.
    PeerMisbehaved {
        UnexpectedMessage => "a handshake message out of order",
        SelectedUnofferedSuite => "the server selected a cipher suite that was not offered",
        SelectedUnofferedVersion => "the server selected a protocol version that was not offered",
        BadSelectedVersion => "supported_versions of the server names a version that was not offered",
        SelectedUnofferedGroup => "the server selected a group that was not offered",
        SelectedCompression => "the server selected a compression method",
        NoNullCompression => "the ClientHello does not offer the null compression method",
        MisplacedExtension => "an extension in a message where it may not stand",
        UnofferedExtension => "the server sent an extension that was not offered",
        NonEmptyRenegotiationInfo => "renegotiation_info is not empty in an initial handshake",
        NoUncompressedPointFormat => "ec_point_formats does not list the uncompressed format",
        InvalidKeyShare => "the peer's public key is not valid for the group",
        BadBinder => "the binder of a pre-shared key does not match the hello",
        SelectedUnofferedPsk => "the server selected a pre-shared key that was not offered or does not fit its suite",
        UnexpectedKeyShare => "the server sent a key share where none was asked for, or none where one was needed",
        NonEmptySessionIdEcho => "the server echoed a session id, which DTLS 1.3 forbids",
        NonEmptyLegacyCookie => "the ClientHello of DTLS 1.3 carries a cookie of DTLS 1.2",
        BadCookie => "the cookie is not one of ours for this address and hello",
        SecondHelloRetryRequest => "a second HelloRetryRequest",
        PointlessHelloRetryRequest => "a HelloRetryRequest that changes nothing",
        ChangedAfterHelloRetryRequest => "what HelloRetryRequest settled was changed afterwards",
        Downgrade => "the server's random value says that it was made to choose an older version",
        MissingExtension => "an extension that the hello needs is missing",
        AckOfHigherEpoch => "an ACK names a record of a higher epoch than its own",
        MalformedAck => "an ACK is not a list of record numbers",
        BadFinished => "the Finished message does not match the handshake",
        TooManyHelloVerifyRequests => "more HelloVerifyRequests than a client answers",
        PskIdentityTooLong => "the PSK identity is longer than the configured limit",
        TooManyWarnings => "too many warning alerts",
    }
}

rules! {
    /// Both sides are honest but have nothing in common.
    PeerIncompatible {
        NoCommonVersion => "no protocol version in common",
        NoCommonSuite => "no cipher suite in common",
        NoCommonPskMode => "no way to use a pre-shared key in common",
        NoPskOffered => "the client offers no pre-shared key",
        NoPskSelected => "the server selected no pre-shared key",
        NoCommonGroup => "no group in common",
        ExtendedMasterSecretRequired => "the peer does not support the extended master secret",
        UnknownPskIdentity => "the PSK identity is not known, or its key is wrong",
    }
}

/// A fatal error. It is returned once from the call that met it and is sticky afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A handshake message could not be decoded.
    Decode(DecodeError),
    /// The peer broke a rule.
    Misbehaved(PeerMisbehaved),
    /// The peer has nothing in common with this configuration.
    Incompatible(PeerIncompatible),
    /// The peer sent a fatal alert.
    PeerAlert(AlertDescription),
    /// The flight was retransmitted as often as [`crate::Limits::max_retransmissions`] allows without an answer.
    NoAnswer,
    /// The handshake did not complete before [`crate::Limits::handshake_timeout`].
    HandshakeTimeout,
    /// The random source failed.
    Rng,
    /// A local cryptographic operation failed.
    Crypto,
    /// The application ended the connection with this alert.
    Aborted(AlertDescription),
    /// The record numbers of an epoch, or the message_seq of the handshake, are used up; a new connection is needed
    /// (RFC 6347 §4.1).
    SequenceExhausted,
    /// So many forged records came in under one key that it must not be used any more (RFC 9147 §4.5.3).
    IntegrityLimit,
    /// A bug in this library; the text names the broken invariant.
    Internal(&'static str),
}

impl Error {
    /// The one alert this error sends, or `None` where nothing may be sent.
    pub const fn alert(&self) -> Option<AlertDescription> {
        use AlertDescription as A;
        Some(match self {
            Self::Decode(_) => A::DecodeError,
            Self::Misbehaved(rule) => rule.alert(),
            Self::Incompatible(what) => what.alert(),
            Self::Rng | Self::Crypto | Self::SequenceExhausted | Self::Internal(_) => A::InternalError,
            Self::Aborted(alert) => *alert,
            // Nobody is listening, or the peer has spoken last.
            Self::PeerAlert(_) | Self::NoAnswer | Self::HandshakeTimeout | Self::IntegrityLimit => {
                return None;
            }
        })
    }
}

impl PeerMisbehaved {
    /// The alert that tells the peer which kind of rule it broke.
    pub const fn alert(self) -> AlertDescription {
        use AlertDescription as A;
        match self {
            Self::UnexpectedMessage | Self::TooManyHelloVerifyRequests | Self::TooManyWarnings => {
                A::UnexpectedMessage
            }
            Self::PskIdentityTooLong => A::DecodeError,
            Self::SecondHelloRetryRequest => A::UnexpectedMessage,
            Self::MissingExtension => A::MissingExtension,
            Self::MalformedAck => A::DecodeError,
            Self::SelectedUnofferedSuite
            | Self::BadSelectedVersion
            | Self::MisplacedExtension
            | Self::SelectedUnofferedPsk
            | Self::UnexpectedKeyShare
            | Self::NonEmptySessionIdEcho
            | Self::NonEmptyLegacyCookie
            | Self::BadCookie
            | Self::PointlessHelloRetryRequest
            | Self::ChangedAfterHelloRetryRequest
            | Self::Downgrade
            | Self::AckOfHigherEpoch
            | Self::SelectedUnofferedGroup
            | Self::SelectedCompression
            | Self::NoNullCompression
            | Self::NoUncompressedPointFormat
            | Self::InvalidKeyShare => A::IllegalParameter,
            Self::SelectedUnofferedVersion => A::ProtocolVersion,
            Self::UnofferedExtension => A::UnsupportedExtension,
            Self::NonEmptyRenegotiationInfo => A::HandshakeFailure,
            Self::BadFinished | Self::BadBinder => A::DecryptError,
        }
    }
}

impl PeerIncompatible {
    /// The alert that tells the peer what was missing.
    pub const fn alert(self) -> AlertDescription {
        use AlertDescription as A;
        match self {
            Self::NoCommonVersion => A::ProtocolVersion,
            Self::NoCommonSuite
            | Self::NoCommonPskMode
            | Self::NoPskOffered
            | Self::NoPskSelected
            | Self::NoCommonGroup
            | Self::ExtendedMasterSecretRequired => A::HandshakeFailure,
            // RFC 7925 §4.2: decrypt_error, with no hint about which part was wrong.
            Self::UnknownPskIdentity => A::DecryptError,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(e) => write!(f, "a handshake message cannot be decoded: {e}"),
            Self::Misbehaved(rule) => write!(f, "the peer broke a rule: {rule}"),
            Self::Incompatible(what) => write!(f, "{what}"),
            Self::PeerAlert(alert) => write!(f, "the peer sent the alert {alert}"),
            Self::NoAnswer => f.write_str("the peer did not answer"),
            Self::HandshakeTimeout => f.write_str("the handshake did not complete in time"),
            Self::Rng => f.write_str("the random source failed"),
            Self::Crypto => f.write_str("a cryptographic operation failed"),
            Self::Aborted(alert) => write!(f, "the application ended the connection with {alert}"),
            Self::SequenceExhausted => {
                f.write_str("the record or message numbers of this connection are used up")
            }
            Self::IntegrityLimit => f.write_str("too many forged records came in under one key"),
            Self::Internal(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<DecodeError> for Error {
    fn from(e: DecodeError) -> Self {
        Self::Decode(e)
    }
}

impl From<PeerMisbehaved> for Error {
    fn from(e: PeerMisbehaved) -> Self {
        Self::Misbehaved(e)
    }
}

impl From<PeerIncompatible> for Error {
    fn from(e: PeerIncompatible) -> Self {
        Self::Incompatible(e)
    }
}

impl From<RngError> for Error {
    fn from(_: RngError) -> Self {
        Self::Rng
    }
}

impl From<CryptoError> for Error {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

/// Why application data was not sent. The connection is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake has not completed.
    NotEstablished,
    /// The connection is closed or has failed.
    Closed,
    /// The data is longer than one record may carry: `max` bytes.
    TooLarge {
        /// The most bytes one record may carry.
        max: usize,
    },
    /// The output buffer is too small: `needed` bytes.
    BufferTooSmall {
        /// The size of the record that was to be written.
        needed: usize,
    },
    /// The record numbers of the write epoch are used up (RFC 6347 §4.1).
    SequenceExhausted,
    /// The provider failed to encrypt.
    Crypto,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEstablished => f.write_str("the handshake has not completed"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::TooLarge { max } => {
                write!(f, "the data is too large for one record, which carries at most {max} bytes")
            }
            Self::BufferTooSmall { needed } => {
                write!(f, "the output buffer is too small, the record needs {needed} bytes")
            }
            Self::SequenceExhausted => f.write_str("the record numbers of this connection are used up"),
            Self::Crypto => f.write_str("encryption failed"),
        }
    }
}

impl core::error::Error for SendError {}

rules! {
    /// A call that makes no sense in the connection's state. The connection is unchanged.
    ApiMisuse {
        NoPskWanted => "no PSK was asked for",
        NotEstablished => "the handshake has not completed",
        OutputTooLong => "the requested output is too long",
        LabelTooLong => "the exporter label is longer than 249 bytes",
        LabelReserved => "the exporter label is reserved by the protocol",
        ContextTooLong => "the exporter context is longer than 65,535 bytes",
        PskLength => "a pre-shared key has 1 to 256 bytes",
    }
}

rules! {
    /// A configuration that cannot work. Found when it is built, never later.
    ConfigError {
        PskEmpty => "a pre-shared key is empty",
        PskTooLong => "a pre-shared key is longer than 256 bytes",
        IdentityTooLong => "a PSK identity is longer than 65,535 bytes or than the configured limit",
        NoPsk => "no pre-shared key is configured",
        NoSuites => "no cipher suite is configured",
        UnknownSuite => "a cipher suite is not one this library implements",
        UnsupportedSuite => "the provider has no implementation of a configured cipher suite",
        ImporterHash => "the provider lacks SHA-256, which imported keys need",
        NoPskModes => "DTLS 1.3 is configured but no way to use pre-shared keys",
        NoGroups => "an ECDHE cipher suite is configured but no group",
        UnsupportedGroup => "the provider has no implementation of a configured group",
        MtuTooSmall => "the MTU is below 228 bytes",
        ReplayWindow => "the replay window is not a multiple of 64 between 64 and 1024",
        Reassembly => "a reassembly limit is too small or too large, or holds less than one handshake message",
        Timeout => "a timeout or a period is zero or out of order",
        CookieSecret => "the provider lacks SHA-256, which cookies need",
        PoolLimit => "the ClientHello pool has more than 4,096 slots, or slots of more than 128 KiB",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_sentence_and_one_alert() {
        for rule in PeerMisbehaved::ALL {
            assert!(!rule.describe().is_empty());
            assert_ne!(rule.alert(), AlertDescription::CloseNotify);
        }
        for what in PeerIncompatible::ALL {
            assert_eq!(Error::Incompatible(*what).alert(), Some(what.alert()));
        }
    }

    #[test]
    fn silence_after_a_peer_alert_and_after_a_timeout() {
        assert_eq!(Error::PeerAlert(AlertDescription::InternalError).alert(), None);
        assert_eq!(Error::NoAnswer.alert(), None);
        assert_eq!(Error::HandshakeTimeout.alert(), None);
    }
}
