//! NumPy's `.npy` files (NEP 1, versions 1 to 3).
//!
//! Read here rather than by a library, because the libraries allocate what a header claims before they look at what
//! the file holds; a lying header must cost nothing.

use super::array::{ArrayEvents, Layout, NumberType, ReadSettings, exactly, nothing_more};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Event, Samples};
use std::io::{Read, Write};

/// First bytes of every such file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A header is a short dictionary; NumPy itself refuses longer ones unless told otherwise.
const MAX_HEADER: usize = 10_000;

/// The events of an `.npy` file: one in a 2-D or 3-D array, several in a 4-D one. Reads the header alone.
///
/// # Errors
/// `Corrupt` or `Truncated` for damaged headers, `Unsupported` for types and dimensions that an event does not have
/// (the message says what to convert to), `Argument` for arrays without numbers, `Limit` beyond the settings' bytes.
pub fn open<R: Read>(mut reader: R, settings: ReadSettings) -> Result<ArrayEvents<R>> {
    let layout = read_header(&mut reader)?;
    ArrayEvents::new(reader, &layout, settings)
}

/// What stands before the numbers.
fn read_header(mut reader: &mut dyn Read) -> Result<Layout> {
    let mut start = [0u8; 8];
    fill(&mut reader, &mut start, "its first eight bytes")?;
    if &start[..6] != MAGIC {
        return Err(Error::corrupt("not an .npy file: its first bytes are others"));
    }
    let n = match start[6] {
        1 => {
            let mut n = [0u8; 2];
            fill(&mut reader, &mut n, "the header's length")?;
            usize::from(u16::from_le_bytes(n))
        }
        2 | 3 => {
            let mut n = [0u8; 4];
            fill(&mut reader, &mut n, "the header's length")?;
            u32::from_le_bytes(n) as usize
        }
        v => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(".npy version {v}; versions 1 to 3 are read"),
            ));
        }
    };
    if n > MAX_HEADER {
        return Err(Error::corrupt(format!("a header of {n} bytes; {MAX_HEADER} is the most")));
    }
    let mut text = vec![0u8; n];
    fill(&mut reader, &mut text, "the header")?;
    parse(&String::from_utf8_lossy(&text))
}

/// Reads a table of points: an array of `n` rows of three numbers of any type that [`Encoding`](super::array::Encoding)
/// knows. One row alone may come without its axis.
///
/// # Errors
/// As [`open`]; `Argument` for other columns, `Limit` for more than `max_rows`.
pub fn read_points(reader: &mut dyn Read, max_rows: usize) -> Result<Vec<[f64; 3]>> {
    let Layout { encoding, fortran_order, shape } = read_header(reader)?;
    let n = match shape[..] {
        [n, 3] => n,
        [3] => 1,
        _ => {
            return Err(Error::argument(format!(
                "an array of shape {shape:?}; points are rows of three numbers, shape (n, 3)"
            )));
        }
    };
    if n > max_rows {
        return Err(Error::new(ErrorKind::Limit, format!("{n} points; at most {max_rows} at once")));
    }
    let size = encoding.number.n_bytes();
    let n_bytes = n * 3 * size;
    let mut reader = reader;
    let mut bytes = exactly(&mut reader, n_bytes, 0, n_bytes)?;
    nothing_more(&mut reader, n_bytes)?;
    if encoding.big_endian {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    let eight = |i: usize| -> [u8; 8] { std::array::from_fn(|b| bytes[i * size + b]) };
    let four = |i: usize| -> [u8; 4] { std::array::from_fn(|b| bytes[i * size + b]) };
    let narrow = match encoding.number {
        NumberType::Event(dtype) => Samples::from_le_bytes(dtype, &bytes),
        _ => None,
    };
    let number = |i: usize| match (&narrow, encoding.number) {
        (Some(samples), _) => samples.get(i),
        (None, NumberType::F64) => f64::from_le_bytes(eight(i)),
        (None, NumberType::I64) => i64::from_le_bytes(eight(i)) as f64,
        (None, NumberType::U64) => u64::from_le_bytes(eight(i)) as f64,
        (None, _) => f64::from(u32::from_le_bytes(four(i))),
    };
    let at = |row: usize, column: usize| match fortran_order {
        true => number(column * n + row),
        false => number(row * 3 + column),
    };
    Ok((0..n).map(|row| [0, 1, 2].map(|column| at(row, column))).collect())
}

/// Writes `values` as an array of `float64` of `shape`, version 1.0, C order, little-endian.
///
/// # Errors
/// `Io`.
pub fn write_table(writer: &mut dyn Write, shape: &[usize], values: &[f64]) -> Result<()> {
    write_header_of(writer, "<f8", shape)?;
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    writer.write_all(&bytes).map_err(|e| Error::io("writing", e))
}

/// Reads an array that is one event from `.npy` bytes.
///
/// # Errors
/// As [`open`] and [`ArrayEvents::read`]; `Unsupported` for a stack.
pub fn read(reader: &mut dyn Read, max_bytes: u64) -> Result<Event> {
    let mut events = open(reader, ReadSettings { max_event_bytes: max_bytes, ..ReadSettings::default() })?;
    if events.is_stack() {
        return Err(super::is_a_stack(events.n_events()));
    }
    events.read()
}

fn fill(reader: &mut impl Read, to: &mut [u8], what: &str) -> Result<()> {
    reader.read_exact(to).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Truncated, format!("the file ends within {what}"))
        }
        _ => Error::io("reading", e),
    })
}

