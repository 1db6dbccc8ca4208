//! Headwater's own settings: one table of rows, each a flag, an environment variable and a key of the settings file.
//!
//! Flag over variable over file over default, for each setting by itself. Reading the environment and the file is the
//! caller's; here texts become `Settings` or one sentence that says which text is wrong and what is accepted.

use std::fmt;
use std::path::PathBuf;

use super::broker::{BrokerLayers, broker_row, broker_rows};
use super::clock::{ClockSetting, Speed};
use super::def::Honoured;
use super::doors::{Doors, doors};
use super::entry::ConfigValues;
use super::guards::Guards;

/// What a setting's text has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    Path,
    /// `host:port`.
    Address,
    /// `host:port` or `off`.
    AddressOrOff,
    /// `host`, `host:port`, `auto` or `sni`.
    Advertise,
    /// `NAME=PROTOCOL://host:port[@advertised]`; may be given many times.
    Listener,
    /// Names with commas between them.
    Names,
    /// Any text.
    Text,
    OnOff,
    /// On or off; the flag alone is on.
    Switch,
    Number,
    /// A number, fractions too, or `max`.
    Speed,
    Choice(&'static [&'static str]),
    /// `name=value` of a broker config; may be given many times.
    BrokerConfig,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct SettingRow {
    /// The flag without its dashes; the variable and the file key are made from it.
    pub name: &'static str,
    /// How the value is called in the help.
    pub value: &'static str,
    pub default: &'static str,
    pub kind: SettingKind,
    /// The broker config that this setting is the short form of.
    pub broker_config: Option<&'static str>,
    /// May stand in the settings file.
    pub in_file: bool,
    pub doc: &'static str,
}

const fn row(name: &'static str, value: &'static str, default: &'static str, kind: SettingKind, doc: &'static str) -> SettingRow {
    SettingRow { name, value, default, kind, broker_config: None, in_file: true, doc }
}

impl SettingRow {
    const fn broker(mut self, config: &'static str) -> SettingRow {
        self.broker_config = Some(config);
        self
    }

    const fn not_in_file(mut self) -> SettingRow {
        self.in_file = false;
        self
    }

    /// `HEADWATER_DATA_DIR` for `data-dir`.
    pub fn variable(&self) -> String {
        format!("HEADWATER_{}", self.name.replace('-', "_").to_uppercase())
    }
}

const CLOCKS: &[&str] = &["real", "virtual"];
const DIRT: &[&str] = &["0", "1", "2"];
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

use SettingKind as Kind;

