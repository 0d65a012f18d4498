//! What compressing needs beside the bytes.

use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::bulk;

use super::algorithm::Algorithm;

/// What compressing needs beside the bytes, some hundred kilobytes: made when it is first used, and good for any number of
/// clients in turn, because every frame stands by itself.
#[derive(Default)]
pub struct Compressor {
    zlib: Option<Compress>,
    zstd: Option<bulk::Compressor<'static>>,
}

impl Compressor {
    /// Compresses `plain` into `out`; gives how many bytes that takes. `None` where there is no room for it.
    pub(super) fn compress(&mut self, algorithm: Algorithm, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        match algorithm {
            Algorithm::Zlib => {
                let zlib = self.zlib.get_or_insert_with(|| Compress::new(ZLIB_LEVEL, true));
                zlib.reset();
                match zlib.compress(plain, out, FlushCompress::Finish) {
                    Ok(Status::StreamEnd) => usize::try_from(zlib.total_out()).ok(),
                    Ok(Status::Ok | Status::BufError) | Err(_) => None,
                }
            }
            Algorithm::Zstd { level } => {
                let level = i32::from(level.min(MOST_ZSTD_LEVEL));
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(bulk::Compressor::new(level).ok()?),
                };
                zstd.set_compression_level(level).ok()?;
                zstd.compress_to_buffer(plain, out).ok()
            }
        }
    }
}

/// What costs little: the threads that compress serve other clients, too.
const ZLIB_LEVEL: Compression = Compression::new(3);

/// However hard a client asks to try: beyond this, a frame takes milliseconds.
const MOST_ZSTD_LEVEL: u8 = 9;
