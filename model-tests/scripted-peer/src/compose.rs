//! The bodies of messages, from what they shall say and what was said before.

use std::sync::Arc;

use dtls_core::{
    CipherSuite, HandshakeType,
    internals::{End, SuiteParts},
};

use crate::{
    ScriptedPeer,
    action::{
        ClientDefect, ClientForm, Content, Cookie, Extra, GroupForm, KeyExchange, Message, PskForm,
        RetryForm, ServerDefect, ServerForm, Versions,
    },
    codec::{ClientHello, Extension, RETRY_RANDOM, ServerHello, extension, get, remove, set, vec_of},
    conversation::{Conversation, find13, header13},
};

/// A suite, group and extension that nobody knows (RFC 8701).
const UNKNOWN: u16 = 0x0a0a;
/// Signals secure renegotiation (RFC 5746 §3.3).
const SCSV: u16 = 0x00ff;
const DTLS10: u16 = 0xfeff;
const DTLS12: u16 = 0xfefd;
const DTLS13: u16 = 0xfefc;

impl ScriptedPeer {
    /// The body of a message.
    pub(crate) fn compose(&self, message: &Message, seq: u16) -> Vec<u8> {
        match message {
            Message::HelloRequest | Message::ServerHelloDone | Message::EndOfEarlyData => Vec::new(),
            Message::ClientHello(form) => self.client_hello(form),
            Message::HelloVerifyRequest(cookie) => [&DTLS10.to_be_bytes()[..], &vec_of(1, cookie)].concat(),
            Message::HelloRetryRequest(form) => self.retry_request(form),
            Message::ServerHello(form) => self.server_hello(form),
            Message::EncryptedExtensions(extra) => encrypted_extensions(*extra),
            Message::ServerKeyExchange(exchange) => self.server_key_exchange(exchange),
            Message::ClientKeyExchange(exchange) => self.client_key_exchange(exchange),
            Message::CertificateRequest => match self.speaks13() {
                true => [&[0][..], &vec_of(2, &[0, 13, 0, 4, 0, 2, 4, 3])].concat(),
                false => [&[1, 64][..], &vec_of(2, &[4, 3]), &[0, 0]].concat(),
            },
            Message::Certificate if self.speaks13() => vec![0; 4],
            Message::Certificate => vec![0; 3],
            Message::CertificateVerify => [&[4, 3][..], &vec_of(2, &[0x5a; 64])].concat(),
            Message::Finished { ok } => self.finished(*ok, seq),
            Message::KeyUpdate { request } => vec![u8::from(*request)],
            Message::NewSessionTicket => {
                [&[0, 0, 14, 16, 1, 2, 3, 4][..], &vec_of(1, &[0]), &vec_of(2, b"ticket"), &[0, 0]].concat()
            }
            Message::Other(_, body) => body.clone(),
        }
    }

    /// The body that this message would have now.
    pub fn body(&self, message: &Message) -> Vec<u8> {
        self.compose(message, self.next_seq())
    }

    /// Right for what was said so far and, if it comes ahead of its turn, for what an honest peer would say before it.
    fn finished(&self, ok: bool, seq: u16) -> Vec<u8> {
        let skipped = if seq > self.next_seq() { self.honest() } else { Vec::new() };
        let skipped = skipped.into_iter().find_map(|record| match record.content {
            Content::Handshake(handshake) => Some(handshake.message),
            _ => None,
        });
        let mut messages = self.conversation.messages().to_vec();
        if let Some(skipped) = skipped.filter(|skipped| skipped.typ() != HandshakeType::FINISHED) {
            let (typ, seq) = (skipped.typ(), self.next_seq());
            let body = self.compose(&skipped, seq);
            messages.push(Arc::new(dtls_core::internals::Message { typ, seq, body }));
        }
        let right = self.conversation.verify_data_over(&self.settings, self.settings.end, &messages);
        let mut data = right.unwrap_or_else(|| vec![0x5a; if self.speaks13() { 32 } else { 12 }]);
        if !ok {
            data.first_mut().into_iter().for_each(|byte| *byte ^= 0x80);
            data.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        }
        data
    }

