//! A feed that is filtered, marked with a sentiment and written to a topic of the student's own.
//!
//! Parameters: `topic`.
//!
//! Kept are posts, shares and comments that no bot wrote and whose text is not empty. Each goes to the student's topic as
//! `{"source_event_id", "post_id", "action_type", "sentiment", "score", "hashtags", "timestamp"}` with the key `post_id`; an event that
//! arrived twice goes there once or twice. The score is by the lexicon (`docs/data.md`), the sentiment its sign; records that have a
//! `model` may be marked by another one.
//!
//! The receipt is `{"ticket", "windows": [{"start", "top": [HASHTAG, HASHTAG, HASHTAG]}]}`, by windows of ten minutes in which something
//! that is kept happened; it may be left out. Windows that a watermark of ten minutes would leave open may be left out, as may the first.
//!
//! | check | |
//! |---|---|
//! | `kept` | the source events, and the fields that are taken over |
//! | `sentiment` | sentiment and score of all; with a `model`, 80 % of the sentiments |
//! | `keyed` | the key is the `post_id`, and that of the source event |
//! | `acknowledged` | the broker saw the user write at least as many records and wait for its answer |
//! | `ranking` | the hashtags; ties in any order |
//!
//! The star `trending` is for the ranking.
//!
//! | mistake | its answer | facts, besides `got`: how many records were handed in |
//! |---|---|---|
//! | `likes-kept` | likes are kept too | `likes` |
//! | `bots-kept` | what bots wrote is kept too | `bots` |
//! | `own-topic-loop` | all is there, and more often than it arrived, or without a source: the own topic was read too | `repeats` |
//! | `acks-ignored` | records were written without waiting for an answer | `unacknowledged` |
//! | `no-flush` | the last ones of the range are missing | `missing` |
//! | `keyless` | all is there, without keys | |

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use crate::model::evidence::Produced;
use crate::model::{PartitionId, TopicName};
use crate::workshop::verdict::{Check, CheckStatus, Judgement, Mistaken};
use crate::workshop::{AnswerRecord, TicketWish};

use super::events::{ByEvent, EventKey, Field, Texts, read};
use super::feed::{Class, Feed, Source, Tally, hashed, hashed_text, hashed_texts};
use super::parameters::Parameters;
use super::run::{counted, excerpt, object};
use super::{Case, LogError, Truth, not_seen, ranking, scan};

/// The share of sentiments on which another model has to agree, in percent.
const AGREEMENT: usize = 80;

pub struct ProcessedFeed {
    topic: TopicName,
    wish: TicketWish,
}

pub fn make(table: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let parameters = Parameters::of(table);
    let topic = parameters.topic("topic")?;
    let wish = parameters.wish(vec![topic.clone()], 25..35, 5)?;
    parameters.finish()?;
    Ok(Box::new(ProcessedFeed { topic, wish }))
}

#[derive(Deserialize)]
struct Processed<'a> {
    #[serde(borrow, default)]
    source_event_id: Field<'a>,
    #[serde(borrow, default)]
    post_id: Field<'a>,
    #[serde(borrow, default)]
    action_type: Field<'a>,
    #[serde(borrow, default)]
    sentiment: Field<'a>,
    #[serde(borrow, default)]
    score: Field<'a>,
    #[serde(borrow, default)]
    hashtags: Texts<'a>,
    #[serde(borrow, default)]
    timestamp: Field<'a>,
    #[serde(borrow, default)]
    model: Field<'a>,
}

/// Records that can be read, and how often each source event is among them.
struct Handed<'a> {
    records: Vec<(&'a AnswerRecord, Processed<'a>)>,
    times: ByEvent<u32>,
    without_source: usize,
    complaint: Option<String>,
}

impl<'a> Handed<'a> {
    fn of(records: &'a [AnswerRecord]) -> Handed<'a> {
        let mut handed = Handed { records: Vec::new(), times: ByEvent::default(), without_source: 0, complaint: None };
        for record in records {
            let Some(processed) = read::<Processed<'_>>(record.value.as_ref()) else {
                let reason = object(record.value.as_deref()).err().unwrap_or_else(|| "a field is there twice".to_owned());
                let told =
                    || format!("The record at offset {} of partition {} is no JSON object: {reason}.", record.offset, record.partition);
                handed.complaint.get_or_insert_with(told);
                continue;
            };
            match processed.source_event_id.text() {
                Some(id) => {
                    let times = handed.times.entry(EventKey::of(id)).or_default();
                    *times = times.saturating_add(1);
                }
                None => handed.without_source = handed.without_source.saturating_add(1),
            }
            handed.records.push((record, processed));
        }
        handed
    }

