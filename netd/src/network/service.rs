//! The front door: each request is one blocking job on a copy of the handle, so that a caller that goes away (an HTTP
//! client that hangs up) leaves nothing half done.

use std::{net::IpAddr, os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};

use dns::hickory_proto::rr::{Name, RecordType};
use libnet::{
    firewall::Attempt,
    host::{Finding, Host},
    netns::Reference,
    ports::PortRequest,
    store::Store,
    types::{ContainerId, IfName, Mtu, NetworkId},
};
use netd_api::{
    Filters,
    dns::{DnsName, DnsRecord, DnsReply, EgressReport},
    firewall::FirewallReport,
    models,
};

use super::{
    Concerning, Driver, EndpointAsk, EndpointView, FilesAsk, FilesView, Known, NetworkConfig, NetworkError,
    NetworkSummary, SandboxAsk, SandboxView, endpoint,
    inner::{Clock, Inner, Parts, Random},
    inspect::{self, ListFilter},
    kernel::HostKernel,
    namespaces::{self, Attached, NamespaceAsk, NamespaceView},
};
use crate::{
    events::Events,
    firewalld::Firewalld,
    names::{self, Followed, Names},
};

/// What the networks are made of.
pub struct NetworkParts {
    /// The host's kernel.
    pub host: Arc<Host>,
    /// Another firewall of the host, which has to know of bridges.
    pub firewalld: Firewalld,
    /// What lasts.
    pub declared: Arc<dyn Store>,
    /// What lasts as long as the kernel objects.
    pub live: Arc<dyn Store>,
    /// Settings.
    pub config: NetworkConfig,
    /// Where creations, connections and removals are told.
    pub events: Events,
    /// Fills a slice with random bytes.
    pub random: Random,
    /// What time it is.
    pub clock: Clock,
}

/// How long the daemon's end may wait for upstreams: questions about containers wait as long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// All networks of a host. Requests about one container must come one after the other; its owner sees to that.
pub struct Networks {
    inner: Arc<Inner>,
}

type Result<T> = std::result::Result<T, NetworkError>;

#[allow(
    clippy::missing_errors_doc,
    reason = "they are those of NetworkError, and each says what it is about"
)]
impl Networks {
    /// Reads the stores, makes the default networks, and puts the kernel into the state that is declared. Sandboxes of the
    /// live store stay as they are until each is [adopted](Self::adopt) or [closed](Self::close_sandbox);
    /// [`settle`](Self::settle) ends that time.
    pub async fn open(parts: NetworkParts) -> Result<Arc<Self>> {
        let inner = Inner::new(Parts {
            kernel: Arc::new(HostKernel::new(parts.host, parts.firewalld)),
            declared: parts.declared,
            live: parts.live,
            config: parts.config,
            events: parts.events,
            random: parts.random,
            clock: parts.clock,
        })?;
        let networks = Self { inner: Arc::new(inner) };
        networks.work("open the networks", Inner::recover).await?;
        tokio::spawn(namespaces::watch(Arc::downgrade(&networks.inner)));
        tokio::spawn(Names::follow_host(Arc::downgrade(&networks.inner.names)));
        Ok(Arc::new(networks))
    }

    /// Makes a network.
    pub async fn create(&self, ask: models::NetworkCreateRequest) -> Result<NetworkId> {
        self.work("create a network", move |inner| inner.create(ask)).await
    }

    /// The networks that pass the filters (driver, id, label, name, scope, type, dangling), as `GET /networks` shows them.
    pub fn list(&self, filters: &Filters) -> Result<Vec<models::NetworkInspect>> {
        let filter = ListFilter::new(filters)?;
        let state = self.inner.state();
        let passing = state.networks().filter(|record| filter.passes(record, state.in_use(record.id)));
        Ok(passing.map(|record| inspect::network(record, &state)).collect())
    }

    /// One network, as `GET /networks/{id}` shows it; one of this scope, if one is given.
    pub fn inspect(&self, reference: &str, scope: Option<&str>) -> Result<models::NetworkInspect> {
        let state = self.inner.state();
        let record = state.resolve(reference)?;
        if scope.is_some_and(|scope| scope != record.scope.as_str()) {
            return Err(NetworkError::NotFound(reference.to_owned()));
        }
        Ok(inspect::network(record, &state))
    }

