//! `/metrics`: the counters in Prometheus' text format.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::HttpState;
use crate::cluster::{GroupSummary, Kind, PartitionSummary, TopicSummary};
use crate::model::metrics::{Histogram, MetricsSnapshot};

pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    let groups = state.groups.now(state.cluster.as_ref()).await;
    let groups: Vec<&GroupSummary> = groups.groups.iter().map(|group| &group.summary).collect();
    let text = match state.cluster.kind() {
        Kind::Embedded => render(&state.cluster.metrics(), &state.cluster.topics(), &groups, state.cluster.health().is_ok()),
        Kind::External { .. } => of_another(&state.cluster.topics(), &groups, state.cluster.health().is_ok()),
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

const UP: &str = "1 if all is well: the broker serves, or with --cluster the cluster answers. 0 if not; /healthz says why.";

fn render(metrics: &MetricsSnapshot, topics: &[TopicSummary], groups: &[&GroupSummary], healthy: bool) -> String {
    let mut page = Page::default();
    traffic(&mut page, metrics);
    cleaner(&mut page, metrics);
    scrubber(&mut page, metrics);
    requests(&mut page, metrics);
    logs(&mut page, topics, groups);
    page.family("headwater_up", "gauge", UP);
    page.sample("headwater_up", &[], u8::from(healthy));
    disk(&mut page, metrics);
    process(&mut page, metrics);
    page.text
}

/// Of a cluster whose brokers count for themselves: where its partitions and groups stand, and what this process takes.
fn of_another(topics: &[TopicSummary], groups: &[&GroupSummary], healthy: bool) -> String {
    let mut page = Page::default();
    ends(&mut page, topics);
    of_groups(&mut page, groups);
    page.family("headwater_up", "gauge", UP);
    page.sample("headwater_up", &[], u8::from(healthy));
    process(&mut page, &MetricsSnapshot::default());
    page.text
}

fn traffic(page: &mut Page, metrics: &MetricsSnapshot) {
    page.counter("headwater_network_receive_bytes_total", "Bytes read from Kafka clients.", metrics.bytes_in);
    page.counter("headwater_network_transmit_bytes_total", "Bytes written to Kafka clients.", metrics.bytes_out);
    page.family("headwater_connections", "gauge", "Kafka connections open now.");
    page.sample("headwater_connections", &[], metrics.connections_open);
    page.counter("headwater_connections_accepted_total", "Kafka connections accepted since the start.", metrics.connections_accepted);
    page.counter(
        "headwater_connections_refused_total",
        "Kafka connections closed at once because as many are open as may be (max.connections).",
        metrics.connections_refused,
    );
    page.counter(
        "headwater_panics_total",
        "Tasks that ended by a bug, such as that of one connection. The rest goes on, and the log has the place.",
        metrics.panics,
    );
    page.family("headwater_topic_messages_in_total", "counter", "Records appended to a topic.");
    for topic in &metrics.topics {
        page.sample("headwater_topic_messages_in_total", &[("topic", topic.topic.as_str())], topic.messages_in);
    }
    page.family("headwater_topic_bytes_in_total", "counter", "Bytes of record batches appended to a topic, compressed as they came.");
    for topic in &metrics.topics {
        page.sample("headwater_topic_bytes_in_total", &[("topic", topic.topic.as_str())], topic.bytes_in);
    }
    page.family("headwater_topic_bytes_out_total", "counter", "Bytes of record batches sent to the consumers of a topic.");
    for topic in &metrics.topics {
        page.sample("headwater_topic_bytes_out_total", &[("topic", topic.topic.as_str())], topic.bytes_out);
    }
}

fn cleaner(page: &mut Page, metrics: &MetricsSnapshot) {
    page.counter("headwater_cleaner_runs_total", "Passes of compaction over a partition since the start.", metrics.compactions);
    let reclaimed = metrics.compaction_bytes_reclaimed;
    page.counter("headwater_cleaner_reclaimed_bytes_total", "Bytes of the disk that compaction gave back since the start.", reclaimed);
    page.family(
        "headwater_cleaner_uncleanable_partitions",
        "gauge",
        "Partitions that compaction cannot read and leaves alone until the next start.",
    );
    page.sample("headwater_cleaner_uncleanable_partitions", &[], metrics.compactions_given_up);
}

fn scrubber(page: &mut Page, metrics: &MetricsSnapshot) {
    page.counter(
        "headwater_scrub_bytes_total",
        "Bytes of closed segments of the log that were read again to find damage.",
        metrics.scrubbed_bytes,
    );
    page.counter(
        "headwater_scrub_found_total",
        "Damaged parts of logs that were found by reading them again, before a client asked for them.",
        metrics.scrub_found,
    );
    let help = "When the last reading of all closed segments ended, in seconds since 1970; 0 before the first.";
    page.gauge("headwater_scrub_last_pass_timestamp_seconds", help, metrics.scrub_pass_ended.map_or(0.0, |ended| ended.0 as f64 / 1000.0));
}

fn requests(page: &mut Page, metrics: &MetricsSnapshot) {
    page.family("headwater_requests_total", "counter", "Kafka requests answered, by API (its name in the protocol) and version.");
    for request in &metrics.requests {
        page.sample("headwater_requests_total", &[("api", &request.api), ("version", &request.version.to_string())], request.count);
    }
    page.family(
        "headwater_request_errors_total",
        "counter",
        "Error codes in answers to Kafka clients, by API and by the number of the code in the protocol.",
    );
    for error in &metrics.errors {
        page.sample("headwater_request_errors_total", &[("api", &error.api), ("code", &error.code.to_string())], error.count);
    }
    page.family(
        "headwater_unsupported_requests_total",
        "counter",
        "Requests for an API or version that is not served, by the name that the client gave itself; they end the connection.",
    );
    for unsupported in &metrics.unsupported {
        let (key, version) = (unsupported.api_key.to_string(), unsupported.version.to_string());
        let labels = [("api_key", key.as_str()), ("version", &version), ("client", &unsupported.client)];
        page.sample("headwater_unsupported_requests_total", &labels, unsupported.count);
    }
    page.histogram("headwater_produce_latency_seconds", "Seconds from a produce request to its answer.", &metrics.produce_latency);
    page.histogram(
        "headwater_fetch_latency_seconds",
        "Seconds from a fetch request to its answer, with the time that it waits for records.",
        &metrics.fetch_latency,
    );
}

fn logs(page: &mut Page, topics: &[TopicSummary], groups: &[&GroupSummary]) {
    let partitions = by_partition(topics);
    ends(page, topics);
    page.family("headwater_log_size_bytes", "gauge", "Bytes of a partition's log on the disk, without indexes.");
    for (topic, partition, summary) in &partitions {
        if let Some(size) = summary.size_bytes {
            page.sample("headwater_log_size_bytes", &[("topic", topic), ("partition", partition)], size);
        }
    }
    page.family(
        "headwater_log_damaged_ranges",
        "gauge",
        "Parts of a partition that are damaged and not served. Anything but 0 is an alarm.",
    );
    for (topic, partition, summary) in &partitions {
        page.sample("headwater_log_damaged_ranges", &[("topic", topic), ("partition", partition)], summary.damaged.len());
    }
    let help = "Segments of a partition whose index files were found missing or damaged since the start, and made anew from the records. Only partitions with any are listed.";
    page.family("headwater_log_indexes_rebuilt", "gauge", help);
    for (topic, partition, summary) in partitions.iter().filter(|(_, _, summary)| summary.indexes_rebuilt > 0) {
        page.sample("headwater_log_indexes_rebuilt", &[("topic", topic), ("partition", partition)], summary.indexes_rebuilt);
    }
    of_groups(page, groups);
}

fn by_partition(topics: &[TopicSummary]) -> Vec<(&str, String, &PartitionSummary)> {
    topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.name.as_str(), p.partition.to_string(), p))).collect()
}

