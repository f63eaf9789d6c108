//! What the daemon counts, in the text format of Prometheus (version 0.0.4). Pure: the numbers come in.

use std::fmt::Write as _;

use dns::Latency;

use crate::{names::Totals, relay::Carried};

/// What is measured at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) dns: Totals,
    /// Containers that are running, paused, stopped.
    pub(crate) containers: (usize, usize, usize),
    pub(crate) networks: usize,
    /// How often something of ours that others changed was put right.
    pub(crate) repairs: u64,
    pub(crate) relayed: Carried,
}

/// The page.
pub(crate) fn page(measured: &Measured) -> String {
    let mut page = Page(String::new());
    let (running, paused, stopped) = measured.containers;
    page.family(
        "engine_daemon_container_states_containers",
        "gauge",
        "The count of containers in various states",
    );
    for (state, count) in [("paused", paused), ("running", running), ("stopped", stopped)] {
        page.sample("engine_daemon_container_states_containers", &[("state", state)], count);
    }
    page.one("pontoon_networks", "gauge", "Networks of this host", measured.networks);
    page.one(
        "pontoon_repairs_total",
        "counter",
        "Things of ours on this host that others changed and that were put right",
        measured.repairs,
    );
    relay(&mut page, &measured.relayed);
    dns(&mut page, &measured.dns);
    page.0
}

fn relay(page: &mut Page, carried: &Carried) {
    let help = "Flows to published ports that NAT can't lead";
    page.one("pontoon_relayed_flows", "gauge", help, carried.open);
    page.family("pontoon_relayed_flows_total", "counter", help);
    for (proto, count) in [("tcp", carried.streams), ("udp", carried.datagrams)] {
        page.sample("pontoon_relayed_flows_total", &[("proto", proto)], count);
    }
}

fn dns(page: &mut Page, totals: &Totals) {
    let counts = &totals.counts;
    page.one("pontoon_dns_servers", "gauge", "Containers whose names are served", totals.servers);
    page.family("pontoon_dns_queries_total", "counter", "Questions of containers");
    for (transport, count) in [("tcp", counts.tcp_queries), ("udp", counts.udp_queries)] {
        page.sample("pontoon_dns_queries_total", &[("transport", transport)], count);
    }
    page.family("pontoon_dns_answers_total", "counter", "What became of questions");
    for (outcome, count) in [
        ("answered", counts.answered),
        ("cached", counts.cached),
        ("denied", counts.denied),
        ("empty", counts.empty),
        ("failed", counts.failed),
        ("forwarded", counts.forwarded),
        ("ignored", counts.ignored),
        ("refused", counts.refused),
        ("stale", counts.stale),
    ] {
        page.sample("pontoon_dns_answers_total", &[("outcome", outcome)], count);
    }
    for (name, help, count) in [
        ("joined", "Forwarded questions that were under way already for another", counts.joined),
        ("overloaded", "Questions refused since too many were under way", counts.overloaded),
        ("truncated", "Replies cut to the client's size", counts.truncated),
        ("unsent", "Replies that the socket did not take", counts.unsent),
        ("upstream_failures", "Times that an upstream did not answer well in time", counts.upstream_failures),
    ] {
        page.one(&format!("pontoon_dns_{name}_total"), "counter", help, count);
    }
    page.one("pontoon_dns_cache_entries", "gauge", "Replies in the cache", totals.cache.entries);
    page.one("pontoon_dns_cache_bytes", "gauge", "Memory that the cache takes", totals.cache.bytes);
    histogram(
        page,
        "pontoon_dns_upstream_seconds",
        "How long upstreams took for what they answered",
        &counts.upstream_latency,
    );
}

fn histogram(page: &mut Page, name: &str, help: &str, latency: &Latency) {
    page.family(name, "histogram", help);
    let mut below = 0;
    let bounds = Latency::BOUNDS.map(|bound| bound.as_secs_f64().to_string());
    for (bound, count) in bounds.iter().map(String::as_str).chain(["+Inf"]).zip(latency.buckets) {
        below += count;
        page.sample(&format!("{name}_bucket"), &[("le", bound)], below);
    }
    page.sample(&format!("{name}_sum"), &[], latency.sum.as_secs_f64());
    page.sample(&format!("{name}_count"), &[], latency.count());
}

struct Page(String);

impl Page {
    /// The lines before the samples of one name.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String can't fail; nor can it below.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_page_as_prometheus_reads_it() {
        let mut measured = Measured { containers: (2, 0, 1), networks: 4, ..Measured::default() };
        let counts = &mut measured.dns.counts;
        (counts.udp_queries, counts.cached, counts.denied) = (7, 3, 1);
        counts.upstream_latency.buckets[0] = 2;
        counts.upstream_latency.buckets[2] = 1;
        counts.upstream_latency.sum = Duration::from_millis(6);
        let page = page(&measured);
        for line in [
            "engine_daemon_container_states_containers{state=\"running\"} 2",
            "# TYPE pontoon_networks gauge",
            "pontoon_dns_queries_total{transport=\"udp\"} 7",
            "pontoon_dns_answers_total{outcome=\"cached\"} 3",
            "pontoon_dns_answers_total{outcome=\"denied\"} 1",
            "pontoon_dns_upstream_seconds_bucket{le=\"0.001\"} 2",
            "pontoon_dns_upstream_seconds_bucket{le=\"0.005\"} 3",
            "pontoon_dns_upstream_seconds_bucket{le=\"+Inf\"} 3",
            "pontoon_dns_upstream_seconds_sum 0.006",
            "pontoon_dns_upstream_seconds_count 3",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        // Every sample has its family before it, once.
        let families: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut distinct = families.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(families.len(), distinct.len());
    }
}
