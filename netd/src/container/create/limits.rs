//! Resources, ulimits, restart policy, logs: numbers, and whether they make sense.

use netd_api::{models, size};
use netd_runtime::{Resources, Rlimit};

use crate::container::{ContainerError, error::invalid, restart::RestartPolicy};

/// The smallest memory limit that Docker takes.
const LEAST_MEMORY: i64 = 6 * 1024 * 1024;

/// Period of the CPU quota that `--cpus` is turned into, in microseconds.
const CPU_PERIOD: i64 = 100_000;

/// How much is logged, and how it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) enum Logging {
    /// Not at all.
    None,
    /// In files of JSON lines.
    JsonFile { max_size: Option<u64>, max_files: u32 },
}

/// Reads the limits of a request.
pub(in crate::container) fn resources(host: &models::HostConfig) -> Result<Resources, ContainerError> {
    let positive = |number: Option<i64>| number.filter(|number| *number > 0);
    let memory = positive(host.memory);
    let swap = host.memory_swap.filter(|swap| *swap != 0);
    check_memory(host, memory, swap)?;
    let (quota, period) = cpu(host)?;
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    for (set, what) in [(&host.cpuset_cpus, "CPUs"), (&host.cpuset_mems, "memory nodes")] {
        if let Some(set) = text(set).filter(|set| !is_cpuset(set)) {
            return invalid(format!("Invalid value {set} for cpuset {what}"));
        }
    }
    Ok(Resources {
        memory,
        memory_reservation: positive(host.memory_reservation),
        // Docker: as much swap again as memory, unless something is said.
        memory_swap: swap.or(memory.map(|memory| memory.saturating_mul(2))),
        cpu_shares: positive(host.cpu_shares).and_then(|shares| u64::try_from(shares).ok()),
        cpu_quota: quota,
        cpu_period: period.and_then(|period| u64::try_from(period).ok()),
        cpuset_cpus: text(&host.cpuset_cpus),
        cpuset_mems: text(&host.cpuset_mems),
        pids: host.pids_limit.filter(|limit| *limit != 0),
        device_rules: host.device_cgroup_rules.clone().unwrap_or_default(),
    })
}

