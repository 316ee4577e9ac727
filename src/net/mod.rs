//! Networks: what they are ([`NetSpec`]), their weights, and how they start.
//!
//! A network is a list of dense layers. Its input is a block of coordinates and, optionally, a block of
//! features of the site from a named provider; [`NetSpec::layers`] says which layer reads what, and every
//! engine (training, decoding, any device) follows that list.

mod fourier;
mod graph;
mod initial;

use crate::error::{Error, Result};

/// Which network. This enum is on disk: variants are only ever added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// Sinusoidal representation network (Sitzmann et al. 2020, eq. 4): every layer computes
    /// `sin(omega (W x + b))`.
    Siren {
        /// `omega` of the layer that reads the coordinates.
        omega_first: f32,
        /// `omega` of all other sine layers.
        omega_hidden: f32,
    },
    /// The same with widths of their own for the two layers that read the inputs, and whole omegas: a small network
    /// that stands beside a support, in a file where bytes are dear.
    Conditioned {
        /// `omega` of the layer that reads the coordinates.
        omega_first: u32,
        /// `omega` of all other sine layers.
        omega_hidden: u32,
        /// Units of the layer that reads the coordinates.
        coord_units: usize,
        /// Units of the layer that reads the features.
        feature_units: usize,
    },
    /// Random Fourier features of the coordinates, `sin 2 pi B x` and `cos 2 pi B x`, and a rectified network on them
    /// (Tancik et al. 2020, eq. 5). `B` is not stored: it follows from `seed`.
    Fourier {
        /// Deviation of the frequencies, in cycles per unit of a coordinate.
        scale: f32,
        /// Of the frequencies.
        seed: u32,
        /// Rows of `B`; the first layer has twice as many outputs.
        n_frequencies: usize,
        /// Units of the layer that reads the features.
        feature_units: usize,
    },
    /// Multiplicative filter network with Fourier filters (Fathony et al. 2021, eq. 4): each hidden layer's sums are
    /// multiplied by sines of the coordinates.
    Filters {
        /// Factor within the sines.
        omega: f32,
        /// Units of the first filter.
        coord_units: usize,
        /// Units of the layer that reads the features.
        feature_units: usize,
    },
    /// Complex Gabor wavelets (WIRE, Saragadam et al. 2023, eq. 4): `exp(i omega z - |scale z|^2)` of complex sums
    /// `z`. Units are complex ones.
    Gabor {
        /// Frequency of the wavelets.
        omega: f32,
        /// Inverse width of the wavelets.
        scale: f32,
        /// Units of the layer that reads the coordinates.
        coord_units: usize,
        /// Units of the layer that reads the features.
        feature_units: usize,
    },
    /// Real Gabor wavelets, `sin(omega a) exp(-(scale a)^2)`, as the code of arXiv 2412.01754 has them.
    RealGabor {
        /// Frequency of the wavelets.
        omega: f32,
        /// Inverse width of the wavelets.
        scale: f32,
        /// Units of the layer that reads the coordinates.
        coord_units: usize,
        /// Units of the layer that reads the features.
        feature_units: usize,
    },
}

