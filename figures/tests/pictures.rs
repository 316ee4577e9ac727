//! Every picture from made-up rows: valid files with the expected words, and no data that make them fail.

mod made_up;

use inrfit_figures::{
    CHART_SIZE, Chart, Curve, Decoded, Error, EventView, Format, Histogram, Line, Metric, Pairs, Published,
    Record, SamplingAxis, SamplingPlot, SamplingRow, Sheet, Strip, StripRow, Strips, Values,
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
    let svg = both(|f| histogram.render(&original, &[Decoded::new(&decoded)], f), CHART_SIZE);
    let share = 100.0 * original.iter().filter(|v| **v != 0.0).count() as f64 / original.len() as f64;
    assert_words(&svg, &["true", "decoded", "voxels per bin", &format!("{share:.2} % occupied")]);
    assert_words(&svg, &["occupied voxels: ADC"]);
    let log2 = Histogram { values: Values::Log2, ..histogram };
    let copies = [Decoded { name: "one", samples: &decoded }, Decoded { name: "two", samples: &original }];
    let svg = both(|f| log2.render(&original, &copies, f), CHART_SIZE);
    assert_words(&svg, &["true", "one", "two", "voxels per ADC", "occupied voxels: log2(ADC + 1)", "8"]);
}

/// Sizes and RGB bytes of a PNG picture.
fn pixels_of(bytes: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width as usize, info.height as usize, pixels)
}

#[test]
fn pairs_lie_where_their_values_say() {
    // Eight bins of one count each: 1 to 8. One panel, 560 wide from (124, 76) on.
    let true_and_decoded: [(f32, f32); 7] =
        [(1.0, 8.0), (8.0, 1.0), (4.0, 4.0), (0.0, 0.0), (3.0, 0.0), (0.0, 6.0), (5.0, 2.0)];
    let original: Vec<f32> = true_and_decoded.iter().map(|p| p.0).collect();
    let decoded: Vec<f32> = true_and_decoded.iter().map(|p| p.1).collect();
    let (width, _, pixels) =
        pixels_of(&Pairs::default().render(&original, &[Decoded::new(&decoded)], Format::Png).unwrap());
    // A corner of each cell, off the diagonal.
    let cell = |i: usize, k: usize| {
        let (x, y) = (124 + (i - 1) * 70 + 20, 76 + (8 - k) * 70 + 20);
        pixels[(y * width + x) * 3..][..3] != [255; 3]
    };
    for i in 1..=8 {
        for k in 1..=8 {
            let is_there = true_and_decoded.contains(&(i as f32, k as f32));
            assert_eq!(cell(i, k), is_there, "true {i}, decoded {k}");
        }
    }
    let at = |x: usize, y: usize| pixels[(y * width + x) * 3..][..3] != [255; 3];
    for v in 1..=8 {
        assert_eq!(at(124 + (v - 1) * 70 + 35, 76 + 560 + 6 + 11), v == 3, "lost {v}");
        assert_eq!(at(96 + 11, 76 + (8 - v) * 70 + 35), v == 6, "fake {v}");
    }
}

#[test]
fn pairs_have_a_panel_for_each_copy_and_its_shares() {
    let (original, decoded) = made_up::event([48, 64, 4]);
    let pairs = Pairs { title: "Pairs".to_owned(), ..Pairs::default() };
    let copies = ["one", "two", "three", "four"].map(|name| Decoded { name, samples: &decoded });
    let n = |values: &[f32]| values.iter().filter(|v| **v != 0.0).count() as f64;
    let lost = original.iter().zip(&decoded).filter(|(a, b)| **a != 0.0 && **b == 0.0).count() as f64;
    let shares = format!("lost {:.2} %, fake 0.00 %", 100.0 * lost / n(&original));
    let sizes = [(708, 858), (1122, 758), (1336, 658), (1336, 1136)];
    for k in 1..=4 {
        for values in [Values::Plain, Values::Log2] {
            let pairs = Pairs { values, ..pairs.clone() };
            let svg = both(|f| pairs.render(&original, &copies[..k], f), sizes[k - 1]);
            assert_words(&svg, &["Pairs", "one", "voxels per cell", &shares]);
            assert_eq!(svg.contains("\ntrue: log2(ADC + 1)\n"), values == Values::Log2);
            assert_eq!(svg.contains("\ndecoded: ADC\n"), values == Values::Plain);
            assert_eq!(svg.matches(&shares).count(), k);
        }
    }
    let none = pairs.render(&original, &[], Format::Svg);
    let short = pairs.render(&original, &[Decoded { name: "short", samples: &decoded[1..] }], Format::Svg);
    for refused in [none, short] {
        assert!(matches!(refused, Err(Error::Data(_))));
    }
}

