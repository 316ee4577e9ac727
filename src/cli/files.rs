//! Which file becomes which, and reading compressed files.

use super::output::note;
use super::progress::go_on;
use super::stdin::Stdin;
use inrfit::container::{PackReader, is_pack};
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::io::{ReadSeek, Source, leftovers, write_atomically};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufWriter, Cursor, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ending of compressed files.
pub const ENDING: &str = "inrfit";
/// First bytes of a .npy file.
const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// First bytes of a .npz file.
const NPZ_MAGIC: &[u8] = b"PK\x03\x04";
/// First bytes of a compressed file.
const MAGIC: &[u8] = b"\x89INRF\r\n\x1a";

/// What stands for standard input and standard output.
pub const STDIN: &str = "-";

/// Whether a path stands for standard input (or output) instead of a file.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// An error of reading the rows in the file at `path`.
pub fn rows_error(path: &Path, error: inrfit_figures::Error) -> Error {
    match error {
        inrfit_figures::Error::Io { source, .. } => Error::io(path.display(), source),
        error => Error::new(ErrorKind::Corrupt, error.to_string()),
    }
}

/// Where one result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Output {
    /// What it is called in messages and reports.
    pub fn path(&self) -> &Path {
        match self {
            Output::Stdout => Path::new(STDIN),
            Output::File(path) => path,
        }
    }

    /// Refuses, before any work is done for it, an output that could not be written afterwards.
    ///
    /// # Errors
    /// As [`check_output`]; `Argument` for a terminal.
    pub fn check(&self, force: bool) -> Result<()> {
        match self {
            Output::Stdout if std::io::stdout().is_terminal() => Err(Error::argument(
                "standard output is a terminal, and the result is not text: name a file with -o, or use a pipe",
            )),
            Output::Stdout => Ok(()),
            Output::File(path) => check_output(path, force),
        }
    }

    /// Writes by `fill`: a file appears whole or not at all.
    ///
    /// # Errors
    /// As `write_atomically`; `Io` where standard output fails.
    pub fn write(&self, force: bool, fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self {
            Output::File(path) => write_file(path, force, fill),
            Output::Stdout => {
                let mut stdout = BufWriter::new(std::io::stdout());
                fill(&mut stdout)
                    .and_then(|()| stdout.flush().map_err(|e| Error::io("cannot write it", e)))
                    .map_err(|e| e.context("standard output"))
            }
        }
    }
}

/// Where the results of a run go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To standard output.
    Stdout,
    /// Into this file.
    File(PathBuf),
    /// Into this folder, under names of their own.
    Folder(PathBuf),
    /// Beside each input.
    Beside,
}

impl Place {
    /// Where `-o` says: a file for one input (for any number where `all_in_one`), an existing folder for any number,
    /// `-` for standard output; without it beside the inputs, or standard output for standard input.
    ///
    /// # Errors
    /// `Argument` where several results would go to one place.
    pub fn new(inputs: &[PathBuf], output: Option<&Path>, all_in_one: bool) -> Result<Place> {
        let n_stdin = inputs.iter().filter(|i| is_stdin(i)).count();
        if n_stdin > 1 {
            return Err(once_only());
        }
        let one = inputs.len() == 1 || all_in_one;
        match output {
            Some(o) if is_stdin(o) && one => Ok(Place::Stdout),
            Some(o) if is_stdin(o) => Err(Error::argument(
                "standard output takes one result; with several inputs -o names a folder",
            )),
            Some(o) if o.is_dir() => Ok(Place::Folder(o.to_owned())),
            Some(o) if one => Ok(Place::File(o.to_owned())),
            Some(o) => Err(Error::argument(format!(
                "{}: with several inputs -o names an existing folder",
                o.display()
            ))),
            None if n_stdin == 1 && inputs.len() == 1 => Ok(Place::Stdout),
            None if n_stdin == 1 => {
                Err(Error::argument("with standard input (-) among others, name a folder with -o"))
            }
            None => Ok(Place::Beside),
        }
    }

    /// Where the result of a whole input goes; `named` gives its name where none was given.
    ///
    /// # Errors
    /// Those of `named`.
    pub fn of(&self, input: &Path, named: impl Fn(&Path) -> Result<PathBuf>) -> Result<Output> {
        Ok(match self {
            Place::Stdout => Output::Stdout,
            Place::File(path) => Output::File(path.clone()),
            Place::Folder(folder) => Output::File(folder.join(named(input)?.file_name().unwrap_or_default())),
            Place::Beside => Output::File(named(input)?),
        })
    }

