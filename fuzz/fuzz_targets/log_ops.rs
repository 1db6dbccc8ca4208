#![no_main]

#[path = "../bodies/log_ops.rs"]
mod body;
#[path = "../../tests/log_model.rs"]
mod log_model;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
