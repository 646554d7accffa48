//! Trace events read back from the lines they are displayed as, as `dtls --trace` prints them.

use core::str::FromStr;

use dtls_core::{
    AlertDescription, ContentType, DecodeError, Discard, Error, HandshakeType, PeerIncompatible,
    PeerMisbehaved, RecordNumber, TraceEvent,
};

/// The event that is displayed as `line`; `None` if none is.
pub fn parse(line: &str) -> Option<TraceEvent> {
    Some(match line {
        "established" => TraceEvent::Established,
        "the peer repeats its flight, sending the answer again" => TraceEvent::RetransmitOnRequest,
        _ => record(line).or_else(|| discard(line)).or_else(|| message(line)).or_else(|| course(line))?,
    })
}

/// A line about a record that was sent or taken in.
fn record(line: &str) -> Option<TraceEvent> {
    if let Some(rest) = line.strip_prefix("record out ") {
        let (number, rest) = rest.split_once(' ')?;
        let (content, len) = rest.strip_suffix(" bytes")?.split_once(", ")?;
        let (content, number) = (content_type(content)?, record_number(number)?);
        return Some(TraceEvent::RecordSent { content, number, len: decimal(len)? });
    }
    if let Some(rest) = line.strip_prefix("record in ") {
        let (number, rest) = rest.split_once(' ')?;
        let (content, len) = rest.strip_suffix(" bytes of plaintext")?.split_once(", ")?;
        let (content, number) = (content_type(content)?, record_number(number)?);
        return Some(TraceEvent::RecordReceived { content, number, len: decimal(len)? });
    }
    let number = line.strip_prefix("data of record ")?.strip_suffix(" delivered")?;
    Some(TraceEvent::Delivered { number: record_number(number)? })
}

/// A line about what was dropped.
fn discard(line: &str) -> Option<TraceEvent> {
    let (number, reason) = match line.strip_prefix("dropped: ") {
        Some(reason) => (None, reason),
        None => {
            let (number, reason) = line.strip_prefix("dropped record ")?.split_once(": ")?;
            (Some(record_number(number)?), reason)
        }
    };
    let reason = Discard::ALL.iter().find(|discard| discard.describe() == reason)?;
    Some(TraceEvent::Discarded { reason: *reason, number })
}

/// A line about a message or an alert.
fn message(line: &str) -> Option<TraceEvent> {
    if let Some(rest) = line.strip_prefix("message out ") {
        let (typ, seq) = rest.split_once(" #")?;
        return Some(TraceEvent::MessageQueued { typ: handshake_type(typ)?, seq: decimal(seq)? });
    }
    if let Some(rest) = line.strip_prefix("message in ") {
        let (typ, rest) = rest.split_once(" #")?;
        let (seq, epoch) = rest.split_once(", epoch ")?;
        let (seq, epoch) = (decimal(seq)?, decimal(epoch)?);
        return Some(TraceEvent::MessageProcessed { typ: handshake_type(typ)?, seq, epoch });
    }
    if let Some(rest) = line.strip_prefix("alert in ") {
        let (description, epoch) = rest.split_once(", epoch ")?;
        return Some(TraceEvent::AlertReceived { description: alert(description)?, epoch: decimal(epoch)? });
    }
    Some(TraceEvent::AlertSent { description: alert(line.strip_prefix("alert out ")?)? })
}

/// A line about how far the connection has come.
fn course(line: &str) -> Option<TraceEvent> {
    if let Some(epoch) = line.strip_prefix("reading epoch ") {
        return Some(TraceEvent::ReadEpoch { epoch: decimal(epoch)? });
    }
    if let Some(epoch) = line.strip_prefix("writing epoch ") {
        return Some(TraceEvent::WriteEpoch { epoch: decimal(epoch)? });
    }
    if let Some(rest) = line.strip_prefix("no answer, sending the flight again (timer, ") {
        return Some(TraceEvent::RetransmitTimeout { count: decimal(rest.strip_suffix(')')?)? });
    }
    Some(TraceEvent::Failed { error: error(line.strip_prefix("failed: ")?)? })
}

