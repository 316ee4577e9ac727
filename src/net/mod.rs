//! Networks: what they are ([`NetSpec`]), their weights, and how they start.
//!
//! A network is a list of dense layers. Its input is a block of coordinates and, optionally, a block of
//! features of the site from a named provider; [`NetSpec::layers`] says which layer reads what, and every
//! engine (training, decoding, any device) follows that list.

mod siren;

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
}

impl Model {
    /// The name that the command line and reports use.
    pub fn name(&self) -> &'static str {
        match self {
            Model::Siren { .. } => "siren",
            Model::Conditioned { .. } => "conditioned siren",
        }
    }

    /// `omega` of the layer that reads the coordinates, and of all other sine layers.
    pub fn omegas(&self) -> (f32, f32) {
        match *self {
            Model::Siren { omega_first, omega_hidden } => (omega_first, omega_hidden),
            Model::Conditioned { omega_first, omega_hidden, .. } => (omega_first as f32, omega_hidden as f32),
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
    /// Hidden layers, the one that reads the coordinates included: "3 layers" is one first and two more.
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
        if let Model::Conditioned { coord_units, feature_units, .. } = self.model {
            check(
                [coord_units, feature_units].iter().all(|n| (1..=MAX_HIDDEN).contains(n)),
                format!("an input layer has 1 to {MAX_HIDDEN} units, not {coord_units} or {feature_units}"),
            )?;
        }
        let (omega_first, omega_hidden) = self.model.omegas();
        check(
            [omega_first, omega_hidden].iter().all(|o| o.is_finite() && *o > 0.0),
            format!("omega must be positive: {omega_first}, {omega_hidden}"),
        )
    }

    /// The dense layers in the order of evaluation; the last one gives the heads.
    pub fn layers(&self) -> Vec<Dense> {
        let units = match self.model {
            Model::Siren { .. } => [self.hidden; 2],
            Model::Conditioned { coord_units, feature_units, .. } => [coord_units, feature_units],
        };
        let (omega_first, omega_hidden) = self.model.omegas();
        siren::layers(self, units, omega_first, omega_hidden)
    }

    /// Number of weights and biases.
    pub fn n_weights(&self) -> usize {
        self.layers().iter().map(|l| l.n_out * (l.n_in + 1)).sum()
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
    /// The biases (rows = outputs, one column), or the matrix (rows = outputs, columns = inputs).
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

/// All weights of a network: for each layer its matrix (row-major, a row per output), then its biases.
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
        spec.validate()?;
        let (_, omega_hidden) = spec.model.omegas();
        Weights::new(spec, siren::initial(&spec, omega_hidden, seed))
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
        for (is_bias, n_cols) in [(false, l.n_in), (true, 1)] {
            out.push(Tensor { layer, is_bias, offset, n_rows: l.n_out, n_cols });
            offset += l.n_out * n_cols;
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
