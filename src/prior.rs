//! Priors: what was learned from past events, in files of their own that compressed events name by their hash.
//!
//! A prior of *contexts* is a network that tells of a value, given its surroundings, how likely each bin is; it makes
//! values below a bound smaller. One that was learned from synthetic events ([`inrfit::synth`](crate::synth)) comes with
//! the program, and always will: files depend on it.

use crate::container::{Contents, PriorHash, Reader, Writer, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::residual::{ContextNetwork, Learning, learn};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// The prior that comes with the program.
const SHIPPED: &[u8] = include_bytes!("prior/contexts.prior");

/// What networks of contexts see of a voxel's surroundings: there is one choice so far.
const NEIGHBOURHOOD: u8 = 0;

/// A prior of contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextPrior {
    network: ContextNetwork,
    hash: [u8; 32],
}

impl ContextPrior {
    /// Learns a prior from `events` on the threads of the current rayon pool. `told` hears of every hundred steps: how
    /// many are done, and the bits a voxel of the last of them; its error ends the work.
    ///
    /// # Errors
    /// `Argument` where there is nothing to learn from, or for settings that make no sense; what `told` returns.
    pub fn learn(
        events: &[Event],
        learning: &Learning,
        told: &mut (dyn FnMut(u64, f64) -> Result<()> + Send),
    ) -> Result<ContextPrior> {
        Ok(ContextPrior::new(learn(events, learning, told)?))
    }

    fn new(network: ContextNetwork) -> ContextPrior {
        let mut prior = ContextPrior { network, hash: [0; 32] };
        prior.hash = Sha256::digest(prior.to_bytes()).into();
        prior
    }

    /// The prior that comes with the program.
    pub fn shipped() -> Arc<ContextPrior> {
        static PARSED: OnceLock<Arc<ContextPrior>> = OnceLock::new();
        let parse = || Arc::new(ContextPrior::from_bytes(SHIPPED).expect("a test reads it"));
        PARSED.get_or_init(parse).clone()
    }

    /// Its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        let mut payload = vec![NEIGHBOURHOOD];
        payload.extend(self.network.to_bytes());
        writer.record(kind::CONTEXT_NETWORK, &payload);
        writer.finish()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, or `Unsupported` where it holds something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<ContextPrior> {
        let mut reader = Reader::new(bytes)?;
        let Some(record) = reader.next()?.filter(|r| r.kind == kind::CONTEXT_NETWORK) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "not a prior of contexts: its first record is another",
            ));
        };
        let network = match record.payload.split_first() {
            Some((&NEIGHBOURHOOD, network)) => ContextNetwork::from_bytes(network)
                .map_err(|e| e.context(format!("the network at byte {}", record.payload_offset)))?,
            Some((other, _)) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("a prior that sees neighbourhood {other}, which this program does not know"),
                ));
            }
            None => return Err(Error::corrupt_at(record.payload_offset, "a prior without a network")),
        };
        while let Some(record) = reader.next()? {
            if record.kind & kind::CRITICAL != 0 && record.kind != kind::END {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("a record of type {:#04x} (at byte {}) in a prior", record.kind, record.offset),
                ));
            }
        }
        Ok(ContextPrior { network, hash: Sha256::digest(bytes).into() })
    }

    /// SHA-256 of its file.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// How compressed events name it.
    pub fn short_hash(&self) -> PriorHash {
        std::array::from_fn(|i| self.hash[i])
    }

    /// The network in it.
    pub fn network(&self) -> &ContextNetwork {
        &self.network
    }
}

/// Whether `bytes` start as the file of a prior does.
pub fn is_prior(bytes: &[u8]) -> bool {
    let first = Reader::new(bytes).and_then(|mut reader| reader.next());
    matches!(first, Ok(Some(record)) if record.kind == kind::CONTEXT_NETWORK)
}

/// A hash in hexadecimal digits.
pub fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The priors at hand, besides the one that comes with the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Priors {
    /// Of contexts.
    pub contexts: Option<Arc<ContextPrior>>,
}

impl Priors {
    /// The prior of contexts that new files are made with.
    pub(crate) fn to_use(&self) -> Arc<ContextPrior> {
        self.contexts.clone().unwrap_or_else(ContextPrior::shipped)
    }

    /// The prior of contexts that a file needs, where it needs one.
    ///
    /// # Errors
    /// `Unsupported` where it is not at hand.
    pub(crate) fn needed(&self, contents: &Contents<'_>) -> Result<Option<Arc<ContextPrior>>> {
        let Some(hash) = contents.prior else { return Ok(None) };
        let shipped = || Some(ContextPrior::shipped());
        let known = [self.contexts.clone()].into_iter().chain(std::iter::once_with(shipped)).flatten();
        match known.into_iter().find(|prior| prior.short_hash() == hash) {
            Some(prior) => Ok(Some(prior)),
            None => {
                let given = self
                    .contexts
                    .as_ref()
                    .map(|given| format!("; the one that was given is {}", hex(&given.short_hash())));
                Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "made with the prior of contexts {}, which is needed to decode it: give its file by --prior{}",
                        hex(&hash),
                        given.unwrap_or_default()
                    ),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_prior_can_be_read_and_never_changes() {
        let prior = ContextPrior::from_bytes(SHIPPED).unwrap();
        assert_eq!(prior.to_bytes(), SHIPPED);
        assert_eq!(hex(&prior.short_hash()), "ad1048238d494315");
    }
}
