//! Operations on a log in memory, power cuts among them, against a `Vec`: each byte is a throw of the dice of `tests/log_model.rs`.

pub fn run(input: &[u8]) {
    super::log_model::play(input.to_vec());
}
