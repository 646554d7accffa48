//! The scripted peer, honest, shakes hands with a real end: both roles, both versions, every mode, both providers.

use arbitrary::{Arbitrary as _, Unstructured};
use dtls_core::{CipherSuite, Event, NamedGroup, ProtocolVersion, PskMode, Rng as _, crypto::Provider};
use ideal_crypto::World;
use model_tests::{
    KEY, Prng, Recipe,
    learning::{Reaction, Subject},
};
use scripted_peer::{Content, End, Record, Remark, ScriptedPeer, Settings, What};

/// How two ends that agree talk to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Psk12,
    Ecdhe12,
    Psk13,
    Dhe13,
}

const MODES: [Mode; 4] = [Mode::Psk12, Mode::Ecdhe12, Mode::Psk13, Mode::Dhe13];

impl Mode {
    fn is13(self) -> bool {
        matches!(self, Self::Psk13 | Self::Dhe13)
    }

    fn recipe(self, provider: Provider) -> Recipe {
        match self {
            Self::Psk12 => Recipe::new(provider),
            Self::Ecdhe12 => Recipe {
                suites: vec![CipherSuite::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256],
                ..Recipe::new(provider)
            },
            Self::Psk13 => Recipe::new13(provider, PskMode::PskOnly),
            Self::Dhe13 => Recipe::new13(provider, PskMode::PskDhe),
        }
    }

    fn peer(self, provider: Provider, end: End) -> Settings {
        let recipe = self.recipe(provider);
        let (suites13, suites12) = recipe.suites.iter().partition(|suite| suite.0 >> 8 == 0x13);
        let dhe = self != Self::Psk13;
        Settings { suites12, suites13, dhe, seed: 7, ..Settings::new(provider, end, b"test", KEY) }
    }
}

/// One conversation, and what was heard and told in it.
struct Talk {
    subject: Subject,
    peer: ScriptedPeer,
    heard: Vec<What>,
    told: Vec<Event>,
    delivered: Vec<Vec<u8>>,
}

impl Talk {
    fn with_client(recipe: &Recipe, settings: Settings) -> Self {
        let (subject, first) = Subject::client(recipe.setup().client, 1, World::default());
        let mut talk = Self::new(subject, settings);
        talk.note(first);
        talk
    }

    fn with_server(recipe: &Recipe, settings: Settings) -> Self {
        Self::new(Subject::server(recipe.setup().server, 1, World::default()), settings)
    }

    fn new(subject: Subject, settings: Settings) -> Self {
        let peer = ScriptedPeer::new(settings);
        Self { subject, peer, heard: Vec::new(), told: Vec::new(), delivered: Vec::new() }
    }

    fn say(&mut self, record: &Record) {
        let bytes = World::unchecked().run(|| self.peer.emit(record));
        let reaction = self.subject.receive(&mut [bytes]);
        self.peer.assume_taken();
        self.note(reaction);
    }

    fn note(&mut self, reaction: Reaction) {
        for datagram in &reaction.datagrams {
            let heard = World::unchecked().run(|| self.peer.receive(datagram));
            self.heard.extend(heard.into_iter().map(|heard| heard.what));
        }
        self.told.extend(reaction.events);
        self.delivered.extend(reaction.delivered);
    }

    /// Until neither side has anything to say.
    fn be_honest(&mut self) {
        for _ in 0..20 {
            let records = self.peer.honest();
            if records.is_empty() {
                return;
            }
            for record in &records {
                self.say(record);
            }
            if self.told.contains(&Event::Connected) && self.peer.end() == End::Client {
                return;
            }
            if records.iter().any(|record| matches!(record.content, Content::Ack(_))) {
                return;
            }
        }
        panic!("no end of it: {:?}", self.heard);
    }

    fn assert_connected(&mut self, epoch: u16) {
        assert!(self.told.contains(&Event::Connected), "{:?} {:?}", self.told, self.heard);
        for what in &self.heard {
            let good = !matches!(
                what,
                What::Sealed
                    | What::Noise
                    | What::Malformed(_)
                    | What::Alert(..)
                    | What::Message(_, Remark::Wrong)
            );
            assert!(good, "{what:?}");
        }
        self.say(&Record::new(epoch, Content::Data(b"from the peer".to_vec())));
        assert_eq!(self.delivered, [b"from the peer"]);
        let reaction = self.subject.send(b"to the peer").unwrap();
        self.heard.clear();
        self.note(reaction);
        assert_eq!(self.heard, [What::Data(b"to the peer".to_vec())]);
    }
}

#[test]
fn honest_clients_connect_to_real_servers() {
    for (name, provider) in [("ideal", ideal_crypto::PROVIDER), ("real", dtls_crypto::PROVIDER)] {
        for mode in MODES {
            for cookies in [true, false] {
                let mut recipe = mode.recipe(provider);
                recipe.listener.cookies = cookies;
                // Without cookies a server may not send much before it has heard from its client again.
                let settings = Settings { hello_len: 400, ..mode.peer(provider, End::Client) };
                let mut talk = Talk::with_server(&recipe, settings);
                talk.be_honest();
                println!("client of {mode:?}, {name} cryptography, cookies {cookies}: {:?}", talk.peer);
                talk.assert_connected(if mode.is13() { 3 } else { 1 });
            }
        }
    }
}

