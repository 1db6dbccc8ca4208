//! Who may come in and what they may do, as it stands now and on disk. One file, old or new after a crash; readable by its owner only.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::log::kept_file::{self, Kept};
use crate::security::credentials::{ITERATIONS_MIN, SALT_LEN};
use crate::security::quota::Quotas;
use crate::security::sasl::PasswordCheck;
use crate::security::{Acl, Authorizer, Credentials, Hash, Mechanism, Principal, SaslRefused, Verifier};

const FILE: &str = "security.json";

/// All of it. Whoever changes it makes a new one.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub credentials: Credentials,
    pub authorizer: Authorizer,
    pub quotas: Quotas,
}

/// The content of `security.json`.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `secret` | what made-up challenges for unknown users are derived from |
/// | `credentials` | each user's verifiers; no passwords |
/// | `acls` | the rules |
/// | `quotas` | the limits |
#[derive(Serialize, Deserialize)]
struct SecurityFile {
    version: u32,
    secret: Vec<u8>,
    credentials: Credentials,
    acls: Vec<Acl>,
    quotas: Quotas,
}

pub struct Security {
    path: PathBuf,
    secret: Vec<u8>,
    rules: RwLock<Arc<Rules>>,
    /// Held while rules are changed: of two changes at once neither gets lost.
    changing: Mutex<()>,
    attempts: Mutex<Attempts>,
    /// Plain passwords that fitted, by fingerprint: to check one again costs a core milliseconds.
    remembered: Mutex<HashMap<Vec<u8>, Instant>>,
    checks: Arc<tokio::sync::Semaphore>,
}

/// A check takes a core for milliseconds.
const CHECKS_AT_ONCE: usize = 2;
/// How long a check holds its place at least: 200 of them a second leave the cores to those who are in.
const CHECK_HOLDS: Duration = Duration::from_millis(10);

/// Whom a broker lets do everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches a listener that asks nobody who they are. For one person on their own machine.
    Everyone,
    /// The instructor alone. Others may do what rules allow.
    Instructor,
}

/// The user that may do everything.
pub const INSTRUCTOR: &str = "instructor";

/// How long a plain password that fitted once is taken without another check.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

impl Security {
    /// What the folder holds, or a beginning without users.
    pub fn open(folder: &Path, access: Access) -> io::Result<Security> {
        let path = folder.join(FILE);
        let found = match kept_file::read(&path)? {
            Kept::Absent => None,
            Kept::Whole(value) => Some(value),
            Kept::Restored(value, aside) => {
                tracing::error!(file = %path.display(), found = %aside.display(), "was damaged; its copy took its place");
                Some(value)
            }
            // Nobody comes in by rules that are gone.
            Kept::Damaged(aside) => return Err(io::Error::other(format!("{} is damaged and has no copy", aside.display()))),
        };
        let file: Option<SecurityFile> = found.map(serde_json::from_value).transpose()?;
        let file = file.unwrap_or_else(|| SecurityFile {
            version: 1,
            secret: [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat(),
            credentials: Credentials::default(),
            acls: Vec::new(),
            quotas: Quotas::default(),
        });
        let mut superusers = vec![Principal::user(INSTRUCTOR)];
        if access == Access::Everyone {
            superusers.push(Principal::anonymous());
        }
        let rules = Rules { credentials: file.credentials, authorizer: Authorizer::new(file.acls, superusers), quotas: file.quotas };
        Ok(Security {
            path,
            secret: file.secret,
            rules: RwLock::new(Arc::new(rules)),
            changing: Mutex::default(),
            attempts: Mutex::default(),
            remembered: Mutex::default(),
            checks: Arc::new(tokio::sync::Semaphore::new(CHECKS_AT_ONCE)),
        })
    }

    /// Checks a plain password away from the network thread, and not more of them at a time than cores can bear.
    pub async fn check(&self, check: PasswordCheck) -> Result<Principal, SaslRefused> {
        let fingerprint = check.fingerprint(&self.secret);
        if self.remembered.lock().unwrap_or_else(PoisonError::into_inner).get(&fingerprint).is_some_and(|at| at.elapsed() < REMEMBERED_FOR)
        {
            return Ok(Principal::user(check.user()));
        }
        let refused = SaslRefused { user: Some(check.user().to_owned()), mechanism: Mechanism::Plain };
        let Ok(turn) = Arc::clone(&self.checks).acquire_owned().await else { return Err(refused) };
        let free_again = tokio::time::Instant::now() + CHECK_HOLDS;
        let checked = tokio::task::spawn_blocking(move || check.run()).await.unwrap_or(Err(refused));
        tokio::spawn(async move {
            tokio::time::sleep_until(free_again).await;
            drop(turn);
        });
        let principal = checked?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= ATTEMPTS_MAX {
            remembered.clear();
        }
        remembered.insert(fingerprint, Instant::now());
        Ok(principal)
    }

    /// Whether this is the user's password, asked as a login with it would be.
    pub async fn fits(&self, user: &str, password: &str) -> bool {
        let check = PasswordCheck::new(user, password, &self.rules().credentials, &self.secret);
        self.check(check).await.is_ok()
    }

    /// New verifiers for a user, in place of the old. Blocks.
    pub fn set_password(&self, user: &str, password: &str) -> io::Result<()> {
        let verifiers = verifiers_of(password);
        self.change(|rules| verifiers.into_iter().for_each(|verifier| rules.credentials.put(user, verifier)))
    }

    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the rules, first on disk. Blocks. What the change gives back is given back.
    pub fn change<T>(&self, change: impl FnOnce(&mut Rules) -> T) -> io::Result<T> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rules = Rules::clone(&self.rules());
        let given = change(&mut rules);
        self.write(&rules)?;
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(given)
    }

