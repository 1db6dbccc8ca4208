//! What a notebook computes, in the plainest way, and with nothing of the program's own.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use headwater::cluster::StoredRecord;

use super::town::Town;

/// The checksum that zlib, Spark and the program have, bit by bit with a table.
pub fn crc32(text: &[u8]) -> u32 {
    static TABLE: std::sync::LazyLock<[u32; 256]> = std::sync::LazyLock::new(|| {
        std::array::from_fn(|byte| (0..8).fold(byte as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }))
    });
    !text.iter().fold(!0_u32, |crc, byte| crc >> 8 ^ TABLE[(crc as u8 ^ byte) as usize])
}

/// `count`, `sum` and `xor` of the checksums.
pub fn digest<T: AsRef<[u8]>>(nonce: &str, ids: impl IntoIterator<Item = T>) -> Value {
    let crcs: Vec<u32> = ids.into_iter().map(|id| crc32(&[nonce.as_bytes(), b"|", id.as_ref()].concat())).collect();
    let sum: u64 = crcs.iter().map(|crc| u64::from(*crc)).sum();
    let xor = if crcs.is_empty() { Value::Null } else { json!(crcs.iter().fold(0, |all, crc| all ^ crc)) };
    json!({"count": crcs.len(), "sum": sum, "xor": xor})
}

/// Milliseconds of `2026-01-05T00:10:00.123Z`, in the year of the towns.
pub fn millis(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    assert_eq!(&text[..7], "2026-01", "{text}");
    let days = 20_454 + number(8, 10) - 1;
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60_000 + number(17, 19) * 1_000 + number(20, 23)
}

/// Records with their values, where these are objects.
pub type Read = [(StoredRecord, Option<Value>)];

/// From the beginning to the end, by partition.
pub fn offsets(town: &Town, topic: &str) -> Value {
    let each = town.partitions(topic).iter().enumerate().map(|(id, lane)| (id.to_string(), json!([0, lane.len()])));
    Value::Object(each.collect())
}

pub fn columns(of: &[(&str, &str)]) -> Vec<String> {
    of.iter().map(|(name, kind)| format!("{name}:{kind}")).collect()
}

/// A row of bronze: partition, offset and value.
pub type BronzeRow = (i32, i64, Vec<u8>);

pub fn bronze_rows(town: &Town, topic: &str) -> Vec<BronzeRow> {
    town.records(topic).map(|record| (record.partition.0, record.offset.0, record.value.clone().unwrap().to_vec())).collect()
}

pub fn bronze_receipt(nonce: &str, rows: &[BronzeRow], versions: Value) -> Value {
    let mut parts: BTreeMap<String, Vec<&BronzeRow>> = BTreeMap::new();
    rows.iter().for_each(|row| parts.entry(row.0.to_string()).or_default().push(row));
    let part = |rows: &Vec<&BronzeRow>| {
        let ids = rows.iter().map(|(partition, offset, value)| [format!("{partition}|{offset}|").as_bytes(), value].concat());
        let mut part = digest(nonce, ids);
        let offsets: BTreeSet<i64> = rows.iter().map(|row| row.1).collect();
        part["rows"] = json!(rows.len());
        part["offsets"] = json!(offsets.len());
        part["min"] = json!(offsets.first());
        part["max"] = json!(offsets.last());
        part
    };
    let parts: serde_json::Map<String, Value> = parts.iter().map(|(id, rows)| (id.clone(), part(rows))).collect();
    let schema = columns(&[
        ("key", "string"),
        ("value", "string"),
        ("topic", "string"),
        ("partition", "int"),
        ("offset", "bigint"),
        ("timestamp", "timestamp"),
        ("ingested_at", "timestamp"),
    ]);
    json!({"ticket": nonce, "table": "bronze", "schema": schema, "partitions": parts, "versions": versions})
}

/// A row of silver.
#[derive(Clone, Debug)]
pub struct SilverRow {
    pub id: String,
    pub happened: i64,
    pub arrived: i64,
    pub category: Option<String>,
    pub brand: Option<String>,
    pub device: Option<String>,
    pub country: Option<String>,
    pub hour: i64,
    pub day: i64,
    pub campaign: bool,
}

/// What a silver notebook does with events.
pub struct Silver {
    pub marked_tests: bool,
    pub account_tests: bool,
    pub dedup: bool,
    pub rules: Vec<&'static str>,
    /// Hours that the local time zone is ahead.
    pub zone: i64,
}

