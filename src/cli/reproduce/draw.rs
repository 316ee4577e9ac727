//! The figures of the tasks, from rows alone.

use super::spec;
use inrfit_figures::{Chart, Line, Metric, Record, Sheet};

const METRICS: [Metric; 2] = [Metric::Mse, Metric::LogMae];

/// What a row is called in the legend, and where it lies to the right.
type Place<'a> = &'a dyn Fn(&Record) -> Option<(String, f64)>;

/// A chart of the means of `metric` over the events: one point for each choice of settings.
fn chart(
    rows: &[Record],
    metric: Metric,
    title: String,
    x_label: &str,
    joined: bool,
    place: Place<'_>,
) -> Chart {
    struct Sums<'a> {
        settings: &'a str,
        n: f64,
        x: f64,
        y: f64,
    }
    let mut lines: Vec<(String, Vec<Sums<'_>>)> = Vec::new();
    for row in rows.iter().filter(|row| !row.failed()) {
        let (Some((name, x)), Some(y)) = (place(row), metric.of(row)) else {
            continue;
        };
        let at = lines.iter().position(|(n, _)| *n == name).unwrap_or_else(|| {
            lines.push((name, Vec::new()));
            lines.len() - 1
        });
        let points = &mut lines[at].1;
        match points.iter_mut().find(|p| p.settings == row.settings) {
            Some(p) => (p.n, p.x, p.y) = (p.n + 1.0, p.x + x, p.y + y),
            None => points.push(Sums { settings: &row.settings, n: 1.0, x, y }),
        }
    }
    let lines = lines
        .into_iter()
        .map(|(name, points)| {
            let points = points.iter().map(|p| (p.x / p.n, p.y / p.n)).collect();
            Line { name, points, joined }
        })
        .collect();
    Chart { title, x_label: x_label.to_owned(), y_label: metric.label().to_owned(), lines }
}

/// What a title says of the rows: events and lengths of the fits.
fn length(rows: &[Record]) -> String {
    let mut inputs: Vec<&str> = rows.iter().map(|r| r.input.as_str()).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let mut steps: Vec<u64> =
        rows.iter().filter_map(|r| spec::value(&r.settings, "steps")?.parse().ok()).collect();
    steps.sort_unstable();
    steps.dedup();
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    let events = if inputs.len() == 1 { "event" } else { "events" };
    format!("{} {events}, {} steps", inputs.len(), steps.join(", "))
}

/// Error on the full grid against times fewer voxels fitted.
pub fn task1(rows: &[Record]) -> Sheet {
    let place = |row: &Record| Some((row.codec.clone(), spec::number(&row.settings, "factor")?));
    let title = format!("Fit on fewer voxels, asked for all: {}", length(rows));
    let x = "voxels of the event / voxels fitted";
    let charts = METRICS.map(|metric| chart(rows, metric, title.clone(), x, true, &place)).to_vec();
    Sheet { charts, n_columns: 2 }
}

/// Error against weights and against bytes on disk, by how weights are stored.
pub fn task2(rows: &[Record]) -> Sheet {
    let bits = |row: &Record| spec::value(&row.settings, "bits").unwrap_or("float").to_owned();
    let mut all: Vec<String> = Vec::new();
    for row in rows {
        if !all.contains(&bits(row)) {
            all.push(bits(row));
        }
    }
    let (first, last) = (all.first().cloned().unwrap_or_default(), all.last().cloned().unwrap_or_default());
    let stored =
        |b: &str| if b == "float" { "float weights".to_owned() } else { format!("{b} bits a weight") };
    let weights = |row: &Record| {
        let n = row.n_weights.filter(|_| bits(row) == first)?;
        Some((row.codec.clone(), n as f64))
    };
    let bytes = |row: &Record| {
        let n = row.bytes.filter(|_| bits(row) == last)?;
        Some((row.codec.clone(), n as f64))
    };
    let length = length(rows);
    let mut charts = Vec::new();
    for metric in METRICS {
        let title = format!("{}: {length}", stored(&first));
        charts.push(chart(rows, metric, title, "weights", false, &weights));
        let title = format!("{}: {length}", stored(&last));
        charts.push(chart(rows, metric, title, "bytes on disk", false, &bytes));
    }
    Sheet { charts, n_columns: 2 }
}

/// Error against the fraction of voxels a step and against the seconds of the fit.
pub fn task3(rows: &[Record]) -> Sheet {
    let mut lengths: Vec<&str> = rows.iter().filter_map(|r| spec::value(&r.settings, "steps")).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let name = |row: &Record| match spec::value(&row.settings, "steps") {
        Some(steps) if lengths.len() > 1 => format!("{}, {steps} steps", row.codec),
        _ => row.codec.clone(),
    };
    let fraction = |row: &Record| Some((name(row), spec::number(&row.settings, "fraction")?));
    let seconds = |row: &Record| Some((name(row), row.encode_seconds?));
    let title = length(rows);
    let mut charts = Vec::new();
    for metric in METRICS {
        charts.push(chart(
            rows,
            metric,
            title.clone(),
            "voxels a step / voxels of the event",
            true,
            &fraction,
        ));
        charts.push(chart(rows, metric, title.clone(), "seconds of the fit", true, &seconds));
    }
    Sheet { charts, n_columns: 2 }
}
