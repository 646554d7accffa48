//! Between the alphabet of dtls-fuzzer and ours.
//!
//! Their tester is a TLS stack that sends what it is told to: every message under the keys it has at that moment, a ClientHello with
//! the cookie it got. Messages of the handshake bear the number that the end expects next.

use reference_model::{
    Machine,
    alphabet::{Event, Input, Output, Sent, Version},
    handshake::Control,
    mode::{Mode, Role, Versions},
};

/// What their tester knows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Translator {
    client: bool,
    dtls13: bool,
    /// It was asked for a cookie.
    cookie: bool,
    /// It got a ServerHello.
    greeted: bool,
    /// It sends in this epoch.
    epoch: u8,
}

impl Translator {
    /// For an end of this mode.
    pub(crate) fn new(mode: Mode) -> Self {
        let (client, dtls13) = (mode.role == Role::Client, mode.versions == Versions::V13);
        Self { client, dtls13, cookie: false, greeted: false, epoch: 0 }
    }

    /// Where our model is, for people.
    pub(crate) fn place(ours: &Machine) -> String {
        match ours.control() {
            Control::ServerHello { verified: 0, retried: None } => "ServerHello".into(),
            Control::ServerHello { verified: 1.., .. } => "ServerHello, verified".into(),
            Control::ServerHello { .. } => "ServerHello, retried".into(),
            control => format!("{control:?}"),
        }
    }

    /// Our input for theirs, if it is about something we have.
    pub(crate) fn input(&mut self, name: &str) -> Option<Input> {
        let epoch = self.epoch;
        let here = |name: &str| format!("{name}@{epoch}");
        let text = match name {
            "PSK_CLIENT_HELLO" => self.client_hello(),
            "PSK_CLIENT_KEY_EXCHANGE" => here("ClientKeyExchange"),
            "PSK_SERVER_HELLO" if self.dtls13 => here("ServerHello+13"),
            "PSK_SERVER_HELLO" => here("ServerHello+12"),
            "HELLO_VERIFY_REQUEST" => here("HelloVerifyRequest"),
            "HELLO_RETRY_REQUEST" => here("HelloRetryRequest+cookie"),
            "SERVER_HELLO_DONE" => here("ServerHelloDone"),
            "HELLO_REQUEST" if epoch == 0 => here("HelloRequest"),
            "HELLO_REQUEST" => here("HelloRequest~start"),
            "ENCRYPTED_EXTENSIONS" => here("EncryptedExtensions"),
            "CERTIFICATE" | "EMPTY_CERTIFICATE" => here("Certificate"),
            "CERTIFICATE_VERIFY" => here("CertificateVerify"),
            "FINISHED" => here("Finished"),
            "CHANGE_CIPHER_SPEC" => here("CCS"),
            "APPLICATION" => here("Data"),
            "ACKNOWLEDGEMENT" => here("Ack+all"),
            "Alert(WARNING,CLOSE_NOTIFY)" => here("Alert+warning+close_notify"),
            "Alert(FATAL,UNEXPECTED_MESSAGE)" => here("Alert+fatal+unexpected_message"),
            // Hellos and key exchanges of suites that need certificates.
            _ => return None,
        };
        self.sent(name);
        Some(text.parse().expect("the name of one of our inputs"))
    }

    /// What we answer, in their words; what our application is told that theirs would show by an echo.
    pub(crate) fn outputs(&mut self, outputs: &[Output]) -> Vec<String> {
        let names: Vec<String> = outputs.iter().filter_map(|output| name(*output)).collect();
        for name in &names {
            match name.as_str() {
                "HELLO_VERIFY_REQUEST" | "SERVER_HELLO(HRR)" => self.cookie = true,
                "SERVER_HELLO" if self.dtls13 => (self.greeted, self.epoch) = (true, 2),
                "SERVER_HELLO" => self.greeted = true,
                _ => {}
            }
        }
        names
    }

    fn client_hello(&self) -> String {
        let version = if self.dtls13 { "13" } else { "12" };
        match (self.greeted, self.cookie) {
            (true, _) if self.epoch == 1 => format!("ClientHello+{version}~start@1"),
            (true, _) => format!("ClientHello+{version}@0"),
            (false, true) => format!("ClientHello+{version}+cookie~start@0"),
            (false, false) => format!("ClientHello+{version}~start@0"),
        }
    }

    /// Which keys the tester has after it sent a message.
    fn sent(&mut self, name: &str) {
        match name {
            "CHANGE_CIPHER_SPEC" => self.epoch = 1,
            "PSK_SERVER_HELLO" if self.dtls13 && self.client => self.epoch = self.epoch.max(2),
            "FINISHED" if self.dtls13 && self.epoch == 2 => self.epoch = 3,
            _ => {}
        }
    }
}

/// An answer without what only depends on the application or on the identity hint, and with repetitions as one: if the rest is the
/// same, the conversation goes on in the same way.
pub(crate) fn without_application(answer: &[String]) -> Vec<&str> {
    let optional = |name: &&str| *name != "APPLICATION" && *name != "PSK_SERVER_KEY_EXCHANGE";
    let mut rest: Vec<&str> = answer.iter().map(String::as_str).filter(optional).collect();
    rest.dedup();
    rest
}

fn name(output: Output) -> Option<String> {
    let sent = match output {
        Output::Event(Event::Delivered) => return Some("APPLICATION".into()),
        Output::Event(_) => return None,
        Output::Tx(_, sent) => sent,
    };
    let name = match sent {
        Sent::ClientHello { .. } => "CLIENT_HELLO",
        Sent::HelloVerifyRequest => "HELLO_VERIFY_REQUEST",
        Sent::HelloRetryRequest { .. } => "SERVER_HELLO(HRR)",
        Sent::ServerHello(Version::V10 | Version::V12 | Version::V13) => "SERVER_HELLO",
        Sent::ServerKeyExchange => "PSK_SERVER_KEY_EXCHANGE",
        Sent::ServerHelloDone => "SERVER_HELLO_DONE",
        Sent::ClientKeyExchange => "PSK_CLIENT_KEY_EXCHANGE",
        Sent::ChangeCipherSpec => "CHANGE_CIPHER_SPEC",
        Sent::Finished => "FINISHED",
        Sent::EncryptedExtensions => "ENCRYPTED_EXTENSIONS",
        Sent::Ack { .. } => "ACKNOWLEDGEMENT",
        Sent::Data | Sent::Other => "APPLICATION",
        Sent::Alert(level, description) => {
            return Some(format!("Alert({level:?},{description})").to_uppercase().replace("ALERT", "Alert"));
        }
    };
    Some(name.into())
}
