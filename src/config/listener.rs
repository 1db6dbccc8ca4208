//! What a listener is told: where it binds, what it speaks, where its clients are sent.

use std::fmt;
use std::net::IpAddr;

use super::settings::{Address, is_host};

/// Kafka's security protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Plaintext,
    SaslPlaintext,
    Ssl,
    SaslSsl,
}

impl Protocol {
    pub const ALL: [Protocol; 4] = [Protocol::Plaintext, Protocol::SaslPlaintext, Protocol::Ssl, Protocol::SaslSsl];

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Plaintext => "PLAINTEXT",
            Protocol::SaslPlaintext => "SASL_PLAINTEXT",
            Protocol::Ssl => "SSL",
            Protocol::SaslSsl => "SASL_SSL",
        }
    }

    pub fn by_name(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, Protocol::Ssl | Protocol::SaslSsl)
    }

    /// Whether who comes in has to say who it is.
    pub fn logs_in(self) -> bool {
        matches!(self, Protocol::SaslPlaintext | Protocol::SaslSsl)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The address that clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// The one that each client came to.
    Auto,
    /// The name that each client asked for in TLS (SNI), else as `Auto`.
    Sni,
    /// This one. Without a port: the port listened on.
    As { host: String, port: Option<u16> },
}

impl Advertise {
    pub const ACCEPTED: &str = "auto, sni, HOST or HOST:PORT";

    pub fn parse(text: &str) -> Option<Advertise> {
        match text.trim() {
            "auto" => Some(Advertise::Auto),
            "sni" => Some(Advertise::Sni),
            text => {
                if let Some(Address { host, port }) = Address::parse(text) {
                    return (port != 0).then_some(Advertise::As { host, port: Some(port) });
                }
                let bare = text.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                let host = bare.unwrap_or(text);
                let good = is_host(host) && (bare.is_some() || !host.contains(':'));
                good.then(|| Advertise::As { host: host.to_owned(), port: None })
            }
        }
    }
}

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advertise::Auto => f.write_str("auto"),
            Advertise::Sni => f.write_str("sni"),
            Advertise::As { host, port: Some(port) } => Address { host: host.clone(), port: *port }.fmt(f),
            Advertise::As { host, port: None } if host.contains(':') => write!(f, "[{host}]"),
            Advertise::As { host, port: None } => f.write_str(host),
        }
    }
}

/// One listener as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSetting {
    pub name: String,
    pub protocol: Protocol,
    pub bind: Address,
    /// `None`: nothing was said about it, which is `Auto` where nothing speaks against that.
    pub advertise: Option<Advertise>,
    /// The setting that asked for it.
    pub origin: String,
    /// The flag for it up to the address: an address behind this is what to type.
    pub flag: String,
}

impl ListenerSetting {
    pub const ACCEPTED: &str = "NAME=PROTOCOL://HOST:PORT[@ADVERTISED], as LAN=SASL_SSL://0.0.0.0:9093@lab-pc";

    /// Its name is its protocol, as in Kafka where one listener of a kind is enough.
    pub fn named_by_protocol(protocol: Protocol, bind: Address, origin: &str) -> ListenerSetting {
        let flag = "--listen ".to_owned();
        ListenerSetting { name: protocol.name().to_owned(), protocol, bind, advertise: None, origin: origin.to_owned(), flag }
    }

    /// `NAME=PROTOCOL://HOST:PORT[@ADVERTISED]`, or what is wrong with it.
    pub fn parse(text: &str, origin: &str) -> Result<ListenerSetting, String> {
        let refuse = || format!("\"{text}\" is not accepted; give {}", ListenerSetting::ACCEPTED);
        let (name, rest) = text.trim().split_once('=').ok_or_else(refuse)?;
        let (protocol, rest) = rest.split_once("://").ok_or_else(refuse)?;
        let (address, advertised) = rest.split_once('@').map_or((rest, None), |(address, told)| (address, Some(told)));
        let name = name.trim();
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
            return Err(format!("\"{name}\" is no name for a listener; use letters, digits, '_', '-' and '.'"));
        }
        let protocol = Protocol::by_name(protocol.trim())
            .ok_or_else(|| format!("\"{protocol}\" is no protocol; give PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL"))?;
        let bind = Address::parse(address).ok_or_else(refuse)?;
        let advertise = advertised.map(|told| {
            Advertise::parse(told).ok_or_else(|| format!("\"{told}\" is not accepted behind the @; give {}", Advertise::ACCEPTED))
        });
        let advertise = advertise.transpose()?;
        if advertise == Some(Advertise::Sni) && !protocol.is_encrypted() {
            return Err(format!("@sni is the name that a client asks for in TLS, and {protocol} has none; give @auto or @HOST"));
        }
        let flag = format!("--listener {name}={protocol}://");
        Ok(ListenerSetting { name: name.to_owned(), protocol, bind, advertise, origin: origin.to_owned(), flag })
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.bind.host)
    }
}

/// A name counts as one of the network: what it means is known only when it is looked up.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_addresses_are_read_as_they_are_written() {
        for text in ["auto", "sni", "lab-pc", "lab-pc:9092", "[fd00::5]", "[fd00::5]:9092", "10.0.0.5"] {
            assert_eq!(Advertise::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "a b", "http://x", "x:0", "x:99999", "::1", "[::1", "x]"] {
            assert_eq!(Advertise::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_what_no_other_machine_reaches() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "LOCALHOST"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.5", "lab-pc", "localhost.lab", "::ffff:10.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
