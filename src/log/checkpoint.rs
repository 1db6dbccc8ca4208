//! Kafka's checkpoint files: small text tables.

use super::error::LogError;

/// The only version there is.
const VERSION: i64 = 0;
/// Begins the row of the checksum. No partition has this number.
const SEAL: &str = "crc32c -1 ";

/// Why a checkpoint file gives no rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CheckpointDefect {
    Malformed,
    Newer(i64),
}

impl CheckpointDefect {
    /// A newer version stops the start; a malformed file is renamed aside and done without.
    pub(super) fn refuse_newer(self, file: &str) -> Result<(), LogError> {
        match self {
            CheckpointDefect::Malformed => Ok(()),
            CheckpointDefect::Newer(version) => Err(LogError::NewerFormat { file: file.to_owned(), version }),
        }
    }
}

/// | line | content |
/// |---|---|
/// | 1 | version, 0 |
/// | 2 | number of rows |
/// | 3.. | a row each: fields separated by one space |
/// | last | of a sealed file, counted as a row: `crc32c -1 <CRC-32C of all before>`; Kafka takes it for a partition that does not exist |
pub(super) fn parse<T>(bytes: &[u8], row: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, CheckpointDefect> {
    let text = std::str::from_utf8(bytes).map_err(|_| CheckpointDefect::Malformed)?;
    let (text, sealed) = match text.rfind(SEAL).and_then(|at| text.split_at_checked(at)) {
        Some((before, seal)) => {
            let sum = seal.strip_prefix(SEAL).and_then(|sum| sum.trim_end().parse::<u32>().ok());
            // Also a version that is not ours is not believed then.
            if sum != Some(crc32c::crc32c(before.as_bytes())) {
                return Err(CheckpointDefect::Malformed);
            }
            (before, 1)
        }
        None => (text, 0),
    };
    let mut lines = text.lines();
    let mut number = || lines.next().and_then(|line| line.trim().parse::<i64>().ok()).ok_or(CheckpointDefect::Malformed);
    let version = number()?;
    if version > VERSION {
        return Err(CheckpointDefect::Newer(version));
    }
    let count = number()?;
    let rows: Option<Vec<T>> = lines.filter(|line| !line.trim().is_empty()).map(row).collect();
    rows.filter(|rows| version == VERSION && rows.len() as i64 + sealed == count).ok_or(CheckpointDefect::Malformed)
}

pub(super) fn format(rows: impl IntoIterator<Item = String>) -> Vec<u8> {
    let rows: Vec<String> = rows.into_iter().collect();
    lines(&rows, rows.len()).into_bytes()
}

/// With a checksum, for what nothing else would contradict.
pub(super) fn format_sealed(rows: impl IntoIterator<Item = String>) -> Vec<u8> {
    let rows: Vec<String> = rows.into_iter().collect();
    let mut text = lines(&rows, rows.len() + 1);
    let sum = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("{SEAL}{sum}\n"));
    text.into_bytes()
}

fn lines(rows: &[String], count: usize) -> String {
    let mut text = format!("{VERSION}\n{count}\n");
    for row in rows {
        text.push_str(row);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Result<Vec<i64>, CheckpointDefect> {
        parse(bytes, |row| row.parse().ok())
    }

    #[test]
    fn rows_survive() {
        assert_eq!(numbers(&format(["5".to_owned(), "7".to_owned()])), Ok(vec![5, 7]));
        assert_eq!(numbers(b"0\n0\n"), Ok(vec![]));
    }

    #[test]
    fn no_flipped_bit_of_a_sealed_file_goes_unnoticed() {
        let sealed = format_sealed(["5".to_owned(), "7".to_owned()]);
        assert_eq!(numbers(&sealed), Ok(vec![5, 7]));
        assert_eq!(numbers(&format_sealed([])), Ok(vec![]));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match numbers(&flipped) {
                // Whitespace at the end of the last line means nothing.
                Ok(rows) => assert!(rows == [5, 7] && bit / 8 == sealed.len() - 1, "bit {bit}"),
                Err(defect) => assert_eq!(defect, CheckpointDefect::Malformed, "bit {bit}"),
            }
        }
    }

    #[test]
    fn a_cut_or_foreign_file_is_malformed_and_a_newer_one_is_named() {
        for bytes in [&b""[..], b"0\n2\n5\n", b"0\n1\nx\n", b"\xff\xfe", b"zero\n"] {
            assert_eq!(numbers(bytes), Err(CheckpointDefect::Malformed));
        }
        assert_eq!(numbers(b"3\n1\n5\n"), Err(CheckpointDefect::Newer(3)));
    }
}
