//! Which doors come of which settings, and which combinations are refused.

use super::*;
use crate::config::{Given, Settings};

fn settings(flags: &[(&str, &str)]) -> Result<Settings, String> {
    let flags = flags.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Settings::from_given(&Given { flags, ..Given::default() }).map_err(|e| e.to_string())
}

fn shown(doors: &Doors) -> String {
    let listener = |l: &ListenerSetting| {
        let told = l.advertise.as_ref().map_or_else(String::new, |told| format!("@{told}"));
        format!("{}={}://{}{told}", l.name, l.protocol, l.bind)
    };
    let page = |address: &Option<Address>| address.as_ref().map_or_else(|| "off".to_owned(), Address::to_string);
    let listeners: Vec<String> = doors.listeners.iter().map(listener).collect();
    format!("{} http {} https {}", listeners.join(" "), page(&doors.http), page(&doors.https))
}

#[test]
fn settings_become_doors() {
    let classroom = ("classroom", "on");
    for (flags, wanted) in [
        (&[][..], "PLAINTEXT=PLAINTEXT://127.0.0.1:9092 http 127.0.0.1:8080 https off"),
        (
            &[classroom],
            "SASL_PLAINTEXT=SASL_PLAINTEXT://0.0.0.0:9092 SASL_SSL=SASL_SSL://0.0.0.0:9093 http 0.0.0.0:8080 https 0.0.0.0:8443",
        ),
        (
            &[classroom, ("listen", "[::]:0"), ("http", "127.0.0.1:0"), ("advertise", "lab")],
            "SASL_PLAINTEXT=SASL_PLAINTEXT://[::]:0@lab SASL_SSL=SASL_SSL://[::]:0@lab http 127.0.0.1:0 https 127.0.0.1:0",
        ),
        (
            &[
                classroom,
                ("listener", "LAN=sasl_ssl://0.0.0.0:443@sni"),
                ("listener", "WAN=SASL_SSL://[::1]:1@t.example:2"),
                ("http", "off"),
            ],
            "LAN=SASL_SSL://0.0.0.0:443@sni WAN=SASL_SSL://[::1]:1@t.example:2 http off https off",
        ),
        (
            &[("listener", "A=PLAINTEXT://127.0.0.1:1"), ("listener", "B=SSL://[::1]:2@b:3"), ("advertise", "a:4"), ("https", "[::1]:5")],
            "A=PLAINTEXT://127.0.0.1:1@a:4 B=SSL://[::1]:2@b:3 http 127.0.0.1:8080 https [::1]:5",
        ),
        // One person may let others in who log in.
        (
            &[("listener", "A=PLAINTEXT://127.0.0.1:1"), ("listener", "B=SASL_SSL://0.0.0.0:2")],
            "A=PLAINTEXT://127.0.0.1:1 B=SASL_SSL://0.0.0.0:2 http 127.0.0.1:8080 https off",
        ),
    ] {
        assert_eq!(shown(&settings(flags).unwrap().doors), wanted, "{flags:?}");
    }
}