impl Model {
    /// The name that the command line and reports use.
    pub fn name(&self) -> &'static str {
        match self {
            Model::Siren { .. } => "siren",
            Model::Conditioned { .. } => "conditioned siren",
            Model::Fourier { .. } => "ffnet",
            Model::Filters { .. } => "mfn",
            Model::Gabor { .. } => "wire",
            Model::RealGabor { .. } => "wire-real",
        }
    }

    /// What its constants are called, and their values.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Model::Siren { omega_first, omega_hidden } => {
                vec![("omega_first", omega_first.into()), ("omega_hidden", omega_hidden.into())]
            }
            Model::Conditioned { omega_first, omega_hidden, .. } => {
                vec![("omega_first", omega_first.into()), ("omega_hidden", omega_hidden.into())]
            }
            Model::Fourier { scale, seed, n_frequencies, .. } => {
                vec![("scale", scale.into()), ("seed", seed.into()), ("n_frequencies", n_frequencies as f64)]
            }
            Model::Filters { omega, .. } => vec![("omega", omega.into())],
            Model::Gabor { omega, scale, .. } | Model::RealGabor { omega, scale, .. } => {
                vec![("omega", omega.into()), ("scale", scale.into())]
            }
        }
    }

    /// Units of the layers that read the coordinates and the features; `None` where both have as many as all others.
    fn input_units(&self) -> Option<[usize; 2]> {
        match *self {
            Model::Siren { .. } => None,
            Model::Fourier { n_frequencies, feature_units, .. } => Some([n_frequencies, feature_units]),
            Model::Conditioned { coord_units, feature_units, .. }
            | Model::Filters { coord_units, feature_units, .. }
            | Model::Gabor { coord_units, feature_units, .. }
            | Model::RealGabor { coord_units, feature_units, .. } => Some([coord_units, feature_units]),
        }
    }
}

/// A network's architecture: all that must be known, besides the weights, to evaluate it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetSpec {
    /// The family and its constants.
    pub model: Model,
    /// Coordinates of a site (3).
    pub n_coords: usize,
    /// Features of a site beside its coordinates; 0 = none.
    pub n_features: usize,
    /// Units of each hidden layer.
    pub hidden: usize,
    /// Hidden layers, the one that reads the coordinates included: "3 layers" is one first and two more. In a
    /// multiplicative filter network, as its authors count, the layers after the first filter.
    pub n_layers: usize,
    /// Outputs: 1 = the value, 2 = occupancy logit and value.
    pub n_heads: usize,
}

/// What a layer does to its sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// `sin(omega a)`
    Sine {
        /// The factor.
        omega: f32,
    },
    /// `max(a, 0)`
    Relu,
    /// `a`
    Linear,
    /// `sin(omega a) exp(-(scale a)^2)`
    Gabor {
        /// Frequency.
        omega: f32,
        /// Inverse width.
        scale: f32,
    },
    /// `exp(i omega z - |scale z|^2)` of complex sums `z`: real parts first, then imaginary ones.
    ComplexGabor {
        /// Frequency.
        omega: f32,
        /// Inverse width.
        scale: f32,
    },
    /// `a` times the output of the same number of layer `by`, which has no other use.
    Product {
        /// Number of that layer.
        by: usize,
    },
}

/// What the matrix of a layer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A weight for each input and output, and a bias for each output.
    Real,
    /// The same, but neither trained nor stored: [`NetSpec::fixed`] tells them.
    Fixed,
    /// Complex weights. The outputs are the real parts of `n_out / 2` units, then the imaginary parts; the first
    /// `2 n_complex` inputs are likewise, and all further inputs are real. Row `o` of the matrix, stored once, holds
    /// unit `o`'s weights for the complex inputs (real parts, then imaginary parts) and then those for the real ones
    /// (likewise). Biases are the real parts, then the imaginary parts.
    Complex {
        /// Complex inputs.
        n_complex: usize,
    },
    /// Real weights for real inputs, the sums being complex: their imaginary parts are 0.
    RealOfComplex,
}

/// Where a layer's inputs come from; several sources are read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The coordinate block.
    Coords,
    /// The feature block.
    Features,
    /// The outputs of layer `i`.
    Layer(usize),
}

/// One dense layer: `activation(W x + b)`, `W` of shape (`n_out`, `n_in`).
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Inputs, in order.
    pub sources: Vec<Source>,
    /// Number of inputs over all sources.
    pub n_in: usize,
    /// Number of outputs.
    pub n_out: usize,
    /// What follows the sums.
    pub activation: Activation,
    /// What its weights are.
    pub form: Form,
}

