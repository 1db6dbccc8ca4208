//! Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches and answers only with what changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{ErrorCode, Offset, PartitionId, Timestamp, TopicId, TopicName};
use crate::security::Principal;

/// A topic as the request named it: by name up to version 12, by id from 13.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    Name(TopicName),
    Id(TopicId),
}

pub type FetchKey = (TopicRef, PartitionId);

/// What a consumer asks of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchAsk {
    pub fetch_offset: i64,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
    pub partition_max_bytes: i32,
}

/// One partition in the order in which it is served.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub topic: TopicRef,
    pub partition: PartitionId,
    pub ask: FetchAsk,
    /// The name the id stood for when the session first saw it: a topic deleted since is "unknown topic", not "unknown id".
    pub name: Option<TopicName>,
}

/// What decides whether a partition belongs into an incremental answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub error: ErrorCode,
    pub has_records: bool,
    pub diverging: bool,
    pub high_watermark: Offset,
    pub log_start: Offset,
}

struct Cached {
    wanted: Wanted,
    high_watermark: Offset,
    log_start: Offset,
}

struct Session {
    /// Whose it is; it is nobody else's to use, change or end.
    owner: Principal,
    /// Partitions in all sessions.
    held: Arc<AtomicUsize>,
    epoch: i32,
    by_id: bool,
    used: Timestamp,
    next_place: u64,
    /// Serving order. A partition that returned records goes to the end, so that no partition starves.
    order: BTreeMap<u64, Cached>,
    places: HashMap<FetchKey, u64>,
}

impl Session {
    fn put(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition);
        if let Some(cached) = self.places.get(&key).and_then(|place| self.order.get_mut(place)) {
            cached.wanted.ask = wanted.ask;
            if cached.wanted.name.is_none() {
                cached.wanted.name = wanted.name;
            }
            return;
        }
        self.places.insert(key, self.next_place);
        self.order.insert(self.next_place, Cached { wanted, high_watermark: Offset::NONE, log_start: Offset::NONE });
        self.next_place += 1;
        self.held.fetch_add(1, Relaxed);
    }

    fn forget(&mut self, key: &FetchKey) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
            self.held.fetch_sub(1, Relaxed);
        }
    }

    /// Notes what was answered; true if the partition belongs into an incremental answer.
    fn note(&mut self, key: &FetchKey, answered: Answered) -> bool {
        let Some(&place) = self.places.get(key) else { return true };
        let Some(cached) = self.order.get_mut(&place) else { return true };
        let failed = answered.error != ErrorCode::None;
        let changed = cached.high_watermark != answered.high_watermark || cached.log_start != answered.log_start;
        cached.log_start = answered.log_start;
        // A partition in error is answered every time: remember a watermark that nothing equals.
        cached.high_watermark = if failed { Offset(i64::MIN) } else { answered.high_watermark };
        if answered.has_records
            && let Some(cached) = self.order.remove(&place)
        {
            self.places.insert(key.clone(), self.next_place);
            self.order.insert(self.next_place, cached);
            self.next_place += 1;
        }
        failed || answered.has_records || answered.diverging || changed
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.held.fetch_sub(self.order.len(), Relaxed);
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch.saturating_add(1) }
}

/// How one fetch request stands to the sessions.
pub enum FetchScope {
    /// No session: everything asked is answered, session id 0.
    Sessionless,
    /// A full fetch that asks for a session to be made of it.
    Full,
    /// An incremental fetch within a session.
    Incremental(SessionHandle),
}

pub struct SessionHandle {
    pub id: i32,
    expected_epoch: i32,
    session: Arc<Mutex<Session>>,
}

pub struct FetchSessions {
    cache: Mutex<Cache>,
    held: Arc<AtomicUsize>,
}

struct Cache {
    slots: usize,
    next_id: i32,
    sessions: HashMap<i32, Arc<Mutex<Session>>>,
}

