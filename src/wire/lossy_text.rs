//! Text that is not UTF-8, read as Java reads it.

use std::borrow::Cow;

/// Every wrong sequence becomes one U+FFFD, as in Rust's own lossy reading; only half of a surrogate pair is one wrong sequence
/// here, and two or three there.
pub fn lossy_text(bytes: &[u8]) -> Cow<'_, str> {
    let mut wrong = match std::str::from_utf8(bytes) {
        Ok(text) => return Cow::Borrowed(text),
        Err(wrong) => wrong,
    };
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (valid, after) = rest.split_at_checked(wrong.valid_up_to()).unwrap_or((rest, &[]));
        text.extend(std::str::from_utf8(valid));
        text.push(char::REPLACEMENT_CHARACTER);
        rest = after.get(wrong_len(after, wrong.error_len())..).unwrap_or_default();
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return Cow::Owned(text);
            }
            Err(next) => wrong = next,
        }
    }
}

fn wrong_len(bytes: &[u8], found: Option<usize>) -> usize {
    match bytes {
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
        [0xed, 0xa0..=0xbf, ..] => 2,
        // None: the text ends inside of a sequence.
        _ => found.unwrap_or(bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sequences_are_marked_as_java_marks_them() {
        let cases: [(&[u8], &str); 9] = [
            (b"plain", "plain"),
            (b"a\xff\xfeb", "a\u{fffd}\u{fffd}b"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"\xe2\x82\xc3b", "\u{fffd}\u{fffd}b"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xf0\x9f\x92A", "\u{fffd}A"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xbf", "\u{fffd}"),
            (b"\xed\xa0A", "\u{fffd}A"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(lossy_text(bytes), expected, "{bytes:x?}");
        }
    }
}
