//! Choices by name: what command lines, reports and errors call them.

use crate::error::{Error, Result};
use crate::net::Model;
use inrfit_sampling::SamplerKind;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// An enum with one name a variant, for command lines, reports and errors.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $type { $($(#[$vdoc])* $variant,)* }

        impl $type {
            /// Every name there is.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($type::$variant => $name,)* })
            }
        }

        impl FromStr for $type {
            type Err = Error;
            fn from_str(s: &str) -> Result<Self> {
                match s {
                    $($name => Ok($type::$variant),)*
                    _ => Err(Error::argument(format!("'{s}' is none of: {}", Self::NAMES.join(", ")))),
                }
            }
        }
    };
}

named! {
    /// Which layers a file has.
    Mode {
        /// The network alone, as in the papers.
        Field = "field",
        /// A network for the values, and which voxels are occupied, exactly.
        Masked = "masked",
        /// Every voxel within a bound: occupancy exactly, values by bins.
        Bounded = "bounded",
        /// Every voxel as it was.
        Lossless = "lossless",
    }
}

impl Mode {
    /// Whether occupancy is stored exactly.
    pub fn is_exact(self) -> bool {
        self != Mode::Field
    }

    /// Whether every voxel is within a bound.
    pub fn is_bounded(self) -> bool {
        matches!(self, Mode::Bounded | Mode::Lossless)
    }
}

named! {
    /// How much work a smaller file is worth.
    Effort {
        /// The exact layers by their quick codes.
        Fast = "fast",
        /// The exact layers by mixing.
        Balanced = "balanced",
        /// Besides, small fields are tried below a bound.
        Best = "best",
    }
}

named! {
    /// Which error a fit makes small.
    Optimise {
        /// Mean error of `log2(1 + ADC)`.
        LogMae = "log-mae",
        /// Mean squared error of ADC.
        Mse = "mse",
    }
}

named! {
    /// A set of settings by name.
    Preset {
        /// Files about as large as those of `balanced`, after a quarter to half of the steps.
        Fast = "fast",
        /// What the program does without options.
        Balanced = "balanced",
        /// In mode field four times the steps of `balanced`, and fewer bytes.
        Best = "best",
        /// SIREN as the code of arXiv 2412.01754 runs it, its mistakes included (values 65 and 66 never come back,
        /// truncation loses half a count); only decoded values are held within the samples' range, as in every file.
        PaperSiren = "paper-siren",
        /// What that code calls FFNet, in the same way: a multiplicative filter network ([`ModelKind::Mfn`]), not the
        /// random Fourier features of the paper's text.
        PaperFfnet = "paper-ffnet",
        /// What that code calls WIRE, in the same way: real wavelets ([`ModelKind::WireReal`]), not the complex ones of
        /// the WIRE paper.
        PaperWire = "paper-wire",
    }
}

impl ModelKind {
    /// The family of a network.
    pub fn of(model: &Model) -> ModelKind {
        match model {
            Model::Siren { .. } | Model::Conditioned { .. } => ModelKind::Siren,
            Model::Fourier { .. } => ModelKind::Ffnet,
            Model::Filters { .. } => ModelKind::Mfn,
            Model::Gabor { .. } => ModelKind::Wire,
            Model::RealGabor { .. } => ModelKind::WireReal,
        }
    }
}

impl Preset {
    /// The family of a published network.
    pub fn family(self) -> Option<ModelKind> {
        match self {
            Preset::Fast | Preset::Balanced | Preset::Best => None,
            Preset::PaperSiren => Some(ModelKind::Siren),
            Preset::PaperFfnet => Some(ModelKind::Mfn),
            Preset::PaperWire => Some(ModelKind::WireReal),
        }
    }
}

named! {
    /// The family of the network.
    ModelKind {
        /// Sinusoidal representation network.
        Siren = "siren",
        /// Random Fourier features and a rectified network.
        Ffnet = "ffnet",
        /// Multiplicative filter network.
        Mfn = "mfn",
        /// Complex Gabor wavelets.
        Wire = "wire",
        /// Real Gabor wavelets.
        WireReal = "wire-real",
    }
}

