//! Hostile clients against the real binary: forged lengths in every request that is served, garbage, silence, floods. It has to
//! stay up, small and responsive, and close what cannot be answered.

#[path = "process/client.rs"]
mod client;
#[path = "golden/exchange.rs"]
mod exchange;
#[path = "golden/hostile.rs"]
mod hostile;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, fetch_request, frame};
use exchange::Exchange;
use headwater::handlers::APIS;
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use hostile::Variant;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use rand::{RngExt, SeedableRng};
use running::Running;
use tempfile::tempdir;

/// What cannot be answered is closed within a second. Ten times that is a hang; the time it took is printed.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
const HEALTH_WITHIN: Duration = Duration::from_secs(10);
/// The rate of new connections is not what is tested here.
const AT_ANY_RATE: [&str; 2] = ["--set", "max.connection.creation.rate=2147483647"];
/// How much the memory in use may grow while the variants of one API version are sent.
const GROWTH_MAX_KIB: u64 = 1024;
/// How much all of them together may leave behind: topics, groups, sessions and a warm allocator.
const SETTLED_MAX_KIB: u64 = 64 * 1024;
const WORKERS: usize = 8;
/// Truncations per request; the decoder is tested with all of them elsewhere.
const CUTS: usize = 25;
/// Fetch, JoinGroup and SyncGroup wait for others by right.
const WAITING: [i16; 3] = [1, 11, 14];

/// Asks /healthz all the time until told to stop.
struct Pulse {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(usize, Duration)>,
}

impl Pulse {
    fn start(running: &Running) -> Pulse {
        let (stop, http) = (Arc::new(AtomicBool::new(false)), running.http.expect("pages"));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut count, mut worst) = (0, Duration::ZERO);
            while !asked.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let page = running::get(http, "/healthz");
                assert_eq!((page.status, page.body.as_str()), (200, "ok\n"));
                worst = worst.max(begun.elapsed());
                count += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            (count, worst)
        });
        Pulse { stop, thread }
    }

    fn end(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        let (count, worst) = self.thread.join().expect("/healthz failed");
        assert!(worst < HEALTH_WITHIN, "/healthz took {worst:?}");
        format!("/healthz asked {count} times, slowest {worst:?}")
    }
}

fn sized(frame: &[u8]) -> Vec<u8> {
    [&i32::try_from(frame.len()).expect("a size").to_be_bytes()[..], frame].concat()
}

/// What came back until the other end closed.
#[derive(Debug, PartialEq)]
enum Came {
    /// Nothing but the end.
    Closed,
    Answer,
    /// Neither within the time.
    Nothing,
}

/// Sends bytes, says that no more will come, and reads to the end.
fn exchange_bytes(address: SocketAddr, bytes: &[u8]) -> (Came, Duration) {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(CLOSE_WITHIN)).expect("timeout");
    let begun = Instant::now();
    // It may have hung up before everything was sent.
    let _ = stream.write_all(bytes);
    (read_to_end(&mut stream), begun.elapsed())
}

fn read_to_end(stream: &mut TcpStream) -> Came {
    let mut came = Came::Closed;
    let mut buffer = [0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return came,
            Ok(_) if came == Came::Closed => {
                came = Came::Answer;
                // Answered: it would wait for the next request now.
                let _ = stream.shutdown(Shutdown::Write);
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Came::Nothing,
            Err(_) => return came,
        }
    }
}

/// A well-formed request that has no answer: nothing comes until we leave.
fn leaves_without_answer(address: SocketAddr, bytes: &[u8]) -> Came {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(CLOSE_WITHIN)).expect("timeout");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    read_to_end(&mut stream)
}

#[derive(Default)]
struct Tally {
    variants: AtomicUsize,
    impossible: AtomicUsize,
    answered: AtomicUsize,
    slowest_close: Mutex<Duration>,
}

