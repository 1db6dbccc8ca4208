//! The room, reports and the console over HTTP.
