//! Resource limits by the kernel's number: the plan comes from a bundle, which may name any of them.

use std::io;

use nix::libc;

use crate::launch::RlimitPlan;

/// Sets soft and hard limit.
pub(crate) fn set_rlimit(limit: &RlimitPlan) -> io::Result<()> {
    apply(limit.resource, libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard })
}

/// Sets as much of the limit as the hard limit in force allows.
pub(crate) fn lower_to_hard_limit(limit: &RlimitPlan) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `now` is a valid rlimit that the kernel fills in.
    if unsafe { libc::getrlimit(limit.resource, &raw mut now) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let hard = limit.hard.min(now.rlim_max);
    apply(limit.resource, libc::rlimit { rlim_cur: limit.soft.min(hard), rlim_max: hard })
}

fn apply(resource: u32, value: libc::rlimit) -> io::Result<()> {
    // SAFETY: `value` is a valid rlimit that the kernel reads.
    if unsafe { libc::setrlimit(resource, &raw const value) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