    /// Whether messages are those of DTLS 1.3: as negotiated, or as far as the settings tell.
    pub(crate) fn speaks13(&self) -> bool {
        self.conversation.is13().unwrap_or(self.settings.assume13)
    }

    fn client_hello(&self, form: &ClientForm) -> Vec<u8> {
        let (v12, v13) = self.offered(form.versions);
        let mut random = self.random;
        if form.defect == Some(ClientDefect::OtherRandom) {
            random[31] ^= 1;
        }
        let mut hello = ClientHello {
            legacy_version: if v12 || v13 { DTLS12 } else { DTLS10 }.to_be_bytes(),
            random,
            legacy_session_id: Vec::new(),
            legacy_cookie: self
                .exchange
                .verify
                .clone()
                .filter(|_| form.cookie == Cookie::Received)
                .unwrap_or_default(),
            cipher_suites: self.offered_suites(form, (v12, v13)),
            legacy_compression_methods: vec![u8::from(form.defect == Some(ClientDefect::NoNullCompression))],
            extensions: self.client_extensions(form, (v12, v13)),
        };
        if let Cookie::Bad = form.cookie {
            let mut cookie = self.exchange.verify.clone().unwrap_or_else(|| vec![0x5a; 16]);
            cookie.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            if !v13 || self.exchange.verify.is_some() {
                hello.legacy_cookie = cookie;
            }
        }
        let psk = v13 && form.psk != PskForm::None;
        let room = self.settings.hello_len.saturating_sub(hello.encode().len() + if psk { 100 } else { 4 });
        if room > 0 {
            set(&mut hello.extensions, extension::PADDING, &vec![0; room]);
        }
        spoil_client_hello(&mut hello, form.defect);
        match psk && hello.extensions.iter().all(|(typ, _)| *typ != extension::PRE_SHARED_KEY) {
            true => self.with_psk(hello, form),
            false => hello.encode(),
        }
    }

    fn offered(&self, versions: Versions) -> (bool, bool) {
        match versions {
            Versions::Settings => (!self.settings.suites12.is_empty(), !self.settings.suites13.is_empty()),
            Versions::V12 => (true, false),
            Versions::V13 => (false, true),
            Versions::Both => (true, true),
            Versions::V10 => (false, false),
        }
    }

    fn offered_suites(&self, form: &ClientForm, (v12, v13): (bool, bool)) -> Vec<u8> {
        let mut suites: Vec<u16> = Vec::new();
        if form.known_suites {
            suites.extend(self.settings.suites13.iter().filter(|_| v13).map(|suite| suite.0));
            suites.extend(self.settings.suites12.iter().filter(|_| v12 || !v13).map(|suite| suite.0));
        } else {
            suites.push(UNKNOWN);
        }
        if !v13 || v12 {
            suites.push(SCSV);
        }
        suites.into_iter().flat_map(u16::to_be_bytes).collect()
    }

    fn client_extensions(&self, form: &ClientForm, (v12, v13): (bool, bool)) -> Vec<Extension> {
        let settings = &self.settings;
        let mut extensions = Vec::new();
        let ecdhe12 = v12 && settings.suites12.iter().any(|s| SuiteParts::find(*s).is_some_and(|p| p.ecdhe));
        if ecdhe12 || (v13 && settings.dhe) {
            let groups: &[u16] = match form.group {
                GroupForm::Unknown => &[UNKNOWN],
                _ => &[settings.group.0, settings.other_group.0],
            };
            let groups: Vec<u8> = groups.iter().flat_map(|group| group.to_be_bytes()).collect();
            extensions.push((extension::SUPPORTED_GROUPS, vec_of(2, &groups)));
        }
        if ecdhe12 {
            extensions.push((extension::EC_POINT_FORMATS, vec![1, 0]));
        }
        if v12 && form.defect != Some(ClientDefect::NoExtendedMasterSecret) {
            extensions.push((extension::EXTENDED_MASTER_SECRET, Vec::new()));
        }
        if !v13 {
            return extensions;
        }
        let versions: &[u16] = if v12 { &[DTLS13, DTLS12] } else { &[DTLS13] };
        let versions: Vec<u8> = versions.iter().flat_map(|version| version.to_be_bytes()).collect();
        extensions.push((extension::SUPPORTED_VERSIONS, vec_of(1, &versions)));
        let cookie = match form.cookie {
            Cookie::None => None,
            Cookie::Received => self.exchange.retry.clone(),
            Cookie::Bad if self.exchange.verify.is_some() => None,
            Cookie::Bad => {
                let mut cookie = self.exchange.retry.clone().unwrap_or_else(|| vec![0x5a; 32]);
                cookie.last_mut().into_iter().for_each(|byte| *byte ^= 1);
                Some(cookie)
            }
        };
        extensions.extend(cookie.map(|cookie| (extension::COOKIE, vec_of(2, &cookie))));
        if form.defect != Some(ClientDefect::NoPskModes) {
            extensions.push((extension::PSK_KEY_EXCHANGE_MODES, vec![1, u8::from(settings.dhe)]));
        }
        if settings.dhe && form.group != GroupForm::None {
            let share = self.key_share(form.group, form.defect == Some(ClientDefect::BadKeyShare));
            extensions.push((extension::KEY_SHARE, vec_of(2, &share)));
        }
        extensions
    }