/// Every setting, in the order of the help.
#[rustfmt::skip]
pub const SETTING_ROWS: &[SettingRow] = &[
    row("data-dir", "FOLDER", "headwater-data", Kind::Path, "Folder for topics, offsets and settings. Made if it is not there"),
    row("listen", "HOST:PORT", "127.0.0.1:9092", Kind::Address, "Where Kafka clients connect. In a classroom 0.0.0.0:9092, and TLS on the port after it"),
    row("listener", "NAME=PROTOCOL://HOST:PORT[@ADVERTISED]", "", Kind::Listener, "A listener, in place of --listen. PROTOCOL: PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL. ADVERTISED: as --advertise. Repeatable"),
    row("advertise", "HOST[:PORT]", "auto", Kind::Advertise, "Address that clients are told to come back to. auto: the one they came to. sni: the name they asked for in TLS"),
    row("http", "HOST:PORT", "127.0.0.1:8080", Kind::AddressOrOff, "Where the web page, /metrics and /healthz are, or off. In a classroom 0.0.0.0:8080"),
    row("https", "HOST:PORT", "", Kind::AddressOrOff, "The same pages inside TLS, or off. In a classroom port 8443 beside --http, else off"),
    row("classroom", "on|off", "off", Kind::Switch, "Open to the network, for people who log in: students and an instructor. Off: for one person on this machine"),
    row("workshop-code", "CODE", "", Kind::Text, "What students join with, in place of one that is made up"),
    row("instructor-secret", "SECRET", "", Kind::Text, "Password of the user instructor, 12 characters or more, in place of one that is made up"),
    row("new-instructor-secret", "on|off", "off", Kind::Switch, "Make a new password for the user instructor, and print it").not_in_file(),
    row("tls-cert", "FILE", "", Kind::Path, "Certificate chain (PEM) for TLS, in place of one that is made. Read again when it changes"),
    row("tls-key", "FILE", "", Kind::Path, "Private key (PEM) of the certificate"),
    row("http-names", "NAME[,...]", "", Kind::Names, "More names that the web page may be asked for by, beside this machine's names and addresses"),
    row("tls-names", "NAME[,...]", "", Kind::Names, "More names and addresses that the certificate that is made holds for"),
    row("plain-in-clear", "on|off", "off", Kind::OnOff, "Take SASL PLAIN, a readable password, also on unencrypted listeners that the network reaches"),
    row("generators", "on|off", "on", Kind::OnOff, "Fill the four workshop topics"),
    row("seed", "NUMBER", "42", Kind::Number, "Seed of the generators: the same seed gives the same town"),
    row("dirt", "0|1|2", "1", Kind::Choice(DIRT), "Faults in the generated data: none, the stated ones, three times as many"),
    row("clock", "real|virtual", "real", Kind::Choice(CLOCKS), "Time of the generated data: the present, or one that begins on 5 January 2026, so that the seed alone decides about every byte"),
    row("speed", "NUMBER", "1", Kind::Speed, "How many times as fast as real time a virtual clock goes. 0: it stands still behind two hours of history"),
    row("challenges", "FOLDER", "", Kind::Path, "A folder of challenges beside those of this program. One with the id of another takes its place"),
    row("wheelhouse", "FOLDER", "", Kind::Path, "A folder of Python packages, filled with pip download, that students install from at /wheels/"),
    row("cluster", "kafka://HOST:PORT[,...]", "", Kind::Text, "Hold the workshop on this Kafka cluster, in place of a broker of its own"),
    row("cluster-config", "FILE", "", Kind::Path, "What clients of that cluster need: a properties file with security.protocol, sasl.* and ssl.*"),
    row("cluster-student-config", "FILE", "", Kind::Path, "The same for students: bootstrap.servers, security.protocol and a login for all of them, shown in their settings"),
    row("num-partitions", "NUMBER", "4", Kind::Number, "Partitions of topics created without a count").broker("num.partitions"),
    row("auto-create-topics", "on|off", "on", Kind::OnOff, "Create topics when they are first asked for").broker("auto.create.topics.enable"),
    row("node-id", "NUMBER", "1", Kind::Number, "Number of this broker").broker("node.id"),
    row("disk-warn-percent", "PERCENT", "10", Kind::Number, "Warn when less of the disk is free"),
    row("disk-floor-percent", "PERCENT", "5", Kind::Number, "Refuse producers when less of the disk is free"),
    row("disk-ceiling-mib", "MIB", "2048", Kind::Number, "Do not refuse producers while more is free, whatever the size of the disk"),
    row("disk-floor-mib", "MIB", "256", Kind::Number, "Refuse producers when less is free, whatever the size of the disk"),
    row("ballast-mib", "MIB", "32", Kind::Number, "Size of a file that is given up when the disk is full, so that commits and deletions still work. 0: none"),
    row("read-only-after", "NUMBER", "3", Kind::Number, "Start read-only after so many unclean starts in a row. 0: never"),
    row("log-level", "LEVEL", "info", Kind::Choice(LEVELS), "How much is logged: error, warn, info, debug or trace"),
    row("config", "FILE", "", Kind::Path, "Settings file (TOML) with these names as keys").not_in_file(),
    row("set", "NAME=VALUE", "", Kind::BrokerConfig, "A Kafka broker config, such as log.retention.hours=24. Repeatable").not_in_file(),
];

