//! What a container says for as long as somebody listens: attach and stats. Logs are in [`super::logs`].

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::stream;
use libnet::types::ContainerId;
use netd_api::{models, time::rfc3339};
use netd_runtime::{Attach, Shim, Stats};

use super::{
    AttachAsk, AttachStream, ContainerError, Containers, Framing, LogsAsk, StatsAsk, StatsStream,
    ask::Io,
    policy::{Ask, Phase},
    record::Record,
    registry::Container,
    start::network_owner,
};
use crate::network::Networks;

/// Between two samples; the docker CLI shows what changed from one to the next.
const SECOND: Duration = Duration::from_secs(1);

/// USER_HZ of Linux: what /proc/stat counts in.
const NANOS_PER_TICK: u64 = 10_000_000;

impl Containers {
    /// Attaches to its process, or to the one that it will have when it is started.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn attach(&self, reference: &str, ask: AttachAsk) -> Result<AttachStream, ContainerError> {
        let container = self.find(reference)?;
        container.admit(Ask::Attach)?;
        let record = container.record();
        let framing = framing(&record);
        let past = if ask.logs {
            let logs = LogsAsk { stdout: ask.stdout, stderr: ask.stderr, ..LogsAsk::default() };
            Some(self.logs(reference, logs).await?)
        } else {
            None
        };
        if !ask.stream {
            return Ok(AttachStream { framing, past, io: Io::None, ended: None });
        }
        let open = record.config.open_stdin == Some(true);
        let streams = Attach { stdin: ask.stdin && open, stdout: ask.stdout, stderr: ask.stderr };
        let io = match container.shim() {
            Some(shim) => Io::Open(shim.attach(streams).await?),
            None => Io::Later(container.attach_later(streams)),
        };
        Ok(AttachStream { framing, past, io, ended: None })
    }

    /// What it uses.
    ///
    /// # Errors
    /// [`ContainerError::NotFound`] and [`ContainerError::Ambiguous`].
    pub async fn stats(&self, reference: &str, ask: StatsAsk) -> Result<StatsStream, ContainerError> {
        let container = self.find(reference)?;
        let clock = self.parts.clock.clone();
        let owner = network_owner(&self.registry, &container.record());
        let begin = Sampler { container, clock, networks: self.parts.networks.clone(), owner, last: None };
        match ask {
            StatsAsk::OneShot => {
                let (sample, _) = begin.sample().await;
                Ok(Box::pin(stream::iter([sample])))
            }
            StatsAsk::Single => {
                let (first, sampler) = begin.sample().await;
                if first.cpu_stats.is_some() && sampler.running() {
                    tokio::time::sleep(SECOND).await;
                }
                let (sample, _) = sampler.sample().await;
                Ok(Box::pin(stream::iter([sample])))
            }
            StatsAsk::Stream => Ok(Box::pin(stream::unfold(Some(begin), |sampler| async {
                let sampler = sampler?;
                if sampler.last.is_some() {
                    tokio::time::sleep(SECOND).await;
                }
                if sampler.container.view.borrow().removed {
                    return None;
                }
                let (sample, sampler) = sampler.sample().await;
                Some((sample, Some(sampler)))
            }))),
        }
    }
}

/// How the output of a container is framed.
pub(super) fn framing(record: &Record) -> Framing {
    if record.tty() { Framing::Raw } else { Framing::Frames }
}

/// Takes samples, each of which carries the one before it.
struct Sampler {
    container: Arc<Container>,
    clock: crate::engine::Clock,
    networks: Arc<Networks>,
    /// Whose network it is in.
    owner: ContainerId,
    last: Option<(Option<models::ContainerCpuStats>, String)>,
}

impl Sampler {
    fn running(&self) -> bool {
        self.container.phase().has_process()
    }

    async fn sample(self) -> (models::ContainerStatsResponse, Self) {
        let record = self.container.record();
        let shim = self.container.shim().filter(|_| record.state.phase != Phase::Restarting);
        let read = rfc3339((self.clock)());
        let mut sample = models::ContainerStatsResponse {
            id: Some(record.id.to_string()),
            name: Some(format!("/{}", record.name)),
            num_procs: Some(0),
            ..Default::default()
        };
        if let Some(shim) = &shim
            && let Ok(stats) = shim.stats().await
        {
            fill(&mut sample, &stats);
            sample.networks = self.interfaces(shim);
        }
        sample.read = Some(read.clone());
        let (before, preread) = self.last.clone().unwrap_or((None, netd_api::time::NEVER.to_owned()));
        sample.precpu_stats = Some(before.unwrap_or_default());
        sample.preread = Some(preread);
        let last = Some((sample.cpu_stats.clone(), read));
        // The docker CLI reads these without looking whether they are there.
        sample.cpu_stats.get_or_insert_default();
        sample.memory_stats.get_or_insert_default();
        (sample, Self { last, ..self })
    }

