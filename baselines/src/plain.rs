//! General-purpose compressors, of samples as they are, of quantised ones, and of occupancy and values apart.

use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::{Bytes, Frame, Reader};
use crate::spec::{Options, positive};
use crate::view::{self, Domain, Layout, Threshold, View};
use std::io::Read;

/// Which compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// bzip2, levels 1 to 9.
    Bzip2,
    /// Zstandard, levels 1 to 22.
    Zstd,
    /// LZMA in the xz container, levels 0 to 9.
    Xz,
}

/// A general-purpose compressor behind a choice of symbols.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plain {
    /// The compressor.
    pub method: Method,
    /// Its level.
    pub level: u32,
    /// Order of the voxels.
    pub layout: Layout,
    /// Whether occupancy (a bit a voxel) and the values of occupied voxels are two streams, one after the other.
    pub sparse: bool,
    /// Uniform quantisation of the nonzero counts, on this scale in these steps; without loss where there is none.
    pub step: Option<(Domain, f64)>,
}

impl Plain {
    /// From `[level=N],[native|z],[sparse]` and, for quantised values, `adc,step=S` or `log2,step=S`.
    ///
    /// # Errors
    /// `Argument` for what is not among these.
    pub fn from_spec(method: Method, spec: &str) -> Result<Plain> {
        let mut options = Options::new(spec);
        let (most, range) = match method {
            Method::Bzip2 => (9, 1..=9),
            Method::Zstd => (19, 1..=22),
            Method::Xz => (9, 0..=9),
        };
        let level = options.number("level")?.unwrap_or(most);
        if !range.contains(&level) {
            return Err(Error::Argument(format!("level={level}: {} to {}", range.start(), range.end())));
        }
        let view = View::take(&mut options)?;
        if view.threshold != Threshold::None {
            return Err(Error::Argument("a threshold changes nothing here: zeros stay zeros".to_owned()));
        }
        let sparse = options.word("sparse");
        let step = options.number("step")?.map(|step| positive("step", step)).transpose()?;
        if step.is_none() && view.domain == Domain::Log2 {
            return Err(Error::Argument("log2 needs step=S".to_owned()));
        }
        if step.is_some_and(|step| step < 1e-3) {
            return Err(Error::Argument("steps start at 0.001".to_owned()));
        }
        options.finish("level=N, native, z, sparse, adc, log2, step=S")?;
        Ok(Plain { method, level, layout: view.layout, sparse, step: step.map(|step| (view.domain, step)) })
    }

    fn tag(&self) -> u8 {
        match self.method {
            Method::Bzip2 => 16,
            Method::Zstd => 17,
            Method::Xz => 18,
        }
    }

    fn pack(&self, symbols: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![];
        let done = match self.method {
            Method::Bzip2 => bzip2::read::BzEncoder::new(symbols, bzip2::Compression::new(self.level))
                .read_to_end(&mut out),
            Method::Xz => liblzma::read::XzEncoder::new(symbols, self.level).read_to_end(&mut out),
            Method::Zstd => return zstd::bulk::compress(symbols, self.level as i32).map_err(failed),
        };
        done.map_err(failed)?;
        Ok(out)
    }

    /// Decompresses at most `n` bytes.
    fn unpack(&self, payload: &[u8], n: usize) -> Result<Vec<u8>> {
        let reader: Box<dyn Read> = match self.method {
            Method::Bzip2 => Box::new(bzip2::read::BzDecoder::new(payload)),
            Method::Xz => Box::new(liblzma::read::XzDecoder::new(payload)),
            Method::Zstd => Box::new(zstd::stream::read::Decoder::new(payload).map_err(failed)?),
        };
        let mut out = vec![];
        reader.take(n as u64).read_to_end(&mut out).map_err(|e| Error::Corrupt(e.to_string()))?;
        Ok(out)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Failed(error.to_string())
}

/// Counts as symbols, 0 for an empty voxel, and back.
struct Scale {
    step: Option<(Domain, f64)>,
    /// Smallest and largest nonzero count.
    range: (u16, u16),
    /// Whether symbols take two bytes.
    is_wide: bool,
}

impl Scale {
    fn new(step: Option<(Domain, f64)>, counts: &[u16]) -> Scale {
        let nonzero = || counts.iter().copied().filter(|&count| count > 0);
        let range = (nonzero().min().unwrap_or(1), nonzero().max().unwrap_or(1));
        let mut scale = Scale { step, range, is_wide: true };
        scale.is_wide = step.is_none() || scale.symbol(range.1) > 255;
        scale
    }

    /// Where the first bin starts.
    fn start(&self, domain: Domain) -> f64 {
        match domain {
            Domain::Adc => f64::from(self.range.0),
            // Half a count below the smallest one.
            Domain::Log2 => (f64::from(self.range.0) + 0.5).log2(),
        }
    }

    fn symbol(&self, count: u16) -> u16 {
        match (count, self.step) {
            (0, _) => 0,
            (count, None) => count,
            (count, Some((domain, step))) => {
                let value = match domain {
                    Domain::Adc => f64::from(count),
                    Domain::Log2 => (f64::from(count) + 1.0).log2(),
                };
                // At most 2^16 / 0.001 bins would not do: such fine steps of ADC are lossless anyway.
                (((value - self.start(domain)) / step).floor() as u16).saturating_add(1)
            }
        }
    }

