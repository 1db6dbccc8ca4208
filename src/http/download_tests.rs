//! Files of hostile records.

use super::*;
use crate::model::{Offset, PartitionId, Timestamp};

fn record(key: Option<&[u8]>, value: Option<&[u8]>) -> StoredRecord {
    StoredRecord {
        partition: PartitionId(0),
        offset: Offset(7),
        timestamp: Timestamp(1_795_428_000_000),
        key: key.map(Bytes::copy_from_slice),
        value: value.map(Bytes::copy_from_slice),
        headers: vec![("h".to_owned(), Some(Bytes::from_static(b"\xff"))), ("h".to_owned(), None)],
    }
}

fn rows(topic: &str, records: &[StoredRecord]) -> String {
    File::new(FileFormat::Csv, topic).piece(records, true)
}

#[test]
fn no_cell_of_a_table_is_a_formula() {
    for text in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "|x", "%x"] {
        assert!(cell(text).starts_with("\"'"), "{text:?}: {}", cell(text));
        let value = json!({ "a": text }).to_string();
        let table = rows("t", &[record(Some(text.as_bytes()), Some(value.as_bytes()))]);
        assert_eq!(table.matches("\"'").count(), 2, "{table}");
        let name = json!({ text: 1 }).to_string();
        assert!(
            rows("t", &[record(None, Some(name.as_bytes()))]).starts_with("partition,offset,timestamp,key,\"'"),
            "names of columns too"
        );
    }
    assert_eq!(value_cell(&json!(-5.5)), "-5.5");
    assert_eq!([cell("plain"), cell("a,b"), cell("say \"hi\"\n")], ["plain", "\"a,b\"", "\"say \"\"hi\"\"\n\""]);
}

#[test]
fn columns_are_the_fields_and_nothing_is_left_out() {
    let records = [
        record(Some(b"k"), Some(br#"{"b":1,"a":{"x":[1,2]}}"#)),
        record(None, Some(b"no json")),
        record(None, None),
        record(Some(b"\xff"), Some(b"\xfe")),
    ];
    let mut file = File::new(FileFormat::Csv, "t");
    let table = file.piece(&records, false);
    let time = "2026-11-23T10:00:00.000Z";
    let expected = [
        "partition,offset,timestamp,key,a,b,value,other_fields".to_owned(),
        format!("0,7,{time},k,\"{{\"\"x\"\":[1,2]}}\",1,,"),
        format!("0,7,{time},,,,no json,"),
        format!("0,7,{time},,,,,"),
        format!("0,7,{time},base64:/w==,,,base64:/g==,"),
    ];
    assert_eq!(table.split_terminator("\r\n").collect::<Vec<_>>(), expected);
    let later = file.piece(&[record(None, Some(br#"{"c":3,"b":2}"#))], true);
    assert_eq!(later, format!("0,7,{time},,,2,,\"{{\"\"c\"\":3}}\"\r\n"));
    let head = rows("iot-sensor-data", &[]);
    assert!(head.starts_with("partition,offset,timestamp,key,event_id,schema_version,device_id,"), "{head}");
}

#[test]
fn json_files_are_json_whatever_was_written() {
    let records = [
        record(Some(b"k\0\x1b"), Some(b" {\n \"n\" : 12345678901234567890.10, \"t\":\"a \\\" b\\\\\", \"n\":1 } ")),
        record(None, Some("{\"broken\": \u{2028}".as_bytes())),
        record(Some(b"\xff"), Some(&[b'['; 100_000])),
        record(None, None),
    ];
    let lines = File::new(FileFormat::Ndjson, "t").piece(&records, true);
    assert_eq!(lines.lines().count(), 4);
    let parsed: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.contains(r#"{"n":12345678901234567890.10,"t":"a \" b\\","n":1}"#), "{lines}");
    assert_eq!(
        (&parsed[0]["key"], &parsed[2]["key"], &parsed[3]["value"]),
        (&json!("k\0\u{1b}"), &json!({ "base64": "/w==" }), &Value::Null)
    );
    assert_eq!(parsed[0]["headers"], json!([{ "name": "h", "value": "base64:/w==" }, { "name": "h", "value": null }]));
    let mut file = File::new(FileFormat::Json, "t");
    let whole = [file.piece(&records[..2], false), file.piece(&[], false), file.piece(&records[2..], true)].concat();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&whole).unwrap(), parsed);
    assert_eq!(serde_json::from_str::<Vec<Value>>(&File::new(FileFormat::Json, "t").piece(&[], true)).unwrap().len(), 0);
}

fn student(user: &str) -> Caller {
    Caller { role: Role::Student, user: Some(user.to_owned()), identity: None }
}

#[test]
fn one_who_reads_slowly_keeps_nobody_else_from_a_file() {
    let downloads = Arc::new(Downloads::default());
    let mut open = Vec::new();
    while let Ok(place) = downloads.place(&student("slow")) {
        open.push(place);
        assert!(open.len() <= AT_ONCE_OF_ONE);
    }
    // A class that does the same.
    for n in 0..40 {
        open.push(downloads.place(&student(&format!("s{n}"))).unwrap_or_else(|refused| panic!("{n}: {}", refused.error)));
        open.extend(downloads.place(&student(&format!("s{n}"))));
    }
    assert!(open.len() < AT_ONCE);
    let again = downloads.place(&student("s39")).err().unwrap();
    assert_eq!((again.status, again.error.as_str()), (StatusCode::TOO_MANY_REQUESTS, "a file of yours is being made already"));
    (0..AT_ONCE).for_each(|n| open.extend(downloads.place(&student(&format!("t{n}")))));
    let full = downloads.place(&student("late")).err().unwrap();
    assert!(open.len() == AT_ONCE && full.status == StatusCode::SERVICE_UNAVAILABLE && full.retry_after.is_some());
    open.push(downloads.place(&Caller { role: Role::Instructor, user: Some("instructor".to_owned()), identity: None }).unwrap());
    drop(open);
    assert!(downloads.0.lock().unwrap().is_empty(), "nobody is remembered");
}

#[tokio::test]
async fn who_takes_nothing_is_dropped_and_who_takes_little_is_not() {
    let (within, later) = (Duration::from_millis(300), Instant::now() + Duration::from_secs(60));
    let piece = Bytes::from(vec![b'x'; TAKEN_BYTES * 6 + 1]);
    let (send, mut parts) = mpsc::channel(1);
    assert_eq!(hand_over(&send, piece.clone(), within, later).await, Err("nobody takes the file"));
    while parts.try_recv().is_ok() {}
    let taking = tokio::spawn(async move {
        let mut taken = 0;
        while let Some(part) = parts.recv().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
            taken += part.len();
        }
        taken
    });
    assert_eq!(hand_over(&send, piece.clone(), within, later).await, Ok(()));
    drop(send);
    assert_eq!(taking.await.unwrap(), piece.len());
    let (send, _parts) = mpsc::channel(1);
    assert_eq!(hand_over(&send, piece, within, Instant::now() + Duration::from_millis(50)).await, Err("the file took too long"));
}