    /// Those whose source is to be kept.
    fn kept<'f>(&'f self, feed: &'f Feed) -> impl Iterator<Item = (&'f AnswerRecord, &'f Processed<'a>, &'f Source)> {
        let of = |processed: &Processed<'_>| feed.kept(&EventKey::of(processed.source_event_id.text()?));
        self.records.iter().filter_map(move |(record, processed)| Some((*record, processed, of(processed)?)))
    }
}

impl Truth for ProcessedFeed {
    fn wish(&self) -> TicketWish {
        self.wish.clone()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["kept", "sentiment", "keyed", "acknowledged", "ranking"]
    }

    fn mistakes(&self) -> &'static [&'static str] {
        &["likes-kept", "bots-kept", "own-topic-loop", "acks-ignored", "no-flush", "keyless"]
    }

    fn stars(&self) -> &'static [&'static str] {
        &["trending"]
    }

    fn witnessed(&self) -> &'static [(&'static str, &'static str)] {
        WITNESSED
    }

    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError> {
        let handed = Handed::of(&case.answer.records);
        let visit = |tally: &mut Tally<'_>, record: &crate::cluster::StoredRecord| tally.visit(record.offset, record.value.as_ref());
        let empty = |partition| Tally::of(partition, &handed.times);
        let feed = Feed::of(scan(case.log, case.ticket, self.topic.as_str(), empty, visit)?.into_iter().map(|(_, tally)| tally));
        let ranking = ranking::check(case.answer.receipt.as_ref(), &feed);
        let stars = if ranking.status == CheckStatus::Pass { vec!["trending"] } else { Vec::new() };
        let checks = vec![kept(&handed, &feed), sentiment(&handed, &feed), keyed(&handed, &feed), acknowledged(&handed, case), ranking];
        let mut judgement = Judgement { checks, stars, ..Judgement::default() };
        if !judgement.passed() {
            judgement.mistake = mistake(&handed, &feed, case, &judgement.checks);
        }
        Ok(judgement)
    }
}

fn missing<'f>(handed: &'f Handed<'_>, feed: &'f Feed) -> impl Iterator<Item = &'f Source> {
    let kept = feed.sources.iter().filter(|(_, source)| source.class == Class::Kept);
    kept.filter(|(key, _)| !handed.times.contains_key(key)).map(|(_, source)| source)
}

/// Records beyond those that a source's arrivals make.
fn repeats(handed: &Handed<'_>, feed: &Feed) -> u32 {
    let beyond = |(key, times): (&EventKey, &u32)| feed.sources.get(key).map_or(0, |source| times.saturating_sub(source.copies));
    handed.times.iter().map(beyond).fold(0, u32::saturating_add)
}

fn kept(handed: &Handed<'_>, feed: &Feed) -> Check {
    let id = "kept";
    let got = counted(handed.records.len(), "record", "records");
    let expected = format!("{} source events", feed.count(Class::Kept));
    let fail = |message: String| Check::fail(id, message).expected(&expected).got(&got);
    if let Some(complaint) = &handed.complaint {
        return fail(complaint.clone());
    }
    if handed.records.is_empty() {
        return fail("Nothing arrived in your topic.".to_owned());
    }
    let place = |record: &AnswerRecord| format!("offset {} of partition {} of your topic", record.offset, record.partition);
    let mut wrong = Vec::new();
    if let Some((record, _)) = handed.records.iter().find(|(_, processed)| processed.source_event_id.text().is_none()) {
        wrong.push(format!("The record at {} has no \"source_event_id\".", place(record)));
    }
    let surplus = |(_, processed): &&(&AnswerRecord, Processed<'_>)| {
        processed.source_event_id.text().is_some_and(|id| feed.kept(&EventKey::of(id)).is_none())
    };
    if let Some((record, processed)) = handed.records.iter().find(surplus) {
        let event = excerpt(processed.source_event_id.text().unwrap_or_default());
        wrong.push(format!("Too many: event {event}, at {}, is not to be kept, or not in your range.", place(record)));
    }
    if let Some((partition, offset)) = missing(handed, feed).map(|source| (source.partition, source.offset)).min() {
        wrong.push(format!("Too few: the first event that is missing is at offset {offset} of partition {partition} of the feed."));
    }
    if wrong.is_empty() && repeats(handed, feed) > 0 {
        wrong.push("Too many: some events are in your topic more often than they arrived.".to_owned());
    }
    if !wrong.is_empty() {
        return fail(wrong.join(" "));
    }
    for (record, processed, source) in handed.kept(feed) {
        let fields = [
            ("action_type", hashed_text(&processed.action_type) == source.action),
            ("hashtags", hashed_texts(&processed.hashtags) == source.hashtags),
            ("timestamp", hashed_text(&processed.timestamp) == source.timestamp),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
            return fail(format!("The record at {} has another \"{field}\" than its source event.", place(record)));
        }
    }
    Check::pass(id, format!("{got}: all that are to be kept, and no others.")).got(&got)
}

