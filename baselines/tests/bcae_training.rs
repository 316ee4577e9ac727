//! Training of autoencoders on small events.
#![cfg(feature = "bcae")]

use inrfit_baselines::Array;
use inrfit_baselines::bcae::{Architecture, Device, Model, Trainer, Training};

/// Two small events with bands of pulses.
fn batch() -> [Array; 2] {
    let shape = [16, 25, 16];
    [3, 5].map(|step| {
        let counts = (0..16 * 25 * 16).map(|i: usize| {
            let (a, z, l) = (i / 400, i / 16 % 25, i % 16);
            let phase = (step * a + z + 2 * l) % 24;
            if phase < 4 { (70 + 40 * (phase % 3) + 3 * a) as u16 } else { 0 }
        });
        Array::new(shape, counts.collect()).unwrap()
    })
}

#[test]
fn every_architecture_learns_a_batch_and_does_so_alike_each_time() {
    let events = batch();
    let events: Vec<&Array> = events.iter().collect();
    for name in ["bcae", "bcae-wot", "cae", "bcae++", "bcae-ht", "bcae-2d:2,2,2"] {
        let run = || {
            let architecture = name.parse().unwrap();
            let mut trainer = Trainer::new(architecture, Training::published(architecture)).unwrap();
            let losses: Vec<_> = (0..20).map(|_| trainer.step(&events, &Device::flex()).unwrap()).collect();
            (losses, trainer.to_bytes().unwrap())
        };
        let (losses, bytes) = run();
        // What is minimised, its factor being 2000 in the first epoch.
        let total = |(segmentation, regression): (f64, f64)| 2000.0 * segmentation + regression;
        let (first, last) = (total(losses[0]), total(losses[19]));
        eprintln!("{name}: {first:.2} to {last:.2}");
        // A single ReLU that starts near zero, as in cae, is the slowest.
        assert!(last < 0.96 * first, "{name}: {first} to {last}");
        assert_eq!(run(), (losses, bytes), "{name}: a second training differs");
    }
}

#[test]
fn a_resumed_training_goes_on_as_an_unbroken_one() {
    let events = batch();
    let architecture: Architecture = "bcae-ht".parse().unwrap();
    let training = Training { batch: 1, ..Training::published(architecture) };
    let device = Device::flex();
    let epoch = |trainer: &mut Trainer| {
        trainer.epoch(2, &mut |i| Ok(events[i].clone()), &mut |_| true, &device).unwrap().unwrap()
    };
    let mut unbroken = Trainer::new(architecture, training.clone()).unwrap();
    epoch(&mut unbroken);
    let checkpoint = unbroken.to_bytes().unwrap();
    let second = epoch(&mut unbroken);
    assert_ne!(second.coefficient, 2000.0, "the balance of the losses stays as it starts");

    let mut resumed = Trainer::from_bytes(&checkpoint).unwrap();
    assert_eq!(epoch(&mut resumed), second);
    assert_eq!(resumed.to_bytes().unwrap(), unbroken.to_bytes().unwrap());
    assert_eq!(resumed.epochs().len(), 2);

    let mut stopped = Trainer::from_bytes(&checkpoint).unwrap();
    let ended = stopped.epoch(2, &mut |i| Ok(events[i].clone()), &mut |n| n < 1, &device).unwrap();
    assert!(ended.is_none());
    assert!(Model::from_bytes(&checkpoint).is_err(), "a checkpoint is no model");
    assert!(Trainer::from_bytes(&checkpoint[..checkpoint.len() - 1]).is_err());
    let other = Array::new([16, 25, 8], vec![0; 3200]).unwrap();
    assert!(resumed.step(&[&events[0], &other], &device).is_err(), "one batch, two shapes");
}
