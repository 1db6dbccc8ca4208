//! Money in whole cents.
//!
//! Amounts are JSON numbers with two decimals. The nearest cent of such a number read as a 64-bit float is exact up to 10^13, so sums of
//! cents are exact too, whatever the order.

/// The most that one amount can be, in whole units of money.
const MOST: f64 = 1e13;

/// To the nearest cent; `None` for what is no amount.
pub fn cents(amount: f64) -> Option<i64> {
    (amount.abs() < MOST).then(|| (amount * 100.0).round() as i64)
}

/// With two decimals.
pub fn written(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_amount_with_two_decimals_is_its_cents() {
        for expected in (-200_000..200_000).chain((1..2_000).map(|n| n * 499_999_999_999)) {
            assert_eq!(cents(written(expected).parse().unwrap()), Some(expected));
        }
    }

    #[test]
    fn what_is_no_amount_has_no_cents() {
        for amount in [f64::NAN, f64::INFINITY, -1e300, 1e13] {
            assert_eq!(cents(amount), None);
        }
        // A sum of floats is a little off.
        assert_eq!(cents(0.1 + 0.2), Some(30));
        assert_eq!((written(-5), written(123_456)), ("-0.05".to_owned(), "1234.56".to_owned()));
    }
}
