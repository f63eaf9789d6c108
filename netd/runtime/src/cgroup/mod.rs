//! Where processes are counted and limited: cgroups v2, v1, and both side by side.
//!
//! Writing a process id into a v1 `cgroup.procs` costs 8 to 13 ms when no one has done so for a while (the kernel waits
//! for a grace period), being born in a v2 group costs nothing. So a container is born in its v2 group wherever a v2
//! tree is mounted, and joins only those v1 hierarchies that a limit needs.

mod devices;
mod group;
mod layout;
mod limits;
mod stats;

pub(crate) use group::Cgroup;
pub(crate) use layout::Layout;
pub(crate) use stats::read as read_stats;
