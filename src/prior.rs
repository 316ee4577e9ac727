//! Priors: what was learned from past events, in files of their own that compressed events name by their hash.
//!
//! A prior *for fitting* holds weights that fits start from, so that they take fewer steps; files hold how far the weights
//! have come from there, which takes fewer bits.
//!
//! A prior of *contexts* is a network that tells of a value, given its surroundings, how likely each bin is; it makes
//! values below a bound smaller. One that was learned from synthetic events ([`inrfit::synth`](crate::synth)) comes with
//! the program, and always will: files depend on it.

use crate::container::{Contents, Limits, NetworkHeader, PriorHash, Reader, Record, Writer, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::net::{NetSpec, Weights};
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
        nothing_else(&mut reader)?;
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

/// Reads to the end of a prior, where records may follow that need not be known.
fn nothing_else(reader: &mut Reader<'_>) -> Result<()> {
    while let Some(record) = reader.next()? {
        if record.kind & kind::CRITICAL != 0 && record.kind != kind::END {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a record of type {:#04x} (at byte {}) in a prior", record.kind, record.offset),
            ));
        }
    }
    Ok(())
}

/// How starting weights are written: there is one way so far, as they are.
const PLAIN: u8 = 0;

/// A prior for fitting: weights to start from, and the network they belong to.
///
/// Of the network, the centre and the unit of the transform are those of one of the events it was learned from: each
/// fit has its own.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPrior {
    network: NetworkHeader,
    weights: Weights,
    hash: [u8; 32],
}

impl StartPrior {
    /// A prior of weights that were learned: [`InrCodec::learn_start`](crate::codec::InrCodec::learn_start).
    ///
    /// # Errors
    /// `Argument` where they are those of another network, or not finite.
    pub fn new(network: NetworkHeader, weights: Weights) -> Result<StartPrior> {
        if *weights.spec() != network.spec || weights.values().iter().any(|w| !w.is_finite()) {
            return Err(Error::argument("starting weights that the network cannot have"));
        }
        let mut prior = StartPrior { network, weights, hash: [0; 32] };
        prior.hash = Sha256::digest(prior.to_bytes()?).into();
        Ok(prior)
    }

    /// Its file.
    ///
    /// # Errors
    /// `Argument` for a network that cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut payload = vec![PLAIN];
        payload.extend(self.weights.values().iter().flat_map(|w| w.to_le_bytes()));
        let mut writer = Writer::new();
        writer.record(kind::NETWORK, &self.network.to_payload()?);
        writer.record(kind::STARTING_WEIGHTS, &payload);
        Ok(writer.finish())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Limit`, or `Unsupported` where it holds something else.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<StartPrior> {
        let mut reader = Reader::new(bytes)?;
        let Some(record) = reader.next()?.filter(|r| r.kind == kind::NETWORK) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "not a prior for fitting: its first record is another",
            ));
        };
        let network = NetworkHeader::from_payload(record.payload, record.payload_offset, limits)?;
        let Some(record) = reader.next()?.filter(|r| r.kind == kind::STARTING_WEIGHTS) else {
            return Err(Error::corrupt_at(record.offset, "a network without the weights to start from"));
        };
        let weights = starting_weights(&network.spec, &record)?;
        nothing_else(&mut reader)?;
        Ok(StartPrior { network, weights, hash: Sha256::digest(bytes).into() })
    }

    /// SHA-256 of its file.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// How compressed events name it.
    pub fn short_hash(&self) -> PriorHash {
        std::array::from_fn(|i| self.hash[i])
    }

    /// The network that starts from it.
    pub fn network(&self) -> &NetworkHeader {
        &self.network
    }

    /// The weights to start from.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// An error unless `spec` is the network it was learned for.
    ///
    /// # Errors
    /// `Argument`, with both networks.
    pub fn check(&self, spec: &NetSpec) -> Result<()> {
        let own = &self.network.spec;
        if own == spec {
            return Ok(());
        }
        let hash = hex(&self.short_hash());
        Err(Error::argument(format!(
            "the prior for fitting {hash} is of another network: {}; this fit is of {}",
            in_words(own),
            in_words(spec)
        )))
    }
}

/// All that tells networks apart.
fn in_words(spec: &NetSpec) -> String {
    let constants: String = spec
        .model
        .constants()
        .iter()
        .map(|(name, x)| format!("{} {}, ", name.replace('_', " "), *x as f32))
        .collect();
    format!(
        "{}, {constants}{} features, {} hidden layers of {} units, {} heads",
        spec.model.name(),
        spec.n_features,
        spec.n_layers,
        spec.hidden,
        spec.n_heads
    )
}

fn starting_weights(spec: &NetSpec, record: &Record<'_>) -> Result<Weights> {
    let bad = |what: &str| Error::corrupt_at(record.payload_offset, what);
    match record.payload.split_first() {
        Some((&PLAIN, bytes)) if bytes.len() / 4 == spec.n_weights() && bytes.len() % 4 == 0 => {
            let values: Vec<f32> =
                bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            match values.iter().all(|w| w.is_finite()) {
                true => Weights::new(*spec, values).map_err(|e| bad(&e.to_string())),
                false => Err(bad("a starting weight that is not finite")),
            }
        }
        Some((&PLAIN, bytes)) => Err(bad(&format!(
            "{} bytes of starting weights for a network of {}",
            bytes.len(),
            spec.n_weights()
        ))),
        Some((other, _)) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("starting weights written in way {other}, which this program does not know"),
        )),
        None => Err(bad("no starting weights")),
    }
}

/// A prior of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Prior {
    /// Of contexts.
    Contexts(ContextPrior),
    /// For fitting.
    Start(StartPrior),
}

impl Prior {
    /// Reads a file of either kind.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Limit`, or `Unsupported` where it holds something else.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Prior> {
        match Reader::new(bytes)?.next()?.map(|record| record.kind) {
            Some(kind::CONTEXT_NETWORK) => ContextPrior::from_bytes(bytes).map(Prior::Contexts),
            Some(kind::NETWORK) => StartPrior::from_bytes(bytes, limits).map(Prior::Start),
            _ => Err(Error::new(ErrorKind::Unsupported, "not a prior: its first record is another")),
        }
    }
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Priors {
    /// Of contexts.
    pub contexts: Option<Arc<ContextPrior>>,
    /// For fitting.
    pub start: Option<Arc<StartPrior>>,
}

impl Priors {
    /// The prior of contexts that new files are made with.
    pub(crate) fn to_use(&self) -> Arc<ContextPrior> {
        self.contexts.clone().unwrap_or_else(ContextPrior::shipped)
    }

