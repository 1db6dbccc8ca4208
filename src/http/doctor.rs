//! `/api/doctor`: what may keep a client from working, looked at from here and told in plain words.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::InQuery;
use super::caller::{Caller, Peer};
use super::course::own;
use super::{Entrance, HttpState, host_of};
use crate::broker::clock;
use crate::config::Advertise;
use crate::config::listener::is_loopback;
use crate::generators::{Phase, rfc3339_ms};
use crate::model::Timestamp;
use crate::model::sighting::{Sighting, Trouble};
use crate::workshop::Role;

/// What went wrong longer ago than this is not told.
const LATELY_MS: i64 = 15 * 60 * 1000;
/// Troubles that are told of each kind.
const TOLD_MAX: usize = 3;
/// A clock that is further off confuses whoever reads times.
const OFF_MS: i64 = 60_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorQuery {
    /// What the browser's clock says, in ms since 1970.
    clock_ms: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
pub(super) struct Findings {
    pub checks: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Ok,
    Warn,
    Bad,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DoctorCheck")]
pub(super) struct Finding {
    /// What was looked at: `broker`, `address`, `clients`, `strangers`, `disk`, `streams`, `clock` or `room`.
    pub name: String,
    pub status: Health,
    /// What was found, in a sentence or two.
    pub words: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Finding {
    fn ok(name: &str, words: impl Into<String>) -> Finding {
        Finding { name: name.to_owned(), status: Health::Ok, words: words.into(), fix: None }
    }

    fn warn(name: &str, words: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { status: Health::Warn, fix: Some(fix.into()), ..Finding::ok(name, words) }
    }

    fn bad(name: &str, words: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { status: Health::Bad, ..Finding::warn(name, words, fix) }
    }
}

pub(super) async fn doctor(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    InQuery(symptoms): InQuery<DoctorQuery>,
    headers: HeaderMap,
) -> Json<Findings> {
    Json(Findings { checks: examine(&state, &caller, peer, &headers, symptoms.clock_ms) })
}

/// All that can be looked at without asking anybody.
pub(super) fn examine(state: &HttpState, caller: &Caller, peer: Peer, headers: &HeaderMap, clock_ms: Option<i64>) -> Vec<Finding> {
    let asked = headers.get(header::HOST).and_then(|value| value.to_str().ok()).and_then(host_of);
    let mut checks = vec![broker(state, caller)];
    checks.extend(state.entrances(headers).iter().map(|entrance| address(entrance, asked.as_deref(), caller)));
    checks.extend(clients(state, caller));
    checks.extend(strangers(state, peer));
    checks.push(disk(state, caller));
    checks.extend(streams(state, caller));
    checks.push(clocks(state, clock_ms));
    checks.extend(frozen(state));
    checks
}

fn broker(state: &HttpState, caller: &Caller) -> Finding {
    match state.cluster.health() {
        Ok(()) => Finding::ok("broker", "The broker is up and takes records."),
        // The reason speaks of the machine.
        Err(_) if caller.role != Role::Instructor => {
            Finding::bad("broker", "The broker has a problem.", "Tell the instructor: their page says which.")
        }
        Err(why) => Finding::bad("broker", format!("The broker has a problem: {why}"), "Its log says more."),
    }
}

/// Whether clients are sent somewhere that works from where the page was asked from. `asked` is the page's host.
fn address(entrance: &Entrance, asked: Option<&str>, caller: &Caller) -> Finding {
    let (listener, host) = (&entrance.listener, &entrance.address.host);
    let (name, asked) = (format!("address {}", listener.name), asked.unwrap_or("localhost"));
    let reached = format!("This page was reached as {asked}");
    let set_it = || {
        let one_click = format!("One click sets it to {asked}: on the instructor's page, under addresses.");
        match caller.role {
            Role::Instructor => format!("{one_click} (PUT /api/listeners/{} {{\"advertise\": \"{asked}\"}}.)", listener.name),
            _ => format!("The instructor can set it with one click, to {asked}. Until then clients on other machines hang or time out."),
        }
    };
    if listener.bound.is_some_and(|bound| bound.ip().to_canonical().is_loopback()) && !is_loopback(asked) {
        let words = format!("{reached}, but {} is open on the broker's own machine only.", listener.name);
        let fix = "The broker has to be started with a listener for the network, such as --listen 0.0.0.0:9092";
        let who = if caller.role == Role::Instructor { "." } else { ": ask the instructor." };
        return Finding::bad(&name, words, format!("{fix}{who}"));
    }
    let advertised = match &listener.advertise {
        Advertise::As { host, .. } => host,
        Advertise::Auto | Advertise::Sni => {
            return Finding::ok(&name, format!("Clients connect to {} and are sent back to the address they came to.", entrance.address));
        }
    };
    if is_loopback(advertised) && !is_loopback(asked) {
        let words = format!("{reached}, but {} sends its clients to {host}, which is their own machine.", listener.name);
        return Finding::bad(&name, words, set_it());
    }
    let is_ip = |host: &str| host.parse::<std::net::IpAddr>().is_ok();
    if !is_loopback(asked) && is_ip(advertised) && is_ip(asked) && advertised != asked {
        let words = format!("{reached}, but {} sends its clients to {host}. One of the two may be an old address.", listener.name);
        return Finding::warn(&name, words, set_it());
    }
    if !advertised.eq_ignore_ascii_case(asked) && !is_loopback(asked) {
        let words = format!("{reached}, and {} sends its clients to {}: fine if that name is known here.", listener.name, entrance.address);
        return Finding::ok(&name, words);
    }
    Finding::ok(&name, format!("Clients connect to {}.", entrance.address))
}

/// What was seen of one's own users.
fn clients(state: &HttpState, caller: &Caller) -> Vec<Finding> {
    let (Some(sightings), Some(student)) = (state.cluster.sightings(), own(state, caller)) else { return Vec::new() };
    let seen: Vec<Sighting> = student.users.iter().filter_map(|user| sightings.user(user)).collect();
    let success = seen.iter().filter_map(last_success).max();
    let open: u64 = seen.iter().map(|sighting| sighting.connections).sum();
    let newest = seen.iter().flat_map(|sighting| &sighting.clients).max_by_key(|client| client.at_ms);
    let mut checks = Vec::new();
    let mut troubles: Vec<&Trouble> = seen.iter().flat_map(|sighting| &sighting.troubles).collect();
    troubles.retain(|trouble| is_lately(trouble.at_ms));
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.at_ms));
    checks.push(match newest {
        None => Finding::ok("clients", "No client of yours has connected yet, as far as this broker remembers."),
        Some(client) => {
            let software =
                if client.software.is_empty() { "a client".to_owned() } else { format!("{} {}", client.software, client.version) };
            let connections = if open == 1 { "1 connection is open".to_owned() } else { format!("{open} connections are open") };
            Finding::ok("clients", format!("{connections}; the last client was {software} at {}, {}.", client.listener, ago(client.at_ms)))
        }
    });
    let told = troubles.into_iter().take(TOLD_MAX).map(|trouble| {
        let words = told(trouble);
        // What has worked since is over.
        match success.is_some_and(|success| success > trouble.at_ms) {
            true => Finding::warn("clients", format!("{words} A client has connected since."), &trouble.fix),
            false => Finding::bad("clients", words, &trouble.fix),
        }
    });
    checks.extend(told);
    checks
}

fn last_success(sighting: &Sighting) -> Option<Timestamp> {
    let clients = sighting.clients.iter().map(|client| client.at_ms);
    clients.chain(sighting.logins.iter().map(|login| login.at_ms)).max()
}

fn is_lately(at: Timestamp) -> bool {
    clock::now().since(at) < LATELY_MS
}

fn ago(at: Timestamp) -> String {
    let seconds = clock::now().since(at).max(0) / 1000;
    match seconds {
        0..=89 => format!("{seconds} s ago"),
        90..=5_399 => format!("{} min ago", (seconds + 30) / 60),
        _ => format!("{} h ago", (seconds + 1_800) / 3_600),
    }
}

fn told(trouble: &Trouble) -> String {
    let times = if trouble.times > 1 { format!(", {} times", trouble.times) } else { String::new() };
    format!("{} ({}, from {}, at {}{times}).", trouble.what.trim_end_matches('.'), ago(trouble.at_ms), trouble.from, trouble.listener)
}

/// What went wrong for somebody unknown who came from the same address: maybe one's own client, before its login.
fn strangers(state: &HttpState, peer: Peer) -> Vec<Finding> {
    let Some(sightings) = state.cluster.sightings() else { return Vec::new() };
    let from = peer.0.ip().to_canonical().to_string();
    let mut troubles = sightings.strangers();
    troubles.retain(|trouble| trouble.from == from && is_lately(trouble.at_ms));
    troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.at_ms));
    let finding = |trouble: &Trouble| {
        let words = format!("A client at your address ({from}) did not get in, maybe yours: {}", told(trouble));
        Finding::warn("strangers", words, &trouble.fix)
    };
    troubles.iter().take(TOLD_MAX).map(finding).collect()
}