/// The error with this sentence.
fn error(sentence: &str) -> Option<Error> {
    if let Some(what) = sentence.strip_prefix("internal error: ") {
        // A bug, which ends the test.
        return Some(Error::Internal(what.to_owned().leak()));
    }
    errors().find(|error| error.to_string() == sentence)
}

/// Every error but the internal ones.
fn errors() -> impl Iterator<Item = Error> {
    let alerts = || (0..=u8::MAX).map(AlertDescription::from_code);
    let plain = [
        Error::NoAnswer,
        Error::HandshakeTimeout,
        Error::Rng,
        Error::Crypto,
        Error::SequenceExhausted,
        Error::IntegrityLimit,
    ];
    let rules = DecodeError::ALL.iter().map(|rule| Error::Decode(*rule));
    let rules = rules.chain(PeerMisbehaved::ALL.iter().map(|rule| Error::Misbehaved(*rule)));
    let rules = rules.chain(PeerIncompatible::ALL.iter().map(|rule| Error::Incompatible(*rule)));
    let by_alert = alerts().map(Error::PeerAlert).chain(alerts().map(Error::Aborted));
    plain.into_iter().chain(rules).chain(by_alert)
}

fn record_number(text: &str) -> Option<RecordNumber> {
    let (epoch, seq) = text.split_once(':')?;
    Some(RecordNumber::new(decimal(epoch)?, decimal(seq)?))
}

fn content_type(text: &str) -> Option<ContentType> {
    ContentType::from_name(text).or_else(|| Some(ContentType(code(text, "ContentType")?)))
}

fn handshake_type(text: &str) -> Option<HandshakeType> {
    HandshakeType::from_name(text).or_else(|| Some(HandshakeType(code(text, "HandshakeType")?)))
}

fn alert(text: &str) -> Option<AlertDescription> {
    (0..=u8::MAX).map(AlertDescription::from_code).find(|alert| alert.to_string() == text)
}

/// A code point without a name.
fn code(text: &str, registry: &str) -> Option<u8> {
    let digits = text.strip_prefix(registry)?.strip_prefix("(0x")?.strip_suffix(')')?;
    u8::from_str_radix(digits, 16).ok()
}

fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn comes_back(event: TraceEvent) {
        let line = event.to_string();
        assert_eq!((parse(&line), line.lines().count()), (Some(event), 1), "{line}");
    }

    #[test]
    fn every_kind_of_event_comes_back() {
        let events: Vec<_> = dtls_core::internals::every_kind_of_event().collect();
        assert_eq!(events.len(), 26);
        events.into_iter().for_each(comes_back);
    }

    #[test]
    fn every_code_and_every_sentence_comes_back() {
        let number = RecordNumber::new(u16::MAX, u64::MAX);
        for code in 0..=u8::MAX {
            let description = AlertDescription::from_code(code);
            comes_back(TraceEvent::AlertSent { description });
            comes_back(TraceEvent::AlertReceived { description, epoch: u16::MAX });
            comes_back(TraceEvent::RecordSent { content: ContentType(code), number, len: usize::MAX });
            comes_back(TraceEvent::RecordReceived { content: ContentType(code), number, len: 0 });
            comes_back(TraceEvent::MessageQueued { typ: HandshakeType(code), seq: u16::MAX });
            comes_back(TraceEvent::MessageProcessed { typ: HandshakeType(code), seq: 0, epoch: 0 });
            comes_back(TraceEvent::RetransmitTimeout { count: code });
        }
        for &reason in Discard::ALL {
            comes_back(TraceEvent::Discarded { reason, number: None });
            comes_back(TraceEvent::Discarded { reason, number: Some(number) });
        }
        for error in errors() {
            comes_back(TraceEvent::Failed { error });
        }
    }

    #[test]
    fn nothing_else_is_an_event() {
        for line in [
            "",
            "established ",
            "record out 0:0 handshake",
            "alert in nonsense, epoch 1",
            "failed: it",
            "datagram in, 3 bytes",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
