//! The reference model: DTLS as pure step functions, written from the RFCs.
