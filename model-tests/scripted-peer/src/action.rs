//! What a peer can be told to send: one record at a time, with names for what may be wrong with it.

use dtls_core::HandshakeType;

/// One record to send.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Record {
    /// 0 is plaintext; 1 that of DTLS 1.2 after ChangeCipherSpec; 2 and 3 those of handshake and application data in DTLS 1.3.
    /// Where this peer has no keys of an epoch, a record of it is junk of the right form.
    pub epoch: u16,
    /// Whether it authenticates.
    pub seal: Seal,
    /// Which number it has.
    pub number: Number,
    /// What is in it.
    pub content: Content,
}

/// Whether a record authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Seal {
    /// As well as the peer's keys can make it.
    Genuine,
    /// A bit of the last byte is wrong: of the tag, or in epoch 0 of what is said.
    Broken,
}

/// Which number a record has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Number {
    /// The next one of its epoch.
    Fresh,
    /// The very bytes of the last genuine record with this epoch and content; if none was sent, of the last of this epoch; a
    /// fresh record if there is none of those either.
    Replay,
    /// This one, whatever was sent before.
    At(u64),
}

/// What is in a record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Content {
    /// A handshake message or a piece of one.
    Handshake(Handshake),
    /// ChangeCipherSpec.
    ChangeCipherSpec,
    /// An alert.
    Alert {
        /// 1 or 2, or wrong.
        level: u8,
        /// Its code.
        description: u8,
    },
    /// Application data.
    Data(Vec<u8>),
    /// An ACK (RFC 9147 §7).
    Ack(AckList),
    /// Any content type with any bytes.
    Raw(u8, Vec<u8>),
}

/// Which records an ACK names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum AckList {
    /// None.
    Empty,
    /// Those that brought the other end's newest flight, each time it came.
    Received,
    /// One that the other end has not sent.
    NeverSent,
    /// These, as epoch and sequence number.
    Numbers(Vec<(u64, u64)>),
}

/// A handshake message on its way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Handshake {
    /// Which message.
    pub message: Message,
    /// Its number.
    pub seq: Seq,
    /// How much of it.
    pub piece: Piece,
}

/// The message_seq of a handshake message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Seq {
    /// The one after those that the other end has taken in.
    Next,
    /// That of the last message of this type which the other end has taken in, whose bytes come again; without one, the one
    /// before [`Self::Next`].
    Old,
    /// The one after [`Self::Next`].
    Ahead,
    /// This one.
    At(u16),
}

/// How much of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Piece {
    /// All of it.
    Whole,
    /// The first byte; of an empty message, nothing of it.
    First,
    /// What [`Self::First`] leaves.
    Rest,
    /// Bytes from the first number up to the second.
    Range(usize, usize),
}

/// A handshake message, right unless it says otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Message {
    /// HelloRequest.
    HelloRequest,
    /// ClientHello.
    ClientHello(ClientForm),
    /// HelloVerifyRequest with this cookie.
    HelloVerifyRequest(Vec<u8>),
    /// HelloRetryRequest.
    HelloRetryRequest(RetryForm),
    /// ServerHello.
    ServerHello(ServerForm),
    /// EncryptedExtensions.
    EncryptedExtensions(Extra),
    /// ServerKeyExchange: of ECDHE_PSK if that is negotiated, else a hint.
    ServerKeyExchange(KeyExchange),
    /// ServerHelloDone.
    ServerHelloDone,
    /// ClientKeyExchange.
    ClientKeyExchange(KeyExchange),
    /// CertificateRequest of the negotiated version.
    CertificateRequest,
    /// Certificate without any certificates.
    Certificate,
    /// CertificateVerify with a signature of no worth.
    CertificateVerify,
    /// Finished, which is right for the transcript of what this peer has sent and received; or wrong.
    Finished {
        /// Whether it is right.
        ok: bool,
    },
    /// KeyUpdate.
    KeyUpdate {
        /// Whether the other end shall update as well.
        request: bool,
    },
    /// NewSessionTicket of DTLS 1.3.
    NewSessionTicket,
    /// EndOfEarlyData, which DTLS has not.
    EndOfEarlyData,
    /// Any type with any body.
    Other(u8, Vec<u8>),
}

/// A ClientHello.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct ClientForm {
    /// Which versions it offers.
    pub versions: Versions,
    /// Which cookie it brings back.
    pub cookie: Cookie,
    /// Which key it offers for DTLS 1.3.
    pub psk: PskForm,
    /// For which group it brings a key.
    pub group: GroupForm,
    /// Whether it offers any suite of the settings, or only one that nobody knows.
    pub known_suites: bool,
    /// What is wrong with it besides.
    pub defect: Option<ClientDefect>,
}

/// Which versions a hello offers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Versions {
    /// Those of the settings.
    Settings,
    /// DTLS 1.2 only.
    V12,
    /// DTLS 1.3 only.
    V13,
    /// Both.
    Both,
    /// DTLS 1.0 only.
    V10,
}

/// The cookie of a ClientHello.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Cookie {
    /// None.
    None,
    /// The one that the other end asked for last, if it did.
    Received,
    /// That with a bit changed, or one of its own.
    Bad,
}

