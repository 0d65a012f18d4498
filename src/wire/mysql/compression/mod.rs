//! The compressed protocol: frames around the bytes of packets, behind the login.
//!
//! Packets know nothing of frames: one may span several, and several may lie in one. Frames are opened piece by piece, as
//! their bytes come and as there is room for what is in them: what a frame says of its size costs nothing.

mod algorithm;
mod compressor;
mod frame;
mod framing;

pub use algorithm::Algorithm;
pub use compressor::Compressor;
pub use framing::{FRAME_HEADER_BYTES, FrameHeader, Framing, MOST_PLAIN_BYTES};
