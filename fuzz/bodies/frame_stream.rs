//! A byte stream in pieces: the first byte of the input says how large they are.

use bytes::BytesMut;
use headwater::wire::frame::FrameSplitter;

const SIZE_MAX: usize = 1 << 16;

pub fn run(input: &[u8]) {
    let Some((piece, stream)) = input.split_first() else { return };
    let splitter = FrameSplitter::new(SIZE_MAX);
    let mut buffer = BytesMut::new();
    let mut taken = 0;
    for piece in stream.chunks(usize::from(*piece) + 1) {
        buffer.extend_from_slice(piece);
        loop {
            match splitter.split(&mut buffer) {
                Ok(Some(frame)) => {
                    assert!((8..=SIZE_MAX).contains(&frame.len()));
                    assert_eq!(&frame[..], &stream[taken + 4..taken + 4 + frame.len()]);
                    taken += 4 + frame.len();
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    assert_eq!(taken + buffer.len(), stream.len());
}
