//! What a container uses: from its cgroups where it is in them, else from its processes.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{Layout, Offer};
use crate::client::Stats;

/// Reads the figures of the container whose groups are at `path` below every hierarchy.
pub(crate) fn read(layout: &Layout, path: &str, pids: &[i32]) -> Stats {
    let mut stats = Stats::default();
    let group = |controller: &str| match layout.offer(controller) {
        Offer::V1(mount) => Some((mount.join(path), false)),
        Offer::V2(mount) => Some((mount.join(path), true)),
        Offer::None => None,
    };
    let present = |controller: &str| group(controller).filter(|(directory, _)| directory.is_dir());
    match present("memory") {
        Some((directory, v2)) => memory(&mut stats, &directory, v2),
        None => stats.memory_usage = pids.iter().map(|pid| resident(*pid)).sum(),
    }
    // every v2 group counts time, even where v1 has the controller
    let born = layout.v2.as_ref().map(|(mount, _)| (mount.join(path), true));
    let counts = |group: &(PathBuf, bool)| group.0.join("cpu.stat").is_file();
    match present("cpuacct").or_else(|| born.filter(counts)) {
        Some((directory, v2)) => cpu(&mut stats, &directory, v2),
        None => cpu_of_processes(&mut stats, pids),
    }
    if let Some((directory, false)) = present("cpu") {
        throttling(&mut stats, &directory);
    }
    match present("pids") {
        Some((directory, _)) => {
            stats.pids = number(&directory, "pids.current");
            stats.pids_limit = number(&directory, "pids.max");
        }
        None => stats.pids = pids.iter().map(|pid| threads(*pid)).sum(),
    }
    stats
}

fn number(directory: &Path, file: &str) -> u64 {
    fs::read_to_string(directory.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn field(directory: &Path, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok()).unwrap_or(0)
}

fn memory(stats: &mut Stats, directory: &Path, v2: bool) {
    let [usage, max, limit, inactive] = if v2 {
        ["memory.current", "memory.peak", "memory.max", "inactive_file"]
    } else {
        ["memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"]
    };
    stats.memory_usage = number(directory, usage);
    stats.memory_max_usage = number(directory, max);
    stats.memory_inactive_file = field(directory, "memory.stat", inactive);
    // v1 says "no limit" with a number near 2^63
    stats.memory_limit = Some(number(directory, limit)).filter(|limit| *limit < 1 << 62).unwrap_or(0);
}

fn cpu(stats: &mut Stats, directory: &Path, v2: bool) {
    if v2 {
        let micros = |name| field(directory, "cpu.stat", name) * 1000;
        stats.cpu_total_ns = micros("usage_usec");
        stats.cpu_user_ns = micros("user_usec");
        stats.cpu_system_ns = micros("system_usec");
        stats.throttled_periods = field(directory, "cpu.stat", "nr_throttled");
        stats.throttled_ns = micros("throttled_usec");
        return;
    }
    stats.cpu_total_ns = number(directory, "cpuacct.usage");
    stats.cpu_user_ns = number(directory, "cpuacct.usage_user");
    stats.cpu_system_ns = number(directory, "cpuacct.usage_sys");
}

fn throttling(stats: &mut Stats, directory: &Path) {
    stats.throttled_periods = field(directory, "cpu.stat", "nr_throttled");
    stats.throttled_ns = field(directory, "cpu.stat", "throttled_time");
}

fn process_file(pid: i32, name: &str) -> String {
    fs::read_to_string(PathBuf::from("/proc").join(pid.to_string()).join(name)).unwrap_or_default()
}

fn resident(pid: i32) -> u64 {
    process_file(pid, "status")
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn threads(pid: i32) -> u64 {
    process_file(pid, "status")
        .lines()
        .find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok())
        .unwrap_or(0)
}

/// Clock ticks of the processes and of their children that have been waited for.
fn cpu_of_processes(stats: &mut Stats, pids: &[i32]) {
    /// `USER_HZ`: fixed at 100 in the kernel's interface.
    const NANOS_PER_TICK: u64 = 10_000_000;
    for pid in pids {
        let text = process_file(*pid, "stat");
        let Some((_, rest)) = text.rsplit_once(") ") else { continue };
        // rest begins with field 3; utime is 14, stime 15, cutime 16, cstime 17
        let ticks: Vec<u64> =
            rest.split(' ').skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
        if let [user, system, children_user, children_system] = ticks[..] {
            stats.cpu_user_ns += (user + children_user) * NANOS_PER_TICK;
            stats.cpu_system_ns += (system + children_system) * NANOS_PER_TICK;
        }
    }
    stats.cpu_total_ns = stats.cpu_user_ns + stats.cpu_system_ns;
}
