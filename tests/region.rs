//! Regions: the voxels of a whole decode, from the tiles that they lie in and no others.

mod common;

use common::{codec, event};
use inrfit::codec::{InrCodec, Observer, Progress, Silent};
use inrfit::container::Limits;
use inrfit::error::ErrorKind;
use inrfit::event::DType;
use inrfit::settings::{Mode, Preset, Settings};
use inrfit::tile::{Tile, crop};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the tiles that are decoded.
#[derive(Default)]
struct Count(AtomicUsize);

impl Observer for Count {
    fn progress(&self, _: &Progress) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_region_is_a_cut_of_the_whole() {
    for (dtype, preset, mode) in [
        (DType::U16, Preset::Balanced, Mode::Field),
        (DType::F32, Preset::Balanced, Mode::Field),
        (DType::U16, Preset::PaperSiren, Mode::Field),
        (DType::U16, Preset::Balanced, Mode::Masked),
        (DType::U16, Preset::Balanced, Mode::Lossless),
    ] {
        let event = event([20, 17, 12], dtype);
        let settings =
            Settings { tile: Some([8, 17, 7]), preset, mode, hidden: Some(4), ..Settings::default() };
        let codec = codec(settings);
        let made = codec.compress(&event, &Silent).unwrap();
        for (start, shape, n_tiles) in [
            ([0, 0, 0], [20, 17, 12], 6),
            ([0, 0, 0], [1, 1, 1], 1),
            ([19, 16, 11], [1, 1, 1], 1),
            ([5, 3, 4], [10, 9, 1], 3),
            ([7, 0, 2], [1, 17, 8], 2),
        ] {
            let region = Tile { start, shape };
            let count = Count::default();
            let part = codec.decompress_region(&made.bytes, &region, &count).unwrap();
            assert_eq!((part.shape(), part.dtype()), (shape, dtype));
            let whole = crop(made.decoded.samples(), event.shape(), &region).unwrap();
            assert!(part.samples() == &whole, "{region:?}");
            assert_eq!(count.0.into_inner(), n_tiles, "{region:?}");
        }
    }
}

#[test]
fn regions_outside_and_beyond_limits_are_named() {
    let event = event([20, 17, 12], DType::U16);
    let codec = codec(Settings {
        mode: Mode::Field,
        tile: Some([10, 17, 12]),
        hidden: Some(4),
        ..Settings::default()
    });
    let bytes = codec.compress(&event, &Silent).unwrap().bytes;
    let kind = |codec: &InrCodec, start, shape| {
        codec.decompress_region(&bytes, &Tile { start, shape }, &Silent).map_err(|e| e.kind()).err()
    };
    assert_eq!(kind(&codec, [0, 0, 0], [21, 1, 1]), Some(ErrorKind::Argument));
    assert_eq!(kind(&codec, [0, 17, 0], [1, 1, 1]), Some(ErrorKind::Argument));
    assert_eq!(kind(&codec, [0, 0, 0], [1, 0, 1]), Some(ErrorKind::Argument));
    // The event would not fit these limits; the region does.
    let small = |max_event_bytes| InrCodec {
        limits: Limits { max_event_bytes, ..Limits::default() },
        ..codec.clone()
    };
    assert!(small(100).decompress(&bytes, &Silent).is_err());
    assert_eq!(kind(&small(100), [3, 3, 3], [5, 5, 2]), None);
    assert_eq!(kind(&small(99), [3, 3, 3], [5, 5, 2]), Some(ErrorKind::Limit));
    let few = InrCodec { limits: Limits { max_operations: 1000, ..Limits::default() }, ..codec.clone() };
    assert_eq!(kind(&few, [3, 3, 3], [5, 5, 2]), Some(ErrorKind::Limit));
}
