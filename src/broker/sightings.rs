//! Who was seen: per user the last logins, clients and troubles, and the troubles of those that nobody knows. All of it is bounded, and
//! gone with the process.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use crate::model::Timestamp;
use crate::model::sighting::{ClientSeen, Latest, LoginSeen, Sighting, Trouble};
use crate::security::Principal;

/// Users that are remembered. Beyond that the one seen longest ago is forgotten.
const USERS_MAX: usize = 2_000;
const LOGINS_MAX: usize = 10;
const CLIENTS_MAX: usize = 10;
const TROUBLES_MAX: usize = 20;
/// Troubles of those that nobody knows.
const STRANGERS_MAX: usize = 200;
/// Connections of one user that are watched because they were sent to another address.
const AWAY_MAX: usize = 4;
/// Who has not come to the address by then does not come.
const AWAY_MS: i64 = 10_000;
/// Characters of a text that came from a client.
const TEXT_MAX: usize = 100;

/// Where something was seen.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub from: IpAddr,
    pub listener: &'a str,
}

/// What went wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mishap {
    pub what: String,
    pub fix: String,
}

impl Mishap {
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Mishap {
        Mishap { what: what.into(), fix: fix.into() }
    }
}

#[derive(Default)]
pub struct Sightings {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    users: HashMap<String, (Timestamp, Sighting)>,
    /// By user: who was told another address than the one it reached, and has not come there.
    away: HashMap<String, Vec<Away>>,
    strangers: Vec<Trouble>,
}

struct Away {
    /// The connection, by the client's end of it.
    remote: SocketAddr,
    at: Timestamp,
    closed: Option<Timestamp>,
    listener: String,
    told: String,
    reached: String,
}

impl Away {
    /// A client that asks once and goes is no trouble: only who waits, or waited, for the address.
    fn trouble(&self, now: Timestamp) -> Option<Trouble> {
        let waited_ms = self.closed.unwrap_or(now).since(self.at);
        (waited_ms >= AWAY_MS).then(|| Trouble {
            at_ms: self.at.plus_ms(AWAY_MS),
            times: 1,
            from: self.remote.ip().to_canonical().to_string(),
            listener: self.listener.clone(),
            what: format!("a client came to {} and was sent on to {}, where it did not arrive", self.reached, self.told),
            fix: format!(
                "From the client's machine {} has to lead to this broker. If it does not, the instructor sets another advertised address for \
                 {}.",
                self.told, self.listener
            ),
        })
    }
}

impl Sightings {
    fn of_user(&self, user: &str, now: Timestamp, note: impl FnOnce(&mut Sighting)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.users.len() >= USERS_MAX && !seen.users.contains_key(user) {
            let unused = seen.users.iter().filter(|(_, (_, sighting))| sighting.connections == 0);
            if let Some(oldest) = unused.min_by_key(|(_, (at, _))| *at).map(|(user, _)| user.clone()) {
                seen.users.remove(&oldest);
                seen.away.remove(&oldest);
            }
        }
        let fresh = || (now, Sighting { user: user.to_owned(), ..Sighting::default() });
        let (at, sighting) = seen.users.entry(user.to_owned()).or_insert_with(fresh);
        *at = now;
        note(sighting);
    }

    pub fn logged_in(&self, principal: &Principal, mechanism: &str, place: Place<'_>, now: Timestamp) {
        let (from, listener) = (place.from.to_canonical().to_string(), place.listener.to_owned());
        let login = LoginSeen { at_ms: now, from, listener, mechanism: mechanism.to_owned() };
        self.of_user(principal.name(), now, |sighting| push(&mut sighting.logins, login, LOGINS_MAX));
    }

    /// A connection of a known client. `software` is name and version.
    pub fn connected(&self, principal: &Principal, software: (&str, &str), client_id: &str, place: Place<'_>, now: Timestamp) {
        let client = ClientSeen {
            software: cut(software.0),
            version: cut(software.1),
            client_id: cut(client_id),
            listener: place.listener.to_owned(),
            from: place.from.to_canonical().to_string(),
            times: 1,
            at_ms: now,
        };
        self.of_user(principal.name(), now, |sighting| {
            let same = |other: &ClientSeen| {
                (&other.software, &other.version, &other.client_id, &other.listener)
                    == (&client.software, &client.version, &client.client_id, &client.listener)
            };
            let before = sighting.clients.iter().position(same).map_or(0, |at| sighting.clients.remove(at).times);
            push(&mut sighting.clients, ClientSeen { times: before.saturating_add(1), ..client }, CLIENTS_MAX);
        });
    }

