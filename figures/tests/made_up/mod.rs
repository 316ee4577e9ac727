//! Rows and events that look like measured ones. Nothing in them was measured.

// Every test program that includes this module uses only a part of it.
#![allow(dead_code)]

use inrfit_figures::{Record, SamplingRow};

/// Three codecs on five inputs: two with several settings, one with a single one, one failed run, one exact setting.
pub fn records() -> Vec<Record> {
    let mut rows = Vec::new();
    let settings = [("network", 45.0, 0.06, 6), ("transform", 20.0, 0.02, 5), ("autoencoder", 33.2, 0.16, 1)];
    for (codec, ratio, log_mae, n) in settings {
        for k in 0..n {
            for i in 0..5 {
                let (k, spread) = (f64::from(k), 1.0 + 0.12 * f64::from(i - 2));
                let mut row = Record::new(format!("wedge_{i}.npy"), codec, format!("--size {k}"));
                let bytes = (1_529_856.0 / (ratio * 1.35f64.powf(k) / spread)) as u64;
                row.host = "machine".to_owned();
                row.device = "cpu, \"two cores\"".to_owned();
                row.commit = "0123abc".to_owned();
                row.threads = Some(2);
                row.raw_bytes = Some(1_529_856);
                row.bytes = Some(bytes);
                row.ratio = Some(1_529_856.0 / bytes as f64);
                let exact = codec == "transform" && k == 0.0;
                let error = if exact { 0.0 } else { log_mae * 1.5f64.powf(k) * spread.powf(1.5) };
                row.log_mae = Some(error);
                row.mse = Some(2000.0 * error);
                row.mae = Some(error * 3.0 + 0.1);
                row.log_mse = Some(error * error * 2.0);
                row.psnr_db = Some(10.0 * (1023.0f64.powi(2) / (2000.0 * error)).log10());
                row.precision = Some(1.0 - error / 3.0);
                row.recall = Some(1.0 - error / 7.0);
                row.max_error = Some((error * 5000.0).round());
                row.max_log_error = Some(error * 10.0);
                row.occupancy = Some(0.1 * spread);
                row.n_weights = (codec == "network").then_some(17_153);
                row.encode_seconds = Some(100.0 / 3.0);
                row.decode_seconds = Some(0.1 + 0.2);
                rows.push(row);
            }
        }
    }
    let mut failed = Record::new("wedge_5.npy", "transform", "--size 1");
    failed.error = Some("out of memory,\nsaid \"the system\"".to_owned());
    rows.push(failed);
    rows
}

/// Three samplers with points at doubling times.
pub fn sampling_rows() -> Vec<SamplingRow> {
    let mut rows = Vec::new();
    for (sampler, speed, end) in
        [("importance", 4.0, 0.058), ("balanced", 3.2, 0.062), ("uniform", 1.0, 0.10)]
    {
        for k in 0..8u32 {
            let seconds = 0.75 * f64::from(1 << k);
            let log_mae = end + 0.9 / (1.0 + speed * seconds.powf(1.1) / 3.0);
            let steps = 50 << k;
            rows.push(SamplingRow {
                sampler: sampler.to_owned(),
                seconds,
                steps,
                samples: steps * 8192,
                log_mae,
                fraction: Some(0.01 * f64::from(1 << k)),
            });
        }
    }
    rows
}

/// An event with a few tracks and a copy with errors, both `shape` in C order.
pub fn event(shape: [usize; 3]) -> (Vec<f32>, Vec<f32>) {
    let [n_azimuth, n_z, n_layers] = shape;
    let mut original = vec![0f32; n_azimuth * n_z * n_layers];
    for track in 0..12 {
        for step in 0..n_z {
            let azimuth = (track * 17 + step * (track % 5) / 4) % n_azimuth;
            let layer = (track + step / 8) % n_layers;
            let pulse = [90.0, 300.0, 620.0, 240.0, 75.0, 0.0, 0.0][(step + track) % 7];
            original[(azimuth * n_z + step) * n_layers + layer] =
                pulse + if pulse > 0.0 { track as f32 } else { 0.0 };
        }
    }
    let blur = |(i, v): (usize, &f32)| match (i * 7919) % 13 {
        0 => 0.0,
        k if *v > 0.0 => (v * (0.85 + 0.025 * k as f32)).round(),
        _ => 0.0,
    };
    let decoded = original.iter().enumerate().map(blur).collect();
    (original, decoded)
}
