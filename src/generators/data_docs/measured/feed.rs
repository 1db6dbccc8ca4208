use std::collections::HashMap;

use super::{HOUR_MS, Row, SECONDS, STRETCH_MS, Told, World, mean, share_of_first};
use crate::generators::random::ln;
use crate::generators::social;
use crate::generators::town::PEOPLE;
use crate::generators::town::products::CATEGORIES;

#[derive(Default)]
pub struct Feed {
    events: f64,
    kinds: HashMap<String, f64>,
    writers: HashMap<String, f64>,
    /// Reactions to each post that came early enough to have all of them.
    cascades: HashMap<String, f64>,
    /// Posts with a hashtag: about anything else, about what is in fashion.
    fashion: [f64; 2],
}

impl Feed {
    pub fn add(&mut self, world: &World, told: &Told, faulty: bool) {
        self.events += 1.0;
        let kind = told.text("action_type");
        *self.kinds.entry(kind.to_owned()).or_default() += 1.0;
        if told.value()["is_bot"] == false {
            *self.writers.entry(told.text("user_id").to_owned()).or_default() += 1.0;
        }
        if kind == "post" && told.happened_ms() < STRETCH_MS - HOUR_MS {
            self.cascades.entry(told.text("post_id").to_owned()).or_default();
        }
        if let Some(count) = told.value()["parent_post_id"].as_str().and_then(|post| self.cascades.get_mut(post)) {
            *count += 1.0;
        }
        let tag = told.value()["hashtags"][0].as_str().filter(|_| kind == "post" && !faulty);
        if let Some(topic) = tag.and_then(|tag| CATEGORIES.iter().position(|category| category.hashtags.contains(&tag))) {
            let bursting = social::bursting(world, told.happened_ms()).contains(&topic);
            self.fashion[usize::from(bursting)] += 1.0;
        }
    }

    pub fn rows(self) -> Vec<Row> {
        let mut rows = vec![Row::number("events a second", 17.0, 0.6, self.events / SECONDS)];
        for (kind, share) in [("like", 0.62), ("comment", 0.17), ("share", 0.13), ("post", 0.08)] {
            rows.push(Row::share(format!("`{kind}` of all actions"), share, 0.006, self.kinds[kind] / self.events));
        }
        let sizes: Vec<f64> = self.cascades.into_values().collect();
        let above = |size: f64| sizes.iter().filter(|&&other| other >= size).count() as f64;
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        rows.extend([
            Row::within("people who write", "5000", 4_500.0, 5_000.0, self.writers.len() as f64),
            Row::share("actions of the busiest tenth of them", 0.8, 0.06, share_of_first(self.writers.values().copied(), PEOPLE / 10)),
            Row::number("reactions to a post (code)", 11.5, 0.5, mean(&sizes)),
            Row::number("exponent of the cascades' tail, from 20 to 80", 1.6, 0.15, ln(above(20.0) / above(80.0)) / ln(4.0)),
            Row::within("reactions to the post with the most", "400 or less", 300.0, 400.0, largest),
            Row::share(
                "posts about the two topics in fashion (code)",
                12.0 / 22.0,
                0.02,
                self.fashion[1] / (self.fashion[0] + self.fashion[1]),
            ),
        ]);
        rows
    }
}
