//! Handing the bundle to an OCI runtime binary (`runc`, `crun`, `youki`). The root file system is mounted in a mount
//! namespace that the shim enters for the time of `create` only: the runtime copies it into the container's, and on the
//! host nothing is ever seen. The container's process becomes a child of the shim, which is a subreaper.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::CloneFlags;
use nix::unistd::Pid;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{Value, json};

use super::container::Born;
use super::internal;
use super::session::{ChildEnds, Session};
use crate::error::{Fault, LaunchError};
use crate::fdpass;
use crate::init;
use crate::launch::{EnginePlan, Launch};
use crate::reason::{reason, words};

/// Where runtimes are looked for when only a name was given.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The runtime binary with its own directory below the shim's.
struct Binary<'a> {
    launch: &'a Launch,
    program: &'a Path,
    dir: PathBuf,
}

impl<'a> Binary<'a> {
    fn of(launch: &'a Launch) -> Option<Self> {
        match &launch.engine {
            EnginePlan::Oci { runtime, .. } => {
                Some(Self { launch, program: runtime, dir: launch.dir.join("runtime") })
            }
            EnginePlan::Builtin(_) => None,
        }
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(self.program);
        command.env("PATH", SEARCH_PATH).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.arg("--root").arg(self.dir.join("root")).arg("--log").arg(self.log()).arg(verb);
        command
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Runs a command to its end; an error carries what the runtime has logged.
    fn run(&self, mut command: Command) -> Result<(), LaunchError> {
        let name = self.program.display();
        let status = command
            .status()
            .map_err(|error| LaunchError::other(format_args!("OCI runtime {name}"), reason(&error)))?;
        if status.success() {
            return Ok(());
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let text = last_message(&log).unwrap_or_else(|| format!("it ended with {status}"));
        Err(LaunchError { fault: fault(&text), text: format!("OCI runtime {name} failed: {text}") })
    }

    fn verb(&self, verb: &str, options: &[&str]) -> Result<(), LaunchError> {
        let mut command = self.command(verb);
        command.args(options).arg(&self.launch.id);
        self.run(command)
    }
}

/// The message of the last line that a runtime has logged, in logfmt (`msg="..."`) or plain.
fn last_message(log: &str) -> Option<String> {
    let line = log.lines().rfind(|line| !line.trim().is_empty())?;
    let Some((_, quoted)) = line.split_once("msg=\"") else { return Some(line.trim().to_owned()) };
    let quoted = quoted.strip_suffix('"').unwrap_or(quoted);
    Some(quoted.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn fault(text: &str) -> Fault {
    if text.contains("executable file not found") || text.contains("stat ") && text.contains("no such file") {
        Fault::NotFound
    } else if text.contains("exec") && text.contains("permission denied") {
        Fault::NotExecutable
    } else {
        Fault::Other
    }
}

/// Creates the container.
pub(super) fn create(
    launch: &Launch,
    ends: Option<ChildEnds>,
    session: &mut Session,
) -> Result<Born, LaunchError> {
    let Some(binary) = Binary::of(launch) else {
        return Err(LaunchError::other("OCI runtime", "none is named"));
    };
    fs::create_dir_all(&binary.dir).map_err(|error| internal("cannot make a directory", error))?;
    let made = in_own_mounts(|| {
        init::mount_root(&launch.root, &launch.dir)?;
        write_config(launch)?;
        run_create(&binary, ends, session)
    });
    made.inspect_err(|_| drop(binary.verb("delete", &["--force"])))
}

/// Runs `job` in a copy of the mount namespace that is dropped afterwards.
fn in_own_mounts<T>(job: impl FnOnce() -> Result<T, LaunchError>) -> Result<T, LaunchError> {
    let back =
        File::open("/proc/self/ns/mnt").map_err(|error| internal("cannot open /proc/self/ns/mnt", error))?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| LaunchError::other("cannot make a mount namespace", words(errno)))?;
    let outcome = init::detach_from_host().and_then(|()| job());
    nix::sched::setns(back, CloneFlags::CLONE_NEWNS)
        .map_err(|errno| LaunchError::other("cannot return to the mount namespace", words(errno)))?;
    outcome
}

/// Writes `config.json`, with the user as numbers.
fn write_config(launch: &Launch) -> Result<(), LaunchError> {
    let EnginePlan::Oci { config, user, extra_groups, .. } = &launch.engine else { return Ok(()) };
    let root = init::mount_point(&launch.dir);
    let identity = init::resolve_in(&root, user, extra_groups)?;
    let mut config: Value = (**config).clone();
    config["root"]["path"] = root.display().to_string().into();
    config["process"]["user"] =
        json!({"uid": identity.uid, "gid": identity.gid, "additionalGids": identity.groups, "umask": 0o022});
    let text =
        serde_json::to_vec(&config).map_err(|error| LaunchError::other("cannot write config.json", error))?;
    fs::write(launch.dir.join("config.json"), text)
        .map_err(|error| internal("cannot write config.json", error))
}

fn run_create(
    binary: &Binary<'_>,
    ends: Option<ChildEnds>,
    session: &mut Session,
) -> Result<Born, LaunchError> {
    let pid_file = binary.dir.join("pid");
    let mut command = binary.command("create");
    command.arg("--bundle").arg(&binary.launch.dir).arg("--pid-file").arg(&pid_file);
    let console = match ends {
        Some([stdin, stdout, stderr]) => {
            command.stdin(stdin).stdout(stdout).stderr(stderr);
            None
        }
        None => {
            let (listener, path) = console_socket(&binary.dir)?;
            command.arg("--console-socket").arg(path);
            Some(listener)
        }
    };
    command.arg(&binary.launch.id);
    binary.run(command)?;
    if let Some(listener) = console {
        let master =
            receive_console(&listener.0).map_err(|error| internal("cannot take the terminal", error))?;
        session.use_terminal(master).map_err(|error| internal("cannot use the terminal", error))?;
    }
    let text = fs::read_to_string(&pid_file)
        .map_err(|error| internal("cannot read the runtime's pid file", error))?;
    let pid: i32 = text
        .trim()
        .parse()
        .map_err(|error| LaunchError::other("cannot read the runtime's pid file", error))?;
    let wanted = rustix::process::Pid::from_raw(pid)
        .ok_or_else(|| LaunchError::other("OCI runtime", "gave no pid"))?;
    let pidfd = rustix::process::pidfd_open(wanted, rustix::process::PidfdFlags::empty())
        .map_err(|errno| internal("cannot open the first process", errno))?;
    Ok(Born { pid: Pid::from_raw(pid), pidfd, sync: None })
}

/// A listening socket, and the directory that its address needs open.
type Listener = (OwnedFd, OwnedFd);

fn console_socket(dir: &Path) -> Result<(Listener, OsString), LaunchError> {
    let failed = |errno: rustix::io::Errno| internal("cannot make the console socket", errno);
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, rustix::fs::Mode::empty()).map_err(failed)?;
    // through our own descriptor: the whole path may be longer than an address can be
    let path = format!("/proc/{}/fd/{}/console.sock", std::process::id(), dir.as_fd().as_raw_fd());
    let listener =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let listener = listener.map_err(failed)?;
    let address = SocketAddrUnix::new(path.as_str()).map_err(failed)?;
    rustix::net::bind(&listener, &address).map_err(failed)?;
    rustix::net::listen(&listener, 1).map_err(failed)?;
    Ok(((listener, dir), path.into()))
}

fn receive_console(listener: &OwnedFd) -> std::io::Result<OwnedFd> {
    let socket = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
    let mut fds = Vec::new();
    fdpass::receive(socket, &mut [0; 4096], &mut fds)?;
    fds.pop().ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

/// Lets the process become the command.
pub(super) fn start(launch: &Launch) -> Result<(), LaunchError> {
    Binary::of(launch).map_or(Ok(()), |binary| binary.verb("start", &[]))
}

/// Removes what the runtime keeps.
pub(super) fn delete(launch: &Launch) {
    if let Some(binary) = Binary::of(launch) {
        // one that is gone already is what was wanted
        let _ = binary.verb("delete", &["--force"]);
    }
}

/// Freezes or thaws.
pub(super) fn freeze(launch: &Launch, frozen: bool) -> Result<(), String> {
    let Some(binary) = Binary::of(launch) else { return Ok(()) };
    binary.verb(if frozen { "pause" } else { "resume" }, &[]).map_err(|error| error.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runtime_logged_is_told() {
        let runc = "time=\"2026-01-01T00:00:00Z\" level=error msg=\"runc create failed: exec: \\\"x\\\": executable file not found in $PATH\"\n";
        let text = last_message(runc).unwrap();
        assert_eq!(text, "runc create failed: exec: \"x\": executable file not found in $PATH");
        assert_eq!(fault(&text), Fault::NotFound);
        assert_eq!(
            last_message("cgroups in hybrid mode not supported\n\n").unwrap(),
            "cgroups in hybrid mode not supported"
        );
        assert_eq!(last_message("\n"), None);
    }
}
