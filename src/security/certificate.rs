//! A certificate authority of our own, for where nobody brought a certificate: it signs what the listeners show, and is all that a
//! client needs to know to trust them. Times are seconds since 1970.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const DAY: i64 = 24 * 60 * 60;
const AUTHORITY_LASTS: i64 = 365 * DAY;
/// Less than the 397 days that browsers take.
const CERTIFICATE_LASTS: i64 = 90 * DAY;
/// What has less left than this is made anew.
pub const RENEWED_BEFORE: i64 = 30 * DAY;
/// Clocks in a room differ.
const BACKDATED: i64 = DAY;
const AUTHORITY_NAME: &str = "Headwater workshop CA";

#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct CertificateError(String);

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> CertificateError {
        CertificateError(error.to_string())
    }
}

/// What signs. Whoever has the key can pretend to be us to every client that trusts the certificate.
#[derive(Clone, Serialize, Deserialize)]
pub struct Authority {
    pub certificate_pem: String,
    key_pem: String,
    pub not_after: i64,
}

/// A certificate that listeners show.
pub struct Issued {
    /// DER: the certificate, and the authority's behind it.
    pub chain: [Vec<u8>; 2],
    /// PKCS #8.
    pub key: Vec<u8>,
    pub not_after: i64,
}

impl Authority {
    pub fn create(now: i64) -> Result<Authority, CertificateError> {
        let key = KeyPair::generate()?;
        let not_after = now.saturating_add(AUTHORITY_LASTS);
        let mut params = authority_params();
        lasts(&mut params, now, not_after);
        let certificate = params.self_signed(&key)?;
        Ok(Authority { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), not_after })
    }

    /// A certificate for a server of these names and addresses.
    pub fn issue(&self, names: &[String], now: i64) -> Result<Issued, CertificateError> {
        let issuer = Issuer::new(authority_params(), KeyPair::from_pem(&self.key_pem)?);
        let key = KeyPair::generate()?;
        let not_after = now.saturating_add(CERTIFICATE_LASTS).min(self.not_after);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = distinguished("Headwater");
        lasts(&mut params, now, not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &issuer)?;
        let authority = der(&self.certificate_pem).ok_or_else(|| CertificateError("the authority's PEM is damaged".to_owned()))?;
        Ok(Issued { chain: [certificate.der().to_vec(), authority], key: key.serialize_der(), not_after })
    }

    /// SHA-256 of the certificate, as tools and browsers show it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&der(&self.certificate_pem).unwrap_or_default())
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished(AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn lasts(params: &mut CertificateParams, now: i64, not_after: i64) {
    let after_1970 = |seconds: i64| std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + after_1970(now.saturating_sub(BACKDATED));
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + after_1970(not_after);
}

/// The first block of a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    let inside = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let text: String = inside.take_while(|line| !line.starts_with("-----END")).map(str::trim).collect();
    STANDARD.decode(text).ok().filter(|der| !der.is_empty())
}

pub fn fingerprint_of_pem(pem: &str) -> String {
    fingerprint(&der(pem).unwrap_or_default())
}

pub fn fingerprint(der: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}

/// When a certificate (DER) ends. Of its fields only those before the dates are looked at:
///
/// | field | ASN.1 |
/// |---|---|
/// | certificate, and inside it the part that is signed | SEQUENCE (30) |
/// | version, serial number, algorithm, issuer | \[0\] (a0), INTEGER (02), SEQUENCE, SEQUENCE |
/// | validity | SEQUENCE of two times (17: two digits of the year, 18: four) |
pub fn not_after(der: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // Certificates of version 1 do not say so.
    for tag in [0xa0, 0x02, 0x30, 0x30] {
        let (found, _, behind) = element(rest)?;
        if found == tag {
            rest = behind;
        } else if tag != 0xa0 {
            return None;
        }
    }
    let (_, validity, _) = element(rest)?;
    let (_, _, second) = element(validity)?;
    let (tag, text, _) = element(second)?;
    let text = std::str::from_utf8(text).ok()?;
    let (year, rest) = if tag == 0x17 { text.split_at_checked(2)? } else { text.split_at_checked(4)? };
    let number = |text: &str| text.parse::<i64>().ok();
    let year = number(year)?
        + if tag != 0x17 {
            0
        } else if number(year)? < 50 {
            2000
        } else {
            1900
        };
    let part = |at: usize| number(rest.get(at..at.checked_add(2)?)?);
    Some(days(year, part(0)?, part(2)?) * DAY + part(4)? * 3600 + part(6)? * 60 + part(8)?)
}

/// Tag, content, and what is behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            let length = bytes.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
            (length, rest)
        }
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((*tag, content, behind))
}

/// Days from 1970 to a date. March is the first month here, so that the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    #[test]
    fn what_is_issued_ends_before_its_authority_and_says_when() {
        let authority = Authority::create(NOW).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "fd00::5".to_owned(), "*.lab.example".to_owned()];
        let issued = authority.issue(&names, NOW).unwrap();
        assert_eq!(issued.not_after, NOW + CERTIFICATE_LASTS);
        assert_eq!(not_after(&issued.chain[0]), Some(issued.not_after));
        assert_eq!(not_after(&issued.chain[1]), Some(NOW + AUTHORITY_LASTS));
        let late = authority.issue(&names, NOW + 350 * DAY).unwrap();
        assert_eq!(late.not_after, authority.not_after);
        assert!(authority.issue(&["ö".to_owned()], NOW).is_err());
    }

    #[test]
    fn an_authority_is_the_same_after_it_was_kept() {
        let authority = Authority::create(NOW).unwrap();
        let kept: Authority = serde_json::from_value(serde_json::to_value(&authority).unwrap()).unwrap();
        assert_eq!(kept.fingerprint(), authority.fingerprint());
        assert_eq!((kept.fingerprint().len(), kept.fingerprint().matches(':').count()), (95, 31));
        assert_eq!(kept.issue(&["a".to_owned()], NOW).unwrap().chain[1], der(&authority.certificate_pem).unwrap());
    }

    #[test]
    fn dates_are_counted_as_calendars_do_and_junk_has_none() {
        assert_eq!([days(1970, 1, 1), days(2000, 2, 29), days(2026, 11, 27)], [0, 11_016, 20_784]);
        let issued = Authority::create(NOW).unwrap().issue(&["a".to_owned()], NOW).unwrap();
        for cut in 0..120 {
            not_after(&issued.chain[0][..cut]);
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]), None);
    }
}
