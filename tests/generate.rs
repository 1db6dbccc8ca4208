//! `headwater generate` against Apache Kafka: the same records in the same partitions as in a Headwater of its own.
//!
//! Needs Java and Apache Kafka's jars, as `dump_log_segments.rs` does; without them `make test` leaves these tests out.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{Client, text};
use headwater::generators::STREAMS;
use headwater::model::Batches;
use kafka_protocol::messages::CreateAclsRequest;
use kafka_protocol::messages::create_acls_request::AclCreation;
use running::{Running, command, ended};

const KAFKA_WITHIN: Duration = Duration::from_secs(120);

fn needed_jars() -> PathBuf {
    let named = std::env::var_os("KAFKA_JARS").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/clients/kafka-tools/lib");
    Some(named.unwrap_or(installed)).filter(|folder| folder.is_dir()).expect(
        "Apache Kafka's jars are missing: `make test` installs them (it needs Java and Maven), KAFKA_JARS names a folder of them, and \
         `cargo test -- --skip apache_kafka` leaves this test out",
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One node of Apache Kafka. Dropped, it is killed.
struct Kafka {
    process: Child,
    address: SocketAddr,
}

impl Kafka {
    fn start(folder: &Path) -> Kafka {
        let jars = needed_jars().join("*");
        let (port, controller) = (free_port(), free_port());
        let properties = folder.join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\nlog.dirs={}\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\nnum.partitions=5\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nallow.everyone.if.no.acl.found=true\n",
            folder.join("log").display()
        );
        std::fs::write(&properties, text).unwrap();
        let output = std::fs::File::create(folder.join("kafka.txt")).unwrap();
        let java = |class: &str| {
            let mut java = Command::new("java");
            java.args(["-Xmx384m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]).arg(&jars).arg(class);
            java.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
            java
        };
        let id = "4L6g3nShT-eMCtK--X86sw";
        let formatted = java("kafka.tools.StorageTool").args(["format", "-t", id, "-c"]).arg(&properties).status().unwrap();
        assert!(formatted.success(), "{}", std::fs::read_to_string(folder.join("kafka.txt")).unwrap());
        let process = java("kafka.Kafka").arg(&properties).spawn().unwrap();
        let mut kafka = Kafka { process, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        let begun = Instant::now();
        while TcpStream::connect(kafka.address).is_err() {
            assert!(
                kafka.process.try_wait().unwrap().is_none() && begun.elapsed() < KAFKA_WITHIN,
                "{}",
                std::fs::read_to_string(folder.join("kafka.txt")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        kafka
    }

    /// `headwater generate` into this cluster.
    fn feed(&self, folder: &Path, more: &[&str]) -> Command {
        let mut command = command(folder);
        command.args(["generate", "--seed", "7", "--clock", "virtual", "--to", &self.address.to_string()]).args(more);
        command
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Timestamp, key, value.
type Record = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

/// Every partition that the town fills.
fn partitions() -> Vec<(&'static str, i32)> {
    let streams = STREAMS.iter().flat_map(|stream| (0..stream.partitions).map(move |partition| (stream.topic, partition)));
    streams.chain([("_truth", 0)]).collect()
}

fn end_offset(client: &mut Client, prefix: &str, (topic, partition): (&str, i32)) -> i64 {
    let (error, offset) = client.list_offset(&format!("{prefix}{topic}"), partition, -1);
    if error == 0 { offset } else { 0 }
}

fn records(client: &mut Client, topic: &str, partition: i32) -> Vec<Record> {
    let (error, end) = client.list_offset(topic, partition, -1);
    assert_eq!(error, 0, "{topic}-{partition}");
    let (mut next, mut records) = (0, Vec::new());
    while next < end {
        let bytes = client.fetch(topic, partition, next).records.unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            for record in &batch.records().unwrap() {
                let record = record.unwrap();
                if record.offset.0 >= next {
                    assert_eq!((record.offset.0, record.header_count()), (next, 0));
                    next += 1;
                    records.push((record.timestamp.0, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec)));
                }
            }
        }
    }
    records
}

/// What all partitions hold.
fn held(address: SocketAddr, prefix: &str) -> BTreeMap<(&'static str, i32), Vec<Record>> {
    let mut client = Client::connect(address);
    partitions().into_iter().map(|lane| (lane, records(&mut client, &format!("{prefix}{}", lane.0), lane.1))).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < KAFKA_WITHIN, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn apache_kafka_holds_the_same_town_through_kill_9_and_says_what_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    std::fs::create_dir(&here).unwrap();
    std::fs::create_dir(&there).unwrap();
    let kafka = Kafka::start(&there);
    let mut client = Client::connect(kafka.address);

    // Three lives that end in the middle, one that ends where it was told to.
    let prefix = "class-1.";
    let written = |client: &mut Client| partitions().into_iter().map(|lane| end_offset(client, prefix, lane)).sum::<i64>();
    for life in 1..=3 {
        let before = written(&mut client);
        let mut feeding = kafka.feed(&here, &["--topic-prefix", prefix]).spawn().unwrap();
        wait_until("nothing comes in", || {
            assert!(feeding.try_wait().unwrap().is_none());
            written(&mut client) > before + 4_000 * life
        });
        feeding.kill().unwrap();
        feeding.wait().unwrap();
    }
    let last = ended(kafka.feed(&here, &["--topic-prefix", prefix, "--events", "5000"]));
    assert!(last.status.success(), "{last:?}");
    assert!(last.stdout.contains(" events written, newest 2026-01-0"), "{}", last.stdout);

    let fed = held(kafka.address, prefix);
    let total = fed.values().map(Vec::len).sum::<usize>();
    assert!(total > 15_000, "{total}");
    let newest = fed.values().filter_map(|records| records.last()).map(|record| record.0).max().unwrap();
    let flags = ["--generators", "on", "--seed", "7", "--clock", "virtual", "--speed", "0"];
    let own = Running::start(&here, &flags);
    let mut at_home = Client::connect(own.kafka);
    wait_until("the own history does not come", || {
        let past = |lane: &(&'static str, i32)| end_offset(&mut at_home, "", *lane) > fed[lane].len() as i64;
        fed.keys().filter(|(topic, _)| *topic != "_truth").all(past)
    });
    for (lane, home) in held(own.kafka, "") {
        let expected: Vec<&Record> = home.iter().take_while(|record| record.0 <= newest).collect();
        assert_eq!(fed[&lane].len(), expected.len(), "{lane:?}");
        assert!(fed[&lane].iter().eq(expected), "{lane:?}");
    }
    own.stop();

    // What is in the way is said in one line.
    client.create_topic("narrow.iot-sensor-data", 2, &[]);
    let refused = |prefix: &str| {
        let refused = ended(kafka.feed(&here, &["--topic-prefix", prefix]));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        refused.stderr.lines().last().unwrap().to_owned()
    };
    let message = refused("narrow.");
    assert!(message.contains("narrow.iot-sensor-data has 2 partitions, and the town needs 3"), "{message}");
    let only_another = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("closed."))
        .with_resource_pattern_type(4)
        .with_principal(text("User:another"))
        .with_host(text("*"))
        .with_operation(2)
        .with_permission_type(3);
    let answer = client.ask(2, &CreateAclsRequest::default().with_creations(vec![only_another]));
    assert_eq!(answer.results[0].error_code, 0, "{:?}", answer.results[0].error_message);
    let message = refused("closed.");
    assert!(message.contains("closed._headwater") && message.to_lowercase().contains("authorization failed"), "{message}");
    let port = free_port();
    let mut nobody = command(&here);
    nobody.args(["generate", "--to", &format!("127.0.0.1:{port}")]);
    let refused = ended(nobody);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains(&format!("no Kafka cluster answers at 127.0.0.1:{port}")), "{}", refused.stderr);
}
