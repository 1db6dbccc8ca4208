//! Many hostile connections at once against the real binary, and requests that would become much larger than they are: what a good
//! client notices of them, and what they cost.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, fetch_request, frame, text};
use headwater::model::{BatchBuilder, Codec, NewRecord, Timestamp};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    ApiVersionsRequest, DescribeConfigsRequest, DescribeGroupsRequest, GroupId, InitProducerIdRequest, MetadataRequest,
};
use running::Running;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::tempdir;

const HALF_OPEN: usize = 5_000;
const DRIPPING: usize = 300;
/// Memory that a connection may take at most that is in the middle of a small request.
const CONNECTION_MAX_KIB: u64 = 32;

/// As many connections as wanted, or as many as this process may open.
fn sockets(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let most = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    wanted.min(most.saturating_sub(500) / 2)
}

fn batch(bytes: usize) -> Bytes {
    let value = vec![b'v'; bytes];
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(NewRecord { timestamp: Timestamp(1), value: Some(&value), ..NewRecord::default() });
    batch.build().expect("a batch").to_bytes()
}

/// A client that produces and fetches, again and again: the median and the 99th percentile of both together.
fn round_trips(address: SocketAddr, during: Duration) -> (Duration, Duration) {
    let mut client = Client::connect(address);
    let begun = Instant::now();
    let mut took = Vec::new();
    while begun.elapsed() < during {
        let one = Instant::now();
        let offset = client.produce("good", 0, batch(100));
        assert_eq!(client.fetch("good", 0, offset).error_code, 0);
        took.push(one.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

fn open_connections(running: &Running) -> usize {
    let page = running.get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix("headwater_connections ")).expect("a gauge");
    line.trim().parse::<f64>().expect("a number") as usize
}

fn until(what: &str, within: Duration, mut is: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < within, "{what}: not within {within:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

fn assert_unharmed(running: &Running) {
    let counters = running.get("/metrics").body;
    assert!(counters.contains("headwater_panics_total 0\n"), "{}", running.stderr());
    assert_eq!(Client::connect(running.kafka).metadata(None).brokers.len(), 1);
}

#[test]
fn half_open_and_dripping_connections_are_not_noticed_by_a_good_client_and_end() {
    let folder = tempdir().unwrap();
    let half_open = sockets(HALF_OPEN + DRIPPING) - DRIPPING;
    let flags = ["--set", "max.connection.creation.rate=1000000", "--set", "headwater.request.read.timeout.ms=7000"];
    let running = Running::start(folder.path(), &flags);
    Client::connect(running.kafka).create_topic("good", 1, &[]);
    let (median_alone, alone) = round_trips(running.kafka, Duration::from_secs(2));
    let before = running.memory_kib("VmRSS:");
    let whole = frame(12, 1, &MetadataRequest::default().with_topics(None));
    let connect = || TcpStream::connect(running.kafka).expect("connect");
    let begun = Instant::now();
    let halves: Vec<TcpStream> = (0..half_open)
        .map(|n| {
            let mut stream = connect();
            stream.write_all(&whole[..1 + n % (whole.len() - 1)]).expect("half a request");
            stream
        })
        .collect();
    let opened_in = begun.elapsed();
    let mut dripping: Vec<TcpStream> = (0..DRIPPING).map(|_| connect()).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (median, loaded) = std::thread::scope(|scope| {
        scope.spawn(|| {
            for byte in 0_i32.. {
                // The size of a request of a megabyte, then a byte of it a second.
                let sent = if byte == 0 { 1_000_000_i32.to_be_bytes().to_vec() } else { vec![0] };
                dripping.iter_mut().for_each(|stream| drop(stream.write_all(&sent)));
                std::thread::sleep(Duration::from_secs(1));
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        });
        let measured = round_trips(running.kafka, Duration::from_secs(3));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        measured
    });
    let grown = running.memory_kib("VmRSS:").saturating_sub(before);
    let all = u64::try_from(half_open + DRIPPING).unwrap();
    println!(
        "{half_open} half-open connections (opened in {opened_in:?}) and {DRIPPING} that send a byte a second: produce and fetch took p50 \
         {median:?}, p99 {loaded:?} (alone {median_alone:?}, {alone:?}); {grown} KiB, {:.1} KiB each",
        grown as f64 / all as f64
    );
    assert!(grown < all * CONNECTION_MAX_KIB, "{grown} KiB");
    assert!(loaded < alone * 10 + Duration::from_millis(50), "{loaded:?}");
    let closed = until("they are closed", Duration::from_secs(30), || open_connections(&running) <= 5);
    println!("all of them were closed {closed:?} later: a request has 7 s to come in here");
    drop(halves);
    assert_unharmed(&running);
    running.stop();
}

#[test]
fn large_requests_that_are_announced_and_never_sent_take_no_memory_from_others() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    Client::connect(running.kafka).create_topic("good", 1, &[]);
    let before = running.memory_kib("VmRSS:");
    let announced: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut stream = TcpStream::connect(running.kafka).expect("connect");
            stream.write_all(&(16_i32 << 20).to_be_bytes()).expect("a size");
            stream.write_all(&[0, 0, 0, 9, 0, 0]).expect("a beginning");
            stream
        })
        .collect();
    until("they are open", Duration::from_secs(10), || open_connections(&running) >= announced.len());
    let begun = Instant::now();
    let mut client = Client::connect(running.kafka);
    for _ in 0..20 {
        client.produce("good", 0, batch(900_000));
    }
    let took = begun.elapsed();
    let grown = running.memory_kib("RssAnon:");
    println!(
        "{} connections announced 16 MiB each, 18 MB were produced beside them in {took:?}; {} KiB",
        announced.len(),
        grown.saturating_sub(before)
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(grown.saturating_sub(before) < 64 * 1024);
    assert_unharmed(&running);
    running.stop();
}

#[test]
fn connections_are_accepted_no_faster_than_their_rate_and_none_is_refused() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &["--set", "max.connection.creation.rate=100"]);
    let begun = Instant::now();
    let mut clients: Vec<Client> = (0..650).map(|_| Client::connect(running.kafka)).collect();
    let connected = begun.elapsed();
    clients.iter_mut().for_each(|client| client.send(0, &ApiVersionsRequest::default()));
    clients.iter_mut().for_each(|client| assert!(client.receive().is_ok()));
    let served = begun.elapsed();
    println!("650 connections, 500 at once and 100 a second: connected in {connected:?}, all answered in {served:?}");
    assert!(served > Duration::from_millis(1_300), "{served:?}");
    running.stop();
}

