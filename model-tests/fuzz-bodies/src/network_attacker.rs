//! Two honest ends and a network that does what it likes, knows another connection between such ends with all its keys, and in
//! time the keys of this one's handshake.

use arbitrary::{Arbitrary as _, Unstructured};
use dtls_core::{
    CipherSuite, CloseReason, ContentType, Error, NamedGroup, Negotiated, ProtocolVersion, PskMode,
};
use model_tests::{
    End, Ends, Recipe, Script, Setup, Side,
    schedule::{Forgery, Step},
};

/// More steps than this are no use.
const MAX_STEPS: usize = 150;
/// Rounds of a fair network after which the ends must have come to an end.
const ROUNDS: usize = 2_000;
/// The epoch of handshake messages in DTLS 1.3.
const HANDSHAKE: u16 = 2;

/// Options of a whole run, besides the kind of handshake.
mod options {
    pub(super) const NO_COOKIES: u8 = 1;
    pub(super) const DEFERRED: u8 = 2;
    pub(super) const ROOM: u8 = 12;
}

/// How far a run came, to see what a corpus is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[non_exhaustive]
pub struct Ran {
    /// The kind of handshake.
    pub kind: u8,
    /// Both ends were connected by the schedule alone.
    pub connected: bool,
    /// Data was delivered.
    pub delivered: bool,
    /// Another connection's datagrams arrived.
    pub spliced: bool,
    /// A record under another connection's keys arrived.
    pub keyed: bool,
    /// A record under the keys of an epoch that was over arrived.
    pub leaked: bool,
    /// The client's address changed before the server had a connection.
    pub moved: bool,
}

/// Reads `data` as a set-up and what the network, time and the applications do. [`Script`] and [`Ends`] watch: every monitor,
/// and that what is not authentic changes no fingerprint (S9), that no hello is answered whose binder or cookie is not its
/// sender's (S3, S10), that the ends agree (S1, S14) and deliver what was sent (S5, S6). Besides: records of another connection,
/// also fresh ones under its keys, are as good as noise; those under a leaked key of the handshake of this connection, once that
/// is over, deliver nothing, close nothing in good order and change no keys: all they can do is break a rule; and given a fair network nobody is left hanging.
pub fn network_attacker(data: &[u8]) -> Ran {
    let [kind, options, steps @ ..] = data else { return Ran::default() };
    let mut steps = Unstructured::new(steps);
    let mut attack = Attack::new(kind % KINDS, *options);
    for _ in 0..MAX_STEPS {
        if steps.is_empty() || attack.act(&mut steps).is_err() {
            break;
        }
    }
    attack.end()
}

struct Attack {
    ran: Ran,
    script: Script,
    /// Another connection between such ends, of which nothing is hidden. Nobody interferes with it.
    other: Script,
    /// For each side, both ends as they were when it had its keys of the handshake: they are known from then on.
    leaked: [Option<Ends>; 2],
}

impl Attack {
    fn new(kind: u8, options: u8) -> Self {
        let [setup, other] = [1, 2].map(|seed| setup(kind, options, seed));
        let (script, other) = (Script::new(&setup), Script::new(&other));
        Self { ran: Ran { kind, ..Ran::default() }, script, other, leaked: [None, None] }
    }

    fn act(&mut self, steps: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        match steps.peek_bytes(1) {
            Some([0..=11]) => self.go_on(steps, |_| Ok(Step::Deliver(0)))?,
            Some([12..=13]) => self.go_on(steps, |_| Ok(Step::NextTimer))?,
            Some([14..=15]) => self.go_on(steps, |steps| {
                Ok(Step::Send(*steps.choose(&Side::BOTH)?, steps.arbitrary::<u8>()?.into()))
            })?,
            Some([16..=23]) => {
                steps.bytes(1)?;
                self.speak_with_other_keys(&Forgery::arbitrary(steps)?);
            }
            Some([24..=31]) => {
                steps.bytes(1)?;
                let again = steps.arbitrary::<u8>()? % 16;
                self.speak_with_leaked_keys(&Forgery::arbitrary(steps)?, again);
            }
            _ => match Step::arbitrary(steps)? {
                Step::Foreign(k) => self.splice(k.into()),
                step => {
                    self.ran.moved |= step == Step::Rebind && self.script.ends.end(Side::Server).is_none();
                    self.script.apply(&step);
                }
            },
        }
        for side in Side::BOTH {
            let leaked = &mut self.leaked[side as usize];
            let writes = |end: &End| end.connection().write_epoch() >= HANDSHAKE;
            if leaked.is_none() && self.script.ends.end(side).is_some_and(writes) {
                *leaked = Some(self.script.ends.clone());
            }
        }
        Ok(())
    }