impl Tally {
    fn send(&self, address: SocketAddr, exchange: &Exchange, variant: &Variant) {
        let bytes = sized(&variant.frame);
        let name = || format!("{}: {}", exchange.name(), variant.name);
        self.variants.fetch_add(1, Ordering::Relaxed);
        if variant.impossible {
            let (came, took) = exchange_bytes(address, &bytes);
            assert_eq!(came, Came::Closed, "{} after {took:?}", name());
            self.impossible.fetch_add(1, Ordering::Relaxed);
            let mut slowest = self.slowest_close.lock().expect("lock");
            *slowest = took.max(*slowest);
        } else if WAITING.contains(&exchange.key) {
            let mut stream = TcpStream::connect(address).expect("connect");
            let _ = stream.write_all(&bytes);
        } else {
            let came = leaves_without_answer(address, &bytes);
            assert_ne!(came, Came::Nothing, "{}", name());
            self.answered.fetch_add(usize::from(came == Came::Answer), Ordering::Relaxed);
        }
    }
}

/// Every variant that changes a length, and some truncations.
fn chosen(exchange: &Exchange) -> Vec<Variant> {
    let (cuts, lengths): (Vec<_>, Vec<_>) = hostile::variants(&exchange.request).into_iter().partition(|v| v.name.starts_with("cut"));
    let step = cuts.len().div_ceil(CUTS).max(1);
    lengths.into_iter().chain(cuts.into_iter().step_by(step)).collect()
}

/// The golden requests of what is served, by key and version.
fn served() -> BTreeMap<(i16, i16), Vec<Exchange>> {
    let mut found: BTreeMap<(i16, i16), Vec<Exchange>> = BTreeMap::new();
    for exchange in exchange::exchanges() {
        if APIS.iter().any(|api| api.key == exchange.key && (api.served_from..=api.max).contains(&exchange.version)) {
            found.entry((exchange.key, exchange.version)).or_default().push(exchange);
        }
    }
    let wanted: usize = APIS.iter().map(|api| usize::try_from(api.max - api.served_from + 1).expect("a range")).sum();
    assert_eq!(found.len(), wanted, "every served version has its golden request");
    found
}

fn spread<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

#[test]
fn forged_lengths_of_every_served_request_end_their_connection_and_nothing_else() {
    let folder = tempdir().unwrap();
    let mut running = Running::start(folder.path(), &AT_ANY_RATE);
    let served = served();
    let all: Vec<(&Exchange, Variant)> = served.values().flatten().flat_map(|e| chosen(e).into_iter().map(move |v| (e, v))).collect();
    let whole: Vec<&Exchange> = served.values().flatten().filter(|e| e.answer.is_some() && !WAITING.contains(&e.key)).collect();
    spread(&whole, |exchange| {
        let came = leaves_without_answer(running.kafka, &sized(&exchange.request));
        assert_eq!(came, Came::Answer, "{}: the request itself", exchange.name());
    });
    let untimed = Tally::default();
    // The first time round code is paged in, topics and groups come to be.
    spread(&all, |(exchange, variant)| untimed.send(running.kafka, exchange, variant));
    let (begun, pulse, tally) = (Instant::now(), Pulse::start(&running), Tally::default());
    let first = running.memory_kib("VmRSS:");
    let mut worst = (0, String::new());
    for ((key, version), exchanges) in &served {
        let before = running.memory_kib("VmRSS:");
        running.reset_peak();
        for exchange in exchanges {
            spread(&chosen(exchange), |variant| tally.send(running.kafka, exchange, variant));
        }
        assert!(running.is_alive(), "key {key} v{version}: {}", running.stderr());
        let growth = running.memory_kib("VmHWM:").saturating_sub(before);
        if growth > worst.0 {
            worst = (growth, format!("key {key} v{version}"));
        }
        assert!(growth <= GROWTH_MAX_KIB, "key {key} v{version}: grew by {growth} KiB");
    }
    let grown = running.memory_kib("VmRSS:").saturating_sub(first);
    let (took, variants) = (begun.elapsed(), tally.variants.into_inner());
    println!(
        "{} whole requests answered; {variants} variants of {} API versions in {took:?}: {} impossible, slowest close {:?}; {} answered; \
         most memory {} KiB ({}), {grown} KiB in all; {}",
        whole.len(),
        served.len(),
        tally.impossible.into_inner(),
        tally.slowest_close.into_inner().unwrap(),
        tally.answered.into_inner(),
        worst.0,
        worst.1,
        pulse.end()
    );
    assert!(variants > 5000);
    assert_memory_is_seen(&running);
    assert!(grown < SETTLED_MAX_KIB, "{grown} KiB");
    assert_works(&running);
    running.stop();
}

