//! The events of a file, whatever it is: an array, an archive of arrays, raw samples.

use super::array::{ArrayEvents, Layout, ReadSettings};
use super::{npy, npz};
use crate::error::{Error, Result};
use crate::event::Event;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where bytes come from, as often as they are asked for.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Bytes in memory.
    Memory(Arc<[u8]>),
}

/// What members of an archive are read from.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

impl Source {
    /// A reader at the first byte.
    ///
    /// # Errors
    /// `Io`; `Argument` for a folder.
    pub fn open(&self) -> Result<Box<dyn ReadSeek>> {
        Ok(match self {
            Source::File(path) => Box::new(BufReader::new(open_file(path)?)),
            Source::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        })
    }
}

/// Opens a file for reading.
///
/// # Errors
/// `Io`; `Argument` for a folder, which some systems open and then do not read.
fn open_file(path: &Path) -> Result<File> {
    let refuse = |e| Error::io("cannot open it", e);
    let file = File::open(path).map_err(refuse)?;
    match file.metadata().map_err(refuse)?.is_dir() {
        true => Err(Error::argument("it is a folder: name the files in it")),
        false => Ok(file),
    }
}

/// Which event of a file: nothing for a file that is one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The array of an archive.
    pub array: Option<String>,
    /// The event of a stack.
    pub index: Option<usize>,
}

impl Origin {
    /// Whether the file is this event alone.
    pub fn is_whole(&self) -> bool {
        self.array.is_none() && self.index.is_none()
    }
}

/// `:array[index]`, to stand after the name of the file.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(array) = &self.array {
            write!(f, ":{array}")?;
        }
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputSettings {
    /// Raw samples of this layout; else the file says what it is.
    pub raw: Option<Layout>,
    /// Limits and rounding.
    pub read: ReadSettings,
}

/// The events of one file, in order, read when they are asked for: memory holds one at a time (all of a stack in
/// Fortran order).
pub struct Events {
    settings: InputSettings,
    current: Option<Current>,
    source: Source,
    /// Members of an archive that are not open yet, last first.
    members: Vec<npz::Member>,
    is_archive: bool,
}

struct Current {
    array: Option<String>,
    events: ArrayEvents<Box<dyn Read + Send>>,
}

impl Events {
    /// The events of the file at `path`: `.npy` and `.npz` by their first bytes, or raw samples as the settings say.
    ///
    /// # Errors
    /// `Io`; `Argument` for a folder and for arrays without numbers; `Corrupt`, `Truncated`, `Unsupported`, `Limit`
    /// as [`npy::open`]. Messages start with the file's name.
    pub fn open(path: &Path, settings: &InputSettings) -> Result<Events> {
        let named = |e: Error| e.context(path.display());
        let file = open_file(path).map_err(named)?;
        // A pipe can be read once only.
        let source = match path.is_file() {
            true => Source::File(path.to_owned()),
            false => Source::Memory(Arc::from([])),
        };
        Events::of(Box::new(BufReader::new(file)), source, settings).map_err(named)
    }

    /// The events in what `reader` gives, such as standard input. An archive is read whole first: its directory
    /// stands at its end.
    ///
    /// # Errors
    /// As [`Events::open`].
    pub fn from_reader(reader: Box<dyn Read + Send>, settings: &InputSettings) -> Result<Events> {
        Events::of(reader, Source::Memory(Arc::from([])), settings)
    }

    fn of(mut reader: Box<dyn Read + Send>, source: Source, settings: &InputSettings) -> Result<Events> {
        let mut events = Events {
            settings: settings.clone(),
            current: None,
            source,
            members: Vec::new(),
            is_archive: false,
        };
        if let Some(layout) = &settings.raw {
            let array = ArrayEvents::new(reader, layout, settings.read)?;
            events.current = Some(Current { array: None, events: array });
            return Ok(events);
        }
        let mut head = Vec::new();
        let io = |e| Error::io("reading", e);
        reader.by_ref().take(npz::MAGIC.len() as u64).read_to_end(&mut head).map_err(io)?;
        if head.is_empty() {
            return Err(Error::new(crate::error::ErrorKind::Truncated, "it is empty"));
        }
        if head == npz::MAGIC || head == npz::EMPTY {
            if let Source::Memory(bytes) = &mut events.source {
                reader.read_to_end(&mut head).map_err(io)?;
                *bytes = Arc::from(head);
            }
            events.is_archive = true;
            events.members = npz::members(&events.source)?;
            events.members.reverse();
            return Ok(events);
        }
        if head.len() == npz::MAGIC.len() && !npy::MAGIC.starts_with(&head) {
            return Err(Error::corrupt(
                "its first bytes are those of no .npy or .npz file; raw samples need --shape and --dtype",
            ));
        }
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(reader));
        let array = npy::open(whole, settings.read)?;
        events.current = Some(Current { array: None, events: array });
        Ok(events)
    }

    /// Whether the file may hold several events: a 4-D array or an archive, even of one.
    pub fn is_collection(&self) -> bool {
        self.is_archive || self.current.as_ref().is_some_and(|c| c.events.is_stack())
    }

    /// Which event comes next; `None` after the last. An error is that of an array of an archive, and passes over it.
    ///
    /// # Errors
    /// As [`npy::open`], with the array's name.
    pub fn peek(&mut self) -> Option<Result<Origin>> {
        loop {
            if let Some(current) = &self.current
                && let Some(index) = current.events.next_index()
            {
                let index = current.events.is_stack().then_some(index);
                return Some(Ok(Origin { array: current.array.clone(), index }));
            }
            self.current = None;
            let member = self.members.pop()?;
            let name = member.name.clone();
            let opened = member.open(&self.source).and_then(|reader| npy::open(reader, self.settings.read));
            match opened {
                Ok(events) => self.current = Some(Current { array: Some(name), events }),
                Err(error) => return Some(Err(error.context(format!("array {name}")))),
            }
        }
    }

    /// Reads the next event; `None` after the last. After an error the next call gives the next event that can be
    /// read.
    ///
    /// # Errors
    /// As [`ArrayEvents::read`] and [`Events::peek`].
    pub fn read(&mut self) -> Option<Result<Event>> {
        if let Err(error) = self.peek()? {
            return Some(Err(error));
        }
        self.current.as_mut().map(|c| c.events.read())
    }

    /// Passes over the next event.
    ///
    /// # Errors
    /// As [`Events::read`].
    pub fn skip(&mut self) -> Option<Result<()>> {
        if let Err(error) = self.peek()? {
            return Some(Err(error));
        }
        self.current.as_mut().map(|c| c.events.skip())
    }
}
