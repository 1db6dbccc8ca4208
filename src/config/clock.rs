//! Whose time the generated data has, and how fast it passes.

/// The clock of the generators.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ClockSetting {
    /// The present.
    #[default]
    Real,
    /// A time of its own, which begins at the same instant in every run.
    Virtual(Speed),
}

/// How fast a virtual clock goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as real time. At 0 it stands still.
    Times(f64),
    /// As fast as can be written.
    Max,
}

/// More events than that nobody can write.
const TIMES_MAX: f64 = 10_000.0;

impl Speed {
    pub const ACCEPTED: &str = "a number from 0 to 10000, fractions too, or max";

    pub fn parse(text: &str) -> Option<Speed> {
        match text.trim() {
            "max" => Some(Speed::Max),
            number => number.parse().ok().filter(|times| (0.0..=TIMES_MAX).contains(times)).map(Speed::Times),
        }
    }
}

/// A time such as `90s`, `15m`, `2h` or `1.5d`, in milliseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let unit_ms = match text.bytes().last()? {
        b's' => 1_000.0,
        b'm' => 60_000.0,
        b'h' => 3_600_000.0,
        b'd' => 86_400_000.0,
        _ => return None,
    };
    let number: f64 = text.get(..text.len() - 1)?.parse().ok()?;
    // Ten thousand days: far from where timestamps end.
    (0.0..=8.64e11).contains(&(number * unit_ms)).then_some((number * unit_ms) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_and_durations_may_be_fractions_but_not_negative_or_endless() {
        assert_eq!(Speed::parse("60"), Some(Speed::Times(60.0)));
        assert_eq!(Speed::parse(" 0.5 "), Some(Speed::Times(0.5)));
        assert_eq!(Speed::parse("max"), Some(Speed::Max));
        for bad in ["", "-1", "NaN", "inf", "10001", "fast"] {
            assert_eq!(Speed::parse(bad), None, "{bad}");
        }
        assert_eq!(parse_duration("90s"), Some(90_000));
        assert_eq!(parse_duration("1.5d"), Some(129_600_000));
        for bad in ["", "s", "90", "-1h", "1e9d", "NaNs", "5 µ"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
