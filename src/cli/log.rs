//! `headwater log verify` and `headwater log dump`: a data folder read and explained while nothing runs on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::broker::clock;
use crate::config::{BrokerLayers, LogConfig, TopicConfig};
use crate::log::inspect::{Inspection, PartitionInspection, SegmentInspection};
use crate::log::kept_file;
use crate::log::{BadRange, DataFolderError, LastStop};
use crate::model::batch::BatchView;
use crate::model::{Offset, TopicPartition};

/// What to do with a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogCommand {
    Verify { folder: PathBuf },
    Dump { folder: PathBuf, topic: Option<String> },
}

/// Whether all that was read is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    Damaged,
}

/// The part of a topic's file that says how to read its logs.
#[derive(Deserialize)]
struct TopicFile {
    #[serde(default)]
    configs: BTreeMap<String, String>,
}

pub(super) fn run(command: &LogCommand, out: &mut dyn Write) -> Result<Verdict, String> {
    let folder = match command {
        LogCommand::Verify { folder } | LogCommand::Dump { folder, .. } => folder,
    };
    let inspection = Inspection::open(folder).map_err(|error| refusal(folder, &error))?;
    let outcome = match command {
        LogCommand::Verify { .. } => verify(folder, &inspection, out),
        LogCommand::Dump { topic, .. } => dump(folder, &inspection, topic.as_deref(), out),
    };
    outcome.map_err(|error| format!("cannot read {}: {error}", folder.display()))
}

fn refusal(folder: &Path, error: &DataFolderError) -> String {
    match error {
        DataFolderError::Locked { pid, .. } => {
            let by = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            format!("the data folder {} is in use by {by}; stop it first", folder.display())
        }
        error => format!("cannot read the data folder {}: {error}", folder.display()),
    }
}

fn log_config(folder: &Path, partition: &TopicPartition) -> LogConfig {
    let path = folder.join("topics").join(format!("{}.json", partition.topic));
    let whole = |path: PathBuf| fs::read(path).ok().and_then(|bytes| kept_file::whole(&bytes));
    let value = whole(path.clone()).or_else(|| whole(path.with_extension("copy")));
    let file: Option<TopicFile> = value.and_then(|value| serde_json::from_value(value).ok());
    TopicConfig::restore(file.map(|file| file.configs).unwrap_or_default()).resolve(&BrokerLayers::default())
}

fn verify(folder: &Path, inspection: &Inspection, out: &mut dyn Write) -> io::Result<Verdict> {
    let stop = match inspection.last_stop {
        LastStop::Clean => "clean",
        LastStop::SameBoot => "killed, on this boot of the machine: what was written is in the page cache",
        LastStop::OtherBoot => "not known to be clean, on another boot of the machine: what was not synced may be gone",
    };
    writeln!(out, "{}\n  last stop: {stop}", folder.display())?;
    for name in &inspection.unreadable {
        writeln!(out, "  DAMAGE {name} cannot be read")?;
    }
    let mut damaged = 0;
    for partition in &inspection.partitions {
        let config = log_config(folder, partition);
        let found = inspection.partition(partition, &config, clock::now())?;
        damaged += usize::from(found.is_damaged());
        explain(partition, &found, out)?;
    }
    let verdict = if damaged == 0 && inspection.unreadable.is_empty() { Verdict::Whole } else { Verdict::Damaged };
    match verdict {
        Verdict::Whole => writeln!(out, "{} partitions, no damage", inspection.partitions.len())?,
        Verdict::Damaged => {
            writeln!(
                out,
                "{} partitions, {damaged} damaged, {} damaged files beside",
                inspection.partitions.len(),
                inspection.unreadable.len()
            )?;
        }
    }
    Ok(verdict)
}

