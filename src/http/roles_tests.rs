//! Every route for every role, on a broker that really keeps users; and what a request has to look like to get that far.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::class_fixture::{CODE, Class, SECRET, class};
use super::*;
use crate::workshop::Role;
use routes::ROUTES;

/// Method, path, body, and the status for nobody, a student, another student and the instructor. `ID` is the first student's.
#[rustfmt::skip]
const EXPECTED: &[(&str, &str, &str, &str, [u16; 4])] = &[
    ("get",    "/",                           "/",                               "",                                     [200, 200, 200, 200]),
    ("get",    "/healthz",                    "/healthz",                        "",                                     [200, 200, 200, 200]),
    ("get",    "/metrics",                    "/metrics",                        "",                                     [401, 403, 403, 200]),
    ("get",    "/{page}",                     "/topics",                         "",                                     [200, 200, 200, 200]),
    ("get",    "/{page}/{*rest}",             "/topics/some/thing",              "",                                     [200, 200, 200, 200]),
    ("get",    "/plain",                      "/plain",                          "",                                     [200, 200, 200, 200]),
    ("get",    "/plain.css",                  "/plain.css",                      "",                                     [200, 200, 200, 200]),
    ("get",    "/assets/{name}",              "/assets/none.js",                 "",                                     [404, 404, 404, 404]),
    ("get",    "/schemas/{name}",             "/schemas/ecommerce-events.json",  "",                                     [200, 200, 200, 200]),
    ("get",    "/ca.pem",                     "/ca.pem",                         "",                                     [404, 404, 404, 404]),
    ("get",    "/api/openapi.json",           "/api/openapi.json",               "",                                     [200, 200, 200, 200]),
    ("get",    "/api/server",                 "/api/server",                     "",                                     [200, 200, 200, 200]),
    ("get",    "/api/settings",               "/api/settings?client=kcat",       "",                                     [200, 200, 200, 200]),
    ("post",   "/api/join",                   "/api/join",                       r#"{"code":"wrong"}"#,                  [403, 200, 200, 403]),
    ("post",   "/api/login",                  "/api/login",                      r#"{"user":"x","password":"y"}"#,       [401, 401, 401, 401]),
    ("post",   "/api/logout",                 "/api/logout",                     "",                                     [200, 200, 200, 200]),
    ("get",    "/api/me",                     "/api/me",                         "",                                     [200, 200, 200, 200]),
    ("get",    "/api/overview",               "/api/overview",                   "",                                     [401, 200, 200, 200]),
    ("get",    "/api/topics",                 "/api/topics?internal=true",       "",                                     [401, 200, 200, 200]),
    ("post",   "/api/topics",                 "/api/topics",                     r#"{"name":"ws.ID.made"}"#,             [401, 200, 403, 409]),
    ("get",    "/api/topics/{name}",          "/api/topics/ws.ID.made",          "",                                     [401, 200, 403, 200]),
    ("post",   "/api/topics/{name}/records",  "/api/topics/ws.ID.made/records",  r#"{"value":"{}","partition":0}"#,      [401, 200, 403, 200]),
    ("get",    "/api/topics/{name}/records",  "/api/topics/ws.ID.made/records",  "",                                     [401, 200, 403, 200]),
    ("get", "/api/topics/{name}/records/{partition}/{offset}", "/api/topics/ws.ID.made/records/0/1", "",                [401, 200, 403, 200]),
    ("get",    "/api/topics/{name}/download", "/api/topics/ws.ID.made/download", "",                                     [401, 200, 403, 200]),
    ("delete", "/api/topics/{name}",          "/api/topics/ws.ID.made",          "",                                     [401, 200, 403, 404]),
    ("get",    "/headwater.pyz",              "/headwater.pyz",                  "",                                     [200, 200, 200, 200]),
    ("get", "/headwater_student-0.1.0-py3-none-any.whl", "/headwater_student-0.1.0-py3-none-any.whl", "",             [200, 200, 200, 200]),
    // There is none here.
    ("get",    "/wheels",                     "/wheels",                         "",                                     [404, 404, 404, 404]),
    ("get",    "/wheels/",                    "/wheels/",                        "",                                     [404, 404, 404, 404]),
    ("get",    "/wheels/{project}",           "/wheels/kafka-python",            "",                                     [404, 404, 404, 404]),
    ("get",    "/wheels/{project}/",          "/wheels/kafka-python/",           "",                                     [404, 404, 404, 404]),
    ("get",    "/wheels/{project}/{file}",    "/wheels/kafka-python/x.whl",      "",                                     [404, 404, 404, 404]),
    ("post",   "/api/me/reset",               "/api/me/reset",                   "{}",                                   [401, 200, 200, 409]),
    ("post",   "/api/reset",                  "/api/reset",                      "{}",                                   [401, 403, 403, 200]),
    ("get",    "/api/seen",                   "/api/seen",                       "",                                     [401, 200, 200, 200]),
    // One that is answered goes on.
    ("get",    "/api/live",                   "/api/live?every=2",               "",                                     [401, 400, 400, 400]),
    ("get",    "/api/history",                "/api/history?minutes=60",         "",                                     [401, 200, 200, 200]),
    ("get",    "/api/groups",                 "/api/groups",                     "",                                     [401, 200, 200, 200]),
    ("get",    "/api/groups/{id}",            "/api/groups/ID-none",             "",                                     [401, 404, 403, 404]),
    ("post",   "/api/groups/{id}/offsets",    "/api/groups/ID-none/offsets",     r#"{"to":"latest"}"#,                   [401, 404, 403, 404]),
    ("delete", "/api/groups/{id}",            "/api/groups/ID-none",             "",                                     [401, 404, 403, 404]),
    ("get",    "/api/requests",               "/api/requests?errors=first",      "",                                     [401, 200, 200, 200]),
    ("put",    "/api/listeners/{name}",       "/api/listeners/CLASS",            r#"{"advertise":"lab:9094"}"#,          [401, 403, 403, 200]),
    ("get",    "/api/students",               "/api/students",                   "",                                     [401, 403, 403, 200]),
    ("put",    "/api/students/{id}",          "/api/students/ID",                r#"{"name":"Ada"}"#,                    [401, 403, 403, 200]),
    ("get",    "/api/generators",             "/api/generators",                 "",                                     [401, 403, 403, 409]),
    ("put",    "/api/generators/rate",        "/api/generators/rate",            r#"{"factor":2}"#,                      [401, 403, 403, 409]),
    ("put",    "/api/generators/pause",       "/api/generators/pause",           "{}",                                   [401, 403, 403, 409]),
    ("put",    "/api/generators/resume",      "/api/generators/resume",          "{}",                                   [401, 403, 403, 409]),
    ("get",    "/api/incidents",              "/api/incidents",                  "",                                     [401, 403, 403, 409]),
    ("post",   "/api/incidents",              "/api/incidents",                  r#"{"kind":"flash-sale"}"#,             [401, 403, 403, 409]),
    ("delete", "/api/incidents/{id}",         "/api/incidents/1",                "",                                     [401, 403, 403, 409]),
    ("post",   "/api/students/{id}/password", "/api/students/none-such/password", "",                                    [401, 403, 403, 404]),
    ("delete", "/api/students/{id}",          "/api/students/none-such",         "",                                     [401, 403, 403, 404]),
    ("get",    "/api/challenges",             "/api/challenges",                 "",                                     [200, 200, 200, 200]),
    ("get",    "/api/challenges/{id}",        "/api/challenges/c01",             "",                                     [200, 200, 200, 200]),
    ("get",    "/api/challenges/{id}/{file}", "/api/challenges/c01/starter.py",  "",                                     [200, 200, 200, 200]),
    // The streams of this class are not there yet.
    ("post",   "/api/ticket/{id}",            "/api/ticket/c01",                 "{}",                                   [401, 409, 409, 409]),
    ("get",    "/api/tickets/{id}",           "/api/tickets/c01",                "",                                     [401, 200, 200, 200]),
    ("post",   "/api/check/{id}",             "/api/check/c01?student=ID",       "{}",                                   [401, 200, 403, 200]),
    ("get",    "/api/verdict/{id}",           "/api/verdict/c01?student=ID",     "",                                     [401, 200, 403, 200]),
    ("post",   "/api/hint/{id}",              "/api/hint/c01?student=ID",        "{}",                                   [401, 200, 403, 200]),
    ("get",    "/api/hint/{id}",              "/api/hint/c01?student=ID",        "",                                     [401, 200, 403, 200]),
    ("post",   "/api/stuck/{id}",             "/api/stuck/c01?student=ID",       r#"{"stuck":true}"#,                    [401, 200, 403, 200]),
    ("post",   "/api/explain/{id}",           "/api/explain/c01?student=ID",     r#"{"choice":0}"#,                      [401, 200, 403, 200]),
    ("get",    "/api/progress",               "/api/progress?student=ID",        "",                                     [401, 200, 403, 200]),
    ("get",    "/api/progress/export",        "/api/progress/export",            "",                                     [401, 403, 403, 200]),
    ("delete", "/api/progress",               "/api/progress",                   r#"{"student":"none-such"}"#,           [401, 403, 403, 404]),
    ("get",    "/api/class",                  "/api/class",                      "",                                     [401, 403, 403, 200]),
    ("put",    "/api/class/{student}/{id}",   "/api/class/ID/c01",               r#"{"status":"granted"}"#,              [401, 403, 403, 200]),
    ("get",    "/api/leaderboard",            "/api/leaderboard",                "",                                     [401, 404, 404, 200]),
    ("put",    "/api/leaderboard",            "/api/leaderboard",                r#"{"on":true}"#,                       [401, 403, 403, 200]),
    ("get",    "/api/report",                 "/api/report?student=ID",          "",                                     [401, 200, 403, 200]),
    ("put",    "/api/report",                 "/api/report",                     r#"{"answers":{"built":"a board"}}"#,   [401, 200, 200, 200]),
    ("post",   "/api/report",                 "/api/report",                     "{}",                                   [401, 200, 200, 200]),
    ("get",    "/api/reports",                "/api/reports",                    "",                                     [401, 403, 403, 200]),
    ("get",    "/api/medallion",              "/api/medallion?student=ID",       "",                                     [401, 200, 403, 200]),
    ("get",    "/api/room",                   "/api/room",                       "",                                     [401, 200, 200, 200]),
    ("put",    "/api/room",                   "/api/room",                       r#"{"announcement":"hello"}"#,          [401, 403, 403, 200]),
    ("get",    "/api/join-code",              "/api/join-code",                  "",                                     [401, 403, 403, 200]),
    ("get",    "/api/doctor",                 "/api/doctor",                     "",                                     [401, 200, 200, 200]),
    ("get",    "/api/verbs",                  "/api/verbs",                      "",                                     [401, 200, 200, 200]),
    ("post",   "/api/console",                "/api/console",                    r#"{"line":"help"}"#,                   [401, 200, 200, 200]),
    ("post",   "/api/students/{id}/reset",    "/api/students/ID/reset",          "{}",                                   [401, 403, 403, 200]),
    // It ends the sessions that the others come with.
    ("post",   "/api/me/password",            "/api/me/password",                "",                                     [401, 200, 200, 409]),
];

#[tokio::test]
async fn every_route_answers_each_role_as_the_table_says() {
    let class = class().await;
    let (student, other) = (class.join().await, class.join().await);
    let instructor = class.instructor().await;
    let token = |student: &Value| student["token"].as_str().unwrap().to_owned();
    let callers = [None, Some(token(&student)), Some(token(&other)), Some(instructor)];
    for route in ROUTES {
        let known = EXPECTED.iter().any(|(method, path, ..)| *method == route.method && *path == route.path);
        assert!(known, "{} {} has no row in EXPECTED", route.method, route.path);
    }
    let (mut asked, mut answered) = (0, HashSet::new());
    for (method, path, example, body, expected) in EXPECTED {
        let route = ROUTES.iter().find(|route| route.method == *method && route.path == *path);
        let route = route.unwrap_or_else(|| panic!("{method} {path} is no route"));
        let named = |text: &str| text.replace("ID", student["id"].as_str().unwrap());
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&named(body)).unwrap() };
        let example = named(example);
        for (caller, status) in callers.iter().zip(expected) {
            let answer = class.ask(&method.to_uppercase(), &example, caller.as_deref(), &body).await;
            assert_eq!(answer.status, *status, "{method} {example} for {caller:?}: {}", answer.body);
            // Of two students neither may look at the other's.
            let is_others = answer.status == 403 && (answer.body.contains("somebody else's") || answer.body.contains("not one of your"));
            assert_eq!(
                matches!(answer.status, 401 | 403) && route.who > Role::Nobody && !is_others,
                *status != 404 && route.who > role_of(&callers, caller)
            );
            if answer.status >= 400 {
                let (error, fix) = (&answer.json()["error"], &answer.json()["fix"]);
                assert!(error.as_str().is_some_and(|e| !e.is_empty()) && fix.as_str().is_some_and(|f| !f.is_empty()), "{}", answer.body);
            }
            if answer.status == 200 {
                answered.insert((*method, *path));
            }
            assert!(answer.head.contains("x-content-type-options: nosniff") && !answer.head.contains("access-control-"), "{}", answer.head);
            asked += 1;
        }
    }
    println!("{} routes, {asked} answers", ROUTES.len());
    // What an answer is like is looked at with each one that comes (`class_fixture.rs`); so each row has to be answered once.
    let of_json = |route: &&routes::Route| openapi_tests::answers(route).iter().any(|answer| matches!(answer, openapi::Content::Json(_)));
    let unanswered: HashSet<_> =
        ROUTES.iter().filter(of_json).map(|route| (route.method, route.path)).filter(|row| !answered.contains(row)).collect();
    assert_eq!(unanswered, openapi_tests::ELSEWHERE.iter().copied().collect());
}

fn role_of(callers: &[Option<String>; 4], caller: &Option<String>) -> Role {
    match callers.iter().position(|one| one == caller) {
        Some(0) => Role::Nobody,
        Some(3) => Role::Instructor,
        _ => Role::Student,
    }
}

#[tokio::test]
async fn a_student_sees_the_streams_and_what_is_theirs() {
    let class = class().await;
    let (student, other) = (class.join().await, class.join().await);
    let topic = |student: &Value| format!("{}c01", student["prefix"].as_str().unwrap());
    for name in ["ecommerce-events", "secret-plans", &topic(&student), &topic(&other)] {
        class.cluster.ensure_topic(&name.into(), 1, &[]).await.unwrap();
    }
    let seen = async |token: &str| {
        let overview = class.ask("GET", "/api/overview", Some(token), &Value::Null).await.json();
        let names = overview["topics"].as_array().unwrap().iter().map(|topic| topic["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(seen(student["token"].as_str().unwrap()).await, ["ecommerce-events".to_owned(), topic(&student)]);
    assert_eq!(seen(other["token"].as_str().unwrap()).await, ["ecommerce-events".to_owned(), topic(&other)]);
    let all = seen(&class.instructor().await).await;
    assert!(all.len() == 4 && !all.iter().any(|name| name == "_workshop"), "{all:?}");
    let page = class.ask("GET", "/", None, &Value::Null).await;
    assert!(!page.body.contains("secret-plans") && !page.body.contains(student["id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_reset_says_what_dies_and_takes_a_word_and_the_secret() {
    let class = class().await;
    let (student, other) = (class.join().await, class.join().await);
    let text = |student: &Value, field: &str| student[field].as_str().unwrap().to_owned();
    let topic = |student: &Value| format!("{}c01", text(student, "prefix"));
    let make = async || {
        for name in ["ecommerce-events", &topic(&student), &topic(&other)] {
            class.cluster.ensure_topic(&name.into(), 1, &[]).await.unwrap();
        }
    };
    let names = || class.cluster.topics().into_iter().filter(|t| !t.internal).map(|t| t.name.to_string()).collect::<Vec<_>>();
    make().await;
    let (mine, instructor) = (text(&student, "token"), class.instructor().await);
    // One's own only.
    let told = class.ask("POST", "/api/me/reset", Some(&mine), &json!({})).await.json();
    assert_eq!(told["topics"][0]["name"].as_str(), Some(topic(&student).as_str()));
    assert_eq!((told["topics"].as_array().unwrap().len(), names().len()), (1, 3), "nothing is gone yet");
    let confirm = json!({ "confirm": told["confirm"] });
    assert_eq!(class.ask("POST", "/api/me/reset", Some(&text(&other, "token")), &confirm).await.status, 409, "the word is the student's");
    assert_eq!(class.ask("POST", "/api/me/reset", Some(&mine), &confirm).await.status, 200);
    assert_eq!(names().len(), 2);
    assert_eq!(class.ask("POST", "/api/me/reset", Some(&mine), &confirm).await.status, 409, "it is good once");
    // Everything.
    make().await;
    let told = class.ask("POST", "/api/reset", Some(&instructor), &json!({})).await.json();
    assert_eq!((told["topics"].as_array().unwrap().len(), names().len()), (3, 3));
    let order = |secret: &str| json!({ "confirm": told["confirm"], "secret": secret });
    assert_eq!(class.ask("POST", "/api/reset", Some(&instructor), &json!({ "confirm": told["confirm"] })).await.status, 403);
    assert_eq!(class.ask("POST", "/api/reset", Some(&instructor), &order("guess")).await.status, 403);
    assert_eq!(names().len(), 3);
    let done = class.ask("POST", "/api/reset", Some(&instructor), &order(SECRET)).await;
    assert_eq!((done.status, names()), (200, Vec::new()), "{}", done.body);
    // Who has joined stays.
    assert_eq!(class.ask("GET", "/api/me", Some(&mine), &Value::Null).await.json()["id"], student["id"]);
}

#[tokio::test]
async fn another_site_cannot_change_anything_in_a_students_name() {
    let class = class().await;
    let joined = class.ask("POST", "/api/join", None, &json!({ "code": CODE })).await;
    let cookie = joined.cookie();
    assert!(joined.head.contains("HttpOnly; SameSite=Strict") && !joined.head.contains("Secure"), "{}", joined.head);
    let here = format!("http://{}", class.address);
    let post = async |extra: &[(&str, &str)]| {
        let headers = [&[("content-type", "application/json"), ("cookie", cookie.as_str())], extra].concat();
        class.raw("POST", "/api/logout", &headers, "{}").await.status
    };
    assert_eq!(post(&[("origin", &here)]).await, 200);
    assert_eq!(post(&[("origin", &here), ("sec-fetch-site", "same-origin")]).await, 200);
    let evil: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", &here), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
    ];
    for headers in evil {
        assert_eq!(post(headers).await, 403, "{headers:?}");
    }
    let told = class.raw("POST", "/api/join", &[("origin", "http://evil.example")], "").await;
    assert_eq!((told.status, &told.json()["error"]), (403, &json!("the request comes from another site")));
    // A tool without a browser's headers, that shows who it is itself.
    assert_eq!(class.ask("POST", "/api/logout", Some(cookie.split_once('=').unwrap().1), &json!({})).await.status, 200);
    let preflight = class.raw("OPTIONS", "/api/logout", &[("origin", "http://evil.example")], "").await;
    assert!(preflight.status == 403 && !preflight.head.contains("access-control-"), "{}", preflight.head);
}

#[tokio::test]
async fn a_name_that_is_not_ours_gets_nothing() {
    let class = class().await;
    for host in ["localhost", "localhost:8080", "lab.localhost", "127.0.0.1", "[::1]:8080", "192.168.0.5:8080", &guards::machine_names()[0]]
    {
        assert_eq!(class.raw("GET", "/api/server", &[("host", host)], "").await.status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil", "a b"] {
        let answer = class.raw("GET", "/api/server", &[("host", host)], "").await;
        assert!(matches!(answer.status, 400 | 421), "{host}: {}", answer.status);
        if answer.status == 421 {
            assert!(!answer.body.contains("listeners") && answer.json()["fix"].as_str().is_some(), "{}", answer.body);
        }
    }
    let answer = class.raw("GET", "/api/server", &[("host", "lab.example")], "").await;
    assert_eq!(answer.json()["fix"], "use its IP address, or start it with --http-names lab.example");
    assert_eq!(class.raw("GET", "/healthz", &[("host", "headwater")], "").await.status, 200);
    assert_eq!(class.raw("GET", "http://evil.example/api/server", &[("host", "localhost")], "").await.status, 421);
}

#[tokio::test]
async fn bodies_are_small_and_json() {
    let class = class().await;
    let json = ("content-type", "application/json");
    let post = async |headers: &[(&str, &str)], body: &str| class.raw("POST", "/api/join", headers, body).await.status;
    let body = json!({ "code": CODE }).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"] {
        assert_eq!(post(&[("content-type", kind)], &body).await, 415, "{kind}");
    }
    assert_eq!(post(&[], &body).await, 415);
    assert_eq!(post(&[("content-type", "application/json; charset=utf-8")], &body).await, 200);
    let huge = format!("{{\"code\":\"{}\"}}", "x".repeat(270_000));
    assert_eq!(post(&[json], &huge).await, 413);
    let chunked = format!("{:x}\r\n{huge}\r\n0\r\n\r\n", huge.len());
    let mut socket = TcpStream::connect(class.address).await.unwrap();
    let head = "POST /api/join HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(format!("{head}{chunked}").as_bytes()).await.unwrap();
    let mut start = [0; 12];
    socket.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    for body in ["{", "[]", "{}", r#"{"code":7}"#, r#"{"code":"x","admin":true}"#] {
        assert_eq!(post(&[json], body).await, 400, "{body}");
    }
}

#[tokio::test]
async fn guesses_are_slowed_and_a_class_behind_one_address_is_not() {
    let class = class().await;
    let student = class.join().await;
    let user = student["user"].as_str().unwrap();
    let guess = async |user: &str| class.ask("POST", "/api/login", None, &json!({ "user": user, "password": "guess" })).await;
    for _ in 0..5 {
        assert_eq!(guess(user).await.status, 401);
    }
    let stopped = guess(user).await;
    assert_eq!(stopped.status, 429);
    let wait: u64 = stopped.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(guess("nobody-here").await.status, 401);
    class.instructor().await;
    let mut statuses = HashMap::new();
    for n in 0..80 {
        let answer = class.ask("POST", "/api/join", None, &json!({ "code": format!("otter-{n}") })).await;
        *statuses.entry(answer.status).or_insert(0) += 1;
    }
    assert!(statuses[&403] >= 60 && statuses[&429] > 0, "{statuses:?}");
    // With a session of its own a laptop needs no code.
    let again = class.ask("POST", "/api/join", student["token"].as_str(), &json!({ "code": "whatever" })).await.json();
    assert_eq!((&again["id"], &again["password"]), (&student["id"], &Value::Null));
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let class = class().await;
    let mut socket = TcpStream::connect(class.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
    let took = begun.elapsed();
    println!("a head that does not come: closed after {took:?}");
    assert!(took < Duration::from_secs(150), "{took:?}");
}

#[tokio::test]
async fn without_a_workshop_the_one_person_is_the_instructor_and_nobody_joins() {
    let class = class().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, HttpState::new(Arc::clone(&class.cluster)), std::future::pending()));
    let single = Class { address, ..class };
    let me = single.ask("GET", "/api/me", None, &Value::Null).await.json();
    assert_eq!((&me["role"], &me["user"], &me["code"]), (&json!("instructor"), &Value::Null, &Value::Null));
    assert_eq!(single.ask("GET", "/api/server", None, &Value::Null).await.json()["mode"], "single");
    for (method, path) in [("POST", "/api/join"), ("POST", "/api/login"), ("GET", "/api/students"), ("POST", "/api/me/password")] {
        let answer = single.ask(method, path, None, &json!({ "code": CODE, "user": "a", "password": "b" })).await;
        assert!(matches!(answer.status, 400 | 409), "{method} {path}: {}", answer.status);
    }
    assert_eq!(single.ask("GET", "/metrics", None, &Value::Null).await.status, 200);
    drop(single.workshop);
}

#[tokio::test]
async fn settings_are_filled_in_for_whoever_asks() {
    let class = class().await;
    let student = class.join().await;
    let settings = async |query: &str, token: Option<&str>| class.ask("GET", &format!("/api/settings{query}"), token, &Value::Null).await;
    let text = settings("?client=aiokafka", student["token"].as_str()).await;
    let user = student["user"].as_str().unwrap();
    assert!(text.head.contains("text/plain") && text.body.contains(&format!("\"{user}-look\"")) && text.body.contains("{password}"));
    assert!(settings("?client=java&listener=class", None).await.body.contains("{user}"));
    for wrong in ["?client=cobol", "?listener=NONE"] {
        let answer = settings(wrong, None).await;
        assert_eq!(answer.status, 404);
        assert!(answer.json()["fix"].as_str().unwrap().starts_with("ask for one of "));
    }
    let server = class.ask("GET", "/api/server", None, &Value::Null).await.json();
    let listener = json!({ "name": "CLASS", "protocol": "SASL_PLAINTEXT", "host": "127.0.0.1", "port": 9094,
        "login": null, "mechanisms": ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] });
    assert_eq!((&server["mode"], &server["listeners"]), (&json!("classroom"), &json!([listener])));
}
