//! `groups`, `lag`.

use super::printed::{Printed, Style};
use super::verbs::nearest;
use super::{Seat, wrong};
use crate::cluster::GroupSummary;
use crate::http::answer::Refused;

impl Seat<'_> {
    async fn own_groups(&self) -> Vec<GroupSummary> {
        let all = self.state.cluster.groups().await;
        all.into_iter().filter(|group| self.is_instructor() || self.caller.owns_group(&group.id)).collect()
    }

    pub(super) async fn groups(&self, printed: &mut Printed) -> Result<(), Refused> {
        let groups = self.own_groups().await;
        if groups.is_empty() {
            printed.say(Style::Plain, "There is no consumer group of yours.");
            return Ok(());
        }
        let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).clamp(5, 60);
        printed.say(Style::Strong, &format!("{:<width$}  {:<20}  {:>7}  {:>10}", "group", "state", "members", "lag"));
        for group in &groups {
            let lag = group.offsets.iter().fold(0_i64, |sum, offset| sum.saturating_add(offset.lag()));
            printed.content(Style::Plain, &format!("{:<width$}  {:<20}  {:>7}  {lag:>10}", group.id, group.state, group.members));
        }
        Ok(())
    }

    pub(super) async fn lag(&self, id: &str, printed: &mut Printed) -> Result<(), Refused> {
        let groups = self.own_groups().await;
        let Some(group) = groups.iter().find(|group| group.id == id) else {
            let fix = match nearest(id, groups.iter().map(|group| group.id.as_str())) {
                Some(near) => format!("did you mean {near}? groups lists yours"),
                None => "groups lists yours".to_owned(),
            };
            return Err(wrong("there is no such group of yours", fix));
        };
        printed.content(Style::Strong, &format!("{}: {}, {} members", group.id, group.state, group.members));
        if group.offsets.is_empty() {
            printed.say(Style::Plain, "It has committed nothing.");
            return Ok(());
        }
        let mut offsets: Vec<_> = group.offsets.iter().collect();
        offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let all = offsets.iter().fold(0_i64, |sum, offset| sum.saturating_add(offset.lag()));
        for offset in offsets {
            let (committed, end, lag) = (offset.committed, offset.end_offset, offset.lag());
            printed.content(Style::Plain, &format!("{}-{}: at {committed} of {end}, lag {lag}", offset.topic, offset.partition));
        }
        printed.say(Style::Strong, &format!("lag in all: {all}"));
        Ok(())
    }
}
