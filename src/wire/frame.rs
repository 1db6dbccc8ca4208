//! Requests out of a byte stream.

use bytes::{Buf, Bytes, BytesMut};

use super::WireError;

/// The smallest frame that can be a request: key, version and correlation id.
pub const SIZE_MIN: usize = 8;

const PREFIX: usize = 4;
/// Frames up to this size are copied, so that a request that waits does not hold the buffer it came in.
const COPIED_MAX: usize = 1024;

/// Cuts a byte stream into frames.
///
/// | bytes | what |
/// |---|---|
/// | 0..4 | size of what follows, int32 big endian |
/// | 4.. | header and body of one request |
#[derive(Clone, Copy, Debug)]
pub struct FrameSplitter {
    size_min: usize,
    size_max: usize,
}

impl FrameSplitter {
    /// Frames larger than `size_max` (without the size field) are refused.
    pub fn new(size_max: usize) -> FrameSplitter {
        FrameSplitter { size_min: SIZE_MIN, size_max }
    }

    /// For tokens of a login, which come without a header after a handshake of version 0.
    pub fn of_tokens(size_max: usize) -> FrameSplitter {
        FrameSplitter { size_min: 0, size_max }
    }

    /// Size of the frame that `buffer` begins with, once its size field is there. Known, and within bounds, before any of
    /// it is read: the caller takes memory for it first.
    pub fn peek_size(&self, buffer: &[u8]) -> Result<Option<usize>, WireError> {
        let Some((prefix, _)) = buffer.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let size = i32::from_be_bytes(*prefix);
        match usize::try_from(size) {
            Ok(bytes) if (self.size_min..=self.size_max).contains(&bytes) => Ok(Some(bytes)),
            _ => Err(WireError::FrameSize { size, max: self.size_max }),
        }
    }

    /// How many bytes of the frame at the front of `buffer` have yet to come. None while its size is unknown.
    pub fn missing(&self, buffer: &[u8]) -> Result<Option<usize>, WireError> {
        let size = self.peek_size(buffer)?;
        Ok(size.map(|size| size.saturating_add(PREFIX).saturating_sub(buffer.len())))
    }

    /// Takes the frame at the front of `buffer` once it is complete, without its size field.
    pub fn split(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, WireError> {
        let Some(size) = self.peek_size(buffer)? else { return Ok(None) };
        if buffer.len() < size.saturating_add(PREFIX) {
            return Ok(None);
        }
        buffer.advance(PREFIX);
        if size > COPIED_MAX {
            return Ok(Some(buffer.split_to(size).freeze()));
        }
        let frame = buffer.get(..size).map(Bytes::copy_from_slice);
        buffer.advance(size);
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(parts: &[&[u8]]) -> BytesMut {
        parts.iter().flat_map(|part| part.iter().copied()).collect()
    }

    #[test]
    fn frames_come_out_in_order_whatever_the_pieces() {
        let splitter = FrameSplitter::new(100);
        let whole = stream(&[&[0, 0, 0, 8], b"12345678", &[0, 0, 0, 9], b"abcdefghi", &[0, 0]]);
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for byte in whole {
            buffer.extend_from_slice(&[byte]);
            while let Some(frame) = splitter.split(&mut buffer).unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames, [Bytes::from_static(b"12345678"), Bytes::from_static(b"abcdefghi")]);
        assert_eq!(&buffer[..], [0, 0]);
    }

    #[test]
    fn a_size_out_of_bounds_is_refused_before_the_frame_is_there() {
        let splitter = FrameSplitter::new(1000);
        for size in [0, 7, -1, i32::MIN, 1001, i32::MAX] {
            let mut buffer = stream(&[&size.to_be_bytes()]);
            assert!(matches!(splitter.split(&mut buffer), Err(WireError::FrameSize { size: s, .. }) if s == size), "{size}");
        }
        for size in [8, 1000] {
            assert_eq!(splitter.peek_size(&i32::to_be_bytes(size)).unwrap(), Some(size as usize));
            assert_eq!(splitter.missing(&i32::to_be_bytes(size)).unwrap(), Some(size as usize));
        }
        assert_eq!(splitter.peek_size(&[0, 0, 0]).unwrap(), None);
    }
}
