//! The hashtags that were used most, by windows of ten minutes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::workshop::verdict::Check;

use super::feed::{Counts, Feed, WINDOW_MS};
use super::run::{counted, excerpt, shown};
use super::times::{MINUTE_MS, milliseconds, minute_text};

const TOP: usize = 3;
/// Windows that end later before the newest event need not be there: a watermark may keep them back.
const OPEN_MS: i64 = 600_000;

/// `{"windows": [{"start", "top": [HASHTAG, ...]}]}`. A window's first may be preceded by others that are used as often.
pub fn check(receipt: Option<&Value>, feed: &Feed) -> Check {
    let id = "ranking";
    let Some(windows) = receipt.and_then(|receipt| receipt.get("windows")) else {
        return Check::skip(id, "There is no ranking: a receipt with \"windows\" would earn a star.");
    };
    let Some(windows) = windows.as_array() else {
        return Check::fail(id, format!("\"windows\" is no list, but {}.", shown(Some(windows))));
    };
    let mut given = BTreeMap::new();
    for (index, window) in windows.iter().enumerate() {
        match ranked(window) {
            Ok((start, top)) => given.insert(start, top),
            Err(message) => return Check::fail(id, format!("Window {index}: {message}.")),
        };
    }
    if let Some(window) = needed(feed).find(|window| !given.contains_key(window)) {
        return Check::fail(id, format!("The window that starts at {} is missing.", written(window)));
    }
    // Where no window has to be there, none of what is there may be of the range either.
    if !given.keys().any(|window| feed.windows.contains_key(window)) {
        return Check::skip(id, "No window of your range is in the ranking.");
    }
    let nothing = Counts::new();
    for (window, top) in &given {
        let counts = feed.windows.get(window).unwrap_or(&nothing);
        let (all, once) = (wrong(top, counts, |count| count.0), wrong(top, counts, |count| count.1));
        if let (Some(message), Some(_)) = (all, once) {
            let check = Check::fail(id, format!("The window that starts at {}: {message}.", written(*window)));
            return check.expected(best(counts).join(", ")).got(excerpt(&top.join(", ")));
        }
    }
    Check::pass(id, format!("The hashtags of {} are right.", counted(given.len(), "window", "windows")))
}

fn written(window: i64) -> String {
    minute_text(window.saturating_mul(WINDOW_MS / MINUTE_MS))
}

/// A window's number and its hashtags.
fn ranked(window: &Value) -> Result<(i64, Vec<String>), String> {
    let start = window.get("start").and_then(Value::as_str).and_then(milliseconds);
    let start = start.ok_or_else(|| format!("\"start\" is {}, no time in UTC", shown(window.get("start"))))?;
    if start.rem_euclid(WINDOW_MS) != 0 {
        return Err(format!("{} is not when a window of ten minutes starts", shown(window.get("start"))));
    }
    let top = window.get("top").and_then(Value::as_array).ok_or("\"top\" is no list")?;
    let hashtag = |value: &Value| {
        let text = value.as_str().or_else(|| value.get("hashtag")?.as_str())?;
        Some(text.strip_prefix('#').unwrap_or(text).to_owned())
    };
    let top: Option<Vec<String>> = top.iter().map(hashtag).collect();
    Ok((start.div_euclid(WINDOW_MS), top.ok_or("\"top\" is no list of hashtags")?))
}

/// Windows that are closed, but for the first, which the range may cut.
fn needed(feed: &Feed) -> impl Iterator<Item = i64> {
    let closed = feed.newest_ms.unwrap_or_default().saturating_sub(OPEN_MS).div_euclid(WINDOW_MS);
    feed.windows.keys().skip(1).copied().take_while(move |window| *window < closed)
}

fn wrong(top: &[String], counts: &Counts, of: impl Fn(&(u64, u64)) -> u64) -> Option<String> {
    let wanted = counts.values().filter(|count| of(count) > 0).count().min(TOP);
    let listed: BTreeSet<&str> = top.iter().map(String::as_str).collect();
    if top.len() != wanted || listed.len() != wanted {
        return Some(format!("\"top\" has {}, not {wanted} different ones", counted(listed.len(), "hashtag", "hashtags")));
    }
    let used = |hashtag: &str| counts.get(hashtag).map_or(0, &of);
    let most =
        counts.iter().filter(|(hashtag, _)| !listed.contains(hashtag.as_str())).map(|(_, count)| of(count)).max().unwrap_or_default();
    if let Some(hashtag) = top.iter().find(|hashtag| used(hashtag) < most) {
        return Some(format!("{:?} is not among the first", excerpt(hashtag)));
    }
    let ordered = top.iter().zip(top.iter().skip(1)).all(|(first, second)| used(first) >= used(second));
    (!ordered).then(|| "the order is not that of the counts".to_owned())
}

fn best(counts: &Counts) -> Vec<String> {
    let mut hashtags: Vec<(&String, u64)> = counts.iter().map(|(hashtag, count)| (hashtag, count.0)).collect();
    hashtags.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    hashtags.into_iter().take(TOP).map(|(hashtag, _)| hashtag.clone()).collect()
}
