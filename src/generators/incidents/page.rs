//! `docs/incidents.md`, from the table of kinds.

use std::fmt::Write;
use std::path::Path;

use super::{FACTOR_MAX, KINDS, TargetKind};
use crate::generators::schema::STREAMS;

const HEAD: &str = "# Incidents, rates and pauses

This page is made from the table in `src/generators/incidents`; `UPDATE_DOCS=1 cargo test --lib incidents_page` writes it again.

An instructor can let something happen in the generated streams, each time for one lesson: on the dashboard, or on the command line of
the machine that the broker runs on.

```sh executed with=broker
headwater incident flash-sale --target books --minutes 10
headwater incident payment-outage --in 15
headwater incident list
headwater incident end 1
headwater incident rate 0.5 social-media-feed
headwater incident pause
headwater incident resume
```

`--http HOST:PORT` names the broker's web address if it is not 127.0.0.1:8080. The same over HTTP:

| request | does |
|---|---|
| `GET /api/generators` | phase, seed, rates, and the incidents that were ordered |
| `GET /api/incidents` | the kinds of incidents, with what each teaches and what can be named |
| `POST /api/incidents` `{\"kind\": \"flash-sale\", \"target\": \"books\", \"minutes\": 10, \"in\": 0}` | begins one; all but `kind` may be left out |
| `DELETE /api/incidents/1` | ends it early, or takes it back |
| `PUT /api/generators/rate` `{\"topic\": \"social-media-feed\", \"factor\": 0.5}` | multiplies a stream's usual rate; without `topic` all of them |
| `PUT /api/generators/pause`, `.../resume` `{\"topic\": \"social-media-feed\"}` | stops a stream, lets it go on |

## Kinds

| incident | happens to | minutes (at most) | what happens | lesson |
|---|---|---|---|---|
";

const DETAILS: &str = "
Every 20 to 30 minutes a country has a fraud spike of six minutes by itself, by the seed. The ledger names it with the id 0.

## What an order does

- It takes effect with the next ten seconds of the town's time that nobody has seen yet, and changes nothing that happened before.
- It is written to the topic `_headwater` before it takes effect, and it outlives restarts. Seed, clock origin and the log of orders give the
  same bytes, on every machine. The log holds 1,000 orders; a reset empties it.
- Each incident has a line in the [ledger](dirt.md) where it begins, and so has each event that it changed without a trace in the event.
- Visits that have begun run to their end: after a change of the shop's rate or the end of a sale the change takes a few minutes. A pause is
  immediate, and a purchase that fell into it is not paid either.
- Fewer sensors report under a factor below 1, some at each site, and more than 96 above it; new ones come on within five minutes.
- Schema drift adds these fields:

| stream | field | type | |
|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in &KINDS {
        let target = row.target.name().map_or_else(|| "everything".to_owned(), |what| format!("a {what}"));
        let target = if row.target == TargetKind::Nothing { "all payments".to_owned() } else { target };
        let (name, minutes, most) = (row.name, row.minutes, row.minutes_max);
        writeln!(page, "| `{name}` | {target} | {minutes} ({most}) | {} | {} |", row.about, row.lesson).unwrap();
    }
    page += DETAILS;
    for stream in STREAMS {
        let field = &stream.drift.field;
        writeln!(page, "| `{}` | `{}` | {} | {} |", stream.topic, field.name, field.kind, field.about).unwrap();
    }
    writeln!(page, "\nA factor is at most {FACTOR_MAX}.").unwrap();
    page
}

#[test]
fn the_committed_incidents_page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/incidents.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == page(), "docs/incidents.md is old; `UPDATE_DOCS=1 cargo test --lib incidents_page` writes it again");
}