#[test]
fn a_flood_of_scanners_is_hung_up_on_in_silence() {
    const EACH: usize = 400;
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &["--set", "max.connection.creation.rate=1000000"]);
    Client::connect(running.kafka).create_topic("good", 1, &[]);
    let (_, alone) = round_trips(running.kafka, Duration::from_secs(1));
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x20";
    let kinds: [(&str, &[u8]); 3] =
        [("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("TLS", tls), ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n")];
    let scan = |bytes: &[u8]| {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(running.kafka).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
        let _ = stream.write_all(bytes);
        let mut came = Vec::new();
        match stream.read_to_end(&mut came) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        assert!(came.is_empty(), "a scanner learns nothing: {came:?}");
        begun.elapsed()
    };
    let (slowest, good) = std::thread::scope(|scope| {
        let good = scope.spawn(|| round_trips(running.kafka, Duration::from_secs(1)));
        let slowest = kinds.map(|(name, bytes)| (name, (0..EACH).map(|_| scan(bytes)).max().expect("one")));
        (slowest, good.join().expect("the good client"))
    });
    let lines = running.stderr().lines().count();
    println!("{EACH} scans each, slowest close {slowest:?}; a good client's p99 {:?} (alone {alone:?}); {lines} lines of log", good.1);
    assert!(slowest.iter().all(|(_, took)| *took < Duration::from_secs(1)));
    assert!(lines < 20, "{}", running.stderr());
    assert_unharmed(&running);
    running.stop();
}

