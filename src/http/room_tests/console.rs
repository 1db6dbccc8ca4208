//! The console: every verb, everybody's rights, and what somebody types who means no good.

use super::*;

struct Told {
    ok: bool,
    lines: Vec<(String, String)>,
}

impl Told {
    fn text(&self) -> String {
        self.lines.iter().map(|(text, _)| format!("{text}\n")).collect()
    }
}

impl Class {
    async fn typed(&self, who: &Pupil, line: &str) -> Told {
        let answer = self.post(who, "/api/console", json!({ "line": line })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = answer.json();
        let lines = told["lines"].as_array().unwrap().iter().map(|line| (text(line, "text").to_owned(), text(line, "style").to_owned()));
        Told { ok: told["ok"].as_bool().unwrap(), lines: lines.collect() }
    }

    async fn fails(&self, who: &Pupil, line: &str) -> String {
        let told = self.typed(who, line).await;
        assert!(!told.ok && told.lines[0].1 == "error", "{line}: {}", told.text());
        told.text()
    }
}

#[tokio::test]
async fn every_verb_of_the_table_answers() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let table = class.get(&pupil, "/api/verbs").await.json();
    let verbs: Vec<&str> = table["verbs"].as_array().unwrap().iter().map(|verb| text(verb, "verb")).collect();
    assert_eq!(verbs, ["help", "topics", "describe", "consume", "produce", "groups", "lag", "ticket", "check", "hint", "whoami", "doctor"]);
    let help = class.typed(&pupil, "help").await.text();
    assert!(verbs.iter().all(|verb| help.contains(verb)), "{help}");
    assert!(class.typed(&pupil, "help consume").await.text().contains("--partition"));
    let topics = class.typed(&pupil, "topics").await.text();
    assert!(topics.contains(STREAM) && topics.contains("7200") && !topics.contains("_workshop"), "{topics}");
    let described = class.typed(&pupil, "describe ecommerce-events").await.text();
    assert!(described.contains("4 partitions, 7200 records") && described.contains("partition 3: offsets 0 to 1800"), "{described}");
    let newest = class.typed(&pupil, "consume ecommerce-events -n 3 --partition 1").await;
    let heads: Vec<&str> = newest.lines.iter().filter(|(_, style)| style == "dim").map(|(text, _)| text.as_str()).collect();
    assert!(heads[0].contains("partition 1  offset 1797") && heads[2].contains("offset 1799") && heads.len() == 4, "{heads:?}");
    let oldest = class.typed(&pupil, "consume ecommerce-events -n=2 --from start").await.text();
    assert!(oldest.contains("offset 0") && oldest.contains("\"event_id\":\"0-0\""), "{oldest}");
    let there = class.typed(&pupil, "consume ecommerce-events --from 700 --partition 2 -n 1").await.text();
    assert!(there.contains("partition 2  offset 700") && there.contains("\"2-700\""), "{there}");
    let found = class.typed(&pupil, "consume ecommerce-events -n 1 --filter 'event_id:\"3-42\"'").await.text();
    assert!(found.contains("partition 3  offset 42 "), "{found}");
    assert!(class.typed(&pupil, "groups").await.text().contains("no consumer group"));
    let who = class.typed(&pupil, "whoami").await.text();
    assert!(who.contains(&pupil.id) && who.contains(&format!("ws.{}.", pupil.id)) && who.contains("127.0.0.1:9094"), "{who}");
    assert!(class.typed(&pupil, "doctor").await.text().contains("broker: The broker is up"));
    // The course.
    let ticket = class.typed(&pupil, "ticket C2").await.text();
    assert!(ticket.contains("nonce") && ticket.contains("partition 3: offsets"), "{ticket}");
    assert!(class.typed(&pupil, "check c02").await.text().contains("nothing has arrived"));
    assert!(class.typed(&pupil, "hint 2").await.text().contains("Hint 1 of 2\none"));
    assert!(class.typed(&pupil, "hint c02").await.text().contains("two"));
    assert!(class.fails(&pupil, "ticket c99").await.contains("no challenge c99"));
    let teacher = class.teacher().await;
    class.put(&teacher, "/api/room", json!({ "frozen": true })).await;
    assert!(class.fails(&pupil, "check c02").await.contains("frozen the room"));
}

