//! A folder of Python packages that students install from: what is in it, and the digest of each file.
//!
//! A task looks at the folder every few seconds and reads what is new once, on a thread that may block. Names, sizes and digests come from
//! what it found: no text of a request ever becomes a path.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};

use super::answer::Refused;
use axum::http::StatusCode;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A request that comes before the first look has ended waits so long. pip waits for 15 s, and asks again when it is told to.
const LOOKED_WITHIN: Duration = Duration::from_secs(10);
/// Packages of a class for three systems and some Pythons are a few hundred files.
const FILES_MAX: usize = 2000;
const READ_BYTES: usize = 256 << 10;
/// Downloads at once; pip has one open at a time.
const AT_ONCE: usize = 64;
/// Behind a container's network everybody may have the same address, so one may have most of them.
const AT_ONCE_OF_ONE: usize = 48;
const AGAIN_AFTER: Duration = Duration::from_secs(3);
/// Threads that read for downloads: the broker's own reads need some too.
const READS_AT_ONCE: usize = 4;

/// What a file was when its digest was made: another one of the same name differs in one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(about: &Metadata) -> Stamp {
        Stamp {
            bytes: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
            inode: about.ino(),
        }
    }
}

/// A file that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wheel {
    /// Its project's name, normalised.
    pub project: String,
    pub sha256: String,
    stamp: Stamp,
}

impl Wheel {
    pub fn bytes(&self) -> u64 {
        self.stamp.bytes
    }
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shelf {
    files: BTreeMap<String, Wheel>,
    /// What cannot be served, and why.
    left_out: BTreeMap<String, String>,
}

impl Shelf {
    pub fn projects(&self) -> BTreeSet<&str> {
        self.packages().map(|(_, wheel)| wheel.project.as_str()).collect()
    }

    /// All but the metadata that lies beside some of them.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &Wheel)> {
        self.files.iter().filter(|(name, _)| !name.ends_with(METADATA)).map(|(name, wheel)| (name.as_str(), wheel))
    }

    pub fn metadata(&self, name: &str) -> Option<&Wheel> {
        self.files.get(&format!("{name}{METADATA}"))
    }

    pub fn file(&self, name: &str) -> Option<&Wheel> {
        self.files.get(name)
    }
}

const METADATA: &str = ".metadata";

/// As pip asks for a project (PEP 503).
pub(super) fn normalised(name: &str) -> String {
    let words: Vec<&str> = name.split(['-', '_', '.']).collect();
    let inner = |at: usize| at != 0 && at + 1 != words.len();
    let kept = words.iter().enumerate().filter(|(at, word)| !word.is_empty() || !inner(*at)).map(|(_, word)| *word);
    kept.collect::<Vec<_>>().join("-").to_lowercase()
}

/// The project of a file by its name; none for what is no package. Names of packages need no escape in HTML or in an address.
fn project_of(name: &str) -> Option<String> {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._+!-".contains(&byte);
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) || !name.bytes().all(is_usual) {
        return None;
    }
    let package = name.strip_suffix(METADATA).unwrap_or(name);
    let project = if let Some(stem) = package.strip_suffix(".whl") {
        let parts: Vec<&str> = stem.split('-').collect();
        parts.first().filter(|_| matches!(parts.len(), 5 | 6)).copied()?
    } else {
        let stem = package.strip_suffix(".tar.gz").or_else(|| package.strip_suffix(".zip"))?;
        stem.rsplit_once('-')?.0
    };
    Some(normalised(project))
}

/// Not by a link, and without waiting for one who writes to a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or_default()).open(path)
}

fn open_as(path: &Path, stamp: Stamp) -> io::Result<File> {
    let file = open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || Stamp::of(&about) != stamp {
        return Err(io::Error::other("it is being changed"));
    }
    Ok(file)
}

fn digest(path: &Path, stamp: Stamp, ended: &AtomicBool) -> io::Result<String> {
    let mut file = open_as(path, stamp)?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; READ_BYTES]);
    loop {
        if ended.load(Ordering::Relaxed) {
            return Err(io::Error::other("the broker stops"));
        }
        match file.read(&mut part)? {
            0 => break,
            count => hash.update(part.get(..count).unwrap_or_default()),
        }
    }
    if Stamp::of(&file.metadata()?) != stamp {
        return Err(io::Error::other("it is being changed"));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is in the folder now. Files that were there before and are the same are not read again.
fn look(folder: &Path, before: &Shelf, ended: &AtomicBool) -> io::Result<Shelf> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(project) = project_of(&name) else { continue };
        // Of the entry itself: a link is no file.
        if let Some(about) = entry.metadata().ok().filter(Metadata::is_file) {
            found.insert(name, (project, Stamp::of(&about)));
        }
    }
    let mut shelf = Shelf::default();
    for (name, (project, stamp)) in found {
        if shelf.files.len() >= FILES_MAX {
            shelf.left_out.insert(name, format!("there are more than {FILES_MAX} files"));
            continue;
        }
        let known = before.files.get(&name).filter(|wheel| wheel.stamp == stamp).map(|wheel| Ok(wheel.sha256.clone()));
        match known.unwrap_or_else(|| digest(&folder.join(&name), stamp, ended)) {
            Ok(sha256) => drop(shelf.files.insert(name, Wheel { project, sha256, stamp })),
            Err(error) => drop(shelf.left_out.insert(name, error.to_string())),
        }
    }
    Ok(shelf)
}

