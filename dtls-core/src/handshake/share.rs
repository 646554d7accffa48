//! An ephemeral key on its way to a shared secret.

use zeroize::Zeroizing;

use alloc::vec::Vec;

use super::suites::kx_group_id;
use crate::{
    config::Settings,
    crypto::{ShareBox, share_box},
    error::{Error, PeerMisbehaved},
    rand::Rng,
    wire::enums::NamedGroup,
};

/// The own ephemeral key for one handshake.
#[cfg_attr(feature = "__model", derive(Clone))]
pub(crate) struct OwnShare {
    pub(crate) group: NamedGroup,
    share: ShareBox,
}

impl OwnShare {
    /// Makes a fresh key for a configured group.
    pub(crate) fn make(settings: &Settings, group: NamedGroup, rng: &mut dyn Rng) -> Result<Self, Error> {
        let kx = kx_group_id(group).and_then(|id| settings.provider.group(id));
        let share = kx.ok_or(Error::Internal("group of a configuration"))?.start(rng)?;
        Ok(Self { group, share: share_box(share) })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.share.public_key()
    }

    /// Combines it with the peer's public key.
    pub(crate) fn agree(&self, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.share.agree(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare.into())
    }
}

impl core::fmt::Debug for OwnShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "OwnShare({:?})", self.group)
    }
}

#[cfg(feature = "__model")]
impl core::hash::Hash for OwnShare {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.group, self.share.public_key()).hash(state);
    }
}
