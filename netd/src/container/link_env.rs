//! The variables that a link puts into a container's environment, as Docker named them before there were names: `DB_PORT`,
//! `DB_PORT_5432_TCP_ADDR`, `DB_ENV_…`. Pure.

use std::net::Ipv4Addr;

use libnet::types::{Port, Proto};

/// What one link says.
pub(super) struct Link<'a> {
    pub(super) alias: &'a str,
    /// `/owner/alias`.
    pub(super) path: &'a str,
    /// Where the other container is.
    pub(super) ip: Ipv4Addr,
    /// What it offers.
    pub(super) ports: Vec<(Port, Proto)>,
    /// Its own environment, as it was asked for.
    pub(super) env: &'a [String],
}

impl Link<'_> {
    pub(super) fn variables(mut self) -> Vec<String> {
        // Of two protocols of one port TCP comes first, which the order of the type says.
        self.ports.sort_unstable_by_key(|(port, proto)| (port.get(), *proto != Proto::Tcp, *proto));
        let prefix = self.alias.to_uppercase().replace('-', "_");
        let first = self.ports.first().map(|at| format!("{prefix}_PORT={}", self.url(*at)));
        let ranges = self.ranges().into_iter().flat_map(|(from, to)| self.range(&prefix, from, to));
        let ports = self.ports.iter().flat_map(|at| self.port(&prefix, *at));
        let name = format!("{prefix}_NAME={}", self.path);
        let own = self.env.iter().filter_map(|pair| pair.split_once('='));
        let own = own.filter(|(key, _)| !matches!(*key, "HOME" | "PATH"));
        let own = own.map(|(key, value)| format!("{prefix}_ENV_{key}={value}"));
        first.into_iter().chain(ranges).chain(ports).chain([name]).chain(own).collect()
    }

    fn url(&self, (port, proto): (Port, Proto)) -> String {
        format!("{proto}://{}:{port}", self.ip)
    }

    /// Ports that follow each other, by their ends.
    fn ranges(&self) -> Vec<((Port, Proto), (Port, Proto))> {
        let follows = |a: &(Port, Proto), b: &(Port, Proto)| b.0.get() <= a.0.get() + 1;
        let runs = self.ports.chunk_by(follows).filter(|run| run.len() > 2);
        runs.filter_map(|run| Some((*run.first()?, *run.last()?))).collect()
    }

    fn range(&self, prefix: &str, from: (Port, Proto), to: (Port, Proto)) -> Vec<String> {
        let of = |proto: Proto| format!("{prefix}_PORT_{}_{}", from.0, proto.to_string().to_uppercase());
        let (start, end) = (of(from.1), of(to.1));
        vec![
            format!("{start}_START={}", self.url(from)),
            format!("{start}_ADDR={}", self.ip),
            format!("{start}_PROTO={}", from.1),
            format!("{start}_PORT_START={}", from.0),
            format!("{end}_END={}", self.url(to)),
            format!("{end}_PORT_END={}", to.0),
        ]
    }

    fn port(&self, prefix: &str, at: (Port, Proto)) -> [String; 4] {
        let key = format!("{prefix}_PORT_{}_{}", at.0, at.1.to_string().to_uppercase());
        [
            format!("{key}={}", self.url(at)),
            format!("{key}_ADDR={}", self.ip),
            format!("{key}_PORT={}", at.0),
            format!("{key}_PROTO={}", at.1),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ports: &[(u16, Proto)], env: &[&str]) -> Vec<String> {
        let env: Vec<_> = env.iter().map(|&pair| pair.to_owned()).collect();
        let ports = ports.iter().map(|(port, proto)| (Port::new(*port).unwrap(), *proto)).collect();
        let (ip, path) = ([172, 17, 0, 5].into(), "/web/my-db");
        Link { alias: "my-db", path, ip, ports, env: &env }.variables()
    }

    #[test]
    fn a_link_without_ports_has_a_name() {
        let env = ["PATH=/bin", "HOME=/root", "PASSWORD=a=b", "NOTHING"];
        assert_eq!(of(&[], &env), ["MY_DB_NAME=/web/my-db", "MY_DB_ENV_PASSWORD=a=b"]);
    }

    #[test]
    fn each_port_has_its_parts_and_the_lowest_stands_for_all() {
        let all = of(&[(6379, Proto::Udp), (5432, Proto::Tcp)], &[]);
        let expected = [
            "MY_DB_PORT=tcp://172.17.0.5:5432",
            "MY_DB_PORT_5432_TCP=tcp://172.17.0.5:5432",
            "MY_DB_PORT_5432_TCP_ADDR=172.17.0.5",
            "MY_DB_PORT_5432_TCP_PORT=5432",
            "MY_DB_PORT_5432_TCP_PROTO=tcp",
            "MY_DB_PORT_6379_UDP=udp://172.17.0.5:6379",
            "MY_DB_PORT_6379_UDP_ADDR=172.17.0.5",
            "MY_DB_PORT_6379_UDP_PORT=6379",
            "MY_DB_PORT_6379_UDP_PROTO=udp",
            "MY_DB_NAME=/web/my-db",
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn ports_in_a_row_are_told_by_their_ends_too() {
        let all = of(&[(80, Proto::Tcp), (81, Proto::Tcp), (82, Proto::Tcp), (90, Proto::Tcp)], &[]);
        let ends = ["MY_DB_PORT_80_TCP_PORT_START=80", "MY_DB_PORT_80_TCP_END=tcp://172.17.0.5:82"];
        assert!(ends.iter().all(|end| all.contains(&(*end).to_owned())), "{all:?}");
        assert_eq!(all.len(), 1 + 6 + 4 * 4 + 1);
    }
}
