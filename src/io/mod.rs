//! Files to events and back; files appear whole or not at all.

pub mod array;
mod events;
pub mod npy;
mod npz;

pub use array::ReadSettings;
pub use events::{Events, InputSettings, Origin, ReadSeek, Source};

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use std::fs::{File, TryLockError};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Ending of temporary files, so that what a killed program left behind can be told.
pub const TEMPORARY: &str = ".inrfit-tmp";

/// Reads the one event of an `.npy` or `.npz` file.
///
/// # Errors
/// As [`Events::open`] and [`Events::read`]; `Unsupported` for a file of several events.
pub fn read_event(path: &Path) -> Result<Event> {
    let named = |e: Error| e.context(path.display());
    let mut events = Events::open(path, &InputSettings::default())?;
    let Some(event) = events.read() else { return Err(named(Error::argument("no event in it"))) };
    match events.peek() {
        None => event.map_err(named),
        Some(_) => Err(named(Error::new(
            ErrorKind::Unsupported,
            "several events where one is wanted: take one, as in a[0]",
        ))),
    }
}

/// Several events where one is wanted.
fn is_a_stack(n: usize) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("a stack of {n} events where one is wanted: take one, as in a[0]"),
    )
}

/// Writes an event as an `.npy` file.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_event(path: &Path, event: &Event, force: bool) -> Result<()> {
    write_atomically(path, force, &mut |writer| npy::write(writer, event))
}

/// Writes a file by `fill`: to a temporary file in the same folder, which takes the name once all of it is on disk.
/// Without `force`, a file of that name stays as it is.
///
/// # Errors
/// `Argument` where the name is taken or no file name, `Io` where the system refuses, and whatever `fill` returns;
/// nothing is left behind then.
pub fn write_atomically(
    path: &Path,
    force: bool,
    fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let named = |e: Error| e.context(path.display());
    let io = |what: &'static str| move |e: std::io::Error| Error::io(what, e).context(path.display());
    let taken = || Error::argument(format!("{}: it exists already; --force overwrites it", path.display()));
    // What a link points to is replaced, not the link.
    let target =
        if force && path.is_symlink() { path.canonicalize().map_err(io("a link"))? } else { path.into() };
    match target.symlink_metadata() {
        Ok(found) if found.is_dir() => {
            return Err(named(Error::argument("it is a folder: name a file in it")));
        }
        // Asked again when the file takes its name; this saves the work.
        Ok(_) if !force => return Err(taken()),
        Ok(found) if !found.is_file() => {
            return Err(named(Error::argument("a device or pipe, which cannot be replaced by a file")));
        }
        _ => {}
    }
    let Some(name) = target.file_name() else {
        return Err(named(Error::argument("not the name of a file")));
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(named(Error::argument("its folder does not exist")));
    }
    // Names end at 255 bytes on most systems: room for the random part and the ending.
    let shown: String = name.to_string_lossy().chars().take(48).collect();
    let prefix = format!(".{shown}.");
    let mut temporary = tempfile::Builder::new();
    // A new file has the rights that the user's mask gives, not those of a secret.
    #[cfg(unix)]
    temporary.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = temporary
        .prefix(&prefix)
        .suffix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(io("cannot create a file in its folder"))?;
    // Held until the file has its name or is gone, so that `leftovers` can tell it from a dead program's. Where the
    // file system has no locks, it cannot, and says nothing.
    let _ = temporary.as_file().lock();
    let mut writer = BufWriter::new(temporary);
    fill(&mut writer).map_err(named)?;
    writer.flush().map_err(io("cannot write it"))?;
    let temporary = writer.into_inner().map_err(|e| io("cannot write it")(e.into_error()))?;
    temporary.as_file().sync_all().map_err(io("cannot write it"))?;
    let persisted = if force { temporary.persist(&target) } else { temporary.persist_noclobber(&target) };
    persisted.map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => taken(),
        _ => io("cannot give it its name")(e.error),
    })?;
    // The name itself must reach the disk too; where folders cannot be opened, the system sees to it.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().map_err(io("cannot write its folder"))?;
    }
    Ok(())
}

/// Temporary files in `folder` that belong to no running program: what is left of one that was killed while it wrote.
///
/// Sorted by name; empty where the folder cannot be read.
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_temporary = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.starts_with(b".") && name.ends_with(TEMPORARY.as_bytes())
    };
    // A file that nobody holds the lock of has lost its writer.
    let is_dead = |path: &PathBuf| match File::open(path) {
        Ok(file) => !matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| is_temporary(p) && is_dead(p)).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn files_appear_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.npy");
        let event = |n| Event::new([1, 1, 1], Samples::from(vec![n])).unwrap();
        write_event(&path, &event(7u16), false).unwrap();
        assert_eq!(read_event(&path).unwrap(), event(7));
        let error = write_event(&path, &event(8), false).unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.to_string().contains("--force"), "{error}");
        assert_eq!(read_event(&path).unwrap(), event(7));
        write_event(&path, &event(9), true).unwrap();
        assert_eq!(read_event(&path).unwrap(), event(9));
        let fails = &mut |writer: &mut dyn Write| {
            writer.write_all(b"half").unwrap();
            Err(Error::corrupt("on purpose"))
        };
        assert!(write_atomically(&path, true, fails).is_err());
        assert_eq!(read_event(&path).unwrap(), event(9));
        assert_eq!(names(folder.path()), ["event.npy"]);
    }

    #[test]
    fn a_file_made_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.npy");
        let error = write_atomically(&path, false, &mut |writer| {
            std::fs::write(&path, b"somebody else's").unwrap();
            writer.write_all(b"ours").map_err(|e| Error::io("writing", e))
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
        assert_eq!(names(folder.path()), ["event.npy"]);
    }

    #[test]
    fn leftovers_are_told_from_files_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!(".event.npy.abc{TEMPORARY}"));
        std::fs::write(&left, b"half").unwrap();
        std::fs::write(folder.path().join("other.npy"), b"").unwrap();
        write_atomically(&folder.path().join("event.npy"), false, &mut |_| {
            assert_eq!(names(folder.path()).len(), 3, "a temporary file is there");
            assert_eq!(leftovers(folder.path()), std::slice::from_ref(&left), "and is known to be in use");
            Ok(())
        })
        .unwrap();
        assert_eq!(leftovers(folder.path()), [left]);
        assert!(leftovers(&folder.path().join("none")).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut fill = |w: &mut dyn Write| w.write_all(b"new").map_err(|e| Error::io("writing", e));
        assert!(write_atomically(&link, false, &mut fill).is_err());
        write_atomically(&link, true, &mut fill).unwrap();
        assert!(link.is_symlink() && std::fs::read(&file).unwrap() == b"new");
        assert_eq!(
            write_atomically(Path::new("/dev/null"), true, &mut fill).unwrap_err().kind(),
            ErrorKind::Argument
        );
    }

    #[test]
    fn places_without_a_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &Path| write_atomically(path, true, &mut |_| Ok(())).unwrap_err();
        assert_eq!(write(folder.path()).kind(), ErrorKind::Argument);
        assert_eq!(write(&folder.path().join("no/such/folder.npy")).kind(), ErrorKind::Argument);
        assert_eq!(write(Path::new("..")).kind(), ErrorKind::Argument);
        let long = folder.path().join("n".repeat(250));
        write_atomically(&long, false, &mut |_| Ok(())).unwrap();
        assert!(read_event(folder.path()).unwrap_err().to_string().contains("a folder"));
        let error = read_event(&folder.path().join("missing.npy")).unwrap_err();
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("missing.npy"), "{error}");
    }
}
