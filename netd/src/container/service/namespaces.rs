//! `/pontoon/namespaces`: somebody else's namespaces in networks. What is asked for reads as it does for a container.

use std::path::Path;

use libnet::{
    netns::{NAMES, Reference},
    types::{ContainerId, EndpointId},
};
use netd_api::{models, namespaces};

use super::{Containers, Result};
use crate::{
    container::{
        ContainerError,
        create::{ports, settings},
        folded::Folded,
        inspect, name,
        record::{Endpoint, EndpointSettings},
    },
    network::{Durability, EndpointAsk, NamespaceAsk, NamespaceView, NetworkError},
};

impl Containers {
    /// Attaches a namespace to a network.
    ///
    /// # Errors
    /// [`ContainerError`]: nothing is left of the attempt.
    pub async fn attach_namespace(&self, ask: namespaces::Attach) -> Result<namespaces::Attached> {
        let reference = read(&ask.namespace)?;
        let name = match ask.name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => name.to_owned(),
            None => default_name(&reference),
        };
        let name = name::check(&name)?.to_owned();
        // Nobody else's meanwhile; from then on the networks know whose it is.
        let holder = ContainerId::from_bytes(self.parts.random());
        self.registry.take_name(&name, holder)?;
        let attached = self.attach_as(&name, reference, ask).await;
        self.registry.drop_name(&name, holder);
        attached
    }

    async fn attach_as(
        &self,
        name: &str,
        reference: Reference,
        ask: namespaces::Attach,
    ) -> Result<namespaces::Attached> {
        let network = self.parts.networks.resolve(&ask.network)?;
        let host = models::HostConfig { port_bindings: ask.port_bindings, ..Default::default() };
        let ports = ports::read(&Folded::new(models::ContainerConfig::default()), &Folded::new(host))?;
        let settings = settings(ask.endpoint_config.as_ref(), Vec::new())?;
        if !settings.links.is_empty() {
            return Err(ContainerError::Invalid("a namespace has no links to containers".to_owned()));
        }
        let endpoint = EndpointAsk {
            network: network.id,
            endpoint: EndpointId::from_bytes(self.parts.random()),
            name: name.to_owned(),
            aliases: settings.aliases,
            links: Vec::new(),
            v4: settings.v4,
            v6: settings.v6,
            link_local: settings.link_local,
            mac: settings.mac,
            ports: ports.requests,
            exposed: ports.exposed.into_iter().collect(),
            gw_priority: settings.gw_priority,
            driver_opts: settings.driver_opts,
            durability: Durability::Live,
        };
        self.parts.networks.check(&network, &endpoint)?;
        let (view, warnings) =
            self.parts.networks.attach_namespace(NamespaceAsk { reference, endpoint }).await?;
        Ok(namespaces::Attached { namespace: shown(&view), warnings })
    }

    /// Takes a namespace out of a network.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn detach_namespace(&self, ask: namespaces::Detach) -> Result<()> {
        let network = self.parts.networks.resolve(&ask.network)?;
        Ok(self.parts.networks.detach_namespace(read(&ask.namespace)?, network.id).await?)
    }

    /// The namespaces that are in networks.
    pub fn namespaces(&self) -> Vec<namespaces::Namespace> {
        self.parts.networks.namespaces().iter().map(shown).collect()
    }
}

fn read(text: &str) -> Result<Reference> {
    Ok(Reference::read(text, Path::new(NAMES)).map_err(NetworkError::from)?)
}

/// A namespace is called as it is pointed at, where that makes a name.
fn default_name(reference: &Reference) -> String {
    match reference {
        Reference::Process(pid) => format!("pid-{pid}"),
        Reference::Name(name) => name.clone(),
        Reference::Path(path) => {
            let words: Vec<_> = path.iter().filter_map(|word| word.to_str()).collect();
            match words[..] {
                ["/", "proc", pid, "ns", "net"] => format!("pid-{pid}"),
                _ => words.last().copied().unwrap_or_default().to_owned(),
            }
        }
    }
}

fn shown(view: &NamespaceView) -> namespaces::Namespace {
    let networks = view.endpoints.iter().map(|view| {
        let endpoint = Endpoint {
            network: Some(view.network),
            network_name: view.network_name.clone(),
            endpoint: view.endpoint,
            settings: EndpointSettings::default(),
        };
        (view.network_name.clone(), inspect::endpoint_settings(&endpoint, Some(view)))
    });
    namespaces::Namespace {
        id: ContainerId::to_string(&view.id),
        name: view.name.clone(),
        namespace: view.reference.to_string(),
        inode: view.identity.inode(),
        networks: networks.collect(),
        ports: inspect::bindings(&view.endpoints),
    }
}