/// The table of the settings file that holds Kafka broker configs.
pub const BROKER_TABLE: &str = "broker";

pub fn setting_row(name: &str) -> Option<&'static SettingRow> {
    SETTING_ROWS.iter().find(|row| row.name == name)
}

/// A host and a port. Port 0 asks for any free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl Address {
    /// `host:port`, `[v6]:port`.
    pub fn parse(text: &str) -> Option<Address> {
        let (host, port) = text.trim().rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        if !is_host(host) || (bare.is_none() && host.contains(':')) {
            return None;
        }
        Some(Address { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

pub(super) fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%'))
}

/// Another cluster that the workshop is held on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSetting {
    pub address: String,
    pub config: Option<PathBuf>,
    pub student_config: Option<PathBuf>,
}

/// Settings of a broker that is not there.
const OF_A_BROKER: &[&str] = &["listen", "listener", "advertise", "data-dir"];

fn cluster(levels: &Levels) -> Result<Option<ClusterSetting>, SettingError> {
    let given = |name: &str| levels.given(name).filter(|given| !given.text.trim().is_empty());
    let path = |name: &str| given(name).map(|given| PathBuf::from(given.text));
    let Some(address) = given("cluster") else {
        return match given("cluster-config").or_else(|| given("cluster-student-config")) {
            None => Ok(None),
            Some(alone) => Err(SettingError { origin: alone.origin, message: "is of use with --cluster only; give that too".to_owned() }),
        };
    };
    if let Some(other) = OF_A_BROKER.iter().find_map(|name| given(name)) {
        let message = format!("{} is a broker's, and with {} there is none here; leave one of them out", other.name, address.origin);
        return Err(SettingError { origin: other.origin, message });
    }
    Ok(Some(ClusterSetting { address: address.text, config: path("cluster-config"), student_config: path("cluster-student-config") }))
}

/// All settings, typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub doors: Doors,
    /// `None`: the broker in this process.
    pub cluster: Option<ClusterSetting>,
    pub generators: bool,
    pub seed: u64,
    /// 0 to 2.
    pub dirt: u8,
    pub clock: ClockSetting,
    /// A folder of challenges beside our own.
    pub challenges: Option<PathBuf>,
    /// A folder of Python packages.
    pub wheelhouse: Option<PathBuf>,
    pub log_level: String,
    pub guards: Guards,
    /// Broker configs given at the start, own settings included as Kafka names them.
    pub broker: BrokerLayers,
    /// Sentences worth printing that stop nothing.
    pub warnings: Vec<String>,
}

/// The texts that were given, by setting name (`set` may come many times).
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub flags: Vec<(String, String)>,
    /// Environment variables that begin with `HEADWATER_`, by their full name.
    pub variables: Vec<(String, String)>,
    /// The settings file: how to name it in messages, and its text.
    pub file: Option<(String, String)>,
}

/// A text that is wrong: where it stands, what it is, what is accepted. One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    pub origin: String,
    pub message: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message.replace('\n', " "))
    }
}
impl std::error::Error for SettingError {}

/// One text with the place it stands in.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub name: String,
    pub text: String,
    pub origin: String,
}

impl Text {
    pub fn refuse(&self, accepted: &str) -> SettingError {
        SettingError { origin: self.origin.clone(), message: format!("\"{}\" is not accepted; give {accepted}", self.text) }
    }
}

/// What one level (flags, variables, file) says.
#[derive(Clone, Debug, Default)]
struct Level {
    settings: Vec<Text>,
    configs: Vec<Text>,
}

/// Flags, variables and file, in this order.
pub(super) struct Levels([Level; 3]);

impl Levels {
    /// What was given, on the highest level that says anything.
    pub fn given(&self, name: &str) -> Option<Text> {
        self.0.iter().find_map(|level| level.settings.iter().rev().find(|t| t.name == name)).cloned()
    }

