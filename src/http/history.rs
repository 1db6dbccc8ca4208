//! Traffic, connections and the process's own cost: rates over the last seconds, and rings of the last quarter of an hour and the last day.
//! From counters that only grow; no record is read for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpState;
use super::answer::{InQuery, Refused};
use super::caller::Caller;
use super::overview::{is_stream, may_see_topic};
use crate::cluster::Kind;
use crate::model::TopicName;
use crate::model::metrics::MetricsSnapshot;

/// Rates are means over about this long.
const RATE_OVER: Duration = Duration::from_secs(5);
const FINE: Extent = Extent { step_s: 5, points: 180, topics_max: 2_000 };
const COARSE: Extent = Extent { step_s: 60, points: 1_440, topics_max: 300 };
/// Points of the small picture beside a topic.
const SPARK: usize = 60;

#[derive(Clone, Copy, Debug)]
struct Extent {
    step_s: u32,
    points: usize,
    /// Topics beside the streams. Those that were there first have a place.
    topics_max: usize,
}

#[derive(Default)]
pub(super) struct History {
    kept: Mutex<Kept>,
}

struct Kept {
    samples: VecDeque<Sample>,
    last_write_ms: HashMap<TopicName, i64>,
    fine: Ring,
    coarse: Ring,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept { samples: VecDeque::new(), last_write_ms: HashMap::new(), fine: Ring::new(FINE), coarse: Ring::new(COARSE) }
    }
}

/// What the counters said at one moment.
#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    bytes_in: u64,
    bytes_out: u64,
    messages: u64,
    cpu: Duration,
    /// Messages and bytes.
    topics: HashMap<TopicName, (u64, u64)>,
}

/// Per second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub messages_in: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    /// Of one core, by this process.
    pub cpu_percent: f64,
    pub topics: HashMap<TopicName, TopicRate>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TopicRate {
    pub messages_in: f64,
    pub bytes_in: f64,
    /// `None`: not by this process.
    pub last_write_ms: Option<i64>,
}

/// What this process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub cpu: Duration,
    pub memory_bytes: u64,
}

impl Process {
    /// Zero where the system does not tell.
    pub fn look() -> Process {
        Process { cpu: cpu_time().unwrap_or_default(), memory_bytes: super::metrics::resident_bytes().unwrap_or(0) }
    }
}

/// From the numbers 14 and 15 of `/proc/self/stat`, in ticks of the clock. The name in the second may hold spaces.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_secs_f64(user.saturating_add(system) as f64 / rustix::param::clock_ticks_per_second().max(1) as f64))
}

