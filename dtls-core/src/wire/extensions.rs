//! All extensions in one table: type, messages it may stand in, how its body is read and written (RFC 5246 §7.4.1.4).
//!
//! Duplicates, unknown and misplaced extensions are dealt with once, here. Whether a server was allowed to send an
//! extension, because it was offered, is for the handshake to judge.

use super::{
    codec::{Full, Reader, Writer},
    enums::{ExtensionType, NamedGroup, ProtocolVersion},
    kx13::{KeyShareEntry, KeyShares, OfferedPsks},
};
use crate::error::DecodeError;

/// The message whose extensions are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExtensionContext {
    ClientHello,
    /// ServerHello of DTLS 1.2.
    ServerHello12,
    /// ServerHello of DTLS 1.3.
    ServerHello13,
    HelloRetryRequest,
    EncryptedExtensions,
}

/// The most extensions a message may have, known and unknown, so that the search for duplicates is bounded. Hellos in the
/// field have about twenty.
const MAX_EXTENSIONS: usize = 64;

/// Declares the struct of all extensions from its table. A row reads: type, field, messages where the extension may stand,
/// messages where it may not but is passed over unread because peers in the field send it, reader and writer of the body.
/// The order of rows is the order on the wire.
macro_rules! extension_table {
    (
        $(#[$meta:meta])*
        struct $name:ident {
            $(
                $(#[$row_meta:meta])*
                $typ:ident => $field:ident: $field_type:ty {
                    in: [$($allowed:ident),*],
                    ignored in: [$($ignored:ident),*],
                    read: $read:expr,
                    write: $write:expr,
                }
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Default, Clone, PartialEq, Eq, Debug)]
        pub(crate) struct $name<'a> {
            $($(#[$row_meta])* pub(crate) $field: $field_type,)*
            /// An extension that is not in the table was present. Never written.
            pub(crate) unknown: bool,
            /// An extension in the table was present but may not stand in this message; it was not read. Never written.
            pub(crate) misplaced: bool,
        }

        impl<'a> $name<'a> {
            /// Reads the extensions block, the last part of a message. No bytes at all mean no extensions.
            pub(crate) fn parse(context: ExtensionContext, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                let mut extensions = Self::default();
                if !r.is_empty() {
                    // Nothing may follow pre_shared_key, whose binders cover what is before it (RFC 8446 §4.2.11).
                    let mut closed = false;
                    for_each_extension(r.vec16()?, |typ, body| {
                        extensions.misplaced |= closed;
                        closed = typ == ExtensionType::PRE_SHARED_KEY && context == ExtensionContext::ClientHello;
                        extensions.read(context, typ, body)
                    })?;
                }
                Ok(extensions)
            }

            /// Writes the extensions block in the order of the table; nothing at all if no extension is set.
            pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
                if !self.any_set() {
                    return Ok(());
                }
                w.nested16(|w| {
                    $(if let Some(body) = self.$field.body() {
                        w.u16(ExtensionType::$typ.0)?;
                        w.nested16(|w| $write(body, w))?;
                    })*
                    Ok(())
                })
            }

            fn any_set(&self) -> bool {
                false $(|| self.$field.body().is_some())*
            }

            fn read(&mut self, context: ExtensionContext, typ: ExtensionType, body: &'a [u8]) -> Result<(), DecodeError> {
                // One type may have a row for each message in which its body reads differently.
                match typ {
                    $(ExtensionType::$typ if [$(ExtensionContext::$allowed),*].contains(&context) => {
                        self.$field = Field::from_body(Reader::all(body, $read)?);
                    })*
                    _ if Self::KNOWN.contains(&typ) => self.misplaced |= !Self::is_ignored(context, typ),
                    _ => self.unknown = true,
                }
                Ok(())
            }

            const KNOWN: &'static [ExtensionType] = &[$(ExtensionType::$typ),*];

            /// Whether an extension that may not stand in this message is passed over all the same.
            fn is_ignored(context: ExtensionContext, typ: ExtensionType) -> bool {
                false $(|| {
                    let ignored: &[ExtensionContext] = &[$(ExtensionContext::$ignored),*];
                    typ == ExtensionType::$typ && ignored.contains(&context)
                })*
            }
        }
    };
}

extension_table! {
    /// The extensions of a message.
    struct Extensions {
        /// Groups of the client, most wanted first (RFC 8422 §5.1.1). RFC 8422 §5.2 has none in a ServerHello, but
        /// servers in the field send it there; what it says is not to be acted upon (RFC 8446 §4.2.7).
        SUPPORTED_GROUPS => supported_groups: Option<U16List<'a>> {
            in: [ClientHello],
            ignored in: [ServerHello12, EncryptedExtensions],
            read: U16List::read,
            write: |groups: U16List<'a>, w| groups.write(w),
        }
        /// Point formats, 1 to 255 bytes (RFC 8422 §5.1.2).
        EC_POINT_FORMATS => ec_point_formats: Option<&'a [u8]> {
            in: [ClientHello, ServerHello12],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.vec8_within(1..=255),
            write: write_vec8,
        }
        /// RFC 7627 §5.1; has an empty body.
        EXTENDED_MASTER_SECRET => extended_master_secret: bool {
            in: [ClientHello, ServerHello12],
            ignored in: [],
            read: |_: &mut Reader<'a>| Ok(()),
            write: |(), _: &mut Writer<'_>| Ok(()),
        }
        /// The renegotiated_connection bytes, empty in an initial handshake (RFC 5746 §3.2).
        RENEGOTIATION_INFO => renegotiation_info: Option<&'a [u8]> {
            in: [ClientHello, ServerHello12],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.vec8(),
            write: write_vec8,
        }
        /// Versions of the client, most wanted first (RFC 8446 §4.2.1).
        SUPPORTED_VERSIONS => supported_versions: Option<U16List<'a>> {
            in: [ClientHello],
            ignored in: [],
            read: U16List::read_short,
            write: |versions: U16List<'a>, w| write_vec8(versions.0, w),
        }
        /// The version the server chose (RFC 8446 §4.2.1).
        SUPPORTED_VERSIONS => selected_version: Option<ProtocolVersion> {
            in: [ServerHello13, HelloRetryRequest],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.u16().map(ProtocolVersion),
            write: |version: ProtocolVersion, w: &mut Writer<'_>| w.u16(version.0),
        }
        /// RFC 8446 §4.2.2.
        COOKIE => cookie: Option<&'a [u8]> {
            in: [ClientHello, HelloRetryRequest],
            ignored in: [],
            read: |r: &mut Reader<'a>| non_empty(r.vec16()?),
            write: |cookie: &[u8], w: &mut Writer<'_>| w.nested16(|w| w.bytes(cookie)),
        }
        /// PskKeyExchangeModes of the client (RFC 8446 §4.2.9).
        PSK_KEY_EXCHANGE_MODES => psk_modes: Option<&'a [u8]> {
            in: [ClientHello],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.vec8_within(1..=255),
            write: write_vec8,
        }
        /// The client's ephemeral public keys (RFC 8446 §4.2.8).
        KEY_SHARE => key_shares: Option<KeyShares<'a>> {
            in: [ClientHello],
            ignored in: [],
            read: KeyShares::read,
            write: |shares: KeyShares<'a>, w| shares.write(w),
        }
        /// The group the server asks for (RFC 8446 §4.2.8).
        KEY_SHARE => selected_group: Option<NamedGroup> {
            in: [HelloRetryRequest],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.u16().map(NamedGroup),
            write: |group: NamedGroup, w: &mut Writer<'_>| w.u16(group.0),
        }
        /// The server's ephemeral public key (RFC 8446 §4.2.8).
        KEY_SHARE => server_share: Option<KeyShareEntry<'a>> {
            in: [ServerHello13],
            ignored in: [],
            read: KeyShareEntry::read,
            write: |share: KeyShareEntry<'a>, w| share.write(w),
        }
        /// The identity the server chose (RFC 8446 §4.2.11).
        PRE_SHARED_KEY => selected_psk: Option<u16> {
            in: [ServerHello13],
            ignored in: [],
            read: |r: &mut Reader<'a>| r.u16(),
            write: |index: u16, w: &mut Writer<'_>| w.u16(index),
        }
        /// Identities and binders of the client; always last (RFC 8446 §4.2.11).
        PRE_SHARED_KEY => offered_psks: Option<OfferedPsks<'a>> {
            in: [ClientHello],
            ignored in: [],
            read: OfferedPsks::read,
            write: |psks: OfferedPsks<'a>, w| psks.write(w),
        }
    }
}

