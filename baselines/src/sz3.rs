//! SZ3 (Liang et al., IEEE Transactions on Big Data 2023, arXiv 2111.02925), through the crate `tensogram-sz3`.

use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::kernel::{self, Kernel};
use crate::spec::{Options, exactly_one, positive};
use crate::view::{self, View};
use tensogram_sz3::{CompressionAlgorithm, Config, DimensionedData, ErrorBound, SZ3Error};

/// How SZ3 predicts a value from those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// Interpolation or Lorenzo, whichever a trial finds better: the library's default.
    #[default]
    InterpLorenzo,
    /// Interpolation.
    Interp,
    /// Blocks with Lorenzo predictors of the first order or regression planes.
    LorenzoReg,
    /// No prediction: quantisation, Huffman code and zstd.
    NoPrediction,
}

/// SZ3 with a bound on the error of every value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sz3 {
    /// What it sees of an event.
    pub view: View,
    /// How it predicts.
    pub algorithm: Algorithm,
    /// Largest absolute error, in the units of the view's domain.
    pub bound: f64,
}

impl Sz3 {
    /// From `[interp_lorenzo|interp|lorenzo_reg|nopred],[adc|log2],[native|z],[threshold=T],abs=E`.
    ///
    /// # Errors
    /// `Argument` for what is not among these.
    pub fn from_spec(spec: &str) -> Result<Sz3> {
        let mut options = Options::new(spec);
        let view = View::take(&mut options)?;
        let algorithm = options.one_of(&[
            ("interp_lorenzo", Algorithm::InterpLorenzo),
            ("interp", Algorithm::Interp),
            ("lorenzo_reg", Algorithm::LorenzoReg),
            ("nopred", Algorithm::NoPrediction),
        ])?;
        let bound = exactly_one([options.number("abs")?], "abs=E")?;
        options.finish(
            "interp_lorenzo, interp, lorenzo_reg, nopred, adc, log2, native, z, threshold=none|best|ADC, abs=E",
        )?;
        Ok(Sz3 { view, algorithm: algorithm.unwrap_or_default(), bound: positive("abs", bound)? })
    }
}

fn failed(error: SZ3Error) -> Error {
    Error::Failed(format!("SZ3: {error}"))
}

impl Kernel for Sz3 {
    const TAG: u8 = 1;

    fn pack(&self, values: &[f32], shape: [usize; 3]) -> Result<Vec<u8>> {
        let algorithm = match self.algorithm {
            Algorithm::InterpLorenzo => CompressionAlgorithm::interpolation_lorenzo(),
            Algorithm::Interp => CompressionAlgorithm::interpolation(),
            Algorithm::LorenzoReg => CompressionAlgorithm::lorenzo_regression(),
            Algorithm::NoPrediction => CompressionAlgorithm::no_prediction(),
        };
        let config = Config::new(ErrorBound::Absolute(self.bound)).compression_algorithm(algorithm);
        let mut data = DimensionedData::<f32, _>::build(&values);
        // The library has no axes of extent 1.
        for &extent in shape.iter().filter(|&&extent| extent > 1) {
            data = data.dim(extent).map_err(failed)?;
        }
        if values.len() == 1 {
            data = data.dim(1).map_err(failed)?;
        }
        tensogram_sz3::compress_with_config(&data.finish().map_err(failed)?, &config).map_err(failed)
    }

    fn unpack(&self, payload: &[u8], _: [usize; 3]) -> Result<Vec<f32>> {
        let (_, data) = tensogram_sz3::decompress::<f32, _>(payload).map_err(failed)?;
        Ok(data.into_data())
    }
}

impl Rival for Sz3 {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        kernel::encode(self, &self.view, event)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let (shape, reals) = kernel::decode(self, bytes)?;
        view::to_counts(shape, &reals)
    }

    fn decode_reals(&self, bytes: &[u8]) -> Result<Vec<f64>> {
        Ok(kernel::decode(self, bytes)?.1)
    }
}
