//! What the records of the journal say: the lanes of a source, and what was committed for groups.
//!
//! A lane's map stands there in parts, of which mostly only the last one changes. Where the whole map changes, its parts are written anew
//! under the next generation, and behind them a record that makes this generation the one that counts. As records keep their order, a
//! mirror that is killed in between leaves either the old map or the new one.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::map::{OffsetMap, Run};

/// A part holds about so many runs.
const PART_RUNS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub(super) enum Key {
    Session { from: String },
    Offsets { from: String, topic: String, partition: i32, generation: u64, at: i64 },
    Generation { from: String, topic: String, partition: i32 },
    Group { from: String, group: String, topic: String, partition: i32 },
}

/// The journal's records by their keys, the newest of each.
pub(super) type Records = BTreeMap<Key, Vec<u8>>;

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    session: String,
}

/// Which parts count. Without this record those of generation 0 do.
#[derive(Debug, Serialize, Deserialize)]
struct Generation {
    generation: u64,
}

/// A part of a partition's map; the last part says where it ends.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Offsets {
    runs: Vec<(i64, i64, i64)>,
    source_next: i64,
    target_next: i64,
    mark: Option<Mark>,
}

/// A record that was copied, by which a topic is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub source: i64,
    pub crc: u32,
}

/// What a group has committed there by a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Commit {
    /// The offset before, -1 for none.
    pub was: i64,
    pub now: i64,
    /// Which offset of the source that stands for.
    pub source: i64,
}

/// A partition on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lane {
    pub map: OffsetMap,
    pub mark: Option<Mark>,
    generation: u64,
    /// With which offset of the target each part of that generation begins.
    parts: Vec<i64>,
    /// The run with which the last of them begins.
    part_begins: usize,
    /// Generation and beginning of parts that do not count any more.
    stale: Vec<(u64, i64)>,
}

impl Lane {
    /// Another map in the place of this one, whose parts are still known.
    pub fn with(&self, map: OffsetMap) -> Lane {
        Lane { map, mark: None, ..self.clone() }
    }

    /// Plans these records of the source. The offset of the first of them at the target.
    pub fn plan(&mut self, offsets: &[i64]) -> i64 {
        let base = self.map.target_next;
        let full = self.map.runs.len().saturating_sub(self.part_begins) >= PART_RUNS;
        let mut apart = self.parts.is_empty() || full;
        if apart {
            self.parts.push(base);
            self.part_begins = self.map.runs.len();
        }
        for offset in offsets {
            self.map.push(*offset, std::mem::take(&mut apart));
        }
        base
    }

    fn offsets(&self, runs: &[Run]) -> Offsets {
        Offsets {
            runs: runs.iter().map(|run| (run.source, run.target, run.length)).collect(),
            source_next: self.map.source_next,
            target_next: self.map.target_next,
            mark: self.mark,
        }
    }

    fn key(&self, from: &str, topic: &str, partition: i32, at: i64) -> Key {
        Key::Offsets { from: from.to_owned(), topic: topic.to_owned(), partition, generation: self.generation, at }
    }

    /// The last part of the map.
    pub fn last_part(&self, from: &str, topic: &str, partition: i32) -> Entry {
        let at = self.parts.last().copied().unwrap_or(self.map.target_next);
        let runs = self.map.runs.get(self.part_begins..).unwrap_or_default();
        Entry { key: self.key(from, topic, partition, at), value: Some(json(&self.offsets(runs))) }
    }

    /// The whole map as the next generation, the record that lets it count, and then away with all before it.
    pub fn anew(&mut self, from: &str, topic: &str, partition: i32) -> Vec<Entry> {
        let generation = self.generation;
        self.stale.extend(std::mem::take(&mut self.parts).into_iter().map(|at| (generation, at)));
        // Also behind one that a killed mirror did not complete.
        self.generation = self.stale.iter().map(|(generation, _)| *generation).fold(generation, u64::max) + 1;
        let mut entries = Vec::new();
        self.part_begins = 0;
        for (n, runs) in self.map.runs.chunks(PART_RUNS).enumerate() {
            let at = runs.first().map_or(self.map.target_next, |run| run.target);
            self.part_begins = n * PART_RUNS;
            self.parts.push(at);
            entries.push(Entry { key: self.key(from, topic, partition, at), value: Some(json(&self.offsets(runs))) });
        }
        if self.parts.is_empty() {
            self.parts.push(self.map.target_next);
            entries.push(self.last_part(from, topic, partition));
        }
        let (of, about) = (from.to_owned(), topic.to_owned());
        let counts = json(&Generation { generation: self.generation });
        entries.push(Entry { key: Key::Generation { from: of, topic: about, partition }, value: Some(counts) });
        let gone = |(generation, at)| Key::Offsets { from: from.to_owned(), topic: topic.to_owned(), partition, generation, at };
        entries.extend(std::mem::take(&mut self.stale).into_iter().map(|part| Entry { key: gone(part), value: None }));
        entries
    }
}

