//! The last steps of a process in a container: limits, credentials, capabilities, filter, and the exec itself. The same
//! for the first process and for one that `exec` adds.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use base64::Engine as _;
use nix::errno::Errno;
use nix::unistd::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::sync::{FromInit, InitSide, ToInit};
use super::user::{self, Identity};
use super::{Outcome, reaper};
use crate::error::{Fault, LaunchError};
use crate::launch::{CapabilityMasks, ProcessPlan};
use crate::reason::{reason, words};
use crate::sys;

/// Search path of a process whose environment names none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reports ready, waits for the word, and becomes the command.
pub(super) fn become_command(plan: &ProcessPlan, sync: &InitSide) -> Outcome<Infallible> {
    let identity = user::resolve(plan)?;
    let directory = if plan.cwd.is_empty() { "/" } else { &plan.cwd };
    make_directory(directory)?;
    set_limits(plan)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if !plan.no_new_privileges {
        load_filters(plan)?;
    }
    take_identity(&identity, &plan.capabilities)?;
    // as the user: whoever can't enter the directory must not start in it
    rustix::process::chdir(directory).map_err(|errno| {
        LaunchError::other(
            format_args!("chdir to cwd ({directory:?}) set in config.json failed"),
            reason(&errno.into()),
        )
    })?;
    let environment = environment(plan, &identity);
    let command = find_command(&plan.args, &environment)?;
    if plan.no_new_privileges {
        rustix::thread::set_no_new_privs(true)
            .map_err(|errno| LaunchError::other("cannot set no_new_privs", reason(&errno.into())))?;
        load_filters(plan)?;
    }
    sync.tell(&FromInit::Ready)
        .map_err(|error| LaunchError::other("cannot tell the shim", reason(&error)))?;
    sync.wait_for(&ToInit::Start)?;
    if plan.reaper {
        reaper::split()?;
    }
    // nobody could wait for a process whose shim is gone
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    execute(&command, &plan.args, &environment)
}

fn make_directory(directory: &str) -> Outcome<()> {
    if Path::new(directory).exists() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(|error| {
        LaunchError::other(format_args!("mkdir {directory} for the working directory"), reason(&error))
    })
}

fn set_limits(plan: &ProcessPlan) -> Outcome<()> {
    for limit in &plan.rlimits {
        match sys::set_rlimit(limit) {
            // without CAP_SYS_RESOURCE nobody may raise a hard limit: take what there is
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let _ = sys::lower_to_hard_limit(limit);
            }
            other => other.map_err(|error| {
                LaunchError::other(
                    format_args!("error setting rlimit type {}", limit.resource),
                    reason(&error),
                )
            })?,
        }
    }
    let Some(score) = plan.oom_score_adj else { return Ok(()) };
    match fs::write("/proc/self/oom_score_adj", score.to_string()) {
        // lowering the score takes CAP_SYS_RESOURCE, which this machine's root may lack
        Err(error) if error.kind() == ErrorKind::PermissionDenied && score < 0 => Ok(()),
        other => other.map_err(|error| LaunchError::other("write oom_score_adj", reason(&error))),
    }
}

fn load_filters(plan: &ProcessPlan) -> Outcome<()> {
    for filter in &plan.filters {
        let program = base64::engine::general_purpose::STANDARD
            .decode(filter)
            .map_err(|error| LaunchError::other("cannot read the seccomp filter", error))?;
        sys::install_filter(&program)
            .map_err(|error| LaunchError::other("cannot load the seccomp filter", reason(&error)))?;
    }
    Ok(())
}

fn take_identity(identity: &Identity, masks: &CapabilityMasks) -> Outcome<()> {
    let failed =
        |what: &'static str| move |errno: rustix::io::Errno| LaunchError::other(what, reason(&errno.into()));
    for number in 0..64_u64 {
        let bit = 1 << number;
        if masks.bounding & bit == 0 {
            match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(bit)) {
                Err(rustix::io::Errno::INVAL) => break,
                other => other.map_err(failed("cannot drop a capability"))?,
            }
        }
    }
    let failed_id = |what: &'static str| move |errno: Errno| LaunchError::other(what, words(errno));
    rustix::thread::set_keep_capabilities(true).map_err(failed("cannot keep capabilities"))?;
    let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
    nix::unistd::setgroups(&groups).map_err(failed_id("setgroups"))?;
    let gid = Gid::from_raw(identity.gid);
    nix::unistd::setresgid(gid, gid, gid).map_err(failed_id("setgid"))?;
    let uid = Uid::from_raw(identity.uid);
    nix::unistd::setresuid(uid, uid, uid).map_err(failed_id("setuid"))?;
    rustix::thread::set_keep_capabilities(false).map_err(failed("cannot keep capabilities"))?;
    // changing the user clears the flag
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    set_capabilities(identity, masks)
}

