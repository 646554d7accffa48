//! What the model and the end under test say to each other: abstract inputs and outputs, without bytes.
//!
//! # How an input becomes bytes
//!
//! The peer owns every key that the end under test owns at that moment. Each [`Input::Rx`] is one record in a datagram of
//! its own, under a record number of its epoch that was never used before. "The end" is the end under test.
//!
//! - A protected record ([`Record::epoch`] 1 to 3) of an epoch for which the end has read keys is sealed under those keys.
//!   For an epoch for which it has none (not yet, or not any more), it is sealed under a key of nobody's: noise, now and
//!   for ever.
//!   [`Seal::Broken`] is the same record with one bit of its tag flipped.
//! - A handshake message bears the `message_seq` that its [`Seq`] says, relative to the one the end expects next.
//! - The peer keeps one transcript: what the end sent and what the end processed, in the order of `message_seq`. A
//!   `Finished` that is not bad is right for it. With [`Seq::Ahead`] it is right for the transcript in which the one
//!   message that is still missing in front of it is the one an honest peer would send.
//! - Values the symbol does not name are those of an honest peer, the same for the whole trace: every whole message and its
//!   pieces of one symbol have the same bytes as long as the `message_seq` is the same, except for what depends on the
//!   transcript.
//!
//! # How bytes become outputs
//!
//! After each input everything the end has to send is taken from it, then its events. Outputs are the messages in the
//! order they were sent (a message in several fragments or in a record shared with others is one output), then the
//! events.
//!
//! # Time
//!
//! The clock stands still except at [`Input::Timer`], where it moves to the end's next deadline and the end is told once.
//! The initial retransmission timeout is also the longest (at most a second), there is no limit of retransmissions worth
//! mentioning, and the deadline of the whole handshake is out of reach: if it is the next one, `Timer` does nothing.
//! Delays that a flight or an epoch's keys are kept for (four minutes) are deadlines like others.

/// One thing that happens to the end under test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Input {
    /// A record arrives, in a datagram of its own.
    Rx(Record),
    /// A byte-identical copy of the datagram of the last `Rx` of this trace; nothing if there was none.
    Replay,
    /// Handshake messages the end has processed come again: same `message_seq`, same bytes, sealed in the epoch they
    /// were first sent in, in fresh records of one datagram each. Nothing if there are none. A listener has processed
    /// nothing; the hello that a connection was created by is that connection's first message.
    Again(Again),
    /// The end's next deadline has come.
    Timer,
    /// The application calls.
    App(App),
}

/// Which messages come again. A ChangeCipherSpec belongs to the flight of its Finished. A *complete flight* is one
/// that the end has processed to its last message and answered (or, if it is the last of the handshake, been connected
/// by). What comes after the handshake is no flight. What an end has processed with the input that made it fail does not come
/// again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Again {
    /// The first message of the peer's last complete flight.
    First,
    /// The last handshake message that the end has processed (`message_seq` = next - 1), of whatever flight.
    Last,
    /// All of the peer's last complete flight in order, with its ChangeCipherSpec.
    Flight,
}

/// A call of the application.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum App {
    /// Sends application data; nothing happens on the wire if the end refuses.
    Send,
    /// Closes the connection. At a listener without a connection: nothing.
    Close,
    /// Answers [`Event::NeedPsk`] with the key that the peer uses, whichever identity it named. Nothing if the end
    /// does not wait for it.
    PskFound,
    /// Answers [`Event::NeedPsk`]: there is no such key. Nothing if the end does not wait for it.
    PskNotFound,
}

/// A record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Record {
    /// 0: DTLSPlaintext. 1: first keys of DTLS 1.2; early data in 1.3 (nobody has keys for that). 2: handshake keys of
    /// 1.3. 3: first application keys of 1.3. While the version is open a protected record has the 1.2 form for epoch
    /// 1, the 1.3 form else.
    pub epoch: u8,
    /// Always `Genuine` in epoch 0.
    pub seal: Seal,
    /// What is inside.
    pub content: Content,
}

/// Whether a protected record authenticates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Seal {
    /// It does, if the end has the keys of its epoch.
    Genuine,
    /// A bit of the tag is flipped.
    Broken,
}

/// What a record carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Content {
    /// A handshake message or a piece of one (type 22).
    Handshake(Handshake),
    /// A ChangeCipherSpec (type 20) with its byte 1. Under the keys of 1.3: inner type 20.
    ChangeCipherSpec,
    /// An alert (type 21).
    Alert(Level, Description),
    /// A few bytes of application data (type 23).
    Data,
    /// An ACK (type 26, RFC 9147 §7).
    Ack(Acked),
    /// Content type 30, which nobody has given a meaning.
    Unknown,
}

