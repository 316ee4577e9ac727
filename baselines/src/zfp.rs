//! ZFP (Lindstrom, IEEE Transactions on Visualization and Computer Graphics 2014), through the crate `zfp-sys-cc`.

use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::kernel::{self, Kernel};
use crate::spec::{Options, exactly_one, positive};
use crate::view::{self, View};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use zfp_sys_cc as sys;

/// What ZFP keeps constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// Largest absolute error, in the units of the view's domain.
    Accuracy(f64),
    /// Bits a value; the library rounds them so that a block of 64 values takes whole bits.
    Rate(f64),
    /// Bit planes of a block.
    Precision(u32),
}

/// ZFP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Zfp {
    /// What it sees of an event.
    pub view: View,
    /// What it keeps constant.
    pub mode: Mode,
}

impl Zfp {
    /// From `[adc|log2],[native|z],[threshold=T]` and one of `tolerance=E`, `rate=BITS`, `precision=PLANES`.
    ///
    /// # Errors
    /// `Argument` for what is not among these, and for modes that the library refuses.
    pub fn from_spec(spec: &str) -> Result<Zfp> {
        let mut options = Options::new(spec);
        let view = View::take(&mut options)?;
        let tolerance = options.number("tolerance")?.map(|t| Ok(Mode::Accuracy(positive("tolerance", t)?)));
        let rate = options.number("rate")?.map(|rate| match (0.1..=32.0).contains(&rate) {
            true => Ok(Mode::Rate(rate)),
            false => Err(Error::Argument(format!("rate={rate}: 0.1 to 32 bits a value"))),
        });
        let precision = options.number("precision")?.map(|planes| match (1..=32).contains(&planes) {
            true => Ok(Mode::Precision(planes)),
            false => Err(Error::Argument(format!("precision={planes}: 1 to 32 bit planes"))),
        });
        options.finish(
            "tolerance=E, rate=BITS, precision=PLANES, adc, log2, native, z, threshold=none|best|ADC",
        )?;
        let mode = exactly_one([tolerance, rate, precision], "tolerance=E, rate=BITS, precision=PLANES")??;
        Ok(Zfp { view, mode })
    }
}

/// The library's field, stream and bits; freed when dropped.
struct Handles {
    field: NonNull<sys::zfp_field>,
    stream: NonNull<sys::zfp_stream>,
    bits: NonNull<sys::bitstream>,
}

impl Handles {
    /// Handles on `values` of `shape` and on a buffer of `size(stream, field)` bytes.
    ///
    /// # Safety
    /// `values` and the buffer must outlive the handles, and `values` must hold as many numbers as `shape` says.
    unsafe fn new(
        values: *mut f32,
        shape: [usize; 3],
        buffer: &mut Vec<u8>,
        set: impl FnOnce(NonNull<sys::zfp_stream>),
    ) -> Result<Handles> {
        let failed = || Error::Failed("ZFP: out of memory".to_owned());
        // The library's x is the fastest axis. Extents of 1 are extents like others to it.
        let [nz, ny, nx] = shape;
        // SAFETY: plain allocations; the caller answers for `values`.
        let field =
            unsafe { sys::zfp_field_3d(values.cast::<c_void>(), sys::zfp_type_zfp_type_float, nx, ny, nz) };
        let field = NonNull::new(field).ok_or_else(failed)?;
        // SAFETY: as above.
        let stream = NonNull::new(unsafe { sys::zfp_stream_open(null_mut()) });
        let Some(stream) = stream else {
            // SAFETY: allocated above and not used any more.
            unsafe { sys::zfp_field_free(field.as_ptr()) };
            return Err(failed());
        };
        set(stream);
        if buffer.is_empty() {
            // SAFETY: both handles are live; the parameters are set.
            let size = unsafe { sys::zfp_stream_maximum_size(stream.as_ptr(), field.as_ptr()) };
            buffer.resize(size.next_multiple_of(8), 0);
        }
        // SAFETY: the buffer has the length that is told, and its allocation does not move while borrowed handles live.
        let bits =
            NonNull::new(unsafe { sys::stream_open(buffer.as_mut_ptr().cast::<c_void>(), buffer.len()) });
        let Some(bits) = bits else {
            // SAFETY: allocated above and not used any more.
            unsafe {
                sys::zfp_stream_close(stream.as_ptr());
                sys::zfp_field_free(field.as_ptr());
            }
            return Err(failed());
        };
        // SAFETY: live handles.
        unsafe {
            sys::zfp_stream_set_bit_stream(stream.as_ptr(), bits.as_ptr());
            sys::zfp_stream_rewind(stream.as_ptr());
        }
        Ok(Handles { field, stream, bits })
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        // SAFETY: each was allocated by the library and is freed once; the samples and the buffer are not the library's.
        unsafe {
            sys::zfp_field_free(self.field.as_ptr());
            sys::zfp_stream_close(self.stream.as_ptr());
            sys::stream_close(self.bits.as_ptr());
        }
    }
}

