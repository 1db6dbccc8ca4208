//! Receipts from the files of a warehouse, as a notebook's receipt cell would have printed them.
//!
//! | kind of truth | in the folder |
//! |---|---|
//! | `bronze` | the table `bronze`, or the folder is the table |
//! | `silver` | `bronze`, `silver` and `quarantine`, whose column `value` holds what was refused |
//! | `fraud-windows` | `gold`, and the checkpoint of its query, `_ckpt/gold` |
//! | `payment-join` | `joined`, and the checkpoint of its query, `_ckpt/joined` |
//!
//! Gold has the columns `window_start`, `country`, `payments`, `average_usd`, `high_risk` and `spike`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::model::Timestamp;
use crate::tables::{Cell, QueryCheckpoint, Table, TableError};

use super::digest::{Digest, Salt};
use super::tables::ON_TIME_MS;
use super::times::{minute_of, time};

/// Of gold, the newest: a ticket goes back an hour and a half, and a receipt has to stay small.
const ROWS_MAX: usize = 600;

/// Computes a receipt for a ticket from the tables in a folder. The error is for the one who gave the path.
pub fn receipt_of(folder: &Path, kind: &str, nonce: &str) -> Result<Value, String> {
    let salt = Salt::new(nonce);
    let receipt = match kind {
        "bronze" => bronze(folder, &salt),
        "silver" => silver(folder, &salt),
        "fraud-windows" => gold(folder),
        "payment-join" => joined(folder, &salt),
        other => return Err(format!("a challenge of the kind {other} is not answered with files")),
    };
    let mut receipt = receipt.map_err(|error| error.to_string())?;
    if let Some(fields) = receipt.as_object_mut() {
        fields.insert("ticket".to_owned(), json!(nonce));
    }
    Ok(receipt)
}

/// A table of the folder.
fn table(folder: &Path, name: &str) -> Result<Table, TableError> {
    let path = folder.join(name);
    if path.exists() { Table::open(&path) } else { Err(TableError::Refused(format!("there is no table {name} in {}", folder.display()))) }
}

/// One that is looked at column by column.
fn with_columns(folder: &Path, name: &str, wanted: &[&str]) -> Result<Table, TableError> {
    let table = table(folder, name)?;
    match wanted.iter().find(|column| !table.has(column)) {
        None => Ok(table),
        Some(column) => Err(TableError::Refused(format!("the table {name} has no column {column}"))),
    }
}

/// What every receipt says of its table.
fn about(name: &str, table: &Table) -> Value {
    let schema: Vec<String> = table.columns.iter().map(|column| format!("{}:{}", column.name, column.kind)).collect();
    let versions: Vec<Value> = table.versions.iter().map(|version| json!([version.version, version.rows, version.epoch])).collect();
    json!({"table": name, "schema": schema, "versions": versions})
}

