//! Times as texts: RFC 3339 in UTC.

use crate::model::Timestamp;

pub const MINUTE_MS: i64 = 60_000;

/// Milliseconds since 1970 of `2026-11-23T10:15:30.123Z`. Seconds and their fraction may be left out, `Z` may be `+00:00`, and a blank
/// may stand for the `T`.
pub fn milliseconds(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(['T', 't', ' '])?;
    let time = ["Z", "z", "+00:00"].iter().find_map(|zone| time.strip_suffix(zone))?;
    let [year, month, day] = numbers(date, '-')?;
    if !(1970..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':').or_else(|| numbers(time, ':').map(|[hour, minute]| [hour, minute, 0]))?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some((((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + thousandths(fraction)?)
}

/// The same as the log has times.
pub fn time(text: &str) -> Option<Timestamp> {
    milliseconds(text).map(Timestamp)
}

/// The first three digits of a fraction.
fn thousandths(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(*b"000").take(3);
    Some(digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Exactly so many whole numbers of at most four digits.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for number in &mut numbers {
        let part = parts.next().filter(|part| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970, by the Gregorian calendar: years begin in March, so that a leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// `2026-11-23T10:15Z`.
pub fn minute_text(minute: i64) -> String {
    let days = minute.div_euclid(1_440);
    // From the first of March of a year that 400 divides.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, shift) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let of_day = minute.rem_euclid(1_440);
    format!("{:04}-{month:02}-{day:02}T{:02}:{:02}Z", era * 400 + year_of_era + shift, of_day / 60, of_day % 60)
}

/// The minute that a time lies in.
pub fn minute_of(at: Timestamp) -> String {
    minute_text(at.0.div_euclid(MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        const AT: i64 = 1_795_428_930_123;
        for text in ["2026-11-23T10:15:30.123Z", "2026-11-23 10:15:30.123456+00:00", " 2026-11-23t10:15:30.123z"] {
            assert_eq!(milliseconds(text), Some(AT), "{text}");
        }
        assert_eq!(milliseconds("2026-11-23T10:15:30Z"), Some(AT - 123));
        assert_eq!(milliseconds("2026-11-23T10:15Z"), Some(AT - 30_123));
        assert_eq!(milliseconds("1970-01-01T00:00:00.5Z"), Some(500));
        assert_eq!(milliseconds("2000-03-01T00:00Z").unwrap() - milliseconds("2000-02-29T00:00Z").unwrap(), 86_400_000);
        assert_eq!(milliseconds("2027-01-01T00:00Z").unwrap() - milliseconds("2026-12-31T00:00Z").unwrap(), 86_400_000);
    }

    #[test]
    fn a_minute_is_written_as_it_is_read() {
        for minute in (0..40_000_000).step_by(77_777).chain([29_923_815]) {
            assert_eq!(milliseconds(&minute_text(minute)), Some(minute * MINUTE_MS), "{minute}");
        }
        assert_eq!(minute_text(29_923_815), "2026-11-23T10:15Z");
    }

    #[test]
    fn what_is_no_time_in_utc_is_none() {
        for text in [
            "",
            "T",
            "2026-11-23",
            "2026-11-23T10:15:30",
            "2026-11-23T10:15:30+01:00",
            "2026-13-23T10:15Z",
            "2026-11-23T10:15:30.1xZ",
            "99999999999999999999-01-01T00:00Z",
            "2026-11-23T25:00Z",
            "-2026-11-23T10:15Z",
            "2026-11-23T10:15:30:40Z",
        ] {
            assert_eq!(milliseconds(text), None, "{text}");
        }
    }
}