/// A batch of one record whose compressed bytes are these.
fn batch_of(codec: Codec, stored: &[u8]) -> Bytes {
    const HEADER: usize = 61;
    let mut bytes = batch(1)[..HEADER].to_vec();
    bytes.extend_from_slice(stored);
    bytes[21..23].copy_from_slice(&codec.id().to_be_bytes());
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// A zstd frame: descriptor, its fields, and blocks that repeat one byte 128 KiB times, four bytes each.
fn zstd_frame(descriptor: u8, fields: &[u8], blocks: usize) -> Vec<u8> {
    let mut frame = [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], fields].concat();
    for block in 0..blocks {
        let header = u32::from(block + 1 == blocks) | 1 << 1 | (128 << 10) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// Small bytes that claim to be, or become, hundreds of megabytes.
fn bombs() -> Vec<(&'static str, Codec, Vec<u8>)> {
    use flate2::{Compression, write::GzEncoder};
    const WINDOW_8_MIB: u8 = 13 << 3;
    const WINDOW_2_GIB: u8 = 21 << 3;
    let zeros = vec![0; 40 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut gzip_in_gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip_in_gzip.write_all(&gzip.repeat(20)).unwrap();
    let lz4 = {
        let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max4MB);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    // Descriptor with a content size of eight bytes, and the checksum of the descriptor is wrong or right: it must not matter.
    let lz4_claim = [&[0x04, 0x22, 0x4d, 0x18, 0x68, 0x70][..], &(1_u64 << 30).to_le_bytes(), &[0; 1010]].concat();
    let snappy_claim = [&[0x80, 0x80, 0x80, 0x80, 0x04][..], &[0; 1019]].concat();
    let xerial = |blocks: usize| {
        let mut stream = vec![0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
        let block = snap::raw::Encoder::new().compress_vec(&zeros[..1 << 20]).unwrap();
        for _ in 0..blocks {
            stream.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
            stream.extend_from_slice(&block);
        }
        stream
    };
    let xerial_claim = [&xerial(0)[..], &1019_u32.to_be_bytes(), &snappy_claim[..1019]].concat();
    vec![
        ("gzip, 40 KB of 40 MiB zeros", Codec::Gzip, gzip.clone()),
        ("gzip, 20 members of 40 MiB", Codec::Gzip, gzip.repeat(20)),
        ("gzip in gzip, 800 MiB inside", Codec::Gzip, gzip_in_gzip.finish().unwrap()),
        ("snappy, 1 KiB claims 1 GiB", Codec::Snappy, snappy_claim),
        ("snappy, framed, 1 KiB claims 1 GiB", Codec::Snappy, xerial_claim),
        ("snappy, framed, 20 blocks of 1 MiB", Codec::Snappy, xerial(20)),
        ("lz4, 1 KiB claims 1 GiB", Codec::Lz4, lz4_claim),
        ("lz4, 160 KB of 40 MiB zeros", Codec::Lz4, lz4),
        ("zstd, 1 KiB is 32 MiB", Codec::Zstd, zstd_frame(0, &[WINDOW_8_MIB], 256)),
        ("zstd, 32 KiB is 1 GiB", Codec::Zstd, zstd_frame(0, &[WINDOW_8_MIB], 8192)),
        ("zstd, 1 KiB claims 1 GiB", Codec::Zstd, zstd_frame(0xe0, &(1_u64 << 30).to_le_bytes(), 250)),
        ("zstd, a window of 2 GiB", Codec::Zstd, zstd_frame(0, &[WINDOW_2_GIB], 250)),
    ]
}

#[test]
fn decompression_bombs_are_refused_at_once_and_take_no_memory() {
    /// Built with optimisation or not, on a machine that does other things too.
    const REFUSED_WITHIN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 100 });
    const GROWTH_MAX_KIB: u64 = 64 * 1024;
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    client.create_topic("good", 1, &[]);
    client.produce("good", 0, batch(900_000));
    let refuse = |client: &mut Client, name: &str, codec: Codec, stored: &[u8]| {
        let begun = Instant::now();
        let (error, _) = client.try_produce("good", 0, batch_of(codec, stored)).expect("an answer");
        assert_ne!(error, 0, "{name} was taken");
        (error, begun.elapsed())
    };
    let bombs = bombs();
    for (name, codec, stored) in &bombs {
        let before = running.memory_kib("RssAnon:");
        running.reset_peak();
        let all_before = running.memory_kib("VmRSS:");
        let (error, took) = refuse(&mut client, name, *codec, stored);
        let grown = running.memory_kib("VmHWM:").saturating_sub(all_before);
        println!("{name}: {} bytes, error {error} after {took:?}, {grown} KiB at most (before {before})", stored.len());
        assert!(took < REFUSED_WITHIN, "{name}: {took:?}");
        assert!(grown < GROWTH_MAX_KIB, "{name}: {grown} KiB");
    }
    running.reset_peak();
    let (before, begun) = (running.memory_kib("VmRSS:"), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..12 {
            let mut client = Client::connect(running.kafka);
            let bombs = &bombs;
            scope.spawn(move || {
                bombs.iter().for_each(|(name, codec, stored)| {
                    refuse(&mut client, name, *codec, stored);
                })
            });
        }
    });
    let grown = running.memory_kib("VmHWM:").saturating_sub(before);
    println!("{} of them over 12 connections in {:?}: {grown} KiB at most", 12 * bombs.len(), begun.elapsed());
    // One large output at a time; beside it each of the sixteen threads has its decoder's window.
    assert!(grown < 4 * GROWTH_MAX_KIB, "{grown} KiB");
    assert_unharmed(&running);
    running.stop();
}

#[test]
fn naming_one_thing_many_times_does_not_multiply_its_answer() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let mut client = Client::connect(running.kafka);
    let before = running.memory_kib("VmRSS:");
    running.reset_peak();
    let broker = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1")).with_configuration_keys(None);
    let begun = Instant::now();
    let configs = client.ask(4, &DescribeConfigsRequest::default().with_resources(vec![broker; 190_000]));
    let groups = client.ask(5, &DescribeGroupsRequest::default().with_groups(vec![GroupId(text("g")); 190_000]));
    let took = begun.elapsed();
    let grown = running.memory_kib("VmHWM:").saturating_sub(before);
    println!("a broker's configs and a group asked for 190,000 times each: {took:?}, {grown} KiB at most");
    assert_eq!((configs.results.len(), groups.groups.len()), (1, 1));
    assert!(grown < 128 * 1024, "{grown} KiB");
    running.stop();
}

#[test]
fn producer_ids_come_ten_a_second_to_one_connection() {
    let folder = tempdir().unwrap();
    let running = Running::start(folder.path(), &[]);
    let request = InitProducerIdRequest::default().with_transaction_timeout_ms(1000).with_transactional_id(None);
    let mut client = Client::connect(running.kafka);
    let begun = Instant::now();
    let throttled: Vec<i32> = (0..16).map(|_| client.ask(4, &request).throttle_time_ms).collect();
    println!("16 producer ids in {:?}, throttled by {throttled:?} ms", begun.elapsed());
    assert!(begun.elapsed() > Duration::from_millis(500) && throttled[..10].iter().all(|ms| *ms == 0));
    // Another connection has its own.
    let begun = Instant::now();
    assert_eq!(Client::connect(running.kafka).ask(4, &request).error_code, 0);
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(client.ask(12, &fetch_request("none", 0, 0, 0)).error_code, 0);
    running.stop();
}
