//! `headwater generate`: feeds the town into a Kafka cluster that is already there.

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::broker::clock;
use crate::cluster::{Access, ClusterError, Remote, Topics};
use crate::config::Settings;
use crate::generators::{DirtLevel, End, Phase, Runner, rfc3339_ms};
use crate::model::{ErrorCode, Timestamp};

/// What the command line asks for.
#[derive(Debug)]
pub struct GenerateCommand {
    pub to: Access,
    pub topic_prefix: String,
    /// Seed, dirt, clock and log level are used.
    pub settings: Box<Settings>,
    pub end: End,
}

const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Why it did not end well.
#[derive(Debug)]
pub enum GenerateError {
    Runtime(std::io::Error),
    Cluster(ClusterError),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GenerateError::Runtime(error) => write!(f, "cannot start: {error}"),
            GenerateError::Cluster(error) => write!(f, "{}", error.message),
        }
    }
}

/// Returns at the end that was asked for, or when told to stop.
pub fn run(command: &GenerateCommand) -> Result<(), GenerateError> {
    super::serve::start_log(&command.settings.log_level);
    let runtime = Builder::new_current_thread().enable_all().build().map_err(GenerateError::Runtime)?;
    let outcome = runtime.block_on(feed(command));
    // A question that the cluster does not answer is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn feed(command: &GenerateCommand) -> Result<(), GenerateError> {
    let mut stop = signal(SignalKind::terminate()).map_err(GenerateError::Runtime)?;
    let stopped = async {
        tokio::select! {
            // Without its handler Ctrl+C ends the process anyway.
            _ = tokio::signal::ctrl_c() => {}
            _ = stop.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let remote = tokio::select! {
        remote = Remote::connect(&command.to, &command.topic_prefix) => remote.map_err(GenerateError::Cluster)?,
        () = &mut stopped => return Ok(()),
    };
    let cluster: Arc<dyn Topics> = Arc::new(remote);
    let settings = &command.settings;
    let dirt = DirtLevel::from_number(settings.dirt).unwrap_or_default();
    let runner = Runner::new(cluster, Arc::new(clock::now), settings.seed, dirt).with_clock(settings.clock).with_end(command.end);
    let running = runner.run_unless(is_final);
    tokio::pin!(running);
    let mut progress = tokio::time::interval(PROGRESS_EVERY);
    progress.tick().await;
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome.map_err(GenerateError::Cluster),
            () = &mut stopped => break Ok(()),
            _ = progress.tick() => print(&runner),
        }
    };
    print(&runner);
    outcome
}

/// What neither time nor another attempt mends.
fn is_final(error: &ClusterError) -> bool {
    matches!(
        error.code,
        ErrorCode::TopicAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::SaslAuthenticationFailed
            | ErrorCode::InvalidPartitions
            | ErrorCode::InvalidReplicationFactor
            | ErrorCode::InvalidTopicException
            | ErrorCode::InvalidConfig
            | ErrorCode::InvalidTimestamp
            | ErrorCode::InvalidRecord
            | ErrorCode::MessageTooLarge
            | ErrorCode::PolicyViolation
    )
}

/// One line: where the town's time stands, what was written, and what is in the way. A closed terminal is no reason to stop.
fn print(runner: &Runner) {
    let status = runner.status();
    let written: u64 = status.streams.iter().map(|stream| stream.events_written).sum();
    let rate: f64 = status.streams.iter().map(|stream| stream.events_per_s).sum();
    let at = |time: Timestamp| String::from_utf8_lossy(&rfc3339_ms(time.0)).into_owned();
    let state = match (&status.trouble, status.phase) {
        (Some(trouble), _) => format!("waiting: {trouble}"),
        (None, Phase::Starting) => "looking at what the topics hold".to_owned(),
        (None, Phase::Backfilling) => format!("history, {:.0} %", status.backfilled * 100.0),
        (None, Phase::Live) => format!("{rate:.1} events a second"),
    };
    let newest = status.streams.iter().filter_map(|stream| stream.last_arrival).max().map_or_else(|| "-".to_owned(), at);
    let _ = writeln!(std::io::stdout(), "{written} events written, newest {newest}; {state}");
}