fn set_capabilities(identity: &Identity, masks: &CapabilityMasks) -> Outcome<()> {
    let failed =
        |errno: rustix::io::Errno| LaunchError::other("cannot set capabilities", reason(&errno.into()));
    // what this machine's root does not have it can't give
    let held = rustix::thread::capabilities(None).map_err(failed)?.permitted.bits();
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(masks.effective & held),
        permitted: CapabilitySet::from_bits_retain(masks.permitted & held),
        inheritable: CapabilitySet::from_bits_retain(masks.inheritable),
    };
    rustix::thread::set_capabilities(None, sets).map_err(failed)?;
    let _ = rustix::thread::clear_ambient_capability_set();
    if identity.uid != 0 || masks.ambient != 0 {
        for number in (0..64_u64).filter(|number| masks.ambient & (1 << number) != 0) {
            rustix::thread::configure_capability_in_ambient_set(
                CapabilitySet::from_bits_retain(1 << number),
                true,
            )
            .map_err(failed)?;
        }
    }
    Ok(())
}

fn environment(plan: &ProcessPlan, identity: &Identity) -> Vec<String> {
    let mut environment = plan.env.clone();
    if !environment.iter().any(|pair| pair.starts_with("HOME=")) {
        environment.push(format!("HOME={}", identity.home));
    }
    environment
}

fn not_found(name: &str, why: &str) -> LaunchError {
    unable(Fault::NotFound, name, why)
}

fn unable(fault: Fault, name: &str, why: &str) -> LaunchError {
    LaunchError { fault, text: format!("unable to start container process: exec: {name:?}: {why}") }
}

/// The file that `args[0]` means, as a shell would find it.
fn find_command(args: &[String], environment: &[String]) -> Outcome<String> {
    let name = args.first().map_or("", String::as_str);
    if name.contains('/') {
        return check_executable(name).map(|()| name.to_owned()).map_err(|error| match error.kind() {
            ErrorKind::NotFound => not_found(name, &format!("stat {name}: no such file or directory")),
            ErrorKind::IsADirectory => {
                unable(Fault::NotExecutable, name, "is a directory: permission denied")
            }
            _ => unable(Fault::NotExecutable, name, &reason(&error)),
        });
    }
    let path = environment.iter().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let mut denied = false;
    for directory in path.split(':') {
        let candidate = format!("{}/{name}", if directory.is_empty() { "." } else { directory });
        match check_executable(&candidate) {
            Ok(()) if !name.is_empty() => return Ok(candidate),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied = true,
            _ => {}
        }
    }
    Err(if denied {
        unable(Fault::NotExecutable, name, "permission denied")
    } else {
        not_found(name, "executable file not found in $PATH")
    })
}

fn check_executable(path: &str) -> std::io::Result<()> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if found.permissions().mode() & 0o111 == 0 {
        return Err(std::io::Error::from_raw_os_error(Errno::EACCES as i32));
    }
    Ok(rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?)
}

fn execute(command: &str, args: &[String], environment: &[String]) -> Outcome<Infallible> {
    let text = |text: &String| CString::new(text.as_str());
    let strings = || -> Result<_, std::ffi::NulError> {
        let args = args.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let environment = environment.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        Ok((CString::new(command)?, args, environment))
    };
    let (command_text, args_text, environment_text) =
        strings().map_err(|error| LaunchError::other("the command can't be executed", error))?;
    let Err(errno) = nix::unistd::execve(&command_text, &args_text, &environment_text);
    let name = args.first().map_or("", String::as_str);
    Err(match errno {
        Errno::ENOENT => not_found(name, "no such file or directory"),
        Errno::EACCES => unable(Fault::NotExecutable, name, "permission denied"),
        errno => unable(Fault::Other, name, &words(errno)),
    })
}