/// A handshake message or a piece of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Handshake {
    /// Which one.
    pub message: Message,
    /// Its `message_seq`.
    pub seq: Seq,
    /// How much of it.
    pub piece: Piece,
}

/// A `message_seq`, relative to the one the end expects next (after what it had buffered and could process).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Seq {
    /// The one the end expects next. For an end that has no connection yet: 0 for a ClientHello without a cookie, 1
    /// with one.
    Next,
    /// The one after that: a gap of one message.
    Ahead,
    /// That of the beginning of a handshake: for a ClientHello 0 without a cookie and 1 with any cookie, for others 0,
    /// whatever the end expects.
    Start,
}

/// How much of a message one record carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Piece {
    /// All of it, in one fragment.
    Whole,
    /// The first byte of its body. Nothing that symbols of one length disagree about is in it, except in `Finished`.
    First,
    /// All bytes of its body but the first.
    Rest,
}

/// A handshake message, with the fields that decide the flow of control.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message {
    /// To a server.
    ClientHello(ClientHello),
    /// To a client, DTLS 1.2: version 1.0, a cookie of 20 bytes that no other HelloVerifyRequest of the trace has.
    HelloVerifyRequest,
    /// To a client, DTLS 1.3.
    HelloRetryRequest(Retry),
    /// To a client.
    ServerHello(ServerHello),
    /// To a client, 1.2: empty identity hint; with ECDHE_PSK also a public value in a group the client offered, or one in
    /// a group it did not offer.
    ServerKeyExchange(Params),
    /// To a client, 1.2.
    ServerHelloDone,
    /// To a server, 1.2: the identity it has a key for, or another one of another length; with ECDHE_PSK also a valid
    /// public value.
    ClientKeyExchange(Params),
    /// 1.3: empty.
    EncryptedExtensions,
    /// 12 bytes in 1.2, the length of the hash in 1.3. If bad, both the first and the last bit are flipped.
    Finished(Params),
    /// A Certificate of any content that is well-formed for the version.
    Certificate,
    /// A CertificateRequest that is well-formed for the version.
    CertificateRequest,
    /// A CertificateVerify that is well-formed.
    CertificateVerify,
    /// 1.3: well-formed, lifetime of an hour.
    NewSessionTicket,
    /// 1.3: `update_not_requested`.
    KeyUpdate,
    /// TLS 1.3's EndOfEarlyData, which must not exist in DTLS.
    EndOfEarlyData,
    /// 1.2, to a client: empty body.
    HelloRequest,
    /// Handshake type 99, 4 bytes.
    Unknown,
    /// Of the type the end would process next in this state (or a ServerHello or ClientHello where it expects none),
    /// with a byte too many behind its body.
    Malformed,
}

/// Whether the parameters of a message are the right ones; what that means is said at the [`Message`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Params {
    /// As an honest peer would send it.
    Ok,
    /// Well-formed but wrong.
    Bad,
}

/// The fields of a ClientHello that matter. All hellos of a trace have the same random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientHello {
    /// The versions it offers.
    pub offers: Offers,
    /// Its cookie.
    pub cookie: Cookie,
    /// Its PSK; matters only if 1.3 is offered.
    pub psk: Psk,
    /// Whether it offers a suite of each offered version that the server has (and, for 1.3, that fits the PSK).
    pub suite: bool,
    /// 1.3: `false`: the server's group is in `supported_groups`, the key share is for another group the server does not
    /// have. `true`: what the server needs is there (with `psk_ke` there are no groups at all).
    pub share: bool,
    /// 1.2: extended_master_secret is there.
    pub ems: bool,
}

impl ClientHello {
    /// What an honest client that offers `offers` sends first to a server that needs nothing special.
    #[must_use]
    pub const fn first(offers: Offers) -> Self {
        Self { offers, cookie: Cookie::None, psk: Psk::Known, suite: true, share: true, ems: true }
    }
}

/// The versions a ClientHello offers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Offers {
    /// legacy_version 1.0, no supported_versions.
    V10,
    /// legacy_version 1.2, no supported_versions, suites of 1.2 only.
    V12,
    /// supported_versions with 1.3 only, suites of 1.3 only.
    V13,
    /// supported_versions with 1.3 and 1.2, suites of both.
    Both,
}