pub(super) type Lanes = HashMap<(String, i32), Lane>;
pub(super) type Commits = HashMap<(String, String, i32), Commit>;

/// What a journal tells of one source.
#[derive(Default)]
pub(super) struct Told {
    pub lanes: Lanes,
    pub commits: Commits,
    /// Parts that do not count, of all lanes.
    stale: HashMap<(String, i32), Vec<(u64, i64)>>,
}

impl Told {
    /// A lane of which nothing counts.
    pub fn first(&self, id: &(String, i32)) -> Lane {
        Lane { stale: self.stale.get(id).cloned().unwrap_or_default(), ..Lane::default() }
    }

    pub fn of(records: Records, from: &str) -> Result<Told, serde_json::Error> {
        let mut counting = HashMap::new();
        for (key, value) in &records {
            if let Key::Generation { from: of, topic, partition } = key
                && of == from
            {
                let Generation { generation } = serde_json::from_slice(value)?;
                counting.insert((topic.clone(), *partition), generation);
            }
        }
        let mut told = Told::default();
        for (key, value) in records {
            match key {
                Key::Offsets { from: of, topic, partition, generation, at } if of == from => {
                    let id = (topic, partition);
                    if counting.get(&id).copied().unwrap_or(0) != generation {
                        told.stale.entry(id).or_default().push((generation, at));
                        continue;
                    }
                    let part: Offsets = serde_json::from_slice(&value)?;
                    let lane = told.lanes.entry(id).or_default();
                    lane.generation = generation;
                    lane.parts.push(at);
                    lane.part_begins = lane.map.runs.len();
                    let run = |(source, target, length)| Run { source, target, length };
                    lane.map.runs.extend(part.runs.into_iter().map(run));
                    (lane.map.source_next, lane.map.target_next, lane.mark) = (part.source_next, part.target_next, part.mark);
                }
                Key::Group { from: of, group, topic, partition } if of == from => {
                    told.commits.insert((group, topic, partition), serde_json::from_slice(&value)?);
                }
                _ => {}
            }
        }
        for (id, lane) in &mut told.lanes {
            lane.stale = told.stale.get(id).cloned().unwrap_or_default();
        }
        Ok(told)
    }
}

/// A record of the journal that is to be written; without a value it takes an older one away.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: Key,
    pub value: Option<Vec<u8>>,
}

impl Entry {
    /// The name of the mirror that writes from now on.
    pub fn session(from: &str, session: &str) -> Entry {
        Entry { key: Key::Session { from: from.to_owned() }, value: Some(json(&Session { session: session.to_owned() })) }
    }

    pub fn commit(from: &str, group: &str, topic: &str, partition: i32, commit: Commit) -> Entry {
        let (from, group, topic) = (from.to_owned(), group.to_owned(), topic.to_owned());
        Entry { key: Key::Group { from, group, topic, partition }, value: Some(json(&commit)) }
    }
}

