//! Pictures of made-up rows: valid files with the expected words, and no data that make them fail.

mod checks;
mod made_up;

use checks::{assert_words, both, checked_png, checked_svg};
use inrfit_figures::{
    CHART_SIZE, Chart, Curve, Decoded, Error, EventView, Format, Histogram, Line, Metric, Pairs, Published,
    Record, SamplingAxis, SamplingPlot, SamplingRow, Sheet, Throughput,
};
use std::path::Path;

fn curve() -> Curve {
    Curve {
        title: "Rate & distortion <made up>".to_owned(),
        metric: Metric::LogMae,
        published: vec![
            Published { label: "BCAE".to_owned(), ratio: 33.2, value: 0.152 },
            Published { label: "BCAE, packed".to_owned(), ratio: 38.6, value: 0.152 },
        ],
    }
}

fn sampling_plot() -> SamplingPlot {
    SamplingPlot { title: "Samplers".to_owned(), target: Some(0.15), ..SamplingPlot::default() }
}

#[test]
fn a_curve_shows_every_codec_and_published_point() {
    let svg = both(|f| curve().render(&made_up::records(), f), CHART_SIZE);
    assert_words(&svg, &["network", "transform", "autoencoder", "1 BCAE", "2 BCAE, packed", "1", "2"]);
    assert_words(&svg, &["Rate &amp; distortion &lt;made up&gt;", "log-MAE, log2(ADC + 1)", "100", "0"]);
    assert_words(&svg, &["compression ratio (bytes in / bytes out)", "1 of 61 runs without figures"]);
    assert!(svg.contains("width=\"960\" height=\"600\""));
}

#[test]
fn a_curve_moves_with_its_data() {
    let rows = made_up::records();
    let mut moved = rows.clone();
    moved[0].bytes = moved[0].bytes.map(|b| b * 2);
    let draw = |rows: &[Record]| curve().render(rows, Format::Svg).unwrap();
    assert_ne!(draw(&rows), draw(&moved));
    let mse = Curve { metric: Metric::Mse, ..curve() };
    assert_words(&checked_svg(mse.render(&rows, Format::Svg).unwrap()), &["MSE (ADC²)"]);
}

#[test]
fn odd_rows_make_a_curve_and_no_panic() {
    let odd = [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, f64::MAX, 1.0];
    let mut all = Vec::new();
    for (i, v) in odd.into_iter().enumerate() {
        for (raw, bytes) in
            [(Some(0), Some(0)), (Some(u64::MAX), Some(1)), (Some(1), Some(u64::MAX)), (None, None)]
        {
            let mut row =
                Record::new("\u{0}\u{1b}<&>\u{ffff}", format!("codec \u{7} {i} {}", "x".repeat(300)), "");
            (row.raw_bytes, row.bytes, row.ratio, row.log_mae) = (raw, bytes, Some(v), Some(v));
            row.max_error = Some(v);
            checked_svg(Curve::default().render(&[row.clone()], Format::Svg).unwrap());
            all.push(row);
        }
    }
    let published = odd
        .iter()
        .flat_map(|&a| odd.map(|b| Published { label: "p".repeat(90), ratio: a, value: b }))
        .collect();
    let plot = Curve { title: "t\n\u{0}".repeat(500), metric: Metric::MaxError, published };
    both(|f| plot.render(&all, f), CHART_SIZE);
    let svg = both(|f| Curve::default().render(&[], f), CHART_SIZE);
    assert_words(&svg, &["no row with both figures"]);
}

#[test]
fn a_hundred_codecs_still_fit() {
    let rows: Vec<Record> = (0..100)
        .map(|i| {
            let mut row = Record::new("wedge", format!("codec {i}"), "");
            (row.raw_bytes, row.bytes, row.log_mae) = (Some(1000), Some(10 + i), Some(0.01 * i as f64));
            row
        })
        .collect();
    let svg = both(|f| Curve::default().render(&rows, f), CHART_SIZE);
    assert!(svg.contains(" more\n"));
}

#[test]
fn samplers_are_drawn_with_their_time_to_the_target() {
    let svg = both(|f| sampling_plot().render(&made_up::sampling_rows(), f), CHART_SIZE);
    assert_words(
        &svg,
        &["importance", "balanced", "uniform", "target 0.15", "training time (s)", "6 s to target"],
    );
    let late = SamplingPlot { target: Some(0.001), ..sampling_plot() };
    assert_words(&both(|f| late.render(&made_up::sampling_rows(), f), CHART_SIZE), &["target not reached"]);
}

