//! NumPy's `.npy` files (NEP 1, versions 1 to 3).
//!
//! Read here rather than by a library, because the libraries allocate what a header claims before they look at what
//! the file holds; a lying header must cost nothing.

use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Event, Samples};
use crate::with_samples;
use std::io::{Read, Write};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A header is a short dictionary; NumPy itself refuses longer ones unless told otherwise.
const MAX_HEADER: usize = 10_000;

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    dtype: DType,
    big_endian: bool,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads a 3-D array from `.npy` bytes.
///
/// # Errors
/// `Corrupt` or `Truncated` for damaged files, `Unsupported` for types and dimensions that an event does not have (the
/// message says what to convert to), `Argument` for NaN and infinite samples, `Limit` beyond `max_bytes` of samples.
pub fn read(reader: &mut dyn Read, max_bytes: u64) -> Result<Event> {
    let mut start = [0u8; 8];
    fill(reader, &mut start, "its first eight bytes")?;
    if start.starts_with(b"PK\x03\x04") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "an .npz archive: unzip it and name the .npy files in it",
        ));
    }
    if &start[..6] != MAGIC {
        return Err(Error::corrupt("not an .npy file: its first bytes are others"));
    }
    let n = match start[6] {
        1 => {
            let mut n = [0u8; 2];
            fill(reader, &mut n, "the header's length")?;
            usize::from(u16::from_le_bytes(n))
        }
        2 | 3 => {
            let mut n = [0u8; 4];
            fill(reader, &mut n, "the header's length")?;
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
    fill(reader, &mut text, "the header")?;
    let header = parse(&String::from_utf8_lossy(&text))?;
    let shape = three(&header.shape)?;
    let bytes = body(reader, &header, shape, max_bytes)?;
    let samples = samples(bytes, &header, shape)?;
    Event::new(shape, samples)
}

fn fill(reader: &mut dyn Read, to: &mut [u8], what: &str) -> Result<()> {
    reader.read_exact(to).map_err(|e| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Truncated, format!("the file ends within {what}"))
        }
        _ => Error::io("reading", e),
    })
}

fn three(shape: &[usize]) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(shape).map_err(|_| {
        let hint = match shape.len() {
            0 => "a single number is no event",
            1 | 2 => "give it three axes, as in a.reshape(1, ...)",
            _ => "compress its events one by one, as in a[0]",
        };
        Error::new(ErrorKind::Unsupported, format!("{} dimensions; an event has 3: {hint}", shape.len()))
    })
}

/// The bytes of the samples, read as they come, so that no header makes us allocate what is not there.
fn body(reader: &mut dyn Read, header: &Header, shape: [usize; 3], max_bytes: u64) -> Result<Vec<u8>> {
    let n_bytes = shape
        .iter()
        .try_fold(header.dtype.n_bytes() as u64, |n, &s| n.checked_mul(s as u64))
        .ok_or_else(|| Error::corrupt(format!("no computer holds an array of shape {shape:?}")))?;
    if n_bytes > max_bytes {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("an array of shape {shape:?} has {n_bytes} bytes, more than the limit of {max_bytes}"),
        ));
    }
    let mut bytes = Vec::new();
    reader.take(n_bytes).read_to_end(&mut bytes).map_err(|e| Error::io("reading", e))?;
    if (bytes.len() as u64) < n_bytes {
        return Err(Error::new(
            ErrorKind::Truncated,
            format!("an array of shape {shape:?} has {n_bytes} bytes, but the file holds {}", bytes.len()),
        ));
    }
    let mut rest = Vec::new();
    match reader.take(1).read_to_end(&mut rest).map_err(|e| Error::io("reading", e))? {
        0 => Ok(bytes),
        _ => Err(Error::corrupt(format!("bytes follow the {n_bytes} of an array of shape {shape:?}"))),
    }
}

/// Samples in C order from the bytes of an array.
fn samples(mut bytes: Vec<u8>, header: &Header, shape: [usize; 3]) -> Result<Samples> {
    if header.big_endian {
        bytes.chunks_exact_mut(header.dtype.n_bytes()).for_each(<[u8]>::reverse);
    }
    let samples = Samples::from_le_bytes(header.dtype, &bytes)
        .ok_or_else(|| Error::corrupt("the samples do not fill whole numbers of bytes"))?;
    Ok(match header.fortran_order {
        true => with_samples!(&samples, v => Samples::from(from_fortran(v, shape))),
        false => samples,
    })
}