    /// All that was given on the highest level that says anything.
    pub fn all(&self, name: &str) -> Vec<Text> {
        let level = self.0.iter().find(|level| level.settings.iter().any(|t| t.name == name));
        level.into_iter().flat_map(|level| level.settings.iter().filter(|t| t.name == name).cloned()).collect()
    }

    /// What was given, or the default.
    pub fn text(&self, name: &str) -> Text {
        self.given(name).unwrap_or_else(|| Text {
            name: name.to_owned(),
            text: setting_row(name).map_or("", |row| row.default).to_owned(),
            origin: "default".to_owned(),
        })
    }
}

impl Settings {
    pub fn from_given(given: &Given) -> Result<Settings, SettingError> {
        let mut warnings = Vec::new();
        let levels =
            Levels([flag_level(&given.flags)?, variable_level(&given.variables, &mut warnings)?, file_level(given.file.as_ref())?]);
        let text = |name: &str| levels.text(name);
        let folder = |name: &str| levels.given(name).map(|given| PathBuf::from(given.text)).filter(|folder| !folder.as_os_str().is_empty());
        let cluster = cluster(&levels)?;
        let mut doors = doors(&levels, &mut warnings)?;
        if cluster.is_some() {
            doors.without_a_broker(levels.given("https").as_ref())?;
        }
        let dirt = text("dirt");
        if !DIRT.contains(&dirt.text.as_str()) {
            return Err(dirt.refuse(&DIRT.join(", ")));
        }
        let log_level = text("log-level");
        if !LEVELS.contains(&log_level.text.as_str()) {
            return Err(log_level.refuse(&LEVELS.join(", ")));
        }
        let data_dir = text("data-dir");
        if data_dir.text.trim().is_empty() {
            return Err(data_dir.refuse("a folder"));
        }
        let mut at_start = broker_configs(&levels.0)?;
        at_start.insert("log.dirs".to_owned(), data_dir.text.clone());
        for (name, value) in doors.configs() {
            at_start.insert(name.to_owned(), value);
        }
        let node_id = at_start.entry("node.id".to_owned()).or_insert_with(|| "1".to_owned()).clone();
        at_start.insert("broker.id".to_owned(), node_id);
        let broker = BrokerLayers::new(at_start).map_err(|e| SettingError { origin: "broker configs".to_owned(), message: e.message })?;
        Ok(Settings {
            data_dir: PathBuf::from(&data_dir.text),
            doors,
            cluster,
            generators: on_off(&text("generators"))?,
            seed: number(&text("seed"))?,
            dirt: dirt.text.parse().unwrap_or(1),
            clock: clock(&text("clock"), &text("speed"))?,
            challenges: folder("challenges"),
            wheelhouse: folder("wheelhouse"),
            log_level: log_level.text,
            guards: guards(text)?,
            broker,
            warnings,
        })
    }
}

fn flag_level(flags: &[(String, String)]) -> Result<Level, SettingError> {
    let mut level = Level::default();
    for (name, text) in flags {
        let given = Text { name: name.clone(), text: text.clone(), origin: format!("--{name}") };
        match name.as_str() {
            "set" => level.configs.push(assignment(&given)?),
            _ => level.settings.push(given),
        }
    }
    Ok(level)
}

fn variable_level(variables: &[(String, String)], warnings: &mut Vec<String>) -> Result<Level, SettingError> {
    let mut level = Level::default();
    for (variable, text) in variables {
        let row = SETTING_ROWS.iter().find(|row| row.variable() == *variable);
        let given = |name: &str, text: &str| Text { name: name.to_owned(), text: text.to_owned(), origin: variable.clone() };
        match row.map(|row| row.name) {
            Some("set") => {
                for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
                    level.configs.push(assignment(&given("set", part))?);
                }
            }
            Some("listener") => {
                let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
                level.settings.extend(parts.map(|part| given("listener", part)));
            }
            Some(name) => level.settings.push(given(name, text)),
            // Container platforms make variables of their own from a service's name, so an unknown one is no error.
            None => {
                let names: Vec<String> = SETTING_ROWS.iter().map(SettingRow::variable).collect();
                if let Some(near) = nearest(variable, names.iter().map(String::as_str), 2) {
                    warnings.push(format!("{variable} is not a setting and was ignored; did you mean {near}?"));
                }
            }
        }
    }
    Ok(level)
}

