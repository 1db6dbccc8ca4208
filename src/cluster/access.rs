//! How another Kafka cluster is reached: `kafka://HOST:PORT[,HOST:PORT...]` and, where it wants TLS or a login, the properties that any
//! client of it has in a file.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::config::ClientConfig;

const SCHEME: &str = "kafka://";
const PASSWORD: &str = "sasl.password";

/// What this variable holds is the password, so that none need stand in a file.
pub const PASSWORD_VARIABLE: &str = "HEADWATER_CLUSTER_PASSWORD";

/// Where systems keep the certificates that they trust.
const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Properties that are taken from the file: those of the connection. The name, and librdkafka's where that is another.
const TAKEN: &[(&str, &str)] = &[
    ("broker.address.family", "broker.address.family"),
    ("client.dns.lookup", "client.dns.lookup"),
    ("client.id", "client.id"),
    ("enable.ssl.certificate.verification", "enable.ssl.certificate.verification"),
    ("sasl.mechanism", "sasl.mechanism"),
    ("sasl.mechanisms", "sasl.mechanism"),
    (PASSWORD, PASSWORD),
    ("sasl.username", "sasl.username"),
    ("security.protocol", "security.protocol"),
    ("socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.ms"),
    ("socket.keepalive.enable", "socket.keepalive.enable"),
    ("ssl.ca.location", "ssl.ca.location"),
    ("ssl.ca.pem", "ssl.ca.pem"),
    ("ssl.certificate.location", "ssl.certificate.location"),
    ("ssl.certificate.pem", "ssl.certificate.pem"),
    ("ssl.endpoint.identification.algorithm", "ssl.endpoint.identification.algorithm"),
    ("ssl.key.location", "ssl.key.location"),
    ("ssl.key.password", "ssl.key.password"),
    ("ssl.key.pem", "ssl.key.pem"),
    ("ssl.truststore.certificates", "ssl.ca.pem"),
];

/// What a Java client's file has beside those, and what its login stands in.
const JAAS: &str = "sasl.jaas.config";
const TRUSTSTORE: &str = "ssl.truststore.location";
const TRUSTSTORE_TYPE: &str = "ssl.truststore.type";

/// Properties of consumers and producers, which are Headwater's to choose here.
const PASSED_OVER: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.idempotence",
    "group.id",
    "key.deserializer",
    "key.serializer",
    "session.timeout.ms",
    "value.deserializer",
    "value.serializer",
];

/// A cluster's address with what its clients need. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Access {
    bootstrap: String,
    properties: Vec<(&'static str, String)>,
    /// Which variable may hold the password.
    variable: &'static str,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Access").field("bootstrap", &self.bootstrap).field("properties", &names).finish()
    }
}

impl Access {
    /// `kafka://HOST:PORT[,HOST:PORT...]`, also without the `kafka://`.
    pub fn parse(address: &str) -> Result<Access, String> {
        let bootstrap = address.strip_prefix(SCHEME).unwrap_or(address).trim_end_matches('/');
        let port = |one: &str| {
            one.rsplit_once(':')
                .filter(|(host, _)| !host.is_empty() && !host.contains(['/', ' ']))
                .and_then(|(_, port)| port.parse::<u16>().ok())
        };
        if bootstrap.contains('@') {
            return Err("a login does not stand in the address; give it in the properties file".to_owned());
        }
        if !bootstrap.split(',').all(|one| port(one).is_some_and(|port| port != 0)) {
            return Err(format!("\"{address}\" is not accepted; give kafka://HOST:PORT, or several HOST:PORT with commas between them"));
        }
        Ok(Access { bootstrap: bootstrap.to_owned(), properties: Vec::new(), variable: PASSWORD_VARIABLE })
    }

    /// The same where another variable may hold the password.
    pub fn with_variable(self, variable: &'static str) -> Access {
        Access { variable, ..self }
    }

