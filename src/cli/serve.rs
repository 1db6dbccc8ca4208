//! `headwater serve`: claims the folder, binds both ports, serves until told to stop.

use std::io::Write;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::startup::{DataFolder, StartError, banner, bound, listen};
use crate::config::Settings;

/// Returns when the broker was told to stop, or could not start.
pub(super) fn serve(settings: &Settings) -> Result<(), StartError> {
    start_log(&settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let _folder = DataFolder::claim(&settings.data_dir)?;
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let kafka = listen("--listen", &settings.listen).await?;
        let http = match &settings.http {
            Some(address) => Some(listen("--http", address).await?),
            None => None,
        };
        let web = http.as_ref().zip(settings.http.as_ref()).map(|(listener, asked)| bound(listener, asked));
        // A closed terminal is no reason to stop.
        let _ = std::io::stdout().write_all(banner(&bound(&kafka, &settings.listen), web.as_ref()).as_bytes());
        told_to_stop().await.map_err(StartError::Runtime)
    })
}

/// The log goes to the error output, so that what is printed stays clean.
fn start_log(level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).try_init();
}

/// Ctrl+C, or the signal that service managers and containers send.
async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
