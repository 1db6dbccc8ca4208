//! What is answered is what the table says: every answer that the tests of these pages get is held against the schema of its row
//! (`class_fixture.rs`). A field that the schema does not have is an error too.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::class_fixture::{SECRET, class_with_generators};
use super::openapi::{Content, made};
use super::routes::{ROUTES, Route, SHAPES};
use crate::model::{Offset, PartitionId};

/// Rows of JSON from which `roles_tests.rs` gets no answer with 200 for any role: `the_others_are_answered_too` asks them.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    // It takes a password.
    ("post", "/api/login"),
    // They undo what the other roles are asked with.
    ("post", "/api/students/{id}/password"),
    ("delete", "/api/students/{id}"),
    ("delete", "/api/progress"),
    // They take the generators.
    ("post", "/api/ticket/{id}"),
    ("get", "/api/generators"),
    ("put", "/api/generators/rate"),
    ("put", "/api/generators/pause"),
    ("put", "/api/generators/resume"),
    ("get", "/api/incidents"),
    ("post", "/api/incidents"),
    ("delete", "/api/incidents/{id}"),
    // They take a group that has read something.
    ("get", "/api/groups/{id}"),
    ("post", "/api/groups/{id}/offsets"),
    ("delete", "/api/groups/{id}"),
];

/// Fields that hold any JSON.
const OPEN: [&str; 2] = ["ChallengePage.submission_schema", "CheckAsk.receipt"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(made);

/// By method and path of the row; the answers, and how it refuses.
static VALIDATORS: LazyLock<HashMap<(&str, &str), Validator>> = LazyLock::new(|| {
    let of = |route: &Route| {
        let operation = operation(route);
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        schema.is_object().then(|| ((route.method, route.path), strict(schema)))
    };
    ROUTES.iter().filter_map(of).collect()
});

static EVENTS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
    let of = |route: &Route| {
        let schema = &operation(route)["responses"]["200"]["content"]["text/event-stream"]["schema"];
        (!schema.is_null() && schema["type"] != "string").then(|| (route.path, strict(schema)))
    };
    ROUTES.iter().filter_map(of).collect()
});

static ERROR: LazyLock<Validator> = LazyLock::new(|| strict(&json!({ "$ref": "#/components/schemas/ErrorAnswer" })));

fn operation(route: &Route) -> &'static Value {
    &DOCUMENT["paths"][route.path.replace("{*", "{")][route.method]
}

fn strict(schema: &Value) -> Validator {
    let mut document = json!({ "components": { "schemas": DOCUMENT["components"]["schemas"] } });
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        close(schema, true);
    }
    let mut schema = schema.clone();
    close(&mut schema, true);
    document.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    jsonschema::validator_for(&document).unwrap()
}

/// Lets objects have no other fields than the schema names. `whole`: it is no part of another object's schema.
fn close(schema: &mut Value, whole: bool) {
    let Some(fields) = schema.as_object_mut() else { return };
    let mut has_fields = fields.contains_key("properties");
    for part in ["allOf", "anyOf", "oneOf"] {
        for part in fields.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            has_fields |= part.get("properties").is_some();
            close(part, false);
        }
    }
    for (name, inner) in fields.iter_mut() {
        match name.as_str() {
            "properties" | "patternProperties" => inner.as_object_mut().unwrap().values_mut().for_each(|inner| close(inner, true)),
            "items" | "additionalProperties" => close(inner, true),
            "prefixItems" => inner.as_array_mut().unwrap().iter_mut().for_each(|inner| close(inner, true)),
            _ => {}
        }
    }
    if whole && has_fields && !fields.contains_key("additionalProperties") {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// The row that answers; a part of a path that is named goes before one that may be anything.
fn row(method: &str, path: &str) -> Option<&'static Route> {
    let path = path.split(['?', '#']).next()?;
    let fits = |route: &&Route| {
        let (count, wanted) = (path.split('/').count(), route.path.split('/').count());
        let mut parts = route.path.split('/').zip(path.split('/'));
        route.method.eq_ignore_ascii_case(method)
            && (count == wanted || count > wanted && route.path.contains("{*"))
            && parts.all(|(wanted, part)| wanted == part || wanted.starts_with('{') && !part.is_empty())
    };
    ROUTES.iter().filter(fits).min_by_key(|route| (route.path.contains("{*"), route.path.matches('{').count()))
}

/// What it answers.
pub(super) fn answers(route: &Route) -> &'static [Content] {
    let place = ROUTES.iter().position(|other| (other.method, other.path) == (route.method, route.path)).expect("a row of the table");
    SHAPES[place].answers
}

/// Panics unless an answer is as its row says.
pub(super) fn check(method: &str, path: &str, status: u16, head: &str, body: &str) {
    let Some(route) = row(method, path) else { return };
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    let is_json = kind.starts_with("application/json");
    let valid = |validator: &Validator, text: &str| {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"));
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{method} {path} is answered with what its row does not say:\n{}\n{text}", errors.join("\n"));
    };
    if status >= 400 {
        // Prometheus and its like read a status and a word.
        if is_json || route.path != "/healthz" {
            valid(&ERROR, body);
        }
        return;
    }
    if status != 200 {
        return;
    }
    let fits = |content: &Content| match content {
        Content::Json(_) => is_json,
        Content::Text => kind.starts_with("text/"),
        Content::File => true,
        Content::Events(_) => kind.starts_with("text/event-stream"),
    };
    let answers = answers(route);
    assert!(answers.is_empty() || answers.iter().any(fits), "{method} {path} is answered with {kind}");
    if let (true, Some(validator)) = (is_json, VALIDATORS.get(&(route.method, route.path))) {
        valid(validator, body);
    }
    if let (true, Some(validator)) = (kind.starts_with("text/event-stream"), EVENTS.get(route.path)) {
        body.lines().filter_map(|line| line.strip_prefix("data: ")).for_each(|data| valid(validator, data));
    }
}

