//! The events of the web shop, sorted by what becomes of them: what silver holds, and what it holds after a mistake, is put together
//! from digests of parts.

use std::collections::BTreeMap;

use crate::cluster::StoredRecord;
use crate::model::Timestamp;

use super::digest::{Digest, Salt};
use super::events::{ByEvent, EventKey};
use super::shop::{Reason, ShopEvent, Test, lateness_ms};
use super::tables::ON_TIME_MS;

/// A field that is null or missing in valid events too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Null {
    IsTest,
    Campaign,
    OrderId,
    /// Any of these.
    Any,
}

impl Null {
    pub fn name(self) -> &'static str {
        match self {
            Null::IsTest => "is_test",
            Null::Campaign => "campaign",
            Null::OrderId => "order_id",
            Null::Any => "any field",
        }
    }
}

/// What decides about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Class {
    broken: Option<Reason>,
    test: Test,
    /// Not the first of its copies.
    repeated: bool,
    late: bool,
    nulls: (bool, bool, bool),
}

/// What a table keeps that it should not, or loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub marked_tests: bool,
    pub account_tests: bool,
    pub repeated: bool,
    pub invalid: Option<Reason>,
    pub without: Option<Null>,
}

impl Kept {
    /// Every mistake, the single ones first.
    pub fn all() -> Vec<Kept> {
        let mut all = Vec::new();
        let nulls = [None, Some(Null::IsTest), Some(Null::Campaign), Some(Null::OrderId), Some(Null::Any)];
        let reasons = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Malformed).map(Some);
        for invalid in std::iter::once(None).chain(reasons) {
            for without in nulls {
                for bits in 0..8_u8 {
                    let (marked_tests, account_tests, repeated) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
                    all.push(Kept { marked_tests, account_tests, repeated, invalid, without });
                }
            }
        }
        all.retain(|kept| *kept != Kept::default());
        all.sort_by_key(Kept::mistakes);
        all
    }

    pub fn tests(&self) -> u8 {
        u8::from(self.marked_tests) + u8::from(self.account_tests)
    }

    pub fn tests_named(&self) -> &'static str {
        match (self.marked_tests, self.account_tests) {
            (true, false) => "those with is_test",
            (false, true) => "those whose user_id begins with test-",
            _ => "all",
        }
    }

    fn mistakes(&self) -> u8 {
        self.tests().min(1) + u8::from(self.repeated) + u8::from(self.invalid.is_some()) + u8::from(self.without.is_some())
    }

    fn keeps(&self, class: &Class) -> bool {
        let (is_test, campaign, order) = class.nulls;
        let lost = match self.without {
            None => false,
            Some(Null::IsTest) => is_test,
            Some(Null::Campaign) => campaign,
            Some(Null::OrderId) => order,
            Some(Null::Any) => is_test || campaign || order,
        };
        let test = match class.test {
            Test::No => true,
            Test::Marked => self.marked_tests,
            Test::Account => self.account_tests,
        };
        let valid = class.broken.is_none() || (class.broken == self.invalid && self.invalid.is_some());
        test && valid && !lost && (self.repeated || !class.repeated)
    }
}

/// Digests by class: of ids for silver, of values for the quarantine.
pub struct Sorted {
    salt: Salt,
    seen: Seen,
    ids: BTreeMap<Class, Digest>,
    values: BTreeMap<Class, Digest>,
    /// How many records there are.
    all: u64,
    /// Of the rows on time that silver has.
    pub derived: Digest,
    pub nested: Digest,
}

impl Sorted {
    pub fn new(nonce: &str) -> Sorted {
        Sorted {
            salt: Salt::new(nonce),
            seen: Seen::default(),
            ids: BTreeMap::new(),
            values: BTreeMap::new(),
            all: 0,
            derived: Digest::default(),
            nested: Digest::default(),
        }
    }

    pub fn put(&mut self, record: &StoredRecord) {
        let value = record.value.as_deref().unwrap_or_default();
        let event = ShopEvent::parse(value);
        let class = class(event.as_ref(), value, record, &mut self.seen);
        self.all += 1;
        if class.broken.is_some() {
            self.values.entry(class).or_default().put(self.salt.one(value));
        }
        let Some(event) = event else { return };
        let Some(id) = event.event_id.text() else { return };
        self.ids.entry(class).or_default().put(self.salt.one(id.as_bytes()));
        if Kept::default().keeps(&class) && !class.late {
            let Some(happened) = event.timestamp.time() else { return };
            let salt = self.salt.then(&[id.as_bytes(), b""]);
            let (hour, day) = Calendar::default().reads(happened);
            self.derived.put(salt.of(&[hour.to_string().as_bytes(), day.to_string().as_bytes()]));
            self.nested.put(nested(&salt, &event, &[]));
        }
    }

    /// Partitions have no event in common: all copies of one have its key.
    pub fn together(parts: impl IntoIterator<Item = Sorted>) -> Sorted {
        let mut whole = Sorted::new("");
        for part in parts {
            part.ids.into_iter().for_each(|(class, digest)| *whole.ids.entry(class).or_default() += digest);
            part.values.into_iter().for_each(|(class, digest)| *whole.values.entry(class).or_default() += digest);
            whole.all += part.all;
            whole.derived += part.derived;
            whole.nested += part.nested;
        }
        whole
    }

