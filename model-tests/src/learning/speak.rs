//! Symbols of the reference model as what the scripted peer is to send.

use reference_model::alphabet::{
    Acked, ClientHello, Content, Cookie, Flaw, Handshake, Level, Message, Offers, Params, Piece, Psk, Record,
    RetryGroup, Seal, ServerHello, Version,
};
use scripted_peer::{
    ScriptedPeer,
    action::{self, AckList, ClientDefect, ClientForm, Extra, GroupForm, KeyExchange, ServerForm, Versions},
};

/// A record number that nobody gets to.
const NEVER: u64 = 1 << 40;
/// A content type, and a message type, without a meaning.
const UNKNOWN_CONTENT: u8 = 30;
const UNKNOWN_MESSAGE: u8 = 99;
const ACK: u8 = 26;
const COOKIE_LEN: usize = 20;

/// The record, whose handshake message has the number `seq`.
pub(super) fn record(peer: &ScriptedPeer, record: &Record, seq: u16) -> action::Record {
    let epoch = u16::from(record.epoch);
    let content = match record.content {
        Content::Handshake(handshake) => handshake_content(peer, &handshake, seq),
        Content::ChangeCipherSpec => action::Content::ChangeCipherSpec,
        Content::Alert(level, description) => {
            let level = if level == Level::Warning { 1 } else { 2 };
            action::Content::Alert { level, description: description.0 }
        }
        Content::Data => action::Content::Data(b"data".to_vec()),
        Content::Ack(acked) => ack(peer, acked, u64::from(epoch)),
        Content::Unknown => action::Content::Raw(UNKNOWN_CONTENT, vec![1, 2, 3, 4]),
    };
    let seal = match record.seal {
        Seal::Genuine => action::Seal::Genuine,
        Seal::Broken => action::Seal::Broken,
    };
    action::Record { epoch, seal, number: action::Number::Fresh, content }
}

/// The hello.
pub(super) const fn client_hello(hello: ClientHello) -> ClientForm {
    let legacy_cookie = matches!(hello.cookie, Cookie::Legacy);
    ClientForm {
        versions: match hello.offers {
            Offers::V10 => Versions::V10,
            Offers::V12 => Versions::V12,
            Offers::V13 => Versions::V13,
            Offers::Both => Versions::Both,
        },
        cookie: match hello.cookie {
            Cookie::None | Cookie::Legacy => action::Cookie::None,
            Cookie::Good | Cookie::Retry => action::Cookie::Received,
            Cookie::Bad => action::Cookie::Bad,
        },
        psk: match hello.psk {
            Psk::Known => action::PskForm::Good,
            Psk::Unknown => action::PskForm::Unknown,
            Psk::BadBinder => action::PskForm::BadBinder,
        },
        group: if hello.share { GroupForm::Good } else { GroupForm::Other },
        known_suites: hello.suite,
        defect: match (legacy_cookie, hello.ems) {
            (true, _) => Some(ClientDefect::LegacyCookie),
            (false, false) => Some(ClientDefect::NoExtendedMasterSecret),
            (false, true) => None,
        },
    }
}

