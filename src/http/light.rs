//! The light on the first page: whether somebody's Kafka clients get through, and if not, why.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cluster::Sightings;
use crate::model::sighting::{ClientSeen, Latest, Trouble};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Colour {
    /// Nobody came yet.
    #[default]
    Grey,
    /// A client is, or was, connected.
    Green,
    /// The last thing that happened went wrong.
    Red,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Light {
    colour: Colour,
    headline: String,
    detail: Option<String>,
    /// What to do.
    fix: Option<String>,
    /// When it became so.
    at_ms: Option<i64>,
    client: Option<LightClient>,
    /// Connections that are open now.
    open: u64,
}

impl Light {
    /// Of several the one that happened last counts.
    pub fn rank(&self) -> Option<i64> {
        self.at_ms
    }
}

/// The client that was seen last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LightClient {
    /// As it called itself; empty if it did not say.
    software: String,
    version: String,
    client_id: String,
    listener: String,
    /// Its address.
    from: String,
}

/// Whose troubles count that came without a name.
pub(super) enum Strangers {
    Nobodys,
    /// Of this address: one person's pages are open from there, and nobody else's.
    Of(IpAddr),
    /// Whoever comes is this one person.
    All,
}

/// The light of somebody with these Kafka users.
pub(super) fn of(sightings: &dyn Sightings, users: &[&str], strangers: &Strangers) -> Light {
    let latest: Vec<Latest> = users.iter().filter_map(|user| sightings.latest(user)).collect();
    let stranger = match strangers {
        Strangers::Nobodys => None,
        Strangers::Of(from) => sightings.stranger(*from),
        Strangers::All => sightings.strangers().pop(),
    };
    light(&latest, stranger)
}

fn light(latest: &[Latest], stranger: Option<Trouble>) -> Light {
    let open = latest.iter().map(|latest| latest.connections).fold(0, u64::saturating_add);
    let client = latest.iter().filter_map(|latest| latest.client.as_ref()).max_by_key(|client| client.at_ms);
    let login_ms = latest.iter().filter_map(|latest| latest.login_ms).max();
    let came_ms = client.map(|client| client.at_ms).max(login_ms);
    let troubles = latest.iter().filter_map(|latest| latest.trouble.as_ref()).chain(&stranger);
    let trouble = troubles.max_by_key(|trouble| trouble.at_ms).filter(|trouble| came_ms.is_none_or(|came| trouble.at_ms >= came));
    let seen = client.map(|client| LightClient {
        software: client.software.clone(),
        version: client.version.clone(),
        client_id: client.client_id.clone(),
        listener: client.listener.clone(),
        from: client.from.clone(),
    });
    if let Some(trouble) = trouble {
        let again = if trouble.times > 1 { format!(", {} times", trouble.times) } else { String::new() };
        return Light {
            colour: Colour::Red,
            headline: capital(&trouble.what),
            detail: Some(format!("From {} on {}{again}.", trouble.from, trouble.listener)),
            fix: Some(trouble.fix.clone()).filter(|fix| !fix.is_empty()),
            at_ms: Some(trouble.at_ms.0),
            client: seen,
            open,
        };
    }
    let Some(client) = client else {
        return Light {
            headline: "No client has connected yet".to_owned(),
            fix: Some("Run one of the programs on this page. This changes as soon as it connects.".to_owned()),
            open,
            ..Light::default()
        };
    };
    Light {
        colour: Colour::Green,
        headline: if open > 0 { format!("{} is connected", named(client)) } else { format!("{} was connected", named(client)) },
        detail: Some(format!("{}From {} on {}.", client_id(client), client.from, client.listener)),
        fix: None,
        at_ms: came_ms.map(|came| came.0),
        client: seen,
        open,
    }
}

fn named(client: &ClientSeen) -> String {
    match (client.software.as_str(), client.version.as_str()) {
        ("", _) if client.client_id.is_empty() => "A client".to_owned(),
        ("", _) => client.client_id.clone(),
        (software, version) => format!("{software} {version}").trim().to_owned(),
    }
}

fn client_id(client: &ClientSeen) -> String {
    if client.client_id.is_empty() { String::new() } else { format!("Client id {}. ", client.client_id) }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn client(at_ms: i64) -> ClientSeen {
        ClientSeen {
            software: "librdkafka".into(),
            version: "2.6.1".into(),
            client_id: "mine".into(),
            listener: "CLASS".into(),
            from: "10.0.0.7".into(),
            times: 1,
            at_ms: Timestamp(at_ms),
        }
    }

    fn trouble(at_ms: i64, what: &str) -> Trouble {
        Trouble {
            at_ms: Timestamp(at_ms),
            times: 2,
            from: "10.0.0.7".into(),
            listener: "CLASS".into(),
            what: what.into(),
            fix: "do".into(),
        }
    }

    #[test]
    fn the_newest_of_success_and_trouble_counts() {
        assert_eq!(light(&[], None).colour, Colour::Grey);
        let one = |connections, client, trouble| Latest { connections, login_ms: None, client, trouble };
        let green = light(&[one(2, Some(client(10)), Some(trouble(5, "a login failed")))], None);
        assert_eq!((green.colour, green.headline.as_str(), green.open), (Colour::Green, "librdkafka 2.6.1 is connected", 2));
        assert_eq!(green.detail.as_deref(), Some("Client id mine. From 10.0.0.7 on CLASS."));
        let red = light(&[one(0, Some(client(10)), Some(trouble(11, "a login failed")))], None);
        assert_eq!((red.colour, red.headline.as_str(), red.fix.as_deref()), (Colour::Red, "A login failed", Some("do")));
        assert_eq!(red.detail.as_deref(), Some("From 10.0.0.7 on CLASS, 2 times."));
        // Of a team either counts, and so does a stranger at one's own address.
        let team = [one(0, None, Some(trouble(3, "x"))), one(0, Some(client(4)), None)];
        assert_eq!(light(&team, None).colour, Colour::Green);
        assert_eq!(light(&team, None).headline, "librdkafka 2.6.1 was connected");
        assert_eq!(light(&team, Some(trouble(5, "y"))).colour, Colour::Red);
    }
}
