//! The workshop: lets people in, gives them what they need, knows them when they come back.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use schemars::JsonSchema;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::identity::display_name;
use super::pseudonym;
use super::roster::{Note, WorkshopRecord, write};
use super::session::{Claim, hex, sign, unhex, verify};
use super::{Doomed, Erased, Identity, Random, Role, Roster, Session};
use crate::cluster::{Cluster, ClusterError, INSTRUCTOR, Limits, UserChange};
use crate::model::{ErrorCode, Timestamp};

/// People who are let in together, with one write of the users and one of the records.
const ADMITTED_TOGETHER_MAX: usize = 32;

/// What one of a class may do per second: many times what an exercise takes, and a fraction of what the broker can.
const STUDENT_LIMITS: Limits =
    Limits { produced_bytes_per_s: Some(5_000_000.0), fetched_bytes_per_s: Some(20_000_000.0), changes_per_s: Some(10.0) };
/// A quota for everybody is the instructor's too, unless there is another one.
const INSTRUCTOR_LIMITS: Limits = Limits { produced_bytes_per_s: Some(1e12), fetched_bytes_per_s: Some(1e12), changes_per_s: Some(1e6) };

type Clock = dyn Fn() -> Timestamp + Send + Sync;

pub struct WorkshopOptions {
    /// The code that lets people in. `None`: the kept one, or one that is made up.
    pub code: Option<String>,
    /// Topics that everybody may read.
    pub streams: Vec<String>,
    pub random: Random,
    pub now: Arc<Clock>,
}

pub struct Workshop {
    cluster: Arc<dyn Cluster>,
    random: Random,
    now: Arc<Clock>,
    roster: RwLock<Arc<Roster>>,
    /// Those at the door, until somebody lets a number of them in together.
    waiting: Mutex<Vec<Waiting>>,
    /// Held from the first to the last write of a change.
    changing: tokio::sync::Mutex<()>,
}

struct Waiting {
    invite: Option<Invite>,
    answer: oneshot::Sender<Result<Joined, Refusal>>,
}

struct Invite {
    id: String,
    letters: String,
}

impl Invite {
    fn parse(text: Option<&str>) -> Result<Option<Invite>, Refusal> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        let (id, letters) = text.split_once(':').ok_or(Refusal::WrongInvite)?;
        Ok(Some(Invite { id: id.to_lowercase(), letters: letters.to_uppercase() }))
    }

    fn team<'a>(&self, roster: &'a Roster) -> Result<&'a Identity, Refusal> {
        let team = roster.get(&self.id).ok_or(Refusal::WrongInvite)?;
        match team.invite.as_deref() {
            Some(invite) if same(invite, &self.letters) => Ok(team),
            _ => Err(Refusal::WrongInvite),
        }
    }
}

/// A user and its password, for the only time that it can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Credential {
    pub user: String,
    pub password: String,
}

/// Somebody new.
#[derive(Clone, Debug)]
pub struct Joined {
    pub identity: Identity,
    pub credential: Credential,
    pub token: String,
}

/// What became of somebody's things.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Removed {
    pub users: Vec<String>,
    #[serde(flatten)]
    pub erased: Erased,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("this is not the workshop's code")]
    WrongCode,
    #[error("there is no such invitation, or it has been used")]
    WrongInvite,
    #[error("user or password is wrong")]
    WrongPassword,
    #[error("this user takes no part in the workshop")]
    NotOneOfUs,
    #[error("there is no student {0}")]
    Unknown(String),
    #[error("{0}")]
    Wrong(String),
    #[error("all names are in use")]
    Full,
    #[error("{0}")]
    Cluster(#[from] ClusterError),
}

impl Workshop {
    /// With what the cluster keeps of it, or as a new one.
    pub async fn open(cluster: Arc<dyn Cluster>, options: WorkshopOptions) -> Result<Workshop, ClusterError> {
        let WorkshopOptions { code, streams, random, now } = options;
        let kept = Roster::read(cluster.as_ref()).await?;
        if kept.is_none() {
            cluster.set_limits(Some(INSTRUCTOR), INSTRUCTOR_LIMITS).await?;
            cluster.set_limits(None, STUDENT_LIMITS).await?;
        }
        let mut roster = kept.clone().unwrap_or_else(|| {
            let code = pseudonym::code(&random);
            Roster::new(WorkshopRecord {
                version: 1,
                code,
                secret: hex(&random.bytes()),
                streams: streams.clone(),
                instructor_generation: 0,
            })
        });
        if roster.workshop.streams != streams {
            roster.workshop.streams = streams;
            cluster.change_users(rights_of_all(&roster)).await?;
        }
        if let Some(code) = code.map(|code| plain(&code)).filter(|code| !code.is_empty()) {
            roster.workshop.code = code;
        }
        if kept.is_none_or(|kept| kept.workshop != roster.workshop) {
            write(cluster.as_ref(), &[Note::Workshop(&roster.workshop)], now()).await?;
        }
        let roster = RwLock::new(Arc::new(roster));
        Ok(Workshop { cluster, random, now, roster, waiting: Mutex::default(), changing: tokio::sync::Mutex::default() })
    }

    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What lets people in. For the instructor's eyes.
    pub fn code(&self) -> String {
        self.roster().workshop.code.clone()
    }

