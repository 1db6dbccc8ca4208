//! Why a connection ended, in words that help whoever opened it.

use crate::broker::sightings::Mishap;
use crate::config::Protocol;
use crate::handlers::HangUp;
use crate::wire::WireError;

/// What bytes that are no request look like.
pub fn of_bytes(error: &WireError, protocol: Protocol) -> Mishap {
    if let WireError::FrameSize { size, .. } = error {
        match &size.to_be_bytes() {
            // The first bytes of TLS: a record of the handshake or an alert, version 3.x.
            [0x15 | 0x16, 3, ..] => {
                let other = if protocol.logs_in() { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
                return Mishap::new(
                    format!("a client spoke TLS on a listener without it ({protocol})"),
                    format!("Set security.protocol to {other}, or use the address of the SASL_SSL listener."),
                );
            }
            b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" => {
                return Mishap::new("a browser or another HTTP client came to the Kafka port", "Open the address of the web page instead.");
            }
            b"SSH-" => return Mishap::new("an SSH client came to the Kafka port", "Check the port."),
            _ => {}
        }
    }
    Mishap::new(format!("bytes that are no Kafka request ({error})"), "Check that the program speaks Kafka and that the port is right.")
}

pub fn of_hang_up(reason: &HangUp, protocol: Protocol) -> Option<Mishap> {
    match reason {
        HangUp::NotLoggedIn => {
            let plain = if protocol.is_encrypted() { "SSL" } else { "PLAINTEXT" };
            Some(Mishap::new(
                format!("{plain} client on a SASL port: it sent a request without a login"),
                format!("Set security.protocol to {protocol}, sasl.mechanism to SCRAM-SHA-256, and your user and password."),
            ))
        }
        HangUp::Unsupported { key, version } => Some(Mishap::new(
            format!("a request that is not served (API key {key}, version {version})"),
            "Use a current version of the client.",
        )),
        HangUp::Wire(WireError::UnknownApi { key, version, .. }) => Some(Mishap::new(
            format!("a request that is not served (API key {key}, version {version})"),
            "Use a current version of the client.",
        )),
        HangUp::Wire(error) => Some(of_bytes(error, protocol)),
        HangUp::UnacknowledgedProduce(_) | HangUp::LoginFailed | HangUp::UserGone => None,
    }
}

/// A handshake of TLS that failed, by rustls's words.
pub fn of_handshake(error: &str, protocol: Protocol) -> Mishap {
    let distrust = ["UnknownCA", "BadCertificate", "CertificateUnknown", "UnknownCa", "CertificateExpired"];
    if distrust.iter().any(|alert| error.contains(alert)) {
        return Mishap::new(
            "a client does not trust the broker's certificate",
            "Save /ca.pem from the web page and name the file in ssl.ca.location (librdkafka) or ssl.truststore.location (Java, type PEM).",
        );
    }
    if error.contains("corrupt message") || error.contains("InvalidContentType") || error.contains("InvalidMessage") {
        let other = if protocol.logs_in() { "SASL_SSL" } else { "SSL" };
        return Mishap::new(
            format!("a client without TLS on a TLS port ({protocol})"),
            format!("Set security.protocol to {other}, or use the address of the listener without TLS."),
        );
    }
    if error.contains("eof") || error.contains("reset") || error.contains("ConnectionReset") {
        return Mishap::new(
            "a client went away in the TLS handshake",
            "If it does not trust the certificate: save /ca.pem and name it in ssl.ca.location. If the host name does not match: use a name \
             that the certificate has.",
        );
    }
    Mishap::new(format!("a TLS handshake failed ({error})"), "Check security.protocol and the port.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_size(bytes: [u8; 4]) -> String {
        of_bytes(&WireError::FrameSize { size: i32::from_be_bytes(bytes), max: 10 }, Protocol::SaslPlaintext).what
    }

    #[test]
    fn what_is_commonly_wrong_has_a_name() {
        assert!(of_size([0x16, 3, 1, 2]).contains("TLS on a listener without it"));
        assert!(of_size([0x15, 3, 3, 0]).contains("TLS on a listener without it"));
        assert!(of_size(*b"GET ").contains("HTTP client"));
        assert!(of_size(*b"SSH-").contains("SSH client"));
        assert!(of_size([9, 9, 9, 9]).contains("no Kafka request"));
        let without = of_hang_up(&HangUp::NotLoggedIn, Protocol::SaslPlaintext).unwrap();
        assert!(without.what.starts_with("PLAINTEXT client on a SASL port") && without.fix.contains("SASL_PLAINTEXT"));
        assert!(of_handshake("received fatal alert: UnknownCA", Protocol::SaslSsl).what.contains("does not trust"));
        assert!(of_handshake("received corrupt message of type InvalidContentType", Protocol::SaslSsl).what.contains("without TLS"));
        assert!(of_handshake("tls handshake eof", Protocol::SaslSsl).what.contains("went away"));
    }
}