    /// Checks, before any work, that no two results of whole inputs are one file, and none is an input.
    ///
    /// # Errors
    /// `Argument`, and those of `named`.
    pub fn check(&self, inputs: &[PathBuf], named: impl Fn(&Path) -> Result<PathBuf>) -> Result<()> {
        let all: BTreeMap<PathBuf, &PathBuf> =
            inputs.iter().filter(|i| !is_stdin(i)).map(|i| (identity(i), i)).collect();
        let mut results: BTreeMap<PathBuf, &PathBuf> = BTreeMap::new();
        for input in inputs {
            let Output::File(path) = self.of(input, &named)? else { continue };
            if let Some(same) = all.get(&identity(&path)) {
                return Err(Error::argument(format!(
                    "{}: output and input are the same file",
                    same.display()
                )));
            }
            if let Some(other) = results.insert(identity(&path), input) {
                return Err(Error::argument(format!(
                    "{}: {} and {} would both be written there; write them into different folders",
                    path.display(),
                    other.display(),
                    input.display(),
                )));
            }
        }
        Ok(())
    }

    /// The folders that results go to.
    pub fn folders(&self, inputs: &[PathBuf]) -> BTreeSet<PathBuf> {
        let parent = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        match self {
            Place::Stdout => BTreeSet::new(),
            Place::File(path) => BTreeSet::from([parent(path)]),
            Place::Folder(folder) => BTreeSet::from([folder.clone()]),
            Place::Beside => inputs.iter().map(|i| parent(i)).collect(),
        }
    }
}

/// Says which temporary files a killed program left where results go.
pub fn tell_leftovers(folders: &BTreeSet<PathBuf>) {
    for left in folders.iter().flat_map(|folder| leftovers(folder)) {
        note(&format!("inrfit: {}: left by a run that was killed; it can be removed", left.display()));
    }
}

/// Refuses to write a file twice in one run.
#[derive(Debug, Default)]
pub struct Written(BTreeSet<PathBuf>);

impl Written {
    /// Remembers `output`.
    ///
    /// # Errors
    /// `Argument` where this run has written it already.
    pub fn add(&mut self, output: &Output) -> Result<()> {
        let Output::File(path) = output else { return Ok(()) };
        match self.0.insert(identity(path)) {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "{}: another event of this run is written there; use different folders",
                path.display()
            ))),
        }
    }
}

/// `path` with `.ending` after its whole name.
pub fn appended(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// The file a path means, whether or not it exists.
fn identity(path: &Path) -> PathBuf {
    let parent = || path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    path.canonicalize()
        .or_else(|_| {
            Ok::<_, std::io::Error>(parent().canonicalize()?.join(path.file_name().unwrap_or_default()))
        })
        .unwrap_or_else(|_| path.to_owned())
}

/// Refuses, before any work is done for it, an output that could not be written afterwards.
///
/// # Errors
/// `Argument` where it exists and `force` is not given, is a folder, or its folder does not exist.
pub fn check_output(path: &Path, force: bool) -> Result<()> {
    let refuse = |why: &str| Err(Error::argument(format!("{}: {why}", path.display())));
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => refuse("is a folder; name a file"),
        Ok(_) if !force => refuse("exists already; --force replaces it, -o names another"),
        Ok(_) => Ok(()),
        Err(_) if path.file_name().is_none() || parent.is_some_and(|p| !p.is_dir()) => {
            refuse("its folder does not exist; create it first")
        }
        Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            refuse("there is no such folder; create it first")
        }
        Err(_) => Ok(()),
    }
}

/// What a file is, by its first bytes.
pub enum Content {
    /// An array, or an archive of arrays, as NumPy saves them: where it is.
    Array(Source),
    /// A compressed event, or anything else for its reader to refuse.
    Event(Vec<u8>),
    /// Several compressed events.
    Pack(PackReader<Box<dyn ReadSeek>>),
}

/// What the file at `path` is, or standard input where the path is `-`.
///
/// # Errors
/// `Io`, or `Argument` for a folder; for packs as `PackReader::open`. With the path.
pub fn content(path: &Path) -> Result<Content> {
    let named = |e: Error| e.context(path.display());
    let io = |e| named(Error::io("reading", e));
    let source = match is_stdin(path) {
        true => {
            let mut bytes = Vec::new();
            Stdin::new().read_to_end(&mut bytes).map_err(io)?;
            Source::Memory(Arc::from(bytes))
        }
        false => Source::File(path.to_owned()),
    };
    let mut file = source.open().map_err(named)?;
    let mut bytes = Vec::new();
    file.by_ref().take(MAGIC.len() as u64 + 2).read_to_end(&mut bytes).map_err(io)?;
    let is_array = bytes.starts_with(NPY_MAGIC) || bytes.starts_with(NPZ_MAGIC);
    // What a pipe has given is gone.
    let is_pipe = matches!(source, Source::File(_)) && !path.is_file();
    if is_pack(&bytes) {
        if is_pipe {
            file.read_to_end(&mut bytes).map_err(io)?;
            file = Box::new(Cursor::new(bytes));
        }
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        return PackReader::open(file).map(Content::Pack).map_err(named);
    }
    if is_array && is_pipe {
        file.read_to_end(&mut bytes).map_err(io)?;
        return Ok(Content::Array(Source::Memory(Arc::from(bytes))));
    }
    if is_array {
        return Ok(Content::Array(source));
    }
    // A file of another kind is not read to its end. What is cut within the first bytes is for the reader of the
    // container to name.
    let n = bytes.len().min(MAGIC.len());
    if MAGIC[..n] == bytes[..n] {
        file.read_to_end(&mut bytes).map_err(io)?;
    }
    Ok(Content::Event(bytes))
}

