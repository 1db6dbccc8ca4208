//! Where a partition's files live: the trait. `folder.rs` is a real folder, `memory_store.rs` one whose machine can lose its power.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::Timestamp;

/// One partition's folder. It need not exist until something is written.
pub trait Store: Debug + Send + Sync {
    /// Whether anything was ever written. Durable from the first write on.
    fn exists(&self) -> io::Result<bool>;
    /// The names of the files. A folder that does not exist has none.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A small file's bytes, `None` if there is no such file.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    fn size(&self, name: &str) -> io::Result<u64>;
    fn modified(&self, name: &str) -> io::Result<Timestamp>;
    /// Puts a whole file in place: old or new after a crash, and on disk when this returns.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Puts a whole file in place, with no promise after a power cut. For what can be rebuilt.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes at `position` and ends the file there. For what can be rebuilt.
    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable. An absent file is no error.
    fn sync_file(&self, name: &str) -> io::Result<()>;
    /// Writes a file's bytes from `position` on once more, where they are: after a failed sync the system takes them for written. Only
    /// recovery calls this.
    fn rewrite(&self, name: &str, position: u64) -> io::Result<()>;
    /// An absent file is no error.
    fn remove(&self, name: &str) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// A second name for the same bytes, which outlives `remove` of the first.
    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()>;
    /// Shortens a segment file. Only recovery calls this, before the file is opened.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;
    /// Opens a segment file that may grow to `capacity`.
    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>>;
    /// Makes creations, renames and removals durable.
    fn sync_folder(&self) -> io::Result<()>;
    /// Renames the folder to `<name>.<unique>-delete`, then removes it. Open slices stay readable.
    fn delete_folder(&self) -> io::Result<()>;
}

/// Whether a segment file must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Existing,
    Create,
}

/// An append-only file under a read-only map.
pub trait SegmentFile: Debug + Send + Sync {
    /// The file's length, which may exceed what was published (a failed write leaves a part behind).
    fn file_len(&self) -> io::Result<u64>;
    /// Bytes the map covers: the file may grow up to here.
    fn capacity(&self) -> u64;
    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()>;
    /// Bytes without a copy; `None` unless they were written through this handle or lay in the file when it was opened.
    fn slice(&self, range: Range<u64>) -> Option<Bytes>;
    /// A copy of what the disk has, whatever is in memory; zeros for what it cannot give. For one who reads everything once.
    fn read_past_cache(&self, range: Range<u64>) -> io::Result<Vec<u8>>;
    /// Drops what lies past the published length.
    fn cut(&self, len: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    /// Faults pages in, so that a later read of them does not block. A hint.
    fn populate_blocking(&self, range: Range<u64>);
}