fn disk(state: &HttpState, caller: &Caller) -> Finding {
    let metrics = state.cluster.metrics();
    let is_full = metrics.read_only || metrics.disk.is_some_and(|disk| disk.full);
    let is_own = caller.role == Role::Instructor;
    match (is_full, state.cluster.warning()) {
        (true, _) if !is_own => {
            Finding::bad("disk", "The broker takes no records at the moment.", "Tell the instructor: their page says why.")
        }
        (true, why) => {
            let why = why.unwrap_or_else(|| "the disk is full".to_owned());
            Finding::bad("disk", format!("The broker takes no records: {why}"), "Delete topics or free space on the disk.")
        }
        (false, Some(_)) if !is_own => Finding::ok("disk", "The broker takes records."),
        (false, Some(warning)) => Finding::warn("disk", warning, "Delete topics that nobody needs, or free space on the disk."),
        (false, None) => Finding::ok("disk", "There is room for records."),
    }
}

fn streams(state: &HttpState, caller: &Caller) -> Vec<Finding> {
    let Some(runner) = &state.generators else {
        return vec![Finding::ok("streams", "The four streams are not written here: the broker was started without its generators.")];
    };
    let status = runner.status();
    let mut checks = Vec::new();
    match status.phase {
        Phase::Live => {}
        Phase::Starting | Phase::Backfilling => {
            let percent = (status.backfilled * 100.0).clamp(0.0, 100.0).floor();
            let words = format!("The streams' history is still being written ({percent} %). Tickets wait for its end.");
            checks.push(Finding::warn("streams", words, "Wait a little; reading works already."));
        }
    }
    if let Some(trouble) = &status.trouble {
        let words = match caller.role {
            Role::Instructor => format!("Events are not being written: {trouble}"),
            _ => "Events are not being written at the moment.".to_owned(),
        };
        checks.push(Finding::bad("streams", words, "The instructor's page says more."));
    }
    let orders = runner.orders_status();
    let paused: Vec<&str> = orders.rates.iter().filter(|(_, factor)| *factor == 0.0).map(|(topic, _)| *topic).collect();
    if !paused.is_empty() {
        let words = format!("Paused by the instructor: {}. Nothing new arrives there.", paused.join(", "));
        checks.push(Finding::warn("streams", words, "Read from the beginning, or wait until the streams go on."));
    }
    if checks.is_empty() {
        checks.push(Finding::ok("streams", "The streams are live."));
    }
    checks
}

