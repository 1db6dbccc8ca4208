//! Read buffers that the connections of a thread lend each other: only who is reading needs one.

use std::cell::RefCell;

use bytes::BytesMut;

use super::connection::READ_BYTES;

/// Buffers kept for the next reader. A turn of the runtime rarely has more connections that are in the middle of a frame.
const KEPT: usize = 4;

thread_local!(static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) });

/// An empty buffer, one of those given back if there is one.
pub fn take() -> BytesMut {
    SPARE.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Keeps a buffer unless there are enough, it is large, or a frame still lies in it.
pub fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.try_reclaim(READ_BYTES) && buffer.capacity() < 2 * READ_BYTES {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                spare.push(buffer);
            }
        });
    }
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

        give_back(BytesMut::with_capacity(1 << 20));
        assert_eq!(take().capacity(), 0, "a large one goes");
        for _ in 0..100 {
            give_back(BytesMut::with_capacity(READ_BYTES));
        }
        assert_eq!(SPARE.with_borrow(Vec::len), KEPT);
    }
}