impl History {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn sample(&self, at: Instant, at_ms: i64, metrics: &MetricsSnapshot, process: Process) {
        let sample = Sample {
            at,
            // Of records, generated ones included: the sockets alone would not fit the messages beside it.
            bytes_in: metrics.topics.iter().map(|t| t.bytes_in).sum(),
            bytes_out: metrics.bytes_out,
            messages: metrics.topics.iter().map(|t| t.messages_in).sum(),
            cpu: process.cpu,
            topics: metrics.topics.iter().map(|t| (t.topic.clone(), (t.messages_in, t.bytes_in))).collect(),
        };
        let mut kept = self.kept();
        let Kept { samples, last_write_ms, fine, coarse } = &mut *kept;
        let before = samples.back();
        for topic in &metrics.topics {
            let had = before.and_then(|before| before.topics.get(&topic.topic)).map_or(0, |(messages, _)| *messages);
            if topic.messages_in > had {
                last_write_ms.insert(topic.topic.clone(), at_ms);
            }
        }
        if last_write_ms.len() > sample.topics.len() {
            last_write_ms.retain(|topic, _| sample.topics.contains_key(topic));
        }
        for ring in [fine, coarse] {
            ring.take(&sample, at_ms, metrics.connections_open, process.memory_bytes);
        }
        // One sample is as old as rates reach back, or older; the others are newer.
        while samples.get(1).is_some_and(|second| at.saturating_duration_since(second.at) >= RATE_OVER) {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// Whether there is a sample that is not older than this.
    pub fn is_fresh(&self, within: Duration) -> bool {
        self.kept().samples.back().is_some_and(|last| last.at.elapsed() <= within)
    }

    /// Zeros until there are two samples. A topic that was not there at the first sample counts from nothing.
    pub fn rate(&self) -> Rate {
        let kept = self.kept();
        let (Some(first), Some(last)) = (kept.samples.front(), kept.samples.back()) else { return Rate::default() };
        let seconds = last.at.saturating_duration_since(first.at).as_secs_f64();
        let topic = |(name, (messages, bytes)): (&TopicName, &(u64, u64))| {
            let (messages_before, bytes_before) = first.topics.get(name).copied().unwrap_or_default();
            let rate = TopicRate {
                messages_in: per_second(messages_before, *messages, seconds),
                bytes_in: per_second(bytes_before, *bytes, seconds),
                last_write_ms: kept.last_write_ms.get(name).copied(),
            };
            (name.clone(), rate)
        };
        Rate {
            messages_in: per_second(first.messages, last.messages, seconds),
            bytes_in: per_second(first.bytes_in, last.bytes_in, seconds),
            bytes_out: per_second(first.bytes_out, last.bytes_out, seconds),
            cpu_percent: share(first.cpu, last.cpu, seconds),
            topics: last.topics.iter().map(topic).collect(),
        }
    }

    /// Messages per second of a topic, one for each five seconds, the newest last.
    pub fn spark(&self, topic: &str) -> Vec<f64> {
        let kept = self.kept();
        let Some(series) = kept.fine.topics.get(topic) else { return Vec::new() };
        let skipped = series.len().saturating_sub(SPARK);
        series.iter().skip(skipped).map(|point| shown(f64::from(*point)).unwrap_or(0.0)).collect()
    }
}

fn per_second(from: u64, to: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { to.saturating_sub(from) as f64 / seconds } else { 0.0 }
}

fn share(from: Duration, to: Duration, seconds: f64) -> f64 {
    if seconds > 0.0 { to.saturating_sub(from).as_secs_f64() / seconds * 100.0 } else { 0.0 }
}

/// A gap is NaN; two digits behind the point are enough for a picture.
fn shown(value: f64) -> Option<f64> {
    value.is_finite().then(|| (value * 100.0).round() / 100.0)
}

/// Points at even steps, the newest last.
struct Ring {
    extent: Extent,
    last: Option<Sample>,
    at_ms: VecDeque<i64>,
    messages_in: VecDeque<f32>,
    bytes_in: VecDeque<f32>,
    bytes_out: VecDeque<f32>,
    connections: VecDeque<f32>,
    cpu_percent: VecDeque<f32>,
    memory_bytes: VecDeque<f64>,
    /// A series that is shorter than the others began later.
    topics: HashMap<TopicName, VecDeque<f32>>,
}

fn push<T>(series: &mut VecDeque<T>, value: T, most: usize) {
    if series.len() >= most {
        series.pop_front();
    }
    series.push_back(value);
}

impl Ring {
    fn new(extent: Extent) -> Ring {
        Ring {
            extent,
            last: None,
            at_ms: VecDeque::new(),
            messages_in: VecDeque::new(),
            bytes_in: VecDeque::new(),
            bytes_out: VecDeque::new(),
            connections: VecDeque::new(),
            cpu_percent: VecDeque::new(),
            memory_bytes: VecDeque::new(),
            topics: HashMap::new(),
        }
    }

    /// Adds a point when it is time for one.
    fn take(&mut self, sample: &Sample, at_ms: i64, connections: u64, memory_bytes: u64) {
        let Some(last) = &self.last else {
            self.last = Some(sample.clone());
            return;
        };
        let step = Duration::from_secs(u64::from(self.extent.step_s));
        let passed = sample.at.saturating_duration_since(last.at);
        // Samples come by a clock of their own: half a second early is on time.
        if passed + Duration::from_millis(500) < step {
            return;
        }
        let Some(last) = self.last.replace(sample.clone()) else { return };
        if passed > step * 3 {
            // Nobody was there, as when a laptop slept: a gap, not a mean over it.
            self.point(at_ms.saturating_sub(i64::from(self.extent.step_s) * 1_000), [f32::NAN; 5], f64::NAN, |_| f32::NAN, sample);
        }
        let seconds = passed.as_secs_f64();
        let values = [
            per_second(last.messages, sample.messages, seconds) as f32,
            per_second(last.bytes_in, sample.bytes_in, seconds) as f32,
            per_second(last.bytes_out, sample.bytes_out, seconds) as f32,
            connections as f32,
            share(last.cpu, sample.cpu, seconds) as f32,
        ];
        let of_topic = |topic: &TopicName| {
            let count = |sample: &Sample| sample.topics.get(topic).map_or(0, |(messages, _)| *messages);
            per_second(count(&last), count(sample), seconds) as f32
        };
        self.point(at_ms, values, memory_bytes as f64, of_topic, sample);
    }

