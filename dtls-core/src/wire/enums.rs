//! Code points as newtypes over their integer, so that unknown values survive a round trip.

/// Declares a newtype over an integer with named values, an IANA-style name for each, and look-up by name.
macro_rules! code_points {
    ($(#[$meta:meta])* $vis:vis struct $name:ident($int:ty) { $($(#[$vmeta:meta])* $id:ident = $value:expr, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::exhaustive_structs, reason = "a code point is its integer and nothing else")]
        $vis struct $name($vis $int);

        #[allow(dead_code, reason = "the whole registry is named, not only what is used")]
        impl $name {
            $($(#[$vmeta])* $vis const $id: Self = Self($value);)*

            /// The registered name, if this library knows the value.
            $vis const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(v if v == $value => Some($text),)*
                    _ => None,
                }
            }

            /// The value registered under `name`, in any case of letters.
            $vis fn from_name(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($text) { return Some(Self::$id); })*
                None
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({:#x})"), self.0),
                }
            }
        }
    };
}

code_points! {
    /// Record content type (RFC 5246 §6.2.1).
    pub struct ContentType(u8) {
        /// ChangeCipherSpec.
        CHANGE_CIPHER_SPEC = 20, "change_cipher_spec";
        /// Alert.
        ALERT = 21, "alert";
        /// Handshake message fragments.
        HANDSHAKE = 22, "handshake";
        /// Application data.
        APPLICATION_DATA = 23, "application_data";
        /// Record numbers received (RFC 9147 §7).
        ACK = 26, "ack";
    }
}

code_points! {
    /// Handshake message type (RFC 5246 §7.4, RFC 6347 §4.3.2).
    pub struct HandshakeType(u8) {
        /// HelloRequest, which asks for renegotiation.
        HELLO_REQUEST = 0, "hello_request";
        /// ClientHello.
        CLIENT_HELLO = 1, "client_hello";
        /// ServerHello.
        SERVER_HELLO = 2, "server_hello";
        /// HelloVerifyRequest, the DTLS 1.2 cookie.
        HELLO_VERIFY_REQUEST = 3, "hello_verify_request";
        /// NewSessionTicket.
        NEW_SESSION_TICKET = 4, "new_session_ticket";
        /// EncryptedExtensions (RFC 8446 §4.3.1).
        ENCRYPTED_EXTENSIONS = 8, "encrypted_extensions";
        /// Certificate.
        CERTIFICATE = 11, "certificate";
        /// ServerKeyExchange.
        SERVER_KEY_EXCHANGE = 12, "server_key_exchange";
        /// CertificateRequest.
        CERTIFICATE_REQUEST = 13, "certificate_request";
        /// ServerHelloDone.
        SERVER_HELLO_DONE = 14, "server_hello_done";
        /// CertificateVerify.
        CERTIFICATE_VERIFY = 15, "certificate_verify";
        /// ClientKeyExchange.
        CLIENT_KEY_EXCHANGE = 16, "client_key_exchange";
        /// Finished.
        FINISHED = 20, "finished";
        /// KeyUpdate (RFC 8446 §4.6.3).
        KEY_UPDATE = 24, "key_update";
        /// Stands for a ClientHello in a transcript with HelloRetryRequest (RFC 8446 §4.4.1); never sent.
        MESSAGE_HASH = 254, "message_hash";
    }
}

code_points! {
    /// Protocol version as written on the wire; DTLS versions count downwards.
    pub struct ProtocolVersion(u16) {
        /// DTLS 1.0, found in the records of first hellos and in HelloVerifyRequest, never negotiated (RFC 8996).
        DTLS1_0 = 0xfeff, "DTLS 1.0";
        /// DTLS 1.2 (RFC 6347).
        DTLS1_2 = 0xfefd, "DTLS 1.2";
        /// DTLS 1.3 (RFC 9147); stands only in supported_versions.
        DTLS1_3 = 0xfefc, "DTLS 1.3";
    }
}

code_points! {
    /// Cipher suite (IANA TLS Cipher Suites registry).
    pub struct CipherSuite(u16) {
        /// DTLS 1.3 (RFC 8446 §B.4).
        TLS_AES_128_GCM_SHA256 = 0x1301, "TLS_AES_128_GCM_SHA256";
        /// DTLS 1.3 (RFC 8446 §B.4).
        TLS_AES_256_GCM_SHA384 = 0x1302, "TLS_AES_256_GCM_SHA384";
        /// DTLS 1.3 (RFC 8446 §B.4).
        TLS_CHACHA20_POLY1305_SHA256 = 0x1303, "TLS_CHACHA20_POLY1305_SHA256";
        /// DTLS 1.3 (RFC 8446 §B.4).
        TLS_AES_128_CCM_SHA256 = 0x1304, "TLS_AES_128_CCM_SHA256";
        /// DTLS 1.3, by explicit choice only (RFC 9147 §4.5.3).
        TLS_AES_128_CCM_8_SHA256 = 0x1305, "TLS_AES_128_CCM_8_SHA256";
        /// RFC 5487.
        TLS_PSK_WITH_AES_128_GCM_SHA256 = 0x00a8, "TLS_PSK_WITH_AES_128_GCM_SHA256";
        /// RFC 5487.
        TLS_PSK_WITH_AES_256_GCM_SHA384 = 0x00a9, "TLS_PSK_WITH_AES_256_GCM_SHA384";
        /// RFC 6655.
        TLS_PSK_WITH_AES_128_CCM = 0xc0a4, "TLS_PSK_WITH_AES_128_CCM";
        /// RFC 6655.
        TLS_PSK_WITH_AES_256_CCM = 0xc0a5, "TLS_PSK_WITH_AES_256_CCM";
        /// RFC 6655; mandatory for CoAP (RFC 7252 §9.1.3.1).
        TLS_PSK_WITH_AES_128_CCM_8 = 0xc0a8, "TLS_PSK_WITH_AES_128_CCM_8";
        /// RFC 6655.
        TLS_PSK_WITH_AES_256_CCM_8 = 0xc0a9, "TLS_PSK_WITH_AES_256_CCM_8";
        /// RFC 7905.
        TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 = 0xccab, "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256";
        /// RFC 7905.
        TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256 = 0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256";
        /// RFC 8442.
        TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256 = 0xd001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256";
        /// RFC 8442.
        TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384 = 0xd002, "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384";
        /// RFC 8442.
        TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256 = 0xd003, "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256";
        /// RFC 8442.
        TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256 = 0xd005, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256";
        /// Signals secure renegotiation support in a ClientHello (RFC 5746 §3.3); never selected.
        TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    }
}

code_points! {
    /// Group for ephemeral key agreement (IANA TLS Supported Groups registry).
    pub struct NamedGroup(u16) {
        /// NIST P-256.
        SECP256R1 = 0x0017, "secp256r1";
        /// Curve25519 (RFC 8422).
        X25519 = 0x001d, "x25519";
    }
}

code_points! {
    /// Extension type (IANA TLS ExtensionType registry).
    pub(crate) struct ExtensionType(u16) {
        /// RFC 8422 §5.1.1.
        SUPPORTED_GROUPS = 10, "supported_groups";
        /// RFC 8422 §5.1.2.
        EC_POINT_FORMATS = 11, "ec_point_formats";
        /// RFC 7627.
        EXTENDED_MASTER_SECRET = 23, "extended_master_secret";
        /// RFC 8446 §4.2.11; always last in a ClientHello.
        PRE_SHARED_KEY = 41, "pre_shared_key";
        /// RFC 8446 §4.2.1.
        SUPPORTED_VERSIONS = 43, "supported_versions";
        /// RFC 8446 §4.2.2.
        COOKIE = 44, "cookie";
        /// RFC 8446 §4.2.9.
        PSK_KEY_EXCHANGE_MODES = 45, "psk_key_exchange_modes";
        /// RFC 8446 §4.2.8.
        KEY_SHARE = 51, "key_share";
        /// RFC 5746.
        RENEGOTIATION_INFO = 0xff01, "renegotiation_info";
    }
}