#[test]
fn samplers_are_drawn_against_the_fraction_too() {
    let plot = SamplingPlot { against: SamplingAxis::Fraction, ..sampling_plot() };
    let rows = made_up::sampling_rows();
    let svg = both(|f| plot.render(&rows, f), CHART_SIZE);
    assert_words(&svg, &["importance", "target 0.15", "voxels drawn in a step / voxels of the event"]);
    assert!(!svg.contains("to target"), "seconds have no place here");
    // The order of the rows does not matter here.
    let reversed: Vec<SamplingRow> = rows.chunks(8).flat_map(|fit| fit.iter().rev().cloned()).collect();
    assert_eq!(plot.render(&reversed, Format::Svg).unwrap(), plot.render(&rows, Format::Svg).unwrap());
    let without: Vec<SamplingRow> =
        rows.into_iter().map(|row| SamplingRow { fraction: None, ..row }).collect();
    let empty = checked_svg(plot.render(&without, Format::Svg).unwrap());
    assert_words(&empty, &["no row with a positive fraction"]);
}

#[test]
fn odd_sampling_rows_do_not_panic() {
    let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1.0, 1.0, f64::MAX, 5e-324];
    let row = |a, b| SamplingRow { sampler: "s".to_owned(), seconds: a, log_mae: b, ..Default::default() };
    for target in odd.map(Some).into_iter().chain([None]) {
        let plot = SamplingPlot { target, ..SamplingPlot::default() };
        let rows: Vec<SamplingRow> = odd.iter().flat_map(|&a| odd.map(|b| row(a, b))).collect();
        checked_svg(plot.render(&rows, Format::Svg).unwrap());
        checked_svg(plot.render(&rows[..1], Format::Svg).unwrap());
        assert_words(&checked_svg(plot.render(&[], Format::Svg).unwrap()), &["no row with positive seconds"]);
    }
}

#[test]
fn pictures_are_saved_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows = made_up::records();
    curve().save(&rows, &path("curve.svg")).unwrap();
    assert_eq!(std::fs::read(path("curve.svg")).unwrap(), curve().render(&rows, Format::Svg).unwrap());
    sampling_plot().save(&made_up::sampling_rows(), &path("sampling.PNG")).unwrap();
    assert_eq!(checked_png(&std::fs::read(path("sampling.PNG")).unwrap()).0, CHART_SIZE);
    let one = [Decoded::new(&[1.0, 2.0])];
    Histogram::default().save(&[1.0, 2.0], &one, &path("histogram.png")).unwrap();
    Pairs::default().save(&[1.0, 2.0], &one, &path("pairs.png")).unwrap();
    EventView::new([1, 1, 2], &[1.0, 2.0], &[1.0, 2.0], 0).save(&path("event.svg")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5, "temporary files are left behind");
    assert!(matches!(curve().save(&rows, &path("curve.jpeg")), Err(Error::Data(_))));
    assert!(matches!(curve().save(&rows, &path("none/curve.svg")), Err(Error::Io { .. })));
    assert_eq!(Format::of(Path::new("a.b.SVG")).unwrap(), Format::Svg);
    assert!(Format::of(Path::new("svg")).is_err());
}

#[test]
fn a_sheet_shows_every_chart_and_keeps_the_colours_of_names() {
    let line = |name: &str, points: &[(f64, f64)]| Line {
        name: name.to_owned(),
        points: points.to_vec(),
        joined: true,
    };
    let chart = |title: &str, lines: Vec<Line>| Chart {
        title: title.to_owned(),
        x_label: "weights".to_owned(),
        y_label: "MSE".to_owned(),
        lines,
    };
    let points = [(1e3, 10.0), (1e4, 1.0), (f64::NAN, 3.0), (5e3, f64::INFINITY), (-1.0, 2.0), (2e4, 0.0)];
    let sheet = |second: &str| Sheet {
        charts: vec![
            chart("first", vec![line("siren", &points), line("wire", &points)]),
            chart("second", vec![line(second, &points)]),
            chart("third", vec![]),
        ],
        n_columns: 2,
    };
    let size = (2 * CHART_SIZE.0, 2 * CHART_SIZE.1);
    let svg = both(|format| sheet("wire").render(format), size);
    assert_words(
        &svg,
        &[
            "first",
            "second",
            "third",
            "siren",
            "wire",
            "weights",
            "MSE",
            "nothing that a logarithmic axis can show",
        ],
    );
    let count = |svg: &str, color: &str| svg.matches(color).count();
    // The name's place among all names decides, not that within the chart.
    let other = both(|format| sheet("siren").render(format), size);
    assert!(count(&svg, "#D55E00") > count(&other, "#D55E00"));
    assert!(count(&svg, "#0072B2") < count(&other, "#0072B2"));
    // Nothing to draw is an empty page.
    for format in [Format::Svg, Format::Png] {
        assert!(!Sheet::default().render(format).unwrap().is_empty());
    }
}

