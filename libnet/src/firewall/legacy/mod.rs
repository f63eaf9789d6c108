//! Tables of the old iptables (`iptables-legacy`), which nf_tables knows nothing of: the same rules of ours in chain
//! FORWARD of table `filter`, where it drops. A table is replaced as a whole there, as `iptables-legacy` itself does it,
//! under the lock that all its kind take; and the kernel tells nobody of changes. What tells of them is that lock
//! (`sys::xtables`).

mod entry;
mod look;
mod table;

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::ruleset::foreign::{self, Amendment};
use crate::{
    netns::NetNs,
    sys::{
        nfnl::attr::Malformed,
        xtables::{Counters, LOCK, Xtables},
    },
    types::{Family, IfName},
};
pub(super) use look::{Look, look};
use table::{Admission, Table};

const TABLE: &str = "filter";
/// How often a table is read anew because it became another while it was read.
const TRIES: usize = 16;

/// What can go wrong with the tables of a family.
#[derive(Debug, thiserror::Error)]
#[error("{}: {action}", program(*family))]
pub struct LegacyError {
    family: Family,
    action: &'static str,
    #[source]
    source: io::Error,
}

/// Sees to it that packets of these bridges, which are asked for if anybody has such tables, are let through by FORWARD of
/// the old iptables, if that drops; the chains that were changed for it, in words.
pub(super) fn admit(
    netns: &NetNs,
    links: impl Fn() -> Vec<IfName> + Sync,
) -> Result<Vec<String>, LegacyError> {
    let both = || -> Result<Vec<String>, LegacyError> {
        let mut changed = Vec::new();
        for family in [Family::V4, Family::V6] {
            if is_used(family) && amend(family, &foreign::admissions(&links()))? {
                changed.push(format!("{} FORWARD", program(family)));
            }
        }
        Ok(changed)
    };
    netns.run(both).map_err(failed(Family::V4, "enter the namespace"))?
}

/// Whether somebody has used the table in the calling thread's namespace. To ask the kernel for a table makes it.
fn is_used(family: Family) -> bool {
    let names = match family {
        Family::V4 => "/proc/thread-self/net/ip_tables_names",
        Family::V6 => "/proc/thread-self/net/ip6_tables_names",
    };
    // A kernel without the old iptables has no such file.
    fs::read_to_string(names).is_ok_and(|names| names.lines().any(|name| name == TABLE))
}

fn amend(family: Family, wanted: &[Admission]) -> Result<bool, LegacyError> {
    let kernel = Xtables::open(family).map_err(failed(family, "open a socket"))?;
    if plan(&read(&kernel, family)?, wanted).is_empty() {
        return Ok(false);
    }
    let _lock = match lock() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            tracing::debug!(program = program(family), "rules are being changed: looked at when that ends");
            return Ok(false);
        }
        lock => lock.map_err(failed(family, "take the lock"))?,
    };
    // What was read before the lock was ours may be another's by now.
    let table = read(&kernel, family)?;
    let amendments = plan(&table, wanted);
    if amendments.is_empty() {
        return Ok(false);
    }
    replace(&kernel, &table, &amendments, wanted).map_err(failed(family, "change the rules"))?;
    Ok(true)
}

fn plan(table: &Table, wanted: &[Admission]) -> Vec<Amendment> {
    foreign::amend(table.drops(), &table.rules(wanted), wanted.len())
}

fn read(kernel: &Xtables, family: Family) -> Result<Table, LegacyError> {
    let mut tries = 0..TRIES;
    let (layout, bytes) = loop {
        match kernel.read(TABLE) {
            Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) && tries.next().is_some() => {}
            read => break read.map_err(failed(family, "read the rules"))?,
        }
    };
    Table::parse(family, layout, &bytes).map_err(malformed).map_err(failed(family, "read the rules"))
}

/// Replaces the table; what the rules that stay have counted goes on.
fn replace(
    kernel: &Xtables,
    table: &Table,
    amendments: &[Amendment],
    wanted: &[Admission],
) -> io::Result<()> {
    let amended = table.amended(amendments, wanted).map_err(malformed)?;
    let former = u32::try_from(table.len()).map_err(io::Error::other)?;
    let counted = kernel.replace(TABLE, &amended.layout, &amended.bytes, former)?;
    let of =
        |origin: &Option<usize>| origin.and_then(|origin| counted.get(origin).copied()).unwrap_or_default();
    let counters: Vec<Counters> = amended.origins.iter().map(of).collect();
    kernel.add_counters(TABLE, &counters)
}

/// The lock of all programs that change these tables, or `WouldBlock` if one of them has it: it tells when it is done.
fn lock() -> io::Result<Flock<fs::File>> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(LOCK)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

fn malformed(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn failed(family: Family, action: &'static str) -> impl FnOnce(io::Error) -> LegacyError {
    move |source| LegacyError { family, action, source }
}

const fn program(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables-legacy",
        Family::V6 => "ip6tables-legacy",
    }
}