/// Or the figures above would prove nothing.
fn assert_memory_is_seen(running: &Running) {
    let before = running.memory_kib("VmRSS:");
    running.reset_peak();
    let (error, _) = Client::connect(running.kafka).try_produce("no-such-topic", 0, batch(900_000, 9)).expect("an answer");
    assert_ne!(error, 0);
    assert!(running.memory_kib("VmHWM:").saturating_sub(before) > 2 * GROWTH_MAX_KIB);
}

/// After all that a normal client notices nothing.
fn assert_works(running: &Running) {
    let metadata = Client::connect(running.kafka).metadata(None);
    assert_eq!(metadata.brokers.len(), 1);
    let counters = running.get("/metrics").body;
    assert!(counters.contains("headwater_panics_total 0\n"), "{}", running.stderr());
    assert!(!running.stderr().contains("panicked"), "{}", running.stderr());
}

#[test]
fn garbage_of_every_kind_is_hung_up_on() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &AT_ANY_RATE);
    let pulse = Pulse::start(&running);
    let mut random = rand_chacha::ChaCha12Rng::seed_from_u64(1);
    let tls: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x20";
    let mut closed: Vec<(String, Vec<u8>)> = vec![
        ("HTTP".into(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("HTTP/2".into(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("TLS".into(), tls.to_vec()),
        ("SSH".into(), b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("Redis".into(), b"*1\r\n$4\r\nPING\r\n".to_vec()),
        ("an unknown key".into(), sized(b"\x7f\xff\0\0\0\0\0\x01\xff\xff")),
        ("a negative key".into(), sized(b"\xff\xff\0\0\0\0\0\x01\xff\xff")),
        ("a version too new".into(), sized(b"\0\x03\x7f\xff\0\0\0\x01\xff\xff\0")),
        ("a negative version".into(), sized(b"\0\x03\xff\xff\0\0\0\x01\xff\xff\0")),
    ];
    for size in [i32::MAX, 0, -1, i32::MIN, 7, 104_857_601] {
        closed.push((format!("size {size}"), [&size.to_be_bytes()[..], b"\0\x03\0\x01\0\0\0\x01"].concat()));
    }
    let begun = Instant::now();
    let slowest = Mutex::new(Duration::ZERO);
    spread(&closed, |(name, bytes)| {
        let (came, took) = exchange_bytes(running.kafka, bytes);
        assert_eq!(came, Came::Closed, "{name}");
        let mut slowest = slowest.lock().unwrap();
        *slowest = took.max(*slowest);
    });
    let heaps: Vec<Vec<u8>> = (0..200)
        .map(|_| {
            let length = random.random_range(1..4000);
            (0..length).map(|_| random.random()).collect()
        })
        .collect();
    spread(&heaps, |heap| assert_ne!(leaves_without_answer(running.kafka, heap), Came::Nothing));
    println!("{} kinds closed, slowest {:?}; 200 random heaps; {:?}", closed.len(), slowest.into_inner().unwrap(), begun.elapsed());
    println!("{}", pulse.end());
    assert_works(&running);
    running.stop();
}

#[test]
fn silent_and_slow_connections_cost_others_nothing() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let pulse = Pulse::start(&running);
    let before = running.memory_kib("VmRSS:");
    let whole = frame(12, 1, &MetadataRequest::default().with_topics(None));
    let connect = || TcpStream::connect(running.kafka).unwrap();
    let silent: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    let halves: Vec<TcpStream> = (0..200)
        .map(|n| {
            let mut stream = connect();
            stream.write_all(&whole[..1 + n % (whole.len() - 1)]).unwrap();
            stream
        })
        .collect();
    // Large sizes are announced and never sent: nothing is taken for them that others would miss.
    let promises: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect();
            stream.write_all(&[&104_857_600_i32.to_be_bytes()[..], &whole[4..]].concat()).unwrap();
            stream
        })
        .collect();
    let mut slow = connect();
    for byte in &whole {
        slow.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    slow.set_read_timeout(Some(CLOSE_WITHIN)).unwrap();
    slow.read_exact(&mut [0; 4]).expect("an answer to the slow writer");
    assert_works(&running);
    let mut client = Client::connect(running.kafka);
    client.create_topic("through", 1, &[]);
    client.produce("through", 0, batch(300_000, 1));
    let grown = running.memory_kib("VmRSS:").saturating_sub(before);
    println!("{} open connections took {grown} KiB; {}", silent.len() + halves.len() + promises.len(), pulse.end());
    assert!(grown < 32 * 1024, "{grown} KiB");
    running.stop();
}

fn batch(bytes: usize, count: i64) -> Bytes {
    let value = vec![b'v'; bytes];
    let mut batch = BatchBuilder::new(Codec::None);
    (0..count).for_each(|n| batch.append(NewRecord { timestamp: Timestamp(n), value: Some(&value), ..NewRecord::default() }));
    batch.build().expect("a batch").to_bytes()
}

#[test]
fn five_megabytes_of_tiny_requests_are_answered_in_order() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let pulse = Pulse::start(&running);
    let one = frame(0, 0, &ApiVersionsRequest::default()).len();
    let count = i32::try_from(5_000_000 / one).unwrap();
    let flood: Vec<u8> = (0..count).flat_map(|n| frame(0, n, &ApiVersionsRequest::default())).collect();
    let before = running.memory_kib("VmRSS:");
    let mut client = Client::connect(running.kafka);
    let mut sender = client.stream.try_clone().unwrap();
    let begun = Instant::now();
    let sending = std::thread::spawn(move || sender.write_all(&flood));
    for n in 0..count {
        let answer = client.receive().expect("an answer");
        assert_eq!(answer[..4], n.to_be_bytes());
    }
    sending.join().unwrap().unwrap();
    let grown = running.memory_kib("VmRSS:").saturating_sub(before);
    println!("{count} requests in {:?}, {grown} KiB; {}", begun.elapsed(), pulse.end());
    assert!(grown < 32 * 1024, "{grown} KiB");
    assert_works(&running);
    running.stop();
}

#[test]
fn clients_that_never_read_their_answers_hold_no_memory() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("big", 1, &[]);
    for _ in 0..40 {
        client.produce("big", 0, batch(100_000, 9));
    }
    let pulse = Pulse::start(&running);
    let before = running.memory_kib("RssAnon:");
    let request = frame(12, 1, &fetch_request("big", 0, 0, 500));
    let deaf: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(running.kafka).unwrap();
            stream.set_nonblocking(true).unwrap();
            for _ in 0..1000 {
                match stream.write(&request) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            stream
        })
        .collect();
    let mut most = 0;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(100));
        most = running.memory_kib("RssAnon:").saturating_sub(before).max(most);
    }
    println!("{} connections asked for 36 MB up to 1000 times each and read nothing: {most} KiB; {}", deaf.len(), pulse.end());
    assert!(most < 32 * 1024, "{most} KiB");
    assert_works(&running);
    drop(deaf);
    running.stop();
}