fn ends(page: &mut Page, topics: &[TopicSummary]) {
    let partitions = by_partition(topics);
    page.family("headwater_log_start_offset", "gauge", "Offset of the oldest record that a partition still has.");
    for (topic, partition, summary) in &partitions {
        page.sample("headwater_log_start_offset", &[("topic", topic), ("partition", partition)], summary.start_offset);
    }
    page.family("headwater_log_end_offset", "gauge", "Offset that the next record of a partition gets.");
    for (topic, partition, summary) in &partitions {
        page.sample("headwater_log_end_offset", &[("topic", topic), ("partition", partition)], summary.end_offset);
    }
}

fn of_groups(page: &mut Page, groups: &[&GroupSummary]) {
    page.family("headwater_group_members", "gauge", "Consumers that are members of a group, by group and its state.");
    for group in groups {
        page.sample("headwater_group_members", &[("group", &group.id), ("state", &group.state)], group.members);
    }
    page.family("headwater_group_lag", "gauge", "Records between the offset that a group has committed and the end of the partition.");
    for group in groups {
        for offset in &group.offsets {
            let partition = offset.partition.to_string();
            let labels = [("group", group.id.as_str()), ("topic", offset.topic.as_str()), ("partition", &partition)];
            if let Some(lag) = offset.lag() {
                page.sample("headwater_group_lag", &labels, lag);
            }
        }
    }
}

