//! What is shown of samples, and samples with a name.

/// What of a sample is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Values {
    /// The sample as it is.
    #[default]
    Plain,
    /// `log2(v + 1)`, for signed samples `sign(v) log2(|v| + 1)`: the domain of the log errors of a
    /// [`Record`](crate::Record). Zero stays zero.
    Log2,
}

impl Values {
    /// What is shown of `sample`.
    pub fn of(self, sample: f64) -> f64 {
        match self {
            Values::Plain => sample,
            // Not by log2, which would take all tiny samples for one.
            Values::Log2 => (sample.abs().ln_1p() * std::f64::consts::LOG2_E).copysign(sample),
        }
    }

    /// The sample of which `shown` is shown.
    pub(crate) fn sample(self, shown: f64) -> f64 {
        match self {
            Values::Plain => shown,
            Values::Log2 => (shown.abs() * std::f64::consts::LN_2).exp_m1().copysign(shown),
        }
    }

    /// What an axis says of samples called `name`.
    pub(crate) fn label(self, name: &str) -> String {
        match self {
            Values::Plain => name.to_owned(),
            Values::Log2 => format!("log2({name} + 1)"),
        }
    }
}

/// Decoded samples and what a picture calls them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoded<'a> {
    /// The name.
    pub name: &'a str,
    /// The samples, in the order of the true ones.
    pub samples: &'a [f32],
}

impl<'a> Decoded<'a> {
    /// Samples that are called `decoded`.
    pub fn new(samples: &'a [f32]) -> Self {
        Decoded { name: "decoded", samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_have_the_sign_of_their_samples_and_lead_back() {
        assert!((Values::Log2.of(1023.0) - 10.0).abs() < 1e-12);
        assert!((Values::Log2.of(-1.0) + 1.0).abs() < 1e-12);
        assert_eq!(Values::Log2.of(0.0), 0.0);
        for v in [-70.0, 0.0, 1e-45, 0.25, 1.0, 74.5, 1023.0] {
            assert!((Values::Log2.sample(Values::Log2.of(v)) - v).abs() <= 1e-12 * v.abs());
            assert_eq!(Values::Plain.sample(Values::Plain.of(v)), v);
        }
        assert_eq!(Values::Log2.label("ADC"), "log2(ADC + 1)");
    }
}