    fn point(&mut self, at_ms: i64, values: [f32; 5], memory_bytes: f64, of_topic: impl Fn(&TopicName) -> f32, sample: &Sample) {
        let most = self.extent.points;
        push(&mut self.at_ms, at_ms, most);
        let [messages_in, bytes_in, bytes_out, connections, cpu_percent] = values;
        push(&mut self.messages_in, messages_in, most);
        push(&mut self.bytes_in, bytes_in, most);
        push(&mut self.bytes_out, bytes_out, most);
        push(&mut self.connections, connections, most);
        push(&mut self.cpu_percent, cpu_percent, most);
        push(&mut self.memory_bytes, memory_bytes, most);
        // A topic that is gone takes its past with it: the next of that name is another.
        self.topics.retain(|topic, _| sample.topics.contains_key(topic));
        for topic in sample.topics.keys() {
            if !self.topics.contains_key(topic) && self.topics.len() >= self.extent.topics_max && !is_stream(topic.as_str()) {
                continue;
            }
            push(self.topics.entry(topic.clone()).or_default(), of_topic(topic), most);
        }
    }

    /// The last so many points, of the topics that may be seen.
    fn tell(&self, points: usize, may_see: impl Fn(&str) -> bool) -> HistoryAnswer {
        let count = self.at_ms.len().min(points);
        let last = |series: &VecDeque<f32>| -> Vec<Option<f64>> {
            let missing = count.saturating_sub(series.len());
            let skipped = series.len().saturating_sub(count);
            let there = series.iter().skip(skipped).map(|value| shown(f64::from(*value)));
            std::iter::repeat_n(None, missing).chain(there).collect()
        };
        let skipped = self.at_ms.len().saturating_sub(count);
        let mut topics: Vec<TopicPast> = self
            .topics
            .iter()
            .filter(|(name, _)| may_see(name.as_str()))
            .map(|(name, series)| TopicPast { name: name.to_string(), messages_per_s: last(series) })
            .collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        HistoryAnswer {
            step_s: self.extent.step_s,
            at_ms: self.at_ms.iter().skip(skipped).copied().collect(),
            messages_in_per_s: last(&self.messages_in),
            bytes_in_per_s: last(&self.bytes_in),
            bytes_out_per_s: last(&self.bytes_out),
            connections: last(&self.connections),
            cpu_percent: last(&self.cpu_percent),
            memory_bytes: self.memory_bytes.iter().skip(skipped).map(|bytes| shown(*bytes)).collect(),
            topics,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    /// 15, 60, 360 or 1440; 15 without.
    minutes: Option<u32>,
}

/// Lists of one length, the newest last. `null` is a gap: the broker was not running, the topic was not there, or
/// another cluster's brokers count it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(super) struct HistoryAnswer {
    /// Seconds between two points.
    step_s: u32,
    at_ms: Vec<i64>,
    messages_in_per_s: Vec<Option<f64>>,
    /// Of records, generated ones included.
    bytes_in_per_s: Vec<Option<f64>>,
    /// To Kafka clients.
    bytes_out_per_s: Vec<Option<f64>>,
    connections: Vec<Option<f64>>,
    /// Of one core, by the broker.
    cpu_percent: Vec<Option<f64>>,
    memory_bytes: Vec<Option<f64>>,
    topics: Vec<TopicPast>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TopicPast {
    name: String,
    messages_per_s: Vec<Option<f64>>,
}

/// Topics that one answer tells of, streams first.
const TOPICS_TOLD: usize = 100;

pub(super) async fn history(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    InQuery(query): InQuery<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Refused> {
    let minutes = query.minutes.unwrap_or(15);
    let kept = state.history.kept();
    let (ring, points) = match minutes {
        15 => (&kept.fine, 180),
        60 | 360 | 1_440 => (&kept.coarse, usize::try_from(minutes).unwrap_or(0)),
        _ => {
            let error = format!("there is no history of {minutes} minutes");
            return Err(Refused::new(StatusCode::BAD_REQUEST, error, "ask for 15, 60, 360 or 1440"));
        }
    };
    let internal = |topic: &str| topic.starts_with('_');
    let mut answer = ring.tell(points, |topic| may_see_topic(&caller, topic) && !internal(topic));
    answer.topics.sort_by_key(|topic| !is_stream(&topic.name));
    answer.topics.truncate(TOPICS_TOLD);
    if state.cluster.kind() != Kind::Embedded {
        for series in [&mut answer.bytes_in_per_s, &mut answer.bytes_out_per_s, &mut answer.connections] {
            series.fill(None);
        }
    }
    Ok(Json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::TopicCount;

    fn metrics(second: u64, names: &[&str]) -> MetricsSnapshot {
        let count = |name: &&str| TopicCount { topic: (*name).into(), messages_in: second * second, bytes_in: second * 100, bytes_out: 0 };
        MetricsSnapshot {
            bytes_in: second * 7,
            connections_open: 3,
            topics: names.iter().map(count).collect(),
            ..MetricsSnapshot::default()
        }
    }

    fn at(start: Instant, second: u64) -> (Instant, i64, Process) {
        (start + Duration::from_secs(second), second as i64 * 1_000, Process { cpu: Duration::from_millis(second * 20), memory_bytes: 5 })
    }

    #[test]
    fn rates_are_means_over_the_last_five_seconds() {
        let (history, start) = (History::default(), Instant::now());
        assert_eq!(history.rate(), Rate::default());
        for second in 0..10 {
            let (at, at_ms, process) = at(start, second);
            history.sample(at, at_ms, &metrics(second, &["t"]), process);
        }
        let rate = history.rate();
        assert_eq!((rate.bytes_in, rate.messages_in), (100.0, (81.0 - 16.0) / 5.0));
        assert!((rate.cpu_percent - 2.0).abs() < 1e-9, "{}", rate.cpu_percent);
        assert_eq!(rate.topics.get("t").map(|t| (t.bytes_in, t.last_write_ms)), Some((100.0, Some(9_000))));
    }

    #[test]
    fn rings_have_points_at_even_steps_and_gaps_where_nobody_was() {
        let (history, start) = (History::default(), Instant::now());
        for second in (0..61).chain(200..222) {
            let names: &[&str] = if second < 31 { &["a"] } else { &["a", "b"] };
            let (at, at_ms, process) = at(start, second);
            history.sample(at, at_ms, &metrics(second, names), process);
        }
        let kept = history.kept();
        let told = kept.fine.tell(180, |topic| topic != "c");
        assert_eq!((told.step_s, &told.at_ms[..3]), (5, &[5_000, 10_000, 15_000][..]));
        // 12 points, a gap before the one at 200 s, and four more.
        assert_eq!((told.at_ms.len(), told.at_ms[12], told.messages_in_per_s[12]), (18, 195_000, None));
        assert!(told.messages_in_per_s[0].is_some_and(|rate| rate == 5.0), "{:?}", told.messages_in_per_s);
        let b = told.topics.iter().find(|topic| topic.name == "b").unwrap();
        assert_eq!((b.messages_per_s.len(), b.messages_per_s[5], b.messages_per_s[7].is_some()), (18, None, true));
        assert_eq!(kept.coarse.at_ms.len(), 2);
        drop(kept);
        assert_eq!(history.spark("a").len(), 18);
        // A topic that is gone is forgotten.
        let (at, at_ms, process) = at(start, 230);
        history.sample(at, at_ms, &metrics(230, &["b"]), process);
        assert!(history.spark("a").is_empty() && !history.kept().last_write_ms.contains_key("a"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (history, start) = (History::default(), Instant::now());
        let names: Vec<String> = (0..3_000).map(|n| format!("topic-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for step in 0..20 {
            let (at, at_ms, process) = at(start, step * 60);
            history.sample(at, at_ms, &metrics(step, &names), process);
        }
        let kept = history.kept();
        assert_eq!((kept.fine.topics.len(), kept.coarse.topics.len()), (2_000, 300));
        assert!(kept.samples.len() <= 7);
    }
}
