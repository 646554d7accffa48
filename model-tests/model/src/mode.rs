//! The modes: what an end under test is configured to do, and which inputs it is tried with.

use core::fmt;

use crate::alphabet::Input;

/// Client or server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Its ClientHello is sent already when a trace begins.
    Client,
    /// A listener without state, until a ClientHello has proven that it deserves a connection. From then on the
    /// listener is out of the game and every record goes to that one connection.
    Server,
}

/// The versions an end is configured for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Versions {
    /// DTLS 1.2 only.
    V12,
    /// DTLS 1.3 only.
    V13,
    /// Both; 1.3 if the peer can.
    Both,
}

/// What an end is configured to do. All of them authenticate by one external PSK whose identity the client sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mode {
    /// Which end.
    pub role: Role,
    /// Its versions.
    pub versions: Versions,
    /// With a Diffie-Hellman exchange: ECDHE_PSK suites in 1.2, psk_dhe_ke in 1.3, two groups, of which a client sends
    /// a share for the first and a server has only one. Without: PSK suites, psk_ke, and no groups anywhere.
    pub ephemeral: bool,
    /// Server: asks for a cookie. Always false for clients, which answer whoever asks.
    pub cookie: bool,
    /// Server: its application looks keys up and answers later ([`crate::alphabet::Event::NeedPsk`]).
    pub deferred: bool,
}

impl Mode {
    /// Every mode that is modelled.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let configurations = [
            (Versions::V12, false),
            (Versions::V12, true),
            (Versions::V13, false),
            (Versions::V13, true),
            (Versions::Both, false),
            (Versions::Both, true),
        ];
        let mut modes = Vec::new();
        for (versions, ephemeral) in configurations {
            modes.push(Self { role: Role::Client, versions, ephemeral, cookie: false, deferred: false });
        }
        for deferred in [false, true] {
            for (versions, ephemeral) in configurations {
                for cookie in [true, false] {
                    modes.push(Self { role: Role::Server, versions, ephemeral, cookie, deferred });
                }
            }
        }
        modes
    }

    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|mode| mode.to_string() == name)
    }

    /// Whether it can end up with DTLS 1.2.
    #[must_use]
    pub fn has_12(self) -> bool {
        self.versions != Versions::V13
    }

    /// Whether it can end up with DTLS 1.3.
    #[must_use]
    pub fn has_13(self) -> bool {
        self.versions != Versions::V12
    }

    /// The inputs an end of this mode is tried with, always in the same order.
    #[must_use]
    pub fn alphabet(self) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        for (applies, names) in self.sections() {
            for name in if applies { names.split_whitespace() } else { "".split_whitespace() } {
                // A name in the tables below that is none is caught by a test.
                inputs.extend(name.parse::<Input>().ok().filter(|input| !inputs.contains(input)));
            }
        }
        inputs
    }

    /// The tables below, each with whether it is part of this mode's alphabet.
    fn sections(self) -> Vec<(bool, &'static str)> {
        let client = self.role == Role::Client;
        let (has_12, has_13) = (self.has_12(), self.has_13());
        vec![
            (client && has_12, CLIENT_12),
            (client && has_12 && self.ephemeral, CLIENT_12_ECDHE),
            (client && !has_13, CLIENT_ONLY_12),
            (client && !has_13 && self.ephemeral, CLIENT_ONLY_12_ECDHE),
            (client && has_13, CLIENT_13),
            (client && has_13 && self.ephemeral, CLIENT_13_DHE),
            (client && has_12 && has_13, CLIENT_BOTH),
            (!client, SERVER),
            (!client && has_12, SERVER_12),
            (!client && has_12 && self.cookie, SERVER_12_COOKIE),
            (!client && has_12 && !self.cookie, SERVER_12_NO_COOKIE),
            (!client && has_13, SERVER_13),
            (!client && has_13 && self.cookie, SERVER_13_COOKIE),
            (!client && has_13 && !self.cookie, SERVER_13_NO_COOKIE),
            (!client && has_13 && self.ephemeral, SERVER_13_DHE),
            (!client && has_13 && self.ephemeral && self.cookie, SERVER_13_DHE_COOKIE),
            (!client && has_12 && has_13, SERVER_BOTH),
            (!client && has_12 && has_13 && self.ephemeral, SERVER_BOTH_DHE),
            (!client && has_12 && has_13 && self.cookie, SERVER_BOTH_COOKIE),
            (self.deferred, DEFERRED),
            (true, EVERYONE),
            (has_12, EVERYONE_12),
            (has_13, EVERYONE_13),
        ]
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.role == Role::Client { "client" } else { "server" };
        let exchange = match (self.versions, self.ephemeral) {
            (Versions::V12, false) => "12-psk",
            (Versions::V12, true) => "12-ecdhe",
            (Versions::V13, false) => "13-ke",
            (Versions::V13, true) => "13-dhe",
            (Versions::Both, false) => "both-psk",
            (Versions::Both, true) => "both",
        };
        let cookie = if self.cookie { "-cookie" } else { "" };
        let deferred = if self.deferred { "-deferred" } else { "" };
        write!(f, "{role}-{exchange}{cookie}{deferred}")
    }
}

