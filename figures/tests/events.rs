//! Pictures of events from made-up ones: everything in its place, and no values that make them fail.

mod checks;
mod made_up;

use checks::{assert_words, both, checked_svg, pixels_of};
use inrfit_figures::{
    CHART_SIZE, Decoded, Error, EventView, Format, Histogram, Pairs, Strip, StripRow, Strips, Values,
};

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
    let folder = tempfile::tempdir().unwrap();
    strips().save(&folder.path().join("strips.svg")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("strips.svg")).unwrap(), svg);
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
