//! Reports: saved, handed in, read.

use super::*;

#[tokio::test]
async fn answers_are_saved_handed_in_and_read_by_the_instructor() {
    let class = class().await;
    let (teacher, pupil, other) = (class.teacher().await, class.pupil().await, class.pupil().await);
    let sheet = class.get(&pupil, "/api/report?format=json").await.json();
    let ids: Vec<&str> = sheet["questions"].as_array().unwrap().iter().map(|question| text(question, "id")).collect();
    assert_eq!(ids, ["built", "ai", "concepts", "next", "project", "failed"]);
    assert!(sheet["questions"].as_array().unwrap().iter().all(|q| q["answer"] == "" && q["lines"].is_u64() && q["ask"].is_string()));
    assert_eq!((&sheet["saved_ms"], &sheet["submitted_ms"], &sheet["challenges"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(class.post(&pupil, "/api/report", json!({})).await.status, 400, "nothing to hand in");
    let save = async |answers: Value| class.put(&pupil, "/api/report", json!({ "answers": answers })).await;
    let saved = save(json!({ "built": "A <script>alert(1)</script> board\r\nwith & two lines", "next": "windows" })).await.json();
    assert!(saved["saved_ms"].is_i64() && saved["submitted_ms"].is_null(), "{saved}");
    // Others stay, an empty one goes.
    save(json!({ "next": "  ", "ai": "| a | `b` |" })).await;
    let own = class.get(&pupil, "/api/report?format=json").await.json();
    let answer = |sheet: &Value, n: usize| sheet["questions"][n]["answer"].as_str().unwrap().to_owned();
    assert_eq!((answer(&own, 0).as_str(), answer(&own, 3).as_str()), ("A <script>alert(1)</script> board\nwith & two lines", ""));
    // Not handed in: nobody else reads it.
    let of = async |who: &Pupil, format: &str| class.get(who, &format!("/api/report?student={}&format={format}", pupil.id)).await;
    assert!(!of(&teacher, "html").await.body.contains("two lines") && answer(&of(&teacher, "json").await.json(), 0).is_empty());
    assert_eq!(class.get(&teacher, "/api/reports").await.json()["reports"], json!([]));
    let at = class.post(&pupil, "/api/report", json!({})).await.json()["submitted_ms"].clone();
    let listed = class.get(&teacher, "/api/reports").await.json();
    assert_eq!(listed["reports"], json!([{ "student": pupil.id, "name": pupil.id, "submitted_ms": at, "words": 12 }]));
    let board = class.get(&teacher, "/api/class").await.json();
    let report_of = |id: &str| board["students"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()["report_ms"].clone();
    assert_eq!((report_of(&pupil.id), report_of(&other.id)), (at.clone(), Value::Null));
    for who in [&teacher, &pupil] {
        let page = of(who, "html").await;
        assert!(page.body.contains("A &lt;script&gt;alert(1)&lt;/script&gt; board\nwith &amp; two lines"), "{}", page.body);
        assert!(page.head.contains("attachment") && !page.body.contains("<script") && page.body.contains("@media print"));
        assert!(of(who, "md").await.body.contains("A \\<script\\>alert(1)\\</script\\> board  \nwith \\& two lines"));
    }
    // What is changed after it was handed in is the student's own until it is handed in again.
    save(json!({ "built": "another board" })).await;
    assert!(
        answer(&of(&teacher, "json").await.json(), 0).contains("two lines")
            && answer(&of(&pupil, "json").await.json(), 0) == "another board"
    );
    class.post(&pupil, "/api/report", json!({})).await;
    assert_eq!(answer(&of(&teacher, "json").await.json(), 0), "another board");
    for (who, path) in [(&other, "/api/reports".to_owned()), (&other, format!("/api/report?student={}", pupil.id))] {
        assert_eq!(class.get(who, &path).await.status, 403, "{path}");
    }
    assert_eq!(class.get(&pupil, "/api/report?format=docx").await.status, 404);
    // A start later.
    let again = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    let student = crate::workshop::Student::of(class.workshop.roster().get(&pupil.id).unwrap());
    assert_eq!(again.sheet(&student, true).questions[0].answer, "another board");
    assert_eq!(again.handed_in().len(), 1);
    // It goes with the student.
    assert_eq!(class.ask("DELETE", &format!("/api/students/{}", pupil.id), Some(&teacher.token), &Value::Null).await.status, 200);
    assert_eq!(class.get(&teacher, "/api/reports").await.json()["reports"], json!([]));
    let again = open_course(&class.cluster, &class.workshop, &class.ahead_ms).await;
    assert!(again.sheet(&student, true).questions[0].answer.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_to_no_question_is_refused_and_a_megabyte_too() {
    let class = class().await;
    let pupil = class.pupil().await;
    let save = async |answers: Value| class.put(&pupil, "/api/report", json!({ "answers": answers })).await;
    assert_eq!(save(json!({ "built": "x".repeat(20 << 10) })).await.status, 200);
    let long = save(json!({ "built": "x".repeat((20 << 10) + 1), "next": "y" })).await;
    assert!(long.status == 400 && text(&long.json(), "error").contains("too long"), "{}", long.body);
    assert_eq!(class.get(&pupil, "/api/report?format=json").await.json()["questions"][3]["answer"], "", "all or nothing");
    assert_eq!(save(json!({ "built": "x".repeat(1 << 20) })).await.status, 413);
    let unknown = save(json!({ "🦦".repeat(1_000): "y" })).await;
    assert!(unknown.status == 400 && unknown.body.len() < 1_000, "{}", unknown.body);
    for wrong in [json!({ "answers": { "built": 5 } }), json!({ "answers": [] }), json!({}), json!({ "answers": {}, "student": "x" })] {
        assert_eq!(class.put(&pupil, "/api/report", wrong.clone()).await.status, 400, "{wrong}");
    }
    assert_eq!(save(json!({ "built": "a\u{0}\u{1b}[31m\tb" })).await.status, 200);
    assert_eq!(class.get(&pupil, "/api/report?format=json").await.json()["questions"][0]["answer"], "a[31m\tb");
    // All six at their longest, with what takes most room, can be saved and handed in.
    let full = "\"\\".repeat(10 << 10);
    for id in ["built", "ai", "concepts", "next", "project", "failed"] {
        assert_eq!(save(json!({ id: full })).await.status, 200, "{id}");
    }
    assert_eq!(class.post(&pupil, "/api/report", json!({})).await.status, 200);
    let mut statuses = std::collections::BTreeMap::new();
    for n in 0..60 {
        let answer = save(json!({ "next": n.to_string() })).await;
        *statuses.entry(answer.status).or_insert(0) += 1;
        assert!(answer.status == 200 || answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
    }
    assert!(statuses[&429] > 40 && statuses[&200] >= 2, "{statuses:?}");
}