/// Parses the dictionary: `{'descr': '<u2', 'fortran_order': False, 'shape': (192, 249, 16), }`.
fn parse(text: &str) -> Result<Layout> {
    let value = |key: &str| -> Result<&str> {
        let quoted = [format!("'{key}'"), format!("\"{key}\"")];
        quoted
            .iter()
            .find_map(|q| text.find(q.as_str()).map(|at| at + q.len()))
            .and_then(|at| text[at..].trim_start().strip_prefix(':'))
            .map(str::trim_start)
            .ok_or_else(|| Error::corrupt(format!("the header has no '{key}'")))
    };
    let descr = value("descr")?;
    let Some(quote) = descr.chars().next().filter(|c| ['\'', '"'].contains(c)) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "a structured type; save one of its fields as an array",
        ));
    };
    let descr = descr[1..].split(quote).next().unwrap_or("");
    let encoding = descr.parse()?;
    let order = value("fortran_order")?;
    let fortran_order = match (order.starts_with("True"), order.starts_with("False")) {
        (true, _) => true,
        (_, true) => false,
        _ => return Err(Error::corrupt("'fortran_order' is neither True nor False")),
    };
    let bad_shape = || Error::corrupt("'shape' is no tuple of whole numbers");
    let shape = value("shape")?.strip_prefix('(').and_then(|s| s.split(')').next()).ok_or_else(bad_shape)?;
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|s| s.parse().map_err(|_| bad_shape()))
        .collect::<Result<_>>()?;
    Ok(Layout { encoding, fortran_order, shape })
}

/// Writes an event as `.npy`, version 1.0, C order, little-endian.
///
/// # Errors
/// `Io`.
pub fn write(writer: &mut dyn Write, event: &Event) -> Result<()> {
    write_header(writer, event.dtype(), &event.shape())?;
    writer.write_all(&event.samples().to_le_bytes()).map_err(|e| Error::io("writing", e))
}

/// Writes what stands before the samples of an array of `shape`: the samples follow in C order, little-endian.
///
/// # Errors
/// `Io`.
pub fn write_header(writer: &mut dyn Write, dtype: DType, shape: &[usize]) -> Result<()> {
    let descr = match dtype {
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::F32 => "<f4",
    };
    write_header_of(writer, descr, shape)
}

