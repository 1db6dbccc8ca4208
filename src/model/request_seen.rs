//! What a broker keeps of a client's request: a few facts, which become a sentence only when somebody asks.

use std::sync::Arc;

use super::Timestamp;

/// One request that was answered, or that ended its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSeen {
    /// Grows with each request of the process.
    pub id: u64,
    /// When it was answered.
    pub at: Timestamp,
    pub api_key: i16,
    pub version: i16,
    pub client: Arc<RequestClient>,
    /// From the request to its answer, waiting included.
    pub took_us: u32,
    pub bytes_in: u32,
    pub bytes_out: u32,
    pub facts: RequestFacts,
}

/// Who asks, the same for all requests of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestClient {
    pub client_id: String,
    /// Name and version as the client gave them, empty if it did not.
    pub software: String,
    pub listener: String,
    /// Address of the client.
    pub from: String,
}

/// What a request was about and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The topic or group, where it is one, or the first of several.
    pub about: Option<Arc<str>>,
    /// The first error code of the answer; 0 is none.
    pub error: i16,
    /// Topics, partitions, groups: what the answer has a list of.
    pub parts: u32,
    /// Written or handed out.
    pub records: u32,
    /// Of records.
    pub bytes: u32,
    /// How long the client was told to rest.
    pub throttled_ms: u32,
    /// An acks=0 write, a new producer id, a generation: what the key has one of.
    pub number: i32,
}

/// Letters of a name that are kept: a client chooses them.
const NAME_BYTES_MAX: usize = 255;

impl RequestFacts {
    /// Names what it is about, unless that is known.
    pub fn name(&mut self, name: &Arc<str>) {
        if self.about.is_none() {
            self.about = Some(if name.len() <= NAME_BYTES_MAX { Arc::clone(name) } else { cut(name) });
        }
    }

    pub fn name_text(&mut self, name: &str) {
        if self.about.is_none() {
            self.about = Some(cut(name));
        }
    }
}

fn cut(name: &str) -> Arc<str> {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    Arc::from(name.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_names_are_cut_where_a_letter_ends() {
        let mut facts = RequestFacts::default();
        facts.name(&Arc::from("ä".repeat(5_000)));
        assert_eq!(facts.about.as_deref().map(str::len), Some(254));
        facts.name_text("another");
        assert_eq!(facts.about.as_deref().map(str::len), Some(254), "the first one counts");
    }
}
