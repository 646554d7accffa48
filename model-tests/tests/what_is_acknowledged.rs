//! Which records of DTLS 1.3 are acknowledged, when, and in what order, as read by a peer that opens the ACKs; and what an ACK
//! spares its receiver (RFC 9147 §7).

use dtls_core::{
    AckPolicy, CipherSuite, ContentType, HandshakeType, Instant, Limits, PskMode, StateKind, TraceEvent,
};
use ideal_crypto::{PROVIDER, World};
use model_tests::{
    KEY, Recipe, Setup, Side,
    learning::{Reaction, Subject},
    schedule::Step,
    wrong_peer::{WrongPeer, message},
};
use scripted_peer::{
    Content, End, Message, Record, ScriptedPeer, Settings, What,
    action::{Extra, Handshake, Number, Piece, Seal, Seq, ServerForm},
};
use simulated_network::Prng;

type Numbers = Vec<(u64, u64)>;

/// A client, and a server that says what it is told to.
#[derive(Clone)]
struct Talk {
    client: Subject,
    server: ScriptedPeer,
    alerts: Vec<(u8, u8)>,
}

impl Talk {
    /// Until the client has the ServerHello.
    fn new(limits: Limits) -> Self {
        let recipe = Recipe { limits, ..Recipe::new13(PROVIDER, PskMode::PskOnly) };
        let (client, first) = Subject::client(recipe.setup().client, 1, World::unchecked());
        let suites13 = vec![CipherSuite::TLS_AES_128_CCM_SHA256];
        let settings = Settings::new(PROVIDER, End::Server, b"test", KEY);
        let settings = Settings { suites13, suites12: Vec::new(), dhe: false, ..settings };
        let mut talk = Self { client, server: ScriptedPeer::new(settings), alerts: Vec::new() };
        assert_eq!(talk.hear(&first), None);
        assert_eq!(talk.say(&Record::message(0, Message::ServerHello(ServerForm::default()))), None);
        talk
    }

    /// Until the handshake has completed, and the client's Finished is acknowledged.
    fn connected() -> Self {
        let mut talk = Self::new(Limits::default());
        let flight = [Message::EncryptedExtensions(Extra::None), Message::Finished { ok: true }];
        for message in flight {
            assert_eq!(talk.say(&Record::message(2, message)), None);
        }
        for record in talk.server.honest() {
            assert_eq!(talk.say(&record), None);
        }
        assert_eq!(talk.state(), StateKind::Established);
        assert_eq!(talk.deadline(), None, "nothing is left to be acknowledged");
        talk
    }

    /// What the client acknowledges in answer; more than one ACK would be too many.
    fn say(&mut self, record: &Record) -> Option<Numbers> {
        let bytes = World::unchecked().run(|| self.server.emit(record));
        let reaction = self.client.receive(&mut [bytes]);
        match self.client.connection().and_then(|client| client.next_message_seq()) {
            Some(next) => self.server.taken(next),
            None => self.server.assume_taken(),
        }
        self.hear(&reaction)
    }

    /// What the client acknowledges when its next timer runs out.
    fn wait(&mut self) -> Option<Numbers> {
        let reaction = self.client.fire();
        self.hear(&reaction)
    }

    fn hear(&mut self, reaction: &Reaction) -> Option<Numbers> {
        let mut acks = Vec::new();
        for datagram in &reaction.datagrams {
            for heard in World::unchecked().run(|| self.server.receive(datagram)) {
                match heard.what {
                    What::Ack(numbers) => acks.push(numbers),
                    What::Alert(level, description) => self.alerts.push((level, description)),
                    What::Sealed | What::Noise | What::Malformed(_) => panic!("{heard:?}"),
                    _ => {}
                }
            }
        }
        assert!(acks.len() <= 1, "{acks:?}");
        acks.pop()
    }

    fn state(&self) -> StateKind {
        self.client.connection().unwrap().state_kind()
    }

    fn next(&self) -> u16 {
        self.client.connection().unwrap().next_message_seq().unwrap()
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.connection().unwrap().poll_timeout()
    }
}

