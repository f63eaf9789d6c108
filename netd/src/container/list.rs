//! `docker ps`: which containers, in which words.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use netd_api::{Filters, models, time::in_words};

use super::{
    ContainerError, Containers, ListAsk,
    create::{self, Ports},
    inspect,
    policy::Phase,
    record::{Record, State},
    registry::Container,
};
use crate::network::EndpointView;

/// The filters that lists have.
const FILTERS: [&str; 16] = [
    "id",
    "name",
    "label",
    "status",
    "network",
    "publish",
    "expose",
    "ancestor",
    "before",
    "since",
    "exited",
    "health",
    "volume",
    "is-task",
    "isolation",
    "limit",
];

/// The filters that `prune` has.
const PRUNE_FILTERS: [&str; 3] = ["label", "label!", "until"];

const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/// A container with what filters look at.
struct Seen {
    container: Arc<Container>,
    record: Arc<Record>,
    endpoints: Vec<EndpointView>,
}

pub(super) async fn list(
    containers: &Containers,
    ask: ListAsk,
) -> Result<Vec<models::ContainerSummary>, ContainerError> {
    let filters = ask.filters.only(&FILTERS)?;
    let tests = Tests::read(containers, &filters)?;
    let all = ask.all || ask.limit > 0 || filters.contains("status") || filters.contains("exited");
    let mut found: Vec<Seen> = containers
        .registry
        .all()
        .into_iter()
        .map(|container| {
            let (record, endpoints) = (container.record(), containers.parts.networks.endpoints(container.id));
            Seen { container, record, endpoints }
        })
        .filter(|seen| all || seen.record.state.phase.is_running())
        .filter(|seen| tests.pass(seen, &filters))
        .collect();
    found.sort_by(|a, b| b.record.created.cmp(&a.record.created).then(a.record.id.cmp(&b.record.id)));
    if let Ok(limit) = usize::try_from(ask.limit)
        && limit > 0
    {
        found.truncate(limit);
    }
    let now = containers.parts.now();
    Ok(found.iter().map(|seen| summary(containers, seen, now)).collect())
}

/// Those that don't run and pass the filters of `prune`.
pub(super) fn prunable(
    containers: &Containers,
    filters: Filters,
) -> Result<Vec<Arc<Container>>, ContainerError> {
    let filters = filters.only(&PRUNE_FILTERS)?;
    let now = containers.parts.now();
    let until = filters.get("until").first().map(|text| netd_api::time::parse_timestamp(text, now));
    let until = until.transpose()?;
    let mut all = containers.registry.all();
    all.retain(|container| {
        let record = container.record();
        let stopped = matches!(record.state.phase, Phase::Created | Phase::Exited);
        stopped
            && until.is_none_or(|until| record.created < until)
            && filters.keeps_labels(|name| record.label(name))
    });
    Ok(all)
}

/// What the values of filters mean, read once.
struct Tests {
    before: Option<Timestamp>,
    since: Option<Timestamp>,
    exited: Vec<i32>,
    /// Full ids and names of the networks asked for.
    networks: Vec<String>,
}

