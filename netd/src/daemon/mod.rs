//! The daemon's own life: checks, sockets, engine, requests, signals, end. What fails here fails before anything has
//! been touched, with a text that says what to do.

mod environment;
mod logging;
mod roots;
mod sockets;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

pub use environment::Environment;
use environment::Notify;
use logging::LogControl;
pub use roots::RootError;
pub use sockets::{Socket, SocketError};

use crate::{
    config::{self, Config, ConfigError, Flags},
    engine::{Engine, EngineParts, StartError},
    http,
    system::{Facts, IdentityError},
};

/// How long requests may take to end once the engine has; some never would, such as streams of events.
const LAST_REQUESTS: Duration = Duration::from_millis(250);

/// How long threads may take that wait for the kernel.
const LAST_THREADS: Duration = Duration::from_secs(2);

/// How a run of the daemon ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It was only asked whether its configuration makes sense; it does.
    Valid,
}

/// The daemon can't start, or can't go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It was not started by root.
    #[error("netd needs to be started with root privileges: it makes network namespaces, links and mounts")]
    NotRoot,
    /// Its directories.
    #[error(transparent)]
    Root(#[from] RootError),
    /// Its sockets.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Its identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Its engine.
    #[error("failed to start the daemon")]
    Start(#[from] StartError),
    /// The shim is not where it should be.
    #[error("the shim {} is missing: install it beside netd, or name it with --shim", .0.display())]
    NoShim(PathBuf),
    /// What every process needs.
    #[error("failed to {action}")]
    System {
        /// What was to be done.
        action: &'static str,
        /// Why it can't be.
        #[source]
        source: io::Error,
    },
}

impl DaemonError {
    fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`DaemonError`]: it could not start.
pub fn run(flags: &Flags, environment: &Environment) -> Result<Ended, DaemonError> {
    let mut config = config::load(flags)?;
    config.container.link_variables = environment.link_variables();
    if flags.validate {
        return Ok(Ended::Valid);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(DaemonError::NotRoot);
    }
    let log = LogControl::start(config.log_level);
    raise_open_files();
    crate::sys::keep_heaps_small();
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime::Builder::new_multi_thread().enable_all().thread_name("netd").build();
    let runtime = runtime.map_err(DaemonError::system("start the runtime"))?;
    let ended = runtime.block_on(serve(flags, config, environment, &log));
    // Threads that still wait for the kernel must not keep a stopped daemon alive.
    runtime.shutdown_timeout(LAST_THREADS);
    ended.map(|()| Ended::Stopped)
}

async fn serve(
    flags: &Flags,
    config: Config,
    env: &Environment,
    log: &LogControl,
) -> Result<(), DaemonError> {
    roots::prepare("data root", &config.data_root)?;
    roots::prepare("exec root", &config.exec_root)?;
    let shim = shim(&config)?;
    let _pid = config.pidfile.as_deref().map(roots::PidFile::write).transpose()?;
    let inherited = env.take_sockets().map_err(SocketError::Inherited)?;
    let sockets = sockets::bind(&config.hosts, &config.group, inherited)?;
    let mut signals = Signals::listen()?;
    let notify = env.notify().map_err(DaemonError::system("reach the service manager"))?;

    let metrics = config.metrics.map(sockets::bind_metrics).transpose()?;

    let config = Arc::new(config);
    let facts = Facts::read(crate::system::identity(&config.data_root, random)?);
    let engine = Engine::open(EngineParts {
        config: config.clone(),
        clock: Arc::new(jiff::Timestamp::now),
        random: Arc::new(random),
        shim,
        private: sockets.sockets.iter().chain(&metrics).filter_map(Socket::private_port).collect(),
        system_bus: env.system_bus(),
    })
    .await?;
    let config = Arc::new(ArcSwap::new(config));
    let api = http::Api {
        engine: engine.clone(),
        facts,
        config: config.clone(),
        pruning: http::Pruning::default(),
    };
    let router = http::router(Arc::new(api));
    let server = http::Server::start(sockets.sockets, &router, CancellationToken::new())
        .map_err(DaemonError::system("serve the API"))?;
    let _metrics = metrics
        .map(|socket| {
            let router = http::metrics_router(engine.clone());
            http::Server::start(vec![socket], &router, CancellationToken::new())
        })
        .transpose()
        .map_err(DaemonError::system("serve metrics"))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), hosts = ?config.load().hosts, "daemon has started");
    notify.ready();

    signals.stopped(|| reload(flags, &config, log, &notify)).await;
    tracing::info!("daemon is stopping");
    notify.stopping();
    let now = config.load_full();
    tokio::select! {
        () = engine.shutdown(&now) => {}
        () = signals.stopped(|| {}) => tracing::warn!("told to stop a second time: not waiting for containers"),
    }
    server.finish(LAST_REQUESTS).await;
    Ok(())
}

/// Every container takes five descriptors, every published port one; the usual soft limit of 1,024 is meant for programs
/// that use select(2).
fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "limit of open files not raised");
    }
}

/// Where ids come from.
fn random(bytes: &mut [u8]) {
    rand::Rng::fill(&mut rand::rng(), bytes);
}

/// The shim's program; that it is there is better found out now than at the first container.
fn shim(config: &Config) -> Result<PathBuf, DaemonError> {
    let path = match &config.container.shim {
        Some(path) => path.clone(),
        None => {
            let ourselves =
                std::env::current_exe().map_err(DaemonError::system("find our own executable"))?;
            ourselves.with_file_name("netd-shim")
        }
    };
    if path.is_file() { Ok(path) } else { Err(DaemonError::NoShim(path)) }
}

/// SIGHUP: what can be changed while the daemon runs is read again. A file that makes no sense changes nothing.
fn reload(flags: &Flags, current: &ArcSwap<Config>, log: &LogControl, notify: &Notify) {
    notify.reloading();
    match config::load(flags) {
        Ok(config) => {
            log.set(config.log_level);
            current.store(Arc::new(current.load().reloaded(&config)));
            tracing::info!("configuration reloaded");
        }
        Err(error) => tracing::error!(error = crate::error::chain(&error), "configuration not reloaded"),
    }
    notify.ready();
}

/// The signals that mean something to us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, DaemonError> {
        let listen = |kind| signal(kind).map_err(DaemonError::system("listen to signals"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal to stop; does `reload` for every SIGHUP until then.
    async fn stopped(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