#[test]
fn odd_values_do_not_stop_pairs() {
    let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::MIN, f32::MAX, 1e-45, -70.0, 0.5, 16_777_216.0];
    for values in [Values::Plain, Values::Log2] {
        for n_bins in [0, 1, 7, usize::MAX] {
            let pairs = Pairs { n_bins, values, ..Pairs::default() };
            for (i, &a) in odd.iter().enumerate() {
                let b = odd[(i + 1) % odd.len()];
                checked_svg(pairs.render(&[a, b], &[Decoded::new(&[b, b])], Format::Svg).unwrap());
            }
            let reversed: Vec<f32> = odd.iter().rev().copied().collect();
            let svg = pairs.render(&odd, &[Decoded::new(&reversed)], Format::Svg).unwrap();
            assert_words(&checked_svg(svg), &["4 pairs not finite"]);
        }
    }
    let svg = both(|f| Pairs::default().render(&[], &[Decoded::new(&[])], f), (708, 822));
    assert_words(&svg, &["no voxel is occupied on either side", "lost none, fake none"]);
}

/// Two rows of three columns, one panel missing, grids of different fineness.
fn strips() -> Strips {
    let strip = |shape: [usize; 2], note: &str| {
        let values = (0..shape[0] * shape[1]).map(|i| (i % 7) as f32).collect();
        Some(Strip { shape, values, note: note.to_owned() })
    };
    let rows = vec![
        StripRow { name: "all".to_owned(), panels: vec![strip([4, 8], ""), None, strip([4, 8], "MSE 1.5")] },
        StripRow {
            name: "1 of 4".to_owned(),
            panels: vec![strip([4, 8], ""), strip([2, 4], "MSE 3"), strip([40, 800], "MSE 2")],
        },
    ];
    Strips {
        title: "Strips".to_owned(),
        columns: ["true", "nearest", "field"].map(str::to_owned).to_vec(),
        rows,
        axis_names: ["azimuth", "z"].map(str::to_owned),
        value_name: "ADC".to_owned(),
    }
}

#[test]
fn strips_show_every_panel_with_its_note() {
    let svg = both(|f| strips().render(f), strips().size().unwrap());
    assert_words(&svg, &["Strips", "true", "nearest", "field", "all", "1 of 4", "MSE 1.5", "MSE 3", "MSE 2"]);
    assert_words(&svg, &["azimuth", "z", "ADC"]);
    assert_eq!(svg.matches("<image ").count(), 5 + 1, "five panels and the scale");
}

#[test]
fn strips_have_one_scale_and_the_lowest_row_below() {
    let [dim, bright] = [10.0, 1000.0].map(|top| {
        let values = vec![1.0, 0.0, 0.0, top];
        Some(Strip { shape: [2, 2], values, note: String::new() })
    });
    let row = StripRow { name: String::new(), panels: vec![dim, bright] };
    let picture = Strips { rows: vec![row], columns: vec![String::new(); 2], ..Strips::default() };
    let (width, _, pixels) = pixels_of(&picture.render(Format::Png).unwrap());
    // Panels of 480 x 480 from (128, 50) on, 22 apart.
    let at = |panel: usize, row: usize, column: usize| {
        let (x, y) = (128 + panel * 502 + 120 + 240 * column, 50 + 120 + 240 * (1 - row));
        &pixels[(y * width + x) * 3..][..3]
    };
    assert_eq!(at(0, 0, 0), at(1, 0, 0), "equal values, equal colours");
    assert_ne!(at(0, 1, 1), at(1, 1, 1), "a tenth of the largest is not the largest");
    for (panel, row, column) in [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)] {
        assert_eq!(at(panel, row, column), [255; 3], "zero is white");
    }
}