    /// The same with a properties file (`security.protocol=SASL_SSL` and so on, of librdkafka or of Java), and the password of the
    /// variable.
    pub fn with_file(self, file: Option<&Path>, password: Option<String>) -> Result<Access, String> {
        let mut access = match file {
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
                self.with_properties(&text).map_err(|error| format!("{}, {error}", file.display()))?
            }
            None => self,
        };
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            access.set(PASSWORD, password);
        }
        access.complete()
    }

    /// The lines of a properties file. An error names its line, and shows no value: it may be a secret.
    pub fn with_properties(mut self, text: &str) -> Result<Access, String> {
        let mut truststore = None;
        let mut truststore_is_pem = false;
        for (at, line) in logical_lines(text) {
            let Some((name, value)) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
                return Err(format!("line {at}: give NAME=VALUE"));
            };
            if let Some((_, own)) = TAKEN.iter().find(|(known, _)| *known == name) {
                // A PEM stands on one line, with \n for its line ends. A password may have such a pair of its own.
                self.set(own, if own.ends_with(".pem") { value.replace("\\n", "\n") } else { value.to_owned() });
            } else if name == JAAS {
                for (key, own) in [("username", "sasl.username"), ("password", PASSWORD)] {
                    let found = jaas_option(value, key).ok_or_else(|| format!("line {at}: {JAAS} has no {key}=\"...\""))?;
                    self.set(own, found);
                }
            } else if name == TRUSTSTORE {
                truststore = Some((at, value.to_owned()));
            } else if name == TRUSTSTORE_TYPE {
                truststore_is_pem = value.eq_ignore_ascii_case("PEM");
            } else if !PASSED_OVER.contains(&name) {
                return Err(format!("line {at}: {name} is not taken here; docs/another-cluster.md lists what is"));
            }
        }
        match truststore {
            Some((at, _)) if !truststore_is_pem => Err(format!(
                "line {at}: a JKS or PKCS12 file cannot be read here; export its certificates as PEM and give ssl.ca.location=FILE"
            )),
            Some((_, file)) => {
                self.set("ssl.ca.location", file);
                Ok(self)
            }
            None => Ok(self),
        }
    }

    fn complete(mut self) -> Result<Access, String> {
        let protocol = self.get("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase();
        let (tls, sasl) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            other => return Err(format!("security.protocol is {other}; give PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")),
        };
        let user = self.get("sasl.username").map(str::to_owned);
        if user.is_some() && !sasl {
            return Err(format!("there is a login, but security.protocol is {protocol}; give SASL_SSL or SASL_PLAINTEXT"));
        }
        if sasl && (user.is_none() || self.get(PASSWORD).is_none()) {
            return Err(format!("security.protocol {protocol} needs sasl.username and sasl.password (or {})", self.variable));
        }
        if sasl && self.get("sasl.mechanism").is_none() {
            return Err("a login needs sasl.mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512".to_owned());
        }
        if tls && self.get("ssl.ca.location").is_none() && self.get("ssl.ca.pem").is_none() {
            // An empty image has no certificates: then those that browsers trust.
            match SYSTEM_ROOTS.iter().find(|file| Path::new(file).is_file()) {
                Some(file) => self.set("ssl.ca.location", (*file).to_owned()),
                None => self.set("ssl.ca.pem", public_roots()),
            }
        }
        Ok(self)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &'static str, value: String) {
        self.properties.retain(|(known, _)| *known != name);
        self.properties.push((name, value));
    }

    /// `HOST:PORT[,HOST:PORT...]`, where any client begins.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What clients on this machine have to speak, such as `SASL_SSL`.
    pub fn security_protocol(&self) -> String {
        self.get("security.protocol").unwrap_or("PLAINTEXT").to_ascii_uppercase()
    }

    /// The mechanism of the login, where there is one.
    pub fn mechanism(&self) -> Option<&str> {
        self.get("sasl.mechanism")
    }

    /// User and password, as far as they are known.
    pub fn login(&self) -> (Option<&str>, Option<&str>) {
        (self.get("sasl.username"), self.get(PASSWORD))
    }

    /// The same for somebody else, who logs in by their own name.
    pub fn without_login(&self) -> Access {
        let theirs = |name: &str| name != "sasl.username" && !name.ends_with("password") && !name.starts_with("ssl.key");
        let properties = self.properties.iter().filter(|(name, _)| theirs(name)).cloned().collect();
        Access { bootstrap: self.bootstrap.clone(), properties, variable: self.variable }
    }

    /// With the address of a file's `bootstrap.servers`, if it has one: students may have to come in by another listener.
    pub fn with_bootstrap_of(self, text: &str) -> Result<Access, String> {
        let given = logical_lines(text).into_iter().find_map(|(_, line)| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == "bootstrap.servers").then(|| value.trim().to_owned())
        });
        given.map_or(Ok(self), |given| Access::parse(&given))
    }

    /// The certificate authority that has to be trusted by hand, as PEM. Those that systems trust are no matter.
    pub fn authority(&self) -> Result<Option<String>, String> {
        match (self.get("ssl.ca.pem"), self.get("ssl.ca.location")) {
            (Some(pem), _) => Ok(Some(pem.to_owned()).filter(|pem| *pem != public_roots())),
            (None, Some(file)) if !SYSTEM_ROOTS.contains(&file) => {
                std::fs::read_to_string(file).map(Some).map_err(|error| format!("ssl.ca.location: cannot read {file}: {error}"))
            }
            _ => Ok(None),
        }
    }

    /// For a librdkafka client.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("client.id", "headwater");
        for (name, value) in &self.properties {
            config.set(*name, value);
        }
        config
    }
}