/// A piece of a message of epoch 2 in a record of this number.
fn piece(message: Message, seq: Seq, piece: Piece, number: u64) -> Record {
    let content = Content::Handshake(Handshake { message, seq, piece });
    Record { number: Number::At(number), ..Record::new(2, content) }
}

/// Some message that is longer than it needs to be.
fn long() -> Message {
    let unknown = [&[0, 98, 0x1a, 0x1a, 0, 94][..], &[7; 94]].concat();
    Message::Other(HandshakeType::ENCRYPTED_EXTENSIONS.0, unknown)
}

/// However they came.
///
/// 9147-7-body-1, 9147-7.1-send-2
#[test]
fn what_was_kept_is_named_in_rising_order() {
    let mut talk = Talk::new(Limits::default());
    let said = |talk: &mut Talk, from, to, number| {
        talk.say(&piece(long(), Seq::Next, Piece::Range(from, to), number)).expect("there is a gap")
    };
    let server_hello = (0, 0);
    assert_eq!(said(&mut talk, 40, 50, 9), [server_hello, (2, 9)]);
    assert_eq!(said(&mut talk, 80, 90, 4), [server_hello, (2, 4), (2, 9)]);
    assert_eq!(said(&mut talk, 60, 70, 50), [server_hello, (2, 4), (2, 9), (2, 50)]);
    assert_eq!(said(&mut talk, 10, 20, 0), [server_hello, (2, 0), (2, 4), (2, 9), (2, 50)]);
    // The same bytes in another record are kept as well.
    assert_eq!(said(&mut talk, 10, 20, 7), [server_hello, (2, 0), (2, 4), (2, 7), (2, 9), (2, 50)]);
}

/// 9147-7-ack-1, 9147-5.2-seq-5
#[test]
fn what_was_dropped_is_not_named() {
    let gap = |talk: &mut Talk| talk.say(&piece(long(), Seq::Next, Piece::Range(90, 100), 1));
    let seen = |talk: &mut Talk| gap(talk).expect("there is a gap");
    let mut talk = Talk::new(Limits::default());
    let next = talk.next();
    let mut dropped = vec![
        // Too far ahead, and too long.
        piece(long(), Seq::At(next + 7), Piece::Whole, 2),
        piece(Message::Other(8, vec![0; 17_000]), Seq::Next, Piece::Range(0, 10), 3),
        // Not what was said before about the same message.
        piece(Message::Other(8, vec![0; 99]), Seq::Next, Piece::Range(0, 10), 4),
        piece(Message::Other(9, vec![0; 100]), Seq::Next, Piece::Range(0, 10), 5),
        // No records at all.
        Record { seal: Seal::Broken, ..piece(long(), Seq::Next, Piece::Range(0, 10), 6) },
        // Nothing in it.
        Record::new(2, Content::Raw(ContentType::HANDSHAKE.0, Vec::new())),
    ];
    // One message that is kept and one that is not.
    let kept = [&[8, 0, 0, 100, 0, next as u8, 0, 0, 0, 0, 0, 1][..], &[0]].concat();
    let far = [&[8, 0, 0, 1, 0, next as u8 + 7, 0, 0, 0, 0, 0, 1][..], &[0]].concat();
    for both in [[&kept[..], &far].concat(), [&far[..], &kept].concat(), [&kept[..], &far[..9]].concat()] {
        dropped.push(Record::new(2, Content::Raw(ContentType::HANDSHAKE.0, both)));
    }
    assert_eq!(seen(&mut talk), [(0, 0), (2, 1)]);
    for record in dropped {
        let mut talk = talk.clone();
        // The gap has been reported, and this is no news.
        assert_eq!(talk.say(&record), None, "{record:?}");
        // The timer of the ACK, which may run already, says so as well.
        if let Some(numbers) = talk.wait() {
            assert_eq!(numbers, [(0, 0), (2, 1)], "{record:?}");
        }
        assert_eq!(talk.alerts, [], "{record:?}");
    }
    // With room for the next message only, one that comes early is not kept.
    let mut small = Limits::default();
    small.message_window = 1;
    let mut talk = Talk::new(small);
    assert_eq!(talk.say(&piece(Message::Finished { ok: true }, Seq::Ahead, Piece::Whole, 0)), None);
    assert_eq!(talk.wait(), Some(vec![(0, 0)]));
}

