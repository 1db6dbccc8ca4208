//! The fuzz targets without a fuzzer: everything that is kept in `fuzz/seeds`, and changes of it by chance.

#[path = "golden/codec.rs"]
mod codec;
#[path = "golden/exchange.rs"]
mod exchange;
#[path = "../fuzz/bodies/frame_stream.rs"]
mod frame_stream;
#[path = "../fuzz/bodies/group_machine.rs"]
mod group_machine;
#[allow(unused_imports, dead_code, reason = "its tests run elsewhere")]
#[path = "log_model.rs"]
mod log_model;
#[path = "../fuzz/bodies/log_ops.rs"]
mod log_ops;
#[path = "../fuzz/bodies/log_recover.rs"]
mod log_recover;
#[path = "../fuzz/bodies/record_batch.rs"]
mod record_batch;
#[path = "../fuzz/bodies/request_decode.rs"]
mod request_decode;
#[path = "../fuzz/bodies/request_roundtrip.rs"]
mod request_roundtrip;
#[path = "../fuzz/bodies/sasl_machine.rs"]
mod sasl_machine;

use std::path::PathBuf;

use headwater::model::{BatchBuilder, Codec, NewRecord, ProducerEpoch, ProducerId, Timestamp};
use headwater::wire::request::RequestHeader;
use headwater::wire::schema_table::APIS;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const RANDOM: usize = 1_500;
const LENGTH_MAX: usize = 1_000;

fn seeds_file(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "seeds", &format!("{target}.hex")].iter().collect()
}

/// One input a line, in hex.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(seeds_file(target)).expect("seeds");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// A few bytes changed, moved, taken out or put in.
fn changed(seed: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..5) {
            0 if at < input.len() => input[at] = random.random(),
            1 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            2 => input.truncate(at.max(1)),
            3 => input.insert(at, [0, 1, 127, 128, 255][random.random_range(0..5)]),
            _ => {
                let mut noise = vec![0; random.random_range(0..64)];
                random.fill_bytes(&mut noise);
                input.splice(at..at, noise);
            }
        }
    }
    input.truncate(LENGTH_MAX.max(seed.len()));
    input
}

fn replay(target: &str, run: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 10, "{target} has hardly any seeds");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let told = |input: &[u8]| {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        std::panic::catch_unwind(|| run(input)).unwrap_or_else(|_| panic!("{target}: {hex}"));
    };
    seeds.iter().for_each(|seed| told(seed));
    for number in 0..RANDOM {
        told(&changed(&seeds[number % seeds.len()], &mut random));
    }
}

#[test]
fn frame_stream_holds() {
    replay("frame_stream", frame_stream::run);
}

#[test]
fn request_decode_holds() {
    replay("request_decode", request_decode::run);
}

#[test]
fn request_roundtrip_holds() {
    replay("request_roundtrip", request_roundtrip::run);
}

#[test]
fn record_batch_holds() {
    replay("record_batch", record_batch::run);
}

#[test]
fn log_recover_holds() {
    replay("log_recover", log_recover::run);
}

#[test]
fn log_ops_holds() {
    replay("log_ops", log_ops::run);
}

#[test]
fn group_machine_holds() {
    replay("group_machine", group_machine::run);
}

#[test]
fn sasl_machine_holds() {
    replay("sasl_machine", sasl_machine::run);
}

/// Where a fuzzer starts when it has found nothing yet: the golden requests, batches of every codec, throws of the dice.
fn first_seeds(target: &str) -> Vec<Vec<u8>> {
    let requests = || exchange::exchanges().into_iter().map(|exchange| exchange.request);
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut noise = |length: usize| {
        let mut bytes = vec![0; length];
        random.fill_bytes(&mut bytes);
        bytes
    };
    match target {
        "frame_stream" => requests().map(|r| [&[7][..], &u32::try_from(r.len()).unwrap().to_be_bytes(), &r].concat()).collect(),
        "request_decode" => requests().map(|request| request.to_vec()).collect(),
        "request_roundtrip" => requests()
            .filter_map(|request| {
                let (header, body) = RequestHeader::split(&request).ok()?;
                let row = APIS.iter().position(|api| api.key == header.api_key)?;
                let version = header.api_version.checked_sub(APIS[row].version_min)?;
                Some([&[u8::try_from(row).unwrap(), u8::try_from(version).ok()?][..], &body].concat())
            })
            .collect(),
        "record_batch" => [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
            .into_iter()
            .flat_map(|codec| {
                (0..3_i32).map(move |n| {
                    let mut batch = BatchBuilder::new(codec).producer(ProducerId(7), ProducerEpoch(0), n);
                    for value in 0..=n {
                        let headers = [(&b"h"[..], Some(&b"x"[..]))];
                        let headers = if n == 2 { &headers[..] } else { &[] };
                        let value = [7, u8::try_from(value).unwrap()];
                        batch.append(NewRecord { timestamp: Timestamp(5), key: Some(b"k"), value: Some(&value), headers });
                    }
                    [&[1 + 8 * u8::try_from(n).unwrap()][..], &batch.build().unwrap().to_bytes()].concat()
                })
            })
            .collect(),
        "log_recover" => (0..24_u8)
            .map(|n| {
                let mut input = vec![n, n % 8];
                for file in [n % 9, 8] {
                    let bytes = noise(usize::from(n) * 3);
                    input.push(file);
                    input.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
                    input.extend_from_slice(&bytes);
                }
                input
            })
            .collect(),
        "sasl_machine" => {
            let right = [&b"n,,n=ada,r=abc"[..], b"c=biws,r=\x01,p=\x02"];
            let other = [&b"n,a=eve,n=ada,r=abc"[..], b"c=bixhPWV2ZSw=,r=\x01,p=\x02"];
            let named = [&b"y,a=ada,n=ada,r=abc,x=y"[..], b"c=eSxhPWFkYSw=,r=\x01,x=y,p=\x02"];
            let plain = [&b"\0ada\0lovelace"[..], b"ada\0ada\0lovelace", b"\0ada\0", b"eve\0ada\0lovelace"];
            let input = |mechanism: u8, messages: &[&[u8]]| {
                let framed = messages.iter().flat_map(|m| [&u16::try_from(m.len()).unwrap().to_be_bytes()[..], m].concat());
                std::iter::once(mechanism).chain(framed).collect::<Vec<u8>>()
            };
            let scram = [&right, &other, &named].into_iter().flat_map(|said| [input(0, said), input(1, said)]);
            scram
                .chain(plain.iter().map(|said| input(2, &[said])))
                .chain([input(0, &[right[0], b"c=biws,r=\x01,p=AAAA", right[1]])])
                .collect()
        }
        _ => (0..16).map(|n| noise(40 + 20 * n)).collect(),
    }
}

#[test]
#[ignore = "writes fuzz/seeds where there are none"]
fn write_first_seeds() {
    for target in
        ["frame_stream", "request_decode", "request_roundtrip", "record_batch", "log_recover", "log_ops", "group_machine", "sasl_machine"]
    {
        if seeds_file(target).exists() {
            continue;
        }
        let hex = |input: &Vec<u8>| input.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        std::fs::create_dir_all(seeds_file(target).parent().unwrap()).unwrap();
        std::fs::write(seeds_file(target), first_seeds(target).iter().map(hex).collect::<String>()).unwrap();
    }
}