fn label(score: i32) -> &'static str {
    match score {
        1.. => "positive",
        0 => "neutral",
        _ => "negative",
    }
}

fn sentiment(handed: &Handed<'_>, feed: &Feed) -> Check {
    let id = "sentiment";
    let (mut count, mut agreed, mut first) = (0_usize, 0_usize, None);
    let mut model = None;
    for (record, processed, source) in handed.kept(feed) {
        model = model.or_else(|| processed.model.text());
        let same_label = processed.sentiment.is(label(source.score));
        let same_score = processed.score.number().is_none_or(|score| score == f64::from(source.score));
        count = count.saturating_add(1);
        agreed = agreed.saturating_add(usize::from(same_label));
        if first.is_none() && !(same_label && same_score) {
            first = Some((record, processed, same_label, source.score));
        }
    }
    if count == 0 {
        return Check::skip(id, "There is no record of an event that is to be kept.");
    }
    let share = agreed.saturating_mul(100) / count;
    if let Some(model) = model {
        let model = excerpt(model);
        return if share >= AGREEMENT {
            Check::pass(id, format!("{model:?} agrees with the lexicon on {share} % of the sentiments."))
        } else {
            Check::fail(id, format!("{model:?} agrees with the lexicon on too few sentiments."))
                .expected(format!("{AGREEMENT} %"))
                .got(format!("{share} %"))
        };
    }
    match first {
        None => Check::pass(id, "Every sentiment is the lexicon's."),
        Some((record, processed, same_label, score)) => {
            let event = excerpt(processed.source_event_id.text().unwrap_or_default());
            let field = if same_label { "score" } else { "sentiment" };
            let message = format!(
                "The \"{field}\" of event {event} (offset {} of partition {}) is not the lexicon's.",
                record.offset, record.partition
            );
            let got = match (same_label, &processed.sentiment) {
                (true, _) => processed.score.number().map_or_else(|| "nothing".to_owned(), |score| score.to_string()),
                (false, Field::Text(text)) => excerpt(text),
                (false, _) => "nothing".to_owned(),
            };
            Check::fail(id, message).expected(format!("{}, score {score}", label(score))).got(got)
        }
    }
}

fn key(record: &AnswerRecord) -> Option<&str> {
    record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).filter(|key| !key.is_empty())
}

fn keyed(handed: &Handed<'_>, feed: &Feed) -> Check {
    let id = "keyed";
    let mut looked_at = false;
    for (record, processed, source) in handed.kept(feed) {
        looked_at = true;
        let place = format!("The record at offset {} of partition {} of your topic", record.offset, record.partition);
        if hashed_text(&processed.post_id) != source.post {
            return Check::fail(id, format!("{place} has another \"post_id\" than its source event."));
        }
        match key(record) {
            None => return Check::fail(id, format!("{place} has no key.")),
            Some(key) if hashed(Some(key)) != source.post => {
                return Check::fail(id, format!("{place} has a key that is not its post_id.")).got(excerpt(key));
            }
            Some(_) => {}
        }
    }
    if looked_at {
        Check::pass(id, "Every key is the post's id.")
    } else {
        Check::skip(id, "There is no record of an event that is to be kept.")
    }
}

const WITNESSED: &[(&str, &str)] = &[("acknowledged", "whether your producer waited for the answers of the brokers")];

/// By all users of the student: a team's laptops have one each.
fn produced(case: &Case<'_>) -> Option<Produced> {
    let topic = case.ticket.results.as_ref()?;
    let of_topic = case.evidence?.produced.iter().filter(|produced| produced.topic == *topic).cloned();
    of_topic.reduce(|sum, other| Produced {
        records: sum.records.saturating_add(other.records),
        unacknowledged: sum.unacknowledged.saturating_add(other.unacknowledged),
        unacknowledged_ms: sum.unacknowledged_ms.max(other.unacknowledged_ms),
        at_ms: sum.at_ms.max(other.at_ms),
        topic: sum.topic,
    })
}

