#![no_main]

#[path = "../bodies/record_batch.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
