//! Orders to the running generators: incidents, rates, pauses. Each goes into the journal first, and then takes effect.

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::cluster::ClusterError;
use crate::generators::incidents::{Command, KINDS, Order, Wish, checked_factor, checked_topic};
use crate::generators::schema::STREAMS;
use crate::generators::world::World;
use crate::model::Timestamp;

use super::journal::Journal;
use super::resume::prepared;
use super::{Runner, Writer};
use crate::generators::chronicle::Chronicle;

/// What somebody wants of the generators.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Begin(Wish),
    End(u32),
    /// Of one topic, or of all.
    Rate {
        topic: Option<String>,
        factor: f64,
    },
    Pause {
        topic: Option<String>,
    },
    Resume {
        topic: Option<String>,
    },
}

/// Why an order was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OrderRefused {
    #[error("{0}")]
    Wrong(String),
    #[error("the generators cannot take orders now: {0}")]
    NotNow(String),
}

/// One that somebody waits for.
pub(super) type Waiting = (Request, oneshot::Sender<Result<Command, OrderRefused>>);

/// Orders that wait while history is written.
pub(super) const WAITING_MAX: usize = 64;

/// Commands that a journal holds. One more is refused: without the first ones, the same seed would not give the same bytes.
const COMMANDS_MAX: usize = 1_000;

/// An incident as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IncidentStatus {
    pub id: u32,
    pub kind: &'static str,
    pub target: Option<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// `planned`, `running` or `over`.
    pub state: &'static str,
}

/// What was ordered, as of a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct OrdersStatus {
    /// Newest first.
    pub incidents: Vec<IncidentStatus>,
    /// In the order of `STREAMS`: topic and what its rate is multiplied with. 0 is paused.
    pub rates: Vec<(&'static str, f64)>,
}

/// What can be ordered.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KindStatus {
    pub kind: &'static str,
    pub about: &'static str,
    pub lesson: &'static str,
    pub minutes: f64,
    pub minutes_max: f64,
    /// What it happens to, and what can be named there.
    pub target: Option<&'static str>,
    pub choices: Vec<String>,
}

impl Runner {
    /// Takes effect within ten seconds. The answer is the line of the log.
    pub async fn order(&self, request: Request) -> Result<Command, OrderRefused> {
        let (answer, answered) = oneshot::channel();
        let full = |_| OrderRefused::NotNow("too many orders wait already".to_owned());
        self.orders.try_send((request, answer)).map_err(full)?;
        let stopped = |_| OrderRefused::NotNow("they were interrupted; look whether it was done".to_owned());
        match tokio::time::timeout(super::ORDER_WITHIN, answered).await {
            Ok(answer) => answer.map_err(stopped)?,
            Err(_) => Err(OrderRefused::NotNow(self.status().trouble.unwrap_or_else(|| "they are writing history".to_owned()))),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn kinds(&self) -> Vec<KindStatus> {
        let town = crate::generators::town::Town::new(self.status().seed);
        let row = |row: &crate::generators::incidents::KindRow| KindStatus {
            kind: row.name,
            about: row.about,
            lesson: row.lesson,
            minutes: row.minutes,
            minutes_max: row.minutes_max,
            target: row.target.name(),
            choices: row.target.choices(&town),
        };
        KINDS.iter().map(row).collect()
    }

    pub fn orders_status(&self) -> OrdersStatus {
        let status = self.status();
        let Some(origin) = status.origin else { return OrdersStatus::default() };
        let now = self.clock.now();
        let at = now.since(origin);
        let shown = |incident: &crate::generators::incidents::Incident| IncidentStatus {
            id: incident.id,
            kind: incident.kind.name(),
            target: incident.target_name.clone(),
            from: origin.plus_ms(incident.from),
            to: origin.plus_ms(incident.to),
            state: if at >= incident.to {
                "over"
            } else if at >= incident.from {
                "running"
            } else {
                "planned"
            },
        };
        OrdersStatus {
            incidents: status.timeline.incidents().iter().rev().map(shown).collect(),
            rates: STREAMS.iter().map(|stream| (stream.topic, status.timeline.rate_last(stream.id))).collect(),
        }
    }

    pub(super) async fn next_order(&self) -> Option<Waiting> {
        self.waiting.lock().await.recv().await
    }

    /// Puts the order into the log, and goes on under the longer log. An error says that the log could not be written.
    pub(super) async fn obey(&self, writer: &mut Writer, (request, answer): Waiting) -> Result<(), ClusterError> {
        // Whoever gave up meanwhile was told that it was not done.
        if answer.is_closed() {
            return Ok(());
        }
        let current = self.beginning.lock().await;
        if *current != writer.beginning {
            let _ = answer.send(Err(OrderRefused::NotNow("the town begins anew; try again".to_owned())));
            return Ok(());
        }
        let at = writer.chronicle.next_page();
        let world = writer.chronicle.world();
        let command = match command(world, &writer.journal, &request, at, self.clock.now()) {
            Ok(command) => command,
            Err(refused) => {
                let _ = answer.send(Err(OrderRefused::Wrong(refused)));
                return Ok(());
            }
        };
        let mut journal = writer.journal.clone();
        journal.commands.push(command.clone());
        if let Err(error) = journal.write(self.cluster.as_ref(), self.clock.now()).await {
            let _ = answer.send(Err(OrderRefused::NotNow(error.to_string())));
            return Err(error);
        }
        let world = world.with_commands(&journal.commands);
        self.change_status(|status| status.timeline = world.timeline.clone());
        let from = writer.chronicle.next_arrival();
        writer.chronicle = prepared(Chronicle::new(world, journal.origin, from)).await;
        writer.journal = journal;
        tracing::info!(order = ?command.order, "the generators were given an order");
        let _ = answer.send(Ok(command));
        Ok(())
    }
}

fn command(world: &World, journal: &Journal, request: &Request, at: i64, now: Timestamp) -> Result<Command, String> {
    if journal.commands.len() >= COMMANDS_MAX {
        return Err(format!("{COMMANDS_MAX} orders are as many as the log holds; a reset empties it"));
    }
    let order = match request.clone() {
        Request::Begin(wish) => {
            let id = world.timeline.incidents().iter().map(|incident| incident.id).max().unwrap_or(0) + 1;
            wish.order(world.seed(), &world.town, id, at)?
        }
        Request::End(id) => {
            let now = now.since(journal.origin);
            match world.timeline.incidents().iter().find(|incident| incident.id == id) {
                Some(incident) if incident.to > now.max(incident.from) => Order::End { id },
                Some(_) => return Err(format!("incident {id} is over")),
                None => return Err(format!("there is no incident {id}")),
            }
        }
        Request::Rate { topic, factor } => Order::Rate { topic: checked_topic(topic)?, factor: checked_factor(factor)? },
        Request::Pause { topic } => Order::Pause { topic: checked_topic(topic)? },
        Request::Resume { topic } => Order::Resume { topic: checked_topic(topic)? },
    };
    Ok(Command { at, order })
}
