//! Tables that Spark 4.2 with Delta 4.4 wrote (`spark_tables/make.py`) are read without it, and give the receipts that Spark SQL gave.

use std::fs;
use std::path::{Path, PathBuf};

use headwater::tables::{Cell, Table};
use headwater::workshop::truth::receipt_of;
use serde_json::{Value, json};

fn warehouse() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spark_tables/warehouse")
}

fn by_spark() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spark_tables/receipts.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Rows have no order, nor have these lists.
fn sorted(mut receipt: Value) -> Value {
    for name in ["late", "unmatched", "windows"] {
        if let Some(list) = receipt.get_mut(name).and_then(Value::as_array_mut) {
            list.sort_by_key(Value::to_string);
        }
    }
    receipt
}

#[test]
fn receipts_from_files_are_those_of_spark() {
    let by_spark = by_spark();
    for kind in ["bronze", "silver", "fraud-windows", "payment-join"] {
        let mut ours = receipt_of(&warehouse(), kind, "n-spark").unwrap();
        if let Some(watermark) = ours.as_object_mut().unwrap().remove("watermark") {
            assert_eq!(watermark, "2026-01-05T10:15Z");
        }
        assert_eq!(sorted(ours), sorted(by_spark[kind].clone()), "{kind}");
    }
    let another = receipt_of(&warehouse(), "bronze", "n-other").unwrap();
    assert_ne!(another["partitions"], by_spark["bronze"]["partitions"]);
}

#[test]
fn a_table_is_also_found_in_its_own_folder_and_what_is_missing_is_named() {
    let named = receipt_of(&warehouse(), "bronze", "n-spark").unwrap();
    assert_eq!(receipt_of(&warehouse().join("bronze"), "bronze", "n-spark").unwrap(), named);
    let error = |path: &Path, kind: &str| receipt_of(path, kind, "n").unwrap_err();
    assert!(error(&warehouse().join("gold"), "bronze").contains("no column partition"));
    assert!(error(&warehouse().join("bronze"), "silver").contains("no table silver"));
    assert!(error(&warehouse().join("nowhere"), "bronze").contains("nowhere"));
    assert!(error(&warehouse(), "first-records").contains("first-records"));
    let empty = tempfile::tempdir().unwrap();
    assert!(error(empty.path(), "bronze").contains("no Delta table"));
}

#[test]
fn a_log_that_lacks_a_version_is_refused_and_one_that_begins_with_a_checkpoint_is_not() {
    let copy = tempfile::tempdir().unwrap();
    copy_all(&warehouse().join("bronze"), copy.path());
    let whole = receipt_of(copy.path(), "bronze", "n").unwrap();
    let log = copy.path().join("_delta_log");
    for version in 0..3 {
        fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let later = receipt_of(copy.path(), "bronze", "n").unwrap();
    assert_eq!(later["partitions"], whole["partitions"]);
    assert_eq!(later["versions"].as_array().unwrap().len(), 3);
    fs::remove_file(log.join(format!("{:020}.checkpoint.parquet", 3))).unwrap();
    assert!(receipt_of(copy.path(), "bronze", "n").unwrap_err().contains("missing"));
}

#[test]
fn damaged_files_are_errors_that_name_them() {
    let copy = tempfile::tempdir().unwrap();
    copy_all(&warehouse().join("bronze"), copy.path());
    let part = fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_file()).unwrap();
    let bytes = fs::read(&part).unwrap();
    for end in [0, 7, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&part, &bytes[..end]).unwrap();
        assert!(receipt_of(copy.path(), "bronze", "n").unwrap_err().contains("parquet"), "{end}");
    }
    fs::remove_file(&part).unwrap();
    assert!(receipt_of(copy.path(), "bronze", "n").unwrap_err().contains("cannot be read"));
}

#[test]
fn lines_of_json_and_plain_parquet_give_the_same_digests() {
    let table = Table::open(&warehouse().join("bronze")).unwrap();
    let (lines, parquet) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut text = String::new();
    table
        .rows(&["partition", "offset", "value"], &mut |row| {
            let [Cell::Int(partition), Cell::Int(offset), Cell::Text(value)] = row else { panic!("{row:?}") };
            let value = String::from_utf8(value.clone()).unwrap();
            text.push_str(&format!("{}\n", json!({"partition": partition, "offset": offset, "value": value})));
        })
        .unwrap();
    fs::write(lines.path().join("part-0.json"), text).unwrap();
    for entry in fs::read_dir(warehouse().join("bronze")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() {
            fs::copy(&entry, parquet.path().join(entry.file_name().unwrap())).unwrap();
        }
    }
    let delta = receipt_of(&warehouse(), "bronze", "n").unwrap();
    for folder in [&lines, &parquet] {
        let receipt = receipt_of(folder.path(), "bronze", "n").unwrap();
        assert_eq!(receipt["partitions"], delta["partitions"]);
        assert_eq!(receipt["versions"], json!([]));
    }
    assert_eq!(receipt_of(parquet.path(), "bronze", "n").unwrap()["schema"], delta["schema"]);
    assert_eq!(receipt_of(lines.path(), "bronze", "n").unwrap()["schema"][0], "offset:any");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() { copy_all(&entry, &target) } else { fs::copy(&entry, &target).map(drop).unwrap() }
    }
}
