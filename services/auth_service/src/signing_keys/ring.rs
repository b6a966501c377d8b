//! The keys as an instance has them in memory.

use std::sync::Arc;
use std::time::Duration;

use auth::{Jwks, TokenSigner};
use jiff::Timestamp;

use super::KeysError;
use super::store::Stored;
use super::timeline::{self, KeyTimes};

/// Keys in the order of their generations, each with what signs with it.
pub(super) struct Ring {
    times: Vec<KeyTimes>,
    signers: Vec<Arc<TokenSigner>>,
    /// Whether an operator gave them: then the first signs and all are published.
    given: bool,
}

impl Ring {
    /// Keys that an operator gave; none: those of the store will follow.
    pub(super) fn given(signers: Vec<TokenSigner>) -> Self {
        Self {
            times: Vec::new(),
            given: !signers.is_empty(),
            signers: signers.into_iter().map(Arc::new).collect(),
        }
    }

    /// The keys as the store has them; what is in memory already is not opened again.
    pub(super) fn renewed(
        &self,
        stored: Vec<Stored>,
        open: impl Fn(&str, &str) -> Result<TokenSigner, KeysError>,
    ) -> Result<Self, KeysError> {
        let mut ring = Self::given(Vec::new());
        for Stored { times, wrapped } in stored {
            let known = self
                .signers
                .iter()
                .find(|signer| signer.key().kid() == times.kid);
            let signer = match (known, wrapped) {
                (Some(known), Some(_)) => Arc::clone(known),
                (None, Some(wrapped)) => Arc::new(open(&times.kid, &wrapped)?),
                (_, None) => continue,
            };
            ring.signers.push(signer);
            ring.times.push(times);
        }
        Ok(ring)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.signers.is_empty()
    }

    pub(super) fn times(&self) -> &[KeyTimes] {
        &self.times
    }

    /// The names of keys that an operator gave, the one that signs first.
    pub(super) fn given_names(&self) -> Vec<String> {
        let signers = self.signers.iter().filter(|_| self.given);
        signers
            .map(|signer| signer.key().kid().to_owned())
            .collect()
    }

    pub(super) fn signer(&self, now: Timestamp) -> Option<Arc<TokenSigner>> {
        if self.given {
            return self.signers.first().cloned();
        }
        let kid = &timeline::signing(&self.times, now)?.kid;
        let mut signers = self.signers.iter();
        signers.find(|signer| signer.key().kid() == kid).cloned()
    }

    pub(super) fn published(&self, life: Duration, now: Timestamp) -> Jwks {
        let is_published = |kid: &str| {
            let mut keys = self.times.iter();
            let key = keys.find(|key| key.kid == kid);
            self.given
                || key
                    .is_some_and(|key| timeline::state(&self.times, key, life, now).is_published())
        };
        let signers = self
            .signers
            .iter()
            .filter(|key| is_published(key.key().kid()));
        Jwks {
            keys: signers.map(|signer| signer.key().jwk().clone()).collect(),
        }
    }
}
