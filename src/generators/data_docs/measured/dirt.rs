use std::collections::HashMap;

use super::{Row, Told};
use crate::generators::dirt::{LATENESS, OUT_OF_ORDER};
use crate::generators::schema::{STREAMS, StreamId};
use crate::generators::{ecommerce, social};

/// No network takes as long.
const NETWORK_S: f64 = 1.0;

#[derive(Default)]
pub struct DirtSeen {
    streams: HashMap<usize, Seen>,
}

#[derive(Default)]
struct Seen {
    events: f64,
    copies: f64,
    late: [f64; 3],
    out_of_order: f64,
    testers: f64,
    bots: f64,
    faults: HashMap<String, f64>,
}

impl DirtSeen {
    pub fn add(&mut self, told: &Told, first: bool) {
        let seen = self.streams.entry(told.event.stream.0).or_default();
        if !first {
            seen.copies += 1.0;
            return;
        }
        seen.events += 1.0;
        let delay = (told.arrived_ms() - told.happened_ms()) as f64 / 1000.0;
        for (class, (from, to)) in LATENESS.into_iter().enumerate() {
            seen.late[class] += f64::from((from..to + NETWORK_S).contains(&delay));
        }
        seen.out_of_order += f64::from((OUT_OF_ORDER.0..OUT_OF_ORDER.1 + NETWORK_S).contains(&delay));
        seen.testers += f64::from(told.value()["is_test"] == true || told.event.key.starts_with(b"test-"));
        seen.bots += f64::from(told.value()["is_bot"] == true);
        if let Some(fault) = told.noted("fault") {
            *seen.faults.entry(fault.to_owned()).or_default() += 1.0;
        }
    }

    pub fn rows(self) -> Vec<Row> {
        let mut rows = Vec::new();
        for stream in STREAMS {
            let seen = &self.streams[&stream.id.0];
            let mut row = |what: &str, stated: f64, count: f64| {
                if stated > 0.0 {
                    let tolerance = 4.0 * (stated / seen.events).sqrt() + 0.03 * stated;
                    rows.push(Row::share(format!("{}: {what}", stream.topic), stated, tolerance, count / seen.events));
                }
            };
            row("sent twice", stream.dirt.duplicates, seen.copies);
            row("out of order", stream.dirt.out_of_order, seen.out_of_order);
            for (class, name) in ["late, 1 to 5 min", "late, 10 to 30 min", "late, 60 to 90 min"].into_iter().enumerate() {
                row(name, stream.dirt.late[class], seen.late[class]);
            }
            for fault in stream.dirt.faults {
                row(fault.name, fault.rate, seen.faults.get(fault.name).copied().unwrap_or(0.0));
            }
            // Tests come in visits of a dozen events.
            let (testers, bots) = (seen.testers / seen.events, seen.bots / seen.events);
            match stream.id {
                StreamId::ECOMMERCE => rows.push(Row::share(format!("{}: of testers", stream.topic), ecommerce::TESTS, 0.001, testers)),
                StreamId::SOCIAL => rows.push(Row::share(format!("{}: of bots", stream.topic), social::BOTS, 0.0005, bots)),
                _ => {}
            }
        }
        rows
    }
}
