//! Does this folder do what the log needs? Asked once at start, in the folder itself.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::mapped::MappedFile;
use super::store::{Opening, SegmentFile};

const FIRST: &[u8] = b"written before the map";
const SECOND: &[u8] = b"written under the map";

/// What the folder's file system is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFacts {
    pub file_system: String,
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub open_files_max: u64,
    /// `vm.max_map_count`, if readable.
    pub maps_max: Option<u64>,
    /// Things to tell the operator.
    pub warnings: Vec<String>,
}

/// Writes, maps, grows under the map, renames and unlinks a file in `folder`. That files and the folder can be synced shows when the
/// marker is written.
pub(super) fn run(folder: &Path) -> Result<(), String> {
    let path = folder.join(".self-test.log");
    let outcome = exercise(folder, &path);
    let _ = fs::remove_file(&path);
    outcome
}

fn exercise(folder: &Path, path: &Path) -> Result<(), String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what} does not work in {}: {error}", folder.display());
    fs::write(path, FIRST).map_err(step("writing a file"))?;
    let file = MappedFile::open(path, 1 << 20, Opening::Existing).map_err(step("memory mapping (use a local disk or a named volume)"))?;
    let written = FIRST.len() as u64;
    file.write_all_at(&[SECOND], written).map_err(step("a positional write"))?;
    let end = written + SECOND.len() as u64;
    if file.slice(0..end).as_deref() != Some(&[FIRST, SECOND].concat()[..]) {
        return Err(format!("a file in {} that grows is not seen through its memory map: use a named volume", folder.display()));
    }
    let renamed = folder.join(".self-test.renamed");
    fs::rename(path, &renamed).map_err(step("rename"))?;
    let slice = file.slice(0..end);
    fs::remove_file(&renamed).map_err(step("unlinking a mapped file"))?;
    if slice.as_deref() != Some(&[FIRST, SECOND].concat()[..]) {
        return Err(format!("a file in {} that was unlinked cannot be read any more", folder.display()));
    }
    Ok(())
}

/// Asks the system about the folder, and raises the limit of open files as far as it goes.
pub(super) fn facts(folder: &Path) -> io::Result<FolderFacts> {
    let space = rustix::fs::fstatvfs(File::open(folder)?)?;
    let kind = rustix::fs::fstatfs(File::open(folder)?)?.f_type as u64;
    let file_system = file_system_name(kind);
    let mut warnings = Vec::new();
    if ["tmpfs", "overlayfs"].contains(&file_system.as_str()) {
        warnings.push(format!("{} lies on {file_system}: data dies with the container or machine; use a named volume", folder.display()));
    }
    Ok(FolderFacts {
        file_system,
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        open_files_max: raise_open_files(),
        maps_max: fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse().ok()),
        warnings,
    })
}

fn raise_open_files() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit).is_ok();
    if raised { limit.maximum } else { before }.unwrap_or(u64::MAX)
}

fn file_system_name(magic: u64) -> String {
    match magic {
        0xef53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794c_7630 => "overlayfs".to_owned(),
        0x6969 => "nfs".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        other => format!("file system {other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_folder_passes_and_is_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let facts = facts(folder.path()).unwrap();
        assert!(facts.total_bytes >= facts.free_bytes && facts.open_files_max > 0);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = run(Path::new("/nonexistent/headwater")).unwrap_err();
        assert!(error.contains("/nonexistent/headwater"), "{error}");
    }
}