fn disk(page: &mut Page, metrics: &MetricsSnapshot) {
    page.gauge(
        "headwater_read_only",
        "1 if the broker takes no records because too many starts in a row had no clean stop before them, else 0.",
        u8::from(metrics.read_only),
    );
    page.gauge(
        "headwater_partitions_offline",
        "Partitions closed to producers because the disk failed, until the next start.",
        metrics.partitions_offline,
    );
    page.gauge(
        "headwater_damaged_files",
        "Files of settings and state found damaged at the start: set aside, and restored from their copies where possible.",
        metrics.files_damaged,
    );
    page.gauge("headwater_topics_closed", "Topics that could not be opened at the start. The log says why.", metrics.topics_closed);
    let Some(disk) = metrics.disk else { return };
    page.gauge("headwater_disk_free_bytes", "Free bytes of the disk with the data folder.", disk.free_bytes);
    page.gauge("headwater_disk_total_bytes", "Size of the disk with the data folder, in bytes.", disk.total_bytes);
    page.gauge("headwater_disk_warning_bytes", "Free bytes of the disk below which the log and the pages warn.", disk.warning_bytes);
    page.gauge("headwater_disk_floor_bytes", "Free bytes of the disk below which producers are refused.", disk.floor_bytes);
    page.gauge("headwater_disk_full", "1 if producers are refused because the disk is full, else 0.", u8::from(disk.full));
    page.gauge(
        "headwater_disk_ballast_bytes",
        "Bytes of a file that is given up when the disk is full, so that commits and deletions still work.",
        disk.ballast_bytes,
    );
}

fn process(page: &mut Page, metrics: &MetricsSnapshot) {
    if let Some(started) = metrics.started {
        page.family("process_start_time_seconds", "gauge", "Start of the process, in seconds since 1970.");
        page.sample("process_start_time_seconds", &[], started.0 as f64 / 1000.0);
    }
    if let Some(bytes) = resident_bytes() {
        page.family(
            "process_resident_memory_bytes",
            "gauge",
            "Bytes of memory in use by the process, with the parts of mapped log files that are in memory.",
        );
        page.sample("process_resident_memory_bytes", &[], bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", "gauge", "Files and sockets that the process has open.");
        page.sample("process_open_fds", &[], open.count());
    }
}

/// From the second number of `/proc/self/statm`, which is in pages.
pub(super) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(text));
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Prometheus wants each bucket to hold all smaller ones.
    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.family(name, "histogram", help);
        let mut so_far = 0u64;
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            so_far = so_far.saturating_add(*count);
            self.sample(&bucket, &[("le", &bound.to_string())], so_far);
        }
        let all: u64 = histogram.counts.iter().sum();
        self.sample(&bucket, &[("le", "+Inf")], all);
        self.sample(&format!("{name}_sum"), &[], histogram.sum_seconds);
        self.sample(&format!("{name}_count"), &[], all);
    }
}

/// A label's text: clients choose some of them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::UnsupportedCount;

    #[test]
    fn a_clients_name_cannot_break_out_of_its_label() {
        let unsupported = vec![UnsupportedCount { api_key: 71, version: 0, client: "a\"b\\c\nd".into(), count: 1 }];
        let text = render(&MetricsSnapshot { unsupported, ..MetricsSnapshot::default() }, &[], &[], true);
        assert!(text.contains(r#"headwater_unsupported_requests_total{api_key="71",version="0",client="a\"b\\c\nd"} 1"#));
        assert!(text.lines().all(|line| line.starts_with('#') || line.split_once(' ').is_some()));
    }

    #[test]
    fn buckets_hold_all_smaller_ones() {
        let produce_latency = Histogram { bounds: vec![0.001, 0.01], counts: vec![3, 2, 1], sum_seconds: 0.5 };
        let text = render(&MetricsSnapshot { produce_latency, ..MetricsSnapshot::default() }, &[], &[], true);
        let wanted = "headwater_produce_latency_seconds_bucket{le=\"0.001\"} 3\nheadwater_produce_latency_seconds_bucket{le=\"0.01\"} 5\n\
                      headwater_produce_latency_seconds_bucket{le=\"+Inf\"} 6\nheadwater_produce_latency_seconds_sum 0.5\n\
                      headwater_produce_latency_seconds_count 6\n";
        assert!(text.contains(wanted), "{text}");
    }
}

#[cfg(test)]
#[path = "metrics_page.rs"]
mod page;