    /// The ids of silver with these mistakes: of the rows on time, or of the late ones.
    pub fn silver(&self, kept: &Kept, late: bool) -> Digest {
        self.ids.iter().filter(|(class, _)| class.late == late && kept.keeps(class)).map(|(_, digest)| *digest).sum()
    }

    /// The quarantines that are right: with tests or without, with repeated records or without.
    pub fn quarantines(&self) -> [Digest; 4] {
        [(false, false), (false, true), (true, false), (true, true)].map(|(tests, repeated)| self.quarantine(tests, repeated, &[]))
    }

    /// The reasons whose records are not in a quarantine.
    pub fn quarantine_without(&self, found: Digest) -> Option<Vec<Reason>> {
        let subsets = (1_u32..1 << Reason::ALL.len()).map(|bits| {
            let chosen = Reason::ALL.into_iter().zip(0..).filter(move |(_, bit)| bits >> bit & 1 > 0);
            chosen.map(|(reason, _)| reason).collect::<Vec<_>>()
        });
        let mut subsets: Vec<Vec<Reason>> = subsets.collect();
        subsets.sort_by_key(Vec::len);
        let options = [(false, false), (false, true), (true, false), (true, true)];
        subsets.into_iter().find(|without| options.iter().any(|(tests, repeated)| self.quarantine(*tests, *repeated, without) == found))
    }

    fn quarantine(&self, tests: bool, repeated: bool, without: &[Reason]) -> Digest {
        let holds = |class: &Class| {
            (tests || class.test == Test::No)
                && (repeated || !class.repeated)
                && class.broken.is_some_and(|reason| !without.contains(&reason))
        };
        self.values.iter().filter(|(class, _)| holds(class)).map(|(_, digest)| *digest).sum()
    }

    /// Whether a quarantine of so many records holds nearly all: with tests or without, with repeated records or without.
    pub fn may_be_everything(&self, count: u64) -> bool {
        let left_out = self.ids.iter().filter(|(class, _)| class.test != Test::No || class.repeated).map(|(_, digest)| digest.count);
        self.quarantines().iter().all(|right| count > right.count) && (self.all.saturating_sub(left_out.sum())..=self.all).contains(&count)
    }
}

/// The ids that have come.
#[derive(Default)]
struct Seen(ByEvent<()>);

impl Seen {
    fn again(&mut self, id: &str) -> bool {
        self.0.insert(EventKey::of(id), ()).is_some()
    }
}

fn class(event: Option<&ShopEvent<'_>>, value: &[u8], record: &StoredRecord, seen: &mut Seen) -> Class {
    let Some(event) = event else {
        let repeated = seen.again(&String::from_utf8_lossy(value));
        return Class { broken: Some(Reason::Malformed), test: Test::No, repeated, late: false, nulls: (false, false, false) };
    };
    Class {
        broken: event.broken(record.timestamp),
        test: event.test(),
        repeated: match event.event_id.text() {
            Some(id) => seen.again(id),
            None => seen.again(&String::from_utf8_lossy(value)),
        },
        late: lateness_ms(event.timestamp.time(), record) >= ON_TIME_MS,
        nulls: (!event.is_test.is_there(), event.campaign().is_none(), !event.order_id.is_there()),
    }
}

/// The checksum of an id and the nested fields, with some of them null.
fn nested(salt: &Salt, event: &ShopEvent<'_>, null: &[&str]) -> u32 {
    let fields =
        [("category", event.category()), ("brand", event.brand()), ("device_type", event.device_type()), ("country", event.country())];
    let text = fields.map(|(name, value)| value.filter(|_| !null.contains(&name)).unwrap_or("null").as_bytes());
    salt.of(&text)
}

/// A wrong way to tell hours and days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Calendar {
    /// The local time zone's lead over UTC.
    minutes: i64,
    /// The number that Monday has, in weeks that begin with it.
    pub monday: Option<u8>,
}

impl Calendar {
    fn all() -> Vec<Calendar> {
        let odd = [-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765];
        let whole = (-12..=14).map(|hours| hours * 60).filter(|minutes| *minutes != 0);
        let zones = whole.chain(odd).map(|minutes| Calendar { minutes, monday: None });
        zones.chain([0, 1].map(|first| Calendar { minutes: 0, monday: Some(first) })).collect()
    }

    /// As `+2` or `-3:30`.
    pub fn hours(&self) -> String {
        let (sign, minutes) = (if self.minutes < 0 { '-' } else { '+' }, self.minutes.abs());
        let rest = minutes % 60;
        if rest == 0 { format!("{sign}{}", minutes / 60) } else { format!("{sign}{}:{rest:02}", minutes / 60) }
    }

