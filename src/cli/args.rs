//! Arguments as typed, and what they ask of the library.

use super::prior::PriorArgs;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, FromArgMatches};
use inrfit::error::{Error, Result};
use inrfit::prior::Priors;
use inrfit::rate::Goal;
use inrfit::residual::Bound;
use inrfit::settings::{
    Bits, Constants, DeviceRequest, Effort, Mode, ModelKind, Optimise, OptimizerKind, PrecisionKind, Preset,
    Sampling, ScheduleKind, Settings,
};
use inrfit::tile::MAX_DEFAULT_TILE_VOXELS;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

/// Threads to run on.
#[derive(Debug, Clone, Copy, Args)]
pub struct Threads {
    /// Threads to run on; the bytes do not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    /// The number asked for, else one a core.
    pub fn resolve(self) -> usize {
        let cores = || std::thread::available_parallelism().ok();
        self.threads.or_else(cores).map_or(1, NonZeroUsize::get)
    }
}

/// How many inputs at once.
#[derive(Debug, Clone, Copy, Args)]
pub struct Jobs {
    /// Events to work on at once; they share the threads, and each takes memory of its own
    #[arg(short, long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    jobs: NonZeroUsize,
}

impl Jobs {
    /// Events at once, and the threads that each of them gets.
    pub fn share(self, threads: Threads) -> (usize, usize) {
        let n_threads = threads.resolve();
        let n_jobs = self.jobs.get().min(n_threads);
        (n_jobs, n_threads / n_jobs)
    }
}

/// What is said, and to whom.
#[derive(Debug, Clone, Copy, Args)]
pub struct Talk {
    /// Print one JSON object a line on standard output
    #[arg(long)]
    pub json: bool,
    /// Say nothing but errors and what --json asks for
    #[arg(short, long)]
    pub quiet: bool,
}

impl Talk {
    /// Whether lines for people are wanted.
    pub fn is_human(self) -> bool {
        !self.json && !self.quiet
    }
}

