//! What both sides of a DTLS 1.2 handshake do once the hellos are exchanged: from the premaster secret to keys, Finished and
//! the facts of the established session.

use alloc::vec::Vec;

use crate::{
    config::Settings,
    crypto::Prf,
    error::{Error, PeerMisbehaved},
    event::{Negotiated, PeerIdentity},
    handshake::{Cx, Established, check_verify_data_len, suites::Suite12},
    record::epoch::{ReadEpoch, WriteEpoch},
    schedule::{
        exporter::Exporter,
        transcript::Transcript,
        v12::{MasterSecret, Randoms, Role, finished_is, traffic_keys, verify_data},
    },
    wire::{
        enums::{HandshakeType, NamedGroup, ProtocolVersion},
        handshake::Message,
    },
};

/// The only keyed epoch of a connection that never renegotiates.
const KEYED_EPOCH: u16 = 1;

/// What the hellos agreed on, with the transcript so far.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Hellos {
    pub(crate) suite: &'static Suite12,
    pub(crate) randoms: Randoms,
    pub(crate) extended_master_secret: bool,
    pub(crate) transcript: Transcript,
}

/// A handshake whose keys are known but not confirmed.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Keyed {
    hellos: Hellos,
    master: MasterSecret,
    role: Role,
    group: Option<NamedGroup>,
    identity: Vec<u8>,
}

/// How the secret came about.
pub(crate) struct Agreement<'a> {
    pub(crate) premaster: &'a [u8],
    pub(crate) group: Option<NamedGroup>,
    pub(crate) identity: Vec<u8>,
}

impl Hellos {
    /// The transcript stands at ClientKeyExchange: derives the master secret and the keys of both directions. Reading
    /// switches once the peer's ChangeCipherSpec is there; the write epoch is returned for the caller to switch to.
    pub(crate) fn derive(
        self,
        settings: &Settings,
        role: Role,
        agreement: Agreement<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(Keyed, WriteEpoch), Error> {
        let hash = settings.hash(self.suite.hash)?;
        let master = if self.extended_master_secret {
            MasterSecret::extended(hash, agreement.premaster, &self.transcript.current())
        } else {
            MasterSecret::from_randoms(hash, agreement.premaster, &self.randoms)
        };
        if let Some(log) = &settings.key_log {
            log.log("CLIENT_RANDOM", &self.randoms.client, master.as_bytes());
        }
        let keys = traffic_keys(&settings.provider, self.suite.aead, &master.prf(hash), &self.randoms)?;
        let (read, write) = match role {
            Role::Client => (keys.server_write, keys.client_write),
            Role::Server => (keys.client_write, keys.server_write),
        };
        *cx.pending_read = Some(ReadEpoch::new(KEYED_EPOCH, read, settings.limits.replay_window));
        let keyed =
            Keyed { hellos: self, master, role, group: agreement.group, identity: agreement.identity };
        Ok((keyed, WriteEpoch::new(KEYED_EPOCH, write, 0)))
    }
}

impl Keyed {
    /// Sends ChangeCipherSpec and Finished.
    pub(crate) fn send_finished(
        &mut self,
        settings: &Settings,
        write: WriteEpoch,
        cx: &mut Cx<'_>,
    ) -> Result<(), Error> {
        cx.send_ccs();
        cx.advance_write(write);
        let data = verify_data(&self.prf(settings)?, self.role, &self.hellos.transcript.current());
        cx.push(HandshakeType::FINISHED, |w| w.bytes(&data), |m| self.hellos.transcript.add(m))
    }

    /// Checks the peer's Finished and takes it into the transcript (RFC 5246 §7.4.9).
    pub(crate) fn check_finished(&mut self, settings: &Settings, message: &Message<'_>) -> Result<(), Error> {
        let peer = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let expected = verify_data(&self.prf(settings)?, peer, &self.hellos.transcript.current());
        check_verify_data_len(message, expected.len())?;
        if !finished_is(&expected, message.body) {
            return Err(PeerMisbehaved::BadFinished.into());
        }
        self.hellos.transcript.add(message);
        Ok(())
    }

    /// The handshake is done: only facts and the exporter secret stay.
    pub(crate) fn establish(self) -> Established {
        let Self { hellos, master, group, identity, role } = self;
        Established {
            role,
            message_seqs: (None, 0),
            negotiated: Negotiated {
                version: ProtocolVersion::DTLS1_2,
                suite: hellos.suite.id,
                group,
                peer: PeerIdentity::Psk(identity),
                extended_master_secret: hellos.extended_master_secret,
            },
            exporter: Exporter::V12 { master, randoms: hellos.randoms, hash: hellos.suite.hash },
        }
    }

    fn prf(&self, settings: &Settings) -> Result<Prf, Error> {
        Ok(self.master.prf(settings.hash(self.hellos.suite.hash)?))
    }
}