    /// The other connection goes on.
    fn go_on(
        &mut self,
        steps: &mut Unstructured<'_>,
        step: impl FnOnce(&mut Unstructured<'_>) -> arbitrary::Result<Step>,
    ) -> arbitrary::Result<()> {
        steps.bytes(1)?;
        let step = step(steps)?;
        self.other.apply(&step);
        if self.other.ends.end(Side::Server).is_some_and(End::wants_psk) {
            self.other.apply(&Step::Psk(true));
        }
        Ok(())
    }

    /// A datagram of the other connection arrives.
    fn splice(&mut self, k: usize) {
        let sent = self.other.mailbox.sent();
        let Some(letter) = k.checked_rem(sent.len()).map(|k| sent[k].clone()) else { return };
        self.ran.spliced = true;
        self.script.splice(&letter);
    }

    /// A record arrives that an end of the other connection could have made.
    fn speak_with_other_keys(&mut self, forgery: &Forgery) {
        let Forgery { to, content_type, body, .. } = forgery;
        let Some(end) = self.other.ends.end(to.peer()) else { return };
        let epoch = end.connection().write_epoch();
        if epoch > 0
            && let Some(record) = self.other.ends.forge(to.peer(), epoch, ContentType(*content_type), body)
        {
            self.ran.keyed = true;
            self.script.inject(*to, &record);
        }
    }

    /// A record arrives under a key of an epoch that is over, with the number after `again` others.
    fn speak_with_leaked_keys(&mut self, forgery: &Forgery, again: u8) {
        let Forgery { to, content_type, body, .. } = forgery;
        let Some(leaked) = &mut self.leaked[to.peer() as usize] else { return };
        let Some(end) = self.script.ends.end(*to) else { return };
        if end.connection().read_epoch() <= HANDSHAKE {
            return;
        }
        let before = known(end);
        let content = ContentType(*content_type);
        let made = (0..=again).map_while(|_| leaked.forge(to.peer(), HANDSHAKE, content, body)).last();
        let Some(record) = made else { return };
        self.ran.leaked = true;
        // It is authentic, so the window may move: not a matter of `Script::inject`.
        let _told = self.script.ends.deliver(*to, &record);
        let Some(end) = self.script.ends.end(*to) else { return };
        // What is authentic may break a rule, and so end the connection; alerts and data of such an epoch may not even that.
        let breaks = [ContentType::HANDSHAKE, ContentType::ACK].contains(&content)
            && matches!(end.closed(), Some(CloseReason::Failed(Error::Misbehaved(_))))
            && end.delivered().len() == before.1;
        assert!(
            breaks || known(end) == before,
            "S8: a record of an epoch that is over had an effect: {forgery:?}, {:?}",
            end.closed()
        );
        self.script.apply(&Step::Advance(0));
    }

    fn end(mut self) -> Ran {
        let Self { ran, script, .. } = &mut self;
        ran.connected = script.ends.connected();
        if script.ends.end(Side::Server).is_some_and(End::wants_psk) {
            script.apply(&Step::Psk(true));
        }
        script.finish(ROUNDS);
        let ends = || Side::BOTH.into_iter().filter_map(|side| script.ends.end(side));
        let over = ends().any(|end| end.closed().is_some());
        assert!(script.ends.connected() || over, "L1: neither connected nor over: {script:?}");
        ran.delivered = ends().any(|end| !end.delivered().is_empty());
        *ran
    }
}

/// What a record of an epoch that is over must not change.
fn known(end: &End) -> ([u16; 2], usize, bool, Option<CloseReason>, Option<Negotiated>) {
    let connection = end.connection();
    let epochs = [connection.read_epoch(), connection.write_epoch()];
    (epochs, end.delivered().len(), end.connected(), end.closed(), connection.negotiated().cloned())
}

/// How many kinds of handshake there are.
const KINDS: u8 = 7;

fn setup(kind: u8, options: u8, seed: u64) -> Setup {
    use CipherSuite as S;
    let ideal = ideal_crypto::PROVIDER;
    let mut recipe = match kind {
        0 => Recipe::new(ideal),
        1 => Recipe { suites: vec![S::TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256], ..Recipe::new(ideal) },
        2 => Recipe::new13(ideal, PskMode::PskOnly),
        3 => Recipe::new13(ideal, PskMode::PskDhe),
        // The server wants another group than the client's first.
        4 => Recipe {
            groups: [vec![NamedGroup::X25519, NamedGroup::SECP256R1], vec![NamedGroup::SECP256R1]],
            ..Recipe::new13(ideal, PskMode::PskDhe)
        },
        // Both speak both versions, or the server only the older one.
        kind => {
            let suites = vec![S::TLS_AES_128_CCM_SHA256, S::TLS_PSK_WITH_AES_128_CCM_8];
            let mut recipe = Recipe { suites, ..Recipe::new(ideal) };
            if kind == 6 {
                recipe.versions[1] = vec![ProtocolVersion::DTLS1_2];
            }
            recipe
        }
    };
    recipe.listener.cookies = options & options::NO_COOKIES == 0;
    recipe.deferred = options & options::DEFERRED != 0;
    let room = [2048, 2048, 120, 60][usize::from(options & options::ROOM) / 4];
    Setup { seed, room: [room; 2], ..recipe.setup() }
}