/// The error for standard input among the inputs more than once.
pub fn once_only() -> Error {
    Error::argument("standard input (-) can be read once only")
}

/// The error for an array where a compressed event is wanted.
pub fn is_an_array(path: &Path) -> Error {
    Error::corrupt(format!(
        "{}: an array, not a compressed event; `inrfit compress` makes one",
        path.display()
    ))
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// As [`write_file`].
pub fn write_bytes(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    write_file(path, force, &mut |w| w.write_all(bytes).map_err(|e| Error::io("cannot write it", e)))
}

/// Writes a file by `fill`, whole or not at all: not at all where the user asks to stop before it is whole.
///
/// # Errors
/// As `write_atomically`; `Interrupted`.
pub fn write_file(
    path: &Path,
    force: bool,
    fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    write_atomically(path, force, &mut |w| fill(w).and_then(|()| go_on()))
}

/// Puts a way out after the reason of errors of one kind.
pub fn advise(error: Error, kind: ErrorKind, way_out: &str) -> Error {
    match error.kind() == kind {
        true => Error::new(kind, format!("{error}; {way_out}")),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(input: &Path) -> Result<PathBuf> {
        Ok(appended(input, ENDING))
    }

    fn outputs(inputs: &[PathBuf], o: Option<&Path>) -> Result<Vec<PathBuf>> {
        let place = Place::new(inputs, o, false)?;
        place.check(inputs, named)?;
        inputs.iter().map(|i| Ok(place.of(i, named)?.path().to_owned())).collect()
    }

    #[test]
    fn results_lie_beside_their_inputs_or_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = [PathBuf::from("a/x.npy"), PathBuf::from("y.npy")];
        let beside = [Path::new("a/x.npy.inrfit"), Path::new("y.npy.inrfit")];
        assert_eq!(outputs(&inputs, None).unwrap(), beside);
        let inside = ["x.npy.inrfit", "y.npy.inrfit"].map(|n| folder.path().join(n));
        assert_eq!(outputs(&inputs, Some(folder.path())).unwrap(), inside);
        let one = Path::new("one.inrfit");
        assert!(outputs(&inputs, Some(one)).is_err());
        assert_eq!(outputs(&inputs[..1], Some(one)).unwrap(), [one]);
        assert_eq!(Place::new(&inputs, Some(one), true).unwrap(), Place::File(one.into()));
    }

    #[test]
    fn a_dash_is_a_pipe() {
        let pipe = PathBuf::from("-");
        let other = PathBuf::from("x.npy");
        let place = |inputs: &[&PathBuf], o: Option<&str>| {
            let inputs: Vec<PathBuf> = inputs.iter().map(|i| (*i).clone()).collect();
            Place::new(&inputs, o.map(Path::new), false)
        };
        assert_eq!(place(&[&pipe], None).unwrap(), Place::Stdout);
        assert_eq!(place(&[&other], Some("-")).unwrap(), Place::Stdout);
        assert_eq!(place(&[&pipe], Some("x")).unwrap(), Place::File("x".into()));
        assert!(place(&[&pipe, &pipe], Some(".")).is_err());
        assert!(place(&[&pipe, &other], None).is_err() && place(&[&other, &other], Some("-")).is_err());
    }

    #[test]
    fn clashes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.npy");
        std::fs::write(&file, b"x").unwrap();
        let clash = |inputs: &[PathBuf], o: Option<&Path>| outputs(inputs, o).unwrap_err().kind();
        let other = PathBuf::from("elsewhere/x.npy");
        assert_eq!(clash(&[file.clone(), other], Some(folder.path())), ErrorKind::Argument);
        assert_eq!(clash(&[file.clone(), file.clone()], None), ErrorKind::Argument);
        assert_eq!(clash(std::slice::from_ref(&file), Some(&file)), ErrorKind::Argument);
        let detour = folder.path().join(".").join("x.npy");
        assert_eq!(clash(std::slice::from_ref(&file), Some(&detour)), ErrorKind::Argument);
        let mut written = Written::default();
        assert!(written.add(&Output::File(file)).is_ok());
        assert!(written.add(&Output::File(detour)).is_err());
    }

    #[test]
    fn outputs_are_checked_before_work_starts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        assert!(check_output(&file, false).is_ok());
        std::fs::write(&file, b"x").unwrap();
        assert!(check_output(&file, false).unwrap_err().to_string().contains("--force"));
        assert!(check_output(&file, true).is_ok());
        assert!(check_output(folder.path(), true).is_err());
        assert!(check_output(&folder.path().join("none/x"), true).is_err());
    }
}
