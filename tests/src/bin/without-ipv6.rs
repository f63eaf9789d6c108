//! `without-ipv6 PROGRAM [ARGUMENTS]` runs a program as on a host without IPv6: in it and in all that it starts,
//! `socket(AF_INET6, …)` fails with `EAFNOSUPPORT`.

use std::{collections::BTreeMap, env, error::Error, os::unix::process::CommandExt as _, process::Command};

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let program = words.next().ok_or("usage: without-ipv6 PROGRAM [ARGUMENTS]")?;
    apply_filter(&refusing_v6()?)?;
    Err(Command::new(program).args(words).exec().into())
}

fn refusing_v6() -> Result<BpfProgram, Box<dyn Error>> {
    let family = u64::try_from(libc::AF_INET6)?;
    let is_v6 = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family)?;
    let rules = BTreeMap::from([(libc::SYS_socket, vec![SeccompRule::new(vec![is_v6])?])]);
    let refuse = SeccompAction::Errno(libc::EAFNOSUPPORT.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}