/// Lines without comments and empty ones, with their numbers; a line that ends in `\` goes on in the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if !goes_on && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, begun)) => begun.push_str(part),
            None => lines.push((at + 1, part.to_owned())),
        }
        goes_on = more;
    }
    lines
}

/// `name="value"` of a JAAS line.
fn jaas_option(jaas: &str, name: &str) -> Option<String> {
    let at = jaas.find(&format!("{name}="))?;
    let rest = jaas.get(at + name.len() + 1..)?;
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (value, _) = rest.get(1..)?.split_once(quote)?;
    Some(value.to_owned())
}

/// The certificate authorities that Mozilla trusts, as PEM.
fn public_roots() -> String {
    let one = |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| one(der.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<Access, String> {
        Access::parse("kafka://a:9092,b:9093").and_then(|access| access.with_properties(text)).and_then(Access::complete)
    }

    #[test]
    fn an_address_is_one_or_several_hosts_with_ports() {
        assert_eq!(Access::parse("kafka://a:9092,b:9093/").unwrap().bootstrap(), "a:9092,b:9093");
        assert_eq!(Access::parse("[::1]:9092").unwrap().bootstrap(), "[::1]:9092");
        for wrong in ["", "kafka://", "a", "a:0", ":9092", "a:9092,", "a:9092 b:1", "http://a:9092x", "kafka://u:p@a:9092"] {
            assert!(Access::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_java_clients_file_and_a_librdkafka_one_come_to_the_same() {
        let java = "# Confluent Cloud\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nacks=all\n\
            sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\\n  username=\"ann\" password='x=\"y';\n\
            ssl.truststore.type=PEM\nssl.truststore.location=/x/ca.pem\n";
        let other =
            "security.protocol = SASL_SSL\nsasl.mechanisms=PLAIN\nsasl.username=ann\nsasl.password=x=\"y\nssl.ca.location=/x/ca.pem\n";
        let (java, other) = (given(java).unwrap(), given(other).unwrap());
        let sorted = |access: &Access| {
            let mut all = access.properties.clone();
            all.sort();
            all
        };
        assert_eq!(sorted(&java), sorted(&other));
        assert_eq!(java.client().get("sasl.password"), Some("x=\"y"));
        assert!(!format!("{java:?}").contains("ann"), "secrets are not shown");
    }

    #[test]
    fn only_a_pem_has_line_ends_written_as_two_signs() {
        let given = given("security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=pw\\name\nssl.ca.pem=A\\nB\n");
        let client = given.unwrap().client();
        assert_eq!((client.get("sasl.password"), client.get("ssl.ca.pem")), (Some("pw\\name"), Some("A\nB")));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_without_its_value() {
        let wrong = |text: &str, said: &str| {
            let error = given(text).unwrap_err();
            assert!(error.contains(said) && !error.contains("hunter2"), "{error}");
        };
        wrong("\n\nhunter2", "line 3: give NAME=VALUE");
        wrong("sasl.pasword=hunter2", "line 1: sasl.pasword is not taken");
        wrong("sasl.jaas.config=Module required username=\"a\" pw=\"hunter2\";", "no password");
        wrong("ssl.truststore.location=x.jks", "JKS");
        wrong("security.protocol=TLS", "give PLAINTEXT, SSL");
        wrong("sasl.username=a\nsasl.password=hunter2", "there is a login, but");
        wrong("security.protocol=SASL_SSL\nsasl.username=a\nsasl.mechanism=PLAIN", PASSWORD_VARIABLE);
        wrong("security.protocol=SASL_SSL\nsasl.username=a\nsasl.password=hunter2", "sasl.mechanism");
    }

    #[test]
    fn others_are_shown_the_way_without_the_login() {
        let own = given(
            "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=hunter2\nssl.ca.pem=PEM\nssl.key.pem=K",
        );
        let theirs = own.unwrap().without_login();
        assert_eq!((theirs.login(), theirs.mechanism()), ((None, None), Some("PLAIN")));
        assert_eq!(theirs.security_protocol(), "SASL_SSL");
        assert!(theirs.client().get("ssl.key.pem").is_none() && theirs.client().get(PASSWORD).is_none());
        assert_eq!(theirs.authority().unwrap().as_deref(), Some("PEM"));
        let elsewhere = Access::parse("a:1").unwrap().with_bootstrap_of("bootstrap.servers = b:2,c:3\nacks=all\n").unwrap();
        assert_eq!(elsewhere.bootstrap(), "b:2,c:3");
        assert_eq!(Access::parse("a:1").unwrap().with_bootstrap_of("acks=all").unwrap().bootstrap(), "a:1");
        let missing = Access::parse("a:1").unwrap().with_properties("ssl.ca.location=none.pem").unwrap().authority().unwrap_err();
        assert!(missing.contains("none.pem"), "{missing}");
    }

    #[test]
    fn a_password_may_come_from_a_variable_and_an_empty_image_has_the_public_roots() {
        let login = "security.protocol=SASL_PLAINTEXT\nsasl.username=a\nsasl.mechanism=SCRAM-SHA-256";
        let access = Access::parse("a:1").unwrap().with_properties(login).unwrap();
        assert!(access.clone().with_file(None, None).is_err());
        assert_eq!(access.with_file(None, Some("pw".into())).unwrap().client().get(PASSWORD), Some("pw"));
        let roots = public_roots();
        assert!(roots.matches("BEGIN CERTIFICATE").count() > 100);
        let tls = given("security.protocol=SSL").unwrap();
        assert!(tls.get("ssl.ca.location").is_some() || tls.get("ssl.ca.pem").is_some());
        // librdkafka takes them, and has TLS and SCRAM built in.
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("security.protocol", "SASL_SSL").set("sasl.mechanism", "SCRAM-SHA-512");
        config.set("sasl.username", "a").set("sasl.password", "b").set("ssl.ca.pem", &roots);
        let made: Result<rdkafka::producer::BaseProducer, _> = config.create();
        assert!(made.is_ok(), "{:?}", made.err());
    }
}
