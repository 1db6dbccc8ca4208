#![no_main]

#[path = "../bodies/request_roundtrip.rs"]
mod body;
#[path = "../../tests/golden/codec.rs"]
mod codec;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