fn with(mut receipt: Value, fields: Vec<(&str, Value)>) -> Value {
    if let Some(object) = receipt.as_object_mut() {
        object.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    receipt
}

fn text(cell: &Cell) -> Vec<u8> {
    cell.text().unwrap_or_default()
}

fn or_null(cell: &Cell) -> Vec<u8> {
    cell.text().unwrap_or_else(|| b"null".to_vec())
}

/// A time, also as the text that lines of JSON have for it.
fn at(cell: &Cell) -> Option<Timestamp> {
    match cell {
        Cell::Time(micros) => Some(Timestamp(micros.div_euclid(1_000))),
        Cell::Text(text) => std::str::from_utf8(text).ok().and_then(time),
        _ => None,
    }
}

fn is_late(happened: &Cell, arrived: &Cell) -> bool {
    at(happened).zip(at(arrived)).is_some_and(|(happened, arrived)| arrived.since(happened) >= ON_TIME_MS)
}

#[derive(Default)]
struct Part {
    digest: Digest,
    offsets: HashSet<i64>,
    ends: Option<(i64, i64)>,
}

fn bronze(folder: &Path, salt: &Salt) -> Result<Value, TableError> {
    let named = folder.join("bronze");
    let table = if named.exists() { Table::open(&named)? } else { Table::open(folder)? };
    if let Some(missing) = ["partition", "offset"].into_iter().find(|name| !table.has(name)) {
        return Err(TableError::Refused(format!("the table bronze has no column {missing}")));
    }
    let mut parts: BTreeMap<i64, Part> = BTreeMap::new();
    table.rows(&["partition", "offset", "value"], &mut |row| {
        let [partition, offset, value] = row else { return };
        let (Some(id), Some(number)) = (partition.int(), offset.int()) else { return };
        let part = parts.entry(id).or_default();
        part.digest.put(salt.of(&[&text(partition), &text(offset), &text(value)]));
        part.offsets.insert(number);
        let (least, most) = part.ends.unwrap_or((number, number));
        part.ends = Some((least.min(number), most.max(number)));
    })?;
    let shown = parts.into_iter().map(|(id, part)| {
        let (min, max) = part.ends.unwrap_or_default();
        let Digest { count, sum, xor } = part.digest;
        (id.to_string(), json!({"rows": count, "offsets": part.offsets.len(), "min": min, "max": max, "sum": sum, "xor": xor}))
    });
    Ok(with(about("bronze", &table), vec![("partitions", Value::Object(shown.collect()))]))
}

/// What bronze holds of each partition, as `[from, to]`.
fn covered(folder: &Path) -> Result<Value, TableError> {
    let mut ends: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    with_columns(folder, "bronze", &["partition", "offset"])?.rows(&["partition", "offset"], &mut |row| {
        let [partition, offset] = row else { return };
        if let (Some(partition), Some(offset)) = (partition.int(), offset.int()) {
            let known = ends.entry(partition).or_insert((offset, offset));
            *known = (known.0.min(offset), known.1.max(offset));
        }
    })?;
    Ok(Value::Object(ends.into_iter().map(|(id, (min, max))| (id.to_string(), json!([min, max.saturating_add(1)]))).collect()))
}

fn silver(folder: &Path, salt: &Salt) -> Result<Value, TableError> {
    let wanted = ["event_id", "event_time", "arrived_at", "hour_of_day", "day_of_week", "category", "brand", "device_type", "country"];
    let table = with_columns(folder, "silver", &wanted)?;
    let [mut on_time, mut late, mut derived, mut nested, mut refused] = [Digest::default(); 5];
    table.rows(&wanted, &mut |row| {
        let [id, happened, arrived, hour, day, category, brand, device, country] = row else { return };
        let id = text(id);
        if is_late(happened, arrived) {
            late.put(salt.one(&id));
            return;
        }
        on_time.put(salt.one(&id));
        derived.put(salt.of(&[&id, &or_null(hour), &or_null(day)]));
        nested.put(salt.of(&[&id, &or_null(category), &or_null(brand), &or_null(device), &or_null(country)]));
    })?;
    with_columns(folder, "quarantine", &["value"])?
        .rows(&["value"], &mut |row| row.iter().for_each(|value| refused.put(salt.one(&text(value)))))?;
    let digests = vec![
        ("offsets", covered(folder)?),
        ("on_time", json!(on_time)),
        ("late", json!(late)),
        ("derived", json!(derived)),
        ("nested", json!(nested)),
        ("quarantine", json!(refused)),
    ];
    Ok(with(about("silver", &table), digests))
}

fn gold(folder: &Path) -> Result<Value, TableError> {
    let wanted = ["window_start", "country", "payments", "average_usd", "high_risk", "spike"];
    let table = with_columns(folder, "gold", &wanted)?;
    let mut rows = Vec::new();
    table.rows(&wanted, &mut |row| {
        let [start, country, payments, average, high, spike] = row else { return };
        let country = country.text().map(|text| String::from_utf8_lossy(&text).into_owned());
        let count = |cell: &Cell| cell.int().unwrap_or_default();
        let (start, payments) = (at(start), count(payments));
        let shown = json!([start.map(minute_of), country, payments, average.real(), count(high), spike.bool()]);
        rows.push((start.map(Reverse), country, Reverse(payments), shown));
    })?;
    rows.sort_by(|a, b| (a.0, &a.1, a.2).cmp(&(b.0, &b.1, b.2)));
    let windows: Vec<Value> = rows.into_iter().take(ROWS_MAX).map(|(.., shown)| shown).collect();
    let checkpoint = QueryCheckpoint::open(&folder.join("_ckpt").join("gold"))?;
    let offsets = read(&checkpoint).as_object().and_then(|topics| topics.values().next().cloned()).unwrap_or_else(|| json!({}));
    Ok(with(about("gold", &table), vec![("offsets", offsets), ("windows", json!(windows))]))
}

/// What a query read, by topic.
fn read(checkpoint: &QueryCheckpoint) -> Value {
    let partitions = |of: &BTreeMap<i32, (i64, i64)>| -> Value {
        Value::Object(of.iter().map(|(id, (from, to))| (id.to_string(), json!([from, to]))).collect())
    };
    Value::Object(checkpoint.read.iter().map(|(topic, of)| (topic.clone(), partitions(of))).collect())
}

fn joined(folder: &Path, salt: &Salt) -> Result<Value, TableError> {
    let wanted = ["order_id", "transaction_id", "purchased_at", "purchase_arrived_at", "paid_at", "payment_arrived_at"];
    let table = with_columns(folder, "joined", &wanted)?;
    let (mut on_time, mut late, mut unmatched) = (Digest::default(), Vec::new(), Vec::new());
    table.rows(&wanted, &mut |row| {
        let [order, transaction, purchased, purchase_arrived, paid, payment_arrived] = row else { return };
        if transaction.is_null() {
            unmatched.push(salt.one(&text(order)));
            return;
        }
        let crc = salt.of(&[&text(order), &text(transaction)]);
        if is_late(purchased, purchase_arrived) || is_late(paid, payment_arrived) {
            late.push(crc);
        } else {
            on_time.put(crc);
        }
    })?;
    let checkpoint = QueryCheckpoint::open(&folder.join("_ckpt").join("joined"))?;
    let watermark = (checkpoint.watermark_ms > 0).then(|| minute_of(Timestamp(checkpoint.watermark_ms)));
    let fields = vec![
        ("offsets", read(&checkpoint)),
        ("on_time", json!(on_time)),
        ("late", json!(late)),
        ("unmatched", json!(unmatched)),
        ("watermark", json!(watermark)),
    ];
    Ok(with(about("joined", &table), fields))
}
