//! Which file becomes which, and reading compressed files.

use inrfit::error::{Error, ErrorKind, Result};
use inrfit::io::write_atomically;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Ending of compressed files.
pub const ENDING: &str = "inrfit";
/// First bytes of a .npy file.
const NPY_MAGIC: &[u8] = b"\x93NUMPY";
/// First bytes of a compressed file.
const MAGIC: &[u8] = b"\x89INRF\r\n\x1a";

/// An input and where its result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What is read.
    pub input: PathBuf,
    /// What is written.
    pub output: PathBuf,
}

/// Where the results of `inputs` go: `output` is a file for one input, an existing folder for any number, and
/// without it a result lies beside its input. `named` gives the name of an input's result.
///
/// # Errors
/// `Argument` where two results would be one file, or a result would replace an input.
pub fn plan(
    inputs: &[PathBuf],
    output: Option<&Path>,
    named: impl Fn(&Path) -> Result<PathBuf>,
) -> Result<Vec<Job>> {
    let folder = output.filter(|o| o.is_dir());
    if let (Some(o), None, true) = (output, folder, inputs.len() > 1) {
        return Err(Error::argument(format!(
            "{}: with several inputs -o names an existing folder",
            o.display()
        )));
    }
    let mut jobs: Vec<Job> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let path = match (output, folder) {
            (Some(o), None) => o.to_owned(),
            (_, Some(folder)) => folder.join(named(input)?.file_name().unwrap_or_default()),
            (None, None) => named(input)?,
        };
        if let Some(i) = inputs.iter().find(|i| identity(i) == identity(&path)) {
            return Err(Error::argument(format!("{}: output and input are the same file", i.display())));
        }
        if let Some(other) = jobs.iter().find(|j| identity(&j.output) == identity(&path)) {
            return Err(Error::argument(format!(
                "{}: {} and {} would both be written there; compress them into different folders",
                path.display(),
                other.input.display(),
                input.display(),
            )));
        }
        jobs.push(Job { input: input.clone(), output: path });
    }
    Ok(jobs)
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An array as NumPy saves it.
    Npy,
    /// Anything else: a compressed event, or for its reader to refuse.
    Other,
}

/// What the file at `path` is.
///
/// # Errors
/// `Io`, or `Argument` for a folder, with the path.
pub fn content(path: &Path) -> Result<Content> {
    let head = head(&mut open(path)?, path)?;
    Ok(if head.starts_with(NPY_MAGIC) { Content::Npy } else { Content::Other })
}

/// The bytes of a compressed file; a file that is none is not read to its end.
///
/// # Errors
/// `Io`; `Argument` for a folder; `Corrupt` where the file is an array. All with the path.
pub fn read_compressed(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = head(&mut file, path)?;
    if bytes.starts_with(NPY_MAGIC) {
        let why =
            format!("{}: an array, not a compressed event; `inrfit compress` makes one", path.display());
        return Err(Error::corrupt(why));
    }
    // What is cut within the first bytes is for the reader of the container to name.
    if MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]) {
        file.read_to_end(&mut bytes).map_err(|e| Error::io(path.display(), e))?;
    }
    Ok(bytes)
}

fn open(path: &Path) -> Result<File> {
    let refuse = |e| Error::io("cannot open it", e).context(path.display());
    let file = File::open(path).map_err(refuse)?;
    // Opening a folder succeeds on some systems; reading it then fails with less to say.
    match file.metadata().map_err(refuse)?.is_dir() {
        true => Err(Error::argument(format!("{}: is a folder; name a file", path.display()))),
        false => Ok(file),
    }
}

fn head(file: &mut File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut bytes).map_err(|e| Error::io(path.display(), e))?;
    Ok(bytes)
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// As `write_atomically`.
pub fn write_bytes(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    write_atomically(path, force, &mut |w| w.write_all(bytes).map_err(|e| Error::io("cannot write it", e)))
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

    #[test]
    fn results_lie_beside_their_inputs_or_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = [PathBuf::from("a/x.npy"), PathBuf::from("y.npy")];
        let outputs =
            |o| plan(&inputs, o, named).map(|jobs| jobs.into_iter().map(|j| j.output).collect::<Vec<_>>());
        assert_eq!(outputs(None).unwrap(), [Path::new("a/x.npy.inrfit"), Path::new("y.npy.inrfit")]);
        let inside = ["x.npy.inrfit", "y.npy.inrfit"].map(|n| folder.path().join(n));
        assert_eq!(outputs(Some(folder.path())).unwrap(), inside);
        assert!(outputs(Some(Path::new("one.inrfit"))).is_err());
        let one = plan(&inputs[..1], Some(Path::new("one.inrfit")), named).unwrap();
        assert_eq!(one[0].output, Path::new("one.inrfit"));
    }

    #[test]
    fn clashes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.npy");
        std::fs::write(&file, b"x").unwrap();
        let clash = |inputs: &[PathBuf], o: Option<&Path>| plan(inputs, o, named).unwrap_err().kind();
        let other = PathBuf::from("elsewhere/x.npy");
        assert_eq!(clash(&[file.clone(), other], Some(folder.path())), ErrorKind::Argument);
        assert_eq!(clash(&[file.clone(), file.clone()], None), ErrorKind::Argument);
        assert_eq!(clash(std::slice::from_ref(&file), Some(&file)), ErrorKind::Argument);
        let detour = folder.path().join(".").join("x.npy");
        assert_eq!(clash(&[file], Some(&detour)), ErrorKind::Argument);
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
