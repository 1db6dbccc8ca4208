//! Groups whose members read partitions that nothing was committed of.

use std::time::Duration;

use serde_json::{Value, json};

use super::class_fixture::{Class, class};
use super::course_tests::{Pupil, STREAM};
use crate::cluster::reader::Reader;
use crate::model::{Offset, TopicName};

async fn typed(class: &Class, who: &Pupil, line: &str) -> String {
    let told = class.post(who, "/api/console", json!({ "line": line })).await.json();
    told["lines"].as_array().unwrap().iter().map(|line| format!("{}\n", line["text"].as_str().unwrap())).collect()
}

/// A group's page as soon as a look at all groups has what is waited for: one look serves everybody for a while.
async fn looked(class: &Class, who: &Pupil, group: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..100 {
        let found = class.get(who, &format!("/api/groups/{group}")).await.json();
        if is_there(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    class.get(who, &format!("/api/groups/{group}")).await.json()
}

#[tokio::test]
async fn a_partition_without_a_committed_offset_has_no_lag_and_every_page_says_so() {
    let class = class().await;
    let (pupil, other) = (class.pupil().await, class.pupil().await);
    class.cluster.ensure_topic(&STREAM.into(), 3, &[]).await.unwrap();
    class.produce(STREAM, None, &vec![json!({}); 7]);
    let secret = format!("ws.{}.secret", other.id);
    class.cluster.ensure_topic(&TopicName::new(&secret), 5, &[]).await.unwrap();
    let group = format!("{}-app", pupil.id);
    // It may say that it reads what is somebody else's, and what is not there.
    let reader = Reader::join(&class.broker, &group, &[(STREAM, &[0, 1, 2, 7]), (&secret, &[0, 1, 2, 3, 4]), ("none", &[0])]).await;

    let none = looked(&class, &pupil, &group, |found| found["uncounted"] == 3).await;
    assert_eq!((&none["lag"], &none["uncounted"], &none["eta_s"]), (&Value::Null, &json!(3), &Value::Null), "{none}");
    let rows = none["partitions"].as_array().unwrap();
    assert!(rows.len() == 3 && rows.iter().all(|row| row["lag"].is_null() && row["committed"].is_null() && row["owner"].is_string()));
    let list = class.get(&pupil, "/api/groups").await.json()["groups"][0].clone();
    assert_eq!((&list["lag"], &list["uncounted"], &list["topics"]), (&Value::Null, &json!(3), &json!([{ "name": STREAM, "lag": null }])));
    let printed = typed(&class, &pupil, "groups").await;
    assert!(printed.contains("         -  not counted: 3 partitions without a committed offset"), "{printed}");

    reader.commit(&class.broker, STREAM, Offset(3)).await;
    let some = looked(&class, &pupil, &group, |found| found["uncounted"] == 2).await;
    assert_eq!((&some["lag"], &some["uncounted"]), (&json!(4), &json!(2)), "{some}");
    let list = class.get(&pupil, "/api/groups").await.json()["groups"][0].clone();
    assert_eq!((&list["lag"], &list["uncounted"], &list["topics"][0]["lag"]), (&json!(4), &json!(2), &json!(4)));
    let topic = class.get(&pupil, &format!("/api/topics/{STREAM}")).await.json();
    let of_topic = &topic["groups"][0];
    assert_eq!((&of_topic["id"], &of_topic["lag"], &of_topic["uncounted"]), (&json!(group), &json!(4), &json!(2)), "{topic}");
    assert_eq!(of_topic["partitions"][1], json!({ "partition": 1, "committed": null, "end_offset": 0, "lag": null }));
    assert_eq!(topic["lag"], json!([{ "group": group, "lag": 4, "uncounted": 2 }]));
    let printed = typed(&class, &pupil, &format!("lag {group}")).await;
    for line in
        ["-0: at 3 of 7, lag 4", "-1: at none yet of 0, lag -", "lag in all: 4", "not counted: 2 partitions without a committed offset"]
    {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert!(!some["partitions"].to_string().contains("secret"), "{some}");
    for path in ["/api/groups".to_owned(), "/api/overview".to_owned(), format!("/api/topics/{STREAM}")] {
        assert!(!class.get(&pupil, &path).await.body.contains("secret"), "{path} tells of a topic of somebody else");
    }
    assert!(!printed.contains("secret"), "{printed}");
}
