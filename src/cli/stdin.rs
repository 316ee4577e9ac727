//! Standard input that Ctrl-C ends.

use super::progress::interrupted;
use std::io::{Cursor, Error, ErrorKind, Read, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Bytes that are handed over at once.
const CHUNK: usize = 1 << 16;
/// How often a reader that waits looks whether the user has asked to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// Standard input, read by a thread of its own: a read that waits for what others send cannot be called off, waiting
/// for that thread can.
pub struct Stdin {
    chunks: Receiver<Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
    has_ended: bool,
}

impl Stdin {
    /// Starts to read. Standard input can be read once only: what another reader has taken is gone.
    pub fn new() -> Stdin {
        let (sender, chunks) = sync_channel(4);
        std::thread::spawn(move || hand_over(&mut std::io::stdin().lock(), &sender));
        Stdin { chunks, current: Cursor::default(), has_ended: false }
    }
}

/// Sends all that `reader` gives, its end as an empty chunk.
fn hand_over(reader: &mut dyn Read, sender: &SyncSender<Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match reader.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_last = !matches!(read, Ok(1..));
        let sent = sender.send(read.map(|n| {
            chunk.truncate(n);
            chunk
        }));
        if is_last || sent.is_err() {
            return;
        }
    }
}

impl Read for Stdin {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let n = self.current.read(out)?;
            if n > 0 || out.is_empty() || self.has_ended {
                return Ok(n);
            }
            if interrupted() {
                // Not of kind Interrupted, after which readers try again.
                return Err(Error::other("stopped on request"));
            }
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => {
                    self.current = Cursor::new(chunk?);
                    self.has_ended = self.current.get_ref().is_empty();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.has_ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_what_was_read() {
        let bytes: Vec<u8> = (0..5 * CHUNK + 7).map(|i| (i % 251) as u8).collect();
        let (sender, chunks) = sync_channel(1);
        let mut source = Cursor::new(bytes.clone());
        std::thread::spawn(move || hand_over(&mut source, &sender));
        let mut stdin = Stdin { chunks, current: Cursor::default(), has_ended: false };
        let mut got = vec![];
        stdin.read_to_end(&mut got).unwrap();
        assert!(got == bytes);
        assert_eq!(stdin.read(&mut [0; 4]).unwrap(), 0, "the end stays the end");
    }
}
