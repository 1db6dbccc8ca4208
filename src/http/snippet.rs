//! The first program a student runs.

use crate::config::Address;

/// The topic that the first program reads.
pub const FIRST_TOPIC: &str = "ecommerce-events";

/// Ten lines of Python that print ten records and end. They can be pasted into a file, a notebook or the Python prompt:
/// no block is followed by a statement without an empty line between. Nothing is committed, so it works every time.
pub fn python_snippet(bootstrap: &Address) -> String {
    format!(
        r#"from confluent_kafka import Consumer  # pip install confluent-kafka
consumer = Consumer({{
    "bootstrap.servers": "{bootstrap}", "group.id": "first-look",
    "auto.offset.reset": "earliest", "enable.auto.commit": False,
}})
consumer.subscribe(["{FIRST_TOPIC}"])
for event in consumer.consume(10, timeout=10):
    print(event.error() or str(event.value() or b"", "utf-8", "replace"))

consumer.close()
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_program_is_ten_lines() {
        let snippet = python_snippet(&Address { host: "127.0.0.1".into(), port: 9092 });
        assert_eq!(snippet.lines().count(), 10);
        assert!(snippet.contains("\"bootstrap.servers\": \"127.0.0.1:9092\""));
    }
}