fn file_level(file: Option<&(String, String)>) -> Result<Level, SettingError> {
    let mut level = Level::default();
    let Some((path, text)) = file else { return Ok(level) };
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
        SettingError { origin: format!("{path}, line {line}"), message: format!("not TOML: {}", e.message()) }
    })?;
    for (key, value) in &table {
        let origin = format!("{path}: {key}");
        if key == BROKER_TABLE {
            let configs = value.as_table().ok_or_else(|| SettingError {
                origin: origin.clone(),
                message: format!("write a table, [{BROKER_TABLE}], with lines such as \"log.retention.hours\" = 24"),
            })?;
            broker_table(path, "", configs, &mut level.configs)?;
            continue;
        }
        let name = key.replace('_', "-");
        let Some(row) = setting_row(&name).filter(|row| row.in_file) else {
            return Err(SettingError { origin, message: unknown_key(key) });
        };
        if let (toml::Value::Array(items), SettingKind::Listener | SettingKind::Names) = (value, row.kind) {
            let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>();
            let texts = texts.ok_or_else(|| SettingError { origin: origin.clone(), message: "give a list of texts".to_owned() })?;
            let texts = if row.kind == SettingKind::Names { vec![texts.join(",")] } else { texts };
            level.settings.extend(texts.into_iter().map(|text| Text { name: name.clone(), text, origin: origin.clone() }));
            continue;
        }
        let text = scalar(value)
            .ok_or_else(|| SettingError { origin: origin.clone(), message: "give one text, number or true/false".to_owned() })?;
        level.settings.push(Text { name, text, origin });
    }
    Ok(level)
}

/// Both `"log.retention.hours" = 24` and `log.retention.hours = 24`, which TOML reads as nested tables.
fn broker_table(path: &str, prefix: &str, table: &toml::Table, configs: &mut Vec<Text>) -> Result<(), SettingError> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let toml::Value::Table(inner) = value {
            broker_table(path, &name, inner, configs)?;
            continue;
        }
        let origin = format!("{path}: [{BROKER_TABLE}] {name}");
        let text = match value {
            toml::Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(|items| items.join(",")),
            one => scalar(one),
        };
        let text =
            text.ok_or_else(|| SettingError { origin: origin.clone(), message: "give one text, number, true/false or a list".to_owned() })?;
        configs.push(known_config(Text { name, text, origin })?);
    }
    Ok(())
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn unknown_key(key: &str) -> String {
    let names = SETTING_ROWS.iter().filter(|row| row.in_file).map(|row| row.name).chain([BROKER_TABLE]);
    match nearest(&key.replace('_', "-"), names, 3) {
        Some(near) => format!("there is no such setting; did you mean {near}?"),
        None if broker_row(key).is_some() => format!("Kafka's configs stand under [{BROKER_TABLE}]"),
        None => "there is no such setting; `headwater --help` lists them".to_owned(),
    }
}

/// `name=value`.
fn assignment(given: &Text) -> Result<Text, SettingError> {
    let (name, value) = given.text.split_once('=').ok_or_else(|| given.refuse("NAME=VALUE, as log.retention.hours=24"))?;
    let name = name.trim().to_owned();
    known_config(Text { origin: format!("{} {name}", given.origin), name, text: value.to_owned() })
}

