//! Floor 4: who takes part in a workshop. Pseudonyms, teams of two, the code that lets people in, sessions.
//!
//! It gives users, rights and limits out through the cluster port and keeps what it knows as records of the internal topic `_workshop`
//! there. It never sees a socket, and it never keeps a password: the answer that makes one is the only place it ever stands in.
//! Invariants: nothing is handed out before it is kept; a pseudonym is never given twice, not even after its removal; what changes
//! users and what changes records happens under one lock, to its end, also when whoever asked has gone.
//! Start with `workshop.rs`.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod answer;
pub mod challenge;
pub mod course;
mod doomed;
mod identity;
mod pseudonym;
mod random;
pub mod receipt;
mod room;
mod roster;
mod session;
mod ticket;
pub mod truth;
pub mod verdict;
mod verdict_text;
mod words;
#[allow(clippy::module_inception, reason = "the noun that the room is named after")]
mod workshop;

pub use answer::{Answer, AnswerRecord};
pub use challenge::{Challenge, Challenges};
pub use course::{Course, CourseError, CourseOptions, Student};
pub use doomed::{Doomed, DoomedGroup, DoomedTopic, Erased};
pub use identity::{Account, Identity};
pub use random::Random;
pub use room::{Announcement, Noticeboard, Room, RoomRecord, Timer};
pub use roster::{Roster, TOPIC};
pub use session::{Role, SESSION_DAYS, Session};
pub use ticket::{TICKET_HEADER, Ticket, TicketWish};
pub use workshop::{Credential, Joined, Refusal, Removed, Workshop, WorkshopOptions};
