//! The physics figures against an implementation written from their document, on generated events and a real wedge.

mod common;

use inrfit::event::{Event, Samples};
use inrfit::io::{read_event, write_event};
use inrfit::metrics::{Clustering, Physics, clusters};
use inrfit_sampling::rng::Stream;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What the reference says; `None`, with a line that says so, where there is no Python.
fn reference(original: &Event, decoded: &Event, rule: &Clustering) -> Option<Value> {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("INRFIT_REQUIRE_PYTHON").is_none(),
            "INRFIT_REQUIRE_PYTHON is set: no python3"
        );
        eprintln!("skipped: no python3");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.npy", "b.npy"].map(|name| folder.path().join(name));
    for (path, event) in paths.iter().zip([original, decoded]) {
        write_event(path, event, false).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/physics_reference.py");
    let numbers = [rule.pedestal.to_string(), rule.prominence.to_string()];
    let run = Command::new("python3").arg("-B").arg(script).args(paths).args(numbers).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(serde_json::from_slice(&run.stdout).unwrap())
}

/// Every figure of `expected` is in `found`: counts exactly, sums of floats to rounding.
fn assert_same(found: &Value, expected: &Value, at: &str) {
    match expected {
        Value::Object(map) => {
            map.iter().for_each(|(key, e)| assert_same(&found[key.as_str()], e, &format!("{at}.{key}")));
        }
        Value::Array(list) => {
            assert_eq!(found.as_array().map(Vec::len), Some(list.len()), "{at}");
            list.iter().enumerate().for_each(|(i, e)| assert_same(&found[i], e, &format!("{at}[{i}]")));
        }
        Value::Number(e) if e.is_f64() => {
            let (f, e) = (found.as_f64().unwrap(), e.as_f64().unwrap());
            assert!((f - e).abs() <= 1e-9 * e.abs().max(1.0), "{at}: {f}, not {e}");
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

/// A copy with the damage of a lossy codec: values in coarse steps, some voxels gone, some new, some moved.
fn damaged(event: &Event, stream: &mut Stream) -> Event {
    let n = event.n_voxels();
    let mut samples = vec![0u16; n];
    for i in 0..n {
        let v = event.samples().get(i);
        let (fate, scale) = (stream.unit(), 0.8 + 0.4 * stream.unit());
        let to = if fate < 0.02 { (i + event.shape()[2]).min(n - 1) } else { i };
        if v != 0.0 && fate < 0.95 {
            samples[to] = samples[to].max((v * scale).clamp(60.0, 1023.0) as u16);
        } else if v == 0.0 && fate > 0.995 {
            samples[i] = (60.0 + 60.0 * stream.unit()) as u16;
        }
    }
    Event::new(event.shape(), Samples::from(samples)).unwrap()
}

#[test]
fn figures_are_those_of_the_document() {
    let mut stream = Stream::new(1, 0);
    let (mut n_lost, mut n_fake) = (0, 0);
    for (shape, occupied, steps) in
        [([30, 40, 2], 0.2, 20.0), ([25, 18, 1], 0.9, 4.0), ([1, 30, 2], 0.5, 9.0)]
    {
        // Few values, so that equal neighbours are common.
        let mut value = || match stream.unit() < occupied {
            true => (70.0 + (stream.unit() * steps).floor() * 1000.0 / steps).min(1023.0) as u16,
            false => 0,
        };
        let samples: Vec<u16> = (0..shape.iter().product()).map(|_| value()).collect();
        let original = Event::new(shape, Samples::from(samples)).unwrap();
        let decoded = damaged(&original, &mut stream);
        for rule in [Clustering::of(&original, 1023.0), Clustering { pedestal: 100.0, prominence: 300.0 }] {
            let found = Physics::compare(&original, &decoded, 1023.0, &rule).unwrap();
            let Some(expected) = reference(&original, &decoded, &rule) else { return };
            assert!(found.all.n_clusters > 0 && found.all.charge.is_some(), "{found:?}");
            (n_lost, n_fake) = (n_lost + found.all.n_lost, n_fake + found.all.n_fake);
            assert_same(&serde_json::to_value(&found).unwrap(), &expected, "physics");
        }
    }
    assert!(n_lost > 10 && n_fake > 10, "{n_lost} lost, {n_fake} fake: the cases do not show enough");
}

#[test]
fn figures_of_a_wedge_are_those_of_the_document() {
    let Some(data) = common::data() else { return };
    let original = read_event(&data.join("wedges/wedge_3093_8_2-0.npy")).unwrap();
    let decoded = damaged(&original, &mut Stream::new(2, 0));
    let rule = Clustering::of(&original, 1023.0);
    let start = Instant::now();
    let found = Physics::compare(&original, &decoded, 1023.0, &rule).unwrap();
    eprintln!("{:.2} s for {} clusters", start.elapsed().as_secs_f64(), found.all.n_clusters);
    let list = clusters(&original, &rule).unwrap();
    assert_eq!(list.len() as u64, found.all.n_clusters);
    // Voxels outside clusters are ripples lower than the prominence: nearly all of the charge is inside.
    let total: f64 =
        (0..original.n_voxels()).map(|i| (original.samples().get(i) - rule.pedestal).max(0.0)).sum();
    let inside: f64 = list.iter().map(|c| c.charge).sum();
    assert!(inside <= total && inside > 0.95 * total, "{inside} of {total}");
    let Some(expected) = reference(&original, &decoded, &rule) else { return };
    assert_same(&serde_json::to_value(&found).unwrap(), &expected, "physics");
}
