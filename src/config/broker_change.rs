//! Changes of broker configs that Kafka refuses because of what the value was before or because of what it would have to do
//! with it, though the value itself is a good one.

use super::broker::{BrokerLayers, broker_row};
use super::def::{ConfigError, parse_integer, split_list};

/// Numbers of threads, which change by a factor of two at most.
const THREADS: &[&str] = &[
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
];

/// Listeners are opened at the start and stay as they are.
const LISTENERS: &[&str] = &["listener.security.protocol.map", "listeners"];

/// What is kept on this disk, by age and by size, and what is kept in all.
const LOCAL_PARTS: &[(&str, &str)] =
    &[("log.local.retention.ms", "log.retention.ms"), ("log.local.retention.bytes", "log.retention.bytes")];

/// Local retention that is not set: as long as the whole.
const SAME_AS_WHOLE: i64 = -2;
const UNLIMITED: i64 = -1;
/// Each cleaner thread wants more than this of the buffer.
const DEDUPE_BYTES_PER_THREAD: i64 = 1 << 20;

/// May the values in force go from `before` to `after` while the broker runs?
pub(super) fn check_change(before: &BrokerLayers, after: &BrokerLayers) -> Result<(), ConfigError> {
    let changed = |name: &str| before.value(name) != after.value(name);
    for name in THREADS.iter().filter(|name| changed(name)) {
        check_threads(name, before.long(name), after.long(name))?;
    }
    if let Some(name) = LISTENERS.iter().find(|name| changed(name)) {
        return Err(ConfigError::request(format!("{name} cannot be changed while the broker runs")));
    }
    if changed("log.cleaner.dedupe.buffer.size") || changed("log.cleaner.threads") {
        check_dedupe_buffer(after)?;
    }
    if changed("metric.reporters") {
        check_reporters(after)?;
    }
    if changed("max.connections.per.ip.overrides") {
        check_connection_overrides(after)?;
    }
    for (part, whole) in LOCAL_PARTS.iter().filter(|(part, whole)| changed(part) || changed(whole)) {
        check_local_part(after, part, whole)?;
    }
    Ok(())
}

fn check_threads(name: &str, have: i64, want: i64) -> Result<(), ConfigError> {
    if want < 1 || want < have / 2 || want > have.saturating_mul(2) {
        let text = format!("{name} can go from {have} to at least half and at most twice of that, not to {want}");
        return Err(ConfigError::request(text));
    }
    Ok(())
}

fn check_dedupe_buffer(after: &BrokerLayers) -> Result<(), ConfigError> {
    let threads = after.long("log.cleaner.threads").max(1);
    if after.long("log.cleaner.dedupe.buffer.size") / threads <= DEDUPE_BYTES_PER_THREAD {
        let text = format!("log.cleaner.dedupe.buffer.size must be more than {DEDUPE_BYTES_PER_THREAD} for each cleaner thread");
        return Err(ConfigError::request(text));
    }
    Ok(())
}

/// No value ever names code to be loaded: only the reporter that is there by default can be named.
fn check_reporters(after: &BrokerLayers) -> Result<(), ConfigError> {
    let known = broker_row("metric.reporters").and_then(|row| row.default).unwrap_or_default();
    let value = after.value("metric.reporters").unwrap_or_default();
    match split_list(&value).iter().find(|class| **class != known) {
        Some(class) => Err(ConfigError::request(format!("Class {class} of metric.reporters could not be found."))),
        None => Ok(()),
    }
}

fn check_connection_overrides(after: &BrokerLayers) -> Result<(), ConfigError> {
    let value = after.value("max.connections.per.ip.overrides").unwrap_or_default();
    let is_limit =
        |item: &&str| matches!(item.rsplit_once(':'), Some((host, count)) if !host.is_empty() && parse_integer(count.trim()).is_some());
    match split_list(&value).iter().find(|item| !is_limit(item)) {
        Some(item) => Err(ConfigError::request(format!("{item:?} in max.connections.per.ip.overrides is not host:count"))),
        None => Ok(()),
    }
}

fn check_local_part(after: &BrokerLayers, part: &str, whole: &str) -> Result<(), ConfigError> {
    let local = after.long(part);
    // An age in minutes or hours stands in for one in milliseconds.
    let all = match whole {
        "log.retention.ms" => super::TopicConfig::default().value("retention.ms", after).and_then(|text| parse_integer(&text)),
        _ => after.value(whole).and_then(|text| parse_integer(&text)),
    };
    let Some(all) = all.filter(|all| *all > UNLIMITED) else { return Ok(()) };
    if local != SAME_AS_WHOLE && (local == UNLIMITED || local > all) {
        return Err(ConfigError::request(format!("{part} ({local}) must not be more than {whole} ({all})")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Alteration, BrokerScope};

    fn taken(sets: &[(&str, &str)]) -> bool {
        let sets: Vec<Alteration> = sets.iter().map(|(name, value)| Alteration::set(name, Some(value))).collect();
        match BrokerLayers::default().altered(BrokerScope::ThisBroker, &sets) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.code.code(), 42, "{error}");
                false
            }
        }
    }

    #[test]
    fn threads_at_most_double_or_halve() {
        for (name, good, bad) in [
            ("num.io.threads", ["4", "16"], ["3", "17"]),
            ("num.network.threads", ["1", "6"], ["0", "7"]),
            ("log.cleaner.threads", ["1", "2"], ["0", "3"]),
            ("num.replica.fetchers", ["1", "2"], ["0", "3"]),
        ] {
            assert!(good.iter().all(|count| taken(&[(name, count)])), "{name}");
            assert!(!bad.iter().any(|count| taken(&[(name, count)])), "{name}");
        }
        let eight = BrokerLayers::default();
        let sixteen = eight.altered(BrokerScope::AllBrokers, &[Alteration::set("num.io.threads", Some("16"))]).unwrap();
        assert!(sixteen.altered(BrokerScope::AllBrokers, &[Alteration::set("num.io.threads", Some("32"))]).is_ok());
        // Back to what it was at the start in one step, which is a halving.
        assert_eq!(sixteen.replaced(BrokerScope::AllBrokers, &[]), Ok(eight));
    }

    #[test]
    fn what_cannot_take_effect_is_refused() {
        for (name, value) in [
            ("listeners", "PLAINTEXT://:1"),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT"),
            ("metric.reporters", "some.Class"),
            ("log.cleaner.dedupe.buffer.size", "1048576"),
            ("max.connections.per.ip.overrides", "x"),
            ("log.local.retention.ms", "604800001"),
            ("log.local.retention.ms", "-1"),
        ] {
            assert!(!taken(&[(name, value)]), "{name}");
        }
        for (name, value) in [
            ("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter"),
            ("metric.reporters", ""),
            ("log.cleaner.dedupe.buffer.size", "1048577"),
            ("max.connections.per.ip.overrides", "1.2.3.4:5"),
            ("log.local.retention.ms", "5"),
            ("log.local.retention.bytes", "5"),
        ] {
            assert!(taken(&[(name, value)]), "{name}");
        }
        assert!(!taken(&[("log.retention.bytes", "4"), ("log.local.retention.bytes", "5")]));
    }
}
