//! Who a ticket is for and an answer is from.

use crate::cluster::INSTRUCTOR;
use crate::workshop::Identity;

/// The id of the one person of a broker without a workshop.
const ALONE: &str = "me";
/// The user of whoever does not log in.
const ANONYMOUS: &str = "ANONYMOUS";
/// The topic of the challenge whose topic the students create.
const OWN_TOPIC: &str = "processed-social-feed";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Student {
    pub id: String,
    /// What is shown.
    pub name: String,
    /// The Kafka users that are theirs.
    pub users: Vec<String>,
    /// Topics that begin so are theirs.
    pub prefix: String,
    /// The topic that they create themselves.
    pub own_topic: String,
}

impl Student {
    pub fn of(identity: &Identity) -> Student {
        Student {
            id: identity.id.clone(),
            name: identity.name.clone(),
            users: identity.users.iter().map(|account| account.user.clone()).collect(),
            prefix: identity.prefix(),
            own_topic: format!("{OWN_TOPIC}.{}", identity.id),
        }
    }

    /// Where nobody logs in.
    pub fn alone() -> Student {
        Student {
            id: ALONE.to_owned(),
            name: ALONE.to_owned(),
            users: vec![ANONYMOUS.to_owned()],
            prefix: format!("ws.{ALONE}."),
            own_topic: OWN_TOPIC.to_owned(),
        }
    }

    /// The instructor, who shows the class how it goes. Stands on no board.
    pub fn instructor() -> Student {
        Student {
            id: INSTRUCTOR.to_owned(),
            name: INSTRUCTOR.to_owned(),
            users: vec![INSTRUCTOR.to_owned()],
            prefix: format!("ws.{INSTRUCTOR}."),
            own_topic: format!("{OWN_TOPIC}.{INSTRUCTOR}"),
        }
    }

    pub(super) fn topic(&self, what: &str) -> crate::model::TopicName {
        crate::model::TopicName::new(&format!("{}{what}", self.prefix))
    }
}
