//! Floor 1: the group coordinator as a pure state machine. No I/O, no clock, no async, no locks.
//!
//! Invariants: hard state (what is written to `__consumer_offsets`) moves only in `apply`; `decide` borrows it shared. Replaying the
//! written records through the same `apply` gives the same hard state. `now` and randomness are arguments. Whoever waits for an answer
//! is a [`Token`]; no future or channel comes in here.
//!
//! Start with `group::GroupShard`, then `group/classic.rs` for what a JoinGroup sets off.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod group;
pub mod records;

use crate::model::Timestamp;

/// Stands for someone who waits for one reply. The caller hands out a fresh one per request and keeps the way back to the connection.
/// A token whose connection is gone may still be answered; drop the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What a coordinator wants done. Outputs are carried out in order, all of them before the next request is decided;
/// `group::GroupShard::carry_out` does it.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<R, P> {
    /// Append these records as one batch, then `apply` each. If the append fails: apply none, call `persist_failed`, and give the
    /// replies that follow, up to the next `Persist`, as `reply.refused(error)`.
    Persist(Vec<R>),
    /// Answer a waiting request. Each token is answered at most once, and every parked one in the end.
    Reply(Token, P),
    /// Call `tick` at this time. A later `Wake` replaces an earlier one.
    Wake(Timestamp),
}