/// How to fit.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Fit")]
pub struct FitArgs {
    /// What a file holds: masked = which voxels are occupied, exactly, and a small network for the values; bounded =
    /// every voxel within --max-error or --max-log-error; lossless = every voxel as it is; field = a network alone,
    /// occupancy included. Only bounded and lossless keep a bound [default: masked; bounded where a bound is given]
    #[arg(long, value_name = "MODE", value_parser = one_of::<Mode>(Mode::NAMES), hide_possible_values = true)]
    mode: Option<Mode>,
    /// Largest error of any voxel, in the unit of the samples (ADC)
    #[arg(long, value_name = "E", allow_hyphen_values = true, conflicts_with = "max_log_error")]
    max_error: Option<f64>,
    /// Largest error of log2(1 + ADC) of any voxel; for non-negative integers
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    max_log_error: Option<f64>,
    /// How much work a smaller file is worth: fast = quick codes of the exact layers, balanced = mixed contexts, best =
    /// also tries small networks below a bound [default: balanced]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Effort>(Effort::NAMES), hide_possible_values = true)]
    effort: Option<Effort>,
    #[command(flatten)]
    prior: PriorArgs,
    /// Use no prior
    #[arg(long, conflicts_with = "priors", help_heading = "Priors")]
    no_prior: bool,
    /// Instead of a width: this ratio of bytes of the samples to bytes of the file, within 5 %. Takes one fit, two where
    /// the first is off; in mode masked also one lossless coding
    #[arg(long, value_name = "R", allow_hyphen_values = true, conflicts_with_all = ["bytes", "log_mae", "hidden", "bits"])]
    ratio: Option<f64>,
    /// Instead of a width: at most so many bytes, and at least 95 % of them
    #[arg(long, value_name = "N", conflicts_with_all = ["log_mae", "hidden", "bits"])]
    bytes: Option<u64>,
    /// Instead of a width: the smallest file found with at most this mean |error| of log2(1 + ADC) over all voxels. Takes
    /// up to six fits
    #[arg(long, value_name = "E", allow_hyphen_values = true, conflicts_with_all = ["hidden", "bits"])]
    log_mae: Option<f64>,
    /// Keep a network in the file in modes bounded and lossless, where it is not needed, and in mode field where the
    /// samples as they are would take fewer bytes: for values between voxels
    #[arg(long)]
    keep_field: bool,
    /// Which error to make small: log-mae = mean error of log2(1 + ADC), mse = mean squared error [default: log-mae;
    /// mse with one head in mode field]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Optimise>(Optimise::NAMES), hide_possible_values = true)]
    optimise: Option<Optimise>,
    /// Where settings come from that are not given: fast = a quarter to half of the steps, balanced = what is done
    /// without this option, best = in mode field four times the steps and a narrower network, so fewer bytes (in mode masked
    /// more steps gain nothing), or a network of arXiv 2412.01754 as its code runs it (one
    /// head, full batch, 3000 steps, 128 units, weights in float32; takes long; decoded values are held within the
    /// range of the samples): paper-siren, paper-ffnet = what the code calls FFNet, an mfn, paper-wire = what it calls
    /// WIRE, a wire-real [default: balanced]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Preset>(Preset::NAMES), hide_possible_values = true)]
    preset: Option<Preset>,
    /// Family of the network: siren, ffnet = random Fourier features and rectified layers, mfn = multiplicative filters,
    /// wire = complex Gabor wavelets (a unit is a complex one: twice the weights), wire-real = real ones [default:
    /// siren, or that of the preset]
    #[arg(long, value_name = "NAME", value_parser = one_of::<ModelKind>(ModelKind::NAMES), hide_possible_values = true)]
    model: Option<ModelKind>,
    /// Constants of the network, A, A:B or A:B:C. siren: omega of the first layer, of the others; ffnet: deviation of
    /// the frequencies; mfn: omega; wire, wire-real: omega, scale. C multiplies the starting weights that read the
    /// coordinates [default: by family and mode]
    #[arg(long, value_name = "A:B:C")]
    constants: Option<Constants>,
    /// Units of a hidden layer [default: as many as the fullest tile is worth; masked: 14 at most, and 8/3 and 2/3 as
    /// many in the layers that read coordinates and occupancy]
    #[arg(long, value_name = "N")]
    hidden: Option<NonZeroUsize>,
    /// Hidden layers [default: 3]
    #[arg(long, value_name = "N")]
    layers: Option<NonZeroUsize>,
    /// Outputs: 1 = the value, 2 = occupancy and value [default: 2; masked: 1, no choice]
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    heads: Option<u8>,
    /// Voxels a step trains on. Drawn with replacement: uniform, importance[:epsilon] (0.1) = by magnitude,
    /// balanced[:share of occupied ones] (0.5), entropy[:bins] (10) = bins of magnitude alike, residual[:uniform share]
    /// (0.9) = by the current error, measured at each of about 18 checkpoints. Without replacement: uniform-once =
    /// every voxel once an epoch, sparse[:share] (0.1) = an epoch of all occupied voxels and a share of the empty ones.
    /// Or full = all of them, whatever --batch says. Beside an exact occupancy there are no others than occupied ones
    /// [default: balanced:0.3; masked: uniform]
    #[arg(long, value_name = "NAME")]
    sampler: Option<Sampling>,
    /// Weight each drawn voxel by its inverse probability, so that the loss is that of all voxels
    #[arg(long)]
    correct: bool,
    /// Bits of a weight: 2 to 16 (4.65 too), float = 32 and no rounding, auto = shared out over the layers, in mode masked at
    /// a mean of 4 [default: auto]
    #[arg(long, value_name = "BITS")]
    bits: Option<Bits>,
    /// Training steps a tile [default: 5500, preset fast 1400, best 22000; masked: 3000, with
    /// adam 6000, preset fast half of them, from a prior for fitting 600]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Voxels a step [default: 8192; masked: a quarter of the occupied ones of the fullest tile, 256 to 4096]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Learning rate of the first step [default: 0.001; masked: 0.003; networks other than siren: 0.003 to 0.01]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f32>,
    /// Learning rate over the steps: cosine = falling to a hundredth along half a cosine, constant [default: cosine]
    #[arg(long, value_name = "NAME", value_parser = one_of::<ScheduleKind>(ScheduleKind::NAMES), hide_possible_values = true)]
    schedule: Option<ScheduleKind>,
    /// How a step moves the weights: adam, adamw[:decay] (0.01) = weights also shrink by that share times the learning
    /// rate, muon[:step] (0.2) = matrices between hidden layers move along the orthogonal factor of their averaged
    /// gradient, changes having a root mean square of that share of the learning rate; all else by Adam [default: adam;
    /// masked siren and wire-real: muon, from a prior for fitting adam]
    #[arg(long, value_name = "NAME")]
    optimizer: Option<OptimizerKind>,
    /// Shorten gradients whose norm over all weights is larger than this [default: never]
    #[arg(long, value_name = "NORM", allow_hyphen_values = true)]
    clip: Option<f32>,
    /// End a phase of the fit early (first without rounding, then with it) after so many checkpoints in a row that gain
    /// less than 1 %; there are up to 16 and 8 [default: never]
    #[arg(long, value_name = "N")]
    patience: Option<u32>,
    /// Train each event for this long at most, by the clock of the steps alone (checking and packing come on top); the
    /// bytes then differ from run to run
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<Duration>,
    #[arg(long, value_name = "A,B,C", value_parser = tile, help = tile_help())]
    tile: Option<[usize; 3]>,
    /// Arithmetic of training: f32, or bf16 = products of bf16, faster on a GPU and where the
    /// processor has AVX512-BF16 [default: f32]
    #[arg(long, value_name = "NAME", value_parser = one_of::<PrecisionKind>(PrecisionKind::NAMES), hide_possible_values = true)]
    precision: Option<PrecisionKind>,
    /// Seed of starting weights and draws [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where to fit: auto = an NVIDIA GPU where there is one, cpu or cuda; bytes are the same on one kind, not on both
    /// [default: auto]
    #[arg(long, value_name = "NAME", value_parser = one_of::<DeviceRequest>(DeviceRequest::NAMES), hide_possible_values = true)]
    device: Option<DeviceRequest>,
}