impl Default for Silver {
    fn default() -> Silver {
        let rules = vec!["user", "product", "type", "number", "positive", "future"];
        Silver { marked_tests: false, account_tests: false, dedup: true, rules, zone: 0 }
    }
}

impl Silver {
    pub fn without(rule: &str) -> Silver {
        let mut silver = Silver::default();
        silver.rules.retain(|other| *other != rule);
        silver
    }

    fn is_valid(&self, event: &Value, arrived: i64) -> bool {
        const TYPES: [&str; 6] = ["view", "search", "add_to_cart", "remove_from_cart", "checkout", "purchase"];
        let breaks = |rule: &&str| match *rule {
            "user" => event["user_id"].is_null(),
            "product" => event["product_id"].is_null(),
            "type" => !TYPES.contains(&event["event_type"].as_str().unwrap_or_default()),
            "number" => !event["price"].is_number(),
            "positive" => event["price"].as_f64().is_some_and(|price| price <= 0.0),
            _ => millis(event["timestamp"].as_str().unwrap()) > arrived + 300_000,
        };
        !self.rules.iter().any(breaks)
    }

    /// Rows of silver and values of the quarantine.
    pub fn run(&self, read: &Read) -> (Vec<SilverRow>, Vec<Vec<u8>>) {
        let (mut rows, mut quarantine, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for (record, event) in read {
            let value = record.value.clone().unwrap().to_vec();
            let arrived = record.timestamp.0;
            let Some(event) = event else {
                quarantine.push(value);
                continue;
            };
            let marked = event["is_test"] == json!(true);
            let account = event["user_id"].as_str().is_some_and(|user| user.starts_with("test-"));
            if !self.is_valid(event, arrived) {
                if !marked && !account {
                    quarantine.push(value);
                }
                continue;
            }
            let test = if marked { !self.marked_tests } else { account && !self.account_tests };
            if test || (self.dedup && !seen.insert(event["event_id"].as_str().unwrap().to_owned())) {
                continue;
            }
            let happened = millis(event["timestamp"].as_str().unwrap());
            let local = happened + self.zone * 3_600_000;
            let text = |value: &Value| value.as_str().map(str::to_owned);
            rows.push(SilverRow {
                id: event["event_id"].as_str().unwrap().to_owned(),
                happened,
                arrived,
                category: text(&event["product"]["category"]),
                brand: text(&event["product"]["brand"]),
                device: text(&event["context"]["device"]["type"]),
                country: text(&event["context"]["geo"]["country"]),
                hour: local / 3_600_000 % 24,
                // The first of January 1970 was the fifth day of a week that begins with Sunday.
                day: (local / 86_400_000 + 4) % 7 + 1,
                campaign: !event["context"]["campaign"].is_null(),
            });
        }
        (rows, quarantine)
    }
}

pub fn silver_receipt(town: &Town, rows: &[SilverRow], quarantine: &[Vec<u8>]) -> Value {
    let nonce = &town.nonce;
    let (late, on_time): (Vec<&SilverRow>, Vec<&SilverRow>) = rows.iter().partition(|row| row.arrived - row.happened >= 570_000);
    let or_null = |text: &Option<String>| text.clone().unwrap_or("null".to_owned());
    let nested = |row: &&SilverRow| {
        [row.id.clone(), or_null(&row.category), or_null(&row.brand), or_null(&row.device), or_null(&row.country)].join("|")
    };
    let schema = columns(&[
        ("event_id", "string"),
        ("user_id", "string"),
        ("event_type", "string"),
        ("product_id", "string"),
        ("price", "double"),
        ("quantity", "bigint"),
        ("event_time", "timestamp"),
        ("arrived_at", "timestamp"),
        ("category", "string"),
        ("brand", "string"),
        ("device_type", "string"),
        ("country", "string"),
        ("hour_of_day", "int"),
        ("day_of_week", "int"),
    ]);
    json!({
        "ticket": nonce,
        "table": "silver",
        "schema": schema,
        "offsets": offsets(town, super::town::SHOP),
        "on_time": digest(nonce, on_time.iter().map(|row| &row.id)),
        "late": digest(nonce, late.iter().map(|row| &row.id)),
        "derived": digest(nonce, on_time.iter().map(|row| format!("{}|{}|{}", row.id, row.hour, row.day))),
        "nested": digest(nonce, on_time.iter().map(nested)),
        "quarantine": digest(nonce, quarantine),
        "versions": [[0, 1, 0], [1, 1, 1]],
        "rejected": "[DELTA_METADATA_MISMATCH] A schema mismatch detected when writing to the Delta table",
    })
}
