//! What networks mean for names: who is found where, and who sees whom.

use std::collections::BTreeSet;

use dns::{Forward, Host, Protocol, Service};
use ipnetwork::Ipv4Network;
use libnet::types::{ContainerId, Internal, NetworkId, Port, Proto};

use super::{
    EndpointView, NetworkError,
    inner::{Inner, put_endpoint},
    record::{EndpointRecord, NetworkRecord},
};
use crate::names::Scope;

impl Inner {
    pub(super) fn rename(&self, container: ContainerId, name: &str) -> Result<(), NetworkError> {
        let records = self.state().rename(container, name);
        let changes = records.iter().map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        self.live.commit(&changes)?;
        records.iter().try_for_each(|record| {
            self.publish_names(container, record.network)?;
            self.relink(record.network)
        })
    }

    /// Others find the container in this network, and it finds them.
    pub(super) fn publish_names(
        &self,
        container: ContainerId,
        network: NetworkId,
    ) -> Result<(), NetworkError> {
        self.introduce(container, network);
        self.rescope(container)
    }

    /// Others find the container in this network.
    pub(super) fn introduce(&self, container: ContainerId, network: NetworkId) {
        let host = {
            let state = self.state();
            let named = state.network(network).is_ok_and(NetworkRecord::has_names);
            let record = state.endpoint(container, network).filter(|_| named);
            let view = state.view(container, network);
            record.zip(view).map(|(record, view)| (view.endpoint, host(view, &record.exposed)))
        };
        if let Some((endpoint, host)) = host {
            let zone = network.to_string().into();
            self.names.update(|editor| editor.set_host(&zone, endpoint.to_string(), host));
        }
    }

    pub(super) fn withdraw_names(&self, record: &EndpointRecord) {
        let zone = record.network.to_string().into();
        self.names.update(|editor| editor.remove_host(&zone, &record.id.to_string().into()));
    }

    /// What the container sees follows from the networks that it is in.
    pub(super) fn rescope(&self, container: ContainerId) -> Result<(), NetworkError> {
        let scope = self.scope(container);
        self.names.set_scope(container, scope).map_err(|source| NetworkError::Names { container, source })
    }

    fn scope(&self, container: ContainerId) -> Scope {
        let (views, records) = {
            let state = self.state();
            (state.views(container), state.endpoints_of(container))
        };
        let watch = self.watch(container);
        let all: Vec<_> = views.iter().map(|view| view.network).collect();
        let forward = if self.all_internal(&all) { Forward::No } else { Forward::Yes };
        let named = |view: &EndpointView| !view.dns_names.is_empty();
        Scope {
            networks: views.iter().filter(|view| named(view)).map(|view| view.network).collect(),
            links: records.into_iter().flat_map(|record| record.links).collect(),
            forward,
            watch,
        }
    }

    /// Whether the networks are all internal: then names must not leave either.
    fn all_internal(&self, networks: &[NetworkId]) -> bool {
        let state = self.state();
        let internal = |id: &NetworkId| state.network(*id).is_ok_and(|n| n.internal == Internal::Yes);
        networks.iter().all(internal)
    }
}

/// An endpoint, as others find it.
fn host(view: EndpointView, exposed: &[(Port, Proto)]) -> Host {
    let published = view.ports.iter().map(|port| (port.container, port.proto));
    let offered: BTreeSet<_> = exposed.iter().copied().chain(published).collect();
    Host {
        services: offered.into_iter().map(service).collect(),
        names: view.dns_names,
        v4: view.v4.map(Ipv4Network::ip),
        v6: view.v6.map(|net| net.ip()),
    }
}

/// What others find with `_http._tcp.NAME`.
fn service((port, proto): (Port, Proto)) -> Service {
    let protocol = match proto {
        Proto::Tcp => Protocol::Tcp,
        Proto::Udp => Protocol::Udp,
        Proto::Sctp => Protocol::Sctp,
    };
    Service { port: port.get(), protocol, name: None }
}
