//! `docs/openapi.json` is what `GET /api/openapi.json` answers; the page's types are made from it.
//! `UPDATE_DOCS=1 cargo test --test http_openapi` writes it anew.

use std::path::Path;

use headwater::http::openapi;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&openapi::made()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/openapi.json is out of date: UPDATE_DOCS=1 cargo test --test http_openapi");
}