    /// Whether one may come in with this. Waits for nothing, so that guesses can be counted.
    pub fn admits(&self, code: &str, invite: Option<&str>) -> Result<(), Refusal> {
        let roster = self.roster();
        if !same(&plain(code), &roster.workshop.code) {
            return Err(Refusal::WrongCode);
        }
        Invite::parse(invite)?.map_or(Ok(()), |invite| invite.team(&roster).map(|_| ()))
    }

    /// A new identity, or with an invitation a second user of an old one.
    pub async fn join(self: &Arc<Self>, code: &str, invite: Option<&str>) -> Result<Joined, Refusal> {
        self.admits(code, invite)?;
        let invite = Invite::parse(invite)?;
        let (answer, joined) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { invite, answer });
        let workshop = Arc::clone(self);
        // Others may be let in by this too, so it goes on when whoever asked has gone.
        tokio::spawn(async move {
            let _alone = workshop.changing.lock().await;
            let waiting = {
                let mut waiting = workshop.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let together = waiting.len().min(ADMITTED_TOGETHER_MAX);
                waiting.drain(..together).collect::<Vec<_>>()
            };
            workshop.admit_locked(waiting).await;
        });
        joined.await.unwrap_or_else(|_| Err(failed().into()))
    }

    async fn admit_locked(&self, waiting: Vec<Waiting>) {
        let mut roster = Roster::clone(&self.roster());
        let (mut changes, mut admitted) = (Vec::new(), Vec::new());
        for Waiting { invite, answer } in waiting {
            match self.place(&mut roster, invite) {
                Ok((identity, user)) => {
                    let credential = Credential { user, password: self.random.password() };
                    let rights = Some(identity.rights(&roster.workshop.streams));
                    changes.push(UserChange { rights, ..password_of(&credential) });
                    admitted.push((identity, credential, answer));
                }
                Err(refusal) => drop(answer.send(Err(refusal))),
            }
        }
        if admitted.is_empty() {
            return;
        }
        let kept = self.keep_admitted(changes, admitted.iter().map(|(identity, ..)| Note::Identity(identity)).collect()).await;
        if kept.is_ok() {
            self.publish(roster);
        }
        for (identity, credential, answer) in admitted {
            let token = self.token(&credential.user).unwrap_or_default();
            let joined = kept.clone().map(|()| Joined { identity, token, credential });
            // Whoever has gone joins again.
            let _ = answer.send(joined.map_err(Refusal::Cluster));
        }
    }

    /// Users first: one that no record names does no harm, as nobody has its password.
    async fn keep_admitted(&self, changes: Vec<UserChange>, notes: Vec<Note<'_>>) -> Result<(), ClusterError> {
        self.cluster.change_users(changes).await?;
        write(self.cluster.as_ref(), &notes, (self.now)()).await
    }

    /// Where somebody belongs, and the user they get.
    fn place(&self, roster: &mut Roster, invite: Option<Invite>) -> Result<(Identity, String), Refusal> {
        let (identity, user) = match invite {
            Some(invite) => {
                let mut team = invite.team(roster)?.clone();
                let user = team.add_partner();
                (team, user)
            }
            None => {
                let id = pseudonym::draw(&self.random, &|id| roster.is_used(id)).ok_or(Refusal::Full)?;
                (Identity::new(id.clone(), self.random.invite(), (self.now)()), id)
            }
        };
        roster.put(identity.clone());
        Ok((identity, user))
    }

    fn publish(&self, roster: Roster) {
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
    }

    /// Runs a change alone and to its end.
    async fn change<T, F>(self: &Arc<Self>, change: impl FnOnce(Arc<Workshop>) -> F + Send + 'static) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
    {
        let workshop = Arc::clone(self);
        let changing = tokio::spawn(async move {
            let _alone = workshop.changing.lock().await;
            change(Arc::clone(&workshop)).await
        });
        changing.await.unwrap_or_else(|_| Err(failed().into()))
    }

    /// Notes an identity and makes it known.
    async fn keep_locked(&self, identity: Identity) -> Result<(), Refusal> {
        write(self.cluster.as_ref(), &[Note::Identity(&identity)], (self.now)()).await?;
        let mut roster = Roster::clone(&self.roster());
        roster.put(identity);
        self.publish(roster);
        Ok(())
    }

    fn known(&self, id: &str) -> Result<Identity, Refusal> {
        self.roster().get(id).cloned().ok_or_else(|| Refusal::Unknown(id.to_owned()))
    }

    /// New passwords for these users of an identity, or for all of them. Their sessions end.
    pub async fn reissue(self: &Arc<Self>, id: &str, user: Option<&str>) -> Result<Vec<Credential>, Refusal> {
        let (id, user) = (id.to_owned(), user.map(str::to_owned));
        let reissue = |workshop: Arc<Workshop>| async move {
            let mut identity = workshop.known(&id)?;
            let mut credentials = Vec::new();
            for account in identity.users.iter_mut().filter(|account| user.as_ref().is_none_or(|user| account.user == *user)) {
                account.generation = account.generation.saturating_add(1);
                credentials.push(Credential { user: account.user.clone(), password: workshop.random.password() });
            }
            workshop.keep_locked(identity).await?;
            workshop.cluster.change_users(credentials.iter().map(password_of).collect()).await?;
            Ok(credentials)
        };
        self.change(reissue).await
    }

    /// What is shown of somebody. The pseudonym stays.
    pub async fn rename(self: &Arc<Self>, id: &str, name: &str) -> Result<Identity, Refusal> {
        let (id, name) = (id.to_owned(), display_name(name).map_err(Refusal::Wrong)?);
        let rename = |workshop: Arc<Workshop>| async move {
            let identity = Identity { name, ..workshop.known(&id)? };
            workshop.keep_locked(identity.clone()).await?;
            Ok(identity)
        };
        self.change(rename).await
    }

    /// Takes somebody out, with users, rights, topics and groups. The pseudonym is not given again.
    pub async fn remove(self: &Arc<Self>, id: &str) -> Result<Removed, Refusal> {
        let id = id.to_owned();
        let remove = |workshop: Arc<Workshop>| async move {
            let identity = workshop.known(&id)?;
            let users: Vec<String> = identity.users.iter().map(|account| account.user.clone()).collect();
            // In this order: cut short, it leaves somebody who is known and can be removed again.
            workshop.cluster.remove_users(users.clone()).await?;
            let doomed = Doomed::of(workshop.cluster.as_ref(), &identity).await;
            let erased = doomed.erase(workshop.cluster.as_ref()).await?;
            let removed = Removed { users, erased };
            let gone = Identity { users: Vec::new(), invite: None, removed: true, name: identity.id.clone(), ..identity };
            workshop.keep_locked(gone).await?;
            Ok(removed)
        };
        self.change(remove).await
    }

    /// Ends all sessions of a user.
    pub async fn log_out_everywhere(self: &Arc<Self>, user: &str) -> Result<(), Refusal> {
        let user = user.to_owned();
        let end = |workshop: Arc<Workshop>| async move {
            let mut roster = Roster::clone(&workshop.roster());
            if user == INSTRUCTOR {
                roster.workshop.instructor_generation = roster.workshop.instructor_generation.saturating_add(1);
                write(workshop.cluster.as_ref(), &[Note::Workshop(&roster.workshop)], (workshop.now)()).await?;
                workshop.publish(roster);
                return Ok(());
            }
            let mut identity = roster.of_user(&user).cloned().ok_or(Refusal::NotOneOfUs)?;
            if let Some(account) = identity.account_mut(&user) {
                account.generation = account.generation.saturating_add(1);
            }
            workshop.keep_locked(identity).await
        };
        self.change(end).await
    }

    /// Checks a password and begins a session.
    pub async fn log_in(&self, user: &str, password: &str) -> Result<(Session, String), Refusal> {
        if !self.cluster.password_fits(user, password).await? {
            return Err(Refusal::WrongPassword);
        }
        let session = self.session_of(user).ok_or(Refusal::NotOneOfUs)?;
        let token = self.token(user).ok_or(Refusal::NotOneOfUs)?;
        Ok((session, token))
    }

    /// Whom a token stands for, as long as it does.
    pub fn session(&self, token: &str) -> Option<Session> {
        let roster = self.roster();
        let Claim { user, generation } =
            verify(&unhex(&roster.workshop.secret)?, token, |user| self.cluster.password_mark(user), (self.now)())?;
        if roster.generation(&user) != Some(generation) {
            return None;
        }
        self.session_of(&user)
    }

    fn session_of(&self, user: &str) -> Option<Session> {
        if user == INSTRUCTOR {
            return Some(Session { role: Role::Instructor, user: user.to_owned(), id: None });
        }
        let id = self.roster().of_user(user)?.id.clone();
        Some(Session { role: Role::Student, user: user.to_owned(), id: Some(id) })
    }

    /// Begins a session for somebody who has shown who they are.
    pub fn token(&self, user: &str) -> Option<String> {
        let roster = self.roster();
        let generation = roster.generation(user)?;
        let mark = self.cluster.password_mark(user)?;
        Some(sign(&unhex(&roster.workshop.secret)?, user, generation, &mark, (self.now)()))
    }
}

fn rights_of_all(roster: &Roster) -> Vec<UserChange> {
    let of = |identity: &Identity| {
        let rights = identity.rights(&roster.workshop.streams);
        let users = identity.users.clone();
        users.into_iter().map(move |account| UserChange { user: account.user, password: None, rights: Some(rights.clone()) })
    };
    roster.identities().flat_map(of).collect()
}

fn password_of(credential: &Credential) -> UserChange {
    UserChange { user: credential.user.clone(), password: Some(credential.password.clone()), rights: None }
}

/// As people type it.
fn plain(code: &str) -> String {
    code.trim().to_lowercase()
}

/// Takes as long wherever they differ.
fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn failed() -> ClusterError {
    ClusterError { code: ErrorCode::UnknownServerError, message: "the workshop failed at this request".to_owned() }
}