#[test]
fn every_row_has_types_and_no_field_is_left_open() {
    for route in ROUTES {
        assert!(!answers(route).is_empty(), "{} {} says nothing of its answer: add `-> Type`", route.method, route.path);
        let operation = operation(route);
        assert_eq!(operation["x-role"], route.who.name());
    }
    let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
    let open = |(name, schema): (&String, &Value)| {
        let is_open = |schema: &Value| schema == &json!(true) || schema.as_object().is_some_and(|s| s.keys().all(|k| k == "description"));
        let fields = schema["properties"].as_object().cloned().unwrap_or_default();
        fields.into_iter().filter(move |(_, schema)| is_open(schema)).map(|(field, _)| format!("{name}.{field}")).collect::<Vec<_>>()
    };
    let open: BTreeSet<String> = schemas.iter().flat_map(open).collect();
    assert_eq!(open, OPEN.map(str::to_owned).into(), "give these fields a type");
}

#[test]
fn what_the_schema_does_not_have_is_seen() {
    let valid = |route: (&str, &str), value: Value| VALIDATORS[&route].is_valid(&value);
    let role = ("post", "/api/logout");
    assert!(valid(role, json!({ "role": "nobody" })));
    assert!(!valid(role, json!({ "role": "nobody", "more": 1 })) && !valid(role, json!({})) && !valid(role, json!({ "role": "king" })));
    let order = ("put", "/api/generators/pause");
    assert!(valid(order, json!({ "at": 0, "order": "pause", "topic": null })));
    assert!(!valid(order, json!({ "at": 0, "order": "pause", "topic": null, "factor": 1 })));
    assert!(std::panic::catch_unwind(|| check("GET", "/api/me", 200, "content-type: application/json", "{}")).is_err());
    assert!(std::panic::catch_unwind(|| check("GET", "/api/me", 401, "content-type: application/json", "{\"error\":\"\"}")).is_err());
    assert!(std::panic::catch_unwind(|| check("GET", "/api/me", 200, "content-type: text/plain", "{}")).is_err());
}

#[test]
fn the_document_is_openapi() {
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    let names: Vec<&str> = DOCUMENT["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "an operation has a name of its own");
    // What is referred to is there, and what is there is referred to.
    let text = DOCUMENT.to_string();
    let referred: BTreeSet<&str> = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let there: BTreeSet<&str> = DOCUMENT["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(referred, there);
    for schema in DOCUMENT["components"]["schemas"].as_object().unwrap().values() {
        assert!(jsonschema::meta::is_valid(schema), "{schema}");
    }
}

#[tokio::test]
async fn the_others_are_answered_too() {
    let class = class_with_generators().await;
    let (student, gone, instructor) = (class.join().await, class.join().await, class.instructor().await);
    let id = |student: &Value| student["id"].as_str().unwrap().to_owned();
    let mut asked = BTreeSet::new();
    let mut ask = async |method: &'static str, path: &str, body: Value| {
        asked.extend(row(method, path).map(|route| (route.method, route.path)));
        let answer = class.ask(&method.to_uppercase(), path, Some(&instructor), &body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.json()
    };
    ask("post", "/api/login", json!({ "user": "instructor", "password": SECRET })).await;
    ask("get", "/api/incidents", Value::Null).await;
    let begun = ask("post", "/api/incidents", json!({ "kind": "flash-sale", "in": 5 })).await;
    ask("post", "/api/incidents", json!({ "kind": "payment-outage", "minutes": 2 })).await;
    ask("put", "/api/generators/rate", json!({ "topic": "ecommerce-events", "factor": 2 })).await;
    ask("put", "/api/generators/pause", json!({})).await;
    assert_eq!(ask("get", "/api/generators", Value::Null).await["incidents"].as_array().unwrap().len(), 2);
    ask("delete", &format!("/api/incidents/{}", begun["id"]), Value::Null).await;
    ask("put", "/api/generators/resume", json!({})).await;
    ask("post", &format!("/api/ticket/c02?student={}", id(&student)), json!({})).await;
    let committed = vec![("ecommerce-events".into(), PartitionId(0), Offset(5))];
    class.cluster.commit_offsets("lesson", committed).await.unwrap();
    ask("get", "/api/groups/lesson", Value::Null).await;
    ask("post", "/api/groups/lesson/offsets", json!({ "to": "earliest", "apply": true })).await;
    ask("delete", "/api/groups/lesson", Value::Null).await;
    ask("post", &format!("/api/students/{}/password", id(&student)), Value::Null).await;
    ask("delete", &format!("/api/students/{}", id(&gone)), Value::Null).await;
    ask("delete", "/api/progress", json!({ "student": id(&student) })).await;
    assert_eq!(asked, ELSEWHERE.iter().copied().collect());
}
