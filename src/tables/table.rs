//! A table in a folder, whatever its files are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::delta::DeltaLog;
use super::lines;
use super::parquet_file::ParquetFile;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("{path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
    #[error("{0}")]
    Refused(String),
}

impl TableError {
    pub(super) fn unreadable(path: &Path, why: impl ToString) -> TableError {
        TableError::Unreadable { path: path.display().to_string(), why: why.to_string() }
    }
}

/// A column and its type in Spark's short words, such as `bigint`; `any` where the files have no types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: String,
}

/// A version of a Delta table: how many rows it wrote, and the number of the streaming batch that did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableVersion {
    pub version: u64,
    pub rows: u64,
    pub epoch: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Parquet,
    Lines,
}

pub struct Table {
    pub columns: Vec<Column>,
    /// Empty for what is no Delta table.
    pub versions: Vec<TableVersion>,
    files: Vec<PathBuf>,
    format: Format,
}

impl Table {
    /// A Delta table, a folder of Parquet files or of files of JSON lines, or one such file.
    pub fn open(path: &Path) -> Result<Table, TableError> {
        if path.join("_delta_log").is_dir() {
            let log = DeltaLog::read(path)?;
            return Ok(Table { columns: log.columns()?, files: log.files(path)?, versions: log.versions, format: Format::Parquet });
        }
        let files = if path.is_file() { vec![path.to_owned()] } else { listed(path)? };
        let of = |endings: &[&str]| {
            let ends = |file: &&PathBuf| {
                let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
                ending.is_some_and(|ending| endings.contains(&ending.as_str()))
            };
            files.iter().filter(ends).cloned().collect::<Vec<_>>()
        };
        let (parquet, json) = (of(&["parquet"]), of(&["json", "jsonl", "ndjson"]));
        if let Some(first) = parquet.first() {
            let columns = ParquetFile::open(first)?.columns();
            return Ok(Table { columns, versions: Vec::new(), files: parquet, format: Format::Parquet });
        }
        if json.is_empty() {
            return Err(TableError::Refused(format!("{} holds no Delta table, no Parquet and no lines of JSON", path.display())));
        }
        let mut names = BTreeSet::new();
        json.iter().try_for_each(|file| lines::names(file, &mut names))?;
        let columns = names.into_iter().map(|name| Column { name, kind: "any".to_owned() }).collect();
        Ok(Table { columns, versions: Vec::new(), files: json, format: Format::Lines })
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column)
    }

    /// Visits these columns of every row, in their order. A column that is not there is null.
    pub fn rows(&self, wanted: &[&str], visit: &mut dyn FnMut(&[Cell])) -> Result<(), TableError> {
        self.files.iter().try_for_each(|file| match self.format {
            Format::Parquet => ParquetFile::open(file)?.rows(wanted, visit),
            Format::Lines => lines::rows(file, wanted, visit),
        })
    }
}

/// The files of a folder that Spark's readers would take: hidden ones are not among them, and where a streaming query wrote, those that
/// it did not commit are not either.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, TableError> {
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).map_err(|error| TableError::unreadable(folder, error))?;
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(|error| TableError::unreadable(folder, error))
        };
        let mut names = entries.map(name).collect::<Result<Vec<_>, _>>()?;
        names.sort();
        Ok(names)
    };
    let mut found: Vec<String> = names(folder)?.into_iter().filter(|name| !name.starts_with(['_', '.'])).collect();
    if let Some(partition) = found.iter().find(|name| name.contains('=') && folder.join(name).is_dir()) {
        return Err(TableError::Refused(format!("{} is partitioned ({partition}), which is not read here", folder.display())));
    }
    let metadata = folder.join("_spark_metadata");
    if metadata.is_dir() {
        let mut committed = BTreeSet::new();
        for name in names(&metadata)?.iter().filter(|name| name.starts_with(|first: char| first.is_ascii_digit())) {
            let path = metadata.join(name);
            let text = fs::read_to_string(&path).map_err(|error| TableError::unreadable(&path, error))?;
            let files = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let name = |file: serde_json::Value| file.get("path")?.as_str()?.rsplit('/').next().map(str::to_owned);
            committed.extend(files.filter_map(name));
        }
        found.retain(|name| committed.contains(name));
    }
    Ok(found.into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect())
}
