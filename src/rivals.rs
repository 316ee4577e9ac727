//! The systems that this program is measured against, behind the trait of its own codec.

use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Event, Samples};
use inrfit_baselines::{Array, Error as Refusal, Rival, rival};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Names of the rivals in this build.
pub use inrfit_baselines::NAMES;

/// Options whose value makes one point of a curve of many: they are no part of a codec's name.
const RATES: [&str; 6] = ["abs", "tolerance", "rate", "precision", "step", "above"];

/// A rival with its options.
pub struct RivalCodec {
    name: String,
    rival: Box<dyn Rival>,
    /// Threads of a rival that uses several.
    pool: Option<ThreadPool>,
}

impl std::fmt::Debug for RivalCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RivalCodec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RivalCodec {
    /// The rival of `name:options`, such as `sz3:nopred,log2,abs=0.4`, on up to `n_threads`.
    ///
    /// # Errors
    /// `Argument` for a name or an option that does not exist in this build, `Device` where threads cannot be started.
    pub fn from_spec(spec: &str, n_threads: usize) -> Result<RivalCodec> {
        let (name, options) = spec.split_once(':').unwrap_or((spec, ""));
        let rival = rival(name, options).map_err(|e| refused(e).context(format!("codec '{spec}'")))?;
        let is_rate =
            |option: &&str| !option.split_once('=').is_some_and(|(key, _)| RATES.contains(&key.trim()));
        let kept: Vec<&str> =
            options.split(',').filter(is_rate).filter(|option| !option.is_empty()).collect();
        let name = if kept.is_empty() { name.to_owned() } else { format!("{name}:{}", kept.join(",")) };
        let pool = rival.is_parallel().then(|| ThreadPoolBuilder::new().num_threads(n_threads).build());
        let pool = pool.transpose();
        let pool = pool.map_err(|e| Error::new(ErrorKind::Device, format!("starting threads: {e}")))?;
        Ok(RivalCodec { name, rival, pool })
    }

    /// Threads that it runs on.
    pub fn n_threads(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    fn run<T: Send>(&self, work: impl FnOnce(&dyn Rival) -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(|| work(self.rival.as_ref())),
            None => work(self.rival.as_ref()),
        }
    }
}

fn refused(error: Refusal) -> Error {
    let kind = match error {
        Refusal::Argument(_) => ErrorKind::Argument,
        Refusal::Corrupt(_) => ErrorKind::Corrupt,
        Refusal::Io(_) => ErrorKind::Io,
        _ => ErrorKind::Unsupported,
    };
    Error::new(kind, error.to_string())
}

/// First byte of a file: what the samples were.
fn tag(dtype: DType) -> Option<u8> {
    match dtype {
        DType::U8 => Some(8),
        DType::U16 => Some(16),
        _ => None,
    }
}

impl Codec for RivalCodec {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn encode(&self, event: &Event) -> Result<Vec<u8>> {
        let counts = match event.samples() {
            Samples::U8(counts) => counts.iter().copied().map(u16::from).collect(),
            Samples::U16(counts) => counts.clone(),
            other => {
                return Err(Error::argument(format!(
                    "{}: takes uint8 and uint16 samples, not {}",
                    self.name,
                    other.dtype().name()
                )));
            }
        };
        let array = Array::new(event.shape(), counts).map_err(refused)?;
        let mut bytes: Vec<u8> = tag(event.dtype()).into_iter().collect();
        bytes.extend(self.run(|rival| rival.encode(&array)).map_err(|e| refused(e).context(&self.name))?);
        Ok(bytes)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Event> {
        let (first, rest) = bytes.split_first().ok_or_else(|| Error::corrupt("no bytes"))?;
        let array = self.run(|rival| rival.decode(rest)).map_err(|e| refused(e).context(&self.name))?;
        let counts = array.counts();
        let samples = match DType::U8 {
            dtype if tag(dtype) == Some(*first) => {
                // A lossy rival may decode more than the type holds.
                Samples::U8(counts.iter().map(|&count| count.min(u16::from(u8::MAX)) as u8).collect())
            }
            _ if tag(DType::U16) == Some(*first) => Samples::U16(counts.to_vec()),
            _ => return Err(Error::corrupt(format!("{}: samples of type {first}", self.name))),
        };
        Event::new(array.shape(), samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_types_are_refused_by_name() {
        let codec = RivalCodec::from_spec(&format!("{}:{}", NAMES[0], "abs=1"), 1).or_else(|_| {
            // Whatever this build has.
            RivalCodec::from_spec("mgard:tolerance=1", 1).or_else(|_| RivalCodec::from_spec("zstd", 1))
        });
        let Ok(codec) = codec.or_else(|_| RivalCodec::from_spec("zfp:tolerance=1", 1)) else { return };
        let event = Event::new([1, 1, 2], Samples::F32(vec![1.0, 2.0])).unwrap();
        let error = codec.encode(&event).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("not float32"), "{error}");
    }

    #[cfg(feature = "rival-plain")]
    #[test]
    fn eight_bits_come_back_as_eight_bits() {
        let codec = RivalCodec::from_spec("zstd:level=3,z", 1).unwrap();
        assert_eq!(codec.name(), "zstd:level=3,z");
        for samples in [Samples::U8(vec![0, 7, 255, 9, 0, 0]), Samples::U16(vec![0, 7, 1023, 9, 0, 0])] {
            let event = Event::new([1, 2, 3], samples).unwrap();
            assert_eq!(codec.decode(&codec.encode(&event).unwrap()).unwrap(), event);
        }
        let rated = RivalCodec::from_spec("bzip2:log2,z,step=0.4", 1).unwrap();
        assert_eq!(rated.name(), "bzip2:log2,z");
    }
}