/// The name that a mirror of this source has put there, if this record holds one.
pub(super) fn session_of(from: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Option<String> {
    let key = serde_json::from_slice::<Key>(key?).ok()?;
    let found: Session = serde_json::from_slice(value?).ok()?;
    matches!(key, Key::Session { from: of } if of == from).then_some(found.session)
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: (&str, i32) = ("x", 3);

    fn keep(records: &mut Records, entries: &[Entry]) {
        for entry in entries {
            match &entry.value {
                Some(value) => records.insert(entry.key.clone(), value.clone()),
                None => records.remove(&entry.key),
            };
        }
    }

    fn read(records: &Records) -> Lane {
        let mut told = Told::of(records.clone(), "a").unwrap();
        assert!(told.lanes.len() <= 1);
        told.lanes.remove(&(PLACE.0.to_owned(), PLACE.1)).unwrap_or_default()
    }

    /// A lane with so many runs, planned in rounds, and its journal.
    fn planned(runs: i64, round: usize) -> (Lane, Records) {
        let (mut lane, mut records) = (Lane::default(), Records::new());
        let offsets: Vec<i64> = (0..runs).map(|n| n * 2).collect();
        for some in offsets.chunks(round) {
            lane.plan(some);
            keep(&mut records, &[lane.last_part("a", PLACE.0, PLACE.1)]);
        }
        (lane, records)
    }

    #[test]
    fn what_was_planned_is_told() {
        for round in [1, 100, 10_000] {
            let (lane, records) = planned(1_000, round);
            assert_eq!(read(&records), lane);
        }
    }

    #[test]
    fn wherever_a_new_generation_is_torn_the_map_is_the_old_or_the_new_one_and_whole() {
        let (_, first) = planned(1_000, 700);
        let mut cut = read(&first);
        let old = cut.map.clone();
        cut.map.cut(650);
        let new = cut.map.clone();
        let entries = cut.anew("a", PLACE.0, PLACE.1);
        let mut found = Vec::new();
        for torn in 0..=entries.len() {
            let mut records = first.clone();
            keep(&mut records, &entries[..torn]);
            let mut lane = read(&records);
            assert!(lane.map == old || lane.map == new, "torn after {torn}");
            found.push(lane.map == new);
            // The next mirror goes on from either, is torn as well, and the one after it writes all.
            lane.map.cut(600);
            let wanted = lane.map.clone();
            let entries = lane.clone().anew("a", PLACE.0, PLACE.1);
            let mut again = records.clone();
            keep(&mut again, &entries[..1]);
            assert_eq!(read(&again).map, read(&records).map);
            let mut lane = read(&again);
            lane.map.cut(600);
            keep(&mut again, &lane.anew("a", PLACE.0, PLACE.1));
            assert_eq!((read(&again).map, read(&again)), (wanted, lane));
            assert_eq!(again.keys().filter(|key| matches!(key, Key::Offsets { .. })).count(), 3, "nothing old is left");
        }
        assert!(!found[0] && found[entries.len()] && found.is_sorted());
    }

    #[test]
    fn parts_of_a_first_generation_that_was_torn_do_not_count_later() {
        let (big, _) = planned(1_000, 1_000);
        let torn = Lane::default().with(big.map).anew("a", PLACE.0, PLACE.1);
        let mut records = Records::new();
        keep(&mut records, &torn[..3]);
        let told = Told::of(records.clone(), "a").unwrap();
        assert!(told.lanes.is_empty());
        let (small, _) = planned(300, 300);
        let mut lane = told.first(&(PLACE.0.to_owned(), PLACE.1)).with(small.map);
        keep(&mut records, &lane.anew("a", PLACE.0, PLACE.1));
        assert_eq!(read(&records), lane);
    }

    #[test]
    fn each_source_has_its_own() {
        let (_, mut records) = planned(10, 10);
        let mut other = Lane::default().with(OffsetMap::new(5, 0));
        other.plan(&[7]);
        keep(&mut records, &other.anew("b", PLACE.0, PLACE.1));
        keep(&mut records, &[Entry::session("b", "s"), Entry::commit("b", "g", "x", 3, Commit { was: -1, now: 2, source: 4 })]);
        let (a, b) = (Told::of(records.clone(), "a").unwrap(), Told::of(records, "b").unwrap());
        assert_eq!((a.lanes[&("x".to_owned(), 3)].map.runs.len(), a.commits.len()), (10, 0));
        assert_eq!((b.lanes[&("x".to_owned(), 3)].map.clone(), b.commits.len()), (other.map, 1));
        let name = Entry::session("b", "s");
        let key = json(&name.key);
        assert_eq!(session_of("b", Some(&key), name.value.as_deref()).as_deref(), Some("s"));
        assert_eq!(session_of("a", Some(&key), name.value.as_deref()), None);
    }
}
