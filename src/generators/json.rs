//! Writes a value's bytes: JSON objects in schema order, money and readings with a fixed number of decimals, times in RFC 3339.
//!
//! Written by hand because `12.50` must stay `12.50`: amounts are whole hundredths here and never become floats.

/// An open JSON object. Fields appear in the order in which they are written.
pub struct JsonObject<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> JsonObject<'a> {
    pub fn open(out: &'a mut Vec<u8>) -> JsonObject<'a> {
        out.push(b'{');
        JsonObject { out, empty: true }
    }

    pub fn close(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub fn text(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        self.name(name);
        write_text(self.out, value.as_ref());
        self
    }

    pub fn maybe_text(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(text) => self.text(name, text),
            None => {
                self.name(name);
                self.out.extend_from_slice(b"null");
                self
            }
        }
    }

    pub fn texts<'t>(&mut self, name: &str, values: impl IntoIterator<Item = &'t str>) -> &mut Self {
        self.name(name);
        self.out.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_text(self.out, value.as_bytes());
        }
        self.out.push(b']');
        self
    }

    pub fn integer(&mut self, name: &str, value: i64) -> &mut Self {
        self.name(name);
        write_decimal(self.out, value, 0);
        self
    }

    /// `value` counts units of the last of `places` decimals: `decimal("price", 1250, 2)` writes `12.50`.
    pub fn decimal(&mut self, name: &str, value: i64, places: usize) -> &mut Self {
        self.name(name);
        write_decimal(self.out, value, places);
        self
    }

    pub fn boolean(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub fn time(&mut self, name: &str, at_ms: i64) -> &mut Self {
        self.text(name, rfc3339_ms(at_ms))
    }

    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut JsonObject<'_>)) -> &mut Self {
        self.name(name);
        let mut inner = JsonObject::open(self.out);
        fill(&mut inner);
        inner.close();
        self
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn write_decimal(out: &mut Vec<u8>, value: i64, places: usize) {
    let mut digits = [b'0'; 24];
    let mut rest = value.unsigned_abs();
    let mut start = digits.len();
    let mut written = 0;
    while rest > 0 || written <= places {
        if written == places && places > 0 {
            start -= 1;
            digits[start] = b'.';
        }
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

/// `2026-11-23T10:15:30.123Z`. For the years 1970 to 9999.
pub fn rfc3339_ms(at_ms: i64) -> [u8; 24] {
    let at_ms = at_ms.clamp(0, 253_402_300_799_999);
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Count from 1 March of year 0, so that the leap day is a year's last day; eras of 400 years repeat exactly.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, ms / 3_600_000),
        (14, 2, ms / 60_000 % 60),
        (17, 2, ms / 1000 % 60),
        (20, 3, ms % 1000),
    ];
    for (start, width, mut value) in parts {
        for place in (start..start + width).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(value: i64, places: usize) -> String {
        let mut out = Vec::new();
        write_decimal(&mut out, value, places);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_their_zeros() {
        assert_eq!(decimal(1250, 2), "12.50");
        assert_eq!(decimal(5, 2), "0.05");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(0, 2), "0.00");
        assert_eq!(decimal(0, 0), "0");
        assert_eq!(decimal(-120, 0), "-120");
        assert_eq!(decimal(7, 4), "0.0007");
        assert_eq!(decimal(i64::MIN, 4), "-922337203685477.5808");
    }

    #[test]
    fn times_are_rfc3339_with_milliseconds() {
        let text = |ms| String::from_utf8(rfc3339_ms(ms).to_vec()).unwrap();
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_795_428_930_123), "2026-11-23T10:15:30.123Z");
        assert_eq!(text(1_798_761_599_999), "2026-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_object_is_written_in_order_and_parses() {
        let mut out = Vec::new();
        let mut object = JsonObject::open(&mut out);
        object.text("a", "say \"hi\" \\").maybe_text("b", None).texts("c", ["x", "y"]).boolean("d", true);
        object.object("e", |inner| {
            inner.decimal("f", 1999, 2);
        });
        object.close();
        assert_eq!(out, br#"{"a":"say \"hi\" \\","b":null,"c":["x","y"],"d":true,"e":{"f":19.99}}"#);
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
    }
}