impl Dense {
    /// Rows and columns of the matrix as it is stored, and biases.
    pub fn stored(&self) -> ([usize; 2], usize) {
        match self.form {
            Form::Real => ([self.n_out, self.n_in], self.n_out),
            Form::Fixed => ([0, 0], 0),
            Form::Complex { n_complex } => {
                let n_real = self.n_in - 2 * n_complex;
                ([self.n_out / 2, 2 * (n_complex + n_real)], self.n_out)
            }
            Form::RealOfComplex => ([self.n_out / 2, self.n_in], self.n_out / 2),
        }
    }
}

/// Largest width and depth that a file may ask for: beyond any use, and small enough to allocate.
const MAX_HIDDEN: usize = 4096;
const MAX_LAYERS: usize = 64;
const MAX_FEATURES: usize = 4096;

impl NetSpec {
    /// Checks that the sizes are ones a network can have.
    ///
    /// # Errors
    /// `Argument`, naming the size.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, what: String| if ok { Ok(()) } else { Err(Error::argument(what)) };
        check(self.n_coords == 3, format!("{} coordinates: an event has 3", self.n_coords))?;
        check(
            (1..=MAX_HIDDEN).contains(&self.hidden),
            format!("a hidden layer has 1 to {MAX_HIDDEN} units, not {}", self.hidden),
        )?;
        check(
            (1..=MAX_LAYERS).contains(&self.n_layers),
            format!("a network has 1 to {MAX_LAYERS} layers, not {}", self.n_layers),
        )?;
        check(
            self.n_features <= MAX_FEATURES,
            format!("a site has at most {MAX_FEATURES} features, not {}", self.n_features),
        )?;
        check((1..=2).contains(&self.n_heads), format!("a network has 1 or 2 heads, not {}", self.n_heads))?;
        if let Some(units) = self.model.input_units() {
            // Without features nobody reads the second.
            let n_read = if self.n_features > 0 { 2 } else { 1 };
            check(
                units[..n_read].iter().all(|n| (1..=MAX_HIDDEN).contains(n)),
                format!("an input layer has 1 to {MAX_HIDDEN} units, not {units:?}"),
            )?;
        }
        let positive = |name: &str, x: f32| {
            check(x.is_finite() && x > 0.0, format!("{name} of the network must be positive, not {x}"))
        };
        match self.model {
            Model::Siren { omega_first, omega_hidden } => {
                positive("omega_first", omega_first)?;
                positive("omega_hidden", omega_hidden)
            }
            Model::Conditioned { omega_first, omega_hidden, .. } => {
                positive("omega_first", omega_first as f32)?;
                positive("omega_hidden", omega_hidden as f32)
            }
            Model::Fourier { scale, .. } => positive("scale", scale),
            Model::Filters { omega, .. } => positive("omega", omega),
            Model::Gabor { omega, scale, .. } | Model::RealGabor { omega, scale, .. } => {
                positive("omega", omega)?;
                positive("scale", scale)
            }
        }
    }

    /// The dense layers in the order of evaluation; the last one gives the heads.
    pub fn layers(&self) -> Vec<Dense> {
        graph::layers(self)
    }

    /// Matrix (a row per output) and biases of the layer whose form is [`Form::Fixed`]; empty where there is none.
    pub fn fixed(&self) -> (Vec<f32>, Vec<f32>) {
        match self.model {
            Model::Fourier { scale, seed, n_frequencies, .. } => {
                fourier::frequencies(scale, seed, n_frequencies, self.n_coords)
            }
            _ => (Vec::new(), Vec::new()),
        }
    }

    /// Number of weights and biases.
    pub fn n_weights(&self) -> usize {
        tensors(self).last().map_or(0, |t| t.range().end)
    }

    /// Floating-point operations of one evaluation, counting a multiply-add as two and nothing else.
    pub fn flops(&self) -> usize {
        self.layers().iter().map(|l| 2 * l.n_out * l.n_in).sum()
    }
}

