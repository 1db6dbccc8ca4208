//! One student, or a team of two.

use serde::{Deserialize, Serialize};

use crate::cluster::Rights;
use crate::model::Timestamp;

/// Laptops that may share an identity.
pub(super) const TEAM_MAX: usize = 2;
const NAME_LETTERS_MAX: usize = 60;

/// Beginnings of the group ids that tools make up for themselves.
const GROUPS_OF_TOOLS: [&str; 3] = ["spark-kafka-source-", "console-consumer-", "perf-consumer-"];

/// The value of a record with the key `student:ID`, as JSON.
///
/// | field | content |
/// |---|---|
/// | `version` | 1 |
/// | `id` | the pseudonym; never changes |
/// | `name` | what is shown; the instructor may change it |
/// | `users` | the Kafka users, each with the generation of its sessions |
/// | `invite` | what a partner joins with; absent once there is one |
/// | `joined` | when, in milliseconds since 1970 |
/// | `removed` | true: the id is used up, nobody has it |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub(super) version: u32,
    pub id: String,
    pub name: String,
    pub users: Vec<Account>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    pub joined: Timestamp,
    #[serde(default)]
    pub removed: bool,
}

/// One laptop's Kafka user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub user: String,
    /// Sessions of an older generation have ended.
    pub generation: u32,
}

impl Identity {
    pub(super) fn new(id: String, invite: String, joined: Timestamp) -> Identity {
        let account = Account { user: id.clone(), generation: 0 };
        Identity { version: 1, name: id.clone(), id, users: vec![account], invite: Some(invite), joined, removed: false }
    }

    /// Topics that begin so are theirs.
    pub fn prefix(&self) -> String {
        format!("ws.{}.", self.id)
    }

    pub fn group_prefix(&self) -> &str {
        &self.id
    }

    /// `quiet-otter:7F3K2M`, as long as there is room for a partner.
    pub fn invitation(&self) -> Option<String> {
        self.invite.as_ref().map(|invite| format!("{}:{invite}", self.id))
    }

    pub fn owns_topic(&self, topic: &str) -> bool {
        topic.starts_with(&self.prefix()) || topic == self.results_topic()
    }

    pub fn owns_group(&self, group: &str) -> bool {
        group.starts_with(&self.id)
    }

    fn results_topic(&self) -> String {
        format!("processed-social-feed.{}", self.id)
    }

    pub(super) fn account_mut(&mut self, user: &str) -> Option<&mut Account> {
        self.users.iter_mut().find(|account| account.user == user)
    }

    /// A second user, for the partner.
    pub(super) fn add_partner(&mut self) -> String {
        let user = format!("{}-{}", self.id, self.users.len().saturating_add(1));
        self.users.push(Account { user: user.clone(), generation: 0 });
        if self.users.len() >= TEAM_MAX {
            self.invite = None;
        }
        user
    }

    /// The same for each of the team.
    pub(super) fn rights(&self, streams: &[String]) -> Rights {
        Rights {
            readable_topics: streams.to_vec(),
            own_topic_prefixes: vec![self.prefix()],
            own_topics: vec![self.results_topic()],
            own_group_prefixes: vec![self.group_prefix().to_owned()],
            usable_group_prefixes: GROUPS_OF_TOOLS.map(str::to_owned).to_vec(),
            transactional_id_prefixes: vec![self.id.clone()],
        }
    }
}

/// A name as it may be shown, or why not.
pub(super) fn display_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_LETTERS_MAX || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {NAME_LETTERS_MAX} letters on one line"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partner_gets_a_user_with_the_same_rights_and_uses_up_the_invite() {
        let mut otter = Identity::new("quiet-otter".into(), "7F3K2M".into(), Timestamp(5));
        assert_eq!(otter.invitation().as_deref(), Some("quiet-otter:7F3K2M"));
        assert_eq!((otter.add_partner().as_str(), otter.invitation()), ("quiet-otter-2", None));
        let rights = otter.rights(&["ecommerce-events".to_owned()]);
        assert_eq!((rights.own_topic_prefixes, rights.own_group_prefixes), (vec!["ws.quiet-otter.".into()], vec!["quiet-otter".into()]));
        assert_eq!(rights.own_topics, ["processed-social-feed.quiet-otter"]);
        assert!(otter.owns_topic("ws.quiet-otter.c01") && !otter.owns_topic("ws.quiet-otters.c01"));
        let text = serde_json::to_string(&otter).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), otter);
    }

    #[test]
    fn names_fit_on_a_line() {
        assert_eq!(display_name("  Ada & Grace ").unwrap(), "Ada & Grace");
        for wrong in ["", "  ", "a\nb", &"x".repeat(61)] {
            assert!(display_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
