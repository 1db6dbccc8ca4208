//! The doors of the real binary: listeners, TLS, modes, and what it refuses or explains.

#[path = "process/client.rs"]
mod client;
#[path = "process/running.rs"]
mod running;
#[path = "process/tls.rs"]
mod tls;

use std::net::TcpListener;

use running::{Running, command_with_usual_flags, ended};
use tempfile::tempdir;
use tls::{Brought, Door, authority_of};

/// A failed login's error.
const SASL_AUTHENTICATION_FAILED: i16 = 58;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;

#[test]
fn each_listener_tells_its_own_address() {
    let folder = tempdir().unwrap();
    let listeners = [
        "--listener",
        "A=PLAINTEXT://127.0.0.1:0@lab-a:1111",
        "--listener",
        "B=PLAINTEXT://[::1]:0@lab-b",
        "--listener",
        "C=SSL://127.0.0.1:0@sni",
        "--listener",
        "D=SSL://127.0.0.1:0",
        "--tls-names",
        "lab.example,*.tunnel.example",
    ];
    let running = Running::start(folder.path(), &listeners);
    let (b, c, d) = (running.listener("B, PLAINTEXT"), running.listener("C, SSL"), running.listener("D, SSL"));
    assert_eq!(Door::in_clear(running.kafka).told(), "lab-a:1111");
    assert_eq!(Door::in_clear(b).told(), format!("lab-b:{}", b.port()));
    let authority = authority_of(&folder.path().join("data"));
    for name in ["lab.example", "a.tunnel.example", "localhost"] {
        assert_eq!(Door::encrypted(c, name, &authority).unwrap().told(), format!("{name}:{}", c.port()));
        assert_eq!(Door::encrypted(d, name, &authority).unwrap().told(), d.to_string());
    }
    assert_eq!(Door::encrypted(c, "127.0.0.1", &authority).unwrap().told(), c.to_string(), "no name was asked for");
    let refused = Door::encrypted(c, "evil.example", &authority).err().unwrap();
    assert!(refused.contains("certificate"), "{refused}");
    running.stop();
}

#[test]
fn a_certificate_that_was_brought_is_read_again_when_it_changes_and_kept_when_the_new_one_is_broken() {
    let folder = tempdir().unwrap();
    let first = Brought::new("one.example");
    let flags = first.write(folder.path());
    let listener = ["--listener", "T=SSL://127.0.0.1:0"];
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(listener).collect();
    let running = Running::start(folder.path(), &flags);
    assert!(!running.banner.contains("Certificate"), "no authority of our own: {}", running.banner);
    let address = running.kafka;
    let mut old = Door::encrypted(address, "one.example", &first.certificate).unwrap();
    let second = Brought::new("two.example");
    second.write(folder.path());
    running.wait_for_log("the certificate was read again");
    Door::encrypted(address, "two.example", &second.certificate).unwrap();
    assert!(Door::encrypted(address, "one.example", &first.certificate).is_err());
    assert_eq!(old.told(), address.to_string(), "who is in stays in");
    std::fs::write(folder.path().join("key.pem"), &first.key).unwrap();
    let line = running.wait_for_log("does not belong to the certificate");
    assert!(line.contains("key.pem") && line.contains("stays in use"), "{line}");
    Door::encrypted(address, "two.example", &second.certificate).unwrap();
    running.stop();
}

const CLASSROOM: [&str; 7] = [
    "--classroom",
    "--listener",
    "CLEAR=SASL_PLAINTEXT://0.0.0.0:0@127.0.0.1",
    "--listener",
    "SECURE=SASL_SSL://127.0.0.1:0",
    "--https",
    "127.0.0.1:0",
];

#[test]
fn the_instructors_password_is_made_once_and_again_when_asked_for() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let enters = |running: &Running, password: &str| {
        let mut door = Door::encrypted(running.listener("SECURE, SASL_SSL"), "localhost", &authority_of(&data)).unwrap();
        match door.log_in("instructor", password) {
            0 => !door.metadata().brokers.is_empty(),
            error => {
                assert_eq!(error, SASL_AUTHENTICATION_FAILED);
                false
            }
        }
    };
    let mut running = Running::start(folder.path(), &CLASSROOM);
    let first = running.instructor_secret().to_owned();
    let authority = authority_of(&data);
    assert!(running.banner.contains("SHA-256") && running.banner.contains("\nStudents open http://127.0.0.1:"), "{}", running.banner);
    assert!(enters(&running, &first) && !enters(&running, "otter-otter-otter"));
    let https = running.banner.split("https://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
    let page = Door::encrypted(https, "localhost", &authority).unwrap().get("/healthz");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy"), "{page}");
    assert!(!running.stderr().contains(&first));
    assert!(!running.stderr().contains('\u{1b}'), "a log that is no terminal has no colours: {}", running.stderr());

    running.stop();
    running = Running::start(folder.path(), &CLASSROOM);
    assert!(running.banner.contains("password as before. A new one: headwater serve --classroom --new-instructor-secret"));
    assert!(enters(&running, &first) && authority_of(&data) == authority);

    running.stop();
    running = Running::start(folder.path(), &[&CLASSROOM[..], &["--new-instructor-secret"]].concat());
    let second = running.instructor_secret().to_owned();
    assert!(first != second && enters(&running, &second) && !enters(&running, &first));

    running.stop();
    let mut command = command_with_usual_flags(folder.path(), &CLASSROOM);
    command.args(CLASSROOM).env("HEADWATER_INSTRUCTOR_SECRET", "correct horse battery");
    running = Running::from_command(command, folder.path());
    assert!(running.banner.contains("password as given") && !running.banner.contains("horse"), "{}", running.banner);
    assert!(enters(&running, "correct horse battery") && !enters(&running, &second));
    running.stop();
}