    fn write(&self, rules: &Rules) -> io::Result<()> {
        let file = SecurityFile {
            version: 1,
            secret: self.secret.clone(),
            credentials: rules.credentials.clone(),
            acls: rules.authorizer.acls().to_vec(),
            quotas: rules.quotas.clone(),
        };
        kept_file::write(&self.path, &file)
    }

    /// How long an answer to this user from this address has to wait, after so many failures.
    pub fn penalty(&self, user: &str, from: IpAddr) -> Duration {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.penalty(user, from)
    }

    pub fn failed(&self, user: &str, from: IpAddr) {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).failed(user, from);
    }

    pub fn succeeded(&self, user: &str, from: IpAddr) {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).forget(user, from);
    }
}

/// What is kept of a new password. Milliseconds of work.
pub fn verifiers_of(password: &str) -> [Verifier; 2] {
    Hash::ALL.map(|hash| {
        let random = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        // As long as the made-up one of a user that there is not.
        let salt = random.into_iter().take(SALT_LEN).collect();
        Verifier::of_password(hash, password, salt, ITERATIONS_MIN)
    })
}

/// Failed logins by user and address. A classroom is one address, so neither alone says who it was.
#[derive(Default)]
struct Attempts {
    failures: HashMap<(String, IpAddr), u32>,
}

/// Pairs that are remembered. When there are more, all are forgotten: to fill it takes as many failures as that.
const ATTEMPTS_MAX: usize = 10_000;
const FIRST_PENALTY: Duration = Duration::from_millis(100);
/// Less than the time that a login may take, or the answer would not be seen.
const PENALTY_MAX: Duration = Duration::from_secs(8);

impl Attempts {
    fn penalty(&self, user: &str, from: IpAddr) -> Duration {
        match self.failures.get(&(user.to_owned(), from)) {
            None => Duration::ZERO,
            Some(failures) => FIRST_PENALTY.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(PENALTY_MAX),
        }
    }

    fn failed(&mut self, user: &str, from: IpAddr) {
        if self.failures.len() >= ATTEMPTS_MAX {
            self.failures.clear();
        }
        let failures = self.failures.entry((user.to_owned(), from)).or_default();
        *failures = failures.saturating_add(1);
    }

    fn forget(&mut self, user: &str, from: IpAddr) {
        self.failures.remove(&(user.to_owned(), from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::{Hash, Operation, PatternType, Permission, Resource, ResourceType, Verifier};

    fn open(folder: &Path) -> Security {
        Security::open(folder, Access::Instructor).unwrap()
    }

    #[test]
    fn what_was_changed_is_there_after_a_restart_and_no_password_is() {
        let folder = tempfile::tempdir().unwrap();
        let security = open(folder.path());
        let acl = Acl {
            resource: ResourceType::Topic,
            name: "ws.otter.".to_owned(),
            pattern: PatternType::Prefixed,
            principal: "User:otter".to_owned(),
            host: "*".to_owned(),
            operation: Operation::All,
            permission: Permission::Allow,
        };
        security
            .change(|rules| {
                rules.credentials.put("otter", Verifier::of_password(Hash::Sha256, "hunter2", vec![1; SALT_LEN], ITERATIONS_MIN));
                rules.authorizer.add(acl);
            })
            .unwrap();
        let secret = security.secret().to_vec();
        drop(security);
        let security = open(folder.path());
        let rules = security.rules();
        assert!(rules.credentials.get("otter", Hash::Sha256).unwrap().fits("hunter2"));
        let may = |who: &str| rules.authorizer.allows(&Principal::user(who), "h", Operation::Write, Resource::topic("ws.otter.c02"));
        assert!(may("otter") && may("instructor") && !may("eve"));
        assert_eq!((security.secret(), secret.len()), (&secret[..], 32));
        assert!(!std::fs::read_to_string(folder.path().join(FILE)).unwrap().contains("hunter2"));
    }

    #[test]
    fn rules_that_are_damaged_let_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).change(|_| ()).unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        std::fs::remove_file(folder.path().join("security.copy")).unwrap();
        let error = Security::open(folder.path(), Access::Instructor).err().unwrap();
        assert!(error.to_string().contains("is damaged and has no copy"));
    }

    #[test]
    fn each_failure_doubles_the_wait_of_that_user_from_that_address_only() {
        let mut attempts = Attempts::default();
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut waits = Vec::new();
        for _ in 0..9 {
            attempts.failed("ada", here);
            waits.push(attempts.penalty("ada", here).as_millis());
        }
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 8_000, 8_000]);
        assert_eq!((attempts.penalty("ada", there), attempts.penalty("bob", here)), (Duration::ZERO, Duration::ZERO));
        attempts.forget("ada", here);
        assert_eq!(attempts.penalty("ada", here), Duration::ZERO);
    }
}
