//! The kinds of truth. Each computes from the log what is right, and what the known mistakes would have made of it, and compares an
//! answer with both.
//!
//! None of them knows how the generators work: they read what a student can read. A challenge's folder names a kind and its parameters
//! (`[truth]` in `challenge.toml`). Kinds are pure: the log, the clock and the evidence are given to them.

mod board;
mod bronze;
mod digest;
mod events;
mod feed;
mod first_records;
mod fraud_windows;
mod from_files;
mod gold;
mod live_board;
mod log;
mod merges;
mod money;
mod pairs;
mod parameters;
mod payment_join;
mod payments;
mod processed_feed;
mod ranking;
mod readings;
mod run;
mod running_totals;
mod scalar;
mod shop;
mod silver;
mod silver_tally;
mod tables;
mod threshold_alerts;
pub mod times;

use crate::model::Timestamp;
use crate::model::evidence::Evidence;

use super::verdict::{Check, Judgement};
use super::{Answer, Ticket, TicketWish};

pub use from_files::receipt_of;
pub use log::{Log, LogError, scan};

/// What an answer is judged by.
pub struct Case<'a> {
    pub ticket: &'a Ticket,
    pub answer: &'a Answer,
    pub log: &'a dyn Log,
    /// What the broker saw of this student; `None` where the cluster does not show it.
    pub evidence: Option<&'a Evidence>,
    pub now: Timestamp,
}

pub trait Truth: Send + Sync {
    /// What its tickets are like.
    fn wish(&self) -> TicketWish;

    /// The ids of all checks that it makes, in their order.
    fn checks(&self) -> &'static [&'static str];

    /// The ids of all mistakes that it can recognise. The challenge's folder has a text for each.
    fn mistakes(&self) -> &'static [&'static str];

    /// The ids of the stars that it can give.
    fn stars(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the same answer may be judged otherwise once the broker has seen more.
    fn looks_at_evidence(&self) -> bool {
        true
    }

    /// Checks that need what a broker saw of the student, and what each looks for. Where a cluster does not show it they are skipped.
    fn witnessed(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether whoever was told what was expected could hand that in without having worked it out.
    fn tells_all(&self) -> bool {
        false
    }

    /// The answer is somebody's own and in time, and all records of the ticket's ranges exist. `Err`: the log could not be read.
    fn judge(&self, case: &Case<'_>) -> Result<Judgement, LogError>;
}

/// In place of a check of what only a broker sees.
pub(super) fn not_seen(id: &str, witnessed: &[(&str, &str)]) -> Check {
    let what = witnessed.iter().find(|(known, _)| *known == id).map_or("what your client did", |(_, what)| *what);
    Check::skip(id, format!("Not seen on this cluster: {what}."))
}

type Maker = fn(&toml::Table) -> Result<Box<dyn Truth>, String>;

/// All kinds, by the names that folders give.
const KINDS: &[(&str, Maker)] = &[
    ("bronze", bronze::make),
    ("first-records", first_records::make),
    ("fraud-windows", fraud_windows::make),
    ("live-board", live_board::make),
    ("payment-join", payment_join::make),
    ("processed-feed", processed_feed::make),
    ("running-totals", running_totals::make),
    ("silver", silver::make),
    ("threshold-alerts", threshold_alerts::make),
];

/// Makes a kind from the table `[truth]` of a challenge. The error says which parameter is wrong.
pub fn kind(name: &str, parameters: &toml::Table) -> Result<Box<dyn Truth>, String> {
    let known = || KINDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (_, make) = KINDS
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("there is no kind of truth named {name:?}; there are {}", known()))?;
    make(parameters).map_err(|error| format!("{name}: {error}"))
}
