//! What all pages say of groups: one look at the cluster, shared by the live page, the pages of groups and topics, the overview and
//! `/metrics`, so that they all show the same numbers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::cluster::{Cluster, GroupOffset, GroupSummary};

/// Groups are looked at again when the last look is older: a little less than a second, so that each tick has its own.
const FRESH: Duration = Duration::from_millis(900);
/// The same for whoever asks for a group that was not there: it may be new.
const FRESH_FOR_NEWS: Duration = Duration::from_millis(100);
/// Rates are means over about this long: consumers commit every five seconds.
const RATE_OVER: Duration = Duration::from_secs(30);
pub(super) const LAG_STEP_S: u32 = 5;
const LAG_POINTS: usize = 180;
/// Groups whose past is kept.
const GROUPS_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Groups {
    last: tokio::sync::Mutex<Option<Arc<GroupsNow>>>,
    past: Mutex<HashMap<String, Past>>,
}

/// All groups as of one moment.
pub(super) struct GroupsNow {
    at: Instant,
    pub at_ms: i64,
    /// Sorted by id.
    pub groups: Vec<GroupNow>,
}

pub(super) struct GroupNow {
    pub summary: GroupSummary,
    /// Of the partitions that it has committed offsets of; `None`: there are none.
    pub lag: Option<i64>,
    /// In their order.
    pub topics: Vec<TopicNow>,
    /// Records per second that come in, and that are committed.
    pub rate_in: f64,
    pub rate_out: f64,
    /// Seconds until nothing is left, at these rates.
    pub eta_s: Option<f64>,
}

/// What a group reads of one topic.
pub(super) struct TopicNow {
    pub name: String,
    /// As the group's.
    pub lag: Option<i64>,
    /// Partitions that its lag leaves out: nothing was committed there yet.
    pub uncounted: usize,
}

/// What pages and the console say of these.
pub(super) fn not_counted(partitions: usize) -> String {
    let those = if partitions == 1 { "1 partition".to_owned() } else { format!("{partitions} partitions") };
    format!("not counted: {those} without a committed offset")
}

/// The sum of what there is.
pub(super) fn lag_of_all(lags: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    lags.flatten().reduce(i64::saturating_add)
}

struct Past {
    window: VecDeque<Mark>,
    lag: VecDeque<(i64, Option<i64>)>,
    lag_at: Option<Instant>,
}

/// Where a group stood.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    partitions: usize,
    committed: i64,
    end: i64,
}

pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|passed| i64::try_from(passed.as_millis()).ok()).unwrap_or(0)
}

impl GroupsNow {
    pub fn get(&self, id: &str) -> Option<&GroupNow> {
        self.groups.binary_search_by(|group| group.summary.id.as_str().cmp(id)).ok().and_then(|at| self.groups.get(at))
    }

    /// Those whose ids begin so.
    pub fn beginning_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a GroupNow> {
        let first = self.groups.partition_point(|group| group.summary.id.as_str() < prefix);
        self.groups.iter().skip(first).take_while(move |group| group.summary.id.starts_with(prefix))
    }
}

impl Groups {
    pub async fn now(&self, cluster: &dyn Cluster) -> Arc<GroupsNow> {
        self.within(FRESH, cluster).await
    }

    /// The same for one group.
    pub async fn now_with(&self, id: &str, cluster: &dyn Cluster) -> Arc<GroupsNow> {
        let now = self.now(cluster).await;
        if now.get(id).is_some() { now } else { self.within(FRESH_FOR_NEWS, cluster).await }
    }

    /// Those who come while somebody looks wait for it.
    async fn within(&self, fresh: Duration, cluster: &dyn Cluster) -> Arc<GroupsNow> {
        let mut last = self.last.lock().await;
        if let Some(fresh) = last.as_ref().filter(|last| last.at.elapsed() < fresh) {
            return Arc::clone(fresh);
        }
        let groups = cluster.groups().await;
        let (at, at_ms) = (Instant::now(), now_ms());
        let mut past = self.past();
        let groups: Vec<GroupNow> = groups.into_iter().map(|summary| look(summary, &mut past, at, at_ms)).collect();
        if past.len() > groups.len() {
            past.retain(|id, _| groups.binary_search_by(|group| group.summary.id.as_str().cmp(id)).is_ok());
        }
        drop(past);
        let now = Arc::new(GroupsNow { at, at_ms, groups });
        *last = Some(Arc::clone(&now));
        now
    }

    /// The next who asks gets a new look: something was changed.
    pub async fn forget(&self) {
        *self.last.lock().await = None;
    }

    fn past(&self) -> MutexGuard<'_, HashMap<String, Past>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When, and the lag then; the newest last.
    pub fn lag_history(&self, id: &str) -> Vec<(i64, Option<i64>)> {
        self.past().get(id).map_or_else(Vec::new, |past| past.lag.iter().copied().collect())
    }
}

