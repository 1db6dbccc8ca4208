//! The wheelhouse over a real socket.

use super::*;
use crate::http::class_fixture::{Answer, Class, class};
use crate::http::serve;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WHEEL: &str = "Kafka_Tools-1.0-py3-none-any.whl";

async fn served(folder: &TempDir) -> Class {
    let class = class().await;
    let house = Wheelhouse::open(folder.path()).unwrap();
    tokio::spawn(Arc::clone(&house).keep());
    let state = HttpState::new(Arc::clone(&class.cluster)).with_workshop(Some(Arc::clone(&class.workshop))).with_wheelhouse(Some(house));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, state, std::future::pending()));
    Class { address, ..class }
}

impl Class {
    async fn fetch(&self, path: &str) -> Answer {
        self.raw("GET", path, &[], "").await
    }
}

#[tokio::test]
async fn pip_finds_projects_files_and_their_digests() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(WHEEL), "a package").unwrap();
    std::fs::write(folder.path().join(format!("{WHEEL}.metadata")), "Name: x").unwrap();
    std::fs::write(folder.path().join("other-2.tar.gz"), "").unwrap();
    let class = served(&folder).await;
    let root = class.fetch("/wheels/").await;
    assert_eq!(root.status, 200, "{}", root.body);
    assert!(root.head.contains("content-type: text/html; charset=utf-8"), "{}", root.head);
    assert!(root.body.contains("<a href=\"kafka-tools/\">kafka-tools</a>") && root.body.contains("<a href=\"other/\">"), "{}", root.body);
    assert_eq!(root.body.matches("<a ").count(), 2);
    let project = class.fetch("/wheels/kafka-tools/").await;
    let digest = |text: &str| {
        use sha2::{Digest, Sha256};
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let metadata = digest("Name: x");
    let link = format!(
        "<a href=\"{WHEEL}#sha256={}\" data-core-metadata=\"sha256={metadata}\" data-dist-info-metadata=\"sha256={metadata}\">{WHEEL}</a>",
        digest("a package")
    );
    assert!(project.body.contains(&link) && project.body.matches("<a ").count() == 1, "{}", project.body);
    for (path, leads_to) in [
        ("/wheels", "/wheels/"),
        ("/wheels/kafka-tools", "/wheels/kafka-tools/"),
        ("/wheels/Kafka__Tools/", "../kafka-tools/"),
        ("/wheels/https:evil.example", "/wheels/https:evil.example/"),
    ] {
        let answer = class.fetch(path).await;
        assert_eq!(answer.status, 308, "{path}");
        assert!(answer.head.contains(&format!("location: {leads_to}\r\n")), "{path}: {}", answer.head);
    }
    let file = class.fetch(&format!("/wheels/kafka-tools/{WHEEL}")).await;
    assert_eq!((file.status, file.body.as_str()), (200, "a package"));
    assert!(file.head.contains("content-length: 9\r\n"), "{}", file.head);
    let tag = format!("\"{}\"", digest("a package"));
    let again = class.raw("GET", &format!("/wheels/kafka-tools/{WHEEL}"), &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(class.fetch("/api/server").await.json()["wheelhouse"], serde_json::json!(["kafka-tools", "other"]));
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let around = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(around.path()).unwrap();
    std::fs::write(around.path().join("secret-1-py3-none-any.whl"), "secret").unwrap();
    std::fs::write(folder.path().join(WHEEL), "a package").unwrap();
    std::fs::write(folder.path().join(".env"), "secret").unwrap();
    let class = served(&folder).await;
    for path in [
        "/wheels/secret/..%2fsecret-1-py3-none-any.whl",
        "/wheels/secret/../../secret-1-py3-none-any.whl",
        "/wheels/kafka-tools/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/wheels/..%2f/secret-1-py3-none-any.whl",
        "/wheels/kafka-tools/.env",
        "/wheels/other/Kafka_Tools-1.0-py3-none-any.whl",
        "/wheels/kafka-tools/%00",
        "/wheels/%3Cscript%3E/",
    ] {
        let answer = class.fetch(path).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("secret") && !answer.body.contains("root:") && !answer.body.contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_package_that_was_changed_or_cut_is_not_taken_for_a_whole_one() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = 8 << 20;
    std::fs::write(folder.path().join(WHEEL), vec![7; bytes]).unwrap();
    let class = served(&folder).await;
    assert_eq!(class.fetch("/wheels/").await.status, 200);
    let path = format!("/wheels/kafka-tools/{WHEEL}");
    let mut socket = TcpStream::connect(class.address).await.unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", class.address).as_bytes()).await.unwrap();
    let mut first = vec![0; 1000];
    socket.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200 OK"));
    std::fs::File::options().write(true).open(folder.path().join(WHEEL)).unwrap().set_len(1000).unwrap();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    assert!(rest.len() < bytes - 1000, "{}", rest.len());
    // Until the next look nobody knows its digest.
    let changed = class.fetch(&path).await;
    assert_eq!(changed.status, 503, "{}", changed.body);
    assert!(changed.head.contains("retry-after: 3\r\n"), "{}", changed.head);
}

#[tokio::test]
async fn without_a_wheelhouse_the_answer_says_what_to_set() {
    let class = class().await;
    let answer = class.fetch("/wheels/kafka-tools/").await;
    let fix = answer.json()["fix"].as_str().unwrap_or_default().to_owned();
    assert!(answer.status == 404 && fix.contains("--wheelhouse FOLDER"), "{}", answer.body);
    assert_eq!(class.fetch("/api/server").await.json()["wheelhouse"], Value::Array(Vec::new()));
}
