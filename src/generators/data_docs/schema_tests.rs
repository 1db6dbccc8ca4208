//! The JSON Schemas: committed as made, kept by every clean record, broken by damage.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{HOUR_MS, SEED, keep, told};
use crate::generators::dirt::DirtLevel;
use crate::generators::draft::Serial;
use crate::generators::json_schema::json_schema;
use crate::generators::schema::STREAMS;

fn validators() -> Vec<jsonschema::Validator> {
    let compile = |topic: &str| {
        let schema: Value = serde_json::from_str(&json_schema(topic).unwrap()).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{schema}");
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    };
    STREAMS.iter().map(|stream| compile(stream.topic)).collect()
}

#[test]
fn the_committed_schemas_are_what_the_tables_say() {
    for stream in STREAMS {
        keep(&format!("schemas/{}.schema.json", stream.topic), &json_schema(stream.topic).unwrap());
    }
    assert_eq!(json_schema("_truth"), None);
}

#[test]
fn three_hours_of_clean_records_fit_their_schemas() {
    let validators = validators();
    let mut fitting = vec![0; STREAMS.len()];
    for told in told(SEED, DirtLevel::None, 0, 3 * HOUR_MS) {
        let stream = told.event.stream.0;
        if let Err(error) = validators[stream].validate(told.value()) {
            panic!("{error} at {}: {}", error.instance_path(), told.value());
        }
        fitting[stream] += 1;
    }
    println!("{fitting:?}");
    assert!(fitting.iter().all(|&count| count > 1_000), "{fitting:?}");
}

#[test]
fn the_next_version_of_a_record_fits_too() {
    let validators = validators();
    let mut versions = BTreeMap::new();
    for told in told(SEED, DirtLevel::None, 0, 60_000) {
        let (stream, serial) = (&STREAMS[told.event.stream.0], Serial(told.arrived_ms() as u64));
        let mut drifted = told.event.value.to_vec();
        stream.drift.apply(&mut drifted, serial);
        let drifted: Value = serde_json::from_slice(&drifted).unwrap();
        assert!(drifted.get(stream.drift.field.name).is_some() && drifted["schema_version"] == 2, "{drifted}");
        assert!(validators[stream.id.0].is_valid(&drifted), "{drifted}");
        *versions.entry(stream.topic).or_insert(0) += 1;
    }
    assert_eq!(versions.len(), STREAMS.len());
}

/// What is JSON and fits, though it is damaged: a time ahead is still a time.
const FITS: &str = "future-timestamp";

#[test]
fn damage_does_not_fit_and_everything_else_does() {
    let validators = validators();
    let mut refused: BTreeMap<(usize, String), (usize, usize)> = BTreeMap::new();
    let mut unnoted_copies = std::collections::HashMap::new();
    for told in told(SEED, DirtLevel::Heavy, HOUR_MS, 2 * HOUR_MS) {
        let stream = told.event.stream.0;
        let fits = told.value.as_ref().is_some_and(|value| validators[stream].is_valid(value));
        let id = told.event.value[13..39].to_vec();
        // A second copy has no note of its own.
        let fault = told.noted("fault").map(str::to_owned).or_else(|| unnoted_copies.get(&id).cloned());
        if let Some(fault) = fault {
            let count = refused.entry((stream, fault.clone())).or_default();
            count.0 += usize::from(!fits);
            count.1 += 1;
            unnoted_copies.insert(id, fault);
        } else {
            // Of a copy whose first came before this hour nothing is known.
            assert!(fits || told.arrived_ms() < HOUR_MS + 30_000, "{:?}", told.event);
        }
    }
    for ((stream, fault), (out, of)) in &refused {
        println!("{} {fault}: {out} of {of} refused", STREAMS[*stream].topic);
        assert_eq!(*out, if fault == FITS { 0 } else { *of }, "{fault}");
    }
    assert_eq!(refused.len(), STREAMS.iter().map(|stream| stream.dirt.faults.len()).sum::<usize>());
}
