//! A client that does everything wrong that a login can get wrong, on purpose. Nobody comes in but with a proof, and who is in stays who
//! it is.

#[path = "process/classroom.rs"]
mod classroom;
#[path = "process/client.rs"]
mod client;

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use classroom::{Classroom, PASSWORD, Scram, bare_token, handshake, token};
use client::{Client, frame, text};
use headwater::handlers::APIS;
use headwater::security::Hash;
use kafka_protocol::messages::*;

const OK: i16 = 0;
const UNSUPPORTED_MECHANISM: i16 = 33;
const ILLEGAL_STATE: i16 = 34;
const FAILED: i16 = 58;

/// Whether the connection is at its end: nothing more comes, and no request is answered.
fn is_closed(client: &mut Client) -> bool {
    let _ = client.stream.write_all(&frame(1, 99, &MetadataRequest::default()));
    client.receive().is_err_and(|error| !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

/// What a SCRAM login came to, the final message as `change` made it.
fn scram(room: &Classroom, scram: &Scram, change: impl FnOnce(&str, String) -> String) -> (i16, Client, String) {
    let mut client = room.stranger();
    handshake(&mut client, scram.mechanism());
    let answer = token(&mut client, scram.first().as_bytes()).unwrap();
    if answer.error_code != OK {
        return (answer.error_code, client, String::new());
    }
    let challenge = String::from_utf8(answer.auth_bytes.to_vec()).unwrap();
    let last = change(&challenge, scram.last(&challenge).0);
    let answer = token(&mut client, last.as_bytes()).unwrap();
    (answer.error_code, client, String::from_utf8(answer.auth_bytes.to_vec()).unwrap())
}

fn refused(room: &Classroom, it: &Scram, change: impl FnOnce(&str, String) -> String) {
    let (error, mut client, answer) = scram(room, it, change);
    assert_eq!((error, answer.as_str()), (FAILED, ""), "{}", it.first());
    assert!(is_closed(&mut client));
    forgive(room);
}

/// So that the next attempt need not wait.
fn forgive(room: &Classroom) {
    for user in ["otter", ""] {
        room.broker.security.succeeded(user, [127, 0, 0, 1].into());
    }
}

#[test]
fn a_proof_comes_in_and_the_server_proves_itself_too() {
    let room = Classroom::open();
    for hash in Hash::ALL {
        let it = Scram { hash, ..Scram::new("otter", PASSWORD) };
        let mut owed = String::new();
        let (error, mut client, answer) = scram(&room, &it, |challenge, last| {
            owed = it.last(challenge).1;
            last
        });
        assert_eq!((error, answer), (OK, owed));
        assert!(client.metadata(Some(&["ws.otter.c01"])).topics[0].error_code == OK);
    }
}

#[test]
fn a_wrong_proof_in_any_shape_is_refused() {
    let room = Classroom::open();
    let right = || Scram::new("otter", PASSWORD);
    refused(&room, &Scram::new("otter", "wrong horse"), |_, last| last);
    let with_proof = |last: &str, proof: &[u8]| format!("{},p={}", last.rsplit_once(",p=").unwrap().0, STANDARD.encode(proof));
    for proof in [&[][..], &[0; 32], &[255; 31], &[1; 33], &[7; 64]] {
        refused(&room, &right(), |_, last| with_proof(&last, proof));
    }
    refused(&room, &right(), |_, last| last.rsplit_once(",p=").unwrap().0.to_owned());
    refused(&room, &right(), |_, last| format!("{last},p=AAAA"));
    refused(&room, &right(), |_, last| last.replace("p=", "P="));
    refused(&room, &right(), |_, _| String::new());
    refused(&room, &right(), |_, _| right().first());
}

#[test]
fn a_nonce_of_another_login_or_only_ones_own_is_refused() {
    let room = Classroom::open();
    let mut overheard = String::new();
    let it = Scram::new("otter", PASSWORD);
    let (error, ..) = scram(&room, &it, |_, last| {
        overheard.clone_from(&last);
        last
    });
    assert_eq!(error, OK);
    // The very same messages once more: the server's part of the nonce is another.
    refused(&room, &it, |_, _| overheard);
    // librdkafka before 2.6.1 says its own part twice; with a right proof that is a login, with another nonce before it is none.
    let salt_of = |challenge: &str| STANDARD.decode(challenge.split(',').find_map(|p| p.strip_prefix("s=")).unwrap()).unwrap();
    let with = |before: &str| {
        let it = Scram::new("otter", PASSWORD);
        let said = |challenge: &str, _: String| {
            let nonce = challenge.split(',').next().unwrap().strip_prefix("r=").unwrap();
            let before = if before.is_empty() { &it.nonce } else { before };
            it.prove(challenge, &format!("{before}{nonce}"), &salt_of(challenge), 4_096).0
        };
        scram(&room, &it, said).0
    };
    assert_eq!((with(""), with("another")), (OK, FAILED));
    forgive(&room);
    // Proved over the client's part alone.
    refused(&room, &it, |challenge, _| {
        let salt = challenge.split(',').find_map(|p| p.strip_prefix("s=")).unwrap();
        it.prove(challenge, &it.nonce, &STANDARD.decode(salt).unwrap(), 4_096).0
    });
}

#[test]
fn nobody_becomes_somebody_else() {
    let room = Classroom::open();
    let as_other = |gs2: &str| Scram { gs2: gs2.to_owned(), ..Scram::new("otter", PASSWORD) };
    for gs2 in ["n,a=instructor,", "y,a=heron,", "p=tls-unique,,", "x,,", "n,"] {
        refused(&room, &as_other(gs2), |_, last| last);
    }
    let (error, ..) = scram(&room, &as_other("n,a=otter,"), |_, last| last);
    assert_eq!(error, OK, "oneself may be named");
    // What was announced first is part of the proof.
    refused(&room, &as_other("n,,"), |_, last| last.replace("c=biws", &format!("c={}", STANDARD.encode("n,a=instructor,"))));
    for bytes in
        [&b"instructor\0otter\0correct horse"[..], b"\0otter\0", b"\0\0correct horse", b"otter\0correct horse", b"\xff\0\xff\0\xff", b""]
    {
        let mut client = room.stranger();
        handshake(&mut client, "PLAIN");
        assert_eq!(token(&mut client, bytes).unwrap().error_code, FAILED, "{bytes:?}");
        assert!(is_closed(&mut client));
        forgive(&room);
    }
    for bare in
        ["n=,r=abc", "n=otter", "r=abc,n=otter", "m=x,n=otter,r=abc", "n=otter,r=abc,tokenauth=true", "n=ot=ter,r=abc", "n=otter,r="]
    {
        let it = Scram { bare: bare.to_owned(), nonce: "abc".to_owned(), ..Scram::new("otter", PASSWORD) };
        refused(&room, &it, |_, last| last);
    }
}

#[test]
fn nothing_is_served_before_the_login_whatever_the_key() {
    let room = Classroom::open();
    for row in APIS.iter().filter(|row| ![17, 18, 36].contains(&row.key)) {
        for version in [row.min, row.max] {
            let mut client = room.stranger();
            let mut request = Vec::from(row.key.to_be_bytes());
            request.extend(version.to_be_bytes());
            request.extend([0, 0, 0, 1, 255, 255]);
            request.extend([0; 64]);
            client.stream.write_all(&[&u32::try_from(request.len()).unwrap().to_be_bytes()[..], &request].concat()).unwrap();
            assert!(client.receive().is_err(), "{} v{version} was answered", row.name);
        }
    }
    // In the middle of a login neither.
    let mut client = room.stranger();
    handshake(&mut client, "SCRAM-SHA-256");
    token(&mut client, Scram::new("otter", PASSWORD).first().as_bytes()).unwrap();
    assert!(is_closed(&mut client));
    let seen = room.broker.sightings.strangers();
    assert!(seen.iter().any(|trouble| trouble.what.starts_with("PLAINTEXT client on a SASL port")), "{seen:?}");
}

#[test]
fn what_is_sent_behind_a_failed_login_is_not_looked_at() {
    let room = Classroom::open();
    let mut client = room.stranger();
    let create = CreateTopicsRequest::default().with_topics(vec![
        create_topics_request::CreatableTopic::default()
            .with_name(client::topic_name("ws.otter.x"))
            .with_num_partitions(1)
            .with_replication_factor(1),
    ]);
    let all = [
        frame(1, 1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN"))),
        frame(2, 2, &SaslAuthenticateRequest::default().with_auth_bytes(b"\0otter\0wrong".to_vec().into())),
        frame(5, 3, &create),
    ];
    client.stream.write_all(&all.concat()).unwrap();
    assert!(client.receive().is_ok() && client.receive().is_ok());
    assert!(client.receive().is_err());
    assert!(room.broker.catalog.get("ws.otter.x").is_none());
    // The same with the right password is served, all in one piece.
    let mut client = room.stranger();
    let right = frame(2, 2, &SaslAuthenticateRequest::default().with_auth_bytes(format!("\0otter\0{PASSWORD}").into_bytes().into()));
    client.stream.write_all(&[&all[0][..], &right, &all[2]].concat()).unwrap();
    assert!(client.receive().is_ok() && client.receive().is_ok() && client.receive().is_ok());
    assert!(room.broker.catalog.get("ws.otter.x").is_some());
}

/// Some clients lose an answer that comes together with the end, and tell of a lost connection instead of a wrong password.
#[test]
fn the_end_waits_until_the_answer_to_a_failed_login_is_read() {
    let room = Classroom::open();
    let mut client = room.stranger();
    handshake(&mut client, "PLAIN");
    assert_eq!(token(&mut client, b"\0otter\0wrong").unwrap().error_code, FAILED);
    let answered = Instant::now();
    client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let early = client.stream.read(&mut [0]);
    assert!(early.as_ref().is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)), "{early:?}");
    client.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(client.stream.read(&mut [0]).unwrap(), 0);
    assert!(answered.elapsed() < Duration::from_secs(5), "{:?}", answered.elapsed());
}

#[test]
fn a_login_out_of_order_is_refused() {
    let room = Classroom::open();
    // A token without a handshake.
    let mut client = room.stranger();
    assert_eq!(token(&mut client, format!("\0otter\0{PASSWORD}").as_bytes()).unwrap().error_code, ILLEGAL_STATE);
    assert!(is_closed(&mut client));
    // A second handshake changes nothing: the login that was begun goes on.
    let mut client = room.stranger();
    handshake(&mut client, "SCRAM-SHA-256");
    let again = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    assert_eq!(again.error_code, ILLEGAL_STATE);
    assert_eq!(token(&mut client, format!("\0otter\0{PASSWORD}").as_bytes()).unwrap().error_code, FAILED);
    // The final message first.
    let mut client = room.stranger();
    handshake(&mut client, "SCRAM-SHA-256");
    assert_eq!(token(&mut client, b"c=biws,r=abc,p=AAAA").unwrap().error_code, FAILED);
    // A mechanism nobody offers.
    for mechanism in ["GSSAPI", "OAUTHBEARER", "scram-sha-256", "", "SCRAM-SHA-1"] {
        let mut client = room.stranger();
        let answer = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text(mechanism)));
        assert_eq!(answer.error_code, UNSUPPORTED_MECHANISM);
        assert_eq!(answer.mechanisms.iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]);
        assert!(is_closed(&mut client));
    }
}