fn write_header_of(writer: &mut dyn Write, descr: &str, shape: &[usize]) -> Result<()> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    // A tuple of one has a comma of its own.
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", extents.join(", "));
    // NumPy aligns the samples to 64 bytes: magic, version, length, dictionary, spaces, line end.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut start = MAGIC.to_vec();
    start.extend([1, 0]);
    start.extend((header.len() as u16).to_le_bytes());
    start.extend(header.as_bytes());
    writer.write_all(&start).map_err(|e| Error::io("writing", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this dictionary and body.
    fn file(dictionary: &str, body: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([1, 0]);
        out.extend((dictionary.len() as u16).to_le_bytes());
        out.extend(dictionary.as_bytes());
        out.extend(body);
        out
    }

    fn read_all(bytes: &[u8]) -> Result<Event> {
        read(&mut &bytes[..], 1 << 20)
    }

    #[test]
    fn every_type_and_order_is_read() {
        let dictionary = |descr: &str, fortran: bool| {
            let fortran = if fortran { "True" } else { "False" };
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': (1, 2, 3), }}\n")
        };
        let numbers = [0i32, 1, 2, 3, 4, 5];
        let want = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let fortran = [0.0, 2.0, 4.0, 1.0, 3.0, 5.0];
        for (name, size) in [("u1", 1), ("u2", 2), ("i2", 2), ("i4", 4), ("f4", 4)] {
            for big in [false, true] {
                let body: Vec<u8> = numbers
                    .iter()
                    .flat_map(|&n| {
                        let le = if name == "f4" { (n as f32).to_le_bytes() } else { n.to_le_bytes() };
                        let mut sample = le[..size].to_vec();
                        if big {
                            sample.reverse();
                        }
                        sample
                    })
                    .collect();
                let descr = format!("{}{name}", if big { '>' } else { '<' });
                for (order, want) in [(false, want), (true, fortran)] {
                    let event = read_all(&file(&dictionary(&descr, order), &body)).unwrap();
                    let got: Vec<f64> = (0..6).map(|i| event.samples().get(i)).collect();
                    assert_eq!(got, want, "{descr}, fortran {order}");
                }
            }
        }
    }

    #[test]
    fn points_are_read_whatever_their_type() {
        let dictionary = |descr: &str, fortran: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
        };
        let points = |bytes: &[u8]| read_points(&mut &bytes[..], 10);
        let numbers = [0.5f64, 1.0, 2.0, 3.0, 4.0, 5.25];
        let mut body: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        let rows = points(&file(&dictionary("<f8", "False", "(2, 3)"), &body)).unwrap();
        assert_eq!(rows, [[0.5, 1.0, 2.0], [3.0, 4.0, 5.25]]);
        let columns = points(&file(&dictionary("<f8", "True", "(2, 3)"), &body)).unwrap();
        assert_eq!(columns, [[0.5, 2.0, 4.0], [1.0, 3.0, 5.25]]);
        assert_eq!(
            points(&file(&dictionary("<f8", "False", "(3,)"), &body[..24])).unwrap(),
            [[0.5, 1.0, 2.0]]
        );
        let kind = |bytes: &[u8]| points(bytes).unwrap_err().kind();
        for shape in ["(3, 2)", "(6,)", "(2, 1, 3)", "()"] {
            assert_eq!(
                kind(&file(&dictionary("<f8", "False", shape), &body)),
                ErrorKind::Argument,
                "{shape}"
            );
        }
        assert_eq!(kind(&file(&dictionary("<f8", "False", "(3, 3)"), &body)), ErrorKind::Truncated);
        assert_eq!(kind(&file(&dictionary("<f8", "False", "(11, 3)"), &body)), ErrorKind::Limit);
        body.push(0);
        assert_eq!(kind(&file(&dictionary("<f8", "False", "(2, 3)"), &body)), ErrorKind::Corrupt);
        for (descr, body) in [
            (">i8", 7i64.to_be_bytes().repeat(3)),
            ("<u8", 7u64.to_le_bytes().repeat(3)),
            ("<u4", 7u32.to_le_bytes().repeat(3)),
            ("|u1", vec![7; 3]),
            (">f4", 7f32.to_be_bytes().repeat(3)),
        ] {
            assert_eq!(points(&file(&dictionary(descr, "False", "(1, 3)"), &body)).unwrap(), [[7.0; 3]]);
        }
        let mut table = Vec::new();
        write_table(&mut table, &[2, 3], &numbers).unwrap();
        assert_eq!(points(&table).unwrap(), rows);
        table.clear();
        write_table(&mut table, &[3], &numbers[..3]).unwrap();
        assert_eq!(points(&table).unwrap(), rows[..1]);
    }

    #[test]
    fn written_files_are_read_again() {
        for samples in
            [Samples::from(vec![1u8, 2]), Samples::from(vec![-1i32, 7]), Samples::from(vec![0.5f32, 2.0])]
        {
            let event = Event::new([2, 1, 1], samples).unwrap();
            let mut bytes = vec![];
            write(&mut bytes, &event).unwrap();
            assert_eq!((bytes.len() - event.raw_bytes()) % 64, 0);
            assert_eq!(read_all(&bytes).unwrap(), event);
        }
    }

    #[test]
    fn bad_files_are_named() {
        let good = "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 1, 2), }\n";
        let with = |from: &str, to: &str| file(&good.replace(from, to), &[1, 0, 2, 0]);
        let kind = |bytes: &[u8]| read_all(bytes).unwrap_err().kind();
        assert!(read_all(&file(good, &[1, 0, 2, 0])).is_ok());
        let whole = file(good, &[1, 0, 2, 0]);
        for n in 6..whole.len() {
            assert_eq!(kind(&whole[..n]), ErrorKind::Truncated, "{n} bytes");
        }
        assert_eq!(kind(&[&whole[..], &[0]].concat()), ErrorKind::Corrupt);
        assert_eq!(kind(b"{ text, not an array }"), ErrorKind::Corrupt);
        assert_eq!(kind(b"\x93NUMPY\x09\x00\x00\x00"), ErrorKind::Unsupported);
        assert_eq!(kind(&with("(1, 1, 2)", "(1, 1, 2000)")), ErrorKind::Truncated);
        assert_eq!(kind(&with("(1, 1, 2)", "(99999, 99999, 99999)")), ErrorKind::Limit);
        assert_eq!(kind(&with("(1, 1, 2)", "(9999999999999, 9999999999999, 2)")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("(1, 1, 2)", "(1, 1, x)")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("(1, 1, 2)", "2")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("False", "Maybe")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("'descr'", "'d'")), ErrorKind::Corrupt);
        for shape in ["()", "(2,)", "(1, 1, 1, 2)", "(1, 1, 1, 1, 2)"] {
            assert_eq!(kind(&with("(1, 1, 2)", shape)), ErrorKind::Unsupported, "{shape}");
        }
        for descr in ["|O", "<f2", "|i1", "|b1", "<c8", "<U3", ""] {
            assert_eq!(kind(&with("<u2", descr)), ErrorKind::Unsupported, "{descr}");
        }
        assert_eq!(kind(&with("'<u2'", "[('a', '<u2')]")), ErrorKind::Unsupported);
        assert_eq!(kind(&file(&good.replace("(1, 1, 2)", "(1, 0, 2)"), &[])), ErrorKind::Argument);
        let nan = file(&good.replace("<u2", "<f4"), &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]);
        assert!(read_all(&nan).unwrap_err().to_string().contains("[0, 0, 1]"));
    }

    fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
        let fortran = if fortran { "True" } else { "False" };
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn planes_are_events_of_one_plane() {
        let event = read_all(&file(&dictionary("|u1", false, "(2, 3)"), &[0, 1, 2, 3, 4, 5])).unwrap();
        assert_eq!((event.shape(), event.samples().get(5)), ([1, 2, 3], 5.0));
        let turned = read_all(&file(&dictionary("|u1", true, "(2, 3)"), &[0, 1, 2, 3, 4, 5])).unwrap();
        assert_eq!(turned.samples(), &Samples::from(vec![0u8, 2, 4, 1, 3, 5]));
    }

    #[test]
    fn stacks_are_read_event_by_event() {
        // Event n holds 10 n + its own position; as NumPy lays it out in either order.
        let value = |n: usize, i: usize, k: usize| (10 * n + 2 * i + k) as u8;
        let mut c = vec![];
        for n in 0..3 {
            for i in 0..2 {
                c.extend((0..2).map(|k| value(n, i, k)));
            }
        }
        let mut fortran = vec![];
        for k in 0..2 {
            for i in 0..2 {
                fortran.extend((0..3).map(|n| value(n, i, k)));
            }
        }
        for (order, body) in [(false, &c), (true, &fortran)] {
            let bytes = file(&dictionary("|u1", order, "(3, 2, 1, 2)"), body);
            let mut events = open(&bytes[..], ReadSettings::default()).unwrap();
            assert!(events.is_stack() && events.n_events() == 3);
            events.skip().unwrap();
            for n in [1, 2] {
                assert_eq!(events.next_index(), Some(n));
                let event = events.read().unwrap();
                assert_eq!(event.shape(), [2, 1, 2]);
                let want: Vec<u8> = (0..4).map(|i| value(n, i / 2, i % 2)).collect();
                assert_eq!(event.samples(), &Samples::from(want), "fortran {order}");
            }
            assert_eq!(events.next_index(), None);
        }
    }

    #[test]
    fn a_cut_stack_gives_the_events_before_the_cut() {
        let bytes = file(&dictionary("|u1", false, "(3, 1, 1, 2)"), &[1, 2, 3, 4, 5]);
        let mut events = open(&bytes[..], ReadSettings::default()).unwrap();
        assert!(events.read().is_ok() && events.read().is_ok());
        let error = events.read().unwrap_err();
        assert!(error.kind() == ErrorKind::Truncated && error.to_string().contains("holds 5"), "{error}");
        assert_eq!(events.next_index(), None);
    }

    #[test]
    fn a_bad_event_does_not_spoil_its_stack() {
        let body: Vec<u8> = [1.0f32, f32::NAN, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes = file(&dictionary("<f4", false, "(3, 1, 1, 1)"), &body);
        let mut events = open(&bytes[..], ReadSettings::default()).unwrap();
        assert!(events.read().is_ok());
        assert_eq!(events.read().unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(events.read().unwrap().samples(), &Samples::from(vec![3.0f32]));
    }

    #[test]
    fn wide_numbers_become_narrow_ones_only_where_nothing_is_lost() {
        let f8 = |values: [f64; 2], round: bool| {
            let body: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
            let bytes = file(&dictionary(">f8", false, "(1, 2)"), &body);
            open(&bytes[..], ReadSettings { round, ..ReadSettings::default() })?.read()
        };
        assert_eq!(f8([0.0, -1.5], false).unwrap().samples(), &Samples::from(vec![0.0f32, -1.5]));
        let error = f8([0.5, 0.1], false).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(text.contains("1 of the float64") && text.contains("0.1 at [0, 0, 1]"), "{text}");
        assert_eq!(f8([0.5, 0.1], true).unwrap().samples(), &Samples::from(vec![0.5f32, 0.1]));
        assert!(f8([0.5, 1e300], true).unwrap_err().to_string().contains("float32"));
        assert!(f8([0.5, f64::NAN], true).unwrap_err().to_string().contains("NaN"));
        for (descr, good, bad) in [
            ("<i8", (-5i64).to_le_bytes().to_vec(), (1i64 << 31).to_le_bytes().to_vec()),
            ("<u8", 5u64.to_le_bytes().to_vec(), u64::MAX.to_le_bytes().to_vec()),
            ("<u4", 5u32.to_le_bytes().to_vec(), u32::MAX.to_le_bytes().to_vec()),
        ] {
            let read = |body: &[u8]| read_all(&file(&dictionary(descr, false, "(1, 1, 1)"), body));
            assert_eq!(read(&good).unwrap().samples().get(0).abs(), 5.0, "{descr}");
            assert_eq!(read(&bad).unwrap_err().kind(), ErrorKind::Argument, "{descr}");
        }
    }
}
