//! Limits as the files that hold them. Pure.

use super::layout::{Layout, Offer};
use crate::launch::DeviceRule;
use crate::spec::Resources;

/// One value to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The controller that it belongs to.
    pub(crate) controller: &'static str,
    /// Mount point of the hierarchy.
    pub(crate) mount: std::path::PathBuf,
    /// The hierarchy is v2.
    pub(crate) v2: bool,
    pub(crate) file: &'static str,
    pub(crate) value: String,
}

/// What one limit is called and how it is written in each version.
struct Wanted {
    what: &'static str,
    controller: &'static str,
    v1: Vec<(&'static str, String)>,
    v2: Vec<(&'static str, String)>,
}

/// The settings that `resources` and `devices` ask for; an error names the limit that this machine can't keep.
pub(crate) fn settings(
    layout: &Layout,
    resources: &Resources,
    devices: Option<&[DeviceRule]>,
) -> Result<Vec<Setting>, String> {
    let mut all = Vec::new();
    let wanted = [memory(resources), cpu(resources), cpuset(resources), pids(resources)];
    for wanted in wanted.into_iter().flatten() {
        let (mount, v2, files) = match layout.offer(wanted.controller) {
            Offer::V1(mount) => (mount, false, wanted.v1),
            Offer::V2(mount) => (mount, true, wanted.v2),
            Offer::None => {
                return Err(format!(
                    "cannot limit {}: this machine has no {} cgroup controller",
                    wanted.what, wanted.controller
                ));
            }
        };
        all.extend(files.into_iter().map(|(file, value)| Setting {
            controller: wanted.controller,
            mount: mount.clone(),
            v2,
            file,
            value,
        }));
    }
    // v2 has no controller for devices, but a program: see `devices`
    if let (Some(rules), Offer::V1(mount)) = (devices, layout.offer("devices")) {
        all.extend(rules.iter().map(|rule| Setting {
            controller: "devices",
            mount: mount.clone(),
            v2: false,
            file: if rule.allow { "devices.allow" } else { "devices.deny" },
            value: rule.text.clone(),
        }));
    }
    Ok(all)
}

fn max_or(value: i64) -> String {
    if value <= 0 { "max".to_owned() } else { value.to_string() }
}

fn memory(resources: &Resources) -> Option<Wanted> {
    let limit = resources.memory.filter(|limit| *limit != 0);
    let swap = resources.memory_swap.filter(|swap| *swap != 0);
    let mut v1 = Vec::new();
    let mut v2 = Vec::new();
    if let Some(limit) = limit {
        v1.push(("memory.limit_in_bytes", limit.to_string()));
        v2.push(("memory.max", max_or(limit)));
    }
    if let Some(reservation) = resources.memory_reservation.filter(|value| *value != 0) {
        v1.push(("memory.soft_limit_in_bytes", reservation.to_string()));
        v2.push(("memory.low", max_or(reservation)));
    }
    if let Some(swap) = swap {
        v1.push(("memory.memsw.limit_in_bytes", swap.to_string()));
        let only = if swap < 0 { "max".to_owned() } else { (swap - limit.unwrap_or(0)).max(0).to_string() };
        v2.push(("memory.swap.max", only));
    }
    (!v1.is_empty()).then_some(Wanted { what: "memory", controller: "memory", v1, v2 })
}

fn cpu(resources: &Resources) -> Option<Wanted> {
    let mut v1 = Vec::new();
    let mut v2 = Vec::new();
    if let Some(shares) = resources.cpu_shares.filter(|shares| *shares != 0) {
        let shares = shares.clamp(2, 262_144);
        v1.push(("cpu.shares", shares.to_string()));
        // 2..262144 onto 1..10000, as every runtime does it
        v2.push(("cpu.weight", (1 + (shares - 2) * 9999 / 262_142).to_string()));
    }
    let period = resources.cpu_period.filter(|period| *period != 0);
    let quota = resources.cpu_quota.filter(|quota| *quota != 0);
    if let Some(period) = period {
        v1.push(("cpu.cfs_period_us", period.to_string()));
    }
    if let Some(quota) = quota {
        v1.push(("cpu.cfs_quota_us", quota.to_string()));
    }
    if period.is_some() || quota.is_some() {
        v2.push(("cpu.max", format!("{} {}", max_or(quota.unwrap_or(0)), period.unwrap_or(100_000))));
    }
    (!v1.is_empty()).then_some(Wanted { what: "CPU time", controller: "cpu", v1, v2 })
}

fn cpuset(resources: &Resources) -> Option<Wanted> {
    let pairs = [("cpuset.cpus", &resources.cpuset_cpus), ("cpuset.mems", &resources.cpuset_mems)];
    let files: Vec<_> = pairs
        .into_iter()
        .filter_map(|(file, value)| {
            value.as_ref().filter(|text| !text.is_empty()).map(|text| (file, text.clone()))
        })
        .collect();
    (!files.is_empty()).then(|| Wanted {
        what: "the set of CPUs",
        controller: "cpuset",
        v1: files.clone(),
        v2: files,
    })
}

fn pids(resources: &Resources) -> Option<Wanted> {
    let limit = resources.pids.filter(|limit| *limit > 0)?;
    let files = vec![("pids.max", limit.to_string())];
    Some(Wanted { what: "processes", controller: "pids", v1: files.clone(), v2: files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified() -> Layout {
        let names = ["cpu", "cpuset", "memory", "pids"].iter().map(ToString::to_string).collect();
        Layout { v2: Some(("/cg".into(), names)), v1: Vec::new() }
    }

    fn split(names: &[&str]) -> Layout {
        let hierarchy = |name: &&str| (format!("/cg/{name}").into(), [(*name).to_owned()].into());
        Layout { v2: None, v1: names.iter().map(hierarchy).collect() }
    }

    fn lines(settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|s| format!("{}/{}={}", s.mount.display(), s.file, s.value)).collect()
    }

    #[test]
    fn limits_become_files_of_each_version() {
        let resources = Resources {
            memory: Some(64 << 20),
            memory_swap: Some(96 << 20),
            cpu_shares: Some(1024),
            cpu_quota: Some(50_000),
            pids: Some(10),
            ..Resources::default()
        };
        let v2 = settings(&unified(), &resources, None).unwrap();
        assert_eq!(
            lines(&v2),
            [
                "/cg/memory.max=67108864",
                "/cg/memory.swap.max=33554432",
                "/cg/cpu.weight=39",
                "/cg/cpu.max=50000 100000",
                "/cg/pids.max=10"
            ]
        );
        let v1 = settings(&split(&["memory", "cpu", "pids"]), &resources, None).unwrap();
        assert_eq!(
            lines(&v1),
            [
                "/cg/memory/memory.limit_in_bytes=67108864",
                "/cg/memory/memory.memsw.limit_in_bytes=100663296",
                "/cg/cpu/cpu.shares=1024",
                "/cg/cpu/cpu.cfs_quota_us=50000",
                "/cg/pids/pids.max=10",
            ]
        );
    }

    #[test]
    fn a_missing_controller_matters_only_where_a_limit_was_asked_for() {
        let none = split(&[]);
        assert_eq!(settings(&none, &Resources::default(), None), Ok(Vec::new()));
        assert_eq!(
            settings(&none, &Resources { pids: Some(-1), ..Resources::default() }, None),
            Ok(Vec::new())
        );
        let limited = Resources { pids: Some(5), ..Resources::default() };
        assert_eq!(
            settings(&none, &limited, None),
            Err("cannot limit processes: this machine has no pids cgroup controller".to_owned())
        );
    }
}