fn acknowledged(handed: &Handed<'_>, case: &Case<'_>) -> Check {
    let id = "acknowledged";
    if handed.records.is_empty() {
        return Check::skip(id, "Nothing arrived in your topic.");
    }
    if case.evidence.is_none() || case.ticket.results.is_none() {
        return not_seen(id, WITNESSED);
    }
    let Some(produced) = produced(case) else {
        return Check::fail(id, "The broker has not seen your user write to this topic.");
    };
    let confirmed = produced.records.saturating_sub(produced.unacknowledged);
    if confirmed >= handed.records.len() as u64 && produced.unacknowledged_ms.is_none_or(|at| at < case.ticket.issued_ms) {
        return Check::pass(id, "Your producer waited for the broker's answers.");
    }
    let message = match produced.unacknowledged {
        0 => "The broker has seen your user write fewer records than there are.".to_owned(),
        unacknowledged => format!("{unacknowledged} of your records were written without waiting for an answer (acks=0)."),
    };
    Check::fail(id, message)
}

fn mistake(handed: &Handed<'_>, feed: &Feed, case: &Case<'_>, checks: &[Check]) -> Option<Mistaken> {
    let failed = |id: &str| checks.iter().any(|check| check.id == id && check.status == CheckStatus::Fail);
    let mistaken = |id| Mistaken::new(id).with("got", handed.records.len());
    if failed("kept") {
        // Everything that is to be kept, and all of another class.
        let with = |class: Class| {
            let all = |key: &EventKey| feed.sources.get(key).is_some_and(|source| source.class == Class::Kept || source.class == class);
            let count = feed.count(Class::Kept).saturating_add(feed.count(class));
            handed.without_source == 0 && feed.count(class) > 0 && handed.times.len() == count && handed.times.keys().all(all)
        };
        if with(Class::Like) {
            return Some(mistaken("likes-kept").with("likes", feed.count(Class::Like)));
        }
        if with(Class::Bot) {
            return Some(mistaken("bots-kept").with("bots", feed.count(Class::Bot)));
        }
        if let Some(repeats) = looped(handed, feed, case) {
            return Some(mistaken("own-topic-loop").with("repeats", repeats));
        }
    }
    if failed("acknowledged")
        && let Some(produced) = produced(case).filter(|produced| produced.unacknowledged > 0)
    {
        return Some(mistaken("acks-ignored").with("unacknowledged", produced.unacknowledged));
    }
    if failed("kept") {
        let missing = missing(handed, feed).count();
        return ends_early(handed, feed).then(|| mistaken("no-flush").with("missing", missing));
    }
    let keyless = failed("keyed") && handed.records.iter().all(|(record, _)| key(record).is_none());
    keyless.then(|| mistaken("keyless"))
}

/// How many records come from the student's own topic. Where the broker shows what was read, it has to have been read.
fn looped(handed: &Handed<'_>, feed: &Feed, case: &Case<'_>) -> Option<u64> {
    if let (Some(evidence), Some(own)) = (case.evidence, &case.ticket.results)
        && !evidence.fetched.iter().any(|fetched| fetched.topic == *own && fetched.at_ms >= case.ticket.issued_ms)
    {
        return None;
    }
    if handed.complaint.is_some() || missing(handed, feed).next().is_some() || handed.times.keys().any(|key| feed.kept(key).is_none()) {
        return None;
    }
    let posts: HashSet<u64> = feed.sources.values().filter(|source| source.class == Class::Kept).map(|source| source.post).collect();
    let mut without = handed.records.iter().filter(|(_, processed)| processed.source_event_id.text().is_none());
    let known = without.all(|(_, processed)| posts.contains(&hashed_text(&processed.post_id)));
    let repeats = u64::from(repeats(handed, feed)).saturating_add(handed.without_source as u64);
    (known && repeats > 0).then_some(repeats)
}

/// All that is there is right, and what is missing is missing at the end. Records of the last moment may have been sent out of order,
/// as each partition of the student's topic is sent by itself.
fn ends_early(handed: &Handed<'_>, feed: &Feed) -> bool {
    let only_kept = handed.times.keys().all(|key| feed.kept(key).is_some());
    if !only_kept || handed.complaint.is_some() || handed.without_source > 0 || repeats(handed, feed) > 0 || handed.times.is_empty() {
        return false;
    }
    let mut partitions: BTreeMap<PartitionId, Vec<(crate::model::Offset, bool)>> = BTreeMap::new();
    for (key, source) in feed.sources.iter().filter(|(_, source)| source.class == Class::Kept) {
        partitions.entry(source.partition).or_default().push((source.offset, handed.times.contains_key(key)));
    }
    let (mut head, mut sent, mut lost) = (0_usize, 0_usize, 0_usize);
    for events in partitions.values_mut() {
        events.sort_unstable();
        let gap = events.iter().position(|(_, there)| !there).unwrap_or(events.len());
        head = head.saturating_add(gap);
        for (_, there) in events.iter().skip(gap) {
            *(if *there { &mut sent } else { &mut lost }) += 1;
        }
    }
    lost > 0 && (sent == 0 || (head >= sent.saturating_add(lost) && sent <= lost))
}