/// Part of a [`Weights`]: the matrix or the biases of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    /// Which layer.
    pub layer: usize,
    /// The biases (one column), or the matrix: [`Dense::stored`].
    pub is_bias: bool,
    /// Where it starts among the weights.
    pub offset: usize,
    /// Rows.
    pub n_rows: usize,
    /// Columns.
    pub n_cols: usize,
}

impl Tensor {
    /// Its place among the weights.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.n_rows * self.n_cols
    }
}

/// All weights of a network: for each layer that is not fixed its matrix (row-major, a row per output or complex
/// unit), then its biases.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    spec: NetSpec,
    values: Vec<f32>,
}

impl Weights {
    /// Weights from their values, in the order given above.
    ///
    /// # Errors
    /// `Argument` where the number of values is not [`NetSpec::n_weights`].
    pub fn new(spec: NetSpec, values: Vec<f32>) -> Result<Self> {
        spec.validate()?;
        if values.len() != spec.n_weights() {
            return Err(Error::argument(format!(
                "{} values for a network of {} weights",
                values.len(),
                spec.n_weights()
            )));
        }
        Ok(Weights { spec, values })
    }

    /// Starting weights, a pure function of the architecture and `seed`.
    pub fn initial(spec: NetSpec, seed: u64) -> Result<Self> {
        Weights::initial_scaled(spec, seed, 1.0)
    }

    /// [`Weights::initial`] with the matrices that read the coordinates `input_scale` times as large.
    ///
    /// # Errors
    /// `Argument` where the architecture makes no sense.
    pub fn initial_scaled(spec: NetSpec, seed: u64, input_scale: f32) -> Result<Self> {
        spec.validate()?;
        Weights::new(spec, initial::weights(&spec, seed, input_scale))
    }

    /// The architecture.
    pub fn spec(&self) -> &NetSpec {
        &self.spec
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The tensors, in order.
    pub fn tensors(&self) -> Vec<Tensor> {
        tensors(&self.spec)
    }
}

/// The tensors of a network, in the order of its weights.
pub fn tensors(spec: &NetSpec) -> Vec<Tensor> {
    let mut offset = 0;
    let mut out = Vec::new();
    for (layer, l) in spec.layers().iter().enumerate() {
        if l.form == Form::Fixed {
            continue;
        }
        let ([n_rows, n_cols], n_biases) = l.stored();
        for (is_bias, n_rows, n_cols) in [(false, n_rows, n_cols), (true, n_biases, 1)] {
            out.push(Tensor { layer, is_bias, offset, n_rows, n_cols });
            offset += n_rows * n_cols;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siren(hidden: usize, n_layers: usize, n_heads: usize, n_features: usize) -> NetSpec {
        let model = Model::Siren { omega_first: 30.0, omega_hidden: 30.0 };
        NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads }
    }

    #[test]
    fn parameter_counts_are_the_papers() {
        // arXiv 2412.01754, the widths and depths of its task 2.
        let table =
            [(128, [33_665, 50_177, 66_689]), (96, [19_105, 28_417, 37_729]), (72, [10_873, 16_129, 21_385])];
        for (hidden, counts) in table {
            for (n_layers, n) in (3..).zip(counts) {
                assert_eq!(siren(hidden, n_layers, 1, 0).n_weights(), n);
            }
        }
    }

    #[test]
    fn tensors_tile_the_weights() {
        for spec in [siren(16, 3, 2, 0), siren(8, 1, 1, 5), siren(8, 4, 2, 81)] {
            let mut next = 0;
            for t in tensors(&spec) {
                assert_eq!(t.offset, next);
                next = t.range().end;
            }
            assert_eq!(next, spec.n_weights());
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for spec in [siren(0, 3, 1, 0), siren(1 << 20, 3, 1, 0), siren(8, 0, 1, 0), siren(8, 3, 3, 0)] {
            assert!(spec.validate().is_err());
        }
    }
}