/// 9147-7.1-send-3
#[test]
fn a_flight_that_stays_away_is_asked_for_after_a_quarter_of_the_timeout() {
    for policy in [AckPolicy::Prompt, AckPolicy::Delayed] {
        let mut limits = Limits::default();
        limits.ack_policy = policy;
        let mut talk = Talk::new(limits);
        let start = 1_000_000;
        assert_eq!(talk.deadline(), Some(Instant::from_micros(start + 250_000)), "{policy:?}");
        // More of it does not postpone that.
        assert_eq!(talk.say(&piece(long(), Seq::Next, Piece::Range(0, 50), 0)), None);
        assert_eq!(talk.deadline(), Some(Instant::from_micros(start + 250_000)), "{policy:?}");
        assert_eq!(talk.wait(), Some(vec![(0, 0), (2, 0)]), "{policy:?}");
    }
}

/// As many as there may be, in a datagram no longer than the MTU; the newest, which the peer has not seen acknowledged yet.
///
/// 9147-7.1-send-6
#[test]
fn the_newest_are_named_where_not_all_fit() {
    for (mtu, most) in [(1232, 32), (228, 12)] {
        let mut limits = Limits::default();
        limits.mtu = mtu;
        let mut talk = Talk::new(limits);
        for at in 0..60 {
            assert_eq!(talk.say(&piece(long(), Seq::Next, Piece::Range(at, at + 1), at as u64)), None);
        }
        let numbers = talk.wait().expect("the timer of the ACK");
        let newest: Numbers = (60 - most..60).map(|number| (2, number)).collect();
        assert_eq!(numbers, newest, "{mtu}");
    }
}

/// 9147-7.1-send-7
#[test]
fn only_handshake_records_are_acknowledged() {
    let mut talk = Talk::connected();
    let raw = |content: ContentType, body: &[u8]| Record::new(3, Content::Raw(content.0, body.to_vec()));
    for record in [
        Record::new(3, Content::Data(b"reading".to_vec())),
        Record::new(3, Content::Data(Vec::new())),
        Record::new(3, Content::Alert { level: 1, description: 90 }),
        raw(ContentType::ACK, &[0, 0]),
        raw(ContentType::HANDSHAKE, &[]),
        raw(ContentType(99), &[1]),
        Record { seal: Seal::Broken, ..Record::message(3, Message::NewSessionTicket) },
    ] {
        assert_eq!(talk.say(&record), None, "{record:?}");
        assert_eq!(talk.deadline(), None, "{record:?}");
    }
    assert_eq!(talk.alerts, []);
}

fn ticket(seq: Seq, number: u64) -> Record {
    let content =
        Content::Handshake(Handshake { message: Message::NewSessionTicket, seq, piece: Piece::Whole });
    Record { number: Number::At(number), ..Record::new(3, content) }
}

/// Each record once, also that of a message which was taken in before: its acknowledgement was lost. Numbers of messages go on
/// after the handshake, and their order counts.
///
/// 9147-7-ack-3, 9147-7.1-send-4, 9147-5.2-seq-1, 9147-5.8.4-post-4
#[test]
fn messages_after_the_handshake() {
    let mut talk = Talk::connected();
    let next = talk.next();
    assert!(next > 2, "{next}");
    assert_eq!(talk.say(&ticket(Seq::At(next), 10)), Some(vec![(3, 10)]));
    assert_eq!(talk.next(), next + 1);
    for number in 11..14 {
        assert_eq!(talk.say(&ticket(Seq::At(next), number)), Some(vec![(3, number)]), "again");
        assert_eq!(talk.next(), next + 1);
    }
    // As if the count had begun anew.
    assert_eq!(talk.say(&ticket(Seq::At(0), 15)), Some(vec![(3, 15)]));
    assert_eq!(talk.next(), next + 1);
    // The one after the next has to wait for it.
    talk.say(&ticket(Seq::At(next + 2), 20));
    assert_eq!(talk.next(), next + 1);
    let both = talk.say(&ticket(Seq::At(next + 1), 21)).expect("now they are whole");
    assert!(both.contains(&(3, 21)), "{both:?}");
    assert_eq!(talk.next(), next + 3);
    assert_eq!(talk.deadline(), None);
    assert_eq!(talk.alerts, []);
}