/// A non-empty list of 16-bit code points. What was decoded has an even number of bytes; whoever builds one takes care of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct U16List<'a>(pub(crate) &'a [u8]);

impl<'a> U16List<'a> {
    /// Reads a list with its length of two bytes in front.
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = r.vec16()?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(2) {
            return Err(DecodeError::Length);
        }
        Ok(Self(bytes))
    }

    /// Reads a list with its length of one byte in front.
    pub(crate) fn read_short(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = r.vec8_within(2..=254)?;
        if bytes.len().is_multiple_of(2) { Ok(Self(bytes)) } else { Err(DecodeError::Length) }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), Full> {
        w.nested16(|w| w.bytes(self.0))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + use<'a> {
        let (pairs, _) = self.0.as_chunks();
        pairs.iter().copied().map(u16::from_be_bytes)
    }

    pub(crate) fn contains(&self, value: u16) -> bool {
        self.iter().any(|v| v == value)
    }

    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// How a field of [`Extensions`] says that its extension is absent.
trait Field: Copy {
    /// What the extension's body holds.
    type Body;
    fn from_body(body: Self::Body) -> Self;
    fn body(self) -> Option<Self::Body>;
}

impl<T: Copy> Field for Option<T> {
    type Body = T;

    fn from_body(body: T) -> Self {
        Some(body)
    }

