//! All challenges, in their order: those of this program, and those of a folder beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

use super::{Challenge, SPARK};

static OWN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/challenges");

/// The folder with what the scripts of all challenges import.
const SHARED: &str = "shared";
/// Those of them that go beside notebooks only, and the one that does not: it is for scripts.
const SHARED_SPARK: &str = "spark/";
const REQUIREMENTS: &str = "requirements.txt";

#[derive(Default)]
pub struct Challenges {
    all: Vec<Challenge>,
    /// Files that go beside each starter.
    shared: BTreeMap<String, Vec<u8>>,
}

impl Challenges {
    /// Those that are part of this program.
    pub fn own() -> Result<Challenges, String> {
        let mut challenges = Challenges::default();
        for folder in OWN.dirs() {
            let slug = folder.path().to_string_lossy().into_owned();
            let mut files = BTreeMap::new();
            embedded(folder, folder.path(), &mut files);
            challenges.put(&slug, files)?;
        }
        Ok(challenges)
    }

    /// Adds the folders in a folder. One with the id of another takes its place, and so does what lies in `shared`.
    pub fn add_from(&mut self, folder: &Path) -> Result<(), String> {
        let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut found: Vec<_> = std::fs::read_dir(folder).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        found.sort_by_key(|entry| entry.file_name());
        let wanted = |path: &Path| path.join("challenge.toml").is_file() || path.ends_with(SHARED) && path.is_dir();
        for entry in found.iter().filter(|entry| wanted(&entry.path())) {
            let mut files = BTreeMap::new();
            on_disk(&entry.path(), "", &mut files).map_err(unreadable)?;
            self.put(&entry.file_name().to_string_lossy(), files)?;
        }
        Ok(())
    }

    fn put(&mut self, slug: &str, files: BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        if slug == SHARED {
            self.shared.extend(files);
        } else if files.contains_key("challenge.toml") {
            let challenge = Challenge::read(slug, files)?;
            self.all.retain(|other| other.id() != challenge.id());
            self.all.push(challenge);
            self.all.sort_by(|a, b| a.slug.cmp(&b.slug));
        }
        Ok(())
    }

    pub fn all(&self) -> &[Challenge] {
        &self.all
    }

    /// By id, such as `c02`; case does not matter.
    pub fn get(&self, id: &str) -> Option<&Challenge> {
        self.all.iter().find(|challenge| challenge.id().eq_ignore_ascii_case(id))
    }

    /// A file that goes beside the starters of a challenge: its own, or one that all share.
    pub fn beside<'a>(&'a self, challenge: &'a Challenge, name: &str) -> Option<&'a [u8]> {
        challenge.files().any(|own| own == name && is_beside(own)).then(|| challenge.file(name)).flatten().or_else(|| self.shared(name))
    }

    /// The names of those files, for a starter written for a client.
    pub fn needs(&self, challenge: &Challenge, client: &str) -> BTreeSet<String> {
        let own = challenge.files().filter(|name| is_beside(name)).map(str::to_owned);
        let shared = self.shared.keys().filter_map(|name| match (name.strip_prefix(SHARED_SPARK), client) {
            (Some(name), SPARK) => Some(name),
            (None, SPARK) => (name != REQUIREMENTS).then_some(name.as_str()),
            (inner, _) => inner.is_none().then_some(name.as_str()),
        });
        // What lies deeper is no one's: Python leaves folders where a module was imported.
        shared.filter(|name| !name.contains('/')).map(str::to_owned).chain(own).collect()
    }

    pub fn shared(&self, name: &str) -> Option<&[u8]> {
        self.shared.get(name).or_else(|| self.shared.get(&format!("{SHARED_SPARK}{name}"))).map(Vec::as_slice)
    }
}

/// Neither what the page shows otherwise, nor what gives an answer away.
fn is_beside(name: &str) -> bool {
    let told = ["challenge.toml", "README.md", "submission.json"].contains(&name);
    !told && !name.contains('/') && !name.starts_with("solution") && !name.starts_with("starter")
}

/// What tools leave behind in a folder: `__pycache__`, `.ipynb_checkpoints`, `.DS_Store`.
fn is_left_over(path: &Path) -> bool {
    path.file_name().is_some_and(|name| [".", "__"].iter().any(|start| name.to_string_lossy().starts_with(start)))
}

fn embedded(folder: &Dir<'_>, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in folder.entries() {
        match entry {
            DirEntry::Dir(inner) if is_left_over(inner.path()) => {}
            DirEntry::Dir(inner) => embedded(inner, root, files),
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(root).unwrap_or(file.path());
                files.insert(path.to_string_lossy().into_owned(), file.contents().to_vec());
            }
        }
    }
}

fn on_disk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if is_left_over(&entry.path()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            on_disk(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name, std::fs::read(entry.path())?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_leave_behind_in_a_folder_is_not_handed_out() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("05-bronze");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("challenges/05-bronze");
        std::fs::create_dir_all(folder.join("__pycache__")).unwrap();
        std::fs::create_dir_all(folder.join(".ipynb_checkpoints")).unwrap();
        for file in std::fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
        for left in ["__pycache__/solution.cpython-312.pyc", ".ipynb_checkpoints/starter-checkpoint.ipynb", ".DS_Store", "words.json"] {
            std::fs::write(folder.join(left), "x").unwrap();
        }
        std::fs::create_dir_all(place.path().join("shared/spark")).unwrap();
        std::fs::write(place.path().join("shared/spark/words.py"), "x").unwrap();
        let mut challenges = Challenges::default();
        challenges.add_from(place.path()).unwrap();
        assert_eq!(challenges.needs(challenges.get("c05").unwrap(), SPARK), BTreeSet::from(["words.json", "words.py"].map(str::to_owned)));
    }
}
