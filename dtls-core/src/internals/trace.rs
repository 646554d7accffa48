//! One trace event of every kind, for tests of whoever reads their lines back.

use core::iter;

use crate::{
    alert::AlertDescription,
    error::{DecodeError, Discard, Error, PeerIncompatible, PeerMisbehaved},
    record::number::RecordNumber,
    trace::TraceEvent,
    wire::enums::{ContentType, HandshakeType},
};

/// An event of each kind, and a failure with each kind of error. A kind that was forgotten here does not compile.
pub fn every_kind_of_event() -> impl Iterator<Item = TraceEvent> {
    let (content, number) = (ContentType::HANDSHAKE, RecordNumber::new(2, 70_000));
    iter::successors(Some(TraceEvent::RecordSent { content, number, len: 61 }), next)
}

/// The kind after that of `event`.
fn next(event: &TraceEvent) -> Option<TraceEvent> {
    use TraceEvent as E;
    let number = RecordNumber::new(3, 7);
    let (reason, typ, seq, epoch) = (Discard::Replay, HandshakeType::FINISHED, 5, 2);
    let description = AlertDescription::DecodeError;
    Some(match event {
        E::RecordSent { content, number, .. } => {
            E::RecordReceived { content: *content, number: *number, len: 36 }
        }
        E::RecordReceived { number, .. } => E::Discarded { reason, number: Some(*number) },
        E::Discarded { number: Some(_), .. } => E::Discarded { reason, number: None },
        E::Discarded { number: None, .. } => E::MessageQueued { typ, seq },
        E::MessageQueued { .. } => E::MessageProcessed { typ, seq, epoch },
        E::MessageProcessed { .. } => E::RetransmitTimeout { count: 4 },
        E::RetransmitTimeout { .. } => E::RetransmitOnRequest,
        E::RetransmitOnRequest => E::ReadEpoch { epoch },
        E::ReadEpoch { .. } => E::WriteEpoch { epoch },
        E::WriteEpoch { .. } => E::Delivered { number },
        E::Delivered { .. } => E::Established,
        E::Established => E::AlertReceived { description, epoch },
        E::AlertReceived { .. } => E::AlertSent { description },
        E::AlertSent { .. } => E::Failed { error: Error::Decode(DecodeError::Value) },
        E::Failed { error } => E::Failed { error: next_error(error)? },
    })
}

fn next_error(error: &Error) -> Option<Error> {
    use Error as E;
    let alert = AlertDescription::Unknown(99);
    Some(match error {
        E::Decode(_) => E::Misbehaved(PeerMisbehaved::BadFinished),
        E::Misbehaved(_) => E::Incompatible(PeerIncompatible::NoCommonGroup),
        E::Incompatible(_) => E::PeerAlert(alert),
        E::PeerAlert(_) => E::NoAnswer,
        E::NoAnswer => E::HandshakeTimeout,
        E::HandshakeTimeout => E::Rng,
        E::Rng => E::Crypto,
        E::Crypto => E::Aborted(alert),
        E::Aborted(_) => E::SequenceExhausted,
        E::SequenceExhausted => E::IntegrityLimit,
        E::IntegrityLimit => E::Internal("a state was lost"),
        E::Internal(_) => return None,
    })
}
