//! A segment file under its map: the only `unsafe` of the house.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::fs::{FallocateFlags, fallocate, fstatfs};

use super::direct_read;
use super::store::{Opening, SegmentFile};

/// A file this long is given its blocks ahead of the writes, so many bytes at a time. Ext4 plans the place of a new page one 4 KiB block
/// after the other, which costs more than the copy: 0.3 to 1.6 CPU s/GB in writes of 1 MiB, and 0.13 to 0.2 into blocks that are there.
/// The length from which it is done bounds what a segment that stops growing holds in vain.
const AHEAD_FROM: u64 = 4 << 20;
const AHEAD_BYTES: u64 = 1 << 20;
const EXT4: i64 = 0xEF53;

/// A file that grows by positional writes under one read-only shared map of its full address range.
///
/// The map is made once and covers `capacity` bytes; pages past the end of the file are never touched.
#[derive(Debug)]
pub struct MappedFile {
    file: File,
    map: Arc<MmapRaw>,
    /// Bytes known to lie in the file: all that may be read through the map.
    readable: AtomicU64,
    /// Where the blocks end that were asked for ahead of the writes.
    allocated: AtomicU64,
}

impl MappedFile {
    /// Opens `path`. The file may grow up to `capacity`, or keeps its length if that is more.
    pub fn open(path: &Path, capacity: u64, opening: Opening) -> io::Result<MappedFile> {
        let file = OpenOptions::new().read(true).write(true).create(opening == Opening::Create).truncate(false).open(path)?;
        let len = file.metadata()?.len();
        let capacity = usize::try_from(capacity.max(len).max(1)).map_err(io::Error::other)?;
        let map = MmapOptions::new().len(capacity).map_raw_read_only(&file)?;
        Ok(MappedFile { file, map: Arc::new(map), readable: AtomicU64::new(len), allocated: AtomicU64::new(0) })
    }

    /// Asks for the blocks of this write and of the next ones. A hint: without it the write finds its blocks itself, or the disk full.
    fn allocate_ahead(&self, write: Range<u64>) {
        if write.start < AHEAD_FROM || write.end <= self.allocated.load(Ordering::Relaxed) {
            return;
        }
        let end = write.end.saturating_add(AHEAD_BYTES).min(self.capacity());
        let (flags, len) = (FallocateFlags::KEEP_SIZE, end.saturating_sub(write.start));
        // Others allocate late or ahead by themselves, and on a file in memory blocks are memory.
        let helps = fstatfs(&self.file).is_ok_and(|system| system.f_type == EXT4);
        let given = helps && fallocate(&self.file, flags, write.start, len).is_ok();
        self.allocated.store(if given { end } else { u64::MAX }, Ordering::Relaxed);
    }
}

impl SegmentFile for MappedFile {
    fn file_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn capacity(&self) -> u64 {
        self.map.len() as u64
    }