impl Kernel for Zfp {
    const TAG: u8 = 2;

    fn pack(&self, values: &[f32], shape: [usize; 3]) -> Result<Vec<u8>> {
        let mut values = values.to_vec();
        let mut buffer = vec![];
        let set = |stream: NonNull<sys::zfp_stream>| {
            let stream = stream.as_ptr();
            // SAFETY: a live stream; the modes were checked when the settings were read.
            unsafe {
                match self.mode {
                    Mode::Accuracy(tolerance) => {
                        sys::zfp_stream_set_accuracy(stream, tolerance);
                    }
                    Mode::Rate(rate) => {
                        sys::zfp_stream_set_rate(stream, rate, sys::zfp_type_zfp_type_float, 3, 0);
                    }
                    Mode::Precision(planes) => {
                        sys::zfp_stream_set_precision(stream, planes);
                    }
                }
            }
        };
        // SAFETY: `values` and `buffer` outlive the handles, and there are as many values as the shape says.
        let handles = unsafe { Handles::new(values.as_mut_ptr(), shape, &mut buffer, set)? };
        // SAFETY: live handles on buffers of the size that the library asked for.
        let n_bytes = unsafe {
            let (stream, field) = (handles.stream.as_ptr(), handles.field.as_ptr());
            match sys::zfp_write_header(stream, field, sys::ZFP_HEADER_FULL) {
                0 => 0,
                _ => sys::zfp_compress(stream, field),
            }
        };
        drop(handles);
        if n_bytes == 0 || n_bytes > buffer.len() {
            return Err(Error::Failed("ZFP refused to compress".to_owned()));
        }
        buffer.truncate(n_bytes);
        Ok(buffer)
    }

    fn unpack(&self, payload: &[u8], shape: [usize; 3]) -> Result<Vec<f32>> {
        if payload.is_empty() {
            return Err(Error::Corrupt("no bytes of ZFP".to_owned()));
        }
        let mut values = vec![0f32; shape.iter().product()];
        // The library reads whole words.
        let mut buffer = payload.to_vec();
        buffer.resize(payload.len().next_multiple_of(8) + 8, 0);
        // SAFETY: `values` and `buffer` outlive the handles, and there are as many values as the shape says.
        let handles = unsafe { Handles::new(values.as_mut_ptr(), shape, &mut buffer, |_| ())? };
        let (stream, field) = (handles.stream.as_ptr(), handles.field.as_ptr());
        // SAFETY: live handles; where the header names other extents, nothing is decompressed into `values`.
        let done = unsafe {
            let read = sys::zfp_read_header(stream, field, sys::ZFP_HEADER_FULL);
            let [nz, ny, nx] = shape;
            let same = ((*field).nx, (*field).ny, (*field).nz) == (nx, ny, nz)
                && (*field).type_ == sys::zfp_type_zfp_type_float
                && (*field).nw == 0;
            read != 0 && same && sys::zfp_decompress(stream, field) != 0
        };
        drop(handles);
        if !done {
            return Err(Error::Corrupt("ZFP refused to decompress".to_owned()));
        }
        Ok(values)
    }
}

impl Rival for Zfp {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        kernel::encode(self, &self.view, event)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let (shape, reals) = kernel::decode(self, bytes)?;
        view::to_counts(shape, &reals)
    }

    fn decode_reals(&self, bytes: &[u8]) -> Result<Vec<f64>> {
        Ok(kernel::decode(self, bytes)?.1)
    }
}