fn known_config(given: Text) -> Result<Text, SettingError> {
    let refuse = |message: String| SettingError { origin: given.origin.clone(), message };
    let Some(row) = broker_row(&given.name) else {
        let near = nearest(&given.name, broker_rows().iter().map(|row| row.name), 4);
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return Err(refuse(format!("Kafka has no broker config of that name{hint}")));
    };
    if let Honoured::SetBy(setting) = row.honoured {
        return Err(refuse(format!("use {setting} for this")));
    }
    row.normalise(&given.text).map_err(|e| {
        let accepted = row.valid_text();
        let accepted = if accepted.is_empty() { format!("a value of type {}", row.kind.name().to_lowercase()) } else { accepted };
        refuse(format!("{}; give {accepted}", e.message))
    })?;
    Ok(given)
}

/// The broker configs of all levels, own short forms included. The same config twice on one level is refused: which of
/// the two was meant cannot be told.
fn broker_configs(levels: &[Level]) -> Result<ConfigValues, SettingError> {
    let mut values = ConfigValues::new();
    for level in levels.iter().rev() {
        for config in &level.configs {
            values.insert(config.name.clone(), config.text.clone());
        }
        for row in SETTING_ROWS {
            let Some(config) = row.broker_config else { continue };
            let Some(given) = level.settings.iter().rev().find(|t| t.name == row.name) else { continue };
            if let Some(other) = level.configs.iter().find(|c| c.name == config) {
                return Err(SettingError {
                    origin: given.origin.clone(),
                    message: format!("{} says the same thing; give one of them", other.origin),
                });
            }
            let text = if row.kind == SettingKind::OnOff { on_off(given)?.to_string() } else { given.text.clone() };
            let checked = known_config(Text { name: config.to_owned(), text, origin: given.origin.clone() })?;
            values.insert(checked.name, checked.text);
        }
    }
    Ok(values)
}

fn clock(kind: &Text, speed: &Text) -> Result<ClockSetting, SettingError> {
    let parsed = Speed::parse(&speed.text).ok_or_else(|| speed.refuse(Speed::ACCEPTED))?;
    match kind.text.trim() {
        "virtual" => Ok(ClockSetting::Virtual(parsed)),
        "real" if parsed == Speed::Times(1.0) => Ok(ClockSetting::Real),
        "real" => Err(speed.refuse("1, or a virtual clock as well (--clock virtual)")),
        _ => Err(kind.refuse(&CLOCKS.join(" or "))),
    }
}

fn guards(text: impl Fn(&str) -> Text) -> Result<Guards, SettingError> {
    let mib = |name: &str| number(&text(name)).map(|mib| mib.saturating_mul(1 << 20));
    Ok(Guards {
        warn_percent: number(&text("disk-warn-percent"))?,
        floor_percent: number(&text("disk-floor-percent"))?,
        floor_bytes: mib("disk-floor-mib")?,
        ceiling_bytes: mib("disk-ceiling-mib")?,
        ballast_bytes: mib("ballast-mib")?,
        read_only_after: u32::try_from(number(&text("read-only-after"))?).unwrap_or(u32::MAX),
    })
}

fn number(given: &Text) -> Result<u64, SettingError> {
    given.text.trim().parse().map_err(|_| given.refuse("a whole number from 0 on"))
}

pub(super) fn on_off(given: &Text) -> Result<bool, SettingError> {
    match given.text.trim() {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(given.refuse("on or off")),
    }
}

/// The name with the fewest edits to `wrong`, if it takes at most `most`.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>, most: usize) -> Option<&'a str> {
    names.map(|name| (edits(wrong, name), name)).filter(|(edits, _)| *edits <= most).min().map(|(_, name)| name)
}

/// How many letters have to be put in, taken out or changed.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut costs: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        for (cost, other) in costs.iter_mut().skip(1).zip(&to) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *cost;
            left = changed.min(left + 1).min(diagonal + 1);
            *cost = left;
        }
        if let Some(first) = costs.first_mut() {
            *first = row + 1;
        }
    }
    costs.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
