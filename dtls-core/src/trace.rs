//! What happened inside a connection, for diagrams, `--trace` output and test monitors. Costs one branch when unused.

use core::fmt;

use crate::{
    alert::AlertDescription,
    error::{Discard, Error},
    record::number::RecordNumber,
    wire::enums::{ContentType, HandshakeType},
};

/// One thing that happened. Carries no secret and no payload.
///
/// Displayed, it is one line, the same for the same event, from which all of the event can be read back:
///
/// ```text
/// record out EPOCH:SEQ CONTENT, LENGTH bytes
/// record in EPOCH:SEQ CONTENT, LENGTH bytes of plaintext
/// dropped record EPOCH:SEQ: REASON
/// dropped: REASON
/// message out TYPE #SEQ
/// message in TYPE #SEQ, epoch EPOCH
/// no answer, sending the flight again (timer, COUNT)
/// the peer repeats its flight, sending the answer again
/// reading epoch EPOCH
/// writing epoch EPOCH
/// data of record EPOCH:SEQ delivered
/// established
/// alert in ALERT, epoch EPOCH
/// alert out ALERT
/// failed: ERROR
/// ```
///
/// Numbers are decimal. CONTENT and TYPE are registered names such as `handshake` and `client_hello`, or `ContentType(0x63)` and
/// `HandshakeType(0x63)`; ALERT is `close_notify`, or `alert 99`; REASON is a [`Discard`] and ERROR an [`Error`], displayed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A record was written into a datagram.
    RecordSent {
        /// Its content type.
        content: ContentType,
        /// Its number.
        number: RecordNumber,
        /// Its length on the wire, in bytes.
        len: usize,
    },
    /// A record authenticated and was taken in.
    RecordReceived {
        /// Its content type.
        content: ContentType,
        /// Its number.
        number: RecordNumber,
        /// The length of its plaintext, in bytes.
        len: usize,
    },
    /// A record, a fragment or the rest of a datagram was dropped.
    Discarded {
        /// Why.
        reason: Discard,
        /// The number of the record, where one could be read.
        number: Option<RecordNumber>,
    },
    /// A handshake message was added to the flight.
    MessageQueued {
        /// Its type.
        typ: HandshakeType,
        /// Its message_seq.
        seq: u16,
    },
    /// A whole handshake message was processed in order.
    MessageProcessed {
        /// Its type.
        typ: HandshakeType,
        /// Its message_seq.
        seq: u16,
        /// The epoch it was received in.
        epoch: u16,
    },
    /// The flight is sent again because the timer ran out.
    RetransmitTimeout {
        /// Expiries since the flight was first sent.
        count: u8,
    },
    /// The flight is sent again because the peer repeated its own.
    RetransmitOnRequest,
    /// Records of this epoch are read from now on, and of none before it.
    ReadEpoch {
        /// The epoch.
        epoch: u16,
    },
    /// Records of this epoch are written from now on.
    WriteEpoch {
        /// The epoch.
        epoch: u16,
    },
    /// A record of application data was handed to the application.
    Delivered {
        /// Its number.
        number: RecordNumber,
    },
    /// The peer's Finished was checked and the own one is sent or queued.
    Established,
    /// An alert was received and honoured.
    AlertReceived {
        /// What it says.
        description: AlertDescription,
        /// The epoch it was received in.
        epoch: u16,
    },
    /// An alert was written.
    AlertSent {
        /// What it says.
        description: AlertDescription,
    },
    /// The connection failed.
    Failed {
        /// Why.
        error: Error,
    },
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordSent { content, number, len } => {
                write!(f, "record out {number:?} {content:?}, {len} bytes")
            }
            Self::RecordReceived { content, number, len } => {
                write!(f, "record in {number:?} {content:?}, {len} bytes of plaintext")
            }
            Self::Discarded { reason, number: Some(number) } => {
                write!(f, "dropped record {number:?}: {reason}")
            }
            Self::Discarded { reason, number: None } => write!(f, "dropped: {reason}"),
            Self::MessageQueued { typ, seq } => write!(f, "message out {typ:?} #{seq}"),
            Self::MessageProcessed { typ, seq, epoch } => {
                write!(f, "message in {typ:?} #{seq}, epoch {epoch}")
            }
            Self::RetransmitTimeout { count } => {
                write!(f, "no answer, sending the flight again (timer, {count})")
            }
            Self::RetransmitOnRequest => f.write_str("the peer repeats its flight, sending the answer again"),
            Self::ReadEpoch { epoch } => write!(f, "reading epoch {epoch}"),
            Self::WriteEpoch { epoch } => write!(f, "writing epoch {epoch}"),
            Self::Delivered { number } => write!(f, "data of record {number:?} delivered"),
            Self::Established => f.write_str("established"),
            Self::AlertReceived { description, epoch } => {
                write!(f, "alert in {description}, epoch {epoch}")
            }
            Self::AlertSent { description } => write!(f, "alert out {description}"),
            Self::Failed { error } => write!(f, "failed: {error}"),
        }
    }
}

/// A receiver of trace events, set in a configuration.
pub trait TraceSink: Send + Sync {
    /// Takes note of `event`. Must not call back into the connection.
    fn event(&self, event: &TraceEvent);
}

/// Where one connection's events go.
#[derive(Clone)]
pub(crate) struct Tracer {
    sink: Option<crate::Arc<dyn TraceSink>>,
    #[cfg(feature = "__model")]
    log: Option<alloc::vec::Vec<TraceEvent>>,
}

impl Tracer {
    pub(crate) const fn new(sink: Option<crate::Arc<dyn TraceSink>>) -> Self {
        Self {
            sink,
            #[cfg(feature = "__model")]
            log: None,
        }
    }

    #[cfg_attr(
        not(feature = "__model"),
        allow(clippy::needless_pass_by_ref_mut, reason = "the model feature keeps a log in here")
    )]
    pub(crate) fn note(&mut self, event: TraceEvent) {
        if let Some(sink) = &self.sink {
            sink.event(&event);
        }
        #[cfg(feature = "__model")]
        if let Some(log) = &mut self.log {
            log.push(event);
        }
    }

    #[cfg(feature = "__model")]
    pub(crate) fn take(&mut self) -> alloc::vec::Vec<TraceEvent> {
        self.log.replace(alloc::vec::Vec::new()).unwrap_or_default()
    }

    #[cfg(feature = "__model")]
    pub(crate) fn stop(&mut self) {
        self.log = None;
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tracer(sink: {})", self.sink.is_some())
    }
}