/// The cookie of a ClientHello.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cookie {
    /// None: `legacy_cookie` empty, no cookie extension.
    None,
    /// A valid one in the field of the version the server would choose: `legacy_cookie` for 1.2, the cookie extension for
    /// 1.3. The peer got it from this listener for the same hello without a cookie, but with `share`, outside of the trace:
    /// the listener keeps no state, so that can't be seen.
    Good,
    /// 1.3: as `Good`, but the first hello was without `share`, so that the HelloRetryRequest asked for a group too.
    Retry,
    /// As `Good` with the last bit flipped.
    Bad,
    /// 1.3 only: no cookie extension, but a `legacy_cookie` of 20 bytes (RFC 9147 §5.3: illegal_parameter).
    Legacy,
}

/// The PSK of a ClientHello of 1.3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Psk {
    /// One identity that the server has a key for, right binder.
    Known,
    /// One identity that the server has no key for.
    Unknown,
    /// A known identity, one bit of the binder flipped.
    BadBinder,
}

/// What a HelloRetryRequest asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Retry {
    /// It has a cookie extension (20 bytes).
    pub cookie: bool,
    /// Its key_share extension.
    pub group: RetryGroup,
}

/// The group a HelloRetryRequest asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RetryGroup {
    /// No key_share extension.
    None,
    /// A group the client supports and has sent no share for.
    New,
    /// The group the client has sent a share for in its first hello.
    Same,
    /// A group the client does not support.
    NotOffered,
}

/// The fields of a ServerHello that matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerHello {
    /// The version it chooses.
    pub version: Version,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// A protocol version as a ServerHello names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// server_version 1.0.
    V10,
    /// server_version 1.2, no supported_versions. Random without a downgrade sentinel unless the flaw says so.
    V12,
    /// supported_versions with 1.3.
    V13,
}

/// What is wrong with a ServerHello.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flaw {
    /// Nothing.
    None,
    /// A suite the client has not offered.
    Suite,
    /// 1.2: no extended_master_secret.
    NoEms,
    /// 1.2: the random ends in the sentinel of a server that could do 1.3 (RFC 8446 §4.1.3).
    Sentinel,
    /// 1.3: selected_identity beyond the client's list.
    Psk,
    /// 1.3: no pre_shared_key extension.
    NoPsk,
    /// 1.3: a key share of a group the client has not offered, of a length that shares of offered groups do not have.
    Share,
    /// 1.3: legacy_session_id_echo of 32 bytes.
    SessionId,
}

/// The level byte of an alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// 1.
    Warning,
    /// 2.
    Fatal,
}

/// The description byte of an alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Description(pub u8);

/// The record numbers in an ACK.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Acked {
    /// None.
    Empty,
    /// Every record in which the end has so far sent messages of its current flight (the last it sent). Empty if there
    /// is none.
    All,
    /// Of those the ones of epoch 0.
    Plain,
    /// A record never sent: the epoch in which the ACK is sent, sequence number 2^40.
    Unknown,
    /// A record of the epoch above that in which the ACK is sent, sequence number 0.
    HigherEpoch,
    /// The body is 17 bytes long, its length field says 15.
    Malformed,
}

/// One thing that can be seen of the end under test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Output {
    /// It sends a message in a record of this epoch.
    Tx(u8, Sent),
    /// It tells its application something.
    Event(Event),
}

/// What the end sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sent {
    /// A ClientHello: with the cookie it was last given (in whichever field), with a share for the group it was asked
    /// for.
    ClientHello {
        /// It has a cookie.
        cookie: bool,
        /// It has a share for the group a HelloRetryRequest asked for.
        group: bool,
    },
    /// DTLS 1.2.
    HelloVerifyRequest,
    /// DTLS 1.3.
    HelloRetryRequest {
        /// It has a cookie.
        cookie: bool,
        /// It asks for a group.
        group: bool,
    },
    /// Of the version 1.2 or 1.3.
    ServerHello(Version),
    /// DTLS 1.2.
    ServerKeyExchange,
    /// DTLS 1.2.
    ServerHelloDone,
    /// DTLS 1.2.
    ClientKeyExchange,
    /// DTLS 1.2.
    ChangeCipherSpec,
    /// Either version.
    Finished,
    /// DTLS 1.3.
    EncryptedExtensions,
    /// DTLS 1.3: an ACK with at least one record number, or with none.
    Ack {
        /// It has no record number.
        empty: bool,
    },
    /// An alert.
    Alert(Level, Description),
    /// Application data.
    Data,
    /// Anything else, which no model sends.
    Other,
}

/// What the end tells its application. What it tells about a close the application itself asked for is left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// Asked for the key of a PSK identity.
    NeedPsk,
    /// The handshake is complete.
    Connected,
    /// The peer's application data of one record.
    Delivered,
    /// The peer closed the connection in good order.
    ClosedByPeer,
    /// The peer sent an alert that ends the connection.
    FatalAlert,
    /// The end gave up because of what the peer did; the alert it sent about that says why.
    Failed,
}
