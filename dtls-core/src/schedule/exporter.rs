//! Keying material exporters (RFC 5705): one interface for every version.

use super::{
    v12::{MasterSecret, Randoms},
    v13::{Secret13, export},
};
use crate::{
    crypto::{HashAlgorithm, Provider},
    error::ApiMisuse,
};

/// Labels that DTLS 1.2 uses itself.
const RESERVED12: [&str; 5] =
    ["client finished", "server finished", "master secret", "extended master secret", "key expansion"];
/// Longest label of DTLS 1.3: 255 bytes less the prefix (RFC 8446 §7.1).
const MAX_LABEL13: usize = 249;
/// Most digests HKDF gives (RFC 5869 §2.3).
const MAX_BLOCKS13: usize = 255;
/// Most bytes one export may ask for; far beyond any use.
const MAX_OUTPUT: usize = 1 << 14;

/// What an established connection keeps to export keys.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) enum Exporter {
    V12 { master: MasterSecret, randoms: Randoms, hash: HashAlgorithm },
    V13 { secret: Secret13, hash: HashAlgorithm },
}

impl Exporter {
    /// Fills `out` for `label` and an optional `context`. In DTLS 1.2 no context differs from an empty one (RFC 5705 §4); in
    /// DTLS 1.3 it does not (RFC 8446 §7.5).
    pub(crate) fn export(
        &self,
        provider: &Provider,
        label: &str,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ApiMisuse> {
        if out.len() > MAX_OUTPUT {
            return Err(ApiMisuse::OutputTooLong);
        }
        let context_len = u16::try_from(context.unwrap_or_default().len());
        let context_len = context_len.map_err(|_| ApiMisuse::ContextTooLong)?.to_be_bytes();
        let find = |hash: &HashAlgorithm| provider.hash(*hash).ok_or(ApiMisuse::NotEstablished);
        match self {
            Self::V12 { master, randoms, hash } => {
                // Labels of the handshake itself would give away its secrets (RFC 5705 §4).
                if RESERVED12.contains(&label) {
                    return Err(ApiMisuse::LabelReserved);
                }
                let length: &[u8] = if context.is_some() { &context_len } else { &[] };
                let seed = [&randoms.client[..], &randoms.server[..], length, context.unwrap_or_default()];
                master.prf(find(hash)?).expand(label.as_bytes(), seed, out);
            }
            Self::V13 { secret, hash } => {
                if label.len() > MAX_LABEL13 {
                    return Err(ApiMisuse::LabelTooLong);
                }
                if out.len() > hash.digest_len().saturating_mul(MAX_BLOCKS13) {
                    return Err(ApiMisuse::OutputTooLong);
                }
                export(find(hash)?, secret, label.as_bytes(), context.unwrap_or_default(), out);
            }
        }
        Ok(())
    }
}
