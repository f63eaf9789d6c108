//! Runs a program in a namespace in place of this one, as `ip netns exec` does.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::PathBuf,
};

use super::NetNs;
use crate::sys::netns as sys;

/// Where files for single namespaces are: `ip netns` mounts those in `/etc/netns/NAME` over their like in `/etc`.
pub const ETC: &str = "/etc/netns";

/// What is to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program, looked for on the PATH.
    pub name: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// A folder whose files are mounted over those of the same name in `/etc`, if there is one.
    pub etc: Option<PathBuf>,
}

/// The program can't be run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The namespace, or its mounts.
    #[error("{doing}")]
    Prepare {
        /// What was done.
        doing: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The program itself.
    #[error("exec {program:?}: {}", text(.reason))]
    Exec {
        /// Its name.
        program: OsString,
        /// Why, which the text says already.
        reason: io::Error,
    },
}

impl ExecError {
    pub(crate) fn prepare(doing: impl Into<String>) -> impl FnOnce(nix::errno::Errno) -> Self {
        move |errno| Self::Prepare { doing: doing.into(), source: errno.into() }
    }

    pub(crate) fn exec(program: &OsStr, reason: io::Error) -> Self {
        Self::Exec { program: program.to_owned(), reason }
    }
}

/// A shell's words for the two usual reasons.
fn text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "executable file not found in $PATH".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

impl NetNs {
    /// Becomes `program` inside this namespace: the process keeps its number, its terminal and its descriptors 0 to 2. It
    /// sees the links of the namespace in `/sys/class/net`, and its own files in `/etc`.
    ///
    /// # Errors
    /// Always: it returns only if the program could not be started. This process is as it was then.
    pub fn exec(&self, program: &Program) -> ExecError {
        sys::exec_in(self, program)
    }
}
