//! What the guard lets through, the codec reads whole: over bodies made from the request table and over damaged golden requests.

#[path = "golden/codec.rs"]
mod codec;
#[path = "golden/exchange.rs"]
mod exchange;

use bytes::Bytes;
use codec::codec;
use headwater::wire::guard;
use headwater::wire::request::RequestHeader;
use headwater::wire::schema::{Api, Field, Kind};
use headwater::wire::schema_table::APIS;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bodies of one version of one request.
struct Maker<'a> {
    random: &'a mut ChaCha8Rng,
    api: &'static Api,
    version: i16,
    out: Vec<u8>,
}

impl Maker<'_> {
    fn fields(&mut self, fields: &'static [Field]) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.is_in(version)) {
            let null = field.is_nullable_in(self.version) && self.random.random_ratio(1, 4);
            self.value(field.kind, field.is_nullable_in(self.version), null);
        }
        if self.api.is_flexible(self.version) {
            self.tags(fields);
        }
    }

    fn tags(&mut self, fields: &'static [Field]) {
        let mut known: Vec<&Field> = fields.iter().filter(|field| field.tag.is_some() && field.is_in(self.version)).collect();
        known.sort_by_key(|field| field.tag);
        known.retain(|_| self.random.random());
        let unknown = self.random.random_range(0..3_u32);
        self.varint(known.len() as u32 + unknown);
        for field in known {
            let outer = std::mem::take(&mut self.out);
            self.value(field.kind, field.is_nullable_in(self.version), false);
            let content = std::mem::replace(&mut self.out, outer);
            self.varint(field.tag.expect("a tag"));
            self.varint(content.len() as u32);
            self.out.extend(content);
        }
        for tag in 0..unknown {
            self.varint(100 + 1000 * tag);
            let size = self.random.random_range(0..200);
            self.varint(size);
            self.noise(size as usize);
        }
    }

    fn value(&mut self, kind: Kind, nullable: bool, null: bool) {
        match kind {
            Kind::Boolean => self.out.push(self.random.random_range(0..2)),
            Kind::Int8 => self.noise(1),
            Kind::Int16 => self.noise(2),
            Kind::Int32 => self.noise(4),
            Kind::Int64 => self.noise(8),
            Kind::Float64 => self.out.extend(self.random.random::<f64>().to_be_bytes()),
            Kind::Uuid => self.noise(16),
            Kind::Struct(fields) => {
                if nullable {
                    self.out.push(if null { 0xff } else { 1 });
                }
                if !null {
                    self.fields(fields);
                }
            }
            _ if null => self.length(kind, None),
            Kind::Str => {
                let length = self.random.random_range(1..200);
                self.length(kind, Some(length));
                for _ in 0..length {
                    self.out.push(self.random.random_range(b' '..=b'~'));
                }
            }
            Kind::Bytes => {
                let length = self.random.random_range(0..300);
                self.length(kind, Some(length));
                self.noise(length);
            }
            Kind::StructArray(fields) => {
                let length = self.random.random_range(0..4);
                self.length(kind, Some(length));
                (0..length).for_each(|_| self.fields(fields));
            }
            Kind::Array(element) => {
                let length = self.random.random_range(0..140);
                self.length(kind, Some(length));
                (0..length).for_each(|_| self.value(*element, false, false));
            }
        }
    }

    fn length(&mut self, kind: Kind, length: Option<usize>) {
        if self.api.is_flexible(self.version) {
            self.varint(length.map_or(0, |length| length as u32 + 1));
        } else if matches!(kind, Kind::Str) {
            self.out.extend(length.map_or(-1, |length| length as i16).to_be_bytes());
        } else {
            self.out.extend(length.map_or(-1, |length| length as i32).to_be_bytes());
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn noise(&mut self, length: usize) {
        let start = self.out.len();
        self.out.resize(start + length, 0);
        self.random.fill_bytes(&mut self.out[start..]);
    }
}

#[test]
fn random_bodies_of_every_version_are_read_whole_and_written_back() {
    let mut random = ChaCha8Rng::seed_from_u64(20261);
    for api in APIS {
        for version in api.version_min..=api.version_max {
            for round in 0..30 {
                let mut maker = Maker { random: &mut random, api, version, out: Vec::new() };
                maker.fields(api.fields);
                let body = Bytes::from(maker.out);
                let name = format!("{} v{version} round {round}", api.name);
                let checked = guard::check(api.key, version, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(checked.body, body, "{name}");
                assert_eq!((codec(api.key).unguarded)(version, &body), Ok(0), "{name}");
                let again = (codec(api.key).request)(version, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(again, body, "{name}");
            }
        }
    }
}

#[test]
fn every_damaged_body_that_passes_the_guard_is_read_whole() {
    let mut random = ChaCha8Rng::seed_from_u64(20262);
    let (mut passed, mut refused) = (0, 0);
    for exchange in exchange::exchanges() {
        let (_, body) = RequestHeader::split(&exchange.request).expect("a golden request");
        for _ in 0..400 {
            let mut damaged = body.to_vec();
            for _ in 0..random.random_range(1..4) {
                let Some(last) = damaged.len().checked_sub(1) else { break };
                let at = random.random_range(0..=last);
                damaged[at] = match random.random_range(0..4) {
                    0 => 0xff,
                    1 => damaged[at].wrapping_add(1),
                    2 => damaged[at] ^ (1 << random.random_range(0..8)),
                    _ => random.random(),
                };
            }
            match guard::check(exchange.key, exchange.version, &Bytes::from(damaged.clone())) {
                Ok(checked) => {
                    let left = (codec(exchange.key).unguarded)(exchange.version, &checked.body);
                    assert_eq!(left, Ok(0), "{}: {damaged:02x?}", exchange.name());
                    passed += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(passed > 1000 && refused > 1000, "{passed} passed, {refused} refused");
}
