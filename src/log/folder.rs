//! A partition's folder on a real file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::mapped::MappedFile;
use super::store::{Opening, SegmentFile, Store};
use crate::model::Timestamp;

const FILE_NAME_BYTES_MAX: usize = 255;
/// Some of what is put whole holds secrets.
const OWNER_ONLY: u32 = 0o600;
/// Bytes rewritten at a time.
const REWRITE_BYTES: usize = 1 << 20;

/// Files in one folder, which is created by the first write.
#[derive(Debug)]
pub struct FolderStore {
    path: PathBuf,
}

impl FolderStore {
    pub fn new(path: impl Into<PathBuf>) -> FolderStore {
        FolderStore { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Runs a write; if the folder is missing, creates it and runs the write again.
    fn with_folder<T>(&self, write: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.path.exists() => {
                fs::create_dir_all(&self.path)?;
                if let Some(parent) = self.path.parent() {
                    sync_folder(parent)?;
                }
                write()
            }
            outcome => outcome,
        }
    }
}

/// Makes the names in a folder durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Old or new after a crash, and on disk when this returns.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put_synced(path, bytes)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// The bytes are on disk, the name is with the next `sync_folder`.
pub fn put_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put_file(path, bytes, |file| file.sync_all())
}

fn put_file(path: &Path, bytes: &[u8], settle: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    put_file_by(&path.with_file_name(name), path, bytes, settle)
}

/// Writes a file under another name, and renames it once `settle` is through.
pub fn put_file_by(temporary: &Path, path: &Path, bytes: &[u8], settle: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(temporary)?;
    file.write_all(bytes)?;
    settle(&file)?;
    fs::rename(temporary, path)
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

impl Store for FolderStore {
    fn exists(&self) -> io::Result<bool> {
        self.path.try_exists()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is not text is none of ours and stays untouched.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn size(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.file(name))?.len())
    }

    fn modified(&self, name: &str) -> io::Result<Timestamp> {
        let modified = fs::metadata(self.file(name))?.modified()?;
        let since = modified.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        Ok(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_folder(|| replace_file(&self.file(name), bytes))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_folder(|| put_file(&self.file(name), bytes, |_| Ok(())))
    }

    fn put_tail(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.with_folder(|| {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.file(name))?;
            file.write_all_at(bytes, position)?;
            file.set_len(position.saturating_add(bytes.len() as u64))
        })
    }

    fn sync_file(&self, name: &str) -> io::Result<()> {
        absent_is_fine(File::open(self.file(name)).and_then(|file| file.sync_data()))
    }

    fn rewrite(&self, name: &str, position: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(self.file(name))?;
        let (mut at, end) = (position, file.metadata()?.len());
        let mut buffer = vec![0; REWRITE_BYTES];
        while at < end {
            let count = file.read_at(&mut buffer, at)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            file.write_all_at(bytes, at)?;
            at = at.saturating_add(count as u64);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.file(name)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.file(from), self.file(to))
    }

    fn keep_copy(&self, name: &str, copy: &str) -> io::Result<()> {
        match fs::hard_link(self.file(name), self.file(copy)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Some mounted folders know no hard links.
            Err(_) => fs::copy(self.file(name), self.file(copy)).map(|_| ()),
            Ok(()) => Ok(()),
        }
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.file(name))?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn open_segment(&self, name: &str, capacity: u64, opening: Opening) -> io::Result<Arc<dyn SegmentFile>> {
        let open = || MappedFile::open(&self.file(name), capacity, opening);
        let file = if opening == Opening::Create { self.with_folder(open)? } else { open()? };
        Ok(Arc::new(file))
    }

    fn sync_folder(&self) -> io::Result<()> {
        absent_is_fine(sync_folder(&self.path))
    }

    fn delete_folder(&self) -> io::Result<()> {
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let Some(name) = self.path.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        let ending = format!(".{}-{}-delete", std::process::id(), UNIQUE.fetch_add(1, Ordering::Relaxed));
        // A long topic's name is cut: no file name has more than 255 bytes.
        let (topic, partition) = name.rsplit_once('-').unwrap_or((name, "0"));
        let kept = FILE_NAME_BYTES_MAX.saturating_sub(1 + partition.len() + ending.len()).min(topic.len());
        let topic = topic.get(..kept).unwrap_or("x");
        let aside = self.path.with_file_name(format!("{topic}-{partition}{ending}"));
        match fs::rename(&self.path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            outcome => outcome?,
        }
        fs::remove_dir_all(aside)
    }
}