    /// Removes a network that no running container uses.
    pub async fn remove(&self, reference: &str) -> Result<()> {
        let reference = reference.to_owned();
        self.work("remove a network", move |inner| inner.remove(&reference)).await
    }

    /// Removes all networks that no running container uses and that pass the filters (until, label, label!); their names.
    pub async fn prune(&self, filters: &Filters) -> Result<Vec<String>> {
        let filters = filters.clone();
        self.work("prune networks", move |inner| inner.prune(&filters)).await
    }

    /// The drivers that networks can have on this kernel, by name.
    pub async fn drivers(&self) -> Vec<Driver> {
        let asked = self.work("ask for drivers", |inner| Ok(inner.drivers())).await;
        asked.unwrap_or_else(|_| vec![Driver::Bridge, Driver::Host, Driver::Null])
    }

    /// How what is inside of namespaces differs from what is declared.
    pub async fn examine(&self) -> Vec<Finding> {
        self.work("look into namespaces", |inner| Ok(inner.examine())).await.unwrap_or_default()
    }

    /// Whether the host forwards IPv4 packets; as far as is known, if the kernel can't be asked.
    pub async fn forwards_v4(&self) -> bool {
        let failed = |source| NetworkError::Host { action: "read", object: "a setting".to_owned(), source };
        let asked = self.work("look at forwarding", move |inner| inner.kernel.forwards_v4().map_err(failed));
        asked.await.unwrap_or(true)
    }

    /// The network of this id, name or unique beginning of an id; `default` is `bridge`.
    pub fn resolve(&self, reference: &str) -> Result<NetworkSummary> {
        self.inner.state().resolve(reference).map(super::record::NetworkRecord::summary)
    }

    /// Whether the network could take such an endpoint, as far as that can be known before anything is made.
    pub fn check(&self, network: &NetworkSummary, ask: &EndpointAsk) -> Result<()> {
        endpoint::check(self.inner.state().network(network.id)?, ask).map(|_| ())
    }

    /// How many networks there are.
    pub fn count(&self) -> usize {
        self.inner.state().networks().count()
    }

    /// The static records of a network.
    pub fn records(&self, reference: &str) -> Result<Vec<DnsRecord>> {
        self.inner.records(reference)
    }

    /// Adds a static record to a network.
    pub async fn add_record(&self, reference: &str, record: DnsRecord) -> Result<()> {
        let reference = reference.to_owned();
        self.work("add a record", move |inner| inner.add_record(&reference, &record)).await
    }

    /// Removes the static records of a name from a network; only those of this type and value, where they are said. Gives
    /// what it removed.
    pub async fn remove_records(
        &self,
        reference: &str,
        name: String,
        kind: Option<String>,
        value: Option<String>,
    ) -> Result<Vec<DnsRecord>> {
        let reference = reference.to_owned();
        let work =
            move |inner: &Inner| inner.remove_records(&reference, &name, kind.as_deref(), value.as_deref());
        self.work("remove records", work).await
    }

    /// All names that are known, or those of one network, or those that one container sees.
    pub fn names(&self, network: Option<&str>, seen_by: Option<ContainerId>) -> Result<Vec<DnsName>> {
        let network = network.map(|reference| self.resolve(reference)).transpose()?.map(|network| network.id);
        let networks: Option<Vec<NetworkId>> = match seen_by {
            None => network.map(|id| vec![id]),
            Some(container) => {
                let seen = self.endpoints(container).into_iter().map(|endpoint| endpoint.network);
                Some(seen.filter(|seen| network.is_none_or(|id| id == *seen)).collect())
            }
        };
        Ok(self.inner.known_names(networks.as_deref()))
    }

