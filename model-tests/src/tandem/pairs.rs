//! Which pairs of ends there are, and how they are set up.

use std::sync::Arc;

use dtls_core::NamedGroup;
use ideal_crypto::PROVIDER;
use reference_model::{Choices, Guard, mode::Versions, network::Pairing};

use crate::{Recipe, Setup, ends::Ends, learning::recipe, pair::Pair, wire::records};
use simulated_network::{Faults, Side};

use super::ledger::{Content, Fragment, content};

/// A client, a server, and how much room their datagrams have.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Plan {
    /// The pair.
    pub pairing: Pairing,
    /// Whether some handshake messages come in two pieces.
    pub pieces: bool,
    setup: Setup,
    /// What another connection between such ends has sent, and where it goes.
    foreign: Arc<[(Side, Vec<u8>)]>,
}

impl Plan {
    /// Every pair of modes that have something in common, each with whole messages and with messages in two pieces.
    pub fn all() -> Vec<Self> {
        Pairing::all()
            .into_iter()
            .flat_map(|pairing| [false, true].map(|pieces| Self::new(pairing, pieces)))
            .collect()
    }

    /// The plan for a pair.
    pub fn new(pairing: Pairing, pieces: bool) -> Self {
        let setup = setup(pairing, pieces);
        let foreign = foreign(&setup).into();
        Self { pairing, pieces, setup, foreign }
    }

    /// The same ends beside another reference: one that has made these choices, and leaves out a guard.
    #[must_use]
    pub fn with_reference(&self, choices: Choices, without: Option<Guard>) -> Self {
        Self { pairing: Pairing { choices, without, ..self.pairing }, ..self.clone() }
    }

    /// The set-up.
    pub(super) const fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(super) fn foreign(&self) -> &[(Side, Vec<u8>)] {
        &self.foreign
    }
}

impl core::fmt::Display for Plan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}{}", self.pairing, if self.pieces { ", in pieces" } else { "" })
    }
}

/// Datagrams in which messages of the pair come in two pieces, but the client's hellos whole: room for each side, and the length
/// of the client's identity.
const fn rooms(pairing: Pairing) -> ([usize; 2], usize) {
    match (pairing.client.versions, pairing.server.versions) {
        (Versions::V12, _) => ([150, 60], 180),
        (_, Versions::V12) => ([2048, 60], 4),
        _ => ([2048, 100], 4),
    }
}

fn setup(pairing: Pairing, pieces: bool) -> Setup {
    let (room, identity) = if pieces { rooms(pairing) } else { ([2048; 2], 4) };
    let group = if pairing.share { NamedGroup::X25519 } else { NamedGroup::SECP256R1 };
    let [client, server] = [pairing.client, pairing.server].map(|mode| {
        let recipe = recipe(mode, PROVIDER);
        let groups = [recipe.groups[0].clone(), vec![group]];
        Recipe { groups, identity: vec![b'i'; identity], ..recipe }.setup()
    });
    Setup { room, ..Setup::new(client.client, server.server) }
}

/// A connection from beginning to end.
fn foreign(setup: &Setup) -> Vec<(Side, Vec<u8>)> {
    let setup = Setup { seed: 0xf0, psk: Some(crate::KEY.to_vec()), ..setup.clone() };
    let mut pair = Pair::new(&setup, Faults::default());
    pair.connect();
    for side in Side::BOTH {
        pair.send(side, b"foreign");
    }
    pair.run_for(core::time::Duration::from_millis(100));
    pair.close(Side::Client);
    pair.network.sent().iter().map(|sent| (sent.from.peer(), sent.bytes.clone())).collect()
}

/// A run of the pair that has just begun.
pub(super) fn begin(plan: &Plan) -> Ends {
    Ends::new(plan.setup())
}

impl Plan {
    /// The plaintext messages of the other connection, with who has sent them.
    pub(super) fn foreign_messages(&self) -> Vec<(Side, Fragment)> {
        let mut messages = Vec::new();
        for (to, bytes) in self.foreign() {
            for record in records(bytes).filter(|record| !record.is_unified() && record.epoch() == 0) {
                let content = record.content_type().map(|typ| content(typ, record.body()));
                if let Some(Content::Handshake(fragments)) = content {
                    messages.extend(
                        fragments.into_iter().filter(Fragment::is_whole).map(|part| (to.peer(), part)),
                    );
                }
            }
        }
        messages
    }
}
