//! What both sides of a DTLS 1.3 handshake do once ServerHello is exchanged: epochs, Finished, facts of the session.

use alloc::vec::Vec;

use crate::{
    config::Settings,
    error::{Error, PeerMisbehaved},
    event::{Negotiated, PeerIdentity},
    handshake::{Cx, Established, check_verify_data_len, suites::Suite13},
    record::{
        epoch::{ReadEpoch, WriteEpoch},
        protect::Protection,
    },
    schedule::{
        exporter::Exporter,
        transcript::Transcript,
        v12::Role,
        v13::{Handshake13, Secret13, Traffic},
    },
    wire::{
        enums::{HandshakeType, NamedGroup, ProtocolVersion},
        handshake::Message,
    },
};

/// The epoch of the encrypted handshake (RFC 9147 §6.1).
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// The first epoch of application data.
pub(crate) const TRAFFIC_EPOCH: u16 = 3;

/// What the hellos agreed on.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Agreed {
    pub(crate) suite: &'static Suite13,
    pub(crate) group: Option<NamedGroup>,
    pub(crate) identity: Vec<u8>,
}

/// A handshake in its encrypted part.
#[derive(Debug)]
#[cfg_attr(feature = "__model", derive(Clone, Hash))]
pub(crate) struct Keys13 {
    role: Role,
    agreed: Agreed,
    stage: Handshake13,
    transcript: Transcript,
    client_random: [u8; 32],
}

impl Keys13 {
    pub(crate) fn new(
        settings: &Settings,
        role: Role,
        agreed: Agreed,
        (stage, transcript): (Handshake13, Transcript),
        client_random: [u8; 32],
    ) -> Self {
        let keys = Self { role, agreed, stage, transcript, client_random };
        keys.log(settings, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", &keys.stage.client);
        keys.log(settings, "SERVER_HANDSHAKE_TRAFFIC_SECRET", &keys.stage.server);
        keys
    }

    /// Takes a message of the peer into the transcript.
    pub(crate) fn add(&mut self, message: &Message<'_>) {
        self.transcript.add(message);
    }

    /// Sends a message in the current epoch and takes it into the transcript.
    pub(crate) fn send(&mut self, typ: HandshakeType, body: &[u8], cx: &mut Cx<'_>) -> Result<(), Error> {
        cx.push_encoded(typ, body.to_vec(), |message| self.transcript.add(message))
    }

    /// Epoch 2 in both directions.
    pub(crate) fn install_handshake(&self, settings: &Settings, cx: &mut Cx<'_>) -> Result<(), Error> {
        let (read, write) = self.by_direction(&self.stage.client, &self.stage.server);
        let read = self.protection(settings, read)?;
        let write = self.protection(settings, write)?;
        cx.advance_write(WriteEpoch::new(HANDSHAKE_EPOCH, write, 0));
        cx.advance_read(ReadEpoch::new(HANDSHAKE_EPOCH, read, settings.limits.replay_window));
        Ok(())
    }

    /// Epoch 3 for sending.
    pub(crate) fn install_write(
        &self,
        settings: &Settings,
        traffic: &Traffic,
        cx: &mut Cx<'_>,
    ) -> Result<(), Error> {
        let (_, write) = self.by_direction(&traffic.client, &traffic.server);
        let protection = self.protection(settings, write)?;
        cx.advance_write(WriteEpoch::new(TRAFFIC_EPOCH, protection, 0));
        Ok(())
    }

    /// Epoch 3 for receiving.
    pub(crate) fn install_read(
        &self,
        settings: &Settings,
        traffic: &Traffic,
        cx: &mut Cx<'_>,
    ) -> Result<(), Error> {
        let (read, _) = self.by_direction(&traffic.client, &traffic.server);
        let protection = self.protection(settings, read)?;
        cx.advance_read(ReadEpoch::new(TRAFFIC_EPOCH, protection, settings.limits.replay_window));
        Ok(())
    }

    /// Sends the own Finished (RFC 8446 §4.4.4).
    pub(crate) fn send_finished(&mut self, settings: &Settings, cx: &mut Cx<'_>) -> Result<(), Error> {
        let hash = settings.hash(self.agreed.suite.hash)?;
        let (_, own) = self.by_direction(&self.stage.client, &self.stage.server);
        let data = own.verify_data(hash, &self.transcript.current());
        self.send(HandshakeType::FINISHED, data.as_bytes(), cx)
    }

    /// Checks the peer's Finished and takes it into the transcript.
    pub(crate) fn check_finished(&mut self, settings: &Settings, message: &Message<'_>) -> Result<(), Error> {
        let hash = settings.hash(self.agreed.suite.hash)?;
        let (peer, _) = self.by_direction(&self.stage.client, &self.stage.server);
        check_verify_data_len(message, hash.algorithm().digest_len())?;
        if !peer.verifies(hash, &self.transcript.current(), message.body) {
            return Err(PeerMisbehaved::BadFinished.into());
        }
        self.transcript.add(message);
        Ok(())
    }

    /// The secrets of application data. The transcript stands at the server's Finished.
    pub(crate) fn traffic(&self, settings: &Settings) -> Result<Traffic, Error> {
        let hash = settings.hash(self.agreed.suite.hash)?;
        let traffic = self.stage.traffic(hash, &self.transcript.current());
        self.log(settings, "CLIENT_TRAFFIC_SECRET_0", &traffic.client);
        self.log(settings, "SERVER_TRAFFIC_SECRET_0", &traffic.server);
        self.log(settings, "EXPORTER_SECRET", &traffic.exporter);
        Ok(traffic)
    }

    /// The handshake is done: only facts and the exporter secret stay.
    pub(crate) fn establish(self, traffic: Traffic) -> Established {
        let Agreed { suite, group, identity } = self.agreed;
        Established {
            role: self.role,
            message_seqs: (None, 0),
            negotiated: Negotiated {
                version: ProtocolVersion::DTLS1_3,
                suite: suite.id,
                group,
                peer: PeerIdentity::Psk(identity),
                extended_master_secret: true,
            },
            exporter: Exporter::V13 { secret: traffic.exporter, hash: suite.hash },
        }
    }

    fn protection(&self, settings: &Settings, secret: &Secret13) -> Result<Protection, Error> {
        let Suite13 { aead, hash, .. } = *self.agreed.suite;
        Ok(secret.protection(&settings.provider, settings.hash(hash)?, aead)?)
    }

    /// The secrets for reading and for writing.
    const fn by_direction<'s>(
        &self,
        client: &'s Secret13,
        server: &'s Secret13,
    ) -> (&'s Secret13, &'s Secret13) {
        match self.role {
            Role::Client => (server, client),
            Role::Server => (client, server),
        }
    }

    fn log(&self, settings: &Settings, label: &str, secret: &Secret13) {
        if let Some(log) = &settings.key_log {
            log.log(label, &self.client_random, secret.as_bytes());
        }
    }
}