    /// Its endpoints, by their interfaces; whatever else is in the namespace is nobody's traffic in a network.
    fn interfaces(&self, shim: &Shim) -> Option<HashMap<String, models::ContainerNetworkStats>> {
        let endpoints = self.networks.endpoints(self.owner);
        let names: Vec<String> =
            endpoints.iter().filter_map(|it| Some(it.ifname.as_ref()?.to_string())).collect();
        let devices = std::fs::read_to_string(format!("/proc/{}/net/dev", shim.pid())).unwrap_or_default();
        let own = devices.lines().filter_map(device).filter(|(name, _)| names.contains(name));
        Some(own.collect()).filter(|own: &HashMap<_, _>| !own.is_empty())
    }
}

fn fill(sample: &mut models::ContainerStatsResponse, stats: &Stats) {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limit = if stats.memory_limit == 0 { machine_memory() } else { stats.memory_limit };
    sample.cpu_stats = Some(models::ContainerCpuStats {
        cpu_usage: Some(models::ContainerCpuUsage {
            total_usage: Some(stats.cpu_total_ns),
            usage_in_kernelmode: Some(stats.cpu_system_ns),
            usage_in_usermode: Some(stats.cpu_user_ns),
            percpu_usage: None,
        }),
        system_cpu_usage: Some(machine_time()),
        online_cpus: u32::try_from(processors).ok(),
        throttling_data: Some(models::ContainerThrottlingData {
            periods: Some(0),
            throttled_periods: Some(stats.throttled_periods),
            throttled_time: Some(stats.throttled_ns),
        }),
    });
    sample.memory_stats = Some(models::ContainerMemoryStats {
        usage: Some(stats.memory_usage),
        max_usage: Some(stats.memory_max_usage),
        limit: Some(limit),
        stats: Some(HashMap::from([
            ("inactive_file".to_owned(), stats.memory_inactive_file),
            ("total_inactive_file".to_owned(), stats.memory_inactive_file),
        ])),
        ..Default::default()
    });
    sample.pids_stats = Some(models::ContainerPidsStats {
        current: Some(stats.pids),
        limit: (stats.pids_limit > 0).then_some(stats.pids_limit),
    });
    let bytes = |op: &str, value| models::ContainerBlkioStatEntry {
        major: Some(0),
        minor: Some(0),
        op: Some(op.to_owned()),
        value: Some(value),
    };
    sample.blkio_stats = Some(models::ContainerBlkioStats {
        io_service_bytes_recursive: Some(vec![
            bytes("read", stats.blkio_read),
            bytes("write", stats.blkio_write),
        ]),
        ..Default::default()
    });
}

/// A line of /proc/PID/net/dev, which shows the network namespace of that process.
fn device(line: &str) -> Option<(String, models::ContainerNetworkStats)> {
    let (name, figures) = line.split_once(':')?;
    let name = name.trim();
    let figures: Vec<u64> = figures.split_whitespace().map_while(|figure| figure.parse().ok()).collect();
    let [
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        _,
        _,
        _,
        _,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        ..,
    ] = figures[..]
    else {
        return None;
    };
    let stats = models::ContainerNetworkStats {
        rx_bytes: Some(rx_bytes),
        rx_packets: Some(rx_packets),
        rx_errors: Some(rx_errors),
        rx_dropped: Some(rx_dropped),
        tx_bytes: Some(tx_bytes),
        tx_packets: Some(tx_packets),
        tx_errors: Some(tx_errors),
        tx_dropped: Some(tx_dropped),
        ..Default::default()
    };
    Some((name.to_owned(), stats))
}

/// CPU time of all processors since the machine's start, in nanoseconds.
fn machine_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal: what Docker adds up, too.
    let ticks = line.split_whitespace().skip(1).take(8).filter_map(|figure| figure.parse::<u64>().ok());
    ticks.sum::<u64>() * NANOS_PER_TICK
}

fn machine_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_counted() {
        let line = "  eth0: 1234 10 1 2 0 0 0 0 5678 20 3 4 0 0 0 0";
        let (name, stats) = device(line).unwrap();
        assert_eq!(name, "eth0");
        assert_eq!((stats.rx_bytes, stats.tx_bytes, stats.tx_dropped), (Some(1234), Some(5678), Some(4)));
        assert!(device("Inter-|   Receive").is_none() && device(" face |bytes: x").is_none());
    }
}
