//! Axes: which values, where their ticks are and what the ticks say. No data may make them fail.

/// A labelled tick.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// Position as a fraction of the axis, 0 to 1.
    pub at: f64,
    pub label: String,
}

/// One axis of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub label: String,
    pub ticks: Vec<Tick>,
    /// Fractions of the lines between labelled ticks.
    pub minor: Vec<f64>,
    scale: Scale,
    low: f64,
    high: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Linear,
    /// `low` and `high` are decimal logarithms. `floor` is the share of the axis, at its lower end, that a row for
    /// the value zero takes.
    Log {
        floor: f64,
    },
}

/// Share of a log axis below the smallest positive value where there are zeros to show.
const ZERO_ROW: f64 = 0.1;

impl Axis {
    /// A linear axis from `low` to `high` exactly. A range without width, or not finite, becomes one around its
    /// lower end, or [0, 1].
    pub(crate) fn linear(label: &str, low: f64, high: f64, n_ticks: usize) -> Axis {
        let (low, high) = match (low.is_finite() && high.is_finite(), low < high) {
            (true, true) => (low, high),
            (true, false) => (low - 0.5 * low.abs().max(1.0), low + 0.5 * low.abs().max(1.0)),
            _ => (0.0, 1.0),
        };
        let mut axis =
            Axis { label: label.to_owned(), ticks: vec![], minor: vec![], scale: Scale::Linear, low, high };
        axis.ticks = axis.place(&round_values(low, high, n_ticks));
        axis
    }

    /// A logarithmic axis over the positive values among `values`, with a little room at both ends. Where there are
    /// zeros too and `zero_row` is set they get a row of their own at the lower end. Everything else is left out.
    pub(crate) fn log(
        label: &str,
        values: impl IntoIterator<Item = f64>,
        zero_row: bool,
        n_ticks: usize,
    ) -> Axis {
        let (mut low, mut high, mut zeros) = (f64::INFINITY, f64::NEG_INFINITY, false);
        for v in values.into_iter().filter(|v| v.is_finite()) {
            zeros |= v == 0.0;
            if v > 0.0 {
                low = low.min(v.log10());
                high = high.max(v.log10());
            }
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let room = (0.06 * (high - low)).max(0.1);
        Axis::log_between(label, low - room, high + room, zeros && zero_row, n_ticks)
    }

    /// A logarithmic axis from 10^`low` to 10^`high` exactly; `low < high`, both finite.
    pub(crate) fn log_between(label: &str, low: f64, high: f64, zero_row: bool, n_ticks: usize) -> Axis {
        let scale = Scale::Log { floor: if zero_row { ZERO_ROW } else { 0.0 } };
        let mut axis = Axis { label: label.to_owned(), ticks: vec![], minor: vec![], scale, low, high };
        let (values, minor) = log_values(low, high, n_ticks);
        axis.ticks = axis.place(&values);
        axis.minor = minor.into_iter().filter_map(|v| axis.fraction(v)).collect();
        if zero_row {
            axis.ticks.insert(0, Tick { at: 0.5 * ZERO_ROW, label: "0".to_owned() });
        }
        axis
    }

    /// Where `value` lies, 0 to 1 within the axis; none for values that this axis cannot show.
    pub(crate) fn fraction(&self, value: f64) -> Option<f64> {
        let at = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log { floor } if value == 0.0 && floor > 0.0 => 0.5 * floor,
            Scale::Log { floor } if value > 0.0 => {
                floor + (1.0 - floor) * (value.log10() - self.low) / (self.high - self.low)
            }
            Scale::Log { .. } => return None,
        };
        at.is_finite().then_some(at)
    }

    /// Where the row for zeros ends, if there is one.
    pub(crate) fn zero_row(&self) -> Option<f64> {
        match self.scale {
            Scale::Log { floor } if floor > 0.0 => Some(floor),
            _ => None,
        }
    }

    fn place(&self, values: &[f64]) -> Vec<Tick> {
        let finest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(f64::INFINITY, f64::min);
        let tick = |v: &f64| Some(Tick { at: self.fraction(*v)?, label: number(*v, finest) });
        values.iter().filter_map(tick).filter(|tick| (-1e-9..=1.0 + 1e-9).contains(&tick.at)).collect()
    }
}

/// Multiples of 1, 2 or 5 times a power of ten within [low, high], about `n` of them.
fn round_values(low: f64, high: f64, n: usize) -> Vec<f64> {
    let rough = (high - low) / n.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough * 0.999);
    let Some(step) = step.filter(|s| s.is_finite() && *s > 0.0) else {
        return vec![low, high];
    };
    let first = (low / step - 1e-9).ceil();
    // Near the limits of f64 a step can vanish beside the values themselves; the bound keeps the list short.
    (0..4 * n.max(1))
        .map(|i| (first + i as f64) * step)
        .take_while(|v| *v <= high + 1e-9 * step)
        // Adding 0 turns a negative zero into a plain one.
        .map(|v| v + 0.0)
        .collect()
}

