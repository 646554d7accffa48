//! What a peer that follows the rules would send.

use dtls_core::{HandshakeType, internals::End};

use crate::{
    ScriptedPeer,
    action::{AckList, ClientForm, Content, Extra, KeyExchange, Message as Said, Record, ServerForm},
};

impl ScriptedPeer {
    /// What a peer that follows the rules would send now: a flight, or the rest of one. Nothing while it is not its turn.
    pub fn honest(&self) -> Vec<Record> {
        match self.settings.end {
            End::Client => self.honest_client(),
            End::Server => self.honest_server(),
        }
    }

    fn honest_client(&self) -> Vec<Record> {
        let is13 = self.conversation.is13() == Some(true);
        let finished = Said::Finished { ok: true };
        match self.conversation.last().map(|message| message.typ) {
            None => vec![Record::message(0, Said::ClientHello(ClientForm::default()))],
            Some(_) if self.conversation.ends_with_retry() => {
                vec![Record::message(0, Said::ClientHello(ClientForm::default()))]
            }
            Some(HandshakeType::SERVER_HELLO_DONE) => {
                vec![Record::message(0, Said::ClientKeyExchange(KeyExchange::default()))]
            }
            Some(HandshakeType::CLIENT_KEY_EXCHANGE) => {
                vec![Record::new(0, Content::ChangeCipherSpec), Record::message(1, finished)]
            }
            Some(HandshakeType::FINISHED) if is13 && self.conversation.finished() == 1 => {
                vec![Record::message(2, finished)]
            }
            _ => Vec::new(),
        }
    }

    fn honest_server(&self) -> Vec<Record> {
        let is13 = self.conversation.is13() == Some(true);
        let finished = Said::Finished { ok: true };
        match self.conversation.last().map(|message| message.typ) {
            Some(HandshakeType::CLIENT_HELLO) => {
                vec![Record::message(0, Said::ServerHello(ServerForm::default()))]
            }
            Some(HandshakeType::SERVER_HELLO) if self.conversation.ends_with_retry() => Vec::new(),
            Some(HandshakeType::SERVER_HELLO) if is13 => {
                vec![Record::message(2, Said::EncryptedExtensions(Extra::None))]
            }
            Some(HandshakeType::ENCRYPTED_EXTENSIONS) => vec![Record::message(2, finished)],
            Some(HandshakeType::SERVER_HELLO) if self.uses_ecdhe12() => {
                vec![Record::message(0, Said::ServerKeyExchange(KeyExchange::default()))]
            }
            Some(HandshakeType::SERVER_HELLO | HandshakeType::SERVER_KEY_EXCHANGE) => {
                vec![Record::message(0, Said::ServerHelloDone)]
            }
            Some(HandshakeType::FINISHED) if !is13 && self.conversation.finished() == 1 => {
                vec![Record::new(0, Content::ChangeCipherSpec), Record::message(1, finished)]
            }
            Some(HandshakeType::FINISHED) if is13 && self.conversation.finished() == 2 => {
                vec![Record::new(3, Content::Ack(AckList::Received))]
            }
            _ => Vec::new(),
        }
    }
}
