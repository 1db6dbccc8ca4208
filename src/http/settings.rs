//! `/api/settings`: a first program for each client, ready to be pasted. It reads five records from the beginning and ends.
//!
//! The programs are text files in `settings/`. `{{name}}` is replaced; a line that begins with `{{if what}}` is there only if the
//! listener has it: `secured` (anything but PLAINTEXT), `sasl`, `tls`, `ca` (a certificate of our own to be trusted by hand) or `public`
//! (one that the system trusts), `plain` or `scram` (whether it takes SASL PLAIN, for a client whose SCRAM may be too old). `{password}` stays: nobody here knows it.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{InQuery, Refused};
use super::caller::{Caller, Secure};
use super::snippet::{FIRST_TOPIC, python_snippet};
use super::{Entrance, HttpState, StudentLogin, host_of};
use crate::broker::CaInfo;
use crate::config::{Address, Protocol};

/// Clients by name, in the order of the page.
pub const CLIENTS: [(&str, &str); 8] = [
    ("confluent-kafka", include_str!("settings/confluent-kafka.txt")),
    ("kafka-python", include_str!("settings/kafka-python.txt")),
    ("aiokafka", include_str!("settings/aiokafka.txt")),
    ("spark", include_str!("settings/spark.txt")),
    ("databricks", include_str!("settings/databricks.txt")),
    ("kcat", include_str!("settings/kcat.txt")),
    ("kafkajs", include_str!("settings/kafkajs.txt")),
    ("java", include_str!("settings/java.txt")),
];

/// What a program is made for.
struct Target<'a> {
    entrance: &'a Entrance,
    /// `{user}` for somebody who has not said who they are.
    user: &'a str,
    /// At another cluster.
    login: Option<&'a StudentLogin>,
    authority: Option<&'a CaInfo>,
    /// Where the certificate can be fetched.
    authority_url: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsQuery {
    /// For which client; `confluent-kafka` when it is left out.
    client: Option<String>,
    /// At which listener; the first when it is left out.
    listener: Option<String>,
}

pub(super) async fn settings(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Extension(secure): Extension<Secure>,
    InQuery(query): InQuery<SettingsQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    let names = || CLIENTS.map(|(name, _)| name).join(", ");
    let client = query.client.as_deref().unwrap_or("confluent-kafka");
    let Some((_, template)) = CLIENTS.iter().find(|(name, _)| *name == client) else {
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            format!("there are no settings for {client:?}"),
            format!("ask for one of {}", names()),
        ));
    };
    let entrances = state.entrances(&headers);
    let wanted = query.listener.as_deref();
    let found = entrances.iter().find(|entrance| wanted.is_none_or(|name| entrance.listener.name.eq_ignore_ascii_case(name)));
    let Some(entrance) = found else {
        let names: Vec<&str> = entrances.iter().map(|entrance| entrance.listener.name.as_str()).collect();
        let fix = format!("ask for one of {}", names.join(", "));
        return Err(Refused::new(StatusCode::NOT_FOUND, "there is no such listener", fix));
    };
    let text = program(template, &Target::of(&state, &caller, secure, &headers, entrance));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// The first program on the page: short where nobody logs in.
pub(super) fn first_program(state: &HttpState, caller: &Caller, secure: Secure, headers: &HeaderMap, entrance: &Entrance) -> String {
    match CLIENTS.first() {
        Some((_, template)) if entrance.listener.protocol != Protocol::Plaintext => {
            program(template, &Target::of(state, caller, secure, headers, entrance))
        }
        _ => python_snippet(&entrance.address),
    }
}