#[test]
fn who_is_in_stays_who_it_is() {
    let room = Classroom::open();
    let mut client = room.login("otter");
    let again = client.ask(1, &SaslHandshakeRequest::default().with_mechanism(text("PLAIN")));
    assert_eq!((again.error_code, again.mechanisms.len()), (ILLEGAL_STATE, 0));
    let log_dirs = |client: &mut Client| client.ask(4, &DescribeLogDirsRequest::default().with_topics(None)).error_code;
    assert_eq!(log_dirs(&mut client), 31);
    let answer = token(&mut client, format!("\0instructor\0{PASSWORD}").as_bytes()).unwrap();
    assert_eq!(answer.error_code, ILLEGAL_STATE);
    assert!(is_closed(&mut client));
    assert_eq!(log_dirs(&mut room.login("instructor")), OK);
}

#[test]
fn tokens_without_a_header_log_in_and_fail_without_a_word() {
    let room = Classroom::open();
    let begin = |mechanism: &str| {
        let mut client = room.stranger();
        assert_eq!(client.ask(0, &SaslHandshakeRequest::default().with_mechanism(text(mechanism))).error_code, OK);
        client
    };
    let mut client = begin("PLAIN");
    assert_eq!(bare_token(&mut client, format!("\0otter\0{PASSWORD}").as_bytes()).unwrap(), b"");
    assert_eq!(client.metadata(Some(&["ws.otter.c01"])).topics[0].error_code, OK);
    let it = Scram::new("otter", PASSWORD);
    let mut client = begin("SCRAM-SHA-256");
    let challenge = String::from_utf8(bare_token(&mut client, it.first().as_bytes()).unwrap()).unwrap();
    let (last, owed) = it.last(&challenge);
    assert_eq!(bare_token(&mut client, last.as_bytes()).unwrap(), owed.as_bytes());
    assert_eq!(client.metadata(Some(&["ws.otter.c01"])).topics[0].error_code, OK);
    for (mechanism, bytes) in [("PLAIN", &b"\0otter\0wrong"[..]), ("PLAIN", b""), ("SCRAM-SHA-256", b"n,,n=otter"), ("PLAIN", &[0; 20_000])]
    {
        let mut client = begin(mechanism);
        assert!(bare_token(&mut client, bytes).is_err());
    }
    // A request in place of a token is one, and wrong.
    let mut client = begin("PLAIN");
    assert!(is_closed(&mut client));
}

