//! Which hierarchies the machine has mounted, and where.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The mounted hierarchies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// Mount point and controllers of the v2 tree.
    pub(crate) v2: Option<(PathBuf, BTreeSet<String>)>,
    /// Mount point and controllers of each v1 hierarchy.
    pub(crate) v1: Vec<(PathBuf, BTreeSet<String>)>,
}

/// Which version offers a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer<'a> {
    V1(&'a PathBuf),
    V2(&'a PathBuf),
    None,
}

/// Controls nothing; OCI runtimes make groups there all the same.
const SYSTEMD: &str = "name=systemd";

const V1_CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    SYSTEMD,
];

impl Layout {
    /// Reads the machine's layout.
    pub(crate) fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::from_mountinfo(&mounts, |mount| {
            fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default()
        })
    }

    fn from_mountinfo(text: &str, controllers: impl Fn(&PathBuf) -> String) -> Self {
        let mut layout = Self::default();
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let (Some(target), Some(fstype)) = (left.split(' ').nth(4), right.split(' ').next()) else {
                continue;
            };
            let target = PathBuf::from(target);
            match fstype {
                "cgroup2" if layout.v2.is_none() => {
                    let names = controllers(&target).split_whitespace().map(str::to_owned).collect();
                    layout.v2 = Some((target, names));
                }
                "cgroup" => layout.add_v1(target, right.rsplit(' ').next().unwrap_or_default()),
                _ => {}
            }
        }
        layout
    }

    fn add_v1(&mut self, target: PathBuf, options: &str) {
        let names: BTreeSet<String> =
            options.split(',').filter(|name| V1_CONTROLLERS.contains(name)).map(str::to_owned).collect();
        let known = self.v1.iter().any(|(_, others)| *others == names);
        if !names.is_empty() && !known {
            self.v1.push((target, names));
        }
    }

    /// Who offers `controller`; v1 takes it away from v2 where both are mounted.
    pub(crate) fn offer(&self, controller: &str) -> Offer<'_> {
        if let Some((mount, _)) = self.v1.iter().find(|(_, names)| names.contains(controller)) {
            return Offer::V1(mount);
        }
        match &self.v2 {
            Some((mount, names)) if names.contains(controller) => Offer::V2(mount),
            _ => Offer::None,
        }
    }

    /// The whole machine is on v2.
    pub(crate) fn is_unified(&self) -> bool {
        self.v2.is_some() && self.v1.iter().all(|(_, names)| names.contains(SYSTEMD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 1 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn a_hybrid_machine_offers_v1_first() {
        let layout = Layout::from_mountinfo(HYBRID, |_| "hugetlb pids\n".to_owned());
        assert_eq!(layout.offer("pids"), Offer::V1(&"/sys/fs/cgroup/pids".into()));
        assert_eq!(layout.offer("hugetlb"), Offer::V2(&"/sys/fs/cgroup/unified".into()));
        assert_eq!(layout.offer("memory"), Offer::None);
        assert!(!layout.is_unified());
    }

    #[test]
    fn a_unified_machine_offers_v2() {
        let text = "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let layout = Layout::from_mountinfo(text, |_| "cpu memory pids".to_owned());
        assert_eq!(layout.offer("memory"), Offer::V2(&"/sys/fs/cgroup".into()));
        assert!(layout.is_unified());
    }
}