    pub fn opened(&self, principal: &Principal, remote: SocketAddr, now: Timestamp) {
        self.of_user(principal.name(), now, |sighting| sighting.connections = sighting.connections.saturating_add(1));
        // Whoever was sent on has arrived, or tries anew.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(away) = seen.away.get_mut(principal.name()) {
            away.retain(|away| away.remote == remote);
        }
    }

    pub fn closed(&self, principal: &Principal, remote: SocketAddr, now: Timestamp) {
        self.of_user(principal.name(), now, |sighting| sighting.connections = sighting.connections.saturating_sub(1));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(away) = seen.away.get_mut(principal.name()) else { return };
        away.iter_mut().filter(|away| away.remote == remote).for_each(|away| away.closed = Some(now));
        away.retain(|away| away.closed.is_none() || away.trouble(now).is_some());
        if away.is_empty() {
            seen.away.remove(principal.name());
        }
    }

    /// A client was told another address (`told`) than the one it reached. Once for each connection.
    pub fn sent_away(&self, principal: &Principal, remote: SocketAddr, (told, reached): (&str, &str), place: Place<'_>, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.users.contains_key(principal.name()) {
            return;
        }
        let away = seen.away.entry(principal.name().to_owned()).or_default();
        if away.iter().all(|away| away.remote != remote || away.closed.is_some()) {
            let listener = place.listener.to_owned();
            let (told, reached) = (cut(told), reached.to_owned());
            push(away, Away { remote, at: now, closed: None, listener, told, reached }, AWAY_MAX);
        }
    }

    /// Of a user who was sent away somebody works here.
    pub fn came_back(&self, principal: &Principal) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).away.remove(principal.name());
    }

    /// The newest of each that was seen of a user.
    pub fn latest(&self, user: &str, now: Timestamp) -> Option<Latest> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, sighting) = seen.users.get(user)?;
        let away = seen.away.get(user).into_iter().flatten().filter_map(|away| away.trouble(now)).next_back();
        let noted = sighting.troubles.last();
        let trouble = match (away, noted) {
            (Some(away), Some(noted)) if noted.at_ms > away.at_ms => Some(noted.clone()),
            (Some(away), _) => Some(away),
            (None, noted) => noted.cloned(),
        };
        Some(Latest {
            connections: sighting.connections,
            login_ms: sighting.logins.last().map(|login| login.at_ms),
            client: sighting.clients.last().cloned(),
            trouble,
        })
    }

    /// The newest trouble that a stranger from this address had.
    pub fn stranger(&self, from: IpAddr) -> Option<Trouble> {
        let from = from.to_canonical().to_string();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.strangers.iter().rev().find(|trouble| trouble.from == from).cloned()
    }

    /// The user that was seen last, where all of them are one person's.
    pub fn names(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).users.keys().cloned().collect()
    }

    /// `user` is only somebody that there is: what strangers call themselves must not fill the memory.
    pub fn trouble(&self, user: Option<&str>, mishap: Mishap, place: Place<'_>, now: Timestamp) {
        let trouble = Trouble {
            at_ms: now,
            times: 1,
            from: place.from.to_canonical().to_string(),
            listener: place.listener.to_owned(),
            what: mishap.what,
            fix: mishap.fix,
        };
        match user {
            Some(user) => self.of_user(user, now, |sighting| again(&mut sighting.troubles, trouble, TROUBLES_MAX)),
            None => again(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).strangers, trouble, STRANGERS_MAX),
        }
    }

    /// What was seen of a user.
    pub fn user(&self, user: &str) -> Option<Sighting> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).users.get(user).map(|(_, sighting)| sighting.clone())
    }

    /// Everyone, by name.
    pub fn users(&self) -> Vec<Sighting> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Sighting> = seen.users.values().map(|(_, sighting)| sighting.clone()).collect();
        all.sort_by(|a, b| a.user.cmp(&b.user));
        all
    }

    /// The troubles of those that nobody knows, the newest last.
    pub fn strangers(&self) -> Vec<Trouble> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).strangers.clone()
    }
}

fn push<T>(list: &mut Vec<T>, item: T, most: usize) {
    list.push(item);
    if list.len() > most {
        list.remove(0);
    }
}