named! {
    /// Where to fit.
    DeviceRequest {
        /// To fit, an NVIDIA GPU where there is one that can; to decode, the processor.
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU.
        Cuda = "cuda",
    }
}

named! {
    /// Arithmetic of training; decoding is always f32.
    PrecisionKind {
        /// f32 throughout.
        F32 = "f32",
        /// Products of bf16: faster on a GPU and where the processor has AVX512-BF16, a little less exact.
        Bf16 = "bf16",
    }
}

named! {
    /// Learning rate over the steps.
    ScheduleKind {
        /// Falling along half a cosine.
        Cosine = "cosine",
        /// The same throughout.
        Constant = "constant",
    }
}

/// How a step moves the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OptimizerKind {
    /// Adam.
    Adam,
    /// Adam, and weights shrink by this share of themselves, times the learning rate.
    AdamW(f32),
    /// Matrices between hidden layers by Muon, with changes whose root mean square is this share of the learning rate; all
    /// other weights by Adam.
    Muon(f32),
}

impl OptimizerKind {
    const DECAY: f32 = 0.01;
    const STEP: f32 = 0.2;
}

impl fmt::Display for OptimizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptimizerKind::Adam => f.write_str("adam"),
            OptimizerKind::AdamW(decay) => write!(f, "adamw:{decay}"),
            OptimizerKind::Muon(step) => write!(f, "muon:{step}"),
        }
    }
}

impl FromStr for OptimizerKind {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let (name, number) = s.split_once(':').map_or((s, None), |(name, number)| (name, Some(number)));
        let or = |default: f32| match number {
            None => Some(default),
            Some(number) => number.parse().ok().filter(|x: &f32| x.is_finite() && *x > 0.0),
        };
        match (name, number) {
            ("adam", None) => Some(OptimizerKind::Adam),
            ("adamw", _) => or(Self::DECAY).map(OptimizerKind::AdamW),
            ("muon", _) => or(Self::STEP).map(OptimizerKind::Muon),
            _ => None,
        }
        .ok_or_else(|| {
            Error::argument(format!(
                "'{s}' is none of adam, adamw[:decay], muon[:step], with positive numbers"
            ))
        })
    }
}

/// Bits of a weight on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// Shared out over the layers by rate and distortion.
    Auto,
    /// This mean over all matrices, 2 to 16.
    Fixed(u8),
    /// The same, in hundredths of a bit.
    Hundredths(u16),
    /// Weights stay f32.
    Float,
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bits::Auto => f.write_str("auto"),
            Bits::Fixed(n) => write!(f, "{n}"),
            Bits::Hundredths(n) => write!(f, "{}.{:02}", n / 100, n % 100),
            Bits::Float => f.write_str("float"),
        }
    }
}

impl FromStr for Bits {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match (s, s.parse::<u8>()) {
            ("auto", _) => Ok(Bits::Auto),
            ("float", _) => Ok(Bits::Float),
            (_, Ok(n @ 2..=16)) => Ok(Bits::Fixed(n)),
            _ if s.contains('.') && s.parse().is_ok_and(|n: f32| (2.0..=16.0).contains(&n)) => {
                let n: f32 = s.parse().unwrap_or_default();
                Ok(Bits::Hundredths((n * 100.0).round_ties_even() as u16))
            }
            _ => Err(Error::argument(format!("bits are 'auto', 'float' or 2 to 16, not '{s}'"))),
        }
    }
}

/// Which sites a step trains on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// A batch drawn by a sampler.
    Drawn(SamplerKind),
    /// Every voxel in every step.
    Full,
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampling::Drawn(kind) => kind.fmt(f),
            Sampling::Full => f.write_str("full"),
        }
    }
}

impl FromStr for Sampling {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "full" => Ok(Sampling::Full),
            _ => s.parse().map(Sampling::Drawn).map_err(|e| Error::argument(format!("{e}; or 'full'"))),
        }
    }
}