/// First axis fastest to last axis fastest.
fn from_fortran<T: Copy>(v: &[T], [a, b, c]: [usize; 3]) -> Vec<T> {
    let mut out = Vec::with_capacity(v.len());
    for i in 0..a {
        for j in 0..b {
            out.extend((0..c).map(|k| v[i + a * (j + b * k)]));
        }
    }
    out
}

/// Parses the dictionary: `{'descr': '<u2', 'fortran_order': False, 'shape': (192, 249, 16), }`.
fn parse(text: &str) -> Result<Header> {
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
    let (dtype, big_endian) = sample_type(descr)?;
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
    Ok(Header { dtype, big_endian, fortran_order, shape })
}

fn sample_type(descr: &str) -> Result<(DType, bool)> {
    let unsupported =
        |hint: &str| Err(Error::new(ErrorKind::Unsupported, format!("samples of type '{descr}': {hint}")));
    let (big_endian, name) = match descr.as_bytes().first() {
        Some(b'>') => (true, &descr[1..]),
        Some(b'<' | b'|' | b'=') => (false, &descr[1..]),
        _ => (false, descr),
    };
    let dtype = match name {
        "u1" => DType::U8,
        "u2" => DType::U16,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "f4" => DType::F32,
        "b1" => return unsupported("convert by .astype('uint8')"),
        "i1" => return unsupported("convert by .astype('int16')"),
        "f2" | "f8" => return unsupported("convert by .astype('float32')"),
        "u4" | "i8" | "u8" => return unsupported("convert by .astype('int32') if the values fit"),
        _ => return unsupported("an event has uint8, uint16, int16, int32 or float32 samples"),
    };
    Ok((dtype, big_endian))
}

/// Writes an event as `.npy`, version 1.0, C order, little-endian.
///
/// # Errors
/// `Io`.
pub fn write(writer: &mut dyn Write, event: &Event) -> Result<()> {
    let descr = match event.dtype() {
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::F32 => "<f4",
    };
    let [a, b, c] = event.shape();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({a}, {b}, {c}), }}");
    // NumPy aligns the samples to 64 bytes: magic, version, length, dictionary, spaces, line end.
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    header.push('\n');
    let mut start = MAGIC.to_vec();
    start.extend([1, 0]);
    start.extend((header.len() as u16).to_le_bytes());
    start.extend(header.as_bytes());
    let io = |e| Error::io("writing", e);
    writer.write_all(&start).map_err(io)?;
    writer.write_all(&event.samples().to_le_bytes()).map_err(io)
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
        assert_eq!(kind(b"PK\x03\x04 a zip file"), ErrorKind::Unsupported);
        assert_eq!(kind(b"{ text, not an array }"), ErrorKind::Corrupt);
        assert_eq!(kind(b"\x93NUMPY\x09\x00\x00\x00"), ErrorKind::Unsupported);
        assert_eq!(kind(&with("(1, 1, 2)", "(1, 1, 2000)")), ErrorKind::Truncated);
        assert_eq!(kind(&with("(1, 1, 2)", "(99999, 99999, 99999)")), ErrorKind::Limit);
        assert_eq!(kind(&with("(1, 1, 2)", "(9999999999999, 9999999999999, 2)")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("(1, 1, 2)", "(1, 1, x)")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("(1, 1, 2)", "2")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("False", "Maybe")), ErrorKind::Corrupt);
        assert_eq!(kind(&with("'descr'", "'d'")), ErrorKind::Corrupt);
        for shape in ["()", "(2,)", "(1, 2)", "(1, 1, 1, 2)", "(1, 1, 1, 1, 2)"] {
            assert_eq!(kind(&with("(1, 1, 2)", shape)), ErrorKind::Unsupported, "{shape}");
        }
        for descr in ["|O", "<f8", "<i8", "<u4", "|b1", "<c8", "<U3", ""] {
            assert_eq!(kind(&with("<u2", descr)), ErrorKind::Unsupported, "{descr}");
        }
        assert_eq!(kind(&with("'<u2'", "[('a', '<u2')]")), ErrorKind::Unsupported);
        assert_eq!(kind(&file(&good.replace("(1, 1, 2)", "(1, 0, 2)"), &[])), ErrorKind::Argument);
        let nan = file(&good.replace("<u2", "<f4"), &[0, 0, 0, 0, 0, 0, 0xc0, 0x7f]);
        assert!(read_all(&nan).unwrap_err().to_string().contains("[0, 0, 1]"));
    }
}