    /// What a container gets to a question; without a type, to one for its addresses in IPv4.
    pub async fn dns_query(
        &self,
        container: ContainerId,
        reference: &str,
        name: &str,
        kind: &str,
    ) -> Result<DnsReply> {
        let kind = if kind.is_empty() { "A" } else { kind }.to_ascii_uppercase();
        let kind: RecordType =
            kind.parse().map_err(|_| NetworkError::Invalid(format!("{kind} is not a type of DNS record")))?;
        let mut name = Name::from_utf8(name)
            .map_err(|_| NetworkError::Invalid(format!("{name:?} is no name of DNS")))?;
        name.set_fqdn(true);
        let started = tokio::time::Instant::now();
        let asking = self.inner.names.ask(container, name.clone(), kind);
        let replied = asking.ok_or_else(|| NetworkError::NoNames(reference.to_owned()))?.await;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(names::shown(&name, kind, &replied, micros))
    }

    /// What a container asks and is refused from now on.
    pub(crate) fn dns_follow(&self, container: ContainerId, reference: &str) -> Result<Followed> {
        self.inner.names.follow(container).ok_or_else(|| NetworkError::NoNames(reference.to_owned()))
    }

    /// What a container is restricted to and tried to reach; what its last run tried, if it is over. `None` if it is not
    /// restricted.
    pub async fn egress(&self, container: ContainerId) -> Result<Option<EgressReport>> {
        self.work("read egress", move |inner| inner.egress_report(container)).await
    }

    /// The firewall as the kernel has it, and what it counted.
    pub async fn firewall(&self, concerning: Concerning) -> Result<FirewallReport> {
        self.work("read the firewall", move |inner| inner.firewall(concerning)).await
    }

    /// A connection from this address was refused by the host.
    pub(crate) fn refused(&self, from: IpAddr, attempt: Attempt) {
        self.inner.refused(from, attempt);
    }

    /// Packets leave the host by a link with this MTU from now on.
    pub(crate) fn follow(&self, way_out: Mtu) {
        self.inner.follow(way_out);
    }

    /// What the name service has done.
    pub(crate) fn dns_totals(&self) -> names::Totals {
        self.inner.names.totals()
    }

    /// Makes a namespace for a container.
    pub async fn open_sandbox(&self, ask: SandboxAsk) -> Result<SandboxView> {
        self.work("open a sandbox", move |inner| inner.open_sandbox(ask)).await
    }

    /// Puts a container into a network. Its sandbox must be open, unless the network is `host`.
    pub async fn connect(&self, container: ContainerId, ask: EndpointAsk) -> Result<EndpointView> {
        self.work("connect a container", move |inner| inner.connect(container, &ask)).await
    }

    /// Takes a container out of a network; its address there is free again. A container that is not running gives up its
    /// address alone. With `force`, a container that is not in the network is no error.
    pub async fn disconnect(&self, container: ContainerId, network: NetworkId, force: bool) -> Result<()> {
        self.work("disconnect a container", move |inner| inner.disconnect(container, network, force)).await
    }

    /// Removes the endpoint of that name from a network: one whose container is no longer there.
    pub async fn forget(&self, network: NetworkId, name: String) -> Result<()> {
        self.work("forget an endpoint", move |inner| inner.forget_by_name(network, &name)).await
    }

    /// Makes these the published ports of a container, at once if it runs; those that it has already are not touched.
    pub async fn set_ports(&self, container: ContainerId, requests: Vec<PortRequest>) -> Result<()> {
        self.work("change ports", move |inner| inner.set_ports(container, &requests)).await
    }

    /// Makes these the links of a container in a network, as (alias, name).
    pub async fn set_links(
        &self,
        container: ContainerId,
        network: NetworkId,
        links: Vec<(String, String)>,
    ) -> Result<()> {
        self.work("change links", move |inner| inner.set_links(container, network, links)).await
    }

    /// Ends a container's namespace with all its endpoints. Its addresses stay its own.
    pub async fn close_sandbox(&self, container: ContainerId) -> Result<()> {
        self.work("close a sandbox", move |inner| inner.close_sandbox(container)).await
    }

    /// Gives all addresses of a container back: it is removed.
    pub async fn release(&self, container: ContainerId) -> Result<()> {
        self.work("release addresses", move |inner| inner.release(container)).await
    }

