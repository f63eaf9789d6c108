//! What can go wrong below `main`, and the one map from it to what the user reads and the exit code.

use std::io;

use crate::client::HostError;
use crate::resolve::Invalid;
use crate::template::TemplateError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Nobody listens.
    #[error("{}", no_daemon(host, source))]
    NoDaemon { host: String, source: io::Error },
    /// The daemon refused.
    #[error("Error response from daemon: {message}")]
    Daemon { status: u16, message: String },
    /// The connection broke.
    #[error("error during connect: {0}")]
    Lost(String),
    /// The daemon answered with something that is not what was asked for.
    #[error("unable to understand the daemon's answer to {what}: {source}")]
    Answer { what: String, source: serde_json::Error },
    /// The daemon did not hand the connection over.
    #[error("unable to upgrade to tcp, received {status}")]
    NoUpgrade { status: u16 },
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Host(#[from] HostError),
    /// The template of an `inspect`.
    #[error("template parsing error: {0}")]
    Template(TemplateError),
    /// The template of a list.
    #[error("template parsing error: {0}")]
    ListTemplate(TemplateError),
    /// Reading or writing here.
    #[error("{what}: {}", crate::resolve::files::reason(source))]
    Io { what: String, source: io::Error },
    /// Whoever read our output has gone: no reason to say anything.
    #[error("broken pipe")]
    BrokenPipe,
    /// Several objects, several errors.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<CliError>),
    /// libnet could not do it; the reasons are in the text.
    #[error("{0}")]
    Library(String),
    /// A command that this process was to become.
    #[error("{text}")]
    Command { code: u8, text: String },
    /// All was said already; or the process in the container ended with this code.
    #[error("exit status {0}")]
    Exit(u8),
    /// A verb that makes or runs something in a container failed.
    #[error("{source}")]
    Making { verb: &'static str, source: Box<CliError> },
    /// A flag that Docker's CLI refuses while it still reads flags.
    #[error("{0}")]
    Flags(String),
}

fn no_daemon(host: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "permission denied while trying to connect to the Pontoon daemon at {host}: \
             be root or a member of the group that owns the socket"
        ),
        _ => format!(
            "Cannot connect to the Pontoon daemon at {host}. Is the daemon running?\n\
             Start it with: pontoon daemon start"
        ),
    }
}

/// What the user reads at the end, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) text: Option<String>,
    pub(crate) code: u8,
}

impl CliError {
    /// An error of libnet's, with all its reasons.
    pub(crate) fn library(error: impl std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(reason) = source {
            text = format!("{text}: {reason}");
            source = reason.source();
        }
        Self::Library(text)
    }

    /// The exit map.
    pub(crate) fn ending(&self) -> Ending {
        let (text, code) = match self {
            Self::BrokenPipe => (None, 0),
            Self::Exit(code) => (None, *code),
            Self::Flags(text) => (Some(text.clone()), 125),
            Self::Command { code, text } => (Some(text.clone()), *code),
            Self::Template(TemplateError::Syntax { .. }) => (Some(self.to_string()), 64),
            Self::Making { verb, source } => return making(verb, source),
            other => (Some(other.to_string()), 1),
        };
        Ending { text, code }
    }
}

/// `run` (and what `create` refuses itself): prefix, hint and codes as Docker has them. Codes 126 and 127 are read
/// from the daemon's text, as Docker's CLI does.
fn making(verb: &str, source: &CliError) -> Ending {
    match source {
        CliError::BrokenPipe | CliError::Exit(_) | CliError::Flags(_) => source.ending(),
        other => {
            let text = format!("pontoon: {other}\n\nRun 'pontoon {verb} --help' for more information");
            Ending { text: Some(text), code: start_code(&other.to_string()) }
        }
    }
}

/// The code for a process that could not be started.
pub(crate) fn start_code(text: &str) -> u8 {
    let trimmed = text.trim_end_matches(": unknown");
    let not_found =
        ["executable file not found", "no such file or directory", "system cannot find the file specified"];
    let not_allowed = ["permission denied", "is a directory"];
    let of_process = trimmed.contains("exec: ") || trimmed.contains("unable to start container process");
    if !of_process && !trimmed.contains("executable file not found") {
        125
    } else if not_found.iter().any(|words| trimmed.contains(words)) {
        127
    } else if not_allowed.iter().any(|words| trimmed.contains(words)) {
        126
    } else {
        125
    }
}

impl From<bollard::errors::Error> for CliError {
    fn from(error: bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code, message } => {
                Self::Daemon { status: status_code, message }
            }
            other => Self::Lost(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(message: &str) -> CliError {
        CliError::Daemon { status: 500, message: message.to_owned() }
    }

    #[test]
    fn codes_are_docker_s() {
        let start = "failed to create task for container: failed to create shim task: OCI runtime create failed: \
                     runc create failed: unable to start container process: exec: ";
        let run =
            |message: &str| CliError::Making { verb: "run", source: Box::new(daemon(message)) }.ending().code;
        assert_eq!(run(&format!("{start}\"x\": executable file not found in $PATH: unknown")), 127);
        assert_eq!(run(&format!("{start}\"/x\": stat /x: no such file or directory: unknown")), 127);
        assert_eq!(run(&format!("{start}\"/etc\": permission denied: unknown")), 126);
        assert_eq!(run("network x not found"), 125);
        assert_eq!(run("bind source path does not exist: no such file or directory"), 125);
        assert_eq!(
            daemon("x").ending(),
            Ending { text: Some("Error response from daemon: x".to_owned()), code: 1 }
        );
        assert_eq!(CliError::BrokenPipe.ending(), Ending { text: None, code: 0 });
    }

    #[test]
    fn who_finds_no_daemon_learns_how_to_start_one() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let text = CliError::NoDaemon { host: "unix:///x".to_owned(), source }.ending().text.unwrap();
        assert!(text.contains("unix:///x") && text.contains("pontoon daemon start"), "{text}");
    }
}
