//! Starts that cannot be, each refused with one line and before anything is made.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::client::Client;
use crate::running::{Running, command, ended};
use crate::{assert_refused, contents, with_usual_flags};

#[test]
fn a_taken_port_is_refused_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["listen", "http"] {
        let folder = tempdir().unwrap();
        let mut start = with_usual_flags(folder.path(), flag);
        start.args([&format!("--{flag}"), &address]);
        let refused = ended(start);
        assert_refused(&refused, &[&format!("port {} on 127.0.0.1 is taken", taken.local_addr().unwrap().port()), &format!("--{flag}")]);
        assert!(contents(folder.path()).is_empty());
    }
}

#[test]
fn a_folder_in_use_is_refused_with_the_process_that_has_it() {
    let folder = tempdir().unwrap();
    let mut first = Running::start(folder.path(), &["--ballast-mib", "0"]);
    let before = contents(&folder.path().join("data"));
    let refused = ended(with_usual_flags(folder.path(), ""));
    assert_refused(&refused, &[&format!("in use by process {}", first.pid()), "--data-dir"]);
    assert_eq!(contents(&folder.path().join("data")), before);
    assert!(first.is_alive());
    assert_eq!(Client::connect(first.kafka).metadata(None).brokers.len(), 1);
    first.stop();
}

#[test]
fn a_folder_that_cannot_be_used_is_refused() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "not a folder").unwrap();
    for path in ["file", "file/below", "/proc/headwater-data"] {
        let before = contents(folder.path());
        let mut start = with_usual_flags(folder.path(), "data-dir");
        start.args(["--data-dir", path]);
        assert_refused(&ended(start), &[path, "--data-dir"]);
        assert_eq!(contents(folder.path()), before, "{path}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempdir().unwrap();
    for (path, mode) in [(folder.path().to_owned(), 0o755), (folder.path().join("locked"), 0o555)] {
        let _ = std::fs::create_dir(&path);
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    for path in ["locked", "locked/below"] {
        let mut start = with_usual_flags(folder.path(), "data-dir");
        if rustix::process::geteuid().is_root() {
            // Root may write everywhere, so somebody else starts it, from where anybody may.
            let binary = folder.path().join("headwater");
            // Copied by another process: a child started meanwhile would inherit the open file, and a program open for writing cannot run.
            assert!(Command::new("cp").arg(start.get_program()).arg(&binary).status().unwrap().success());
            let mut copied = Command::new(binary);
            copied.args(start.get_args()).current_dir(folder.path()).uid(65_534);
            copied.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            start = copied;
        }
        start.args(["--data-dir", path]);
        assert_refused(&ended(start), &[path, "--data-dir"]);
        assert!(std::fs::read_dir(folder.path().join("locked")).unwrap().next().is_none());
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_was_meant() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("unknown.toml"), "lisen = \"127.0.0.1:9092\"\n").unwrap();
    std::fs::write(folder.path().join("broken.toml"), "listen = \n").unwrap();
    for (arguments, wanted) in [
        (&["--lisen", "127.0.0.1:0"][..], "--listen"),
        (&["--nonsense"], "--nonsense"),
        (&["serv"], "serve"),
        (&["serve", "now"], "now"),
        (&["--set", "log.retention.hour=3"], "log.retention.hours"),
        (&["--config", "unknown.toml"], "listen"),
        (&["--config", "broken.toml"], "line 1"),
        (&["--config", "missing.toml"], "missing.toml"),
        (&["--wheelhouse", "no-folder"], "--wheelhouse: cannot read no-folder"),
    ] {
        let mut start = command(folder.path());
        start.args(arguments);
        assert_refused(&ended(start), &[wanted]);
    }
    assert!(!folder.path().join("headwater-data").exists());
}

#[test]
fn another_cluster_is_refused_with_what_is_a_brokers_and_when_it_cannot_be_reached() {
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("wrong.properties"), "security.protocol=SASL_SSL\n").unwrap();
    std::fs::write(folder.path().join("hw.toml"), "cluster = \"kafka://127.0.0.1:1\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let at = ["--cluster", "kafka://127.0.0.1:1", "--http", "off"];
    for (more, wanted) in [
        (&["--listen", "127.0.0.1:0"][..], &["--listen: ", "with --cluster there is none here"][..]),
        (&["--listener", "A=PLAINTEXT://127.0.0.1:0"], &["--listener: ", "with --cluster there is none here"]),
        (&["--data-dir", "data"], &["--data-dir: ", "with --cluster there is none here"]),
        (&["--https", "127.0.0.1:0"], &["--https: ", "--tls-cert and --tls-key"]),
        (&["--cluster-config", "none.properties"], &["--cluster-config: ", "none.properties"]),
        (&["--cluster-config", "wrong.properties"], &["--cluster-config: ", "needs sasl.username and sasl.password"]),
        (&["--cluster", "kafka://nowhere"], &["--cluster: ", "kafka://HOST:PORT"]),
        (&[], &["no Kafka cluster answers at 127.0.0.1:1 within 10 s", "Connection refused", "check that it runs"]),
    ] {
        let mut start = command(folder.path());
        start.args(at.iter().filter(|_| !more.contains(&"--cluster") || more.is_empty())).args(more);
        assert_refused(&ended(start), wanted);
    }
    let mut start = command(folder.path());
    start.args(["--config", "hw.toml"]);
    assert_refused(&ended(start), &["hw.toml: listen", "there is none here"]);
    let mut start = command(folder.path());
    start.args(["--cluster-config", "wrong.properties"]);
    assert_refused(&ended(start), &["--cluster-config: ", "--cluster only"]);
    assert!(!folder.path().join("headwater-data").exists() && !folder.path().join("data").exists());
}