impl FitArgs {
    /// The settings that these arguments ask for: the only place where options become settings.
    pub fn settings(&self) -> Settings {
        let default = Settings::default();
        let bound = self.max_error.map(Bound::Absolute).or(self.max_log_error.map(Bound::Log2));
        let mode = if bound.is_some() { Mode::Bounded } else { default.mode };
        Settings {
            mode: self.mode.unwrap_or(mode),
            bound,
            effort: self.effort.unwrap_or(default.effort),
            prior: !self.no_prior,
            keep_field: self.keep_field,
            preset: self.preset.unwrap_or(default.preset),
            optimise: self.optimise,
            model: self.model,
            constants: self.constants,
            hidden: self.hidden.map(NonZeroUsize::get),
            n_layers: self.layers.map(NonZeroUsize::get),
            n_heads: self.heads.map(usize::from),
            sampling: self.sampler,
            correct: self.correct,
            bits: self.bits,
            n_steps: self.steps,
            batch: self.batch.map(NonZeroUsize::get),
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            optimizer: self.optimizer,
            clip: self.clip,
            patience: self.patience,
            tile: self.tile,
            precision: self.precision.unwrap_or(default.precision),
            seed: self.seed.unwrap_or(default.seed),
            time_limit: self.time_limit,
            device: self.device.unwrap_or(default.device),
        }
    }

    /// The size or error that is asked for instead of a width.
    pub fn goal(&self) -> Option<Goal> {
        let ratio = self.ratio.map(Goal::Ratio);
        ratio.or(self.bytes.map(Goal::Bytes)).or(self.log_mae.map(Goal::LogMae))
    }