fn clocks(state: &HttpState, clock_ms: Option<i64>) -> Finding {
    let now = clock::now();
    let told = utc(now);
    let off = clock_ms.map(|theirs| Timestamp(theirs).since(now));
    if let Some(off) = off.filter(|off| off.saturating_abs() > OFF_MS) {
        let (seconds, way) = (off.saturating_abs() / 1000, if off > 0 { "ahead of" } else { "behind" });
        let words = format!("Your machine's clock is {seconds} s {way} the broker's, which says {told}.");
        let fix = "Let your machine set its clock by the network; until then read from offsets, not from times.";
        return Finding::warn("clock", words, fix);
    }
    let town = state.generators.as_ref().map(|runner| runner.now());
    if let Some(town) = town.filter(|town| town.since(now).saturating_abs() > OFF_MS) {
        let words = format!("It is {told}; in the streams it is {}: they have a clock of their own.", utc(town));
        return Finding::ok("clock", words);
    }
    Finding::ok("clock", format!("The broker's clock says {told}."))
}

/// `2026-11-27T10:15:00.000Z`.
pub(super) fn utc(at: Timestamp) -> String {
    String::from_utf8_lossy(&rfc3339_ms(at.0)).into_owned()
}

fn frozen(state: &HttpState) -> Option<Finding> {
    let words = "The instructor has frozen the room: checks wait, and the leaderboard stays as it is.";
    state.room.borrow().frozen.then(|| Finding::warn("room", words, "Go on working; check again when the room goes on."))
}