    /// The hour, and the number of the day.
    fn reads(&self, happened: Timestamp) -> (usize, usize) {
        let local = happened.0.saturating_add(self.minutes * 60_000);
        let (day, hour) = (local.div_euclid(86_400_000), local.rem_euclid(86_400_000) / 3_600_000);
        // 1970-01-01 was a Thursday.
        let since_monday = (day + 3).rem_euclid(7);
        let number = match self.monday {
            Some(first) => since_monday + i64::from(first),
            None => (since_monday + 1) % 7 + 1,
        };
        (usize::try_from(hour).unwrap_or_default(), usize::try_from(number).unwrap_or_default())
    }
}

/// Checksums of ids that differ in their last letters alone, `hour|day`: two ids of one length differ by what their ends differ by,
/// whatever stands before, so that each row's beginning is looked at once for all calendars.
struct Endings([[u32; 8]; 24]);

impl Endings {
    fn new() -> Endings {
        Endings(std::array::from_fn(|hour| {
            std::array::from_fn(|day| {
                let text = format!("{hour}|{day}");
                crc32fast::hash(text.as_bytes()) ^ crc32fast::hash(Endings::blank(hour))
            })
        }))
    }

    /// As long as the hour's endings are.
    fn blank(hour: usize) -> &'static [u8] {
        if hour > 9 { &[0; 4] } else { &[0; 3] }
    }

    /// A row's checksums with blank endings.
    fn row(salt: &Salt) -> [u32; 2] {
        [salt.one(Endings::blank(0)), salt.one(Endings::blank(10))]
    }

    fn checksum(&self, [short, long]: [u32; 2], (hour, day): (usize, usize)) -> u32 {
        let ending = self.0.get(hour).and_then(|days| days.get(day)).copied().unwrap_or_default();
        if hour > 9 { long ^ ending } else { short ^ ending }
    }
}

/// Fields that come out null together when the schema has one wrong type for them.
const NULLED: &[(&str, &[&str])] = &[
    ("product", &["category", "brand"]),
    ("context", &["device_type", "country"]),
    ("product and context", &["category", "brand", "device_type", "country"]),
    ("category", &["category"]),
    ("brand", &["brand"]),
    ("context.device", &["device_type"]),
    ("context.geo", &["country"]),
];

/// Which columns are wrong.
#[derive(Clone, Copy, Debug)]
pub struct Wrong {
    pub derived: bool,
    pub nested: bool,
}

/// The columns of the rows that silver has, as mistakes would have filled them.
pub struct Columns {
    wrong: Wrong,
    salt: Salt,
    seen: Seen,
    nested: Vec<Digest>,
    endings: Endings,
    calendars: Vec<Calendar>,
    clocks: Vec<Digest>,
}

impl Columns {
    pub fn new(nonce: &str, wrong: Wrong) -> Columns {
        let calendars = Calendar::all();
        let (clocks, nested) = (vec![Digest::default(); calendars.len()], vec![Digest::default(); NULLED.len()]);
        Columns { wrong, salt: Salt::new(nonce), seen: Seen::default(), nested, endings: Endings::new(), calendars, clocks }
    }

    pub fn put(&mut self, record: &StoredRecord) {
        let value = record.value.as_deref().unwrap_or_default();
        let Some(event) = ShopEvent::parse(value) else { return };
        let class = class(Some(&event), value, record, &mut self.seen);
        let (Some(id), Some(happened)) = (event.event_id.text(), event.timestamp.time()) else { return };
        if class.late || !Kept::default().keeps(&class) {
            return;
        }
        let salt = self.salt.then(&[id.as_bytes(), b""]);
        if self.wrong.nested {
            for (digest, (_, null)) in self.nested.iter_mut().zip(NULLED) {
                digest.put(nested(&salt, &event, null));
            }
        }
        if self.wrong.derived {
            let row = Endings::row(&salt);
            for (digest, calendar) in self.clocks.iter_mut().zip(&self.calendars) {
                digest.put(self.endings.checksum(row, calendar.reads(happened)));
            }
        }
    }

    pub fn nested(&self) -> impl Iterator<Item = (&'static str, Digest)> {
        NULLED.iter().zip(&self.nested).map(|((name, _), digest)| (*name, *digest))
    }

    pub fn clocks(&self) -> impl Iterator<Item = (Calendar, Digest)> {
        self.calendars.iter().copied().zip(self.clocks.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_by_its_ending_is_that_of_the_whole_id() {
        let (endings, salt) = (Endings::new(), Salt::new("n").then(&[b"01M84103", b""]));
        for hour in 0..24 {
            for day in 0..8 {
                let whole = salt.one(format!("{hour}|{day}").as_bytes());
                assert_eq!(endings.checksum(Endings::row(&salt), (hour, day)), whole, "{hour}|{day}");
            }
        }
    }

    #[test]
    fn calendars_read_hours_and_days() {
        // Monday, 2026-01-05, 23:30.
        let at = Timestamp(1_767_655_800_000);
        let reads = |minutes, monday| Calendar { minutes, monday }.reads(at);
        assert_eq!((reads(0, None), reads(60, None), reads(-1_440, None)), ((23, 2), (0, 3), (23, 1)));
        assert_eq!((reads(0, Some(0)), reads(0, Some(1))), ((23, 0), (23, 1)));
    }
}
