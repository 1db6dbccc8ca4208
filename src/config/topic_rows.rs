//! The topic configs of Apache Kafka 4.3 with the broker configs they fall back to, sorted by name.

use super::broker_rows::{CLEANUP, COMPRESSION, GROW, INDEX, JITTER, LEVEL, ONE, TIER, TIMESTAMP};
use super::def::ConfigType::{Boolean, Double, Int, List, Long, String};
use super::def::Honoured::Yes;
use super::def::Valid::{Any, AtLeast, Between, BetweenOrMinusOne, ItemsOf, OneOf, ThrottledReplicas};
use super::def::{ConfigDef, ConfigType, Honoured, UpdateMode, Valid};
use super::topic::TopicRow;

const fn row(
    name: &'static str,
    kind: ConfigType,
    default: Option<&'static str>,
    valid: Valid,
    synonyms: &'static [(&'static str, i64)],
    honoured: Honoured,
    doc: &'static str,
) -> TopicRow {
    TopicRow { def: ConfigDef::new(UpdateMode::ClusterWide, name, kind, default, valid, honoured, doc), synonyms }
}

impl TopicRow {
    /// Listed by DescribeConfigs only when set.
    const fn hidden(mut self) -> TopicRow {
        self.def = self.def.hidden();
        self
    }
}

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

#[rustfmt::skip]
pub(super) const TOPIC_ROWS: &[TopicRow] = &[
    row("cleanup.policy", List, Some("delete"), ItemsOf(CLEANUP), &[("log.cleanup.policy", 1)], Yes, "What happens to old segments: \"delete\", \"compact\", both, or nothing at all."),
    row("compression.gzip.level", Int, Some("-1"), BetweenOrMinusOne(1, 9), &[("compression.gzip.level", 1)], LEVEL, "Level used when the broker compresses with gzip."),
    row("compression.lz4.level", Int, Some("9"), Between(1, 17), &[("compression.lz4.level", 1)], LEVEL, "Level used when the broker compresses with lz4."),
    row("compression.type", String, Some("producer"), OneOf(COMPRESSION), &[("compression.type", 1)], Yes, "Codec that batches are stored in; \"producer\" keeps what was sent."),
    row("compression.zstd.level", Int, Some("3"), Between(-131072, 22), &[("compression.zstd.level", 1)], LEVEL, "Level used when the broker compresses with zstd."),
    row("delete.retention.ms", Long, Some("86400000"), AtLeast(0), &[("log.cleaner.delete.retention.ms", 1)], Yes, "How long compaction keeps the marks of deleted keys."),
    row("file.delete.delay.ms", Long, Some("60000"), AtLeast(0), &[("log.segment.delete.delay.ms", 1)], Yes, "How long a deleted segment's file stays on the disk."),
    row("flush.messages", Long, Some("9223372036854775807"), AtLeast(1), &[("log.flush.interval.messages", 1)], Yes, "Appends to a partition after which they are forced to the disk; 1 makes every answer wait for it."),
    row("flush.ms", Long, Some("9223372036854775807"), AtLeast(0), &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)], Yes, "How long an append can wait to be forced to the disk."),
    row("follower.replication.throttled.replicas", List, Some(""), ThrottledReplicas, &[], ONE, "Replicas whose copying is slowed down on the follower's side."),
    row("index.interval.bytes", Int, Some("4096"), AtLeast(0), &[("log.index.interval.bytes", 1)], Yes, "Bytes of log between two index entries."),
    row("internal.segment.bytes", Int, None, Any, &[], Yes, "Size at which a segment is closed, without the lower bound of segment.bytes; for tests.").hidden(),
    row("leader.replication.throttled.replicas", List, Some(""), ThrottledReplicas, &[], ONE, "Replicas whose copying is slowed down on the leader's side."),
    row("local.retention.bytes", Long, Some("-2"), AtLeast(-2), &[("log.local.retention.bytes", 1)], TIER, "Bytes kept on this disk of a partition in remote storage."),
    row("local.retention.ms", Long, Some("-2"), AtLeast(-2), &[("log.local.retention.ms", 1)], TIER, "How long a segment in remote storage stays on this disk too."),
    row("max.compaction.lag.ms", Long, Some("9223372036854775807"), AtLeast(1), &[("log.cleaner.max.compaction.lag.ms", 1)], Yes, "How long a record can stay uncompacted at most."),
    row("max.message.bytes", Int, Some("1048588"), AtLeast(0), &[("message.max.bytes", 1)], Yes, "Largest batch that is taken."),
    row("message.timestamp.after.max.ms", Long, Some("3600000"), AtLeast(0), &[("log.message.timestamp.after.max.ms", 1)], Yes, "How far a record's timestamp may be ahead of the broker's clock."),
    row("message.timestamp.before.max.ms", Long, Some("9223372036854775807"), AtLeast(0), &[("log.message.timestamp.before.max.ms", 1)], Yes, "How far a record's timestamp may be behind the broker's clock."),
    row("message.timestamp.type", String, Some("CreateTime"), OneOf(TIMESTAMP), &[("log.message.timestamp.type", 1)], Yes, "Whose time a record carries: the producer's or that of the append."),
    row("min.cleanable.dirty.ratio", Double, Some("0.5"), Between(0, 1), &[("log.cleaner.min.cleanable.ratio", 1)], Yes, "Share of uncompacted bytes from which the log is compacted."),
    row("min.compaction.lag.ms", Long, Some("0"), AtLeast(0), &[("log.cleaner.min.compaction.lag.ms", 1)], Yes, "How long a record stays uncompacted at least."),
    row("min.insync.replicas", Int, Some("1"), AtLeast(1), &[("min.insync.replicas", 1)], ONE, "Replicas that have to have a write before it is acknowledged to acks=all."),
    row("preallocate", Boolean, Some("false"), Any, &[("log.preallocate", 1)], GROW, "Makes new segment files at full size."),
    row("remote.log.copy.disable", Boolean, Some("false"), Any, &[], TIER, "Stops copying to remote storage."),
    row("remote.log.delete.on.disable", Boolean, Some("false"), Any, &[], TIER, "Deletes what is in remote storage when it is switched off."),
    row("remote.storage.enable", Boolean, Some("false"), Any, &[], TIER, "Keeps segments in remote storage; true is refused, as by a broker without one."),
    row("retention.bytes", Long, Some("-1"), Any, &[("log.retention.bytes", 1)], Yes, "Bytes of a partition from which old segments are deleted; -1 is no limit."),
    row("retention.ms", Long, Some("604800000"), AtLeast(-1), &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE), ("log.retention.hours", HOUR)], Yes, "Age from which segments are deleted; -1 is no limit."),
    row("segment.bytes", Int, Some("1073741824"), AtLeast(1048576), &[("log.segment.bytes", 1)], Yes, "Size at which a segment is closed."),
    row("segment.index.bytes", Int, Some("10485760"), AtLeast(4), &[("log.index.size.max.bytes", 1)], INDEX, "Largest offset index file."),
    row("segment.jitter.ms", Long, Some("0"), AtLeast(0), &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)], JITTER, "Most random milliseconds taken off a segment's age limit."),
    row("segment.ms", Long, Some("604800000"), AtLeast(1), &[("log.roll.ms", 1), ("log.roll.hours", HOUR)], Yes, "Age at which a segment is closed."),
    row("unclean.leader.election.enable", Boolean, Some("false"), Any, &[("unclean.leader.election.enable", 1)], ONE, "Lets a replica that lags become leader."),
];