impl Tests {
    fn read(containers: &Containers, filters: &Filters) -> Result<Self, ContainerError> {
        let created = |key: &str| {
            let found = filters.get(key).iter().map(|reference| containers.find(reference));
            found
                .map(|found| found.map(|container| container.record().created))
                .collect::<Result<Vec<_>, _>>()
        };
        let bad = |key: &str, value: &str| netd_api::FilterError::BadValue {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        for status in filters.get("status") {
            if !STATES.contains(&status.as_str()) {
                return Err(bad("status", status).into());
            }
        }
        let exited = filters.get("exited").iter();
        let exited =
            exited.map(|code| code.parse().map_err(|_| bad("exited", code))).collect::<Result<_, _>>()?;
        let mut networks = filters.get("network").to_vec();
        let found =
            filters.get("network").iter().filter_map(|name| containers.parts.networks.resolve(name).ok());
        networks.extend(found.flat_map(|network| [network.id.to_string(), network.name]));
        Ok(Self {
            before: created("before")?.into_iter().min(),
            since: created("since")?.into_iter().max(),
            exited,
            networks,
        })
    }

    fn pass(&self, seen: &Seen, filters: &Filters) -> bool {
        let record = &seen.record;
        let id = record.id.to_string();
        let name =
            filters.pattern("name", &record.name) || filters.pattern("name", &format!("/{}", record.name));
        name && filters.prefix("id", &id)
            && filters.labels("label", |name| record.label(name))
            && filters.any("status", |status| status == record.state.phase.as_str())
            && filters.any("health", |health| health == "none")
            && filters.any("is-task", |value| matches!(value, "false" | "0"))
            && filters.any("ancestor", |image| is_image(record, image))
            && self.before.is_none_or(|before| record.created < before)
            && self.since.is_none_or(|since| record.created > since)
            && self.exited(record)
            && self.networks(record)
            && filters.any("volume", |volume| uses_volume(record, volume))
            && ports(seen, filters)
    }

    fn exited(&self, record: &Record) -> bool {
        let ended = record.state.phase == Phase::Exited;
        self.exited.is_empty() || ended && self.exited.contains(&record.state.exit_code)
    }

    fn networks(&self, record: &Record) -> bool {
        self.networks.is_empty()
            || record.endpoints.iter().any(|endpoint| {
                let id = endpoint.network.map(|network| network.to_string());
                self.networks
                    .iter()
                    .any(|wanted| *wanted == endpoint.network_name || Some(wanted) == id.as_ref())
            })
    }
}

fn is_image(record: &Record, image: &str) -> bool {
    let tagged = |name: &str| if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
    tagged(record.image()) == tagged(image)
        || !record.image_id.is_empty()
            && (record.image_id == image || record.image_id.trim_start_matches("sha256:").starts_with(image))
}

fn uses_volume(record: &Record, volume: &str) -> bool {
    let named = |used: &super::record::VolumeUse| used.name == volume || used.target == volume;
    let bound = |bind: &String| bind.split(':').any(|part| part == volume);
    record.volumes.iter().any(named) || record.host.binds.iter().flatten().any(bound)
}

/// `publish` and `expose`: `80`, `80/udp`, `80-90`.
fn ports(seen: &Seen, filters: &Filters) -> bool {
    if !filters.contains("publish") && !filters.contains("expose") {
        return true;
    }
    let wanted = wanted_ports(&seen.record);
    let published = |number: u16, proto: &str| {
        let ports = seen.endpoints.iter().flat_map(|endpoint| &endpoint.ports);
        let mut ports = ports.filter(|port| port.proto.to_string() == proto);
        ports.any(|port| {
            port.host_port.is_some_and(|port| port.get() == number) || port.container.get() == number
        })
    };
    let exposed = |number: u16, proto: &str| {
        wanted.exposed.iter().any(|(port, kind)| port.get() == number && kind.to_string() == proto)
    };
    let any = |text: &str, test: &dyn Fn(u16, &str) -> bool| {
        let (range, proto) = text.split_once('/').unwrap_or((text, "tcp"));
        range
            .parse::<libnet::types::PortRange>()
            .is_ok_and(|range| range.iter().any(|port| test(port.get(), proto)))
    };
    filters.any("publish", |text| any(text, &published)) && filters.any("expose", |text| any(text, &exposed))
}

/// What was legal at creation is legal now.
pub(super) fn wanted_ports(record: &Record) -> Ports {
    create::ports(&record.config, &record.host).unwrap_or_default()
}

fn summary(containers: &Containers, seen: &Seen, now: Timestamp) -> models::ContainerSummary {
    let record = &seen.record;
    let state = match record.state.phase {
        Phase::Created => models::ContainerSummaryStateEnum::CREATED,
        Phase::Running | Phase::Stopping => models::ContainerSummaryStateEnum::RUNNING,
        Phase::Paused => models::ContainerSummaryStateEnum::PAUSED,
        Phase::Restarting => models::ContainerSummaryStateEnum::RESTARTING,
        Phase::Exited => models::ContainerSummaryStateEnum::EXITED,
        Phase::Removing => models::ContainerSummaryStateEnum::REMOVING,
    };
    models::ContainerSummary {
        id: Some(seen.container.id.to_string()),
        names: Some(vec![format!("/{}", record.name)]),
        image: Some(record.image().to_owned()),
        image_id: Some(record.image_id.clone()),
        command: Some(command(record)),
        created: Some(record.created.as_second()),
        ports: Some(port_summaries(record, &seen.endpoints)),
        labels: Some(record.config.labels.clone().unwrap_or_default()),
        state: Some(state),
        status: Some(status(&record.state, now)),
        host_config: Some(models::ContainerSummaryHostConfig {
            network_mode: Some(record.network_mode().to_owned()),
            annotations: record.host.annotations.clone(),
        }),
        network_settings: Some(models::ContainerSummaryNetworkSettings {
            networks: Some(inspect::networks(containers, record, &seen.endpoints)),
        }),
        mounts: Some(inspect::mounts(containers, record)),
        ..Default::default()
    }
}

/// The command line as `ps` shows it: arguments with blanks are quoted.
fn command(record: &Record) -> String {
    let quoted = record.command().into_iter().map(|arg| {
        if arg.contains(char::is_whitespace) || arg.is_empty() { format!("'{arg}'") } else { arg }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Published ports with what they are published on, the others alone.
fn port_summaries(record: &Record, endpoints: &[EndpointView]) -> Vec<models::PortSummary> {
    let kind = |proto| match proto {
        libnet::types::Proto::Tcp => models::PortSummaryTypeEnum::TCP,
        libnet::types::Proto::Udp => models::PortSummaryTypeEnum::UDP,
        libnet::types::Proto::Sctp => models::PortSummaryTypeEnum::SCTP,
    };
    let published: Vec<_> = endpoints.iter().flat_map(|endpoint| &endpoint.ports).collect();
    let mut all: Vec<_> = published
        .iter()
        .map(|port| models::PortSummary {
            ip: port.host_port.map(|_| port.host_ip.to_string()),
            private_port: port.container.get(),
            public_port: port.host_port.map(libnet::types::Port::get),
            typ: Some(kind(port.proto)),
        })
        .collect();
    if record.state.phase.has_process() {
        let exposed = wanted_ports(record).exposed;
        let alone = exposed
            .into_iter()
            .filter(|(port, proto)| !published.iter().any(|it| it.container == *port && it.proto == *proto));
        all.extend(alone.map(|(port, proto)| models::PortSummary {
            ip: None,
            private_port: port.get(),
            public_port: None,
            typ: Some(kind(proto)),
        }));
    }
    all
}

/// "Up 3 seconds", "Exited (0) 2 minutes ago", "Created": Docker's words.
pub(super) fn status(state: &State, now: Timestamp) -> String {
    let since = |at: Option<Timestamp>| {
        let at = at.unwrap_or(now);
        in_words(Duration::try_from(now.duration_since(at)).unwrap_or_default())
    };
    match state.phase {
        Phase::Created => "Created".to_owned(),
        Phase::Running | Phase::Stopping => format!("Up {}", since(state.started)),
        Phase::Paused => format!("Up {} (Paused)", since(state.started)),
        Phase::Restarting => format!("Restarting ({}) {} ago", state.exit_code, since(state.finished)),
        Phase::Removing => "Removal In Progress".to_owned(),
        Phase::Exited => format!("Exited ({}) {} ago", state.exit_code, since(state.finished)),
    }
}

/// Docker's name for a map that the models want.
pub(super) type Map<T> = HashMap<String, T>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_in_dockers_words() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let state = |phase| State {
            phase,
            exit_code: 3,
            started: Some(at(100)),
            finished: Some(at(40)),
            ..State::created()
        };
        let text = |phase| status(&state(phase), at(103));
        assert_eq!(text(Phase::Created), "Created");
        assert_eq!(text(Phase::Running), "Up 3 seconds");
        assert_eq!(text(Phase::Stopping), "Up 3 seconds");
        assert_eq!(text(Phase::Paused), "Up 3 seconds (Paused)");
        assert_eq!(text(Phase::Exited), "Exited (3) About a minute ago");
        assert_eq!(text(Phase::Restarting), "Restarting (3) About a minute ago");
        // A clock that was set back is no reason to fail.
        assert_eq!(status(&state(Phase::Running), at(50)), "Up Less than a second");
    }
}