    /// Gives a container another name in all its networks.
    pub async fn rename(&self, container: ContainerId, name: String) -> Result<()> {
        self.work("rename a container", move |inner| inner.rename(container, &name)).await
    }

    /// The endpoints of a container as they are, the gateway first.
    pub fn endpoints(&self, container: ContainerId) -> Vec<EndpointView> {
        self.inner.state().views(container)
    }

    /// Takes over the running container of an earlier daemon: endpoints, ports and names go on from the live store, but for
    /// what the container does not know of. `dns` are its DNS sockets, which its shim kept: UDP, then TCP.
    pub async fn adopt(
        &self,
        container: ContainerId,
        known: Known,
        path: PathBuf,
        dns: Vec<OwnedFd>,
    ) -> Result<()> {
        self.work("adopt a container", move |inner| inner.adopt(container, &known, path, dns)).await
    }

    /// The published ports that a running container asks for.
    pub fn port_requests(&self, container: ContainerId) -> Vec<PortRequest> {
        self.inner.state().sandbox(container).map(|sandbox| sandbox.requests.clone()).unwrap_or_default()
    }

    /// Attaches somebody else's namespace to a network; warnings of what is not as its user might expect.
    pub async fn attach_namespace(&self, ask: NamespaceAsk) -> Result<Attached> {
        self.work("attach a namespace", move |inner| inner.attach_namespace(ask)).await
    }

    /// Takes somebody else's namespace out of a network.
    pub async fn detach_namespace(&self, reference: Reference, network: NetworkId) -> Result<()> {
        self.work("detach a namespace", move |inner| inner.detach_namespace(&reference, network)).await
    }

    /// Takes the namespace that has this name in a network out of it; false: there is none.
    pub async fn detach_named(&self, name: String, network: NetworkId) -> Result<bool> {
        self.work("detach a namespace", move |inner| inner.detach_named(&name, network)).await
    }

    /// The namespaces that are in networks and are no container's, by name.
    pub fn namespaces(&self) -> Vec<NamespaceView> {
        self.inner.namespaces()
    }

    /// The names that a container has in a network whenever it is there; none where there are no names.
    pub fn names_of(
        &self,
        network: NetworkId,
        (container, name): (ContainerId, &str),
        aliases: &[String],
        hostname: &str,
    ) -> Vec<String> {
        let state = self.inner.state();
        let named = state.network(network).is_ok_and(super::record::NetworkRecord::has_names);
        if named { endpoint::names_of(container, name, aliases, hostname) } else { Vec::new() }
    }

    /// The bridge of the user's own that the network `bridge` is on.
    pub fn lent_default_bridge(&self) -> Option<IfName> {
        self.inner.config.defaults.bridge.as_ref()?.existing.clone()
    }

    /// The namespace, no container's, that goes by this name in a network.
    pub fn namespace_named(&self, name: &str) -> Option<ContainerId> {
        self.inner.state().borrowed_named(name)
    }

    /// Questions that are with upstreams have their answers before the daemon ends, and the rest wait for the next.
    pub(crate) async fn finish_names(&self) {
        self.inner.names.finish(LAST_ANSWERS).await;
    }

    /// Gives all namespaces back that are no container's: the daemon ends.
    pub async fn end_namespaces(&self) {
        let end = |inner: &Inner| {
            inner.end_namespaces();
            Ok(())
        };
        let ended = self.work("give namespaces back", end).await;
        if let Err(error) = ended {
            tracing::warn!(error = crate::error::chain(&error), "namespaces not given back");
        }
    }

    /// Ends recovery: what the live store knows and nobody adopted is removed, from the kernel too.
    pub async fn settle(&self) -> Result<()> {
        self.work("settle the networks", Inner::settle).await
    }

    /// The texts of resolv.conf and hosts of a container with the endpoints that it has now.
    pub fn files(&self, ask: &FilesAsk) -> Result<FilesView> {
        self.inner.files(ask)
    }

    /// Runs `work` to its end on a thread that may block, whether or not the caller waits for it.
    async fn work<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|_| NetworkError::Worker(what))?
    }
}
