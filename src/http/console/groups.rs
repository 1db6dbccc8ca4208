//! `groups`, `lag`: with the numbers of the look that all pages share.

use std::sync::Arc;

use super::printed::{Printed, Style};
use super::verbs::nearest;
use super::{Seat, wrong};
use crate::http::answer::Refused;
use crate::http::groups::{GroupNow, GroupsNow, not_counted};
use crate::http::groups_page::seen_topics;
use crate::http::overview::may_see_topic;
use crate::http::topics::may_see_group;

/// As Kafka's own tools write a lag that is not known.
fn shown(lag: Option<i64>) -> String {
    lag.map_or_else(|| "-".to_owned(), |lag| lag.to_string())
}

impl Seat<'_> {
    async fn look(&self, id: Option<&str>) -> Arc<GroupsNow> {
        let cluster = self.state.cluster.as_ref();
        match id {
            Some(id) => self.state.groups.now_with(id, cluster).await,
            None => self.state.groups.now(cluster).await,
        }
    }

    fn own_groups<'a>(&'a self, now: &'a GroupsNow) -> impl Iterator<Item = &'a GroupNow> {
        now.groups.iter().filter(|group| may_see_group(self.caller, &group.summary.id))
    }

    fn uncounted(&self, group: &GroupNow) -> usize {
        seen_topics(group, self.caller).map(|topic| topic.uncounted).sum()
    }

    pub(super) async fn groups(&self, printed: &mut Printed) -> Result<(), Refused> {
        let now = self.look(None).await;
        let groups: Vec<&GroupNow> = self.own_groups(&now).collect();
        if groups.is_empty() {
            printed.say(Style::Plain, "There is no consumer group of yours.");
            return Ok(());
        }
        let width = groups.iter().map(|group| group.summary.id.chars().count()).max().unwrap_or(0).clamp(5, 60);
        printed.say(Style::Strong, &format!("{:<width$}  {:<20}  {:>7}  {:>10}", "group", "state", "members", "lag"));
        for group in groups {
            let (summary, lag) = (&group.summary, shown(group.lag));
            let more = match self.uncounted(group) {
                0 => String::new(),
                partitions => format!("  {}", not_counted(partitions)),
            };
            let row = format!("{:<width$}  {:<20}  {:>7}  {lag:>10}{more}", summary.id, summary.state, summary.members);
            printed.content(Style::Plain, &row);
        }
        Ok(())
    }

    pub(super) async fn lag(&self, id: &str, printed: &mut Printed) -> Result<(), Refused> {
        let now = self.look(Some(id)).await;
        let Some(group) = now.get(id).filter(|_| may_see_group(self.caller, id)) else {
            let fix = match nearest(id, self.own_groups(&now).map(|group| group.summary.id.as_str())) {
                Some(near) => format!("did you mean {near}? groups lists yours"),
                None => "groups lists yours".to_owned(),
            };
            return Err(wrong("there is no such group of yours", fix));
        };
        let summary = &group.summary;
        printed.content(Style::Strong, &format!("{}: {}, {} members", summary.id, summary.state, summary.members));
        if group.lag.is_none() {
            printed.say(Style::Plain, "It has committed nothing.");
        }
        for offset in summary.offsets.iter().filter(|offset| may_see_topic(self.caller, offset.topic.as_str())) {
            let committed = offset.committed.map_or_else(|| "none yet".to_owned(), |committed| committed.to_string());
            let (end, lag) = (offset.end_offset, shown(offset.lag()));
            printed.content(Style::Plain, &format!("{}-{}: at {committed} of {end}, lag {lag}", offset.topic, offset.partition));
        }
        printed.say(Style::Strong, &format!("lag in all: {}", shown(group.lag)));
        if let partitions @ 1.. = self.uncounted(group) {
            printed.say(Style::Plain, &not_counted(partitions));
        }
        Ok(())
    }
}