    /// A KeyShareEntry (RFC 8446 §4.2.8).
    fn key_share(&self, form: GroupForm, spoil: bool) -> Vec<u8> {
        let (group, mut key) = self.public_key(form);
        if spoil {
            key.fill(0);
        }
        [&group.to_be_bytes()[..], &vec_of(2, &key)].concat()
    }

    fn public_key(&self, form: GroupForm) -> (u16, Vec<u8>) {
        let group = match form {
            GroupForm::Good | GroupForm::None => self.settings.group.0,
            GroupForm::Other => self.settings.other_group.0,
            GroupForm::Unknown => UNKNOWN,
        };
        let share = self.shares.iter().find(|(own, _)| *own == group);
        // As long as no key of a known group.
        (group, share.map_or_else(|| vec![0x5a; 40], |(_, share)| share.public_key().to_vec()))
    }

    /// The hello with its last extension, whose binder covers everything before it (RFC 8446 §4.2.11.2).
    fn with_psk(&self, mut hello: ClientHello, form: &ClientForm) -> Vec<u8> {
        let suite = self.settings.suites13.first().copied().unwrap_or(CipherSuite::TLS_AES_128_GCM_SHA256);
        let binder_len = find13(&self.settings, suite).map_or(32, |(_, hash)| hash.algorithm().digest_len());
        let identity: &[u8] =
            if form.psk == PskForm::Unknown { b"somebody else" } else { &self.settings.identity };
        let identities = vec_of(2, &[&vec_of(2, identity)[..], &[0; 4]].concat());
        let binders = vec_of(2, &vec_of(1, &vec![0; binder_len]));
        hello.extensions.push((extension::PRE_SHARED_KEY, [&identities[..], &binders].concat()));
        let mut body = hello.encode();
        let covered = body.len() - binders.len();
        let part = [&header13(HandshakeType::CLIENT_HELLO, body.len())[..], &body[..covered]].concat();
        let retried = self.retried(&hello);
        if let Some(binder) = Conversation::binder(&self.settings, &retried, &part) {
            body[covered + 3..].copy_from_slice(binder.as_bytes());
        }
        if let (PskForm::BadBinder, Some(last)) = (form.psk, body.last_mut()) {
            *last ^= 1;
        }
        body
    }