#[test]
fn what_lets_strangers_be_administrators_or_makes_no_sense_is_refused_in_one_line() {
    let classroom = ("classroom", "on");
    let own = |listener: &'static str| ("listener", listener);
    for (flags, wanted) in [
        (
            &[("listen", "0.0.0.0:9092")][..],
            "--listen: on 0.0.0.0:9092 anyone in the network would be administrator, as PLAINTEXT asks nobody",
        ),
        (&[("listen", "[::]:9092")], "--listen: on [::]:9092 anyone"),
        (&[("listen", "192.168.1.5:9092")], "give 127.0.0.1:9092, or start with serve --classroom"),
        (&[("listen", "lab-pc:9092")], "anyone in the network would be administrator"),
        (&[own("X=SSL://0.0.0.0:9093")], "as SSL asks nobody who they are"),
        (&[own("X=PLAINTEXT://127.0.0.1:1"), own("Y=PLAINTEXT://0.0.0.0:2")], "--listener: on 0.0.0.0:2 anyone"),
        (&[("http", "0.0.0.0:8080")], "--http: on 0.0.0.0:8080 anyone"),
        (&[("https", "0.0.0.0:8443")], "--https: on 0.0.0.0:8443 anyone"),
        (&[classroom, own("X=PLAINTEXT://0.0.0.0:1")], "give X=SASL_PLAINTEXT://0.0.0.0:1"),
        (&[classroom, own("X=SSL://127.0.0.1:1")], "in a classroom nobody may do anything without a login; give X=SASL_SSL://127.0.0.1:1"),
        (&[classroom, ("instructor-secret", "short")], "--instructor-secret: a secret of fewer than 12 characters"),
        (&[classroom, ("instructor-secret", "längerlängerlänger")], "beyond ASCII"),
        (&[classroom, ("advertise", "lab:9092")], "one port cannot lead to 2 listeners"),
        (&[own("X=PLAINTEXT://127.0.0.1:1"), ("listen", "127.0.0.1:2")], "--listener: --listen names the listeners already"),
        (&[own("X=PLAINTEXT://127.0.0.1:1"), own("x=SSL://127.0.0.1:2")], "two listeners are called x"),
        (&[own("X=PLAINTEXT://127.0.0.1:1@sni")], "@sni is the name that a client asks for in TLS"),
        (&[own("X=PLAINTEXT://127.0.0.1:1@:1")], "behind the @; give auto, sni, HOST or HOST:PORT"),
        (&[own("X=HTTP://127.0.0.1:1")], "\"HTTP\" is no protocol"),
        (&[own("X Y=SSL://127.0.0.1:1")], "\"X Y\" is no name for a listener"),
        (&[own("127.0.0.1:1")], "give NAME=PROTOCOL://HOST:PORT[@ADVERTISED]"),
        (&[("tls-cert", "a.pem")], "--tls-cert: a certificate and its key go together; give --tls-key as well"),
        (&[("tls-key", "a.pem")], "give --tls-cert as well"),
        (&[("tls-names", "a b")], "--tls-names"),
        (&[("classroom", "maybe")], "--classroom: \"maybe\" is not accepted; give on or off"),
    ] {
        let said = settings(flags).expect_err(wanted);
        assert!(said.contains(wanted) && !said.contains('\n'), "{said}");
        assert!(!said.contains("short\"") && !said.contains("längerl"), "{said}");
    }
}

#[test]
fn variables_and_the_file_name_listeners_too() {
    let variables = [("HEADWATER_LISTENER".to_owned(), "A=SSL://127.0.0.1:1; B=SSL://127.0.0.1:2@b".to_owned())].to_vec();
    let given = Given { variables, ..Given::default() };
    assert!(shown(&Settings::from_given(&given).unwrap().doors).starts_with("A=SSL://127.0.0.1:1 B=SSL://127.0.0.1:2@b http"));
    let text = "classroom = true\nlistener = ['A=SASL_SSL://127.0.0.1:1', 'B=SASL_SSL://127.0.0.1:2']\ntls-names = ['x', 'y.z']";
    let given = Given { file: Some(("hw.toml".to_owned(), text.to_owned())), ..Given::default() };
    let settings = Settings::from_given(&given).unwrap();
    assert_eq!((settings.doors.listeners.len(), settings.doors.tls.names.join(" ").as_str()), (2, "x y.z"));
    assert_eq!(settings.broker.value("listeners").as_deref(), Some("A://127.0.0.1:1,B://127.0.0.1:2"));
    assert_eq!(settings.broker.value("listener.security.protocol.map").as_deref(), Some("A:SASL_SSL,B:SASL_SSL"));
}

#[test]
fn what_is_risky_or_of_no_use_is_said() {
    let warnings = |flags: &[(&str, &str)]| settings(flags).unwrap().warnings.join("|");
    assert!(warnings(&[("advertise", "tunnel.example:1")]).contains("sends clients to tunnel.example: whoever comes through there"));
    assert!(warnings(&[("workshop-code", "otter-1")]).contains("with --classroom only"));
    assert!(warnings(&[("instructor-secret", "long enough it is")]).contains("opens nothing"));
    assert!(warnings(&[("classroom", "on"), ("plain-in-clear", "on")]).contains("can read them"));
    assert_eq!(warnings(&[("classroom", "on"), ("advertise", "tunnel.example")]), "");
}