    fn body(self) -> Self {
        self
    }
}

/// For an extension that says all by being there.
impl Field for bool {
    type Body = ();

    fn from_body((): ()) -> Self {
        true
    }

    fn body(self) -> Option<()> {
        self.then_some(())
    }
}

/// Reads EncryptedExtensions, whose block must be there (RFC 8446 §4.3.1).
pub(crate) fn parse_encrypted_extensions(body: &[u8]) -> Result<Extensions<'_>, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::Truncated);
    }
    Reader::all(body, |r| Extensions::parse(ExtensionContext::EncryptedExtensions, r))
}

/// Whether an extensions block, with its length in front, has an extension of type `typ`. Says no to what is malformed.
pub(crate) fn block_has(block: &[u8], typ: ExtensionType) -> bool {
    let mut found = false;
    let listed = Reader::new(block).vec16().and_then(|block| {
        for_each_extension(block, |t, _| {
            found |= t == typ;
            Ok(())
        })
    });
    listed.is_ok() && found
}

/// Splits an extensions block and refuses types that occur twice, also those nobody here knows.
fn for_each_extension<'a>(
    block: &'a [u8],
    mut on_extension: impl FnMut(ExtensionType, &'a [u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut seen = [ExtensionType(0); MAX_EXTENSIONS];
    let mut r = Reader::new(block);
    for count in 0.. {
        if r.is_empty() {
            break;
        }
        let typ = ExtensionType(r.u16()?);
        let body = r.vec16()?;
        if seen.iter().take(count).any(|&s| s == typ) {
            return Err(DecodeError::DuplicateExtension);
        }
        *seen.get_mut(count).ok_or(DecodeError::Length)? = typ;
        on_extension(typ, body)?;
    }
    Ok(())
}

fn non_empty(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    if bytes.is_empty() { Err(DecodeError::Length) } else { Ok(bytes) }
}

fn write_vec8(body: &[u8], w: &mut Writer<'_>) -> Result<(), Full> {
    w.nested8(|w| w.bytes(body))
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests;
