//! The log of a Delta table: which files are in its newest version, and what it says of those before.
//!
//! `_delta_log/` holds a commit per version, `00000000000000000012.json`, an action on each line, and now and then the sum of all before
//! in a checkpoint, `00000000000000000010.checkpoint.parquet` or `....checkpoint.0000000001.0000000002.parquet` and so on in parts.
//!
//! | action | what is taken from it |
//! |---|---|
//! | `protocol` | `minReaderVersion` and `readerFeatures`: what a reader has to know |
//! | `metaData` | `schemaString`, `partitionColumns`, `configuration` |
//! | `add`, `remove` | `path`, and whether rows of the file are marked as deleted (`deletionVector`) |
//! | `commitInfo` | `operationMetrics.numOutputRows`, `operationParameters.epochId` |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::parquet_file::ParquetFile;
use super::table::{Column, TableError, TableVersion};

/// Features that change nothing for whom reads whole tables, or that are looked at where they are used.
const KNOWN: &[&str] = &["columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"];

#[derive(Default)]
pub struct DeltaLog {
    /// Deleted rows are in a file of their own: the value says so.
    files: BTreeMap<String, bool>,
    features: BTreeSet<String>,
    reader_version: u64,
    schema: Option<String>,
    partitioned: Vec<String>,
    mapping: Option<String>,
    pub versions: Vec<TableVersion>,
}

/// What lies in the folder of the log.
struct Listing {
    commits: BTreeMap<u64, PathBuf>,
    /// By version and number of parts.
    checkpoints: BTreeMap<(u64, u64), Vec<PathBuf>>,
}

impl DeltaLog {
    pub fn read(folder: &Path) -> Result<DeltaLog, TableError> {
        let listing = Listing::read(&folder.join("_delta_log"))?;
        let newest = listing.commits.keys().next_back().copied();
        let mut log = DeltaLog::default();
        let complete = |((_, parts), files): &(&(u64, u64), &Vec<PathBuf>)| *parts == files.len() as u64;
        let checkpoint = listing.checkpoints.iter().rfind(complete);
        let mut next = 0;
        if let Some(((version, _), files)) = checkpoint {
            for file in files {
                ParquetFile::open(file)?.actions(&["protocol", "metaData", "add"], &mut |action| log.apply(action))?;
            }
            next = version + 1;
        }
        for (version, path) in &listing.commits {
            let history = TableVersion { version: *version, rows: 0, epoch: None };
            log.versions.push(history);
            let text = fs::read_to_string(path).map_err(|error| TableError::unreadable(path, error))?;
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                let action: Value = serde_json::from_str(line).map_err(|error| TableError::unreadable(path, error))?;
                log.note(&action);
                if *version >= next {
                    log.apply(&action);
                }
            }
        }
        let expected = listing.commits.range(next..).map(|(version, _)| *version);
        if expected.zip(next..).any(|(is, should)| is != should) || (checkpoint.is_none() && newest.is_none()) {
            return Err(TableError::Refused(format!("the Delta log of {} has a version that is missing", folder.display())));
        }
        log.refuse()?;
        Ok(log)
    }

    fn apply(&mut self, action: &Value) {
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |of: &Value, name: &str| {
            let all = of.get(name).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        if let Some(add) = action.get("add")
            && let Some(path) = text(add, "path")
        {
            self.files.insert(path, add.get("deletionVector").is_some_and(|vector| !vector.is_null()));
        }
        if let Some(path) = action.get("remove").and_then(|remove| text(remove, "path")) {
            // A file whose rows are marked anew is removed and added, in one commit and in any order.
            let marked = action.get("remove").and_then(|remove| remove.get("deletionVector")).is_some_and(|vector| !vector.is_null());
            if self.files.get(&path).is_none_or(|is_marked| *is_marked == marked) {
                self.files.remove(&path);
            }
        }
        if let Some(protocol) = action.get("protocol") {
            self.reader_version = protocol.get("minReaderVersion").and_then(Value::as_u64).unwrap_or_default();
            self.features = texts(protocol, "readerFeatures").into_iter().collect();
        }
        if let Some(meta) = action.get("metaData") {
            self.schema = text(meta, "schemaString");
            self.partitioned = texts(meta, "partitionColumns");
            self.mapping = meta.get("configuration").and_then(|all| text(all, "delta.columnMapping.mode"));
        }
    }

    /// The history's part of a commit.
    fn note(&mut self, action: &Value) {
        let (Some(info), Some(version)) = (action.get("commitInfo"), self.versions.last_mut()) else { return };
        let number = |of: &str, name: &str| match info.get(of).and_then(|all| all.get(name)) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_u64(),
            None => None,
        };
        version.rows = number("operationMetrics", "numOutputRows").unwrap_or_default();
        version.epoch = number("operationParameters", "epochId");
    }

    /// What would have to be known to read this table rightly, and is not.
    fn refuse(&self) -> Result<(), TableError> {
        let refused = |what: String| Err(TableError::Refused(format!("{what}: use the receipt that the notebook prints")));
        if self.reader_version > 3 {
            return refused(format!("the table asks for a Delta reader of version {}", self.reader_version));
        }
        if let Some(feature) = self.features.iter().find(|feature| !KNOWN.contains(&feature.as_str())) {
            return refused(format!("the table uses Delta's {feature}, which is not read here"));
        }
        if self.mapping.as_deref().is_some_and(|mode| mode != "none") {
            return refused("the table uses Delta's column mapping, which is not read here".to_owned());
        }
        if self.files.values().any(|marked| *marked) {
            return refused(
                "the table has deletion vectors, which are not read here (`REORG TABLE ... APPLY (PURGE)` removes them)".to_owned(),
            );
        }
        if !self.partitioned.is_empty() {
            return refused(format!("the table is partitioned by {}, which is not read here", self.partitioned.join(", ")));
        }
        Ok(())
    }

    /// The files of the newest version.
    pub fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, TableError> {
        let file = |path: &String| {
            let plain = unescaped(path).ok_or_else(|| TableError::Refused(format!("the path {path:?} in the Delta log is no text")))?;
            let inside = Path::new(&plain).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if inside && !plain.contains(":/") {
                Ok(folder.join(plain))
            } else {
                Err(TableError::Refused(format!("the table has a file outside of its folder: {plain}")))
            }
        };
        self.files.keys().map(file).collect()
    }

    pub fn columns(&self) -> Result<Vec<Column>, TableError> {
        let missing = || TableError::Refused("the Delta log has no schema".to_owned());
        let schema: Value = self.schema.as_deref().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(missing)?;
        let fields = schema.get("fields").and_then(Value::as_array).ok_or_else(missing)?;
        let column = |field: &Value| {
            let name = field.get("name")?.as_str()?.to_owned();
            let kind = match field.get("type")? {
                Value::String(kind) => match kind.as_str() {
                    "long" => "bigint",
                    "integer" => "int",
                    "short" => "smallint",
                    "byte" => "tinyint",
                    other => other,
                }
                .to_owned(),
                nested => nested.get("type").and_then(Value::as_str).unwrap_or("struct").to_owned(),
            };
            Some(Column { name, kind })
        };
        Ok(fields.iter().filter_map(column).collect())
    }
}