#[test]
fn a_front_has_what_no_other_of_a_family_beats() {
    let row = |codec: &str, settings: &str, bytes: u64, error: f64| Record {
        raw_bytes: Some(1000),
        bytes: Some(bytes),
        log_mae: Some(error),
        ..Record::new("i", codec, settings)
    };
    let failed = Record { error: Some("no".to_owned()), ..row("sz:b", "9", 1, 0.0) };
    let rows = [
        row("sz:a", "1", 100, 0.1),
        row("sz:a", "2", 100, 0.2),
        row("sz:b", "3", 50, 0.3),
        row("sz:b", "4", 120, 0.1),
        row("own:x", "5", 10, 0.01),
        row("own:y", "6", 20, 0.02),
        row("bz", "7", 30, 0.0),
        failed,
    ];
    let drawn = inrfit_figures::front(&rows, Metric::LogMae, |family| family == "own");
    let points: Vec<(&str, &str)> = drawn.iter().map(|r| (r.codec.as_str(), r.settings.as_str())).collect();
    assert_eq!(points, [("sz", "1"), ("sz", "3"), ("own:x", "5"), ("own:y", "6"), ("bz", "7")]);
}

#[test]
fn published_points_are_read_by_metric() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marks.csv");
    std::fs::write(&path, "label,metric,ratio,value,source\nA,mse,3,9,\nB,log_mae,30,0.1,paper\n").unwrap();
    let one = |label: &str, ratio, value| vec![Published { label: label.to_owned(), ratio, value }];
    assert_eq!(Published::read(&path, Metric::Mse).unwrap(), one("A", 3.0, 9.0));
    assert_eq!(Published::read(&path, Metric::LogMae).unwrap(), one("B [paper]", 30.0, 0.1));
    for (text, part) in [
        ("label,metric,ratio,value,source\nA,beauty,3,9,s\n", "beauty"),
        ("label,metric,ratio,value,source\nA,mse,-3,9,s\n", "line 2"),
        ("label,metric,ratio,value\nA,mse,3,9\n", "source"),
    ] {
        std::fs::write(&path, text).unwrap();
        let Err(Error::Data(message)) = Published::read(&path, Metric::Mse) else {
            panic!("{text} was taken")
        };
        assert!(message.contains("marks.csv") && message.contains(part), "{message}");
    }
}

/// A row with these speeds.
fn timed(settings: &str, encode: Option<f64>, decode: Option<f64>) -> Record {
    let mut row = Record::new("event", "codec", settings);
    (row.raw_bytes, row.bytes) = (Some(1000), Some(10));
    (row.encode_mb_per_s, row.decode_mb_per_s) = (encode, decode);
    row
}

#[test]
fn bars_are_as_long_as_codecs_are_fast() {
    let rows = [
        timed("slow", Some(1.25), Some(40.0)),
        timed("fast", Some(52.4), None),
        timed("untimed", None, None),
    ];
    let plot = Throughput { title: "Speed".to_owned() };
    let svg = checked_svg(plot.render(&rows, Format::Svg).unwrap());
    assert_words(
        &svg,
        &["Speed", "slow", "fast", "encode", "decode", "1.2", "40", "52", "MB of samples a second"],
    );
    assert!(!svg.contains("untimed"));
    let faster = [timed("slow", Some(2.5), Some(40.0)), rows[1].clone()];
    assert_ne!(plot.render(&faster, Format::Svg).unwrap(), plot.render(&rows, Format::Svg).unwrap());
    checked_png(&plot.render(&rows, Format::Png).unwrap());
    // Nothing to show, and nothing that can be shown.
    for v in [0.0, -1.0, f64::NAN, f64::INFINITY, 5e-324, f64::MAX] {
        checked_svg(plot.render(&[timed("odd", Some(v), Some(v))], Format::Svg).unwrap());
    }
    assert_words(&checked_svg(plot.render(&[], Format::Svg).unwrap()), &["no row with times"]);
}
