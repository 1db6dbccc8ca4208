//! Forged lengths and cut frames of every golden request, decoded in a child process: an abort cannot be caught in this one.

#[path = "golden/codec.rs"]
mod codec;
#[path = "golden/exchange.rs"]
mod exchange;
#[path = "golden/hostile.rs"]
mod hostile;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater::wire::request::RequestHeader;

const SIGABRT: i32 = 6;
const CHILD: &str = "HEADWATER_HOSTILE_CHILD";
/// How much the memory in use may grow while the variants of one request are decoded, one after the other.
const GROWTH_MAX_KIB: u64 = 1024;
/// What the child may reserve beyond what it has when it begins. A forged length asks for gigabytes.
const RESERVE_MAX: u64 = 256 << 20;
/// Ten times what the child takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn forged_lengths_and_cut_frames_neither_abort_nor_hang_nor_swell() {
    let outcome = run_child("guarded");
    assert!(outcome.success, "after {:?}; last: {:?}", outcome.took, outcome.last);
    println!("{:?} in {:?}", outcome.last, outcome.took);
}

/// Or the test above would prove nothing.
#[test]
fn without_the_guard_the_child_dies() {
    let outcome = run_child("unguarded");
    assert_eq!(outcome.signal, Some(SIGABRT), "{:?}", outcome.last);
}

struct Outcome {
    success: bool,
    signal: Option<i32>,
    took: Duration,
    last: Vec<String>,
}

fn run_child(mode: &str) -> Outcome {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "decode_all_variants", "--nocapture", "--test-threads=1"])
        .env(CHILD, mode)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut output = child.stdout.take().expect("its output");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let begun = Instant::now();
    let (success, signal) = loop {
        if let Some(status) = child.try_wait().expect("status") {
            break (status.success(), status.signal());
        }
        if begun.elapsed() > DEADLINE {
            child.kill().expect("kill");
            child.wait().expect("wait");
            break (false, None);
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let took = begun.elapsed();
    let text = reader.join().expect("reader").expect("output");
    let last = text.lines().rfind(|line| line.starts_with("key") || line.starts_with("decoded"));
    Outcome { success, signal, took, last: last.map(String::from).into_iter().collect() }
}

/// The child's part; alone it does nothing.
#[test]
fn decode_all_variants() {
    let Ok(mode) = std::env::var(CHILD) else { return };
    let decode = if mode == "guarded" { guarded } else { unguarded };
    let exchanges = exchange::exchanges();
    assert!(exchanges.len() > 200);
    limit_memory();
    let (mut variants, mut refused, mut fields, mut worst) = (0, 0, 0, 0);
    for exchange in &exchanges {
        println!("{}", exchange.name());
        fields += hostile::length_fields(&exchange.request);
        let forged = hostile::variants(&exchange.request);
        reset_peak();
        let before = memory("VmRSS:");
        for variant in &forged {
            let accepted = decode(&variant.frame);
            refused += usize::from(!accepted);
            assert!(!(accepted && variant.impossible), "{}: {} was accepted", exchange.name(), variant.name);
        }
        let growth = memory("VmHWM:").saturating_sub(before);
        assert!(growth <= GROWTH_MAX_KIB, "{}: memory grew by {growth} KiB", exchange.name());
        worst = growth.max(worst);
        variants += forged.len();
    }
    println!(
        "decoded {variants} variants of {} requests with {fields} length fields, refused {refused}, grew {worst} KiB at most",
        exchanges.len()
    );
}

/// What the server does with a frame before a handler sees it.
fn guarded(frame: &Bytes) -> bool {
    RequestHeader::split(frame).and_then(|(header, body)| (codec::codec(header.api_key).request)(header.api_version, &body)).is_ok()
}

/// What it must not do.
fn unguarded(frame: &Bytes) -> bool {
    RequestHeader::split(frame).is_ok_and(|(header, body)| (codec::codec(header.api_key).unguarded)(header.api_version, &body).is_ok())
}

/// Makes an allocation of a forged size fail at once instead of being lent by an overcommitting kernel.
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = memory("VmSize:") * 1024 + RESERVE_MAX;
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: Some(limit), maximum }).expect("a limit");
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("clear_refs");
}

/// A row of /proc/self/status, in KiB.
fn memory(row: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with(row)).expect(row);
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect(row)
}