    /// The priors that a file needs.
    ///
    /// # Errors
    /// `Unsupported` where one is not at hand.
    pub(crate) fn needed(&self, contents: &Contents<'_>) -> Result<Needed> {
        let shipped = || Some(ContextPrior::shipped());
        let known = [self.contexts.clone()].into_iter().chain(std::iter::once_with(shipped)).flatten();
        let given = self.contexts.as_ref().map(|given| given.short_hash());
        let contexts = of_name(contents.prior, known, |p| p.short_hash(), given, "of contexts")?;
        Ok(Needed { contexts, start: self.needed_start(contents)? })
    }

    /// The prior that the fields of a file need: all that evaluating them takes.
    ///
    /// # Errors
    /// `Unsupported` where it is not at hand.
    pub(crate) fn needed_start(&self, contents: &Contents<'_>) -> Result<Option<Arc<StartPrior>>> {
        let given = self.start.as_ref().map(|given| given.short_hash());
        let known = self.start.clone().into_iter();
        of_name(contents.start, known, |p| p.short_hash(), given, "for fitting")
    }
}

/// The priors that decoding a file takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Needed {
    /// Of contexts.
    pub contexts: Option<Arc<ContextPrior>>,
    start: Option<Arc<StartPrior>>,
}

impl Needed {
    /// The weights that those of fields are told from.
    pub fn start(&self) -> Option<&Weights> {
        self.start.as_deref().map(StartPrior::weights)
    }
}

/// The prior called `name` among those `known`, where a file names one; an error tells its `kind` and which was `given`.
fn of_name<P>(
    name: Option<PriorHash>,
    mut known: impl Iterator<Item = Arc<P>>,
    name_of: impl Fn(&P) -> PriorHash,
    given: Option<PriorHash>,
    kind: &str,
) -> Result<Option<Arc<P>>> {
    let Some(name) = name else { return Ok(None) };
    if let Some(prior) = known.find(|prior| name_of(prior) == name) {
        return Ok(Some(prior));
    }
    let given = given.map(|given| format!("; the one that was given is {}", hex(&given)));
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "made with the prior {kind} {}, which is needed to decode it: give its file by --prior{}",
            hex(&name),
            given.unwrap_or_default()
        ),
    ))
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
