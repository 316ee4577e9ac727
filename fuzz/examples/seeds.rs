//! Writes the seeds of all targets (folder `seeds`): files of small synthetic events, of every kind of layer.

use inrfit::codec::{InrCodec, Silent};
use inrfit::container::{Limits, PackWriter};
use inrfit::event::{DType, Event, Samples};
use inrfit::io::npy;
use inrfit::prior::Priors;
use inrfit::residual::{self, Bins, Bound, Hints, Rule};
use inrfit::settings::{Bits, Effort, Mode, ModelKind, Settings};
use inrfit::support::{self, Coding, Walk};
use inrfit::synth::SynthSettings;
use std::io::Write;
use std::path::Path;

const SHAPE: [usize; 3] = [8, 25, 4];

/// A small synthetic event as samples of type `dtype`.
fn event(dtype: DType, seed: u64) -> Event {
    let made = SynthSettings { shape: SHAPE, seed, ..SynthSettings::default() }.generate().expect("an event");
    let mut samples = Samples::zeros(dtype, made.n_voxels());
    for i in 0..made.n_voxels() {
        let v = made.samples().get(i);
        let sign = if dtype == DType::I16 && i % 3 == 0 { -1.0 } else { 1.0 };
        samples.set(i, sign * if dtype == DType::U8 { v.min(255.0) } else { v });
    }
    Event::new(SHAPE, samples).expect("a valid event")
}

/// The file of `event`, its network small and hardly trained.
fn file(event: &Event, settings: Settings) -> Vec<u8> {
    let settings = Settings { hidden: Some(2), n_steps: Some(4), batch: Some(64), ..settings };
    let codec = InrCodec { settings, limits: Limits::default(), n_threads: 1, priors: Priors::default() };
    codec.compress(event, &Silent).expect("a file").bytes
}

fn containers(save: &dyn Fn(&str, &[u8])) {
    let plain = |mode| Settings { mode, ..Settings::default() };
    let three = Settings { bits: Some(Bits::Fixed(3)), n_layers: Some(1), ..plain(Mode::Field) };
    let tile = Some([4, 25, 4]);
    let bounded = |e| Settings { bound: Some(Bound::Absolute(e)), ..plain(Mode::Bounded) };
    let log = Settings { bound: Some(Bound::Log2(0.2)), effort: Effort::Fast, ..plain(Mode::Bounded) };
    let field = file(&event(DType::U16, 1), Settings { tile, ..three });
    let lossless = file(&event(DType::U16, 2), plain(Mode::Lossless));
    save("field", &field);
    save("masked", &file(&event(DType::U16, 3), Settings { tile, ..plain(Mode::Masked) }));
    let network = |model, mode| Settings { model: Some(model), bits: Some(Bits::Fixed(3)), ..plain(mode) };
    for (name, model) in [
        ("ffnet", ModelKind::Ffnet),
        ("mfn", ModelKind::Mfn),
        ("wire", ModelKind::Wire),
        ("wire_real", ModelKind::WireReal),
    ] {
        save(
            name,
            &file(&event(DType::U16, 1), Settings { n_layers: Some(1), ..network(model, Mode::Field) }),
        );
        save(&format!("masked_{name}"), &file(&event(DType::U16, 3), network(model, Mode::Masked)));
    }
    save("bounded", &file(&event(DType::I16, 4), Settings { keep_field: true, ..bounded(2.0) }));
    save("bounded_f32", &file(&event(DType::F32, 5), Settings { tile, ..bounded(0.5) }));
    save("bounded_log", &file(&event(DType::U8, 6), log));
    save("lossless", &lossless);
    let noise: Vec<u8> = (1..=90u32).map(|i| (i.wrapping_mul(2_654_435_769) >> 24) as u8).collect();
    let noise = Event::new([9, 5, 2], Samples::U8(noise)).expect("a valid event");
    save("raw", &file(&noise, plain(Mode::Lossless)));
    let mut pack = Vec::new();
    let mut writer = PackWriter::new(&mut pack).expect("memory takes it");
    writer.add("one", &lossless).expect("memory takes it");
    writer.add("two", &field).expect("memory takes it");
    writer.finish().expect("memory takes it");
    save("pack", &pack);
}