#[tokio::test]
async fn what_is_produced_goes_to_ones_own_topics_alone() {
    let class = taught().await;
    let (teacher, pupil, other) = (class.teacher().await, class.pupil().await, class.pupil().await);
    let (mine, theirs) = (format!("ws.{}.notes", pupil.id), format!("ws.{}.notes", other.id));
    for topic in [&mine, &theirs, "secret-plans"] {
        class.cluster.ensure_topic(&TopicName::new(topic), 3, &[]).await.unwrap();
    }
    let written = class.typed(&pupil, &format!(r#"produce {mine} "my key" {{"text": "hello 'you'", "n": 1}}"#)).await;
    assert!(written.ok && written.text().contains(&mine), "{}", written.text());
    let read = class.typed(&pupil, &format!("consume {mine}")).await.text();
    assert!(read.contains("key my key") && read.contains(r#"{"text": "hello 'you'", "n": 1}"#), "{read}");
    let partition = crate::generators::partition_of(b"my key", 3);
    assert!(written.text().contains(&format!("partition {partition}, offset 0")), "{}", written.text());
    // No key, and a tombstone.
    assert!(class.typed(&pupil, &format!("produce {mine} null null")).await.ok);
    assert!(class.typed(&pupil, &format!("consume {mine} -n 1")).await.text().contains("null (a tombstone)"));
    // Markup is text, and what would turn the screen around is written out.
    class.typed(&pupil, &format!("produce {mine} k <img src=x onerror=alert(1)>\u{202e}\u{1b}[31m")).await;
    let shown = class.typed(&pupil, &format!("consume {mine} -n 1")).await.text();
    assert!(shown.contains("<img src=x onerror=alert(1)>\\u{202e}\\u{1b}[31m"), "{shown}");
    for (who, line) in [
        (&pupil, format!("produce {theirs} k v")),
        (&pupil, format!("produce {STREAM} k v")),
        (&pupil, "produce secret-plans k v".to_owned()),
        (&pupil, "produce _workshop workshop {}".to_owned()),
        (&pupil, format!("produce ws.{} k v", pupil.id)),
        (&teacher, "produce _workshop workshop {}".to_owned()),
        (&teacher, "produce __consumer_offsets k v".to_owned()),
    ] {
        let told = class.fails(who, &line).await;
        let why = ["somebody else's", "broker's own", "the town's"];
        assert!(why.iter().any(|why| told.contains(why)), "{line}: {told}");
    }
    assert!(class.typed(&teacher, "produce secret-plans k v").await.ok);
    // Others' topics are as good as not there, whether they are or not.
    for verb in ["consume", "describe"] {
        let (there, not_there) =
            (class.fails(&pupil, &format!("{verb} {theirs}")).await, class.fails(&pupil, &format!("{verb} {theirs}x")).await);
        assert_eq!(there.replace(&theirs, "T"), not_there.replace(&format!("{theirs}x"), "T"));
        class.fails(&pupil, &format!("{verb} _workshop")).await;
        class.fails(&pupil, &format!("{verb} secret-plans")).await;
    }
    assert!(class.fails(&pupil, &format!("lag {}", other.id)).await.contains("no such group of yours"));
    assert!(class.fails(&pupil, "describe ecomerce-events").await.contains("did you mean ecommerce-events?"));
    let topics = class.typed(&pupil, "topics").await.text();
    assert!(topics.contains(&mine) && !topics.contains(&theirs) && !topics.contains("secret-plans"), "{topics}");
    assert_eq!(class.ask("POST", "/api/console", None, &json!({ "line": "topics" })).await.status, 401);
}

#[tokio::test]
async fn whatever_is_typed_is_answered_and_bounded() {
    let class = taught().await;
    let pupil = class.pupil().await;
    let mine = format!("ws.{}.big", pupil.id);
    class.cluster.ensure_topic(&TopicName::new(&mine), 1, &[]).await.unwrap();
    let large: Vec<Value> = (0..40).map(|n| json!({ "n": n, "x": "🦦".repeat(10_000) })).collect();
    large.iter().for_each(|one| class.produce(&mine, None, std::slice::from_ref(one)));
    let told = class.typed(&pupil, &format!("consume {mine} -n 90")).await;
    let bytes: usize = told.lines.iter().map(|(text, _)| text.len()).sum();
    assert!(bytes <= 64 << 10 && told.lines.len() <= 200 && told.text().contains("more than is shown"), "{bytes}");
    let long = class.fails(&pupil, &format!("produce {mine} k {}", "x".repeat(200_000))).await;
    assert!(long.contains("the line has 195 KiB") && long.len() < 500, "{long}");
    let huge = class.post(&pupil, "/api/console", json!({ "line": "x".repeat(300_000) })).await;
    assert_eq!(huge.status, 413);
    for (line, told) in [
        ("rm -rf /", "there is no verb rm"),
        ("topcis", "did you mean topics?"),
        ("consume", "which topic?"),
        ("consume ecommerce-events --rows 5", "no option --rows"),
        ("consume ecommerce-events -n 0", "no number from 1 to"),
        ("consume ecommerce-events -n 99999999999999999999", "no number from 1 to"),
        ("consume ecommerce-events --partition 4", "has no partition 4"),
        ("consume ecommerce-events --partition -1", "no number"),
        ("consume ecommerce-events --from yesterday", "neither end, start nor an offset"),
        ("consume 'ecommerce-events", "not closed"),
        ("topics a b", "takes fewer words"),
        ("produce", "which topic?"),
        ("help nonsense", "there is no verb nonsense"),
        ("\u{202e}scipot", "there is no verb"),
        ("describe ../../etc/passwd", "there is no topic"),
        ("$(reboot)", "there is no verb"),
    ] {
        let said = class.fails(&pupil, line).await;
        assert!(said.contains(told), "{line}: {said}");
        assert!(!said.contains('\u{202e}'), "{line}");
    }
    for nothing in ["", "   ", "\u{0}\u{7}\r\n\t"] {
        let told = class.typed(&pupil, nothing).await;
        assert!(told.ok && told.lines.is_empty(), "{nothing:?}");
    }
    for wrong in [json!({}), json!({ "line": 5 }), json!({ "line": "topics", "user": "instructor" }), json!([])] {
        assert_eq!(class.post(&pupil, "/api/console", wrong.clone()).await.status, 400, "{wrong}");
    }
    // A beginning far behind the end, and one that is as far as numbers go.
    let told = class.typed(&pupil, &format!("consume {STREAM} --from {}", i64::MAX)).await;
    assert!(told.ok && told.text().contains("no records there"), "{}", told.text());
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..60 {
        *statuses.entry(class.post(&pupil, "/api/console", json!({ "line": "whoami" })).await.status).or_insert(0) += 1;
    }
    assert!(statuses[&429] > 0, "{statuses:?}");
    assert_eq!(class.typed(&class.pupil().await, "whoami").await.lines.len(), 6, "others are not slowed down");
}
