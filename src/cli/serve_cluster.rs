//! `headwater serve --cluster`: pages, checks and generators on another Kafka cluster. No listener, no data folder.

use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::doors::{InstructorSecret, made_up_secret};
use super::reach::Surroundings;
use super::serve::{challenges, open_course, open_workshop, start_pages, wheelhouse};
use super::startup::{Banner, StartError, bound, listen};
use crate::broker::{CaInfo, clock};
use crate::cluster::{Access, Cluster, External, INSTRUCTOR, PASSWORD_VARIABLE, Topics, UserChange};
use crate::config::{ClusterSetting, Doors, Settings};
use crate::generators::{DirtLevel, Runner};
use crate::http::{HttpState, StudentLogin};
use crate::security::certificate::fingerprint_of_pem;
use crate::server::Certificates;

/// Threads for questions to the cluster, each of which is waited for.
const BLOCKING_THREADS_MAX: usize = 64;
/// Each step of the end: the group of those who feed the streams is left, questions that are under way are answered, the clients are
/// closed. A broker that does not answer holds up none of them any longer; all three together take less than three seconds.
const STEP_WITHIN: Duration = Duration::from_millis(800);

/// Returns when it was told to stop, or could not start.
pub(super) fn serve(settings: &Settings, setting: &ClusterSetting) -> Result<(), StartError> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
    let runtime = runtime.map_err(StartError::Runtime)?;
    let external = runtime.block_on(run(settings, setting))?;
    runtime.shutdown_timeout(STEP_WITHIN);
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(external);
        // Nobody may wait for it any more.
        let _ = closed.send(());
    });
    let _ = is_closed.recv_timeout(STEP_WITHIN);
    Ok(())
}

/// What is at work until it is told to stop.
struct Started {
    external: Arc<External>,
    pages: Vec<JoinHandle<()>>,
    feeding: Option<JoinHandle<()>>,
}

async fn run(settings: &Settings, setting: &ClusterSetting) -> Result<Option<Arc<External>>, StartError> {
    let mut stop = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let ending = watch::Sender::new(false);
    let mut told_to_stop = pin!(async {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(StartError::Runtime),
            _ = stop.recv() => Ok(()),
        }
    });
    let started = tokio::select! {
        started = start(settings, setting, &ending) => started?,
        stopped = &mut told_to_stop => return stopped.map(|()| None),
    };
    told_to_stop.await?;
    ending.send_replace(true);
    started.pages.iter().for_each(JoinHandle::abort);
    if let Some(feeding) = started.feeding {
        let _ = tokio::time::timeout(STEP_WITHIN, feeding).await;
    }
    Ok(Some(started.external))
}

