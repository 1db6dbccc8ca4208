//! By which doors people come in: the listeners, the pages, what TLS uses, and who has to log in. Here is what fits together and what
//! would let somebody in who has said nothing.

use std::path::PathBuf;

use super::listener::{Advertise, ListenerSetting, Protocol, is_loopback};
use super::settings::{Address, Levels, SettingError, Text, is_host, on_off};

/// The port of the pages inside TLS.
const HTTPS_PORT: u16 = 8443;
const SECRET_LEN_MIN: usize = 12;
const ALL_INTERFACES: &str = "0.0.0.0";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doors {
    /// People log in, and may do what their role lets them. Else there is one person, who may do everything.
    pub classroom: bool,
    /// No name twice. None where the cluster is another.
    pub listeners: Vec<ListenerSetting>,
    pub http: Option<Address>,
    pub https: Option<Address>,
    /// What the pages may be called by, beside this machine's names and addresses.
    pub http_names: Vec<String>,
    pub tls: TlsSetting,
    /// PLAIN is taken on unencrypted listeners of the network too.
    pub plain_in_clear: bool,
    pub workshop_code: Option<String>,
    pub instructor_secret: Option<String>,
    pub new_instructor_secret: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSetting {
    /// Certificate chain and private key that were given. `None`: they are made.
    pub files: Option<(PathBuf, PathBuf)>,
    /// What a certificate that is made holds for, beside this machine's names and addresses.
    pub names: Vec<String>,
}

impl Doors {
    /// Whether anything needs a certificate.
    pub fn has_tls(&self) -> bool {
        self.https.is_some() || self.listeners.iter().any(|listener| listener.protocol.is_encrypted())
    }

    /// Whether anybody has to say who they are, so that the instructor needs a password.
    pub fn has_logins(&self) -> bool {
        self.classroom || self.listeners.iter().any(|listener| listener.protocol.logs_in())
    }

    /// Another cluster has its own listeners, and there is no folder to keep a certificate in that is made.
    pub(super) fn without_a_broker(&mut self, https: Option<&Text>) -> Result<(), SettingError> {
        self.listeners.clear();
        if self.tls.files.is_some() || self.https.is_none() {
            return Ok(());
        }
        match https.filter(|given| !given.text.trim().is_empty()) {
            None => {
                self.https = None;
                Ok(())
            }
            Some(given) => Err(SettingError {
                origin: given.origin.clone(),
                message: "with --cluster no certificate is made; give one with --tls-cert and --tls-key, or --https off".to_owned(),
            }),
        }
    }

    /// What DescribeConfigs shows of them under Kafka's names.
    pub(super) fn configs(&self) -> Vec<(&'static str, String)> {
        let each = |show: &dyn Fn(&ListenerSetting) -> Option<String>| {
            let shown: Vec<String> = self.listeners.iter().filter_map(show).collect();
            Some(shown.join(",")).filter(|shown| !shown.is_empty())
        };
        let advertised = |listener: &ListenerSetting| match &listener.advertise {
            Some(Advertise::As { host, port }) => {
                let address = Address { host: host.clone(), port: port.unwrap_or(listener.bind.port) };
                Some(format!("{}://{address}", listener.name))
            }
            _ => None,
        };
        let named = self.listeners.iter().any(|listener| listener.name != listener.protocol.name());
        let protocols = each(&|listener| Some(format!("{}:{}", listener.name, listener.protocol))).filter(|_| named);
        [
            ("listeners", each(&|listener| Some(format!("{}://{}", listener.name, listener.bind)))),
            ("advertised.listeners", each(&advertised)),
            ("listener.security.protocol.map", protocols),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
    }
}

pub(super) fn doors(levels: &Levels, warnings: &mut Vec<String>) -> Result<Doors, SettingError> {
    let classroom = on_off(&levels.text("classroom"))?;
    let listeners = listeners(levels, classroom)?;
    let http_given = levels.given("http");
    let http = match &http_given {
        None if classroom => Some(Address { host: ALL_INTERFACES.to_owned(), port: 8080 }),
        _ => address_or_off(&levels.text("http"))?,
    };
    let https_given = levels.given("https").filter(|t| !t.text.trim().is_empty());
    let https = match &https_given {
        Some(given) => address_or_off(given)?,
        // Where port 0 is asked for, any free one will do.
        None if classroom => http.clone().map(|Address { host, port }| Address { host, port: if port == 0 { 0 } else { HTTPS_PORT } }),
        None => None,
    };
    let doors = Doors {
        classroom,
        listeners,
        http_names: names(levels, "http-names")?,
        tls: tls(levels)?,
        plain_in_clear: on_off(&levels.text("plain-in-clear"))?,
        workshop_code: text(levels, "workshop-code"),
        instructor_secret: secret(levels)?,
        new_instructor_secret: on_off(&levels.text("new-instructor-secret"))?,
        http,
        https,
    };
    refuse_strangers(&doors)?;
    let pages = [("--http", &http_given, &doors.http), ("--https", &https_given, &doors.https)];
    for (flag, given, address) in pages {
        let Some(address) = address.as_ref().filter(|address| !classroom && !is_loopback(&address.host)) else { continue };
        let origin = given.as_ref().map_or(flag, |given| given.origin.as_str());
        return Err(anyone_is_administrator(origin, address, "the pages ask nobody who they are"));
    }
    warn(&doors, warnings);
    Ok(doors)
}

/// Nobody may be administrator whom nobody knows, but on the machine itself.
fn refuse_strangers(doors: &Doors) -> Result<(), SettingError> {
    for listener in doors.listeners.iter().filter(|listener| !listener.protocol.logs_in()) {
        let protocol = listener.protocol;
        if doors.classroom {
            let login = if protocol.is_encrypted() { Protocol::SaslSsl } else { Protocol::SaslPlaintext };
            return Err(SettingError {
                origin: listener.origin.clone(),
                message: format!(
                    "{protocol} asks nobody who they are, and in a classroom nobody may do anything without a login; give {}={login}://{}",
                    listener.name, listener.bind
                ),
            });
        }
        if !listener.is_loopback() {
            return Err(anyone_is_administrator(&listener.origin, &listener.bind, &format!("{protocol} asks nobody who they are")));
        }
    }
    Ok(())
}

fn anyone_is_administrator(origin: &str, address: &Address, because: &str) -> SettingError {
    let here = Address { host: "127.0.0.1".to_owned(), port: address.port };
    let message = format!(
        "on {address} anyone in the network would be administrator, as {because}; give {here}, or start with serve --classroom, where people log in"
    );
    SettingError { origin: origin.to_owned(), message }
}

fn warn(doors: &Doors, warnings: &mut Vec<String>) {
    for listener in doors.listeners.iter().filter(|listener| !listener.protocol.logs_in()) {
        if let Some(Advertise::As { host, .. }) =
            listener.advertise.as_ref().filter(|told| !matches!(told, Advertise::As { host, .. } if is_loopback(host)))
        {
            let name = &listener.name;
            warnings
                .push(format!("listener {name} sends clients to {host}: whoever comes through there is administrator, without a login"));
        }
    }
    if !doors.classroom && doors.workshop_code.is_some() {
        warnings.push("a workshop code is of use with --classroom only".to_owned());
    }
    if !doors.has_logins() && (doors.instructor_secret.is_some() || doors.new_instructor_secret) {
        warnings.push("nobody logs in here, so the instructor's secret opens nothing; --classroom is where it does".to_owned());
    }
    if doors.plain_in_clear {
        warnings.push("passwords may come in clear text (--plain-in-clear): whoever listens in the network can read them".to_owned());
    }
}

fn listeners(levels: &Levels, classroom: bool) -> Result<Vec<ListenerSetting>, SettingError> {
    let asked = levels.all("listener");
    let listen = levels.given("listen");
    let mut listeners = Vec::new();
    for text in &asked {
        if text.text.trim().is_empty() {
            continue;
        }
        let refuse = |message| SettingError { origin: text.origin.clone(), message };
        let listener = ListenerSetting::parse(&text.text, &text.origin).map_err(refuse)?;
        if listeners.iter().any(|other: &ListenerSetting| other.name.eq_ignore_ascii_case(&listener.name)) {
            return Err(refuse(format!("two listeners are called {}; give each its own name", listener.name)));
        }
        listeners.push(listener);
    }
    match (&listen, listeners.is_empty()) {
        (Some(short), false) => {
            let message = format!("{} names the listeners already; give one of them", short.origin);
            return Err(SettingError { origin: asked.first().map_or_else(String::new, |text| text.origin.clone()), message });
        }
        (_, true) => listeners = default_listeners(levels, listen.as_ref(), classroom)?,
        (None, false) => {}
    }
    if let Some(given) = levels.given("advertise") {
        advertise(&given, &mut listeners)?;
    }
    Ok(listeners)
}

/// One for one person; for a classroom one in clear and one inside TLS, side by side.
fn default_listeners(levels: &Levels, listen: Option<&Text>, classroom: bool) -> Result<Vec<ListenerSetting>, SettingError> {
    let origin = listen.map_or("--listen", |given| given.origin.as_str());
    let bind = match listen {
        None if classroom => Address { host: ALL_INTERFACES.to_owned(), port: 9092 },
        _ => address(&levels.text("listen"), "")?,
    };
    if !classroom {
        return Ok(vec![ListenerSetting::named_by_protocol(Protocol::Plaintext, bind, origin)]);
    }
    let port = if bind.port == 0 { 0 } else { bind.port.saturating_add(1) };
    let beside = Address { host: bind.host.clone(), port };
    let mut encrypted = ListenerSetting::named_by_protocol(Protocol::SaslSsl, beside, origin);
    encrypted.flag = format!("--listener SASL_PLAINTEXT=SASL_PLAINTEXT://{bind} --listener SASL_SSL=SASL_SSL://");
    Ok(vec![ListenerSetting::named_by_protocol(Protocol::SaslPlaintext, bind, origin), encrypted])
}

/// `--advertise` is for the listeners that were told nothing themselves.
fn advertise(given: &Text, listeners: &mut [ListenerSetting]) -> Result<(), SettingError> {
    let told = Advertise::parse(&given.text).ok_or_else(|| given.refuse(Advertise::ACCEPTED))?;
    let open: Vec<&mut ListenerSetting> = listeners.iter_mut().filter(|listener| listener.advertise.is_none()).collect();
    if open.len() > 1 && matches!(told, Advertise::As { port: Some(_), .. }) {
        let flags: Vec<String> = open.iter().map(|l| format!("--listener {}={}://{}@HOST:PORT", l.name, l.protocol, l.bind)).collect();
        return Err(SettingError {
            origin: given.origin.clone(),
            message: format!("one port cannot lead to {} listeners; give a host without a port, or {}", open.len(), flags.join(" ")),
        });
    }
    for listener in open {
        let in_clear = !listener.protocol.is_encrypted();
        listener.advertise = Some(if told == Advertise::Sni && in_clear { Advertise::Auto } else { told.clone() });
    }
    Ok(())
}

fn address(given: &Text, or: &str) -> Result<Address, SettingError> {
    Address::parse(&given.text).ok_or_else(|| given.refuse(&format!("HOST:PORT with a port up to 65535, as 127.0.0.1:9092{or}")))
}

fn address_or_off(given: &Text) -> Result<Option<Address>, SettingError> {
    if given.text.trim() == "off" { Ok(None) } else { address(given, ", or off").map(Some) }
}

fn text(levels: &Levels, name: &str) -> Option<String> {
    levels.given(name).map(|given| given.text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Never shown, not even when it is refused.
fn secret(levels: &Levels) -> Result<Option<String>, SettingError> {
    let Some(given) = levels.given("instructor-secret").filter(|given| !given.text.is_empty()) else { return Ok(None) };
    let (secret, origin) = (given.text, given.origin);
    let refuse = |message: String| Err(SettingError { origin, message });
    if secret.chars().count() < SECRET_LEN_MIN {
        return refuse(format!(
            "a secret of fewer than {SECRET_LEN_MIN} characters is guessed; give a longer one, or none and one is made up"
        ));
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return refuse("clients disagree about how letters beyond ASCII are sent; give one of ASCII letters, digits and signs".to_owned());
    }
    Ok(Some(secret))
}

fn tls(levels: &Levels) -> Result<TlsSetting, SettingError> {
    let files = match (text(levels, "tls-cert"), text(levels, "tls-key")) {
        (Some(certificate), Some(key)) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (None, None) => None,
        (certificate, _) => {
            let (have, missing) = if certificate.is_some() { ("tls-cert", "tls-key") } else { ("tls-key", "tls-cert") };
            let origin = levels.given(have).map_or_else(String::new, |given| given.origin);
            return Err(SettingError { origin, message: format!("a certificate and its key go together; give --{missing} as well") });
        }
    };
    Ok(TlsSetting { files, names: names(levels, "tls-names")? })
}

fn names(levels: &Levels, setting: &str) -> Result<Vec<String>, SettingError> {
    let given = levels.text(setting);
    let names: Vec<String> = given.text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    // `*.lab.example` is a name too.
    if names.iter().any(|name| !is_host(name.strip_prefix("*.").unwrap_or(name))) {
        return Err(given.refuse("names or addresses with commas between them, as lab-pc,10.0.0.5"));
    }
    Ok(names)
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