/// Labelled values and the values between them for a log axis: the densest of a few patterns with at most `n`.
fn log_values(low: f64, high: f64, n: usize) -> (Vec<f64>, Vec<f64>) {
    let decades = low.floor() as i64..=high.ceil() as i64;
    let within = |v: &f64| (low - 1e-9..=high + 1e-9).contains(&v.log10());
    let pattern = |digits: &[f64], every: i64| -> Vec<f64> {
        decades
            .clone()
            .filter(|decade| decade.rem_euclid(every) == 0)
            .flat_map(|decade| digits.iter().map(move |d| d * 10f64.powi(decade as i32)))
            .filter(within)
            .collect()
    };
    let all = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let fine = pattern(&all, 1);
    if high - low < 0.8 {
        let values = round_values(10f64.powf(low), 10f64.powf(high), n.saturating_sub(1).max(2));
        return (values, fine);
    }
    let mut choices = vec![pattern(&all, 1), pattern(&[1.0, 2.0, 5.0], 1), pattern(&[1.0, 3.0], 1)];
    choices.extend([1, 2, 3, 5, 10, 20, 50, 100].map(|every| pattern(&[1.0], every)));
    let values = choices.into_iter().find(|values| values.len() <= n).unwrap_or_default();
    let minor = if high - low > 8.0 { pattern(&[1.0], 1) } else { fine };
    (values, minor)
}

/// A number for a reader; `step` is the distance to its neighbours and decides the decimals.
pub(crate) fn number(value: f64, step: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = if (1e-4..1e5).contains(&size) {
        // Enough digits for this value alone, and for telling it from its neighbours.
        let own = 2 - size.log10().floor() as i32;
        let near = if step.is_finite() && step > 0.0 { 1 - step.log10().floor() as i32 } else { 0 };
        trim(format!("{:.*}", own.max(near).clamp(0, 12) as usize, value))
    } else {
        let mut exponent = size.log10().floor() as i32;
        let mut digits = trim(format!("{:.2}", value / 10f64.powi(exponent)));
        if digits.trim_start_matches('-') == "10" {
            digits = digits.replace("10", "1");
            exponent += 1;
        }
        let power = superscript(exponent);
        match digits.as_str() {
            "1" => format!("10{power}"),
            "-1" => format!("-10{power}"),
            _ => format!("{digits}×10{power}"),
        }
    };
    text.replace('-', "−")
}

fn trim(text: String) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn superscript(exponent: i32) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent
        .to_string()
        .chars()
        .map(|c| c.to_digit(10).and_then(|d| digits.get(d as usize).copied()).unwrap_or('⁻'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|t| t.label.as_str()).collect()
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.05, "0.05"),
            (1023.0, "1023"),
            (-250.0, "−250"),
            (1e6, "10⁶"),
            (2.5e-7, "2.5×10⁻⁷"),
            (-1e5, "−10⁵"),
            (999_999.0, "10⁶"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value, f64::INFINITY), text);
        }
    }

    #[test]
    fn log_axes_label_round_values() {
        assert_eq!(labels(&Axis::log("", [12.0, 180.0], false, 8)), ["10", "20", "50", "100", "200"]);
        assert_eq!(labels(&Axis::log("", [1.0, 1e6], false, 8)).first(), Some(&"1"));
        assert_eq!(labels(&Axis::log("", [0.0, 0.01, 10.0], true, 6)), ["0", "0.01", "0.1", "1", "10"]);
    }

    #[test]
    fn no_range_is_too_odd_for_an_axis() {
        let odd = [
            vec![],
            vec![f64::NAN],
            vec![0.0],
            vec![-5.0, -1.0],
            vec![f64::INFINITY],
            vec![3.0],
            vec![5e-324, f64::MAX],
            vec![1.0, 1.0 + 1e-15],
        ];
        for values in odd {
            let axis = Axis::log("", values.clone(), true, 8);
            assert!(axis.ticks.len() <= 40 && axis.ticks.iter().all(|t| t.at.is_finite()), "{values:?}");
            for v in &values {
                assert!(axis.fraction(*v).is_none_or(f64::is_finite));
            }
            let low = values.first().copied().unwrap_or(f64::NAN);
            let high = values.last().copied().unwrap_or(f64::NAN);
            let axis = Axis::linear("", low, high, 8);
            assert!(axis.ticks.len() <= 40 && axis.ticks.iter().all(|t| t.at.is_finite()), "{values:?}");
        }
    }

    #[test]
    fn zeros_get_a_row_and_negative_values_none() {
        let axis = Axis::log("", [0.0, 1.0, 100.0], true, 8);
        let (zero, one) = (axis.fraction(0.0).unwrap(), axis.fraction(1.0).unwrap());
        assert!(zero < axis.zero_row().unwrap() && one > axis.zero_row().unwrap());
        assert_eq!(axis.fraction(-1.0), None);
        assert_eq!(Axis::log("", [1.0, 100.0], true, 8).fraction(0.0), None);
    }
}
