//! Small JSON files that nothing can rebuild. Each has a checksum, and a copy beside it that takes its place when the checksum is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::folder::{put_file_by, sync_folder};

/// The field of the checksum: CRC-32C of the rest as compact JSON.
const SUM: &str = "crc32c";
/// Endings, in place of the file's own: no longer than `json`.
const COPY: &str = "copy";
const ASIDE: &str = "bad";
const TEMPORARY: &str = "tmp";

/// What a file was found to be.
#[derive(Debug, PartialEq)]
pub enum Kept {
    Absent,
    Whole(Value),
    /// It was damaged, and the copy took its place. What was found is in the file of this name.
    Restored(Value, PathBuf),
    /// It was damaged, and there is no copy. It has this name now.
    Damaged(PathBuf),
}

/// Old or new after a crash, and on disk when this returns.
pub fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let mut value = serde_json::to_value(content)?;
    let sum = sum_of(&value)?;
    if let Value::Object(fields) = &mut value {
        fields.insert(SUM.to_owned(), sum.into());
    }
    let text = serde_json::to_vec_pretty(&value)?;
    put(path, &text)?;
    let copy = path.with_extension(COPY);
    // Nobody looks at the copy of a whole file, so it need not be on disk; but a copy of something else must not stay.
    put_file_by(&path.with_extension(TEMPORARY), &copy, &text, |_| Ok(())).or_else(|_| absent_is_fine(fs::remove_file(&copy)))
}

pub fn read(path: &Path) -> io::Result<Kept> {
    let Some(bytes) = read_if_there(path)? else { return Ok(Kept::Absent) };
    if let Some(value) = whole(&bytes) {
        let copy = read_if_there(&path.with_extension(COPY))?;
        if value.is_object() && copy.is_none_or(|copy| whole(&copy).is_none()) {
            // From an earlier version, or the copy is damaged. A disk without room for it is told of elsewhere.
            let _ = write(path, &value);
        }
        return Ok(Kept::Whole(value));
    }
    let aside = path.with_extension(ASIDE);
    match read_if_there(&path.with_extension(COPY))?.and_then(|bytes| whole(&bytes).map(|value| (value, bytes))) {
        Some((value, bytes)) => {
            fs::copy(path, &aside)?;
            put(path, &bytes)?;
            Ok(Kept::Restored(value, aside))
        }
        None => {
            set_aside(path)?;
            Ok(Kept::Damaged(aside))
        }
    }
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put_file_by(&path.with_extension(TEMPORARY), path, bytes, |file| file.sync_all())?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Gives a file that is of no use another name.
pub fn set_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension(ASIDE))?;
    path.parent().map_or(Ok(()), sync_folder)
}

pub fn remove(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path.with_extension(COPY)))?;
    fs::remove_file(path)
}

/// The content, `None` if it is damaged. Files without a checksum are those of earlier versions, or written by hand.
pub fn whole(bytes: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    let sum = value.as_object_mut().and_then(|fields| fields.remove(SUM));
    let holds = sum.is_none_or(|sum| sum_of(&value).is_ok_and(|computed| sum.as_u64() == Some(computed.into())));
    holds.then_some(value)
}

fn sum_of(value: &Value) -> io::Result<u32> {
    Ok(crc32c::crc32c(&serde_json::to_vec(value)?))
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    outcome.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_changes_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let content = serde_json::json!({"name": "x", "configs": {"retention.ms": "-1"}, "partitions": 3});
        write(&path, &content).unwrap();
        let written = fs::read(&path).unwrap();
        let mut restored = 0;
        for bit in 0..written.len() * 8 {
            let mut flipped = written.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).unwrap();
            let value = match read(&path).unwrap() {
                Kept::Restored(value, aside) => {
                    assert!(aside.exists() && fs::read(&path).unwrap() == written);
                    restored += 1;
                    value
                }
                Kept::Whole(value) => value,
                other => panic!("bit {bit}: {other:?}"),
            };
            for (key, wanted) in content.as_object().unwrap() {
                assert_eq!(value.get(key), Some(wanted), "bit {bit}");
            }
        }
        assert!(restored > written.len() * 6);
    }

    #[test]
    fn without_a_copy_a_damaged_file_is_set_aside_and_a_copy_of_its_own_harms_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ids");
        assert_eq!(read(&path).unwrap(), Kept::Absent);
        fs::write(&path, "1000\n").unwrap();
        assert_eq!(read(&path).unwrap(), Kept::Whole(1000.into()), "an earlier version's");
        write(&path, &serde_json::json!({"next": 5})).unwrap();
        fs::write(path.with_extension(COPY), "junk").unwrap();
        assert_eq!(read(&path).unwrap(), Kept::Whole(serde_json::json!({"next": 5})));
        assert_eq!(fs::read(path.with_extension(COPY)).unwrap(), fs::read(&path).unwrap(), "made anew");
        fs::write(&path, "junk").unwrap();
        fs::remove_file(path.with_extension(COPY)).unwrap();
        let aside = path.with_extension(ASIDE);
        assert_eq!(read(&path).unwrap(), Kept::Damaged(aside.clone()));
        assert!(!path.exists() && aside.exists());
    }
}