fn check_memory(
    host: &models::HostConfig,
    memory: Option<i64>,
    swap: Option<i64>,
) -> Result<(), ContainerError> {
    if memory.is_some_and(|memory| memory < LEAST_MEMORY) {
        return invalid("Minimum memory limit allowed is 6MB");
    }
    if swap.is_some_and(|swap| swap > 0) && memory.is_none() {
        return invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if let (Some(memory), Some(swap)) = (memory, swap.filter(|swap| *swap > 0))
        && swap < memory
    {
        return invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if let (Some(memory), Some(reserved)) = (memory, host.memory_reservation)
        && memory < reserved
    {
        return invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
    }
    Ok(())
}

/// `--cpus`, or quota and period.
fn cpu(host: &models::HostConfig) -> Result<(Option<i64>, Option<i64>), ContainerError> {
    let said = |number: Option<i64>| number.filter(|number| *number != 0);
    let (nanos, quota, period) = (said(host.nano_cpus), said(host.cpu_quota), said(host.cpu_period));
    match nanos {
        Some(_) if period.is_some() => {
            return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
        }
        Some(_) if quota.is_some() => {
            return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
        }
        Some(nanos) if nanos < 10_000_000 => {
            return invalid("Range of CPUs is from 0.01, as that is the least the kernel can account for");
        }
        Some(nanos) => return Ok((Some(nanos / 1000 * CPU_PERIOD / 1_000_000), Some(CPU_PERIOD))),
        None => {}
    }
    if period.is_some_and(|period| !(1000..=1_000_000).contains(&period)) {
        return invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if quota.is_some_and(|quota| quota > 0 && quota < 1000) {
        return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    Ok((quota, period))
}

/// `0-2,7`.
fn is_cpuset(set: &str) -> bool {
    set.split(',').all(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((first.parse::<u32>(), last.parse::<u32>()), (Ok(first), Ok(last)) if first <= last)
    })
}

/// `--ulimit`.
pub(in crate::container) fn rlimits(host: &models::HostConfig) -> Result<Vec<Rlimit>, ContainerError> {
    let number = |number: Option<i64>| match number {
        Some(-1) => u64::MAX,
        number => u64::try_from(number.unwrap_or(0)).unwrap_or(u64::MAX),
    };
    let limits = host.ulimits.iter().flatten().map(|limit| {
        let name = limit.name.clone().unwrap_or_default();
        let (soft, hard) = (number(limit.soft), number(limit.hard));
        if soft > hard {
            return invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
            ));
        }
        Ok(Rlimit { name, soft, hard })
    });
    limits.collect()
}

/// `--restart`.
pub(in crate::container) fn restart(
    policy: Option<&models::RestartPolicy>,
    auto_remove: bool,
) -> Result<RestartPolicy, ContainerError> {
    use models::RestartPolicyNameEnum as Name;
    let Some(policy) = policy else { return Ok(RestartPolicy::No) };
    let count = policy.maximum_retry_count.unwrap_or(0);
    let read = match policy.name {
        None | Some(Name::EMPTY | Name::NO) => RestartPolicy::No,
        Some(Name::ALWAYS) => RestartPolicy::Always,
        Some(Name::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
        Some(Name::ON_FAILURE) => match u32::try_from(count) {
            Ok(count) => RestartPolicy::OnFailure { most: (count > 0).then_some(count) },
            Err(_) => return invalid("invalid restart policy: maximum retry count cannot be negative"),
        },
    };
    if count != 0 && !matches!(read, RestartPolicy::OnFailure { .. }) {
        return invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    }
    if auto_remove && read != RestartPolicy::No {
        return invalid("can't create 'AutoRemove' container with restart policy");
    }
    Ok(read)
}

/// `--log-driver` and `--log-opt`. What is logged elsewhere in Docker is refused here, not dropped.
pub(in crate::container) fn logging(
    config: Option<&models::HostConfigLogConfig>,
    defaults: &std::collections::BTreeMap<String, String>,
) -> Result<Logging, ContainerError> {
    let kind = config.and_then(|config| config.typ.as_deref()).unwrap_or_default();
    let own = config.and_then(|config| config.config.as_ref());
    match kind {
        "none" => return Ok(Logging::None),
        "" | "json-file" | "local" => {}
        other => {
            return Err(ContainerError::NotImplemented(format!(
                "log driver \"{other}\" is not supported by this daemon: use json-file or none"
            )));
        }
    }
    let mut options = defaults.clone();
    options.extend(own.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    let (mut max_size, mut max_files) = (None, 1);
    for (key, value) in &options {
        match key.as_str() {
            "max-size" if value == "-1" => max_size = None,
            "max-size" => match size::parse(value) {
                Ok(size) if size > 0 => max_size = Some(size),
                _ => return invalid(format!("invalid value for max-size: \"{value}\"")),
            },
            "max-file" => match value.parse() {
                Ok(files) if files > 0 => max_files = files,
                _ => return invalid(format!("invalid value for max-file: \"{value}\"")),
            },
            // What they change is how lines are labelled and when they are written.
            "labels" | "labels-regex" | "env" | "env-regex" | "tag" | "compress" | "mode"
            | "max-buffer-size" => {}
            _ => return invalid(format!("unknown log opt '{key}' for json-file log driver")),
        }
    }
    if max_files > 1 && max_size.is_none() {
        return invalid("max-file cannot be used without max-size");
    }
    Ok(Logging::JsonFile { max_size, max_files })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(host: serde_json::Value) -> models::HostConfig {
        serde_json::from_value(host).unwrap()
    }

    #[test]
    fn limits_are_read() {
        let limits = resources(&host(json!({
            "Memory": 64 << 20, "NanoCpus": 1_500_000_000, "PidsLimit": 100, "CpuShares": 512,
            "CpusetCpus": "0-1,3",
        })))
        .unwrap();
        assert_eq!((limits.memory, limits.memory_swap), (Some(64 << 20), Some(128 << 20)));
        assert_eq!((limits.cpu_quota, limits.cpu_period), (Some(150_000), Some(100_000)));
        assert_eq!((limits.pids, limits.cpu_shares), (Some(100), Some(512)));
        assert_eq!(resources(&host(json!({"MemorySwappiness": -1}))).unwrap(), Resources::default());
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        for (wrong, text) in [
            (json!({"Memory": 1024}), "Minimum memory limit allowed is 6MB"),
            (json!({"MemorySwap": 1 << 30}), "You should always set the Memory limit"),
            (json!({"Memory": 64 << 20, "MemorySwap": 32 << 20}), "should be larger than memory limit"),
            (json!({"Memory": 64 << 20, "MemoryReservation": 128 << 20}), "memory reservation"),
            (json!({"NanoCpus": 1_000_000_000, "CpuQuota": 5000}), "Nano CPUs and CPU Quota"),
            (json!({"CpuPeriod": 10}), "CPU cfs period"),
            (json!({"CpusetCpus": "2-1"}), "cpuset"),
        ] {
            let error = resources(&host(wrong.clone())).expect_err(&wrong.to_string()).to_string();
            assert!(error.contains(text), "{error}");
        }
        let limit = host(json!({"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 5}]}));
        assert!(rlimits(&limit).unwrap_err().to_string().contains("soft limit must be less"));
    }

    #[test]
    fn policies_are_read() {
        let read = |policy, auto_remove| {
            restart(host(json!({"RestartPolicy": policy})).restart_policy.as_ref(), auto_remove)
        };
        let on_failure = |most| RestartPolicy::OnFailure { most };
        assert_eq!(read(json!({"Name": "no"}), true).unwrap(), RestartPolicy::No);
        assert_eq!(read(json!({"Name": ""}), false).unwrap(), RestartPolicy::No);
        let three = json!({"Name": "on-failure", "MaximumRetryCount": 3});
        assert_eq!(read(three, false).unwrap(), on_failure(Some(3)));
        assert_eq!(read(json!({"Name": "on-failure"}), false).unwrap(), on_failure(None));
        assert!(read(json!({"Name": "always"}), true).is_err());
        assert!(read(json!({"Name": "always", "MaximumRetryCount": 3}), false).is_err());
    }

    #[test]
    fn logs_are_files_or_nothing() {
        let read = |config| logging(host(json!({"LogConfig": config})).log_config.as_ref(), &[].into());
        assert_eq!(read(json!({})).unwrap(), Logging::JsonFile { max_size: None, max_files: 1 });
        assert_eq!(read(json!({"Type": "none"})).unwrap(), Logging::None);
        let sized = json!({"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}});
        assert_eq!(read(sized).unwrap(), Logging::JsonFile { max_size: Some(10 << 20), max_files: 3 });
        for wrong in [
            json!({"Type": "syslog"}),
            json!({"Config": {"max-file": "3"}}),
            json!({"Config": {"max-size": "lots"}}),
            json!({"Config": {"colour": "red"}}),
        ] {
            assert!(read(wrong).is_err());
        }
    }
}