fn explain(partition: &TopicPartition, found: &PartitionInspection, out: &mut dyn Write) -> io::Result<()> {
    let id = found.topic_id.map_or_else(|| "unknown".to_owned(), |id| id.to_base64());
    writeln!(out, "{partition}\n  topic id {id}, log start {}, synced below {}", found.log_start, found.recovery_point)?;
    for segment in &found.segments {
        explain_segment(segment, out)?;
    }
    for defect in &found.defects {
        writeln!(out, "  DAMAGE {defect}")?;
    }
    let plan = match &found.start {
        Ok(plan) => plan,
        Err(error) => return writeln!(out, "  DAMAGE a start would leave this topic closed: {error}"),
    };
    let producers = plan.producers.iter().map(|(id, epoch, sequence)| format!("{id} (epoch {epoch}, last sequence {sequence})"));
    let producers: Vec<String> = producers.collect();
    if !producers.is_empty() {
        writeln!(out, "  producers: {}", producers.join(", "))?;
    }
    writeln!(out, "  a start serves {}..{} at leader epoch {}", plan.start_offset, plan.end_offset, plan.leader_epoch)?;
    if let Some((from, to)) = plan.report.lost {
        writeln!(out, "  DAMAGE offsets {from}..{to} were synced and are gone")?;
    }
    for action in &plan.actions {
        writeln!(out, "  a start would {action}")?;
    }
    Ok(())
}

fn explain_segment(segment: &SegmentInspection, out: &mut dyn Write) -> io::Result<()> {
    let SegmentInspection { base_offset, end_offset, bytes, batches, records, .. } = segment;
    let codecs: Vec<String> = segment.codecs.iter().map(|(codec, count)| format!("{codec} {count}")).collect();
    let codecs = if codecs.is_empty() { String::new() } else { format!(" ({})", codecs.join(", ")) };
    let times = segment.times.map_or_else(String::new, |(first, last)| format!(", times {first}..{last}"));
    writeln!(out, "  segment {base_offset}..{end_offset}: {bytes} bytes, {batches} batches{codecs}, {records} records{times}")?;
    for bad in &segment.damaged {
        writeln!(out, "    DAMAGE {}", range(bad))?;
    }
    if segment.torn_bytes > 0 {
        writeln!(out, "    torn tail of {} bytes: a write that was not finished and never acknowledged as synced", segment.torn_bytes)?;
    }
    Ok(())
}

fn range(bad: &BadRange) -> String {
    let BadRange { bytes, offsets, .. } = bad;
    format!("bytes {}..{} hold no valid batch; offsets {}..{} are answered as damaged", bytes.start, bytes.end, offsets.start, offsets.end)
}

fn dump(folder: &Path, inspection: &Inspection, topic: Option<&str>, out: &mut dyn Write) -> io::Result<Verdict> {
    let mut verdict = Verdict::Whole;
    for partition in inspection.partitions.iter().filter(|partition| topic.is_none_or(|topic| partition.topic.as_str() == topic)) {
        writeln!(out, "{partition}")?;
        inspection.each_batch(partition, &log_config(folder, partition), |segment, position, batch| match batch {
            Ok(batch) => dump_batch(segment, position, &batch, out),
            Err(bad) => {
                verdict = Verdict::Damaged;
                writeln!(out, "  DAMAGE segment {segment}: {}", range(bad))
            }
        })?;
    }
    Ok(verdict)
}

fn dump_batch(segment: Offset, position: u64, batch: &BatchView<'_>, out: &mut dyn Write) -> io::Result<()> {
    let header = &batch.header;
    let codec = header.attributes.codec().map_or("unknown", |codec| codec.name());
    write!(out, "  batch {}..={} in segment {segment} at {position}: ", header.base_offset, header.last_offset())?;
    write!(out, "{} bytes, {codec}, {} records, leader epoch {}", header.size, header.record_count, header.leader_epoch)?;
    if header.has_producer() {
        write!(out, ", producer {} epoch {} sequence {}", header.producer_id, header.producer_epoch, header.base_sequence)?;
    }
    for (set, word) in [(header.attributes.is_transactional(), "transactional"), (header.attributes.is_control(), "control")] {
        if set {
            write!(out, ", {word}")?;
        }
    }
    writeln!(out)?;
    let records = match batch.records() {
        Ok(records) => records,
        Err(defect) => return writeln!(out, "    the records cannot be read: {defect}"),
    };
    for record in &records {
        match record {
            Ok(record) => {
                write!(out, "    {} time {} key {} value {}", record.offset, record.timestamp, text(record.key), text(record.value))?;
                for header in record.headers() {
                    write!(out, " header {}={}", text(Some(header.0)), text(header.1))?;
                }
                writeln!(out)?;
            }
            Err(defect) => return writeln!(out, "    a record cannot be read: {defect}"),
        }
    }
    Ok(())
}

/// Bytes as one line of text; what is no text is escaped.
fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| format!("\"{}\"", String::from_utf8_lossy(bytes).escape_debug()))
}
