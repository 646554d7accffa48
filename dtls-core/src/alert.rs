//! Alerts (RFC 5246 §7.2): two bytes in one record, never retransmitted by timer (RFC 6347 §4.2.7).

use crate::error::DecodeError;

/// Whether an alert ends the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AlertLevel {
    /// The connection goes on.
    Warning,
    /// The connection ends.
    Fatal,
}

/// Declares the alert registry once: variant, number, registered name.
macro_rules! alerts {
    ($($(#[$meta:meta])* $id:ident = $value:literal, $text:literal;)*) => {
        /// What an alert says (IANA TLS Alerts registry).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum AlertDescription {
            $($(#[$meta])* $id,)*
            /// A number this library has no name for.
            Unknown(u8),
        }

        impl AlertDescription {
            /// Every description with a name.
            pub const NAMED: &'static [Self] = &[$(Self::$id,)*];

            /// The registered number.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$id => $value,)*
                    Self::Unknown(code) => code,
                }
            }

            /// The description with this number.
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($value => Self::$id,)*
                    _ => Self::Unknown(code),
                }
            }

            /// The registered name, such as `handshake_failure`; `unknown` for a number without one.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $text,)*
                    Self::Unknown(_) => "unknown",
                }
            }
        }
    };
}

alerts! {
    /// The sender will send no more.
    CloseNotify = 0, "close_notify";
    /// An inappropriate message was received.
    UnexpectedMessage = 10, "unexpected_message";
    /// A record did not authenticate.
    BadRecordMac = 20, "bad_record_mac";
    /// A record was too long.
    RecordOverflow = 22, "record_overflow";
    /// No acceptable set of parameters.
    HandshakeFailure = 40, "handshake_failure";
    /// A certificate was corrupt.
    BadCertificate = 42, "bad_certificate";
    /// A certificate of an unsupported type.
    UnsupportedCertificate = 43, "unsupported_certificate";
    /// A certificate was revoked.
    CertificateRevoked = 44, "certificate_revoked";
    /// A certificate has expired or is not yet valid.
    CertificateExpired = 45, "certificate_expired";
    /// Some other certificate problem.
    CertificateUnknown = 46, "certificate_unknown";
    /// A field out of range or inconsistent with others.
    IllegalParameter = 47, "illegal_parameter";
    /// The chain ends in no known authority.
    UnknownCa = 48, "unknown_ca";
    /// Access control refused the peer.
    AccessDenied = 49, "access_denied";
    /// A message could not be decoded.
    DecodeError = 50, "decode_error";
    /// A handshake cryptographic operation failed; also an unknown PSK identity (RFC 7925 §4.2).
    DecryptError = 51, "decrypt_error";
    /// The offered version is recognised but not supported.
    ProtocolVersion = 70, "protocol_version";
    /// The server requires more secure parameters.
    InsufficientSecurity = 71, "insufficient_security";
    /// A local error unrelated to the peer.
    InternalError = 80, "internal_error";
    /// A retried connection fell back to an older version (RFC 7507).
    InappropriateFallback = 86, "inappropriate_fallback";
    /// The handshake is cancelled for a reason unrelated to a protocol failure.
    UserCanceled = 90, "user_canceled";
    /// Renegotiation is refused; always a warning.
    NoRenegotiation = 100, "no_renegotiation";
    /// A required extension is missing.
    MissingExtension = 109, "missing_extension";
    /// An extension that was not asked for.
    UnsupportedExtension = 110, "unsupported_extension";
    /// No server of the requested name.
    UnrecognizedName = 112, "unrecognized_name";
    /// The PSK identity is not known.
    UnknownPskIdentity = 115, "unknown_psk_identity";
    /// A client certificate is required.
    CertificateRequired = 116, "certificate_required";
    /// No common application protocol.
    NoApplicationProtocol = 120, "no_application_protocol";
}

impl core::fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unknown(code) => write!(f, "alert {code}"),
            named => f.write_str(named.name()),
        }
    }
}

/// An alert as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Alert {
    pub(crate) level: AlertLevel,
    pub(crate) description: AlertDescription,
}

impl Alert {
    /// A fatal alert, or the close_notify warning (RFC 5246 §7.2.1).
    pub(crate) const fn new(description: AlertDescription) -> Self {
        let level = match description {
            AlertDescription::CloseNotify
            | AlertDescription::NoRenegotiation
            | AlertDescription::UserCanceled => AlertLevel::Warning,
            _ => AlertLevel::Fatal,
        };
        Self { level, description }
    }

    /// Whether it ends the connection. Where levels do not count, everything does but user_canceled, which announces an end
    /// (RFC 8446 §6).
    pub(crate) fn is_fatal(self, levels_count: bool) -> bool {
        let Self { level, description } = self;
        let warns =
            description == AlertDescription::UserCanceled || (levels_count && level == AlertLevel::Warning);
        description == AlertDescription::CloseNotify || !warns
    }

    /// Bytes of its encoding.
    pub(crate) const LEN: usize = 2;

    pub(crate) const fn encode(self) -> [u8; Self::LEN] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.code()]
    }

    /// Reads exactly two bytes; an alert record with more than one alert is malformed.
    pub(crate) const fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let &[level, code] = body else { return Err(DecodeError::Length) };
        let level = match level {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            _ => return Err(DecodeError::Value),
        };
        Ok(Self { level, description: AlertDescription::from_code(code) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bytes_on_the_wire() {
        // RFC 5246 §7.2: AlertLevel, AlertDescription.
        for (description, bytes) in [
            (AlertDescription::CloseNotify, [1, 0]),
            (AlertDescription::NoRenegotiation, [1, 100]),
            (AlertDescription::HandshakeFailure, [2, 40]),
            (AlertDescription::DecodeError, [2, 50]),
            (AlertDescription::UnknownPskIdentity, [2, 115]),
        ] {
            let alert = Alert::new(description);
            assert_eq!(alert.encode(), bytes);
            assert_eq!(Alert::decode(&bytes), Ok(alert));
        }
    }

    #[test]
    fn every_well_formed_alert_reads_back_unchanged() {
        for level in [1, 2] {
            for code in 0..=255 {
                let alert = Alert::decode(&[level, code]).unwrap();
                assert_eq!(alert.description.code(), code);
                assert_eq!(alert.encode(), [level, code]);
            }
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for body in [&[][..], &[2], &[2, 40, 0], &[2, 40, 2, 40]] {
            assert_eq!(Alert::decode(body), Err(DecodeError::Length));
        }
    }

    #[test]
    fn other_levels_are_refused() {
        for level in [0, 3, 255] {
            assert_eq!(Alert::decode(&[level, 40]), Err(DecodeError::Value));
        }
    }

    #[test]
    fn every_name_has_one_number() {
        for (i, &description) in AlertDescription::NAMED.iter().enumerate() {
            assert_eq!(AlertDescription::from_code(description.code()), description);
            assert_ne!(description.name(), "unknown");
            for &other in AlertDescription::NAMED.iter().skip(i + 1) {
                assert_ne!(description.code(), other.code());
                assert_ne!(description.name(), other.name());
            }
        }
        assert_eq!(AlertDescription::from_code(255), AlertDescription::Unknown(255));
        assert_eq!(AlertDescription::Unknown(255).name(), "unknown");
    }
}
