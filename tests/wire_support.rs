//! `docs/wire-support.md` says what is served; it is written from the table that dispatch works by.
//! `UPDATE_DOCS=1 cargo test --test wire_support` writes it anew.

use std::fmt::Write;
use std::path::Path;

use headwater::handlers::APIS;
use headwater::wire::schema::Api;

const HEAD: &str = "# Wire protocol support

Written from the table in `src/handlers/mod.rs` by `tests/wire_support.rs`. Versions are those in the ApiVersions answer; a request
outside of them closes the connection, as Apache Kafka does, and is counted in `headwater_unsupported_requests_total`.

| key | request | versions | flexible from |
|---|---|---|---|
";

const TAIL: &str = "
Produce is listed from version 0 and served from version 3, as in Apache Kafka: librdkafka before 2.11.1 takes a higher minimum for a
broker without compression (KAFKA-18659).

Not listed: transactions (24-28, 61, 65, 66), KIP-848 groups (68, 69), delegation tokens (38-41), reassignment and elections (34, 43,
45, 46), raft (55, 80, 81), features (57), telemetry (71, 72), config resources (74), share and streams groups (76-79, 83-92).
";

#[test]
fn the_support_page_is_what_dispatch_serves() {
    let mut page = String::from(HEAD);
    for row in APIS {
        let flexible = Api::by_key(row.key).unwrap().flexible_from;
        let flexible = if flexible == i16::MAX { "-".to_owned() } else { flexible.to_string() };
        writeln!(page, "| {} | {} | {}-{} | {flexible} |", row.key, row.name, row.min, row.max).unwrap();
    }
    page.push_str(TAIL);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/wire-support.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page, "docs/wire-support.md is out of date: UPDATE_DOCS=1 cargo test --test wire_support");
}

#[test]
fn everything_served_is_behind_the_guard_under_the_same_name() {
    assert!(APIS.is_sorted_by_key(|row| row.key));
    for row in APIS {
        let api = Api::by_key(row.key).unwrap_or_else(|| panic!("{} is not in the guard's table", row.name));
        assert_eq!(api.name.trim_end_matches("Request"), row.name);
        for version in row.served_from..=row.max {
            assert!(api.has_version(version), "{} v{version}", row.name);
        }
    }
}