/// The same trouble at the same place is one, seen again.
fn again(list: &mut Vec<Trouble>, trouble: Trouble, most: usize) {
    let same = |other: &Trouble| (&other.from, &other.listener, &other.what) == (&trouble.from, &trouble.listener, &trouble.what);
    let before = list.iter().position(same).map_or(0, |at| list.remove(at).times);
    push(list, Trouble { times: before.saturating_add(1), ..trouble }, most);
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { from: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), listener: "CLASS" };

    const REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

    fn elsewhere(sightings: &Sightings, ada: &Principal, at: i64) {
        sightings.opened(ada, REMOTE, Timestamp(at));
        sightings.sent_away(ada, REMOTE, ("lab:9092", "10.0.0.5:9092"), PLACE, Timestamp(at));
    }

    #[test]
    fn who_was_sent_on_and_waits_has_trouble_and_who_came_or_went_has_none() {
        let (sightings, ada) = (Sightings::default(), Principal::user("ada"));
        let trouble = |now: i64| sightings.latest("ada", Timestamp(now)).unwrap().trouble;
        elsewhere(&sightings, &ada, 0);
        assert_eq!(trouble(AWAY_MS - 1), None);
        let told = trouble(AWAY_MS + 5).unwrap();
        assert!(told.what.contains("10.0.0.5:9092") && told.fix.contains("lab:9092") && told.at_ms == Timestamp(AWAY_MS), "{told:?}");
        // It arrives.
        sightings.opened(&ada, SocketAddr::new(REMOTE.ip(), 50_001), Timestamp(AWAY_MS + 6));
        assert_eq!(trouble(AWAY_MS + 7), None);
        // It asks once and goes.
        elsewhere(&sightings, &ada, 100_000);
        sightings.closed(&ada, REMOTE, Timestamp(100_500));
        assert_eq!(trouble(200_000), None);
        // It waits in vain and goes.
        elsewhere(&sightings, &ada, 300_000);
        sightings.closed(&ada, REMOTE, Timestamp(330_000));
        assert!(trouble(331_000).is_some());
        // It works where it is.
        elsewhere(&sightings, &ada, 400_000);
        sightings.came_back(&ada);
        assert_eq!(trouble(500_000), None);
    }

    #[test]
    fn what_a_user_does_again_is_counted_and_the_newest_is_last() {
        let sightings = Sightings::default();
        let ada = Principal::user("ada");
        for at in 0..30 {
            sightings.logged_in(&ada, "PLAIN", PLACE, Timestamp(at));
            sightings.connected(&ada, ("librdkafka", "2.16"), if at % 2 == 0 { "a" } else { "b" }, PLACE, Timestamp(at));
            sightings.opened(&ada, REMOTE, Timestamp(at));
        }
        sightings.closed(&ada, REMOTE, Timestamp(30));
        sightings.trouble(Some("ada"), Mishap::new("wrong password", "take the one of join"), PLACE, Timestamp(31));
        sightings.trouble(Some("ada"), Mishap::new("wrong password", "take the one of join"), PLACE, Timestamp(32));
        let seen = sightings.user("ada").unwrap();
        assert_eq!((seen.connections, seen.logins.len(), seen.logins.last().unwrap().at_ms), (29, LOGINS_MAX, Timestamp(29)));
        assert_eq!(seen.clients.iter().map(|c| (c.client_id.as_str(), c.times)).collect::<Vec<_>>(), [("a", 15), ("b", 15)]);
        assert_eq!(seen.troubles.iter().map(|t| (t.times, t.at_ms)).collect::<Vec<_>>(), [(2, Timestamp(32))]);
        assert!(sightings.user("bob").is_none() && sightings.strangers().is_empty());
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let sightings = Sightings::default();
        sightings.opened(&Principal::user("here"), REMOTE, Timestamp(0));
        for n in 0..5_000 {
            let user = Principal::user(&format!("user-{n}"));
            sightings.connected(&user, ("x".repeat(1_000).as_str(), "1"), "", PLACE, Timestamp(n));
            sightings.trouble(None, Mishap::new(format!("odd bytes {n}"), ""), PLACE, Timestamp(n));
        }
        let all = sightings.users();
        assert_eq!((all.len(), sightings.strangers().len()), (USERS_MAX, STRANGERS_MAX));
        assert!(all.iter().any(|seen| seen.user == "here"), "who is connected stays");
        assert!(all.iter().all(|seen| seen.clients.iter().all(|client| client.software.len() <= TEXT_MAX)));
    }
}