/// The pre-shared key of a ClientHello.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum PskForm {
    /// The key of the settings.
    Good,
    /// A key whose binder is wrong.
    BadBinder,
    /// An identity that nobody knows.
    Unknown,
    /// None.
    None,
}

/// The key share of a ClientHello, a ServerHello or a ServerKeyExchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum GroupForm {
    /// For the group of the settings; of a server, for the other one if the client has sent a key for that.
    Good,
    /// Of a client: for its other group, while it speaks that of the settings too. Of a server: for the other group.
    Other,
    /// For a group that nobody knows.
    Unknown,
    /// None, though one is due.
    None,
}

/// What can be wrong with a ClientHello besides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(missing_docs, reason = "named after the fault")]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum ClientDefect {
    NoNullCompression,
    LegacyCookie,
    OtherRandom,
    NoExtendedMasterSecret,
    NoPskModes,
    PskNotLast,
    ExtensionTwice,
    NonEmptyRenegotiationInfo,
    BadKeyShare,
    NoExtensions,
}

/// A HelloRetryRequest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct RetryForm {
    /// Its cookie, if any.
    pub cookie: Option<Vec<u8>>,
    /// The group it asks for, if any: the one in the settings, which the client should not have a share for; the one it has
    /// sent a share for; or one it does not speak.
    pub group: Option<GroupForm>,
    /// Whether the suite is one that was offered.
    pub known_suite: bool,
}

/// A ServerHello.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct ServerForm {
    /// DTLS 1.3 or DTLS 1.2; [`Versions::Settings`] is the newest that the client offers and the settings have.
    pub version: Versions,
    /// The key share, where the settings want one.
    pub group: GroupForm,
    /// Whether the suite is one that was offered.
    pub known_suite: bool,
    /// What is wrong with it besides.
    pub defect: Option<ServerDefect>,
}

/// What can be wrong with a ServerHello besides.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(missing_docs, reason = "named after the fault")]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum ServerDefect {
    Compression,
    SessionId,
    LegacyVersion,
    NoPsk,
    OtherPsk,
    NoExtendedMasterSecret,
    UnknownExtension,
    MisplacedExtension,
    DowngradeSentinel,
    NonEmptyRenegotiationInfo,
    BadKeyShare,
    /// The other suite of the settings' version, if it has one.
    OtherSuite,
}

/// An extension more than there should be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_enums, reason = "plain data")]
pub enum Extra {
    /// None.
    None,
    /// One that nobody asked for.
    Unknown,
    /// One that belongs into another message.
    Misplaced,
}

/// A ServerKeyExchange or ClientKeyExchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct KeyExchange {
    /// The identity of a client; of no meaning for a server.
    pub known_identity: bool,
    /// Of a server: the group of its key.
    pub group: GroupForm,
    /// Whether the public key is one.
    pub good_key: bool,
}

impl Record {
    /// A genuine record with a fresh number.
    pub const fn new(epoch: u16, content: Content) -> Self {
        Self { epoch, seal: Seal::Genuine, number: Number::Fresh, content }
    }

    /// A whole handshake message with the next number.
    pub const fn message(epoch: u16, message: Message) -> Self {
        let handshake = Handshake { message, seq: Seq::Next, piece: Piece::Whole };
        Self::new(epoch, Content::Handshake(handshake))
    }
}

impl Message {
    /// Its type.
    pub const fn typ(&self) -> HandshakeType {
        match self {
            Self::HelloRequest => HandshakeType::HELLO_REQUEST,
            Self::ClientHello(_) => HandshakeType::CLIENT_HELLO,
            Self::HelloVerifyRequest(_) => HandshakeType::HELLO_VERIFY_REQUEST,
            Self::HelloRetryRequest(_) | Self::ServerHello(_) => HandshakeType::SERVER_HELLO,
            Self::EncryptedExtensions(_) => HandshakeType::ENCRYPTED_EXTENSIONS,
            Self::ServerKeyExchange(_) => HandshakeType::SERVER_KEY_EXCHANGE,
            Self::ServerHelloDone => HandshakeType::SERVER_HELLO_DONE,
            Self::ClientKeyExchange(_) => HandshakeType::CLIENT_KEY_EXCHANGE,
            Self::CertificateRequest => HandshakeType::CERTIFICATE_REQUEST,
            Self::Certificate => HandshakeType::CERTIFICATE,
            Self::CertificateVerify => HandshakeType::CERTIFICATE_VERIFY,
            Self::Finished { .. } => HandshakeType::FINISHED,
            Self::KeyUpdate { .. } => HandshakeType::KEY_UPDATE,
            Self::NewSessionTicket => HandshakeType::NEW_SESSION_TICKET,
            Self::EndOfEarlyData => HandshakeType(5),
            Self::Other(typ, _) => HandshakeType(*typ),
        }
    }
}

impl Default for ClientForm {
    fn default() -> Self {
        Self {
            versions: Versions::Settings,
            cookie: Cookie::Received,
            psk: PskForm::Good,
            group: GroupForm::Good,
            known_suites: true,
            defect: None,
        }
    }
}

impl Default for ServerForm {
    fn default() -> Self {
        Self { version: Versions::Settings, group: GroupForm::Good, known_suite: true, defect: None }
    }
}

impl Default for KeyExchange {
    fn default() -> Self {
        Self { known_identity: true, group: GroupForm::Good, good_key: true }
    }
}