const CLIENT_12: &str = "
    HelloVerifyRequest@0 HelloRetryRequest@0 HelloRetryRequest+cookie@0
    ServerHello+12@0 ServerHello+12+other-suite@0 ServerHello+12+no-ems@0
    ServerHello+10@0 ServerHello+13@0
    ServerHelloDone@0 ServerHelloDone~ahead@0 ServerKeyExchange@0 CCS@0 Finished@0
    Finished@1 Finished+bad@1 HelloRequest@0 HelloRequest@1 HelloRequest~start@1 Certificate@0 CertificateRequest@0
    Malformed@0";

/// Where 1.3 is spoken too, the pieces of its ServerHello and one message ahead have to do: more of them multiply the states.
const CLIENT_ONLY_12: &str = "ServerHello+12/first@0 ServerHello+12/rest@0";

const CLIENT_ONLY_12_ECDHE: &str = "ServerKeyExchange~ahead@0";

const CLIENT_12_ECDHE: &str = "ServerKeyExchange+bad@0";

const CLIENT_13: &str = "
    ServerHello+13@0 ServerHello+13/first@0 ServerHello+13/rest@0 ServerHello+13+other-suite@0 ServerHello+13+bad-psk@0
    ServerHello+13+no-psk@0 ServerHello+13+session-id@0 ServerHello+12@0 ServerHello+10@0 HelloVerifyRequest@0
    HelloRetryRequest+cookie@0 HelloRetryRequest@0 EncryptedExtensions@0
    EncryptedExtensions@2 Finished@2 Finished+bad@2 Finished~ahead@2 NewSessionTicket@3 KeyUpdate@3
    CertificateRequest@2 Malformed@2 CCS@0 Ack+all@0 Ack+all@2 Ack+all@3 Ack+higher-epoch@2 Ack+unknown@3 Ack+empty@3
    Ack+malformed@3 Data@2 Alert+fatal+handshake_failure@2 Alert+warning+close_notify@2";

const CLIENT_13_DHE: &str = "
    HelloRetryRequest+group@0 HelloRetryRequest+cookie+group@0 HelloRetryRequest+same-group@0
    ServerHello+13+bad-share@0";

const CLIENT_BOTH: &str = "ServerHello+12+sentinel@0";

const SERVER: &str = "ClientHello+10~start@0";

const SERVER_12: &str = "
    ClientHello+12~start@0 ClientKeyExchange@0 ClientKeyExchange+bad@0 ClientKeyExchange/first@0
    ClientKeyExchange/rest@0 CertificateVerify~ahead@0 CCS@0 Finished@0 Finished@1 Finished+bad@1
    ClientHello+12@0 ClientHello+12@1 ClientHello+12~start@1 Certificate@0 Malformed@0 Malformed@1";