    /// What precedes a hello in its transcript: the exchange that its cookie stands for.
    pub(crate) fn retried(&self, hello: &ClientHello) -> Vec<Arc<dtls_core::internals::Message>> {
        match get(&hello.extensions, extension::COOKIE) {
            Some(_) => self.exchange.retried.clone().map(Vec::from).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn retry_request(&self, form: &RetryForm) -> Vec<u8> {
        let mut extensions = vec![(extension::SUPPORTED_VERSIONS, DTLS13.to_be_bytes().to_vec())];
        if let Some(cookie) = &form.cookie {
            extensions.push((extension::COOKIE, vec_of(2, cookie)));
        }
        if let Some(group) = form.group {
            extensions.push((extension::KEY_SHARE, self.public_key(group).0.to_be_bytes().to_vec()));
        }
        let suite = self.settings.suites13.first().map_or(UNKNOWN, |suite| suite.0);
        ServerHello {
            legacy_version: DTLS12.to_be_bytes(),
            random: RETRY_RANDOM,
            legacy_session_id_echo: Vec::new(),
            cipher_suite: if form.known_suite { suite } else { UNKNOWN }.to_be_bytes(),
            legacy_compression_method: 0,
            extensions,
        }
        .encode()
    }

    fn server_hello(&self, form: &ServerForm) -> Vec<u8> {
        let is13 = match form.version {
            Versions::V12 | Versions::V10 => false,
            Versions::V13 | Versions::Both => true,
            Versions::Settings => {
                let offers13 = |hello: &Arc<ClientHello>| hello.offers_version(DTLS13);
                !self.settings.suites13.is_empty()
                    && (self.settings.suites12.is_empty()
                        || self.conversation.client.as_ref().is_none_or(offers13))
            }
        };
        let suites = if is13 { &self.settings.suites13 } else { &self.settings.suites12 };
        let other = form.defect == Some(ServerDefect::OtherSuite);
        let suite =
            suites.get(usize::from(other)).or_else(|| suites.first()).map_or(UNKNOWN, |suite| suite.0);
        let mut hello = ServerHello {
            legacy_version: if form.version == Versions::V10 { DTLS10 } else { DTLS12 }.to_be_bytes(),
            random: self.random,
            legacy_session_id_echo: Vec::new(),
            cipher_suite: if form.known_suite { suite } else { UNKNOWN }.to_be_bytes(),
            legacy_compression_method: 0,
            extensions: if is13 { self.extensions13(form) } else { self.extensions12(suite, form) },
        };
        spoil_server_hello(&mut hello, form.defect);
        hello.encode()
    }

    fn extensions13(&self, form: &ServerForm) -> Vec<Extension> {
        let mut extensions = vec![(extension::SUPPORTED_VERSIONS, DTLS13.to_be_bytes().to_vec())];
        if self.settings.dhe && form.group != GroupForm::None {
            let other = self.settings.other_group.0;
            // A client that was asked for the other group has sent a key for that one.
            let has_other =
                self.conversation.client.as_ref().is_some_and(|hello| hello.share(other).is_some());
            let group = match form.group {
                GroupForm::Good if has_other => GroupForm::Other,
                group => group,
            };
            let share = self.key_share(group, form.defect == Some(ServerDefect::BadKeyShare));
            extensions.push((extension::KEY_SHARE, share));
        }
        let client = self.conversation.client.as_ref();
        let index = client.and_then(|hello| hello.psk_index(&self.settings.identity)).unwrap_or(0);
        let index = if form.defect == Some(ServerDefect::OtherPsk) { index + 7 } else { index };
        if form.defect != Some(ServerDefect::NoPsk) {
            extensions.push((extension::PRE_SHARED_KEY, index.to_be_bytes().to_vec()));
        }
        extensions
    }

    fn extensions12(&self, suite: u16, form: &ServerForm) -> Vec<Extension> {
        let Some(client) = &self.conversation.client else { return Vec::new() };
        let offered = |typ| get(&client.extensions, typ).is_some();
        let ecdhe = SuiteParts::find(CipherSuite(suite)).is_some_and(|parts| parts.ecdhe);
        let mut extensions = Vec::new();
        if ecdhe && offered(extension::EC_POINT_FORMATS) {
            extensions.push((extension::EC_POINT_FORMATS, vec![1, 0]));
        }
        if offered(extension::EXTENDED_MASTER_SECRET)
            && form.defect != Some(ServerDefect::NoExtendedMasterSecret)
        {
            extensions.push((extension::EXTENDED_MASTER_SECRET, Vec::new()));
        }
        if client.offers_suite(SCSV) || offered(extension::RENEGOTIATION_INFO) {
            extensions.push((extension::RENEGOTIATION_INFO, vec![0]));
        }
        extensions
    }

    /// RFC 5489 §2, RFC 4279 §2.
    fn server_key_exchange(&self, form: &KeyExchange) -> Vec<u8> {
        if !self.uses_ecdhe12() {
            return vec_of(2, &[]);
        }
        let (group, mut key) = self.public_key(form.group);
        if !form.good_key {
            key.fill(0);
        }
        [&[0, 0, 3][..], &group.to_be_bytes(), &vec_of(1, &key)].concat()
    }

    fn client_key_exchange(&self, form: &KeyExchange) -> Vec<u8> {
        let identity: &[u8] = if form.known_identity { &self.settings.identity } else { b"somebody else" };
        let mut body = vec_of(2, identity);
        if self.uses_ecdhe12() {
            let group =
                self.conversation.server_key.as_ref().map_or(self.settings.group.0, |(group, _)| *group);
            let share = self.shares.iter().find(|(own, _)| *own == group);
            let mut key = share.map_or_else(|| vec![0x5a; 32], |(_, share)| share.public_key().to_vec());
            if !form.good_key {
                key.fill(0);
            }
            body.extend(vec_of(1, &key));
        }
        body
    }

    /// Whether the suite of DTLS 1.2 is one of ECDHE_PSK: as negotiated, or as the settings would have it.
    pub(crate) fn uses_ecdhe12(&self) -> bool {
        let wanted = || self.settings.suites12.first().and_then(|suite| SuiteParts::find(*suite));
        self.conversation.suite12().or_else(wanted).is_some_and(|parts| parts.ecdhe)
    }

    /// The side this peer plays.
    pub fn end(&self) -> End {
        self.settings.end
    }
}

fn spoil_client_hello(hello: &mut ClientHello, defect: Option<ClientDefect>) {
    match defect {
        Some(ClientDefect::LegacyCookie) => hello.legacy_cookie = vec![0x5a; 20],
        Some(ClientDefect::PskNotLast) => {
            hello.extensions.insert(
                0,
                (
                    extension::PRE_SHARED_KEY,
                    [&vec_of(2, &[0, 1, 7, 0, 0, 0, 0])[..], &vec_of(2, &vec_of(1, &[0; 32]))].concat(),
                ),
            );
        }
        Some(ClientDefect::ExtensionTwice) => {
            let again = hello.extensions.first().cloned();
            hello.extensions.extend(again);
        }
        Some(ClientDefect::NonEmptyRenegotiationInfo) => {
            hello.extensions.push((extension::RENEGOTIATION_INFO, vec![1, 7]));
        }
        Some(ClientDefect::NoExtensions) => hello.extensions.clear(),
        _ => {}
    }
}

fn spoil_server_hello(hello: &mut ServerHello, defect: Option<ServerDefect>) {
    match defect {
        Some(ServerDefect::Compression) => hello.legacy_compression_method = 1,
        Some(ServerDefect::SessionId) => hello.legacy_session_id_echo = vec![7; 32],
        Some(ServerDefect::LegacyVersion) => hello.legacy_version = DTLS10.to_be_bytes(),
        Some(ServerDefect::UnknownExtension) => hello.extensions.push((UNKNOWN, Vec::new())),
        Some(ServerDefect::MisplacedExtension) => {
            hello.extensions.push((extension::PSK_KEY_EXCHANGE_MODES, vec![1, 1]));
        }
        Some(ServerDefect::DowngradeSentinel) => hello.random[24..].copy_from_slice(b"DOWNGRD\x01"),
        Some(ServerDefect::NonEmptyRenegotiationInfo) => {
            remove(&mut hello.extensions, extension::RENEGOTIATION_INFO);
            hello.extensions.push((extension::RENEGOTIATION_INFO, vec![1, 7]));
        }
        _ => {}
    }
}

fn encrypted_extensions(extra: Extra) -> Vec<u8> {
    match extra {
        Extra::None => vec_of(2, &[]),
        Extra::Unknown => vec_of(2, &[&UNKNOWN.to_be_bytes()[..], &[0, 0]].concat()),
        Extra::Misplaced => {
            vec_of(2, &[&extension::COOKIE.to_be_bytes()[..], &vec_of(2, &vec_of(2, &[7]))].concat())
        }
    }
}