/// The client's Finished is the last flight, and nobody asks for it again once it was acknowledged, in whatever company.
///
/// 9147-5.8.1-wait-2
#[test]
fn what_comes_with_the_last_acknowledgement_keeps_nothing() {
    let mut talk = Talk::new(Limits::default());
    for message in [Message::EncryptedExtensions(Extra::None), Message::Finished { ok: true }] {
        assert_eq!(talk.say(&Record::message(2, message)), None);
    }
    let next = talk.next();
    let mut records = vec![ticket(Seq::At(next), 10)];
    records.extend(talk.server.honest());
    let emit = || records.iter().flat_map(|record| talk.server.emit(record)).collect::<Vec<u8>>();
    let datagram = World::unchecked().run(emit);
    let mut closed = talk.client.connection().unwrap().clone();
    let now = talk.deadline().expect("Finished is not acknowledged yet");
    let reaction = talk.client.receive(&mut [Vec::clone(&datagram)]);
    assert_eq!(talk.hear(&reaction), Some(vec![(3, 10)]));
    assert_eq!((talk.state(), talk.deadline()), (StateKind::Established, None));

    // Nor does a client that is closed at once.
    World::unchecked().run(|| {
        let mut datagram: Vec<u8> = datagram;
        assert!(closed.handle_datagram(now, &mut Prng::new(1), &mut datagram).next_data().unwrap().is_none());
        closed.close();
        let mut out = [0; 256];
        let sent = core::iter::from_fn(|| closed.poll_transmit(now, &mut out).map(|datagram| datagram.len()));
        assert!(sent.count() > 0);
    });
    assert!(closed.is_drained());
    assert_eq!(closed.poll_timeout(), None);
}

/// The last message_seq there is counts like any other, and is the last: the count does not begin again.
///
/// 9147-5.2-seq-2
#[test]
fn nothing_follows_the_last_message_seq() {
    let mut talk = Talk::connected();
    for seq in talk.next()..u16::MAX {
        talk.say(&ticket(Seq::At(seq), 100 + u64::from(seq)));
        assert_eq!(talk.next(), seq + 1);
    }
    assert_eq!((talk.state(), &talk.alerts[..]), (StateKind::Established, &[][..]));
    let next = |talk: &Talk| talk.client.connection().unwrap().next_message_seq();
    talk.say(&ticket(Seq::At(u16::MAX), 70_000)).expect("it is acknowledged");
    assert_eq!(next(&talk), None);
    for (at, seq) in [(70_001, u16::MAX), (70_002, 0), (70_003, 1)] {
        talk.say(&ticket(Seq::At(seq), at));
        assert_eq!((next(&talk), talk.state()), (None, StateKind::Established));
    }
    assert_eq!(talk.alerts, []);
}

/// What came before its turn is acknowledged and kept. The one before it is for its sender to repeat, so that nobody waits here.
///
/// 9147-7-ack-3, 9147-5.8.4-post-4
#[test]
fn what_came_early_after_the_handshake_is_kept_without_a_timer() {
    let held = |end: &model_tests::End| end.connection().holds_handshake();
    let mut peer = WrongPeer::new(&Recipe::new13(PROVIDER, PskMode::PskOnly).setup(), Side::Client)
        .until(|script| script.ends.end(Side::Client).is_some_and(|end| end.connected() && !held(end)));
    let next = peer.end().unwrap().connection().next_message_seq().unwrap();
    let body = [&[0, 0, 14, 16, 1, 2, 3, 4, 1, 0, 0, 6][..], b"ticket", &[0, 0]].concat();
    for (seq, kept) in [(next + 1, true), (next, false)] {
        let ticket = message(HandshakeType::NEW_SESSION_TICKET, seq, &body);
        peer = peer.record(3, ContentType::HANDSHAKE, &ticket);
        let end = peer.end().unwrap();
        assert_eq!((held(end), end.connection().keeps_only_what_came_early()), (kept, kept));
        assert_eq!(end.connection().poll_timeout(), None);
        let sent = |e: &&TraceEvent| matches!(e, TraceEvent::RecordSent { content, .. } if *content == ContentType::ACK);
        assert_eq!(peer.log().iter().filter(sent).count(), if kept { 1 } else { 2 });
    }
    assert_eq!(peer.end().unwrap().connection().next_message_seq(), Some(next + 2));
}