const SERVER_12_COOKIE: &str = "
    ClientHello+12+cookie~start@0 ClientHello+12+bad-cookie~start@0
    ClientHello+12+cookie+no-suite~start@0 ClientHello+12+cookie+no-ems~start@0";

const SERVER_12_NO_COOKIE: &str = "ClientHello+12+no-suite~start@0 ClientHello+12+no-ems~start@0";

const SERVER_13: &str = "
    ClientHello+12~start@0 ClientHello+13~start@0 ClientHello+13@0 ClientHello+13+legacy-cookie~start@0
    Finished@0 Finished@2 Finished+bad@2 Finished/first@2 Finished/rest@2 Finished~ahead@2 Malformed@2
    EndOfEarlyData@2 NewSessionTicket@3 KeyUpdate@3 CCS@0 Ack+all@0 Ack+all@2 Ack+plain@2 Ack+empty@2 Ack+unknown@2
    Ack+higher-epoch@2 Ack+malformed@2 Data@2 Alert+fatal+handshake_failure@2 Alert+warning+close_notify@2";

const SERVER_13_COOKIE: &str = "
    ClientHello+13+cookie~start@0 ClientHello+13+bad-cookie~start@0 ClientHello+13+cookie+no-suite~start@0
    ClientHello+13+cookie+unknown-psk~start@0 ClientHello+13+cookie+bad-binder~start@0";

const SERVER_13_NO_COOKIE: &str = "
    ClientHello+13+no-suite~start@0 ClientHello+13+unknown-psk~start@0 ClientHello+13+bad-binder~start@0";

const SERVER_13_DHE: &str = "
    ClientHello+13+no-share~start@0 ClientHello+13+retry-cookie~start@0
    ClientHello+13+retry-cookie+no-share~start@0";

const SERVER_13_DHE_COOKIE: &str = "ClientHello+13+cookie+no-share~start@0";

const SERVER_BOTH: &str = "ClientHello+both~start@0";

const SERVER_BOTH_DHE: &str = "ClientHello+both+no-share~start@0 ClientHello+both+retry-cookie~start@0";

const SERVER_BOTH_COOKIE: &str = "ClientHello+both+cookie~start@0 ClientHello+both+bad-cookie~start@0";

const DEFERRED: &str = "PskFound PskNotFound";

const EVERYONE: &str = "
    UnknownMessage@0 UnknownType@0 Data@0
    Alert+fatal+handshake_failure@0 Alert+warning+user_canceled@0 Alert+warning+close_notify@0
    Replay Again+first Again+last Again+flight Timer Send Close";

const EVERYONE_12: &str = "
    Data@1 Data@1! CCS@1 Alert+fatal+handshake_failure@1 Alert+warning+user_canceled@1 Alert+warning+close_notify@1";

const EVERYONE_13: &str = "Data@3 Data@3! Alert+warning+close_notify@3 UnknownMessage@3";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_tables_is_a_symbol() {
        for mode in Mode::all() {
            for name in mode.sections().into_iter().flat_map(|(_, names)| names.split_whitespace()) {
                assert_eq!(name.parse::<Input>().unwrap().to_string(), name);
            }
        }
    }

    #[test]
    fn modes_and_symbols_have_names_of_their_own() {
        let modes = Mode::all();
        assert_eq!(modes.len(), 30);
        for mode in &modes {
            assert_eq!(Mode::named(&mode.to_string()), Some(*mode));
            let alphabet = mode.alphabet();
            println!("{mode}: {} inputs", alphabet.len());
            assert!((25..=85).contains(&alphabet.len()), "{mode}: {}", alphabet.len());
        }
        for mode in modes {
            for output in crate::explore(mode).outputs.into_iter().flatten().flatten() {
                assert_eq!(output.to_string().parse(), Ok(output));
            }
        }
        assert!("Data@".parse::<Input>().is_err());
        assert!("ClientHello+12+cookie+cookie@0".parse::<Input>().is_err());
    }
}