async fn start(settings: &Settings, setting: &ClusterSetting, ending: &watch::Sender<bool>) -> Result<Started, StartError> {
    let around = Surroundings::look();
    let challenges = challenges(settings)?;
    let wheelhouse = wheelhouse(settings)?;
    let (access, students) = accesses(setting).map_err(StartError::Cluster)?;
    let doors = &settings.doors;
    let tls = Certificates::given(&doors.tls)?;
    let http = open(doors.http.as_ref(), "--http ").await?;
    let https = open(doors.https.as_ref(), "--https ").await?;
    let external = External::connect(&access, &students).await.map_err(|error| StartError::Cluster(error.message))?;
    let external = Arc::new(external);
    let secret = if doors.classroom { instructor_secret(&external, doors).await? } else { InstructorSecret::Unused };
    let cluster: Arc<dyn Cluster> = Arc::clone(&external) as Arc<dyn Cluster>;
    let workshop = if doors.classroom { Some(open_workshop(&cluster, settings).await?) } else { None };
    let course = open_course(&cluster, workshop.clone(), challenges).await?;
    let generators = settings.generators.then(|| {
        let dirt = DirtLevel::from_number(settings.dirt).unwrap_or_default();
        let runner = Runner::new(external.town() as Arc<dyn Topics>, Arc::new(clock::now), settings.seed, dirt);
        Arc::new(runner.with_clock(settings.clock))
    });
    let authority = students.authority().map_err(StartError::Cluster)?;
    let authority = authority.map(|pem| Arc::new(CaInfo { fingerprint: fingerprint_of_pem(&pem), pem }));
    let names = [doors.http_names.as_slice(), doors.tls.names.as_slice()].concat();
    let https_port = https.as_ref().and_then(|listener| listener.local_addr().ok()).map(|at| at.port());
    let state = HttpState::new(Arc::clone(&cluster))
        .with_workshop(workshop.clone())
        .with_course(Some(course))
        .with_generators(generators.clone())
        .with_tls(authority, https_port)
        .with_student_login(login(&students))
        .with_wheelhouse(wheelhouse)
        .with_host_names(&names);
    let banner = Banner {
        classroom: doors.classroom,
        listeners: Vec::new(),
        cluster: Some(access.bootstrap().to_owned()),
        http: http.as_ref().zip(doors.http.as_ref()).map(|(at, asked)| bound(at, asked)),
        https: https.as_ref().zip(doors.https.as_ref()).map(|(at, asked)| bound(at, asked)),
        fingerprint: None,
        secret,
        workshop_code: workshop.map(|workshop| workshop.code()),
        open: false,
        container: around.container,
        own: around.own.map_or_else(|| "127.0.0.1".to_owned(), |own| own.to_string()),
    };
    let stopped = || {
        let mut ended = ending.subscribe();
        async move {
            // A sender that is gone ends it too.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    };
    let pages = start_pages(stopped, &state, http, https.zip(tls.map(|tls| watch::Sender::new(tls).subscribe())));
    // A closed terminal is no reason to stop.
    let _ = std::io::stdout().write_all(banner.text().as_bytes());
    let feeding = generators.map(|runner| {
        let (external, ended) = (Arc::clone(&external), stopped());
        tokio::spawn(feed(external, runner, ended))
    });
    Ok(Started { external, pages, feeding })
}

/// Feeds the streams when it is its turn, and leaves it to the next at the end.
async fn feed(external: Arc<External>, runner: Arc<Runner>, ended: impl Future<Output = ()>) {
    let mut ended = pin!(ended);
    let turn = tokio::select! {
        turn = external.turn_to_feed() => turn,
        () = &mut ended => return,
    };
    tokio::select! {
        () = runner.run() => {}
        () = ended => {}
    }
    turn.leave().await;
}

/// What Headwater logs in by, and what students are shown: the same address and protocol where no file says otherwise, without a login.
fn accesses(setting: &ClusterSetting) -> Result<(Access, Access), String> {
    let address = || Access::parse(&setting.address).map_err(|error| format!("--cluster: {error}"));
    let file = setting.config.as_deref();
    let access = address()?.with_file(file, std::env::var(PASSWORD_VARIABLE).ok()).map_err(|error| format!("--cluster-config: {error}"))?;
    let students = match &setting.student_config {
        Some(file) => shown_to_students(address()?, file).map_err(|error| format!("--cluster-student-config: {error}"))?,
        None => access.without_login(),
    };
    Ok((access, students))
}

/// A login may be left out of it: then each student has one of their own, or the snippets say where it goes.
fn shown_to_students(access: Access, file: &Path) -> Result<Access, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    access.with_bootstrap_of(&text)?.with_properties(&text).map_err(|error| format!("{}, {error}", file.display()))
}

fn login(students: &Access) -> StudentLogin {
    let (user, password) = students.login();
    StudentLogin { user: user.map(str::to_owned), password: password.map(str::to_owned) }
}

async fn open(address: Option<&crate::config::Address>, flag: &str) -> Result<Option<TcpListener>, StartError> {
    match address {
        Some(address) => listen(flag, address).await.map(Some),
        None => Ok(None),
    }
}

/// As with a broker of our own, but kept in the cluster.
async fn instructor_secret(external: &External, doors: &Doors) -> Result<InstructorSecret, StartError> {
    use crate::cluster::Users;
    let failed = |error: crate::cluster::ClusterError| StartError::Cluster(error.message);
    external.open_users().await.map_err(failed)?;
    let set = |secret: String| {
        let change = UserChange { user: INSTRUCTOR.to_owned(), password: Some(secret), rights: None };
        external.change_users(vec![change])
    };
    if let Some(given) = &doors.instructor_secret {
        if !external.password_fits(INSTRUCTOR, given).await.map_err(failed)? {
            set(given.clone()).await.map_err(failed)?;
        }
        return Ok(InstructorSecret::Given);
    }
    if external.password_mark(INSTRUCTOR).is_some() && !doors.new_instructor_secret {
        return Ok(InstructorSecret::Kept);
    }
    let secret = made_up_secret();
    set(secret.clone()).await.map_err(failed)?;
    Ok(InstructorSecret::Made(secret))
}
