//! A file that only takes up space, so that there is some to give up when the disk is full.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::data_folder::DataFolder;

const BALLAST: &str = "ballast";
const CHUNK: usize = 1 << 20;

/// Less than this is no room to start in.
const START_BYTES_MIN: u64 = 4 << 20;

/// Free and total bytes of the file system, from itself.
pub(super) fn space(path: &Path) -> io::Result<(u64, u64)> {
    let space = rustix::fs::statvfs(path)?;
    Ok((space.f_bavail.saturating_mul(space.f_frsize), space.f_blocks.saturating_mul(space.f_frsize)))
}

/// A start has files to write: on a full disk the ballast that the last run left makes room for them.
pub(super) fn give_way(path: &Path) -> io::Result<()> {
    let (free, _) = space(path)?;
    if free < START_BYTES_MIN { remove(&path.join(BALLAST)).map(|_| ()) } else { Ok(()) }
}

fn remove(ballast: &Path) -> io::Result<bool> {
    match fs::remove_file(ballast) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl DataFolder {
    fn ballast(&self) -> PathBuf {
        self.path().join(BALLAST)
    }

    /// Whether the ballast is there in this size.
    pub fn has_ballast(&self, bytes: u64) -> bool {
        fs::metadata(self.ballast()).is_ok_and(|file| file.len() == bytes)
    }

    /// Takes up `bytes` of the disk. On an error nothing is taken.
    pub fn make_ballast_blocking(&self, bytes: u64) -> io::Result<()> {
        self.release_ballast()?;
        let made = File::create(self.ballast()).and_then(|file| reserve(&file, bytes));
        if made.is_err() {
            self.release_ballast()?;
        }
        made
    }

    /// Gives the space back. Says whether there was any.
    pub fn release_ballast(&self) -> io::Result<bool> {
        remove(&self.ballast())
    }
}

fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // Some network and FUSE file systems cannot reserve.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, bytes),
        outcome => Ok(outcome?),
    }
}

fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    let chunk = vec![0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.write_all(chunk.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TopicId;

    #[test]
    fn the_ballast_takes_space_and_gives_it_back() {
        let path = tempfile::tempdir().unwrap();
        let (folder, _) = DataFolder::open(path.path(), 1, (TopicId([1; 16]), TopicId([2; 16]))).unwrap();
        assert!(!folder.has_ballast(3 << 20));
        folder.make_ballast_blocking(3 << 20).unwrap();
        assert!(folder.has_ballast(3 << 20) && !folder.has_ballast(4 << 20));
        let taken = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(folder.ballast()).unwrap()) * 512;
        assert!(taken >= 3 << 20, "{taken}");
        assert!(folder.release_ballast().unwrap());
        assert!(!folder.release_ballast().unwrap());
        write_zeros(&File::create(folder.ballast()).unwrap(), (1 << 20) + 1).unwrap();
        assert!(folder.has_ballast((1 << 20) + 1));
    }
}
