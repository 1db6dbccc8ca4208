//! The certificate authority in the data folder: made once, kept over restarts, so that what students have been given stays good.

use std::io;

use super::{Broker, CaInfo};
use crate::log::kept_file::{self, Kept};
use crate::security::certificate::{Authority, RENEWED_BEFORE};

/// One object, readable by its owner only:
///
/// | field | content |
/// |---|---|
/// | `certificate_pem` | what clients trust |
/// | `key_pem` | what signs |
/// | `not_after` | when both end, in seconds since 1970 |
const FILE: &str = "certificate-authority.json";

impl Broker {
    /// The authority that is there, or a new one if there is none or its time is nearly over. Blocks.
    pub fn certificate_authority(&self) -> io::Result<Authority> {
        let path = self.folder.path().join(FILE);
        let now = self.now().0 / 1000;
        let found = match kept_file::read(&path)? {
            Kept::Absent => None,
            Kept::Whole(value) => Some(value),
            Kept::Restored(value, aside) => {
                tracing::error!(file = FILE, set_aside = %aside.display(), "a damaged file was replaced by its copy");
                Some(value)
            }
            Kept::Damaged(aside) => {
                tracing::error!(set_aside = %aside.display(), "the certificate authority was damaged: clients need the new one (/ca.pem)");
                None
            }
        };
        let found: Option<Authority> = found.and_then(|value| serde_json::from_value(value).ok());
        let nearly_over = found.as_ref().is_some_and(|authority| authority.not_after < now + RENEWED_BEFORE);
        let authority = match found {
            Some(authority) if !nearly_over => authority,
            _ => {
                if nearly_over {
                    tracing::warn!("the certificate authority's year is nearly over: there is a new one, which clients need (/ca.pem)");
                }
                let made = Authority::create(now).map_err(io::Error::other)?;
                kept_file::write(&path, &made)?;
                made
            }
        };
        self.node.set_authority(CaInfo { pem: authority.certificate_pem.clone(), fingerprint: authority.fingerprint() });
        Ok(authority)
    }
}
