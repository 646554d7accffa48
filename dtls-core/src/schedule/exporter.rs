//! Keying material exporters (RFC 5705): one interface for every version.

use super::v12::{MasterSecret, Randoms};
use crate::{
    crypto::{Hash, HashAlgorithm, Provider},
    error::ApiMisuse,
};

/// Most bytes one export may ask for; far beyond any use.
const MAX_OUTPUT: usize = 1 << 14;

/// What an established connection keeps to export keys.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "__model", derive(Hash))]
pub(crate) struct Exporter {
    pub(crate) master: MasterSecret,
    pub(crate) randoms: Randoms,
    pub(crate) hash: HashAlgorithm,
}

impl Exporter {
    /// Fills `out` for `label` and an optional `context`; no context differs from an empty one (RFC 5705 §4).
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
        // Labels of the handshake itself would give away its secrets (RFC 5705 §4).
        if ["client finished", "server finished", "master secret", "extended master secret", "key expansion"]
            .contains(&label)
        {
            return Err(ApiMisuse::LabelReserved);
        }
        let context_len = match context {
            Some(c) => Some(u16::try_from(c.len()).map_err(|_| ApiMisuse::ContextTooLong)?.to_be_bytes()),
            None => None,
        };
        let length: &[u8] = context_len.as_ref().map_or(&[], |l| l);
        let hash: &dyn Hash = provider.hash(self.hash).ok_or(ApiMisuse::NotEstablished)?;
        let seed = [&self.randoms.client[..], &self.randoms.server[..], length, context.unwrap_or_default()];
        self.master.prf(hash).expand(label.as_bytes(), seed, out);
        Ok(())
    }
}
