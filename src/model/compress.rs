//! The four codecs of record batches, with a cap on what comes out.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::io::{self, Read, Write};

use thiserror::Error;

/// No batch decompresses to more than this.
pub const OUTPUT_BYTES_MAX: usize = 32 << 20;
/// Output up to this size is never judged by its ratio.
const RATIO_FREE_BYTES: usize = 8 << 20;
const RATIO_MAX: usize = 1000;
/// What `decompress_small` gives at most.
const SMALL_OUTPUT_BYTES: usize = 2 << 20;
/// Inputs up to this size are opened without waiting for others: their output is bounded by `RATIO_FREE_BYTES`.
pub const SMALL_INPUT_BYTES: usize = 4096;
/// Frames that ask for a larger window (8 MiB) are refused.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Start of snappy's stream framing as Java producers write it: then two i32 versions, then (i32 length, block) until the end.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const XERIAL_HEADER_LEN: usize = 16;
const XERIAL_BLOCK: usize = 32 << 10;

/// How a batch's records are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Codec {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Codec {
    pub fn from_id(id: i16) -> Option<Codec> {
        Some(match id {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return None,
        })
    }

    pub fn id(self) -> i16 {
        self as i16
    }

    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecompressError {
    #[error("the decompressed size exceeds the cap")]
    TooLarge,
    #[error("not valid compressed data")]
    Malformed,
}

/// The most that `input_len` compressed bytes may become.
fn output_cap(input_len: usize) -> usize {
    input_len.saturating_mul(RATIO_MAX).clamp(RATIO_FREE_BYTES, OUTPUT_BYTES_MAX)
}

/// Like `decompress`, but gives up with `TooLarge` where most batches never come.
pub fn decompress_small(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), DecompressError> {
    decompress_up_to(SMALL_OUTPUT_BYTES, codec, input, out)
}

/// Replaces `out` by the plain bytes of `input`. Works piecewise: a bomb is refused when the cap is reached, not afterwards.
pub fn decompress(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), DecompressError> {
    decompress_up_to(output_cap(input.len()), codec, input, out)
}

fn decompress_up_to(cap: usize, codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), DecompressError> {
    out.clear();
    match codec {
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gunzip(input, cap, out),
        Codec::Snappy => unsnap(input, cap, out),
        Codec::Lz4 => unlz4(input, cap, out),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(|_| DecompressError::Malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|_| DecompressError::Malformed)?;
            drain(decoder, cap, out)
        }
    }
}

/// Appends all that the decoder gives, unless `out` would then exceed the cap.
fn drain(decoder: impl Read, cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let limit = u64::try_from(cap.saturating_sub(out.len())).unwrap_or(u64::MAX).saturating_add(1);
    let outcome = decoder.take(limit).read_to_end(out);
    if out.len() > cap {
        return Err(DecompressError::TooLarge);
    }
    outcome.map(|_| ()).map_err(|_| DecompressError::Malformed)
}

/// One gzip member after the other; what follows and is none is ignored, as Java does.
fn gunzip(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let mut rest = input;
    loop {
        drain(flate2::bufread::GzDecoder::new(&mut rest), cap, out)?;
        if !rest.starts_with(&GZIP_MAGIC) {
            return Ok(());
        }
    }
}

/// One LZ4 frame. The decoder takes a missing end mark for an end; Kafka does not.
fn unlz4(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let mut decoder = lz4_flex::frame::FrameDecoder::new(input);
    drain(&mut decoder, cap, out)?;
    let consumed = input.len() - decoder.get_ref().len();
    let (before, _) = input.split_at_checked(consumed).ok_or(DecompressError::Malformed)?;
    // The end mark is followed by a checksum if the frame's flags (byte 4, bit 2) say so.
    let checksum = if input.get(4).is_some_and(|flags| flags & 4 != 0) { 4 } else { 0 };
    let marked = before.len().checked_sub(checksum).and_then(|end| before.get(..end)).is_some_and(|frame| frame.ends_with(&[0; 4]));
    if marked { Ok(()) } else { Err(DecompressError::Malformed) }
}

fn unsnap(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    if !input.starts_with(&XERIAL_MAGIC) {
        return unsnap_block(input, cap, out);
    }
    // Producers write various version numbers here; none of them is looked at.
    let mut rest = input.get(XERIAL_HEADER_LEN..).ok_or(DecompressError::Malformed)?;
    while let Some((length, after)) = rest.split_first_chunk() {
        // Streams that were concatenated repeat the header.
        if rest.starts_with(&XERIAL_MAGIC) {
            rest = rest.get(XERIAL_HEADER_LEN..).ok_or(DecompressError::Malformed)?;
            continue;
        }
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| DecompressError::Malformed)?;
        let (block, after) = after.split_at_checked(length).ok_or(DecompressError::Malformed)?;
        unsnap_block(block, cap, out)?;
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(DecompressError::Malformed) }
}

