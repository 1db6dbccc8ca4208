//! The kinds of truth against the streams that students read: what is right passes, what a mistake makes of it gets its name, anything
//! else gets none. The answers are made by a second, plain implementation, as a student's script would be.

mod alerts;
mod board;
mod feed;
mod first;
mod hostile;
mod ledger;
mod parameters;
mod speed;
mod support;
mod totals;
