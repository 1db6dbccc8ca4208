//! Consumer groups: who is a member, who owns what, what was committed.
//!
//! A [`GroupShard`] holds many groups; each group belongs to one shard, each shard to one task. Requests name their group. Requests over
//! several groups (DescribeGroups, DeleteGroups, OffsetFetch v8+) are taken apart by the handler; ListGroups and TopicsDeleted go to
//! every shard.
//!
//! Start with `state.rs` (what a group is), then `classic.rs` (what requests do to it) and `offsets.rs`.

pub mod assignment;
mod classic;
mod id;
mod inspect;
mod offsets;
mod rebalance;
pub mod reply;
pub mod request;
pub mod shard;
mod state;
mod subscription;
mod timers;

#[cfg(test)]
mod random;
#[cfg(test)]
mod script;

pub use id::{GroupId, InstanceId, MemberId};
pub use reply::Reply;
pub use request::Request;
pub use shard::{Effects, GroupConfig, GroupShard, Hard, MemberIds, Output, Soft};