fn look(summary: GroupSummary, past: &mut HashMap<String, Past>, at: Instant, at_ms: i64) -> GroupNow {
    let of_topic = |offsets: &[GroupOffset]| TopicNow {
        name: offsets.first().map(|offset| offset.topic.to_string()).unwrap_or_default(),
        lag: lag_of_all(offsets.iter().map(GroupOffset::lag)),
        uncounted: offsets.iter().filter(|offset| offset.committed.is_none()).count(),
    };
    let topics: Vec<TopicNow> = summary.offsets.chunk_by(|one, next| one.topic == next.topic).map(of_topic).collect();
    let lag = lag_of_all(topics.iter().map(|topic| topic.lag));
    let mut mark = Mark { at, partitions: 0, committed: 0, end: 0 };
    for (committed, end) in summary.offsets.iter().filter_map(|offset| Some((offset.committed?, offset.end_offset))) {
        mark.partitions = mark.partitions.saturating_add(1);
        mark.committed = mark.committed.saturating_add(committed.0);
        mark.end = mark.end.saturating_add(end.0);
    }
    let (rate_in, rate_out) = if past.len() < GROUPS_MAX || past.contains_key(&summary.id) {
        let past = past.entry(summary.id.clone()).or_insert_with(Past::new);
        past.note_lag(at, at_ms, lag);
        past.rates(mark)
    } else {
        (0.0, 0.0)
    };
    let eta_s = match lag {
        None => None,
        Some(0) => Some(0.0),
        Some(lag) if rate_out > rate_in => Some((lag as f64 / (rate_out - rate_in)).round()),
        _ => None,
    };
    GroupNow { summary, lag, topics, rate_in, rate_out, eta_s }
}

impl Past {
    fn new() -> Past {
        Past { window: VecDeque::new(), lag: VecDeque::new(), lag_at: None }
    }

    fn note_lag(&mut self, at: Instant, at_ms: i64, lag: Option<i64>) {
        let step = Duration::from_secs(u64::from(LAG_STEP_S)).saturating_sub(Duration::from_millis(500));
        if self.lag_at.is_none_or(|last| at.saturating_duration_since(last) >= step) {
            self.lag_at = Some(at);
            if self.lag.len() >= LAG_POINTS {
                self.lag.pop_front();
            }
            self.lag.push_back((at_ms, lag));
        }
    }

    fn rates(&mut self, mark: Mark) -> (f64, f64) {
        // Other partitions than before, or offsets that were set back: a new beginning.
        if self
            .window
            .back()
            .is_some_and(|last| last.partitions != mark.partitions || last.committed > mark.committed || last.end > mark.end)
        {
            self.window.clear();
        }
        while self.window.get(1).is_some_and(|second| mark.at.saturating_duration_since(second.at) >= RATE_OVER) {
            self.window.pop_front();
        }
        self.window.push_back(mark);
        let Some(first) = self.window.front() else { return (0.0, 0.0) };
        let seconds = mark.at.saturating_duration_since(first.at).as_secs_f64();
        let per_second =
            |from: i64, to: i64| if seconds > 0.0 { (to.saturating_sub(from) as f64 / seconds * 100.0).round() / 100.0 } else { 0.0 };
        (per_second(first.end, mark.end), per_second(first.committed, mark.committed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Offset, PartitionId};

    fn summary(committed: i64, end: i64) -> GroupSummary {
        let offset =
            |p| GroupOffset { topic: "t".into(), partition: PartitionId(p), committed: Some(Offset(committed)), end_offset: Offset(end) };
        GroupSummary { id: "g".into(), protocol: "classic".into(), state: "Stable".into(), members: 1, offsets: vec![offset(0), offset(1)] }
    }

    #[test]
    fn rates_say_when_nothing_will_be_left() {
        let (mut past, start) = (HashMap::new(), Instant::now());
        let mut last = None;
        for second in 0..=40_i64 {
            let at = start + Duration::from_secs(second as u64);
            // 10 records a second come in, 30 are committed, of each of two partitions.
            last = Some(look(summary(second * 30, 5_000 + second * 10), &mut past, at, second * 1_000));
        }
        let last = last.unwrap();
        assert_eq!((last.rate_in, last.rate_out, last.lag), (20.0, 60.0, Some(2 * (5_400 - 1_200))));
        assert_eq!(last.eta_s, Some(210.0));
        assert_eq!(past["g"].lag.iter().map(|(at, _)| *at).collect::<Vec<_>>()[..3], [0, 5_000, 10_000]);
        // Set back: no rate of minus so many.
        let at = start + Duration::from_secs(41);
        let back = look(summary(0, 5_410), &mut past, at, 41_000);
        assert_eq!((back.rate_in, back.rate_out, back.eta_s), (0.0, 0.0, None));
    }

    #[test]
    fn a_commit_beyond_the_end_is_no_lag_of_less_than_nothing() {
        let group = look(summary(10, 5), &mut HashMap::new(), Instant::now(), 0);
        assert_eq!((group.lag, group.eta_s), (Some(0), Some(0.0)));
    }

    #[test]
    fn partitions_without_a_committed_offset_have_no_lag_and_are_counted_apart() {
        let mut some = summary(3, 10);
        some.offsets[1].committed = None;
        let mut none = summary(3, 10);
        none.offsets.iter_mut().for_each(|offset| offset.committed = None);
        let look = |summary| look(summary, &mut HashMap::new(), Instant::now(), 0);
        let (some, none) = (look(some), look(none));
        assert_eq!((some.lag, some.topics[0].lag, some.topics[0].uncounted), (Some(7), Some(7), 1));
        assert_eq!((none.lag, none.eta_s, none.topics[0].lag, none.topics[0].uncounted), (None, None, None, 2));
        assert_eq!(not_counted(1), "not counted: 1 partition without a committed offset");
    }
}