fn unsnap_block(block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let claimed = snap::raw::decompress_len(block).map_err(|_| DecompressError::Malformed)?;
    let end = out.len().saturating_add(claimed);
    if end > cap {
        return Err(DecompressError::TooLarge);
    }
    let start = out.len();
    out.resize(end, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    let written = snap::raw::Decoder::new().decompress(block, target).map_err(|_| DecompressError::Malformed)?;
    if written == claimed { Ok(()) } else { Err(DecompressError::Malformed) }
}

/// Compresses in the framing that Kafka's own clients write.
pub fn compress(codec: Codec, plain: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        Codec::None => Ok(plain.to_vec()),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain)?;
            encoder.finish()
        }
        Codec::Snappy => ensnap(plain),
        Codec::Lz4 => {
            // Independent 64 KiB blocks, as Java's reader demands.
            let info = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Max64KB)
                .block_mode(lz4_flex::frame::BlockMode::Independent);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(plain)?;
            encoder.finish().map_err(io::Error::other)
        }
        Codec::Zstd => zstd::stream::encode_all(plain, 3),
    }
}

fn ensnap(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(XERIAL_HEADER_LEN + plain.len() / 2);
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for piece in plain.chunks(XERIAL_BLOCK) {
        let block = encoder.compress_vec(piece).map_err(io::Error::other)?;
        let length = i32::try_from(block.len()).map_err(io::Error::other)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&block);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn a_bomb_is_refused_in_every_codec() {
        let zeros = vec![0_u8; 64 << 20];
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let bomb = compress(codec, &zeros).unwrap();
            let mut out = Vec::new();
            assert_eq!(decompress(codec, &bomb, &mut out), Err(DecompressError::TooLarge), "{codec:?}");
            assert!(out.capacity() <= 2 * OUTPUT_BYTES_MAX + 4096, "{codec:?} {}", out.capacity());
        }
    }

    #[test]
    fn a_high_ratio_is_refused_above_eight_mebibytes() {
        let bomb = compress(Codec::Zstd, &vec![0; 16 << 20]).unwrap();
        assert!(bomb.len() < 8 << 10);
        let mut out = Vec::new();
        assert_eq!(decompress(Codec::Zstd, &bomb, &mut out), Err(DecompressError::TooLarge));
        let small = compress(Codec::Zstd, &vec![0; 8 << 20]).unwrap();
        assert_eq!(decompress(Codec::Zstd, &small, &mut out), Ok(()));
        assert_eq!(out.len(), 8 << 20);
    }

    #[test]
    fn three_mebibytes_of_one_byte_in_gzip_are_read() {
        let small = compress(Codec::Gzip, &vec![b'x'; 3 << 20]).unwrap();
        assert!(small.len() * 1000 < 3 << 20, "{}", small.len());
        let mut out = Vec::new();
        assert_eq!((decompress(Codec::Gzip, &small, &mut out), out.len()), (Ok(()), 3 << 20));
    }

    #[test]
    fn snappy_without_framing_is_read() {
        let raw = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
        let mut out = Vec::new();
        decompress(Codec::Snappy, &raw, &mut out).unwrap();
        assert_eq!(out, b"hello hello hello");
    }

    #[test]
    fn several_zstd_frames_and_gzip_members_are_read_as_one() {
        for codec in [Codec::Zstd, Codec::Gzip] {
            let mut both = compress(codec, b"one ").unwrap();
            both.extend(compress(codec, b"two").unwrap());
            let mut out = Vec::new();
            decompress(codec, &both, &mut out).unwrap();
            assert_eq!(out, b"one two", "{codec:?}");
        }
    }

    #[test]
    fn javas_ways_with_ends_are_ours() {
        let mut out = Vec::new();
        let mut gzip = compress(Codec::Gzip, b"hello").unwrap();
        gzip.extend([0; 5]);
        assert_eq!((decompress(Codec::Gzip, &gzip, &mut out), &out[..]), (Ok(()), &b"hello"[..]));
        for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
            let whole = compress(codec, b"hello").unwrap();
            for cut in 0..whole.len() {
                assert!(decompress(codec, &whole[..cut], &mut out).is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_zstd_window_of_two_gibibytes_is_refused() {
        // Magic, descriptor (no single segment), window byte for 2 GiB, empty last raw block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0x00, 0x00];
        assert_eq!(decompress(Codec::Zstd, &frame, &mut Vec::new()), Err(DecompressError::Malformed));
    }

    proptest! {
        #[test]
        fn every_codec_round_trips(plain in proptest::collection::vec(0_u8..8, 0..100_000)) {
            for codec in CODECS {
                let mut out = Vec::new();
                decompress(codec, &compress(codec, &plain).unwrap(), &mut out).unwrap();
                prop_assert_eq!(&out, &plain);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for codec in CODECS {
                let _ = decompress(codec, &bytes, &mut Vec::new());
            }
        }
    }
}