fn ack(peer: &ScriptedPeer, acked: Acked, epoch: u64) -> action::Content {
    let flight = |wanted: fn(u64) -> bool| {
        let mut numbers: Vec<_> = peer.flight().iter().copied().filter(|(epoch, _)| wanted(*epoch)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let numbers = match acked {
        Acked::Empty => Vec::new(),
        Acked::All => flight(|_| true),
        Acked::Plain => flight(|epoch| epoch == 0),
        Acked::Unknown => vec![(epoch, NEVER)],
        Acked::HigherEpoch => vec![(epoch + 1, 0)],
        Acked::Malformed => {
            let mut body = vec![0; 17];
            body[1] = 15;
            return action::Content::Raw(ACK, body);
        }
    };
    action::Content::Ack(AckList::Numbers(numbers))
}

fn handshake_content(peer: &ScriptedPeer, handshake: &Handshake, seq: u16) -> action::Content {
    action::Content::Handshake(action::Handshake {
        message: message(peer, handshake.message, seq),
        seq: action::Seq::At(seq),
        piece: match handshake.piece {
            Piece::Whole => action::Piece::Whole,
            Piece::First => action::Piece::First,
            Piece::Rest => action::Piece::Rest,
        },
    })
}

fn message(peer: &ScriptedPeer, message: Message, seq: u16) -> action::Message {
    let ok = |params| params == Params::Ok;
    match message {
        Message::ClientHello(hello) => action::Message::ClientHello(client_hello(hello)),
        // No other request of the trace has its number and is taken in.
        Message::HelloVerifyRequest => action::Message::HelloVerifyRequest(vec![seq as u8; COOKIE_LEN]),
        Message::HelloRetryRequest(retry) => action::Message::HelloRetryRequest(action::RetryForm {
            cookie: retry.cookie.then(|| vec![0xc0; COOKIE_LEN]),
            group: match retry.group {
                RetryGroup::None => None,
                RetryGroup::New => Some(GroupForm::Other),
                RetryGroup::Same => Some(GroupForm::Good),
                RetryGroup::NotOffered => Some(GroupForm::Unknown),
            },
            known_suite: true,
        }),
        Message::ServerHello(hello) => action::Message::ServerHello(server_hello(hello)),
        Message::ServerKeyExchange(params) => {
            let group = if ok(params) { GroupForm::Good } else { GroupForm::Unknown };
            action::Message::ServerKeyExchange(KeyExchange { group, ..KeyExchange::default() })
        }
        Message::ServerHelloDone => action::Message::ServerHelloDone,
        Message::ClientKeyExchange(params) => action::Message::ClientKeyExchange(KeyExchange {
            known_identity: ok(params),
            ..KeyExchange::default()
        }),
        Message::EncryptedExtensions => action::Message::EncryptedExtensions(Extra::None),
        Message::Finished(params) => action::Message::Finished { ok: ok(params) },
        Message::Certificate => action::Message::Certificate,
        Message::CertificateRequest => action::Message::CertificateRequest,
        Message::CertificateVerify => action::Message::CertificateVerify,
        Message::NewSessionTicket => action::Message::NewSessionTicket,
        Message::KeyUpdate => action::Message::KeyUpdate { request: false },
        Message::EndOfEarlyData => action::Message::EndOfEarlyData,
        Message::HelloRequest => action::Message::HelloRequest,
        Message::Unknown => action::Message::Other(UNKNOWN_MESSAGE, vec![1, 2, 3, 4]),
        Message::Malformed => malformed(peer),
    }
}

const fn server_hello(hello: ServerHello) -> ServerForm {
    use action::ServerDefect as Defect;
    ServerForm {
        version: match hello.version {
            Version::V10 => Versions::V10,
            Version::V12 => Versions::V12,
            Version::V13 => Versions::V13,
        },
        group: if matches!(hello.flaw, Flaw::Share) { GroupForm::Unknown } else { GroupForm::Good },
        known_suite: !matches!(hello.flaw, Flaw::Suite),
        defect: match hello.flaw {
            Flaw::None | Flaw::Suite | Flaw::Share => None,
            Flaw::NoEms => Some(Defect::NoExtendedMasterSecret),
            Flaw::Sentinel => Some(Defect::DowngradeSentinel),
            Flaw::Psk => Some(Defect::OtherPsk),
            Flaw::NoPsk => Some(Defect::NoPsk),
            Flaw::SessionId => Some(Defect::SessionId),
        },
    }
}

/// What would come next, or a hello, with a byte too many.
fn malformed(peer: &ScriptedPeer) -> action::Message {
    let next = peer.honest().into_iter().find_map(|record| match record.content {
        action::Content::Handshake(handshake) => Some(handshake.message),
        _ => None,
    });
    let message = next.unwrap_or_else(|| match peer.end() {
        scripted_peer::End::Client => action::Message::ClientHello(ClientForm::default()),
        scripted_peer::End::Server => action::Message::ServerHello(ServerForm::default()),
    });
    let mut body = peer.body(&message);
    body.push(0);
    action::Message::Other(message.typ().0, body)
}