impl<'a> Target<'a> {
    fn of(state: &'a HttpState, caller: &'a Caller, Secure(secure): Secure, headers: &HeaderMap, entrance: &'a Entrance) -> Target<'a> {
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        // Nothing but a host and a port gets into a program.
        let plain = host.and_then(|host| Address::parse(host).map(|address| address.to_string()).or_else(|| host_of(host)));
        let scheme = if secure { "https" } else { "http" };
        let user = if state.workshop.is_some() { caller.user.as_deref().unwrap_or("{user}") } else { "first" };
        let authority_url = format!("{scheme}://{}/ca.pem", plain.as_deref().unwrap_or("localhost"));
        Target { entrance, user, login: state.student_login.as_deref(), authority: state.authority.as_deref(), authority_url }
    }
}

fn program(template: &str, target: &Target<'_>) -> String {
    let Entrance { listener, address } = target.entrance;
    let (sasl, tls) = (listener.protocol.logs_in(), listener.protocol.is_encrypted());
    let authority = target.authority.filter(|_| tls);
    let is = |what: &str| match what {
        "secured" => sasl || tls,
        "sasl" => sasl,
        "tls" => tls,
        "ca" => authority.is_some(),
        "plain" => listener.mechanisms.contains(&"PLAIN"),
        "scram" => sasl && !listener.mechanisms.contains(&"PLAIN"),
        _ => tls && authority.is_none(),
    };
    let lines = template.lines().filter_map(|line| match line.strip_prefix("{{if ").and_then(|rest| rest.split_once("}}")) {
        None => Some(line),
        Some((what, rest)) => is(what).then_some(rest),
    });
    let kept: String = lines.flat_map(|line| [line, "\n"]).collect();
    // Who asks by HTTPS does not trust the certificate yet; the fingerprint is there to compare.
    let unchecked = if target.authority_url.starts_with("https:") { "-k " } else { "" };
    let user = target.login.map_or(target.user, |login| login.user.as_deref().unwrap_or("YOUR-KAFKA-USER"));
    let values = [
        ("bootstrap", address.to_string()),
        ("protocol", listener.protocol.name().to_owned()),
        ("group", format!("{}-look", target.user)),
        ("user", user.to_owned()),
        ("topic", FIRST_TOPIC.to_owned()),
        ("fetch", format!("curl {unchecked}-o headwater-ca.pem {}", target.authority_url)),
        ("fingerprint", authority.map_or_else(String::new, |authority| authority.fingerprint.clone())),
        ("pem", authority.map_or_else(String::new, |authority| authority.pem.trim_end().to_owned())),
    ];
    let kept = match target.login {
        None => kept,
        Some(login) => for_another(&kept, listener.mechanisms.first().copied(), login.password.as_deref()),
    };
    values.iter().fold(kept, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// A cluster that is another takes its own mechanism, and the password of these pages opens nothing there.
fn for_another(program: &str, mechanism: Option<&str>, password: Option<&str>) -> String {
    let mechanism = mechanism.unwrap_or("SCRAM-SHA-256");
    let named = program.replace("SCRAM-SHA-256", mechanism).replace("scram-sha-256", &mechanism.to_lowercase());
    let module = if mechanism == "PLAIN" { named.replace("scram.ScramLoginModule", "plain.PlainLoginModule") } else { named };
    module.replace("{password}", password.unwrap_or("YOUR-KAFKA-PASSWORD"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ListenerSummary;
    use crate::config::Advertise;

    fn made(client: &str, protocol: Protocol, authority: Option<&CaInfo>) -> String {
        let listener = ListenerSummary {
            name: "LAN".into(),
            protocol,
            bound: Some("0.0.0.0:9093".parse().unwrap()),
            advertise: Advertise::Auto,
            mechanisms: Vec::new(),
        };
        let entrance = Entrance { listener, address: Address { host: "192.168.0.5".into(), port: 9093 } };
        let authority_url = "http://192.168.0.5:8080/ca.pem".to_owned();
        let target = Target { entrance: &entrance, user: "quiet-otter", login: None, authority, authority_url };
        program(CLIENTS.iter().find(|(name, _)| *name == client).unwrap().1, &target)
    }

    #[test]
    fn each_program_has_all_that_its_listener_asks_for_and_no_more() {
        let own = CaInfo { pem: "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n".into(), fingerprint: "AA:BB".into() };
        for (client, _) in CLIENTS {
            for protocol in Protocol::ALL {
                for authority in [None, Some(&own)] {
                    let text = made(client, protocol, authority);
                    assert!(!text.contains("{{") && !text.contains("}}"), "{client} {protocol}: {text}");
                    assert!(text.contains("192.168.0.5:9093") && text.contains("quiet-otter-look") && text.contains(FIRST_TOPIC));
                    let (sasl, tls) = (protocol.logs_in(), protocol.is_encrypted());
                    assert_eq!(text.contains("{password}"), sasl, "{client} {protocol}");
                    assert_eq!(text.to_uppercase().contains("SCRAM-SHA-256"), sasl, "{client} {protocol}");
                    let trusts = text.contains("headwater-ca.pem") || text.contains("BEGIN CERTIFICATE");
                    assert_eq!(trusts, tls && authority.is_some(), "{client} {protocol}");
                    assert_eq!(text.contains("AA:BB"), trusts, "{client} {protocol}");
                    let names_protocol = text.contains(protocol.name()) || client == "kafkajs";
                    assert!(names_protocol || protocol == Protocol::Plaintext, "{client} {protocol}");
                }
            }
        }
    }

    #[test]
    fn another_cluster_has_its_own_mechanism_and_login() {
        for (client, _) in CLIENTS {
            let program = made(client, Protocol::SaslSsl, None);
            let plain = for_another(&program, Some("PLAIN"), Some("read-and-learn"));
            assert!(!plain.to_uppercase().contains("SCRAM-SHA") && plain.contains("read-and-learn"), "{client}: {plain}");
            assert!(!plain.contains("{password}"), "{client}");
            let scram = for_another(&program, Some("SCRAM-SHA-512"), None);
            assert!(scram.to_uppercase().contains("SCRAM-SHA-512") && scram.contains("YOUR-KAFKA-PASSWORD"), "{client}: {scram}");
        }
    }

    #[test]
    fn databricks_has_its_own_name_for_the_login_module() {
        assert!(made("databricks", Protocol::SaslSsl, None).contains("kafkashaded.org.apache.kafka.common.security.scram"));
        assert!(!made("spark", Protocol::SaslSsl, None).contains("kafkashaded"));
    }
}
