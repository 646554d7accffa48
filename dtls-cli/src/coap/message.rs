//! Single CoAP messages: the strictness that the codec leaves to its user, and messages without content.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, ResponseType};

/// Why bytes are not a message to act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Malformed {
    /// To be ignored in silence (RFC 7252 §3, §4.3).
    Ignore,
    /// To be rejected with a Reset for this message id (RFC 7252 §4.2).
    Reject(u16),
}

/// Decodes a message (RFC 7252 §3).
pub(super) fn decode(bytes: &[u8]) -> Result<Packet, Malformed> {
    let [first, _, high, low, ..] = *bytes else { return Err(Malformed::Ignore) };
    let [version, typ] = [first >> 6, (first >> 4) & 3];
    if version != 1 {
        return Err(Malformed::Ignore);
    }
    // Only a Confirmable message has the type 0.
    let malformed =
        if typ == 0 { Malformed::Reject(u16::from_be_bytes([high, low])) } else { Malformed::Ignore };
    let packet = Packet::from_bytes(bytes).map_err(|_| malformed)?;
    let empty = packet.header.code == MessageClass::Empty;
    // There is one way to write a message, so what comes out differently was not one: a payload marker without payload.
    let exact = packet.to_bytes_unlimited().is_ok_and(|again| again == bytes);
    if !exact || (empty && bytes.len() != 4) { Err(malformed) } else { Ok(packet) }
}

/// An Empty message (RFC 7252 §4.1).
pub(super) fn empty(typ: MessageType, id: u16) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(typ);
    packet.header.code = MessageClass::Empty;
    packet.header.message_id = id;
    packet
}

/// The message as bytes.
pub(super) fn encode(packet: &Packet) -> Vec<u8> {
    // Without a limit of length nothing can fail.
    packet.to_bytes_unlimited().unwrap_or_default()
}

/// The first option of a request that must be understood and is not (RFC 7252 §5.4.1), or occurs more often than it may
/// (§5.4.5).
pub(super) fn bad_option(request: &Packet) -> Option<u16> {
    let bad = |number: u16, times: usize| match CoapOption::from(number) {
        CoapOption::UriPath | CoapOption::UriQuery => false,
        CoapOption::UriHost | CoapOption::UriPort | CoapOption::Accept => times > 1,
        // Critical options have odd numbers.
        _ => number % 2 == 1,
    };
    request
        .options()
        .map(|(number, values)| (*number, values.len()))
        .find(|(n, t)| bad(*n, *t))
        .map(|(n, _)| n)
}

/// Whether the request asks for forwarding to another server.
pub(super) fn is_for_a_proxy(request: &Packet) -> bool {
    [CoapOption::ProxyUri, CoapOption::ProxyScheme].iter().any(|o| request.get_option(*o).is_some())
}

/// Whether this is a response, of any class.
pub(super) fn is_response(code: MessageClass) -> bool {
    matches!(u8::from(code) >> 5, 2 | 4 | 5)
}

/// Whether this is the response to a request that was carried out.
pub(super) fn is_success(code: MessageClass) -> bool {
    u8::from(code) >> 5 == 2
}

/// A response code as people write it, such as "4.04 Not Found".
pub(super) fn describe(code: MessageClass) -> String {
    let mut text = code.to_string();
    if let MessageClass::Response(response) = code
        && response != ResponseType::UnKnown
    {
        for letter in format!("{response:?}").chars() {
            if letter.is_ascii_uppercase() {
                text.push(' ');
            }
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_rejected_if_confirmable_and_else_ignored() {
        for (bytes, expected) in [
            (&b""[..], Malformed::Ignore),
            (b"\x40\x01\x12", Malformed::Ignore),
            // Version 2.
            (b"\x80\x01\x12\x34", Malformed::Ignore),
            // A token of nine bytes, a token that ends early.
            (b"\x49\x01\x12\x34123456789", Malformed::Reject(0x1234)),
            (b"\x42\x01\x12\x34x", Malformed::Reject(0x1234)),
            (b"\x52\x01\x12\x34x", Malformed::Ignore),
            // A payload marker without payload, a reserved option length, an option that ends early.
            (b"\x40\x01\x12\x34\xff", Malformed::Reject(0x1234)),
            (b"\x40\x01\x12\x34\xbf", Malformed::Reject(0x1234)),
            (b"\x40\x01\x12\x34\xb2x", Malformed::Reject(0x1234)),
            // An Empty message with more than a header.
            (b"\x41\x00\x12\x34x", Malformed::Reject(0x1234)),
            (b"\x60\x00\x12\x34\xffx", Malformed::Ignore),
        ] {
            assert_eq!(decode(bytes), Err(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_messages_of_rfc_7252_appendix_a() {
        // Figure 16: a Confirmable GET and its piggy-backed response.
        let request = decode(b"\x40\x01\x7d\x34\xbbtemperature").unwrap();
        assert_eq!(request.get_first_option(CoapOption::UriPath).unwrap(), b"temperature");
        assert_eq!(bad_option(&request), None);
        let response = decode(b"\x60\x45\x7d\x34\xff22.3 C").unwrap();
        assert_eq!(
            (response.header.get_type(), &response.payload[..]),
            (MessageType::Acknowledgement, &b"22.3 C"[..])
        );
        assert!(is_response(response.header.code) && is_success(response.header.code));
        assert_eq!(encode(&empty(MessageType::Reset, 0x7d34)), b"\x70\x00\x7d\x34");
    }

    #[test]
    fn options_that_must_be_understood() {
        // Observe is elective; Block2 is critical and not there; Uri-Host may stand once.
        assert_eq!(bad_option(&decode(b"\x40\x01\x00\x01\x60").unwrap()), None);
        assert_eq!(bad_option(&decode(b"\x40\x01\x00\x01\xd0\x0a").unwrap()), Some(23));
        assert_eq!(bad_option(&decode(b"\x40\x01\x00\x01\x31a\x01b").unwrap()), Some(3));
    }

    #[test]
    fn codes_in_words() {
        assert_eq!(describe(0x45.into()), "2.05 Content");
        assert_eq!(describe(0x84.into()), "4.04 Not Found");
        assert_eq!(describe(0xbf.into()), "5.31");
    }
}