    /// Reads the priors.
    ///
    /// # Errors
    /// As [`PriorArgs::load`]; `Argument` for one that the mode has no use for.
    pub fn priors(&self) -> Result<Priors> {
        let (priors, settings) = (self.prior.load()?, self.settings());
        if priors.contexts.is_some() && !(settings.mode.is_bounded() && settings.effort != Effort::Fast) {
            return Err(Error::argument(format!(
                "a prior of contexts has no use in mode {} with effort {}: it is for modes bounded and lossless with \
                 effort balanced or best",
                settings.mode, settings.effort
            )));
        }
        if priors.start.is_some() && !settings.may_fit() {
            return Err(Error::argument(format!(
                "a prior for fitting has no use in mode {}: nothing is fitted without --keep-field or, in mode bounded, \
                 --effort best",
                settings.mode
            )));
        }
        Ok(priors)
    }

    /// Reads `hidden=96,bits=5,correct`: the options' names without their dashes. `default` stands for none.
    ///
    /// # Errors
    /// `Argument`, naming the setting.
    pub fn from_spec(spec: &str) -> Result<FitArgs> {
        if spec.trim() == "default" {
            return Ok(FitArgs::default());
        }
        let empty = clap::Command::new("settings").no_binary_name(true).disable_help_flag(true);
        let words = spec.split(',').map(|word| format!("--{}", word.trim()));
        FitArgs::augment_args(empty)
            .try_get_matches_from(words)
            .and_then(|matches| FitArgs::from_arg_matches(&matches))
            .map_err(|e| {
                let text = e.to_string();
                let first: Vec<&str> = text.lines().map(str::trim).take_while(|l| !l.is_empty()).collect();
                let reason = first.join(" ");
                Error::argument(format!("settings '{spec}': {}", reason.trim_start_matches("error: ")))
            })
    }
}

/// One of `names`.
pub fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// A positive number of seconds.
///
/// # Errors
/// `Argument`.
pub fn seconds(text: &str) -> Result<Duration> {
    let value = text.parse::<f64>().ok().filter(|s| *s > 0.0);
    value
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .ok_or_else(|| Error::argument("not a positive number of seconds"))
}

fn tile_help() -> String {
    format!(
        "Largest extents of a tile, in voxels: A,B,C or AxBxC; tiles are fitted one by one [default: as few tiles as \
         hold at most {MAX_DEFAULT_TILE_VOXELS} voxels each]"
    )
}

fn tile(text: &str) -> Result<[usize; 3]> {
    let extents: Option<Vec<usize>> =
        text.split([',', 'x']).map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
    extents
        .and_then(|e| e.try_into().ok())
        .ok_or_else(|| Error::argument("not three positive numbers such as 192,249,16 or 192x249x16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_means_the_defaults() {
        assert_eq!(FitArgs::default().settings(), Settings::default());
        assert_eq!(FitArgs::from_spec("default").unwrap(), FitArgs::default());
    }

    #[test]
    fn a_spec_has_the_names_of_the_options() {
        let args = FitArgs::from_spec(
            "hidden=96, bits=5,steps=2000,sampler=importance:0.2,correct,tile=64x32x16,learning-rate=2e-3,heads=1",
        );
        let settings = args.unwrap().settings();
        assert_eq!(settings.hidden, Some(96));
        assert_eq!(settings.bits, Some(Bits::Fixed(5)));
        assert_eq!(settings.n_steps, Some(2000));
        assert_eq!(settings.sampling.unwrap().to_string(), "importance:0.2");
        assert!(settings.correct);
        assert_eq!(settings.tile, Some([64, 32, 16]));
        assert_eq!(settings.learning_rate, Some(2e-3));
        assert_eq!(settings.n_heads, Some(1));
    }

    #[test]
    fn a_wrong_spec_is_named_in_one_line() {
        for (spec, named) in [
            ("width=3", "--width"),
            ("hidden=0", "--hidden"),
            ("mode=exact", "field"),
            ("hidden=3,,bits=5", "--"),
            ("tile=3x4", "192x249x16"),
            ("time-limit=-1", "seconds"),
            ("bits=1", "2 to 16"),
            ("help", "--help"),
        ] {
            let text = FitArgs::from_spec(spec).unwrap_err().to_string();
            assert!(text.contains(named) && text.starts_with("settings '"), "{text}");
            assert!(!text.contains('\n') && !text.contains("error:"), "{text}");
        }
    }
}
