//! The architectures: names, parameters, shapes.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// An autoencoder of the family. arXiv 2111.05423 has the first three, arXiv 2310.15026 the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// Two decoders, 3-D convolutions with instance normalisation; regression output exp(y) * 6 + 64 ADC.
    Bcae,
    /// [`Architecture::Bcae`] without output transform: the regression decoder ends in a ReLU.
    BcaeWithoutTransform,
    /// [`Architecture::BcaeWithoutTransform`] without the segmentation decoder.
    Cae,
    /// z padded to a power of two times a number, no normalisation; works on log2(ADC + 1).
    PlusPlus,
    /// [`Architecture::PlusPlus`] with 2, 4, 4, 8 features instead of 8, 16, 32, 32.
    HighThroughput,
    /// 2-D convolutions with the 16 layers as channels: m blocks in the encoder, n in each decoder, d of each halve
    /// or double azimuth and z.
    TwoD {
        /// Blocks of the encoder.
        m: usize,
        /// Blocks of each decoder.
        n: usize,
        /// Halvings of azimuth and z.
        d: usize,
    },
}

/// Deepest 2-D network that is taken, blocks a part.
const MAX_BLOCKS: usize = 64;
/// Layers of a wedge, which 2-D networks have as channels.
pub(super) const TWO_D_LAYERS: usize = 16;
/// Channels inside a 2-D network, and of its code.
pub(super) const TWO_D_WIDTH: usize = 32;
/// Channels of the code of 3-D networks.
pub(super) const CODE_CHANNELS: usize = 8;

/// A convolution of a 3-D block: kernel, stride and padding, axes in the order of the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub padding: [usize; 3],
}

/// How a tensor starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Uniform in +-1/sqrt(inputs of a unit), as PyTorch starts convolutions.
    Uniform(usize),
    /// Zero: the scalar of a block's main path.
    Zero,
}

/// A tensor of weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    pub name: String,
    pub shape: Vec<usize>,
    pub start: Start,
}

