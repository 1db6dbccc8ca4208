//! Replies on their way out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::connection::READ_BYTES;
use super::ended::Ended;
use super::limits::Held;
use super::stream::Stream;
use super::{Limits, buffers};

/// How long a reader may rest while others want the memory that its answer takes.
const REST_WHEN_SHORT: Duration = Duration::from_secs(1);
/// Slices handed to one vectored write; the kernel takes no more than 1024.
const SLICES_MAX: usize = 256;
/// A frame of so few bytes is copied, parts of so few bytes in all leave as one.
pub(super) const SMALL_BYTES: usize = 2048;
/// Room for so many parts stays when all have left.
const PARTS_KEPT: usize = 4;

/// Replies that have not left yet. Record slices stay what they are: views of a segment's map.
#[derive(Default)]
pub(super) struct Outbox {
    parts: VecDeque<Bytes>,
    pub bytes: usize,
    /// Taken for what is in it.
    pub memory: Held,
}

impl Outbox {
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.bytes += part.len();
            self.parts.push_back(part);
        }
    }

    /// Sends everything and says how many bytes that was.
    pub async fn flush(&mut self, stream: &mut Stream, limits: &Limits) -> Result<usize, Ended> {
        if self.parts.is_empty() {
            return Ok(0);
        }
        let bytes = self.bytes;
        if self.parts.len() > 1 && bytes <= SMALL_BYTES {
            self.join_and_write(stream, limits).await?;
        } else {
            self.write_all(stream, limits).await?;
        }
        self.parts.shrink_to(PARTS_KEPT);
        self.bytes = 0;
        self.memory.release();
        Ok(bytes)
    }

    /// Small parts cost less to copy than to be listed for the kernel.
    async fn join_and_write(&mut self, stream: &mut Stream, limits: &Limits) -> Result<(), Ended> {
        let mut joined = buffers::take();
        joined.reserve(READ_BYTES);
        self.parts.drain(..).for_each(|part| joined.extend_from_slice(&part));
        self.parts.push_back(joined.split().freeze());
        self.write_all(stream, limits).await?;
        buffers::give_back(joined);
        Ok(())
    }

    async fn write_some(&self, stream: &mut Stream, slices: &[IoSlice<'_>], limits: &Limits) -> Result<usize, Ended> {
        let begun = Instant::now();
        loop {
            let writing = async {
                // Without slices, what was written before goes out to its end.
                if slices.is_empty() { stream.flush().await.map(|()| 0) } else { stream.write_vectored(slices).await }
            };
            if let Ok(written) = timeout(REST_WHEN_SHORT.min(limits.drain_within), writing).await {
                return Ok(written?);
            }
            let in_the_way = !self.memory.is_empty() && limits.answers().is_short();
            if in_the_way || begun.elapsed() >= limits.drain_within {
                return Err(Ended::SlowReader);
            }
        }
    }

    /// A slow network may take its time as long as bytes move: to cut it off would only make the client ask for the same again.
    async fn write_all(&mut self, stream: &mut Stream, limits: &Limits) -> Result<(), Ended> {
        while !self.parts.is_empty() {
            let slices: Vec<IoSlice<'_>> = self.parts.iter().take(SLICES_MAX).map(|p| IoSlice::new(p)).collect();
            let mut written = self.write_some(stream, &slices, limits).await?;
            if written == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            while let Some(part) = self.parts.front_mut() {
                if written < part.len() {
                    let _ = part.split_to(written);
                    break;
                }
                written -= part.len();
                self.parts.pop_front();
            }
        }
        self.write_some(stream, &[], limits).await?;
        Ok(())
    }
}
