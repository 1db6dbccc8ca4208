//! Lines of JSON, an object each: a table whose columns have no types.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::cell::Cell;
use super::table::TableError;

/// Lines that are looked at for names: a field that is null may be left out of a line.
const LOOKED_AT: usize = 1_000;

fn objects(path: &Path, visit: &mut dyn FnMut(usize, &Value) -> bool) -> Result<(), TableError> {
    let file = File::open(path).map_err(|error| TableError::unreadable(path, error))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| TableError::unreadable(path, error))?;
        if line.trim().is_empty() {
            continue;
        }
        let object = serde_json::from_str(&line).ok().filter(Value::is_object);
        let object = object.ok_or_else(|| TableError::unreadable(path, format!("line {} is no JSON object", number + 1)))?;
        if !visit(number, &object) {
            break;
        }
    }
    Ok(())
}

pub fn names(path: &Path, names: &mut BTreeSet<String>) -> Result<(), TableError> {
    objects(path, &mut |number, object| {
        names.extend(object.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        number < LOOKED_AT
    })
}

pub fn rows(path: &Path, wanted: &[&str], visit: &mut dyn FnMut(&[Cell])) -> Result<(), TableError> {
    objects(path, &mut |_, object| {
        let row: Vec<Cell> = wanted.iter().map(|name| object.get(*name).map_or(Cell::Null, cell)).collect();
        visit(&row);
        true
    })
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(number) => number.as_i64().map_or_else(|| number.as_f64().map_or(Cell::Null, Cell::Real), Cell::Int),
        Value::String(text) => Cell::Text(text.clone().into_bytes()),
        nested => Cell::Text(nested.to_string().into_bytes()),
    }
}