#[test]
fn a_readable_password_is_taken_in_clear_only_where_that_was_asked_for() {
    let folder = tempdir().unwrap();
    let offered = |running: &Running| {
        let mut door = Door::in_clear(running.listener("CLEAR, SASL_PLAINTEXT"));
        let answer = door.handshake("PLAIN");
        let names: Vec<String> = answer.mechanisms.iter().map(ToString::to_string).collect();
        (answer.error_code, names.join(" "))
    };
    let running = Running::start(folder.path(), &CLASSROOM);
    assert_eq!(offered(&running), (UNSUPPORTED_SASL_MECHANISM, "SCRAM-SHA-256 SCRAM-SHA-512".to_owned()));
    running.stop();
    let running = Running::start(folder.path(), &[&CLASSROOM[..], &["--plain-in-clear", "on"]].concat());
    assert_eq!(offered(&running), (0, "SCRAM-SHA-256 SCRAM-SHA-512 PLAIN".to_owned()));
    running.stop();
}

#[test]
fn what_cannot_be_is_refused_in_one_line_and_nothing_listens() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let on_taken = format!("T=SSL://{taken}");
    let folder = tempdir().unwrap();
    Brought::new("a").write(folder.path());
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    for (flags, status, wanted) in [
        (&["--listen", "0.0.0.0:0"][..], 2, "anyone in the network would be administrator"),
        (&["--http", "0.0.0.0:0"], 2, "--http: on 0.0.0.0:0 anyone"),
        (&["--https", "[::]:0"], 2, "--https: on [::]:0 anyone"),
        (&["--listener", "A=SSL://0.0.0.0:0"], 2, "--listener: on 0.0.0.0:0 anyone"),
        (&["--classroom", "--listener", "A=PLAINTEXT://127.0.0.1:0"], 2, "give A=SASL_PLAINTEXT://127.0.0.1:0"),
        (&["--classroom", "--instructor-secret", "short"], 2, "fewer than 12 characters"),
        (&["--listener", &on_taken], 1, "is taken by another program; stop that one, or start with --listener T=SSL://127.0.0.1:"),
        (&["--listener", "A=SSL://192.0.2.77:1"], 2, "anyone in the network"),
        (&["--listener", "A=SASL_SSL://192.0.2.77:1"], 1, "192.0.2.77 is not an address of this machine, which has 127.0.0.1"),
        (&["--https", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "key.pem"], 1, "cannot read no.pem (--tls-cert)"),
        (&["--https", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "empty.pem"], 1, "empty.pem holds no PEM and no private key"),
        (
            &["--https", "127.0.0.1:0", "--tls-cert", "key.pem", "--tls-key", "cert.pem"],
            1,
            "key.pem holds a private key and no certificate",
        ),
    ] {
        let mut command = command_with_usual_flags(folder.path(), flags);
        command.args(flags);
        let ended = ended(command);
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("headwater: ")).collect();
        assert_eq!((ended.status.code(), lines.len()), (Some(status), 1), "{flags:?} {ended:?}");
        assert!(lines[0].contains(wanted), "{flags:?} {}", lines[0]);
        assert!(!folder.path().join("data").exists(), "{flags:?}");
    }
}

#[test]
fn an_advertised_address_that_leads_elsewhere_is_explained() {
    let folder = tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = other.local_addr().unwrap();
    std::thread::spawn(move || other.incoming().for_each(drop));
    let elsewhere = format!("E=SASL_SSL://127.0.0.1:0@{at}");
    let flags = [
        "--listener",
        "N=SASL_PLAINTEXT://127.0.0.1:0@no-such-name.invalid",
        "--listener",
        &elsewhere,
        "--listener",
        "P=PLAINTEXT://127.0.0.1:0@127.0.0.1:1",
        "--listener",
        "L=SASL_PLAINTEXT://0.0.0.0:0@localhost",
        "--listener",
        "G=SASL_SSL://127.0.0.1:0@localhost",
    ];
    let running = Running::start(folder.path(), &flags);
    for wanted in [
        "listener N sends clients to no-such-name.invalid:",
        "a name that is not known here",
        "where another program answers; give an address that leads here, --listener E=SASL_SSL://127.0.0.1:",
        "127.0.0.1:1, where nobody answers, but this broker answers at 127.0.0.1:",
        "those on other machines look for it on their own",
    ] {
        running.wait_for_log(wanted);
    }
    assert!(!running.stderr().contains("listener G"), "{}", running.stderr());
    running.stop();
}
