//! Several inputs at once, their results in order.

use inrfit::error::Result;
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, PoisonError};

/// How far the results are, and whether to go on.
#[derive(Default)]
struct Gate {
    n_done: usize,
    stopped: bool,
}

/// Lets nobody wait for a worker that has died.
struct Alarm<'a>(&'a Mutex<Gate>, &'a Condvar);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            stop(self.0, self.1);
        }
    }
}

fn stop(gate: &Mutex<Gate>, changed: &Condvar) {
    gate.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
    changed.notify_all();
}

/// Does `work` on everything that `source` gives, `n_jobs` at a time, and hands the results to `sink` in the order of
/// the source, until the sink says `false`. At most `n_jobs` inputs and twice as many results exist at once.
///
/// # Errors
/// Those of the sink, which end the work.
pub fn in_order<T: Send, R: Send>(
    n_jobs: usize,
    source: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut sink: impl FnMut(R) -> Result<bool>,
) -> Result<()> {
    if n_jobs <= 1 {
        for item in source {
            if !sink(work(item))? {
                break;
            }
        }
        return Ok(());
    }
    let (gate, changed) = (Mutex::new(Gate::default()), Condvar::new());
    let source = Mutex::new(source.enumerate());
    let (results, received) = channel();
    std::thread::scope(|scope| {
        for _ in 0..n_jobs {
            let results = results.clone();
            let (gate, changed, source, work) = (&gate, &changed, &source, &work);
            scope.spawn(move || {
                let _alarm = Alarm(gate, changed);
                loop {
                    let Ok(mut from) = source.lock() else { return };
                    let Some((i, item)) = from.next() else { return };
                    drop(from);
                    let Ok(mut now) = gate.lock() else { return };
                    while !now.stopped && i >= now.n_done + 2 * n_jobs {
                        let Ok(woken) = changed.wait(now) else { return };
                        now = woken;
                    }
                    if now.stopped {
                        return;
                    }
                    drop(now);
                    if results.send((i, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(results);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (i, result) in received {
            early.insert(i, result);
            while let Some(result) = early.remove(&next) {
                next += 1;
                match sink(result) {
                    Ok(true) => {}
                    ended => {
                        stop(&gate, &changed);
                        return ended.map(|_| ());
                    }
                }
                gate.lock().unwrap_or_else(PoisonError::into_inner).n_done = next;
                changed.notify_all();
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inrfit::error::Error;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn results_come_in_order_and_few_are_held() {
        for n_jobs in [1, 2, 5] {
            let (taken, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut got = vec![];
            let source = (0..60usize).inspect(|_| {
                let n_held = taken.fetch_add(1, Ordering::SeqCst) + 1 - done.load(Ordering::SeqCst);
                assert!(n_held <= 3 * n_jobs, "{n_held} with {n_jobs} jobs");
            });
            let work = |i: usize| {
                // The first of each ten takes longest.
                std::thread::sleep(Duration::from_millis(if i.is_multiple_of(10) { 8 } else { 1 }));
                i * i
            };
            in_order(n_jobs, source, work, |r| {
                got.push(r);
                done.fetch_add(1, Ordering::SeqCst);
                Ok(true)
            })
            .unwrap();
            assert_eq!(got, (0..60).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_sink_can_stop_and_fail() {
        for n_jobs in [1, 3] {
            let mut n = 0;
            in_order(
                n_jobs,
                0..1_000_000,
                |i| i,
                |i| {
                    n += 1;
                    Ok(i < 4)
                },
            )
            .unwrap();
            assert_eq!(n, 5);
            assert!(in_order(n_jobs, 0..1_000_000, |i| i, |_| Err(Error::argument("full"))).is_err());
        }
    }

    #[test]
    #[should_panic]
    fn a_worker_that_dies_is_not_waited_for() {
        let _ = in_order(2, 0..100, |i| assert_ne!(i, 3), |()| Ok(true));
    }
}
