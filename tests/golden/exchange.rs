//! Reads the golden files beside it: what clients and a real Apache Kafka said to each other, frame by frame.
//!
//! A file per API key, three lines per exchange: `v<version> <client>`, `> <request>`, `< <answer>`, both in hex and without
//! their size field. A request that has no answer (acks=0) has no third line.

use bytes::Bytes;

#[allow(dead_code, reason = "each test uses its part")]
pub struct Exchange {
    pub key: i16,
    pub version: i16,
    pub client: String,
    /// The request's frame: header and body.
    pub request: Bytes,
    /// The answer's frame, from the correlation id on.
    pub answer: Option<Bytes>,
}

#[allow(dead_code, reason = "each test uses its part")]
impl Exchange {
    pub fn name(&self) -> String {
        format!("key {} v{} {}", self.key, self.version, self.client)
    }
}

/// All exchanges, by key and version.
pub fn exchanges() -> Vec<Exchange> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(folder).expect(folder).map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().flat_map(|path| parse(&std::fs::read_to_string(path).expect("golden file"))).collect()
}

fn parse(text: &str) -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut heading = ("", "");
    for line in text.lines() {
        let (mark, rest) = line.split_at(1);
        match mark {
            "v" => heading = rest.split_once(' ').expect("version and client"),
            ">" => {
                let request = unhex(rest);
                let key = i16::from_be_bytes([request[0], request[1]]);
                let version = heading.0.parse().expect("version");
                found.push(Exchange { key, version, client: heading.1.into(), request, answer: None });
            }
            "<" => found.last_mut().expect("a request first").answer = Some(unhex(rest)),
            other => panic!("a line begins with {other}"),
        }
    }
    found
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u32> = text.trim().chars().map(|c| c.to_digit(16).expect("hex")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("byte")).collect()
}