/// A session unused for this long gives its slot to a new one (`min.incremental.fetch.session.eviction.ms`).
const EVICTION_MS: i64 = 120_000;
const FINAL_EPOCH: i32 = -1;
/// More partitions than a broker has: a fetch of more gets no session, which would only hold memory.
const PARTITIONS_MAX: usize = 10_000;
/// The same for all sessions together: some hundred bytes each.
const PARTITIONS_OF_ALL_MAX: usize = 200_000;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FetchSessions {
    /// `first_id` should differ from run to run, so that a session of a former run is not taken for one of this run.
    pub fn new(slots: usize, first_id: i32) -> FetchSessions {
        let cache = Mutex::new(Cache { slots, next_id: first_id.max(1), sessions: HashMap::new() });
        FetchSessions { cache, held: Arc::default() }
    }

    /// Sorts a request into its scope and returns what it wants served, in order.
    #[allow(clippy::too_many_arguments, reason = "what a request says of its session, and whose it is")]
    pub fn begin(
        &self,
        owner: &Principal,
        session_id: i32,
        session_epoch: i32,
        by_id: bool,
        asked: Vec<Wanted>,
        forgotten: Vec<FetchKey>,
        now: Timestamp,
    ) -> Result<(FetchScope, Vec<Wanted>), ErrorCode> {
        if session_epoch == FINAL_EPOCH || session_epoch == 0 {
            locked(&self.cache).end(owner, session_id);
            let scope = if session_epoch == 0 { FetchScope::Full } else { FetchScope::Sessionless };
            return Ok((scope, asked));
        }
        let session = locked(&self.cache).of(owner, session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut guard = locked(&session);
        if guard.epoch != session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if guard.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for wanted in asked {
            guard.put(wanted);
        }
        for key in &forgotten {
            guard.forget(key);
        }
        if guard.order.len() > PARTITIONS_MAX || self.held.load(Relaxed) > PARTITIONS_OF_ALL_MAX {
            drop(guard);
            locked(&self.cache).sessions.remove(&session_id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        guard.used = now;
        if guard.order.is_empty() {
            drop(guard);
            locked(&self.cache).sessions.remove(&session_id);
            return Ok((FetchScope::Sessionless, Vec::new()));
        }
        guard.epoch = next_epoch(guard.epoch);
        let expected_epoch = guard.epoch;
        let wanted = guard.order.values().map(|c| c.wanted.clone()).collect();
        drop(guard);
        Ok((FetchScope::Incremental(SessionHandle { id: session_id, expected_epoch, session }), wanted))
    }

    /// Makes a session of a full fetch that was answered, also of one that asked for nothing yet. 0 means "no session": the cache is
    /// full, or too much was asked.
    pub fn establish(&self, owner: &Principal, by_id: bool, served: Vec<(Wanted, Answered)>, now: Timestamp) -> i32 {
        if served.len() > PARTITIONS_MAX || self.held.load(Relaxed).saturating_add(served.len()) > PARTITIONS_OF_ALL_MAX {
            return 0;
        }
        let (owner, held) = (owner.clone(), Arc::clone(&self.held));
        let mut session =
            Session { owner, held, epoch: 1, by_id, used: now, next_place: 0, order: BTreeMap::new(), places: HashMap::new() };
        for (wanted, answered) in served {
            let key = (wanted.topic.clone(), wanted.partition);
            session.put(wanted);
            // Noting without moving keeps the order of the request.
            session.note(&key, Answered { has_records: false, ..answered });
        }
        locked(&self.cache).insert(session, now)
    }

    pub fn count(&self) -> usize {
        locked(&self.cache).sessions.len()
    }
}

impl Cache {
    fn of(&self, owner: &Principal, id: i32) -> Option<Arc<Mutex<Session>>> {
        self.sessions.get(&id).filter(|session| locked(session).owner == *owner).cloned()
    }

    fn end(&mut self, owner: &Principal, id: i32) {
        if self.of(owner, id).is_some() {
            self.sessions.remove(&id);
        }
    }

    /// The longest unused session of whoever has the most, if that is many more than `owner` has: nobody takes all places.
    fn surplus(&self, owner: &Principal) -> Option<i32> {
        let mut by_owner: HashMap<Principal, (usize, (Timestamp, i32))> = HashMap::new();
        for (id, session) in &self.sessions {
            let session = locked(session);
            let used = (session.used, *id);
            let (count, oldest) = by_owner.entry(session.owner.clone()).or_insert((0, used));
            *count += 1;
            *oldest = used.min(*oldest);
        }
        let own = by_owner.get(owner).map_or(0, |(count, _)| *count);
        let (most, (_, oldest)) = by_owner.into_values().max_by_key(|(count, _)| *count)?;
        (most > own.saturating_add(1)).then_some(oldest)
    }

    fn insert(&mut self, session: Session, now: Timestamp) -> i32 {
        if self.sessions.len() >= self.slots {
            let oldest = self.sessions.iter().map(|(id, s)| (locked(s).used, *id)).min();
            match oldest {
                Some((used, id)) if now.since(used) >= EVICTION_MS => self.sessions.remove(&id),
                _ => match self.surplus(&session.owner) {
                    Some(id) => self.sessions.remove(&id),
                    None => return 0,
                },
            };
        }
        let mut id = self.next_id;
        while self.sessions.contains_key(&id) {
            id = id.checked_add(1).unwrap_or(1);
        }
        self.next_id = id.checked_add(1).unwrap_or(1);
        self.sessions.insert(id, Arc::new(Mutex::new(session)));
        id
    }
}

impl SessionHandle {
    /// Which of the answered partitions an incremental answer carries. An error means another request overtook this one.
    pub fn changed(&self, answered: &[(FetchKey, Answered)]) -> Result<Vec<bool>, ErrorCode> {
        let mut session = locked(&self.session);
        if session.epoch != self.expected_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        Ok(answered.iter().map(|(key, a)| session.note(key, *a)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Principal {
        Principal::user("otter")
    }

    fn wanted(topic: &str) -> Wanted {
        Wanted {
            topic: TopicRef::Name(topic.into()),
            partition: PartitionId(0),
            ask: FetchAsk { fetch_offset: 0, current_leader_epoch: -1, last_fetched_epoch: -1, partition_max_bytes: 1 },
            name: None,
        }
    }

    fn answered(high_watermark: i64) -> Answered {
        Answered {
            error: ErrorCode::None,
            has_records: false,
            diverging: false,
            high_watermark: Offset(high_watermark),
            log_start: Offset(0),
        }
    }

    fn key(topic: &str) -> FetchKey {
        (TopicRef::Name(topic.into()), PartitionId(0))
    }

    #[test]
    fn only_changed_partitions_are_answered_again() {
        let sessions = FetchSessions::new(10, 7);
        let now = Timestamp(0);
        let id = sessions.establish(&me(), false, vec![(wanted("a"), answered(5)), (wanted("b"), answered(5))], now);
        assert_eq!(id, 7);
        let (scope, list) = sessions.begin(&me(), id, 1, false, vec![], vec![], now).unwrap();
        assert_eq!(list.len(), 2);
        let FetchScope::Incremental(handle) = scope else { panic!() };
        let changed = handle.changed(&[(key("a"), answered(5)), (key("b"), answered(6))]).unwrap();
        assert_eq!(changed, [false, true]);
    }

    #[test]
    fn a_partition_in_error_is_answered_every_time() {
        let sessions = FetchSessions::new(10, 1);
        let failed = Answered { error: ErrorCode::OffsetOutOfRange, ..answered(-1) };
        let id = sessions.establish(&me(), false, vec![(wanted("a"), failed)], Timestamp(0));
        for epoch in 1..4 {
            let Ok((FetchScope::Incremental(handle), _)) = sessions.begin(&me(), id, epoch, false, vec![], vec![], Timestamp(0)) else {
                panic!()
            };
            assert_eq!(handle.changed(&[(key("a"), failed)]).unwrap(), [true]);
        }
    }

    #[test]
    fn wrong_epochs_ids_and_mixed_kinds_are_refused_by_name() {
        let sessions = FetchSessions::new(10, 1);
        let id = sessions.establish(&me(), false, vec![(wanted("a"), answered(5))], Timestamp(0));
        let code = |id, epoch, by_id| sessions.begin(&me(), id, epoch, by_id, vec![], vec![], Timestamp(0)).err();
        assert_eq!(code(id + 1, 1, false), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(code(id, 2, false), Some(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(code(id, 1, true), Some(ErrorCode::FetchSessionTopicIdError));
    }

    #[test]
    fn a_full_cache_gives_no_session_until_one_is_stale() {
        let sessions = FetchSessions::new(1, 1);
        let make = |at| sessions.establish(&me(), false, vec![(wanted("a"), answered(5))], Timestamp(at));
        assert_ne!(make(0), 0);
        assert_eq!(make(1_000), 0);
        assert_ne!(make(EVICTION_MS), 0);
        assert_eq!(sessions.count(), 1);
    }

    #[test]
    fn a_session_may_begin_with_nothing_and_be_filled_later() {
        let sessions = FetchSessions::new(10, 1);
        let id = sessions.establish(&me(), false, vec![], Timestamp(0));
        assert_eq!(id, 1);
        let (scope, list) = sessions.begin(&me(), id, 1, false, vec![wanted("a")], vec![], Timestamp(0)).unwrap();
        assert!(matches!(scope, FetchScope::Incremental(_)) && list.len() == 1);
    }

    #[test]
    fn no_session_holds_more_partitions_than_a_broker_has() {
        let sessions = FetchSessions::new(10, 1);
        let many = |count: usize| (0..count).map(|i| Wanted { partition: PartitionId(i as i32), ..wanted("a") }).collect::<Vec<_>>();
        let too_many = many(PARTITIONS_MAX + 1).into_iter().map(|w| (w, answered(5))).collect();
        assert_eq!(sessions.establish(&me(), false, too_many, Timestamp(0)), 0);
        let id = sessions.establish(&me(), false, vec![(wanted("b"), answered(5))], Timestamp(0));
        let grown = sessions.begin(&me(), id, 1, false, many(PARTITIONS_MAX), vec![], Timestamp(0)).err();
        assert_eq!((grown, sessions.count()), (Some(ErrorCode::FetchSessionIdNotFound), 0));
    }

    #[test]
    fn forgetting_everything_ends_the_session() {
        let sessions = FetchSessions::new(10, 1);
        let id = sessions.establish(&me(), false, vec![(wanted("a"), answered(5))], Timestamp(0));
        let (scope, list) = sessions.begin(&me(), id, 1, false, vec![], vec![key("a")], Timestamp(0)).unwrap();
        assert!(matches!(scope, FetchScope::Sessionless) && list.is_empty());
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn a_session_is_its_makers_alone() {
        let sessions = FetchSessions::new(10, 1);
        let (eve, now) = (Principal::user("eve"), Timestamp(0));
        let id = sessions.establish(&me(), false, vec![(wanted("a"), answered(5))], now);
        let refused = sessions.begin(&eve, id, 1, false, vec![], vec![key("a")], now).err();
        assert_eq!(refused, Some(ErrorCode::FetchSessionIdNotFound));
        for ending in [0, FINAL_EPOCH] {
            assert!(sessions.begin(&eve, id, ending, false, vec![], vec![], now).is_ok());
        }
        assert_eq!(sessions.begin(&me(), id, 1, false, vec![], vec![], now).unwrap().1.len(), 1);
    }

    #[test]
    fn nobody_takes_all_places_or_all_memory() {
        let sessions = FetchSessions::new(10, 1);
        let (eve, now) = (Principal::user("eve"), Timestamp(0));
        (0..10).for_each(|_| assert_ne!(sessions.establish(&eve, false, vec![(wanted("a"), answered(5))], now), 0));
        assert_eq!(sessions.establish(&eve, false, vec![(wanted("a"), answered(5))], now), 0);
        assert_ne!(sessions.establish(&me(), false, vec![(wanted("a"), answered(5))], now), 0);
        let many = |n: usize| (0..PARTITIONS_MAX).map(|at| (wanted(&format!("{n}-{at}")), answered(5))).collect::<Vec<_>>();
        let sessions = FetchSessions::new(1_000, 1);
        let given = (0..30).filter(|n| sessions.establish(&eve, false, many(*n), now) != 0).count();
        assert_eq!(given, PARTITIONS_OF_ALL_MAX / PARTITIONS_MAX);
        sessions.begin(&eve, 1, FINAL_EPOCH, false, vec![], vec![], now).unwrap();
        assert_ne!(sessions.establish(&eve, false, many(0), now), 0, "what has ended holds none");
    }
}