impl Spec {
    pub fn n(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The two decoders' names, as weights have them.
pub(super) const SEGMENTATION: &str = "segmentation";
pub(super) const REGRESSION: &str = "regression";

impl Architecture {
    /// The names that [`Architecture::from_str`] takes.
    pub const NAMES: [&'static str; 6] = ["bcae", "bcae-wot", "cae", "bcae++", "bcae-ht", "bcae-2d:4,8,3"];

    /// Whether a segmentation decoder says which voxels are occupied.
    pub fn segments(self) -> bool {
        self != Architecture::Cae
    }

    /// Whether the network sees ADC counts (else log2(ADC + 1)).
    pub fn takes_adc(self) -> bool {
        matches!(self, Architecture::Bcae | Architecture::BcaeWithoutTransform | Architecture::Cae)
    }

    /// Whether blocks are normalised (instance norm without weights).
    pub(super) fn normalises(self) -> bool {
        self.takes_adc()
    }

    /// Features of the encoder's blocks in 3-D networks.
    pub(super) fn features(self) -> [usize; 4] {
        match self {
            Architecture::HighThroughput => [2, 4, 4, 8],
            _ => [8, 16, 32, 32],
        }
    }

    /// Features of a decoder's blocks in 3-D networks: half of the encoder's where they are 8, 16, 32, 32, in reverse,
    /// as the published decoder has them; BCAE-HT's own in reverse.
    pub(super) fn decoder_features(self) -> [usize; 4] {
        match self {
            Architecture::HighThroughput => [8, 4, 4, 2],
            _ => [16, 8, 4, 2],
        }
    }

    /// Convolutions of the encoder's blocks in 3-D networks; the decoders have them in reverse.
    pub(super) fn windows(self) -> [Window; 4] {
        if self.takes_adc() {
            let outer = Window { kernel: [4, 3, 3], stride: [2, 2, 1], padding: [1, 0, 1] };
            let inner = Window { kernel: [4, 4, 3], stride: [2, 2, 1], padding: [1, 1, 1] };
            [outer, inner, inner, outer]
        } else {
            [Window { kernel: [3, 4, 4], stride: [1, 2, 2], padding: [1, 1, 1] }; 4]
        }
    }

    /// An event's extents (azimuth, z, layer) after padding with zeros at the end: what the network halves and doubles
    /// without a remainder.
    ///
    /// # Errors
    /// `Argument` for a number of layers that a 2-D network does not have, and for extents that overflow.
    pub fn padded(self, shape: [usize; 3]) -> Result<[usize; 3]> {
        let [azimuth, z, layers] = shape;
        let up = |n: usize, to: usize| {
            n.checked_next_multiple_of(to)
                .filter(|n| *n > 0)
                .ok_or_else(|| Error::Argument(format!("no network takes an axis of {n} samples")))
        };
        match self {
            Architecture::TwoD { d, .. } => {
                if layers != TWO_D_LAYERS {
                    return Err(Error::Argument(format!(
                        "{self} takes events of {TWO_D_LAYERS} layers on the third axis, not {layers}; choose a 3-D network"
                    )));
                }
                Ok([up(azimuth, 1 << d)?, up(z, 1 << d)?, layers])
            }
            Architecture::PlusPlus | Architecture::HighThroughput => {
                Ok([up(azimuth, 16)?, up(z, 16)?, up(layers, 1)?])
            }
            // Kernels of 3 without padding halve odd extents: 249, 124, 62, 31, 15 and back need z = 16 i + 9, i >= 1.
            _ => Ok([
                up(azimuth, 16)?,
                (up(z.saturating_sub(9).max(1), 16)?).saturating_add(9),
                up(layers, 1)?,
            ]),
        }
    }

    /// Shape of the code of an event of `shape`: channels, then the network's own axes (three or two).
    ///
    /// # Errors
    /// As [`Architecture::padded`].
    pub fn code_shape(self, shape: [usize; 3]) -> Result<Vec<usize>> {
        let [azimuth, z, layers] = self.padded(shape)?;
        if let Architecture::TwoD { d, .. } = self {
            return Ok(vec![TWO_D_WIDTH, azimuth >> d, z >> d]);
        }
        let mut extents = if self.takes_adc() { [azimuth, z, layers] } else { [layers, azimuth, z] };
        for window in self.windows() {
            for (axis, extent) in extents.iter_mut().enumerate() {
                *extent =
                    (*extent + 2 * window.padding[axis] - window.kernel[axis]) / window.stride[axis] + 1;
            }
        }
        let [a, b, c] = extents;
        Ok(vec![CODE_CHANNELS, a, b, c])
    }

    /// Number of trainable parameters of the encoder.
    pub fn n_encoder(self) -> usize {
        self.specs().iter().filter(|spec| spec.name.starts_with("encoder")).map(Spec::n).sum()
    }

    /// Number of trainable parameters of the decoders together.
    pub fn n_decoders(self) -> usize {
        self.specs().iter().filter(|spec| !spec.name.starts_with("encoder")).map(Spec::n).sum()
    }

    /// All weights, in the order of files.
    pub(super) fn specs(self) -> Vec<Spec> {
        let mut specs = vec![];
        let heads = if self.segments() { vec![SEGMENTATION, REGRESSION] } else { vec![REGRESSION] };
        if let Architecture::TwoD { m, n, .. } = self {
            convolution(&mut specs, "encoder.in", &[TWO_D_WIDTH, TWO_D_LAYERS, 7, 7], 0);
            two_d_blocks(&mut specs, "encoder", m);
            for head in heads {
                two_d_blocks(&mut specs, head, n);
                convolution(&mut specs, &format!("{head}.out"), &[TWO_D_LAYERS, TWO_D_WIDTH, 1, 1], 0);
            }
            return specs;
        }
        let windows = self.windows();
        let mut from = 1;
        for (i, (to, window)) in self.features().into_iter().zip(windows).enumerate() {
            let [a, b, c] = window.kernel;
            block(&mut specs, &format!("encoder.{i}"), &[to, from, a, b, c], to, 0);
            from = to;
        }
        convolution(&mut specs, "encoder.out", &[CODE_CHANNELS, from, 3, 3, 3], 0);
        for head in heads {
            let mut from = CODE_CHANNELS;
            for (i, (to, window)) in
                self.decoder_features().into_iter().zip(windows.into_iter().rev()).enumerate()
            {
                // A transposed convolution has its inputs first.
                let [a, b, c] = window.kernel;
                block(&mut specs, &format!("{head}.{i}"), &[from, to, a, b, c], to, 1);
                from = to;
            }
            convolution(&mut specs, &format!("{head}.out"), &[1, from, 3, 3, 3], 0);
        }
        specs
    }
}

/// Weight and bias of a convolution whose outputs are on axis `outputs`; PyTorch takes the other of the first two as
/// the inputs of a unit, also where the convolution is transposed and that is not so.
fn convolution(specs: &mut Vec<Spec>, name: &str, shape: &[usize], outputs: usize) {
    let start = Start::Uniform(shape[1..].iter().product());
    specs.push(Spec { name: format!("{name}.weight"), shape: shape.to_vec(), start });
    specs.push(Spec { name: format!("{name}.bias"), shape: vec![shape[outputs]], start });
}

/// A block of a 3-D network.
fn block(specs: &mut Vec<Spec>, name: &str, shape: &[usize], to: usize, outputs: usize) {
    specs.push(Spec { name: format!("{name}.alpha"), shape: vec![1], start: Start::Zero });
    convolution(specs, &format!("{name}.main.0"), shape, outputs);
    convolution(specs, &format!("{name}.main.1"), &[to, to, 3, 3, 3], 0);
    convolution(specs, &format!("{name}.side"), shape, outputs);
}

/// The blocks of a 2-D network, two residual blocks each.
fn two_d_blocks(specs: &mut Vec<Spec>, part: &str, n_blocks: usize) {
    for i in 0..2 * n_blocks {
        specs.push(Spec { name: format!("{part}.{i}.alpha"), shape: vec![1], start: Start::Zero });
        for j in 0..2 {
            convolution(specs, &format!("{part}.{i}.main.{j}"), &[TWO_D_WIDTH, TWO_D_WIDTH, 3, 3], 0);
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Architecture::Bcae => f.write_str("bcae"),
            Architecture::BcaeWithoutTransform => f.write_str("bcae-wot"),
            Architecture::Cae => f.write_str("cae"),
            Architecture::PlusPlus => f.write_str("bcae++"),
            Architecture::HighThroughput => f.write_str("bcae-ht"),
            Architecture::TwoD { m, n, d } => write!(f, "bcae-2d:{m},{n},{d}"),
        }
    }
}

impl FromStr for Architecture {
    type Err = Error;

    /// Reads a name such as those in [`Architecture::NAMES`]; `bcae-2d` alone means `bcae-2d:4,8,3`.
    fn from_str(text: &str) -> Result<Architecture> {
        let named = match text {
            "bcae" => Some(Architecture::Bcae),
            "bcae-wot" => Some(Architecture::BcaeWithoutTransform),
            "cae" => Some(Architecture::Cae),
            "bcae++" => Some(Architecture::PlusPlus),
            "bcae-ht" => Some(Architecture::HighThroughput),
            "bcae-2d" => Some(Architecture::TwoD { m: 4, n: 8, d: 3 }),
            _ => text.strip_prefix("bcae-2d:").and_then(two_d),
        };
        named.ok_or_else(|| {
            Error::Argument(format!(
                "no architecture `{text}`; there are {} (blocks of the encoder, of each decoder: 1 to {MAX_BLOCKS}, halvings: at most as many of either and 8)",
                Architecture::NAMES.join(", ")
            ))
        })
    }
}

fn two_d(text: &str) -> Option<Architecture> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.parse().ok()).collect();
    let [m, n, d]: [usize; 3] = numbers?.try_into().ok()?;
    let sound = (1..=MAX_BLOCKS).contains(&m) && (1..=MAX_BLOCKS).contains(&n) && d <= m.min(n).min(8);
    sound.then_some(Architecture::TwoD { m, n, d })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEDGE: [usize; 3] = [192, 249, 16];

    fn ratio(architecture: Architecture) -> f64 {
        let code: usize = architecture.code_shape(WEDGE).unwrap().iter().product();
        (192 * 249 * 16) as f64 / code as f64
    }

    #[test]
    fn parameters_are_the_published_ones() {
        // The shipped checkpoints of BCAE; the tables of arXiv 2310.15026 in units of 1024: 226.2k, 9.8k, 169.0k.
        for architecture in [Architecture::Bcae, Architecture::BcaeWithoutTransform, Architecture::Cae] {
            assert_eq!(architecture.n_encoder(), 206_868);
        }
        assert_eq!(Architecture::Bcae.n_decoders(), 68_962);
        assert_eq!(Architecture::Cae.n_decoders(), 68_962 / 2);
        assert_eq!(Architecture::PlusPlus.n_encoder(), 231_636);
        assert_eq!(Architecture::HighThroughput.n_encoder(), 10_062);
        assert_eq!(Architecture::TwoD { m: 4, n: 8, d: 3 }.n_encoder(), 25_120 + 147_968 + 8);
    }

    #[test]
    fn codes_have_the_published_shapes() {
        assert_eq!(Architecture::Bcae.code_shape(WEDGE).unwrap(), [8, 12, 15, 16]);
        assert_eq!(Architecture::PlusPlus.code_shape(WEDGE).unwrap(), [8, 16, 12, 16]);
        assert_eq!(Architecture::HighThroughput.code_shape(WEDGE).unwrap(), [8, 16, 12, 16]);
        assert_eq!(Architecture::TwoD { m: 4, n: 8, d: 3 }.code_shape(WEDGE).unwrap(), [32, 24, 32]);
        assert_eq!((ratio(Architecture::Bcae) * 100.0).round(), 3320.0);
        assert_eq!(ratio(Architecture::PlusPlus), 31.125);
        assert_eq!(ratio(Architecture::TwoD { m: 3, n: 11, d: 3 }), 31.125);
    }

    #[test]
    fn names_are_read_back() {
        for name in Architecture::NAMES {
            assert_eq!(name.parse::<Architecture>().unwrap().to_string(), name);
        }
        for name in
            ["", "BCAE", "bcae-2d:", "bcae-2d:4,8", "bcae-2d:0,1,0", "bcae-2d:4,8,5", "bcae-2d:99,1,1"]
        {
            assert!(name.parse::<Architecture>().is_err(), "{name}");
        }
    }

    #[test]
    fn padding_covers_every_shape_and_keeps_the_wedge() {
        assert_eq!(Architecture::Bcae.padded(WEDGE).unwrap(), WEDGE);
        assert_eq!(Architecture::PlusPlus.padded(WEDGE).unwrap(), [192, 256, 16]);
        for z in 1..70 {
            let [_, padded, _] = Architecture::Bcae.padded([16, z, 1]).unwrap();
            assert!(padded >= z && padded % 16 == 9 && padded >= 25, "{z}: {padded}");
            assert!(padded < z.max(10) + 16);
        }
        assert!(Architecture::TwoD { m: 4, n: 8, d: 3 }.padded([192, 249, 15]).is_err());
        for architecture in [Architecture::Bcae, Architecture::PlusPlus] {
            assert!(architecture.padded([usize::MAX, 1, 1]).is_err());
        }
    }
}
