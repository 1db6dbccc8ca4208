//! A classroom over HTTP, on a broker that really keeps users, with two challenges.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::broker::security::{Access, INSTRUCTOR};
use crate::broker::{Broker, BrokerOptions, Endpoint, clock};
use crate::cluster::{Embedded, Topics};
use crate::config::{BrokerLayers, ClockSetting, Guards, Protocol, Speed};
use crate::generators::{DirtLevel, Phase};
use crate::workshop::{Challenges, CourseOptions, Random, WorkshopOptions};

pub(super) const CODE: &str = "otter-4821";
pub(super) const SECRET: &str = "the instructor's secret";

pub(super) struct Class {
    pub address: SocketAddr,
    pub workshop: Arc<Workshop>,
    pub cluster: Arc<dyn Cluster>,
    pub broker: Arc<Broker>,
    pub course: Arc<Course>,
    pub generators: Option<Arc<Runner>>,
    /// How far the course's clock is ahead.
    pub ahead_ms: Arc<AtomicI64>,
    pub _folder: tempfile::TempDir,
}

pub(super) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }

    /// The session that a browser is given.
    pub fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        line.split(';').next().unwrap().to_owned()
    }
}

pub(super) async fn class() -> Class {
    class_of(None).await
}

/// With the town at work, whose clock begins at the same instant in every run.
pub(super) async fn class_with_generators() -> Class {
    let class = class_of(Some(ClockSetting::Virtual(Speed::Times(1.0)))).await;
    let begun = Instant::now();
    while class.generators.as_ref().unwrap().status().phase != Phase::Live {
        assert!(begun.elapsed() < Duration::from_secs(120), "the town writes history for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    class
}

async fn class_of(town: Option<ClockSetting>) -> Class {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_owned();
    let guards = Guards { ballast_bytes: 0, floor_bytes: 0, floor_percent: 0, ..Guards::default() };
    let options = BrokerOptions { data_dir, access: Access::Instructor, configs: BrokerLayers::default(), guards };
    let broker = Broker::open(options).unwrap();
    broker.security.set_password(INSTRUCTOR, SECRET).unwrap();
    let bound = "127.0.0.1:9094".parse().unwrap();
    broker.node.add_endpoint(Arc::new(Endpoint::new("CLASS", Protocol::SaslPlaintext, bound, Advertise::Auto)));
    let embedded = Arc::new(Embedded::new(Arc::clone(&broker), Vec::new()));
    let cluster: Arc<dyn Cluster> = Arc::clone(&embedded) as Arc<dyn Cluster>;
    let random = || Sha256::digest(uuid::Uuid::new_v4().into_bytes()).into();
    let options = WorkshopOptions {
        code: Some(CODE.to_owned()),
        streams: vec!["ecommerce-events".to_owned()],
        random: Random::new(random),
        now: Arc::new(clock::now),
    };
    let workshop = Arc::new(Workshop::open(Arc::clone(&cluster), options).await.unwrap());
    let ahead_ms = Arc::new(AtomicI64::new(0));
    let course = open_course(&cluster, &workshop, &ahead_ms).await;
    let generators = town.map(|clock| {
        let runner = Arc::new(Runner::new(embedded as Arc<dyn Topics>, Arc::new(clock::now), 7, DirtLevel::Stated).with_clock(clock));
        let running = Arc::clone(&runner);
        tokio::spawn(async move { running.run().await });
        runner
    });
    let state = HttpState::new(Arc::clone(&cluster)).with_workshop(Some(Arc::clone(&workshop))).with_course(Some(Arc::clone(&course)));
    let state = state.with_generators(generators.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, state, std::future::pending()));
    Class { address, workshop, cluster, broker, course, generators, ahead_ms, _folder: folder }
}

/// Folders as a teacher would write them.
pub(super) fn challenges() -> Challenges {
    let texts = |kind: &str, ids: &[&str]| {
        let of = |id: &&str| match kind {
            "check" => format!("[[check]]\nid = \"{id}\"\nhint = \"look at {id}\"\ndoc = \"docs/data.md\"\n"),
            "star" => format!("[[star]]\nid = \"{id}\"\ntitle = \"A {id}\"\npoints = 25\n"),
            _ => format!("[[mistake]]\nid = \"{id}\"\ntitle = \"The {id}\"\nmessage = \"you did {id} {{nothing}}\"\ndoc = \"\"\n"),
        };
        ids.iter().map(of).collect::<String>()
    };
    let folder = tempfile::tempdir().unwrap();
    for (slug, truth, to) in [
        ("01-first", "kind = \"first-records\"\ntopic = \"ecommerce-events\"\ncount = 5", "receipt"),
        (
            "02-totals",
            "kind = \"running-totals\"\ntopic = \"ecommerce-events\"\nevent_type = \"purchase\"\nprice_over = 500\nevery = 10",
            "results-topic",
        ),
    ] {
        let table: toml::Table = truth.parse().unwrap();
        let kind = table["kind"].as_str().unwrap().to_owned();
        let parameters = table.into_iter().filter(|(name, _)| name != "kind").collect();
        let kind = crate::workshop::truth::kind(&kind, &parameters).unwrap();
        let id = format!("c{}", &slug[..2]);
        let sheet = format!(
            "id = \"{id}\"\ntitle = \"Title of {id}\"\nsummary = \"s\"\ntrack = \"python\"\nminutes = 5\ncore = true\npoints = 100\n\
             topics = [\"ecommerce-events\"]\nhints = [\"one\", \"two\"]\nself_checks = [\"look\"]\n\
             [truth]\n{truth}\n[submission]\nto = \"{to}\"\nwhat = \"w\"\nexample = \"e\"\n{}{}{}\
             [[prompt]]\nask = \"a\"\nverify_by = \"v\"\n[explain]\nquestion = \"why\"\n\
             [[explain.choices]]\ntext = \"wrong one\"\nwhy = \"no\"\n[[explain.choices]]\ntext = \"right one\"\nright = true\nwhy = \"yes\"\n\
             [solutions]\n\"solution.py\" = \"confluent-kafka\"\n",
            texts("check", kind.checks()),
            texts("mistake", kind.mistakes()),
            texts("star", kind.stars()),
        );
        let path = folder.path().join(slug);
        std::fs::create_dir_all(path.join("wrong")).unwrap();
        let files = [
            ("challenge.toml", sheet.as_str()),
            ("README.md", "# Read me"),
            ("submission.json", "{}"),
            ("words.json", "[\"beside\"]"),
            ("wrong/none.toml", "mistake = \"\""),
            ("solution.py", "import x\n### BEGIN SOLUTION\nsecret()\n#> todo()\n### END SOLUTION\n"),
        ];
        files.iter().for_each(|(name, text)| std::fs::write(path.join(name), text).unwrap());
    }
    let mut challenges = Challenges::default();
    challenges.add_from(folder.path()).unwrap();
    challenges
}

/// What there was before is read again.
pub(super) async fn open_course(cluster: &Arc<dyn Cluster>, workshop: &Arc<Workshop>, ahead_ms: &Arc<AtomicI64>) -> Arc<Course> {
    let ahead_ms = Arc::clone(ahead_ms);
    let options = CourseOptions {
        challenges: challenges(),
        random: Random::new(|| Sha256::digest(uuid::Uuid::new_v4().into_bytes()).into()),
        now: Arc::new(move || clock::now().plus_ms(ahead_ms.load(Ordering::Relaxed))),
    };
    Arc::new(Course::open(Arc::clone(cluster), Some(Arc::clone(workshop)), options).await.unwrap())
}

impl Class {
    /// One request with these header lines, on a connection of its own.
    pub async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        // The answer may come before all of it is sent.
        let _ = socket.write_all(format!("{head}\r\n{body}").as_bytes()).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        openapi_tests::check(method, path, status, head, body);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &headers, &body).await
    }

    pub async fn join(&self) -> Value {
        let answer = self.ask("POST", "/api/join", None, &json!({ "code": CODE })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub async fn instructor(&self) -> String {
        let answer = self.ask("POST", "/api/login", None, &json!({ "user": INSTRUCTOR, "password": SECRET })).await;
        assert_eq!((answer.status, &answer.json()["role"]), (200, &json!("instructor")), "{}", answer.body);
        answer.json()["token"].as_str().unwrap().to_owned()
    }
}
