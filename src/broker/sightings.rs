//! Who was seen: per user the last logins, clients and troubles, and the troubles of those that nobody knows. All of it is bounded, and
//! gone with the process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::model::Timestamp;
use crate::model::sighting::{ClientSeen, LoginSeen, Sighting, Trouble};
use crate::security::Principal;

/// Users that are remembered. Beyond that the one seen longest ago is forgotten.
const USERS_MAX: usize = 2_000;
const LOGINS_MAX: usize = 10;
const CLIENTS_MAX: usize = 10;
const TROUBLES_MAX: usize = 20;
/// Troubles of those that nobody knows.
const STRANGERS_MAX: usize = 200;
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
    strangers: Vec<Trouble>,
}

impl Sightings {
    fn of_user(&self, user: &str, now: Timestamp, note: impl FnOnce(&mut Sighting)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.users.len() >= USERS_MAX && !seen.users.contains_key(user) {
            let unused = seen.users.iter().filter(|(_, (_, sighting))| sighting.connections == 0);
            if let Some(oldest) = unused.min_by_key(|(_, (at, _))| *at).map(|(user, _)| user.clone()) {
                seen.users.remove(&oldest);
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
    pub fn connected(&self, principal: &Principal, software: (&str, &str), client_id: &str, listener: &str, now: Timestamp) {
        let client = ClientSeen {
            software: cut(software.0),
            version: cut(software.1),
            client_id: cut(client_id),
            listener: listener.to_owned(),
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

    pub fn opened(&self, principal: &Principal, now: Timestamp) {
        self.of_user(principal.name(), now, |sighting| sighting.connections = sighting.connections.saturating_add(1));
    }

    pub fn closed(&self, principal: &Principal, now: Timestamp) {
        self.of_user(principal.name(), now, |sighting| sighting.connections = sighting.connections.saturating_sub(1));
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

    #[test]
    fn what_a_user_does_again_is_counted_and_the_newest_is_last() {
        let sightings = Sightings::default();
        let ada = Principal::user("ada");
        for at in 0..30 {
            sightings.logged_in(&ada, "PLAIN", PLACE, Timestamp(at));
            sightings.connected(&ada, ("librdkafka", "2.16"), if at % 2 == 0 { "a" } else { "b" }, "CLASS", Timestamp(at));
            sightings.opened(&ada, Timestamp(at));
        }
        sightings.closed(&ada, Timestamp(30));
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
        sightings.opened(&Principal::user("here"), Timestamp(0));
        for n in 0..5_000 {
            let user = Principal::user(&format!("user-{n}"));
            sightings.connected(&user, ("x".repeat(1_000).as_str(), "1"), "", "CLASS", Timestamp(n));
            sightings.trouble(None, Mishap::new(format!("odd bytes {n}"), ""), PLACE, Timestamp(n));
        }
        let all = sightings.users();
        assert_eq!((all.len(), sightings.strangers().len()), (USERS_MAX, STRANGERS_MAX));
        assert!(all.iter().any(|seen| seen.user == "here"), "who is connected stays");
        assert!(all.iter().all(|seen| seen.clients.iter().all(|client| client.software.len() <= TEXT_MAX)));
    }
}