fn arrays(save: &dyn Fn(&str, &[u8])) {
    let how = |how: u8, bytes: &[u8]| [&[how], bytes].concat();
    let small = Event::new([2, 3, 4], Samples::I16((0..24).map(|i| i * 31 % 200 - 60).collect()));
    let small = small.expect("a valid event");
    let mut array = Vec::new();
    npy::write(&mut array, &small).expect("memory takes it");
    save("npy", &how(0, &array));
    let header = b"{'descr': '>f8', 'fortran_order': True, 'shape': (2, 1, 2, 2), }\n";
    let stack: Vec<u8> = (0..8).flat_map(|i| (f64::from(i) * 0.5).to_be_bytes()).collect();
    let length = (header.len() as u16).to_le_bytes();
    save("stack", &how(1, &[b"\x93NUMPY\x01\x00", &length[..], header, &stack].concat()));
    for (name, method) in
        [("npz_stored", zip::CompressionMethod::Stored), ("npz", zip::CompressionMethod::Deflated)]
    {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for name in ["a.npy", "b.npy"] {
            archive.start_file(name, options).expect("memory takes it");
            archive.write_all(&array).expect("memory takes it");
        }
        save(name, &how(0, &archive.finish().expect("memory takes it").into_inner()));
    }
    // Raw: u16 and big-endian i32, three and four axes.
    save("raw", &how(2 | 2 << 3 | 1 << 5, &[&[2, 3, 4, 0][..], &[7; 48]].concat()));
    save("raw_stack", &how(2 | 4 | 3 << 3 | 4 << 5, &[&[2, 1, 3, 2][..], &[0, 0, 1, 2].repeat(12)].concat()));
}

fn programs(save: &dyn Fn(&str, &[u8])) {
    // Every operation, each in several variants; then the same with a stream of nobody's before it.
    let mut program = vec![20];
    for op in 0..=255u8 {
        program.push(op);
        program.extend((0..3).map(|i| op.wrapping_mul(91).wrapping_add(i * 57)));
    }
    save("all", &[&[0], &program[..]].concat());
    let stream: Vec<u8> = (0..80u32).map(|i| (i.wrapping_mul(2_654_435_769) >> 23) as u8).collect();
    save("stream", &[&[10], &stream[..], &program[..]].concat());
}

fn exact(save: &dyn Fn(&str, &[u8])) {
    let head = |how: u8, bound: f32| {
        let mut head = vec![how];
        head.extend(SHAPE.map(|n| n as u8 - 1));
        head.extend(bound.to_le_bytes());
        head
    };
    let with =
        |how, bound, dtype, seed| [head(how, bound), event(dtype, seed).samples().to_le_bytes()].concat();
    save("lossless", &with(1, 0.0, DType::U16, 11));
    save("lossless_fast", &with(32, 0.0, DType::U8, 12));
    save("log_tiles", &with(1 | 1 << 3 | 64, 0.1, DType::U16, 13));
    save("absolute", &with(2 | 2 << 3, 3.0, DType::I16, 14));
    save("absolute_field", &with(2 | 3 << 3, 3.0, DType::I16, 15));
    save("floats_fast", &with(4 | 2 << 3 | 32, 0.7, DType::F32, 16));
    for (name, coding) in [("layers", Coding::Mixed), ("layers_fast", Coding::Quick)] {
        let event = event(DType::U16, 17);
        let values: Vec<f64> = (0..event.n_voxels()).map(|i| event.samples().get(i)).collect();
        let occupied: Vec<bool> = values.iter().map(|v| *v != 0.0).collect();
        let walk = Walk::choose(SHAPE, &occupied);
        let support = support::encode(coding, walk, &occupied);
        // Whole samples from 1 to 1023, at most 4 off, as the target reads these bits of a bound.
        let bound = f32::from_bits(1023 << 16 | 4);
        let bins = Bins::new(Rule::Integer(4), DType::U16, (1.0, 1023.0)).expect("bins");
        let symbols: Vec<u16> =
            values.iter().map(|v| if *v == 0.0 { 0 } else { bins.of(*v) as u16 }).collect();
        let residual = residual::encode(coding, walk, &occupied, &bins, Hints::default(), &symbols);
        let how = 128 | u8::from(coding == Coding::Quick);
        let length = u8::try_from(support.len()).expect("a short code");
        save(name, &[head(how, bound), vec![length], support, residual].concat());
    }
}

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let save = |target: &'static str| {
        let folder = seeds.join(target);
        std::fs::create_dir_all(&folder).expect("a folder");
        move |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("a file")
    };
    containers(&save("container"));
    arrays(&save("npy"));
    programs(&save("range_coder"));
    exact(&save("exact"));
}
