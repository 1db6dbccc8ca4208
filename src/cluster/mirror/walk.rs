//! The records of one partition, up to an offset.

use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use rdkafka::message::{BorrowedMessage, Message};

use super::end::{ANSWER_WITHIN, End, Polled, Talk};
use super::{MirrorError, Pulse};

/// A reader's way through a partition.
///
/// That a reader has come to the end says no more than how far the broker it asked knows: a new leader learns only from its followers up
/// to where records are committed. So an end that comes too early counts when the leader has said where the partition ends, which it
/// does only once it knows, and still has nothing more.
pub(super) struct Walk<'a, 'b> {
    end: &'a End,
    reader: &'a BaseConsumer<Talk>,
    pulse: &'b Pulse,
    place: (&'b str, i32),
    next: i64,
    stop: i64,
    asked: bool,
}

impl<'a, 'b> Walk<'a, 'b> {
    pub fn begin(
        end: &'a End,
        reader: &'a BaseConsumer<Talk>,
        pulse: &'b Pulse,
        place: (&'b str, i32),
        start: i64,
        stop: i64,
    ) -> Result<Walk<'a, 'b>, MirrorError> {
        let walk = Walk { end, reader, pulse, place, next: start, stop, asked: false };
        if start < stop {
            walk.go()?;
        }
        Ok(walk)
    }

    fn go(&self) -> Result<(), MirrorError> {
        self.end.assign(self.reader, self.place.0, &[(self.place.1, self.next)])
    }

    pub fn next(&mut self) -> Result<Option<BorrowedMessage<'a>>, MirrorError> {
        let begun = Instant::now();
        while self.next < self.stop {
            match self.end.poll(self.reader, Duration::from_millis(200))? {
                Polled::Record(message) => {
                    (self.next, self.asked) = (message.offset() + 1, false);
                    if message.offset() < self.stop {
                        return Ok(Some(message));
                    }
                }
                Polled::EndOf(_) if self.asked => self.next = self.stop,
                Polled::EndOf(_) => {
                    self.asked = true;
                    self.end.bounds(self.place.0, self.place.1)?;
                    self.go()?;
                }
                Polled::Nothing if begun.elapsed() > ANSWER_WITHIN => {
                    let (topic, partition) = self.place;
                    return Err(self.end.wrong(&format!("{topic}-{partition} cannot be read; run this again when the cluster is well")));
                }
                Polled::Nothing => {}
            }
            if self.pulse.is_stopped() {
                return Err(MirrorError::stopped());
            }
        }
        Ok(None)
    }
}