#[test]
fn honest_servers_connect_to_real_clients() {
    for provider in [ideal_crypto::PROVIDER, dtls_crypto::PROVIDER] {
        for mode in MODES {
            let mut talk = Talk::with_client(&mode.recipe(provider), mode.peer(provider, End::Server));
            talk.be_honest();
            talk.assert_connected(if mode.is13() { 3 } else { 1 });
        }
    }
}

/// A server that wants another group than the one the client sent a key for.
#[test]
fn clients_are_asked_for_another_group() {
    let mut recipe = Mode::Dhe13.recipe(ideal_crypto::PROVIDER);
    recipe.groups[1] = vec![NamedGroup::SECP256R1];
    for cookies in [true, false] {
        recipe.listener.cookies = cookies;
        let settings = Settings {
            group: NamedGroup::SECP256R1,
            other_group: NamedGroup::X25519,
            ..Mode::Dhe13.peer(ideal_crypto::PROVIDER, End::Client)
        };
        let mut talk = Talk::with_server(&recipe, settings);
        let form = scripted_peer::action::ClientForm {
            group: scripted_peer::action::GroupForm::Other,
            ..Default::default()
        };
        talk.say(&Record::message(0, scripted_peer::Message::ClientHello(form)));
        assert!(matches!(talk.heard[..], [What::Message(_, Remark::Retry)]));
        talk.be_honest();
        talk.assert_connected(3);
    }
}

/// Servers that ask the client to come again, with a cookie or with another group.
#[test]
fn servers_ask_clients_to_come_again() {
    let verify = scripted_peer::Message::HelloVerifyRequest(b"a cookie".to_vec());
    for mode in [Mode::Psk12, Mode::Ecdhe12] {
        let settings = mode.peer(ideal_crypto::PROVIDER, End::Server);
        let mut talk = Talk::with_client(&mode.recipe(ideal_crypto::PROVIDER), settings);
        talk.say(&Record::message(0, verify.clone()));
        talk.be_honest();
        talk.assert_connected(1);
    }
    let retry = scripted_peer::Message::HelloRetryRequest(scripted_peer::action::RetryForm {
        cookie: Some(b"a cookie".to_vec()),
        group: Some(scripted_peer::action::GroupForm::Good),
        known_suite: true,
    });
    let mut recipe = Mode::Dhe13.recipe(ideal_crypto::PROVIDER);
    recipe.groups[0] = vec![NamedGroup::SECP256R1, NamedGroup::X25519];
    let mut talk = Talk::with_client(&recipe, Mode::Dhe13.peer(ideal_crypto::PROVIDER, End::Server));
    talk.say(&Record::message(0, retry));
    talk.be_honest();
    talk.assert_connected(3);
}

#[test]
fn ends_that_speak_both_versions_choose_the_newer_or_fall_back() {
    let provider = ideal_crypto::PROVIDER;
    let both = Recipe {
        suites: vec![CipherSuite::TLS_AES_128_CCM_SHA256, CipherSuite::TLS_PSK_WITH_AES_128_CCM_8],
        versions: [(); 2].map(|()| vec![ProtocolVersion::DTLS1_3, ProtocolVersion::DTLS1_2]),
        ..Recipe::new(provider)
    };
    for mode in [Mode::Psk12, Mode::Dhe13] {
        let epoch = if mode.is13() { 3 } else { 1 };
        let mut talk = Talk::with_client(&both, mode.peer(provider, End::Server));
        talk.be_honest();
        talk.assert_connected(epoch);
        let mut talk = Talk::with_server(&both, mode.peer(provider, End::Client));
        talk.be_honest();
        talk.assert_connected(epoch);
    }
}

/// Whatever it is told to say, and whatever it hears, the peer goes on, and so does the end.
#[test]
fn no_word_and_no_noise_makes_anything_panic() {
    let mut rng = Prng::new(11);
    let mut said = 0;
    for round in 0..400 {
        let mode = MODES[round % 4];
        let (end, recipe) =
            (if round % 8 < 4 { End::Client } else { End::Server }, mode.recipe(ideal_crypto::PROVIDER));
        let settings = mode.peer(ideal_crypto::PROVIDER, end);
        let mut talk = match end {
            End::Client => Talk::with_server(&recipe, settings),
            End::Server => Talk::with_client(&recipe, settings),
        };
        for _ in 0..20 {
            let mut bytes = [0; 64];
            rng.try_fill(&mut bytes).unwrap();
            let honest = talk.peer.honest();
            match rng.below(4) {
                0 => {
                    talk.peer.receive(&bytes[..rng.below(64) as usize]);
                }
                1 => {
                    let record = Record::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
                    talk.say(&record);
                }
                _ => honest.iter().for_each(|record| talk.say(record)),
            }
            said += 1;
        }
    }
    println!("{said} words were said");
}
