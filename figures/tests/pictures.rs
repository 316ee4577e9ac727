//! Every picture from made-up rows: valid files with the expected words, and no data that make them fail.

mod made_up;

use inrfit_figures::{
    CHART_SIZE, Chart, Curve, Error, EventView, Format, Histogram, Line, Metric, Published, Record,
    SamplingAxis, SamplingPlot, SamplingRow, Sheet,
};
use std::collections::BTreeSet;
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

/// The text of an SVG picture, after a look at its structure: every tag closed in order, no raw special character.
fn checked_svg(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"));
    let mut open = Vec::new();
    for piece in text.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').expect("a tag without end");
        assert!(!content.contains('>') && tag.matches('"').count() % 2 == 0, "{piece}");
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        for entity in content.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|e| entity.starts_with(e)),
                "{content}"
            );
        }
        assert!(!content.chars().any(|c| c.is_control() && c != '\n'), "{content:?}");
    }
    assert!(open.is_empty());
    assert!(!text.contains("NaN") && !text.contains("inf,"));
    text
}

/// Size and number of colours of a PNG picture.
fn checked_png(bytes: &[u8]) -> ((u32, u32), usize) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    let colors: BTreeSet<&[u8]> = pixels.chunks(3).collect();
    ((info.width, info.height), colors.len())
}

fn assert_words(svg: &str, words: &[&str]) {
    for word in words {
        assert!(svg.contains(&format!("\n{word}\n")), "no label '{word}'");
    }
}

/// Renders to both formats and returns the SVG.
fn both(render: impl Fn(Format) -> Result<Vec<u8>, Error>, size: (u32, u32)) -> String {
    let (found, n_colors) = checked_png(&render(Format::Png).unwrap());
    assert_eq!(found, size);
    assert!(n_colors > 1, "one colour");
    let svg = render(Format::Svg).unwrap();
    assert_eq!(svg, render(Format::Svg).unwrap(), "not the same bytes twice");
    checked_svg(svg)
}

#[test]
fn a_curve_shows_every_codec_and_published_point() {
    let svg = both(|f| curve().render(&made_up::records(), f), CHART_SIZE);
    assert_words(&svg, &["network", "transform", "autoencoder", "published", "BCAE", "BCAE, packed"]);
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
fn a_histogram_shows_both_and_their_occupancy() {
    let (original, decoded) = made_up::event([48, 64, 4]);
    let histogram = Histogram { title: "Values".to_owned(), ..Histogram::default() };
    let svg = both(|f| histogram.render(&original, &decoded, f), CHART_SIZE);
    let share = 100.0 * original.iter().filter(|v| **v != 0.0).count() as f64 / original.len() as f64;
    assert_words(&svg, &["true", "decoded", "voxels per bin", &format!("{share:.2} % occupied")]);
}

#[test]
fn odd_values_do_not_stop_a_histogram() {
    let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN, f32::MAX, 1e-45, -70.0, 0.5];
    for n_bins in [0, 1, 7, usize::MAX] {
        let histogram = Histogram { n_bins, ..Histogram::default() };
        for values in [&odd[..], &odd[2..3], &odd[5..6], &odd[7..8], &odd[..0]] {
            checked_svg(histogram.render(values, &odd[..1], Format::Svg).unwrap());
            checked_svg(histogram.render(&[], values, Format::Svg).unwrap());
        }
    }
    assert_words(
        &both(|f| Histogram::default().render(&[], &[0.0], f), CHART_SIZE),
        &["no value other than 0"],
    );
}

#[test]
fn an_event_view_shows_three_panels_and_two_scales() {
    let shape = [192, 249, 16];
    let (original, decoded) = made_up::event(shape);
    for axis in 0..3 {
        let mut view = EventView::new(shape, &original, &decoded, 3);
        (view.axis, view.title) = (axis, "Layer".to_owned());
        let svg = both(|f| view.render(f), view.size().unwrap());
        assert_words(&svg, &["true", "decoded", "decoded − true", "ADC", "difference (ADC)", "+10", "−10"]);
        assert_eq!(svg.matches("<image ").count(), 5);
        let names = ["azimuth", "z", "layer"];
        assert!(
            !svg.contains(&format!("\n{}\n", names[axis])),
            "the axis cut across is no axis of the picture"
        );
    }
}

