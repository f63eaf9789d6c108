//! Where the daemon's own messages go: standard error, with a level that can be changed while it runs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    Registry, filter::LevelFilter, fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::config::LogLevel;

/// Changes how much is logged.
#[derive(Clone, Debug)]
pub(super) struct LogControl(reload::Handle<LevelFilter, Registry>);

impl LogControl {
    /// Starts to log. In a process that logs already, the control controls nothing.
    pub(super) fn start(level: LogLevel) -> Self {
        let (filter, handle) = reload::Layer::new(filter(level));
        // A line that can't be written is lost: telling so on the same standard error would be a panic.
        let lines = fmt::layer()
            .with_writer(io::stderr)
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Self(handle)
    }

    /// Logs this much from now on.
    pub(super) fn set(&self, level: LogLevel) {
        let _ = self.0.reload(filter(level));
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}