/// RequestConnectionId and NewConnectionId where no connection id was negotiated.
///
/// 9147-9-new-6
#[test]
fn messages_about_connection_ids_are_unexpected() {
    for (typ, body) in [(9, &[1][..]), (10, &[0, 2, 1, 7, 0]), (10, &[])] {
        let mut talk = Talk::connected();
        talk.say(&Record::message(3, Message::Other(typ, body.to_vec())));
        assert_eq!(talk.alerts, [(2, 10)], "{typ}");
        assert_eq!(talk.state(), StateKind::Failed);
    }
}

/// The server's flight in four datagrams: ServerHello in the first two, then (2, 0) and (2, 1). The client has the keys.
fn server_with_a_flight_out() -> WrongPeer {
    let setup = Recipe::new13(PROVIDER, PskMode::PskOnly).setup();
    let mut peer = WrongPeer::new(&Setup { room: [2048, 67], ..setup }, Side::Server).until(|script| {
        let client = script.ends.end(Side::Client).unwrap().connection();
        client.state_kind() == StateKind::ExpectEncryptedExtensions13
    });
    while !peer.script.mailbox.live().is_empty() {
        peer.script.apply(&Step::Drop(0));
    }
    peer
}

/// The lengths of what the server has sent since the last call, none of which arrives.
fn taken(peer: &mut WrongPeer) -> Vec<usize> {
    peer.script.apply(&Step::Advance(0));
    let live = peer.script.mailbox.live();
    let sent = live.iter().filter(|letter| letter.to == Side::Client).map(|letter| letter.bytes.len());
    let sent = sent.collect();
    while !peer.script.mailbox.live().is_empty() {
        peer.script.apply(&Step::Drop(0));
    }
    sent
}

/// What the server sends when its timer runs out.
fn repeated(peer: &mut WrongPeer) -> Vec<usize> {
    for _ in 0..20 {
        peer.script.apply(&Step::NextTimer);
        let sent = taken(peer);
        if !sent.is_empty() {
            return sent;
        }
    }
    Vec::new()
}

fn ack(numbers: &[(u64, u64)]) -> Vec<u8> {
    let entries = numbers.iter().flat_map(|(epoch, seq)| [epoch.to_be_bytes(), seq.to_be_bytes()]).flatten();
    [(numbers.len() as u16 * 16).to_be_bytes().to_vec(), entries.collect()].concat()
}