#[test]
fn an_event_view_colours_the_right_voxel() {
    // One voxel at (row 0, last column): the lower right corner of the first two panels.
    let mut original = vec![0f32; 2 * 3 * 4];
    original[2 * 4 + 1] = 500.0;
    let view = EventView::new([2, 3, 4], &original, &original, 1);
    let bytes = view.render(Format::Png).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    // Panels are 376 wide from 90 on, 251 high from 50 on.
    let at = |x: usize, y: usize| {
        let i = (y * info.width as usize + x) * 3;
        [pixels[i], pixels[i + 1], pixels[i + 2]]
    };
    let white = [255; 3];
    for left in [90, 90 + 402] {
        assert_ne!(at(left + 330, 240), white);
        for (x, y) in [(left + 330, 100), (left + 60, 240), (left + 180, 240), (left + 60, 100)] {
            assert_eq!(at(x, y), white, "{x} {y}");
        }
    }
    assert_eq!(at(90 + 804 + 330, 240), white, "the difference is 0");
}

#[test]
fn thin_tracks_survive_in_large_layers() {
    let shape = [2000, 1, 3000];
    let mut original = vec![0f32; 2000 * 3000];
    original[1234 * 3000 + 2345] = 900.0;
    let mut view = EventView::new(shape, &original, &original, 0);
    view.axis = 1;
    let with = view.render(Format::Png).unwrap();
    let empty = vec![0f32; original.len()];
    let without =
        EventView { original: &empty, decoded: &empty, ..view.clone() }.render(Format::Png).unwrap();
    assert_ne!(with, without);
}

#[test]
fn odd_events_do_not_stop_a_view() {
    let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN, f32::MAX, 1e-45];
    let zeros = [0f32; 8];
    for (a, b) in [(&odd, &zeros), (&zeros, &odd), (&odd, &odd), (&zeros, &zeros)] {
        let view = EventView::new([2, 2, 2], a, b, 1);
        both(|f| view.render(f), view.size().unwrap());
        for shape in [[2, 2, 2], [8, 1, 1], [1, 8, 1], [1, 1, 8]] {
            for axis in 0..3 {
                let mut view = EventView::new(shape, a, b, 0);
                view.axis = axis;
                checked_svg(view.render(Format::Svg).unwrap());
            }
        }
    }
    let svg = checked_svg(EventView::new([2, 2, 2], &zeros, &zeros, 0).render(Format::Svg).unwrap());
    assert_words(&svg, &["no value above 0 in this layer", "no difference in this layer"]);
    let svg = checked_svg(EventView::new([2, 2, 2], &odd, &zeros, 0).render(Format::Svg).unwrap());
    assert_words(&svg, &["grey: negative or not finite"]);
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let values = [1f32; 8];
    let good = EventView::new([2, 2, 2], &values, &values, 0);
    let bad = [
        EventView { shape: [2, 2, 3], ..good.clone() },
        EventView { shape: [0, 2, 2], original: &[], decoded: &[], ..good.clone() },
        EventView { shape: [usize::MAX, usize::MAX, 2], ..good.clone() },
        EventView { decoded: &values[1..], ..good.clone() },
        EventView { axis: 3, ..good.clone() },
        EventView { layer: 2, ..good },
    ];
    for view in bad {
        assert!(matches!(view.render(Format::Svg), Err(Error::Data(_))), "{:?}", view.shape);
        assert!(view.size().is_err());
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
    Histogram::default().save(&[1.0, 2.0], &[1.0], &path("histogram.png")).unwrap();
    EventView::new([1, 1, 2], &[1.0, 2.0], &[1.0, 2.0], 0).save(&path("event.svg")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "temporary files are left behind");
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
