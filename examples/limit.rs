//! Draws error against ratio from rows of `inrfit bench`, beside rivals measured on the same events, and tells where
//! a rival is ahead.
//!
//! `cargo run --release --example limit -- ROWS.csv OUT.svg [RIVALS.csv]`. Rivals are a table with the columns event,
//! codec, settings, layout, threshold, bytes, ratio, MSE, log-MAE, one row an event and choice of settings; of each
//! codec the choices that no other of its own beats are drawn.

use inrfit_figures::{Curve, Record, record, summarise};
use std::collections::BTreeMap;
use std::path::Path;

/// Ranges of ratios in which rivals are counted.
const RATIOS: [std::ops::Range<f64>; 2] = [10.0..200.0, 200.0..600.0];

/// Rivals that are drawn; all are compared.
const DRAWN: [&str; 5] = ["sz3", "zfp", "mgard", "quant+bzip2-9", "bcae"];

/// Total ratio and mean log-MAE of one choice of settings.
#[derive(Debug, Clone, Copy)]
struct Point {
    ratio: f64,
    log_mae: f64,
}

impl Point {
    fn of(rows: &[Record]) -> Option<Point> {
        let sum = |f: fn(&Record) -> Option<u64>| rows.iter().map(f).sum::<Option<u64>>();
        let log_mae = rows.iter().map(|r| r.log_mae).sum::<Option<f64>>()? / rows.len() as f64;
        Some(Point { ratio: sum(|r| r.raw_bytes)? as f64 / sum(|r| r.bytes)? as f64, log_mae })
    }

    /// Whether `self` is no larger and no worse than `other`, and one of both is better.
    fn beats(self, other: Point) -> bool {
        self.ratio >= other.ratio && self.log_mae < other.log_mae
    }
}

type Choices = BTreeMap<(String, String), Vec<Record>>;

fn choices(rows: Vec<Record>) -> Choices {
    let mut out = Choices::new();
    for row in rows {
        out.entry((row.codec.clone(), row.settings.clone())).or_default().push(row);
    }
    out
}

fn rivals(text: &str) -> Result<Vec<Record>, String> {
    let lines = text.lines().skip(1).enumerate();
    lines
        .map(|(i, line)| {
            let bad = || format!("line {}: {line}", i + 2);
            let c: Vec<&str> = line.split(',').collect();
            let [event, codec, settings, layout, threshold, bytes, ratio, mse, log_mae, ..] = c[..] else {
                return Err(bad());
            };
            let mut row = Record::new(event, codec, format!("{settings} {layout} {threshold}"));
            let number = |s: &str| s.parse::<f64>().map_err(|_| bad());
            let (bytes, ratio) = (number(bytes)?, number(ratio)?);
            row.bytes = Some(bytes as u64);
            row.raw_bytes = Some((bytes * ratio).round() as u64);
            row.ratio = Some(ratio);
            row.mse = mse.parse().ok();
            row.log_mae = log_mae.parse().ok();
            Ok(row)
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ([rows, out] | [rows, out, _]) = &args[..] else {
        return Err("usage: limit ROWS.csv OUT.svg [RIVALS.csv]".into());
    };
    let mut drawn = record::read(Path::new(rows))?;
    let ours: Vec<Point> = choices(drawn.clone()).values().filter_map(|rows| Point::of(rows)).collect();
    if let Some(path) = args.get(2) {
        let theirs = choices(rivals(&std::fs::read_to_string(path)?)?);
        let points: Vec<(&str, Point, &[Record])> = theirs
            .iter()
            .filter_map(|((codec, _), rows)| Some((&codec[..], Point::of(rows)?, &rows[..])))
            .collect();
        let mut counts = RATIOS.map(|_| (0, 0));
        for (codec, point, rows) in &points {
            let mut own = points.iter().filter(|(other, ..)| other == codec);
            // A prototype of this program's own contexts is no rival.
            let rival = *codec != "context-mixing";
            if DRAWN.contains(codec) && !own.any(|(_, other, _)| other.beats(*point)) {
                drawn.extend(rows.iter().cloned());
            }
            let range = RATIOS.iter().position(|range| range.contains(&point.ratio));
            if let (true, Some(range)) = (rival, range) {
                let (n_ahead, n) = &mut counts[range];
                *n += 1;
                if !ours.iter().any(|our| our.beats(*point) || our.log_mae == 0.0 && our.ratio >= point.ratio)
                {
                    *n_ahead += 1;
                    println!(
                        "ahead: {codec} {} at ratio {:.1}, log-MAE {:.4}",
                        rows[0].settings, point.ratio, point.log_mae
                    );
                }
            }
        }
        for ((n_ahead, n), range) in counts.iter().zip(&RATIOS) {
            println!(
                "{n_ahead} of {n} choices of rivals between ratios {} and {} are not beaten at their own ratio",
                range.start, range.end
            );
        }
    }
    for s in summarise(&drawn).iter().filter(|s| s.codec.starts_with("inr:")) {
        println!("{} {}: ratio {:.2}", s.codec, s.settings, s.ratio.unwrap_or(f64::NAN));
    }
    let title = "Five wedges: error against ratio".to_owned();
    Curve { title, ..Curve::default() }.save(&drawn, Path::new(out))?;
    Ok(())
}