/// 9147-7.2-recv-4, 9147-7.2-recv-1, 9147-7.2-recv-2, 9147-7.2-recv-3
#[test]
fn what_was_acknowledged_once_is_never_sent_again() {
    let mut peer = server_with_a_flight_out();
    let whole = repeated(&mut peer.clone());
    assert_eq!(whole.len(), 4, "{whole:?}");
    // The first of the protected records arrived, and so the keys, and so the ServerHello: what is left goes out at once.
    peer = peer.record(2, ContentType::ACK, &ack(&[(2, 0)]));
    assert_eq!(taken(&mut peer), whole[2..]);
    assert_eq!(repeated(&mut peer), whole[2..]);
    // Late, for the first transmission, after several others: they are on their way, and no reason to send anything at once.
    peer = peer.record(2, ContentType::ACK, &ack(&[(2, 1)]));
    assert_eq!(taken(&mut peer), []);
    assert_eq!(repeated(&mut peer), whole[3..]);
    // Later ones do not name what was named before.
    for later in [&[][..], &[(2, 99)], &[(0, 0)]] {
        peer = peer.record(2, ContentType::ACK, &ack(later));
        assert_eq!(taken(&mut peer), []);
        assert_eq!(repeated(&mut peer), whole[3..], "{later:?}");
    }
    peer = peer.record(2, ContentType::ACK, &ack(&[(2, 2)]));
    assert_eq!(taken(&mut peer), []);
    let timeouts = peer.end().unwrap().connection().stats().timeouts;
    for _ in 0..20 {
        peer.script.apply(&Step::NextTimer);
        assert_eq!(taken(&mut peer).len() * usize::from(peer.end().unwrap().closed().is_none()), 0);
    }
    assert_eq!(peer.end().unwrap().connection().stats().timeouts, timeouts);
}

/// The first bytes of the client's Finished show that it has all of the server's flight, and nothing of that is sent again; without
/// keys they show nothing.
///
/// 9147-7.2-recv-5
#[test]
fn a_part_of_the_answer_acknowledges_the_flight() {
    let first_half = |seq: u8| [&[20, 0, 0, 32, 0, seq, 0, 0, 0, 0, 0, 16][..], &[7; 16]].concat();
    let flights_again = |mut peer: WrongPeer| {
        taken(&mut peer);
        peer.script.ends.take_trace(Side::Server);
        for _ in 0..8 {
            peer.script.apply(&Step::NextTimer);
            taken(&mut peer);
        }
        let trace = peer.script.ends.take_trace(Side::Server);
        let sent = trace
            .iter()
            .filter(|event| matches!(event, TraceEvent::RecordSent { content: ContentType::HANDSHAKE, .. }));
        sent.count()
    };
    let peer = server_with_a_flight_out();
    let seq = peer.end().unwrap().connection().next_message_seq().unwrap() as u8;
    assert!(flights_again(peer.clone()) > 4);
    let plain = peer.clone().record(0, ContentType::HANDSHAKE, &first_half(seq));
    assert!(flights_again(plain) > 4);
    assert_eq!(flights_again(peer.record(2, ContentType::HANDSHAKE, &first_half(seq))), 0);
}

/// A client that has only records it cannot read has no version yet, and acknowledges nothing, whether it could speak the older
/// version as well or not; nor does it fall for records of either form.
///
/// 9147-7-ver-1, 9147-7.1-empty-2, 9147-13-dual-3
#[test]
fn nothing_is_acknowledged_before_the_version_is_known() {
    let suites = vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM];
    for suites in [suites.clone(), suites[..1].to_vec()] {
        let mut recipe = Recipe { suites, ..Recipe::new13(PROVIDER, PskMode::PskOnly) };
        recipe.listener.cookies = false;
        let setup = Setup { room: [2048, 67], ..recipe.setup() };
        let mut peer = WrongPeer::new(&setup, Side::Client).deliver();
        let flight: Vec<Vec<u8>> =
            peer.script.mailbox.live().iter().map(|letter| letter.bytes.clone()).collect();
        assert_eq!(flight.len(), 4);
        while !peer.script.mailbox.live().is_empty() {
            peer.script.apply(&Step::Drop(0));
        }
        let sent = peer.script.mailbox.sent().len();
        let old_form = [&[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40][..], &[7; 40]].concat();
        // Half of a ServerHello does not say the version either.
        for datagram in [&flight[2], &flight[3], &old_form, &flight[0], &flight[2]] {
            peer = peer.bytes(datagram);
            peer.script.apply(&Step::Advance(300_000));
        }
        let said = peer.script.mailbox.sent()[sent..].iter().filter(|letter| letter.to == Side::Server);
        let said: Vec<u8> = said.map(|letter| letter.bytes[0]).collect();
        assert!(said.iter().all(|first| *first == 22), "only its hello again, by timer: {said:?}");
        peer.script.finish(200);
        assert!(peer.script.ends.connected());
    }
}