#[test]
fn strips_that_do_not_fit_are_refused_and_odd_values_drawn() {
    let mut wrong: Vec<Strips> = (0..5).map(|_| strips()).collect();
    wrong[0].rows[0].panels.pop();
    wrong[1].rows[0].panels[0].as_mut().unwrap().values.pop();
    wrong[2].rows[0].panels[0] = Some(Strip { shape: [usize::MAX, 2], ..Strip::default() });
    wrong[3].rows.clear();
    wrong[4].columns = vec![String::new(); 1000];
    for strips in wrong {
        assert!(matches!(strips.render(Format::Svg), Err(Error::Data(_))) && strips.size().is_err());
    }
    let values = vec![f32::NAN, f32::INFINITY, -1.0, 0.0, f32::MAX, 1e-45];
    let panels = vec![Some(Strip { shape: [1, 6], values, note: "\u{0}<&>".repeat(99) })];
    let odd = Strips {
        columns: vec!["x".repeat(999)],
        rows: vec![StripRow { name: "\n".repeat(99), panels }],
        ..Strips::default()
    };
    assert_words(&both(|f| odd.render(f), odd.size().unwrap()), &["grey: negative or not finite"]);
    let empty = Strips { rows: vec![StripRow { name: String::new(), panels: vec![None] }], ..odd };
    assert_words(&both(|f| empty.render(f), empty.size().unwrap()), &["no value above 0"]);
}

#[test]
fn odd_values_do_not_stop_a_histogram() {
    let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN, f32::MAX, 1e-45, -70.0, 0.5];
    for n_bins in [0, 1, 7, usize::MAX] {
        for shown in [Values::Plain, Values::Log2] {
            let histogram = Histogram { n_bins, values: shown, ..Histogram::default() };
            for values in [&odd[..], &odd[2..3], &odd[5..6], &odd[6..7], &odd[7..8], &odd[..0]] {
                checked_svg(histogram.render(values, &[Decoded::new(&odd[..1])], Format::Svg).unwrap());
                checked_svg(histogram.render(&[], &[Decoded::new(values)], Format::Svg).unwrap());
                checked_svg(histogram.render(values, &[], Format::Svg).unwrap());
            }
        }
    }
    assert_words(
        &both(|f| Histogram::default().render(&[], &[Decoded::new(&[0.0])], f), CHART_SIZE),
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
fn an_event_view_has_a_row_for_each_copy_on_common_scales() {
    let shape = [64, 83, 4];
    let (original, decoded) = made_up::event(shape);
    let mut view = EventView::new(shape, &original, &decoded, 1);
    let one = view.size().unwrap();
    view.decoded = ["one", "two"].map(|name| Decoded { name, samples: &decoded }).to_vec();
    view.values = Values::Log2;
    let two = view.size().unwrap();
    assert!(two.0 == one.0 && two.1 > one.1 + 250, "{one:?} {two:?}");
    let svg = both(|f| view.render(f), two);
    assert_words(&svg, &["one", "two", "one − true", "two − true", "ADC", "difference of log2(ADC + 1)"]);
    assert_eq!(svg.matches("<image ").count(), 2 * 3 + 2);
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
    let without = EventView { original: &empty, decoded: vec![Decoded::new(&empty)], ..view.clone() }
        .render(Format::Png)
        .unwrap();
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
        EventView { shape: [0, 2, 2], original: &[], decoded: vec![Decoded::new(&[])], ..good.clone() },
        EventView { shape: [usize::MAX, usize::MAX, 2], ..good.clone() },
        EventView { decoded: vec![Decoded::new(&values[1..])], ..good.clone() },
        EventView { decoded: vec![], ..good.clone() },
        EventView { decoded: vec![Decoded::new(&values); 100], ..good.clone() },
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
    let one = [Decoded::new(&[1.0, 2.0])];
    Histogram::default().save(&[1.0, 2.0], &one, &path("histogram.png")).unwrap();
    Pairs::default().save(&[1.0, 2.0], &one, &path("pairs.png")).unwrap();
    strips().save(&path("strips.png")).unwrap();
    EventView::new([1, 1, 2], &[1.0, 2.0], &[1.0, 2.0], 0).save(&path("event.svg")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6, "temporary files are left behind");
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
