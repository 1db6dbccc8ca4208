//! The house rules that can be checked by reading the source: who may import whom, and what stays where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each floor's rooms and the rooms they may import. A room may always import itself.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("log", &["config", "model"]),
    ("coordinator", &["config", "model"]),
    ("wire", &["model"]),
    ("security", &["config", "model"]),
    ("broker", &["log", "coordinator", "security", "config", "model"]),
    ("cluster", &["broker", "coordinator", "security", "config", "model"]),
    ("handlers", &["broker", "coordinator", "wire", "security", "config", "model"]),
    ("server", &["handlers", "wire", "broker", "security", "config", "model"]),
    ("generators", &["cluster", "config", "model"]),
    ("tables", &[]),
    ("workshop", &["tables", "cluster", "config", "model"]),
    ("http", &["generators", "workshop", "cluster", "broker", "security", "config", "model"]),
    (
        "cli",
        &[
            "http",
            "server",
            "generators",
            "workshop",
            "cluster",
            "handlers",
            "wire",
            "broker",
            "log",
            "coordinator",
            "security",
            "config",
            "model",
        ],
    ),
];

/// A crate and the only places that may name it.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("memmap2", &["log/mapped.rs"]),
    ("kafka_protocol", &["wire/", "handlers/"]),
    ("rdkafka", &["cluster/access.rs", "cluster/mirror/", "cluster/remote.rs"]),
    ("dashmap", &["broker/catalog.rs"]),
    ("axum", &["http/"]),
    ("hyper", &["http/"]),
    ("hyper_util", &["http/"]),
    ("parquet", &["tables/"]),
    ("tokio", &["broker/", "cluster/", "handlers/", "server/", "generators/runner", "workshop/", "http/", "cli/"]),
];

/// Files that may be longer, and until when.
const LONG_FILES: &[(&str, usize, &str)] = &[];

const LINES_MAX: usize = 600;

struct Source {
    /// Relative to `src`, with forward slashes.
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let read = |file: PathBuf| Source {
        path: file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
        text: fs::read_to_string(&file).unwrap(),
    };
    let sources: Vec<Source> = files.into_iter().map(read).collect();
    assert!(sources.len() > 50, "the source tree was not found");
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file without comments: rules are about what compiles.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line.split("//").next().unwrap_or(""))).filter(|(_, line)| !line.trim().is_empty())
}

/// The rooms named by `crate::room` on a line, also within `use crate::{a, b}`.
fn rooms_named(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for part in line.split("crate::").skip(1) {
        let inner = part.strip_prefix('{').map(|list| list.split('}').next().unwrap_or(list)).unwrap_or(part);
        let names: Vec<&str> = if part.starts_with('{') { inner.split(',').collect() } else { vec![inner] };
        for name in names {
            let room: String = name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            rooms.push(room);
        }
    }
    rooms
}

#[test]
fn rooms_import_only_from_the_floors_below() {
    let allowed: BTreeMap<&str, &[&str]> = FLOORS.iter().copied().collect();
    let mut broken = Vec::new();
    for source in sources() {
        let Some((room, _)) = source.path.split_once('/') else { continue };
        let Some(allowed) = allowed.get(room) else {
            broken.push(format!("{}: room `{room}` stands in no line of FLOORS", source.path));
            continue;
        };
        for (n, line) in code(&source.text) {
            for named in rooms_named(line) {
                if FLOORS.iter().any(|(r, _)| *r == named) && named != room && !allowed.contains(&named.as_str()) {
                    broken.push(format!("{}:{n}: {room} imports {named}", source.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn crates_stay_where_they_belong() {
    let mut broken = Vec::new();
    for source in sources() {
        for (name, places) in ONLY_IN {
            let allowed = places.iter().any(|place| source.path.starts_with(place));
            for (n, line) in code(&source.text) {
                if !allowed && names_crate(line, name) {
                    broken.push(format!("{}:{n}: `{name}` is only for {}", source.path, places.join(", ")));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + name.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') && (after.starts_with("::") || after.starts_with(';'))
    })
}

#[test]
fn unsafe_code_is_in_the_map_alone() {
    let mut found = Vec::new();
    for source in sources() {
        for (n, line) in code(&source.text) {
            if line.contains("unsafe ") || line.contains("unsafe{") || line.contains("allow(unsafe_code)") {
                found.push((source.path.clone(), n));
            }
        }
    }
    let elsewhere: Vec<_> = found.iter().filter(|(path, _)| path != "log/mapped.rs").collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    assert!(!found.is_empty(), "the check no longer finds the one place that has it");
}

#[test]
fn files_are_short_and_imports_are_plain() {
    let mut broken = Vec::new();
    for Source { path, text } in sources() {
        let lines = text.lines().count();
        let limit = LONG_FILES.iter().find(|(long, ..)| *long == path).map_or(LINES_MAX, |(_, limit, _)| *limit);
        if lines > limit {
            broken.push(format!("{path}: {lines} lines, at most {limit}"));
        }
        for (n, line) in text.lines().enumerate() {
            for bad in ["super::super", "use crate::*", "TODO", "FIXME", "XXX"] {
                if line.contains(bad) {
                    broken.push(format!("{path}:{}: {bad}", n + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_root_says_what_it_is_in_forty_lines_of_text() {
    let mut broken = Vec::new();
    for Source { path, text } in sources() {
        if path.ends_with("/mod.rs") && path.matches('/').count() == 1 {
            let doc = text.lines().take_while(|l| l.starts_with("//!")).count();
            if doc == 0 || doc > 40 {
                broken.push(format!("{path}: {doc} lines of description"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_handler_is_in_the_table_and_every_stream_too() {
    let mut broken = Vec::new();
    let sources = sources();
    let text_of = |path: &str| sources.iter().find(|s| s.path == path).map(|s| s.text.as_str()).unwrap_or_default();
    for Source { path, text } in &sources {
        let Some(name) = path.strip_prefix("handlers/").and_then(|p| p.strip_suffix(".rs")) else { continue };
        if text.contains("impl Api for ") && !text_of("handlers/mod.rs").contains(&format!("    {name}::")) {
            broken.push(format!("{path} implements an API and is missing in `apis!`"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
