//! The checks of the model that can be left out one at a time, to see that a property notices.

/// One check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Guard {
    /// A Finished has to be right.
    FinishedVerified,
    /// In 1.2 a Finished counts only after the ChangeCipherSpec, under keys.
    FinishedAfterCcs,
    /// A ChangeCipherSpec switches keys only after the message in front of it.
    CcsInPlace,
    /// Records have to authenticate.
    SealChecked,
    /// A record number is taken once.
    ReplayDropped,
    /// Plaintext is dropped once the next epoch is keyed.
    PlaintextAfterKeys,
    /// Application data counts only under application keys.
    DataUnderKeys,
    /// Application data counts only when the handshake is complete.
    DataWhenConnected,
    /// A message with a `message_seq` of the past is not processed again.
    SeqChecked,
    /// A listener asks for a cookie.
    CookieAsked,
    /// A cookie has to be right.
    CookieChecked,
    /// A hello that was asked for a group has to bring a share for it.
    ShareAfterRetry,
    /// A HelloRetryRequest comes once.
    RetryOnce,
    /// A HelloRetryRequest changes something.
    RetryChanges,
    /// The suite is one that was offered.
    SuiteOffered,
    /// The PSK that the server chose is one that was offered.
    PskOffered,
    /// The session id is not echoed in 1.3.
    SessionIdEmpty,
    /// Extended master secret in 1.2.
    EmsRequired,
    /// The downgrade sentinel ends the handshake.
    SentinelChecked,
    /// A server chooses the newest version both ends have.
    NewestVersion,
    /// The binder has to be right.
    BinderChecked,
    /// The key exchange of the server can't be left out.
    KeyExchangeRequired,
    /// EncryptedExtensions can't be left out.
    EncryptedExtensionsRequired,
    /// A message that nobody asked for ends the handshake.
    UnexpectedRefused,
    /// A new handshake inside a connection is refused.
    RenegotiationRefused,
    /// An ACK counts only once 1.3 is known.
    AckInKnownVersion,
    /// An ACK can't name an epoch above its own.
    AckEpochBound,
    /// What was acknowledged is not sent again.
    AckedOmitted,
    /// A closed connection is silent.
    SilentWhenClosed,
    /// A flight is sent again when its timer expires.
    FlightTimer,
    /// The 1.2 server sends its last flight again for the client's.
    LastFlightKept,
    /// The 1.3 server acknowledges the client's last flight.
    LastFlightAcked,
    /// The 1.3 server acknowledges it again when it comes again.
    LastAckRepeated,
    /// Messages that overtook others wait for them or are dropped.
    OrderKept,
    /// The version of a HelloRetryRequest stays.
    RetryFixesVersion,
    /// A HelloRetryRequest asks for a group that was offered, and not for the one there is a share of.
    RetryGroupChecked,
    /// DTLS 1.0 is refused.
    OldVersionRefused,
    /// The version is one that was offered.
    VersionOffered,
    /// The server's part of the key has to be right.
    ServerKeyExchangeChecked,
    /// The identity in a ClientKeyExchange has to be known.
    ClientKeyExchangeChecked,
    /// Without a key the handshake ends.
    PskNeeded,
    /// A message that cannot be read, in its place, ends the handshake.
    MalformedRefused,
    /// Who fails says why.
    AlertSent,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::FinishedVerified,
        Self::FinishedAfterCcs,
        Self::CcsInPlace,
        Self::SealChecked,
        Self::ReplayDropped,
        Self::PlaintextAfterKeys,
        Self::DataUnderKeys,
        Self::DataWhenConnected,
        Self::SeqChecked,
        Self::CookieAsked,
        Self::CookieChecked,
        Self::ShareAfterRetry,
        Self::RetryOnce,
        Self::RetryChanges,
        Self::SuiteOffered,
        Self::PskOffered,
        Self::SessionIdEmpty,
        Self::EmsRequired,
        Self::SentinelChecked,
        Self::NewestVersion,
        Self::BinderChecked,
        Self::KeyExchangeRequired,
        Self::EncryptedExtensionsRequired,
        Self::UnexpectedRefused,
        Self::RenegotiationRefused,
        Self::AckInKnownVersion,
        Self::AckEpochBound,
        Self::AckedOmitted,
        Self::SilentWhenClosed,
        Self::FlightTimer,
        Self::LastFlightKept,
        Self::LastFlightAcked,
        Self::LastAckRepeated,
        Self::OrderKept,
        Self::RetryFixesVersion,
        Self::RetryGroupChecked,
        Self::OldVersionRefused,
        Self::VersionOffered,
        Self::ServerKeyExchangeChecked,
        Self::ClientKeyExchangeChecked,
        Self::PskNeeded,
        Self::MalformedRefused,
        Self::AlertSent,
    ];
}