    fn write_all_at(&self, parts: &[&[u8]], position: u64) -> io::Result<()> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let end = position.saturating_add(total as u64);
        if end > self.capacity() {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.allocate_ahead(position..end);
        let slices: Vec<io::IoSlice<'_>> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
        let mut written = loop {
            match rustix::io::pwritev(&self.file, &slices, position) {
                Ok(written) => break written,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        // A short write is rare: the rest goes piece by piece.
        let mut at = position.saturating_add(written as u64);
        for part in parts {
            let skip = written.min(part.len());
            written -= skip;
            let rest = part.get(skip..).unwrap_or_default();
            self.file.write_all_at(rest, at)?;
            at = at.saturating_add(rest.len() as u64);
        }
        self.readable.fetch_max(end, Ordering::Release);
        Ok(())
    }

    fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        if range.start > range.end || range.end > self.readable.load(Ordering::Acquire) {
            return None;
        }
        let start = usize::try_from(range.start).ok()?;
        let len = usize::try_from(range.end - range.start).ok()?;
        Some(Bytes::from_owner(Published { map: Arc::clone(&self.map), start, len }))
    }

    fn read_past_cache(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        direct_read::read(&self.file, range)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        // Never shortens below what readers may hold: `readable` does not count a failed write.
        if self.file_len()? > len && len >= self.readable.load(Ordering::Acquire) {
            self.file.set_len(len)?;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn populate_blocking(&self, range: Range<u64>) {
        let end = range.end.min(self.readable.load(Ordering::Acquire));
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(end)) else { return };
        if start < end {
            // Older kernels do not know the advice; then the reader takes the faults itself.
            let _ = self.map.advise_range(Advice::PopulateRead, start, end - start);
        }
    }
}

/// Whether every page of these bytes is in memory at this moment. Does not block, and touches none.
pub fn is_resident(bytes: &[u8]) -> bool {
    let page = rustix::param::page_size();
    let before = bytes.as_ptr().addr() % page;
    let mut pages = vec![0_u8; (before + bytes.len()).div_ceil(page)];
    // SAFETY: the range begins with the page in which `bytes` begin and ends with them, so it is mapped; there is a byte for each of its
    // pages. The call reads none of them.
    let known = unsafe { libc::mincore(bytes.as_ptr().sub(before).cast_mut().cast(), before + bytes.len(), pages.as_mut_ptr()) } == 0;
    known && pages.iter().all(|page| page & 1 == 1)
}

/// A published part of a map, kept alive by the slices of it.
struct Published {
    map: Arc<MmapRaw>,
    start: usize,
    len: usize,
}

impl AsRef<[u8]> for Published {
    fn as_ref(&self) -> &[u8] {
        assert!(self.start.saturating_add(self.len) <= self.map.len(), "a published range lies inside its map");
        // SAFETY: the range lies inside the map, which lives as long as `self`, and inside the file: one process writes
        // (the data folder's lock), the file never shrinks below a published length, and no published byte is rewritten.
        unsafe { slice::from_raw_parts(self.map.as_ptr().add(self.start), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_written_after_mapping_are_seen_and_outlive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let file = MappedFile::open(&path, 1 << 20, Opening::Create).unwrap();
        assert_eq!(file.slice(0..1), None);
        let mut expected = Vec::new();
        for i in 0..100_u8 {
            let part = vec![i; 1000];
            file.write_all_at(&[&part[..61], &part[61..]], expected.len() as u64).unwrap();
            expected.extend(part);
        }
        let slice = file.slice(0..expected.len() as u64).unwrap();
        std::fs::remove_file(&path).unwrap();
        drop(file);
        assert_eq!(slice, expected);
    }

    #[test]
    fn what_was_just_written_is_resident_and_what_was_thrown_out_is_not() {
        let folder = tempfile::tempdir_in(".").unwrap();
        let path = folder.path().join("x.log");
        let file = MappedFile::open(&path, 1 << 20, Opening::Create).unwrap();
        file.write_all_at(&[&[1; 300_000]], 0).unwrap();
        let slice = file.slice(0..300_000).unwrap();
        assert!(is_resident(&slice) && is_resident(&slice[5000..5001]) && is_resident(&slice[7..7]));
        file.sync().unwrap();
        rustix::fs::fadvise(&file.file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        assert!(!is_resident(&slice));
        file.populate_blocking(0..300_000);
        assert!(is_resident(&slice));
    }

    #[test]
    fn a_long_file_has_blocks_before_it_needs_them_and_its_length_is_of_what_was_written() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir_in(".").unwrap();
        let file = MappedFile::open(&folder.path().join("x.log"), 6 << 20, Opening::Create).unwrap();
        let part = vec![7; 1 << 18];
        let beyond = || file.file.metadata().map(|found| (found.blocks() * 512).saturating_sub(found.len())).unwrap();
        let ext4 = fstatfs(&file.file).unwrap().f_type == EXT4;
        for at in (0..6 << 20).step_by(part.len()) {
            file.write_all_at(&[&part], at).unwrap();
            let end = at + part.len() as u64;
            assert_eq!(file.file_len().unwrap(), end);
            file.sync().unwrap();
            if at < AHEAD_FROM || !ext4 {
                assert!(beyond() < 64 << 10, "{end}");
            } else if at == AHEAD_FROM {
                assert!(beyond() >= AHEAD_BYTES, "{end}");
            }
        }
        assert!(beyond() < 64 << 10, "a full segment holds {} bytes in vain", beyond());
        assert_eq!(file.slice(0..6 << 20).unwrap(), vec![7; 6 << 20]);
    }

    #[test]
    fn a_file_never_grows_past_its_map_nor_shrinks_below_what_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        let file = MappedFile::open(&folder.path().join("x.log"), 100, Opening::Create).unwrap();
        file.write_all_at(&[&[1; 100]], 0).unwrap();
        assert!(file.write_all_at(&[&[1]], 100).is_err());
        file.cut(50).unwrap();
        assert_eq!(file.file_len().unwrap(), 100);
        assert_eq!(file.slice(0..101), None);
        assert_eq!(file.slice(99..100).unwrap(), vec![1]);
    }
}
