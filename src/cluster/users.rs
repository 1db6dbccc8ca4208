//! Who may come in and what they may do, as a workshop gives it out.

use super::{BoxFuture, ClusterError};
use crate::model::ErrorCode;

/// What a user may do. Nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Topics it may read, with their configs.
    pub readable_topics: Vec<String>,
    /// Topics with these beginnings are its own: it may create, fill, change and delete them.
    pub own_topic_prefixes: Vec<String>,
    pub own_topics: Vec<String>,
    /// Groups with these beginnings are its own: it may be a member and delete them.
    pub own_group_prefixes: Vec<String>,
    /// Groups with these beginnings it may be a member of.
    pub usable_group_prefixes: Vec<String>,
    pub transactional_id_prefixes: Vec<String>,
}

/// One user as it should be from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChange {
    pub user: String,
    /// `None` leaves it as it is.
    pub password: Option<String>,
    /// `None` leaves them as they are.
    pub rights: Option<Rights>,
}

/// How fast a user may be; what is over waits. `None`: as fast as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    pub produced_bytes_per_s: Option<f64>,
    pub fetched_bytes_per_s: Option<f64>,
    /// Topics and partitions made or deleted.
    pub changes_per_s: Option<f64>,
}

/// Where the users of a cluster are kept. A cluster that does not say otherwise keeps none for us.
pub trait Users: Send + Sync {
    /// Makes or changes users, all of them or none; when it has answered, they are kept.
    fn change_users(&self, changes: Vec<UserChange>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let _ = changes;
        unsupported()
    }

    /// Takes away passwords, rights and limits.
    fn remove_users(&self, users: Vec<String>) -> BoxFuture<'_, Result<(), ClusterError>> {
        let _ = users;
        unsupported()
    }

    /// Limits of one user, or (`None`) of all that have none of their own.
    fn set_limits<'a>(&'a self, user: Option<&'a str>, limits: Limits) -> BoxFuture<'a, Result<(), ClusterError>> {
        let _ = (user, limits);
        unsupported()
    }

    /// What changes whenever a user's password does. `None`: nobody can log in as this user.
    fn password_mark(&self, user: &str) -> Option<Vec<u8>> {
        let _ = user;
        None
    }

    /// Takes as long for a user that does not exist.
    fn password_fits<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<bool, ClusterError>> {
        let _ = (user, password);
        unsupported()
    }
}

fn unsupported<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, ClusterError>> {
    let message = "users of this cluster are not kept by Headwater yet; make them with the cluster's own tools".to_owned();
    Box::pin(std::future::ready(Err(ClusterError { code: ErrorCode::UnsupportedVersion, message })))
}
