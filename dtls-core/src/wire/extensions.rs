//! All extensions in one table: type, messages it may stand in, how its body is read and written (RFC 5246 §7.4.1.4).
//!
//! Duplicates, unknown and misplaced extensions are dealt with once, here. Whether a server was allowed to send an
//! extension, because it was offered, is for the handshake to judge.

use super::{
    codec::{Full, Reader, Writer},
    enums::ExtensionType,
};
use crate::error::DecodeError;

/// The message whose extensions are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExtensionContext {
    ClientHello,
    /// ServerHello of DTLS 1.2.
    ServerHello12,
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
                    for_each_extension(r.vec16()?, |typ, body| extensions.read(context, typ, body))?;
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
                match typ {
                    $(ExtensionType::$typ => {
                        if [$(ExtensionContext::$allowed),*].contains(&context) {
                            self.$field = Field::from_body(Reader::all(body, $read)?);
                        } else {
                            let ignored: &[ExtensionContext] = &[$(ExtensionContext::$ignored),*];
                            self.misplaced |= !ignored.contains(&context);
                        }
                    })*
                    _ => self.unknown = true,
                }
                Ok(())
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
            ignored in: [ServerHello12],
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

fn write_vec8(body: &[u8], w: &mut Writer<'_>) -> Result<(), Full> {
    w.nested8(|w| w.bytes(body))
}

#[cfg(test)]
mod tests;