impl Listing {
    fn read(folder: &Path) -> Result<Listing, TableError> {
        let mut listing = Listing { commits: BTreeMap::new(), checkpoints: BTreeMap::new() };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| TableError::unreadable(folder, error))? {
            names.push(entry.map_err(|error| TableError::unreadable(folder, error))?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names {
            let parts: Vec<&str> = name.split('.').collect();
            let number = |text: &str| if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse::<u64>().ok() } else { None };
            let Some(version) = parts.first().filter(|first| first.len() == 20).and_then(|first| number(first)) else { continue };
            match parts.as_slice() {
                [_, "json"] => {
                    listing.commits.insert(version, folder.join(&name));
                }
                [_, "checkpoint", "parquet"] => listing.checkpoints.entry((version, 1)).or_default().push(folder.join(&name)),
                [_, "checkpoint", _, of, "parquet"] => {
                    if let Some(of) = number(of) {
                        listing.checkpoints.entry((version, of)).or_default().push(folder.join(&name));
                    }
                }
                _ => {}
            }
        }
        Ok(listing)
    }
}

/// A path of the log: percent signs stand before what a URI cannot hold.
fn unescaped(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%'
            && let Some((code, tail)) = rest.split_at_checked(2)
        {
            bytes.push(u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_unescaped() {
        assert_eq!(unescaped("part-0%20a%C3%A9.parquet").as_deref(), Some("part-0 aé.parquet"));
        assert_eq!((unescaped("a%zz"), unescaped("a%")), (None, Some("a%".to_owned())));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let log = |actions: &[Value]| {
            let mut log = DeltaLog::default();
            actions.iter().for_each(|action| log.apply(action));
            log.refuse().map_err(|error| error.to_string())
        };
        let file = json!({"add": {"path": "a.parquet"}});
        assert_eq!(log(std::slice::from_ref(&file)), Ok(()));
        let marked = json!({"add": {"path": "a.parquet", "deletionVector": {"storageType": "u"}}});
        assert!(log(&[file.clone(), marked.clone()]).unwrap_err().contains("deletion vectors"));
        // In one commit, in either order.
        let gone = json!({"remove": {"path": "a.parquet"}});
        assert!(log(&[file.clone(), marked.clone(), gone.clone()]).is_err() && log(&[file.clone(), gone, marked]).is_err());
        let features = json!({"protocol": {"minReaderVersion": 3, "readerFeatures": ["timestampNtz", "variantType"]}});
        assert!(log(&[features]).unwrap_err().contains("variantType"));
        assert!(log(&[json!({"protocol": {"minReaderVersion": 4}})]).unwrap_err().contains("version 4"));
        let mapped = json!({"metaData": {"configuration": {"delta.columnMapping.mode": "name"}, "partitionColumns": []}});
        assert!(log(&[mapped]).unwrap_err().contains("column mapping"));
        assert!(log(&[json!({"metaData": {"partitionColumns": ["day"]}})]).unwrap_err().contains("partitioned by day"));
    }

    #[test]
    fn files_outside_of_the_folder_are_refused() {
        for path in ["../a.parquet", "/a.parquet", "s3://b/a.parquet", "b/../../a"] {
            let mut log = DeltaLog::default();
            log.apply(&json!({"add": {"path": path}}));
            assert!(log.files(Path::new("t")).is_err(), "{path}");
        }
    }
}
