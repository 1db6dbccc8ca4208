//! Read buffers that the connections of a thread lend each other: only who is reading needs one.

use std::cell::RefCell;

use bytes::BytesMut;

use super::connection::READ_BYTES;

/// Buffers kept for the next reader. A turn of the runtime rarely has more connections that are in the middle of a frame.
const KEPT: usize = 4;

/// The largest buffer that is kept: for a frame with one batch of the largest default size.
const LARGE_MAX: usize = 1 << 21;

#[derive(Default)]
struct Spare {
    small: Vec<BytesMut>,
    /// One that a large frame has left: fresh memory for each would cost more than all else about it.
    large: Option<BytesMut>,
}

thread_local!(static SPARE: RefCell<Spare> = RefCell::default());

/// An empty buffer, one of those given back if there is one.
pub fn take() -> BytesMut {
    SPARE.with_borrow_mut(|spare| spare.small.pop()).unwrap_or_default()
}

/// A large buffer with room for so many bytes, if one was given back.
pub fn take_large(bytes: usize) -> Option<BytesMut> {
    SPARE.with_borrow_mut(|spare| spare.large.take_if(|large| large.capacity() >= bytes))
}

/// Keeps a buffer unless there are enough, it is too large, or a frame still lies in it.
pub fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    if !buffer.try_reclaim(READ_BYTES) || buffer.capacity() > LARGE_MAX {
        return;
    }
    SPARE.with_borrow_mut(|spare| {
        if buffer.capacity() < 2 * READ_BYTES {
            if spare.small.len() < KEPT {
                spare.small.push(buffer);
            }
        } else if spare.large.as_ref().is_none_or(|large| large.capacity() < buffer.capacity()) {
            spare.large = Some(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_lent_again_once_nothing_lies_in_it() {
        let mut buffer = take();
        buffer.reserve(READ_BYTES);
        buffer.extend_from_slice(b"frame and rest");
        let place = buffer.as_ptr();
        let frame = buffer.split_to(5).freeze();
        give_back(buffer);
        assert_eq!(take().capacity(), 0, "a frame still lies in it");
        assert_eq!(&frame[..], b"frame");

        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        buffer.extend_from_slice(b"frame");
        let first = buffer.as_ptr();
        bytes::Buf::advance(&mut buffer, 5);
        give_back(buffer);
        let mut again = take();
        again.reserve(READ_BYTES);
        assert_eq!(again.as_ptr(), first);
        assert_ne!(again.as_ptr(), place);

        give_back(BytesMut::with_capacity(LARGE_MAX + 1));
        give_back(BytesMut::with_capacity(1 << 20));
        give_back(BytesMut::with_capacity(1 << 17));
        assert_eq!(take().capacity(), 0, "a large one is kept apart");
        assert!(take_large((1 << 20) + 1).is_none());
        assert_eq!(take_large(1 << 20).map(|large| large.capacity()), Some(1 << 20));
        assert!(take_large(0).is_none());
        for _ in 0..100 {
            give_back(BytesMut::with_capacity(READ_BYTES));
        }
        assert_eq!(SPARE.with_borrow(|spare| spare.small.len()), KEPT);
    }
}
