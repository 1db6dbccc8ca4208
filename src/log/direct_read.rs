//! Reading a file from the disk itself: what the page cache holds is not taken for it, and nothing is put there or pushed out.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use rustix::fs::{Advice, OFlags, fadvise};
use rustix::io::Errno;

/// What a disk gives at least, and what its reads have to be aligned to.
const BLOCK: usize = 4096;

/// The bytes of a range. What the disk cannot read, and what lies past the file's end, is zero: no batch has a CRC like that.
pub(super) fn read(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let start = range.start - range.start % BLOCK as u64;
    let wanted = usize::try_from(range.end.saturating_sub(start)).map_err(io::Error::other)?;
    let mut memory = vec![0; wanted.next_multiple_of(BLOCK).saturating_add(BLOCK)];
    let aligned = memory.as_ptr().align_offset(BLOCK);
    let buffer = memory.get_mut(aligned..).and_then(|rest| rest.get_mut(..wanted.next_multiple_of(BLOCK))).unwrap_or_default();
    // The same file under any name it has by now. File systems in memory do not know the flag; there the cache is all there is.
    let by_number = format!("/proc/self/fd/{}", file.as_raw_fd());
    let direct = OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits().cast_signed()).open(by_number).ok();
    let done = match &direct {
        Some(direct) => fill(direct, buffer, start, 0)?,
        None => 0,
    };
    if done < wanted {
        // Read once, and not worth keeping.
        let _ = fadvise(file, start, None, Advice::NoReuse);
        fill(file, buffer, start, done)?;
    }
    let skip = usize::try_from(range.start - start).map_err(io::Error::other)?;
    Ok(buffer.get(skip..wanted).unwrap_or_default().to_vec())
}

/// Reads from `done` on until the buffer is full, the file ends or, with an alignment that the file system does not take, as far as
/// that goes. Blocks that cannot be read are passed over.
fn fill(file: &File, buffer: &mut [u8], start: u64, mut done: usize) -> io::Result<usize> {
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let at = start.saturating_add(done as u64);
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::INTR) => {}
                Some(Errno::INVAL) => break,
                Some(Errno::IO | Errno::NODATA | Errno::UCLEAN) => done += read_block(file, rest, at),
                _ => return Err(error),
            },
        }
    }
    Ok(done)
}

/// A part of what could not be read as one: a block of it, or zeros.
fn read_block(file: &File, rest: &mut [u8], at: u64) -> usize {
    let len = BLOCK.min(rest.len());
    let block = rest.get_mut(..len).unwrap_or_default();
    match file.read_at(block, at) {
        Ok(count) if count > 0 => count,
        _ => {
            block.fill(0);
            len
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_is_read_and_what_is_not_there_is_zero() {
        for folder in [tempfile::tempdir().ok(), tempfile::tempdir_in("/dev/shm").ok()].into_iter().flatten() {
            let path = folder.path().join("x");
            let bytes: Vec<u8> = (0..10_007_u32).map(|i| (i % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            for range in [0..1, 0..10_007, 4095..4097, 5000..10_007, 8192..10_000, 4096..8192] {
                assert_eq!(read(&file, range.clone()).unwrap(), bytes[range.start as usize..range.end as usize], "{range:?}");
            }
            let past = read(&file, 10_000..20_000).unwrap();
            assert_eq!((&past[..7], past[7..].iter().all(|byte| *byte == 0)), (&bytes[10_000..], true));
        }
    }

    /// Whether the first page is in memory: such a read does not wait for the disk. It may start one, so that only the first asking
    /// tells.
    fn is_cached(file: &File) -> bool {
        let mut byte = [0];
        rustix::io::preadv2(file, &mut [io::IoSliceMut::new(&mut byte)], 0, rustix::io::ReadWriteFlags::NOWAIT).is_ok()
    }

    #[test]
    fn the_page_cache_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![1; 100_000]).unwrap();
            let file = File::open(&path).unwrap();
            file.sync_all().unwrap();
            file
        };
        let (warm, cold, control) = (file("warm"), file("cold"), file("control"));
        read(&warm, 0..100_000).unwrap();
        assert!(is_cached(&warm), "what was there is not pushed out");
        for file in [&cold, &control] {
            fadvise(file, 0, None, Advice::DontNeed).unwrap();
        }
        read(&cold, 0..100_000).unwrap();
        // A file system in memory keeps all.
        if !is_cached(&control) {
            assert!(!is_cached(&cold), "what is read is not put there");
        }
    }

    #[test]
    fn what_another_wrote_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, vec![1; 9000]).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(read(&file, 5000..5001).unwrap(), [1]);
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[9], 5000).unwrap();
        assert_eq!(read(&file, 5000..5001).unwrap(), [9]);
    }
}