    /// The middle of a symbol's bin in ADC, at most the largest count.
    fn real(&self, symbol: u16) -> f64 {
        match (symbol, self.step) {
            (0, _) => 0.0,
            (symbol, None) => f64::from(symbol),
            (symbol, Some((domain, step))) => {
                let k = f64::from(symbol - 1);
                let middle = match domain {
                    // The middle of the counts in the bin.
                    Domain::Adc => self.start(domain) + k * step + (step - 1.0).max(0.0) / 2.0,
                    Domain::Log2 => (self.start(domain) + (k + 0.5) * step).exp2() - 1.0,
                };
                middle.min(f64::from(self.range.1))
            }
        }
    }

    /// Symbols as bytes; wide ones low byte first, or all low bytes before all high ones.
    fn write(&self, symbols: &[u16], in_planes: bool, out: &mut Vec<u8>) {
        let low = || symbols.iter().map(|&s| s as u8);
        match (self.is_wide, in_planes) {
            (false, _) => out.extend(low()),
            (true, false) => out.extend(symbols.iter().flat_map(|s| s.to_le_bytes())),
            (true, true) => out.extend(low().chain(symbols.iter().map(|&s| (s >> 8) as u8))),
        }
    }

    fn read(&self, bytes: &[u8], in_planes: bool) -> Vec<u16> {
        let half = bytes.len() / 2;
        match (self.is_wide, in_planes) {
            (false, _) => bytes.iter().copied().map(u16::from).collect(),
            (true, false) => bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect(),
            (true, true) => (0..half).map(|i| u16::from_le_bytes([bytes[i], bytes[half + i]])).collect(),
        }
    }
}

impl Plain {
    fn view(layout: Layout) -> View {
        View { layout, ..View::default() }
    }

    fn real_values(&self, bytes: &[u8]) -> Result<([usize; 3], Vec<f64>)> {
        let frame = Frame::read(self.tag(), bytes)?;
        let mut head = Reader(&frame.head);
        let [flags] = head.array()?;
        let range = (u16::from_le_bytes(head.array()?), u16::from_le_bytes(head.array()?));
        let domain = if flags & 2 != 0 { Domain::Log2 } else { Domain::Adc };
        let step = if flags & 8 != 0 { Some((domain, f64::from_le_bytes(head.array()?))) } else { None };
        let scale = Scale { step, range, is_wide: flags & 16 != 0 };
        let layout = if flags & 1 != 0 { Layout::ZContiguous } else { Layout::Native };
        let n: usize = frame.shape.iter().product();
        let wrong = || Error::Corrupt("fewer or more voxels than the shape has".to_owned());
        let symbols = match flags & 4 != 0 {
            false => scale.read(&self.unpack(&frame.payload, 2 * n + 1)?, false),
            true => {
                let bytes = self.unpack(&frame.payload, n.div_ceil(8) + 2 * n + 1)?;
                let (bits, values) = bytes.split_at_checked(n.div_ceil(8)).ok_or_else(wrong)?;
                let mut values = scale.read(values, true).into_iter();
                let occupied = |i: usize| bits[i / 8] & (128 >> (i % 8)) != 0;
                let symbols = (0..n).map(|i| if occupied(i) { values.next() } else { Some(0) });
                symbols.collect::<Option<Vec<u16>>>().ok_or_else(wrong)?
            }
        };
        if symbols.len() != n {
            return Err(wrong());
        }
        let reals: Vec<f64> = symbols.into_iter().map(|symbol| scale.real(symbol)).collect();
        Ok((frame.shape, Plain::view(layout).native(&reals, frame.shape)))
    }
}

impl Rival for Plain {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        let shape = event.shape();
        let scale = Scale::new(self.step, event.counts());
        let counts = Plain::view(self.layout).ordered(event.counts(), shape);
        let mut out = vec![];
        if self.sparse {
            let byte =
                |eight: &[u16]| eight.iter().zip(0..).fold(0u8, |b, (&c, i)| b | u8::from(c > 0) << (7 - i));
            out.extend(counts.chunks(8).map(byte));
            let values: Vec<u16> = counts.iter().filter(|&&c| c > 0).map(|&c| scale.symbol(c)).collect();
            scale.write(&values, true, &mut out);
        } else {
            let symbols: Vec<u16> = counts.iter().map(|&c| scale.symbol(c)).collect();
            scale.write(&symbols, false, &mut out);
        }
        let mut head = Bytes::default();
        let is_log = self.step.is_some_and(|(domain, _)| domain == Domain::Log2);
        head.push(
            u8::from(self.layout == Layout::ZContiguous)
                | u8::from(is_log) << 1
                | u8::from(self.sparse) << 2
                | u8::from(self.step.is_some()) << 3
                | u8::from(scale.is_wide) << 4,
        );
        head.extend(&scale.range.0.to_le_bytes());
        head.extend(&scale.range.1.to_le_bytes());
        if let Some((_, step)) = self.step {
            head.extend(&step.to_le_bytes());
        }
        Ok(Frame { tag: self.tag(), shape, head: head.0, payload: self.pack(&out)? }.write())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let (shape, reals) = self.real_values(bytes)?;
        view::to_counts(shape, &reals)
    }

    fn decode_reals(&self, bytes: &[u8]) -> Result<Vec<f64>> {
        Ok(self.real_values(bytes)?.1)
    }
}