/// The folder, with what is known of it.
pub struct Wheelhouse {
    folder: PathBuf,
    /// `None`: nobody has looked yet.
    shelf: watch::Sender<Option<Arc<Shelf>>>,
    /// Downloads by address.
    open: Mutex<HashMap<IpAddr, usize>>,
    pub(super) reads: Semaphore,
}

/// Reading ends soon when the one who waits for it is gone.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Wheelhouse {
    /// Fails with what to do if the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Arc<Wheelhouse>, String> {
        let told = |error: io::Error| {
            let fix = "give the folder that pip download -d has filled";
            format!("cannot read {}: {error}; {fix}", folder.display())
        };
        std::fs::read_dir(folder).map_err(told)?;
        let (shelf, open, reads) = (watch::Sender::new(None), Mutex::default(), Semaphore::new(READS_AT_ONCE));
        Ok(Arc::new(Wheelhouse { folder: folder.to_owned(), shelf, open, reads }))
    }

    /// Looks at the folder again and again.
    pub async fn keep(self: Arc<Self>) {
        let ending = Ending(Arc::default());
        loop {
            let before = self.shelf.borrow().clone();
            let (house, ended, known) = (Arc::clone(&self), Arc::clone(&ending.0), before.clone().unwrap_or_default());
            let looked = tokio::task::spawn_blocking(move || look(&house.folder, &known, &ended)).await;
            let found = looked.unwrap_or_else(|error| Err(io::Error::other(error))).unwrap_or_else(|error| Shelf {
                left_out: BTreeMap::from([(self.folder.display().to_string(), error.to_string())]),
                ..Shelf::default()
            });
            if before.as_deref() != Some(&found) {
                self.tell(before.as_deref(), &found);
                self.shelf.send_replace(Some(Arc::new(found)));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn tell(&self, before: Option<&Shelf>, found: &Shelf) {
        let known = |name: &String, why: &String| before.is_some_and(|before| before.left_out.get(name) == Some(why));
        let mut news = found.left_out.iter().filter(|(name, why)| !known(name, why));
        if let Some((name, why)) = news.next() {
            tracing::warn!(file = name, why, more = news.count(), "the wheelhouse leaves out what it cannot read");
        }
        let (files, projects, folder) = (found.packages().count(), found.projects().len(), self.folder.display());
        tracing::info!(files, projects, "the wheelhouse {folder} is served at /wheels/");
    }

    /// Projects as of the last look, for who does not want to wait for the first.
    pub(super) fn projects(&self) -> Vec<String> {
        let shelf = self.shelf.borrow().clone().unwrap_or_default();
        shelf.projects().into_iter().map(str::to_owned).collect()
    }

    pub(super) async fn shelf(&self) -> Result<Arc<Shelf>, Refused> {
        let mut looked = self.shelf.subscribe();
        let shelf = tokio::time::timeout(LOOKED_WITHIN, looked.wait_for(Option::is_some)).await;
        let shelf = shelf.ok().and_then(Result::ok).and_then(|shelf| shelf.clone());
        shelf.ok_or_else(|| busy("the packages are being read for the first time"))
    }

    /// The file as the last look found it.
    pub(super) async fn file(self: &Arc<Self>, name: &str, wheel: &Wheel) -> Result<File, Refused> {
        let (path, stamp) = (self.folder.join(name), wheel.stamp);
        let opened = tokio::task::spawn_blocking(move || open_as(&path, stamp)).await;
        opened.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|_| busy("the file has just been changed"))
    }

    pub(super) fn place(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refused> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, all) = (open.get(&address).copied().unwrap_or(0), open.values().sum::<usize>());
        if own >= AT_ONCE_OF_ONE || all >= AT_ONCE {
            return Err(busy("too many packages are being fetched at the moment"));
        }
        open.insert(address, own + 1);
        Ok(Place { house: Arc::clone(self), address })
    }
}

/// pip waits as long as it is told to and asks again, five times.
fn busy(error: &str) -> Refused {
    Refused { status: StatusCode::SERVICE_UNAVAILABLE, ..Refused::too_many(error, AGAIN_AFTER) }
}

/// One download among those that are open.
pub(super) struct Place {
    house: Arc<Wheelhouse>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.house.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
#[path = "wheelhouse_tests.rs"]
mod tests;