#[test]
fn before_the_login_frames_are_small_and_time_is_short() {
    let room = Classroom::with(|limits| limits.login_within = Duration::from_secs(1));
    for size in [64 * 1024 + 1, 1 << 20, i32::MAX as u32, u32::MAX] {
        let mut client = room.stranger();
        client.stream.write_all(&size.to_be_bytes()).unwrap();
        assert!(client.receive().is_err());
    }
    let begun = Instant::now();
    let mut silent = room.stranger();
    let mut slow = room.stranger();
    handshake(&mut slow, "SCRAM-SHA-256");
    assert!(silent.receive().is_err() && slow.receive().is_err());
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
    let mut known = room.login("otter");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(known.metadata(Some(&["ws.otter.c01"])).topics[0].error_code, OK, "the limit is the login's");
}

#[test]
fn many_that_do_not_log_in_do_not_keep_out_who_does() {
    let room = Classroom::open();
    let idle: Vec<Client> = (0..600).map(|_| room.stranger()).collect();
    let begun = Instant::now();
    for _ in 0..20 {
        room.login("otter").metadata(Some(&["ws.otter.c01"]));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(idle);
}

#[test]
fn a_failure_slows_that_user_only_and_locks_nobody_out() {
    let room = Classroom::open();
    let attempt = |user: &str, password: &str| {
        let begun = Instant::now();
        let mut client = room.stranger();
        handshake(&mut client, "PLAIN");
        let error = token(&mut client, format!("\0{user}\0{password}").as_bytes()).unwrap().error_code;
        (error, begun.elapsed())
    };
    let waits: Vec<Duration> = (0..4)
        .map(|_| attempt("otter", "wrong"))
        .map(|(error, took)| {
            assert_eq!(error, FAILED);
            took
        })
        .collect();
    assert!(waits[3] >= Duration::from_millis(800) && waits[3] < Duration::from_secs(8), "{waits:?}");
    let (error, took) = attempt("otter", PASSWORD);
    assert!(error == OK && took < Duration::from_millis(800), "the right password is served at once: {took:?}");
    let (error, took) = attempt("heron", "wrong");
    assert!(error == FAILED && took < Duration::from_millis(800), "others start anew: {took:?}");
    let seen = room.broker.sightings.user("otter").unwrap();
    assert_eq!(
        seen.troubles.iter().map(|t| (t.what.as_str(), t.times)).collect::<Vec<_>>(),
        [("a login as otter with a wrong password", 4)]
    );
    assert_eq!(seen.logins.last().map(|login| login.mechanism.as_str()), Some("PLAIN"));
}

/// Logins of a class, one after the other, by SCRAM: the slowest but three, and all together. What the password costs the client is paid
/// once.
fn class_comes_in(room: &Classroom) -> (Duration, Duration) {
    let mut salted = Vec::new();
    let begun = Instant::now();
    let mut each: Vec<Duration> = (0..299)
        .map(|_| {
            let begun = Instant::now();
            let it = Scram::new("heron", PASSWORD);
            let mut client = room.stranger();
            handshake(&mut client, it.mechanism());
            let challenge = token(&mut client, it.first().as_bytes()).unwrap().auth_bytes;
            let challenge = String::from_utf8(challenge.to_vec()).unwrap();
            let part = |name: &str| challenge.split(',').find_map(|p| p.strip_prefix(name)).unwrap();
            if salted.is_empty() {
                salted = it.hash.salted_password(PASSWORD.as_bytes(), &STANDARD.decode(part("s=")).unwrap(), 4_096);
            }
            let (last, _) = it.prove_by(&salted, &challenge, part("r="));
            assert_eq!(token(&mut client, last.as_bytes()).unwrap().error_code, OK);
            assert_eq!(client.metadata(Some(&["ecommerce-events"])).topics[0].error_code, OK);
            begun.elapsed()
        })
        .collect();
    each.sort();
    (each[295], begun.elapsed())
}

#[test]
fn one_who_guesses_does_not_hold_up_a_class_behind_the_same_address() {
    let room = Classroom::open();
    let (slow_alone, alone) = class_comes_in(&room);
    let over = std::sync::atomic::AtomicBool::new(false);
    let guesses = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..40 {
            let (room, over, guesses) = (&room, &over, &guesses);
            scope.spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut client = room.stranger();
                    handshake(&mut client, "PLAIN");
                    // Each guess is at another user, so that none of them has to wait for long.
                    let guess = guesses.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let _ = token(&mut client, format!("\0user-{number}-{guess}\0guess").as_bytes());
                }
            });
        }
        while guesses.load(std::sync::atomic::Ordering::Relaxed) < 100 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let (slow_beside, beside) = class_comes_in(&room);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        println!("299 logins: {alone:?} alone (p99 {slow_alone:?}), {beside:?} beside {guesses:?} guesses (p99 {slow_beside:?})");
        assert!(beside < Duration::from_secs(60) && slow_beside < Duration::from_secs(5));
    });
}

#[test]
fn an_unknown_user_looks_like_a_known_one() {
    let room = Classroom::open();
    let challenge = |user: &str| {
        let it = Scram::new(user, "whatever");
        let mut client = room.stranger();
        handshake(&mut client, it.mechanism());
        let answer = token(&mut client, it.first().as_bytes()).unwrap();
        assert_eq!(answer.error_code, OK);
        let text = String::from_utf8(answer.auth_bytes.to_vec()).unwrap();
        let (last, _) = it.last(&text);
        let refused = token(&mut client, last.as_bytes()).unwrap();
        (text.replace(text.split(',').next().unwrap(), ""), refused.error_code, refused.error_message)
    };
    let (known, unknown, again) = (challenge("otter"), challenge("nobody"), challenge("nobody"));
    assert_eq!(unknown, again, "the salt of a user that is not there stays the same");
    assert_eq!((known.0.len(), known.1, &known.2), (unknown.0.len(), unknown.1, &unknown.2));
}
