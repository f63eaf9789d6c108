//! Networks: reserved, ready, being removed.

use ipnetwork::IpNetwork;
use libnet::{
    ipam::{Ipam, Pool, PoolAsk, Wanted},
    types::{Exposure, Family, GatewayAccess, IfName, Mtu, NetworkId},
};

use netd_api::dns::DnsRecord;

use super::{Endpoint, Member, Network, Phase, State};
use crate::network::{
    Chosen, Driver, NetworkError,
    draft::{Draft, DriverOptions},
    options::BridgeOptions,
    parent,
    record::{
        BridgeRecord, Configuration, EndpointRecord, IpamDriver, NetworkRecord, ParentRecord, SubnetRecord,
    },
    subnet::{self, Families, GatewayNeed, SubnetAsk, SubnetAsks},
    template::Template,
};

/// What the host around the networks is like.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Surroundings {
    /// Subnets that the host's routes and addresses cover, and the addresses of its name servers.
    pub(in crate::network) taken: Vec<IpNetwork>,
    /// The MTU of the link that leads out.
    pub(in crate::network) mtu: Option<Mtu>,
}

impl State {
    /// Refuses a name that a network has, or will have in a moment.
    pub(in crate::network) fn check_name(&self, name: &str) -> Result<(), NetworkError> {
        if self.named.contains_key(name) { Err(NetworkError::NameTaken(name.to_owned())) } else { Ok(()) }
    }

    /// Reserves the name of a new configuration network.
    pub(in crate::network) fn reserve_template(
        &mut self,
        record: &NetworkRecord,
    ) -> Result<(), NetworkError> {
        self.check_name(&record.name)?;
        self.put(Network { record: record.clone(), phase: Phase::Creating });
        Ok(())
    }

    /// The configuration network of that name. As with Docker, an id is no reference to one.
    pub(in crate::network) fn template(&self, name: &str) -> Result<(NetworkRecord, Template), NetworkError> {
        let mut records = self.networks().filter(|record| record.name == name);
        let found = records.find_map(|record| Some((record.clone(), record.template()?.clone())));
        found.ok_or_else(|| NetworkError::NoTemplate(name.to_owned()))
    }

    /// Reserves name, link and subnets of a new network.
    pub(in crate::network) fn reserve(
        &mut self,
        draft: Draft,
        id: NetworkId,
        created: String,
        around: &Surroundings,
    ) -> Result<NetworkRecord, NetworkError> {
        // What IPv6 can't live with is no way out for it in any case.
        let around_mtu = around.mtu.map(|mtu| if draft.families.v6 { mtu.max(Mtu::LEAST_V6) } else { mtu });
        let (driver, bridge, parent) = match draft.driver {
            DriverOptions::Bridge(options) => {
                let link = options.link.clone().map_or_else(|| default_link(id), Ok)?;
                (Driver::Bridge, Some(bridge_record(options, link, around_mtu)), None)
            }
            DriverOptions::Parent(options) => (parent::driver(options.kind), None, Some(options.record(id)?)),
        };
        self.check_name(&draft.name)?;
        self.check_link(bridge.as_ref(), id)?;
        self.check_parent(parent.as_ref())?;
        let asks = asks(draft.ipam, draft.families, draft.subnets);
        let Subnets { v4, v6, more } = request_all(&mut self.ipam, &asks, around)?;
        let record = NetworkRecord {
            id,
            name: draft.name,
            driver,
            created,
            default: draft.default,
            scope: draft.scope,
            configuration: draft.configuration,
            internal: draft.internal,
            attachable: draft.attachable,
            v4,
            v6,
            more,
            bridge,
            parent,
            ipam: draft.ipam,
            options: draft.options,
            labels: draft.labels,
            ipam_options: draft.ipam_options,
            records: Vec::new(),
        };
        self.put(Network { record: record.clone(), phase: Phase::Creating });
        Ok(record)
    }

    /// Takes in a network as it was written down: its subnets are its own again.
    pub(in crate::network) fn restore(&mut self, record: NetworkRecord) -> Result<(), NetworkError> {
        for subnet in record.subnets() {
            let ask = SubnetAsk {
                subnet: Wanted::Exactly(subnet.net),
                range: subnet.range,
                gateway: subnet.gateway,
                gateway_need: if subnet.gateway.is_some() { GatewayNeed::First } else { GatewayNeed::None },
                router: subnet.router,
                aux: subnet.aux.clone(),
            };
            request(&mut self.ipam, &ask, subnet::family(&subnet.net), &Surroundings::default())?;
        }
        self.put(Network { record, phase: Phase::Ready });
        Ok(())
    }

    fn put(&mut self, network: Network) {
        let record = &network.record;
        self.named.insert(record.name.clone(), record.id);
        self.on_link.extend(record.bridge.iter().map(|bridge| (bridge.link.clone(), record.id)));
        self.networks.insert(record.id, network);
    }

    /// A reserved network is there now.
    pub(in crate::network) fn ready(&mut self, id: NetworkId) {
        self.set_phase(id, Phase::Ready);
    }

    /// A network has other static records now.
    pub(in crate::network) fn set_records(&mut self, id: NetworkId, records: Vec<DnsRecord>) {
        if let Some(network) = self.networks.get_mut(&id) {
            network.record.records = records;
        }
    }

    /// A network has another MTU now, and so have its endpoints: as they are to be written down.
    pub(in crate::network) fn set_mtu(
        &mut self,
        id: NetworkId,
        mtu: Mtu,
    ) -> Result<(NetworkRecord, Vec<EndpointRecord>), NetworkError> {
        self.network(id)?;
        let network = self.networks.get_mut(&id).ok_or_else(|| NetworkError::NotFound(id.to_string()))?;
        network.record.bridge.iter_mut().for_each(|bridge| bridge.mtu = mtu);
        let within = self.containers.values_mut().filter_map(|member| member.endpoints.get_mut(&id));
        let resize = |endpoint: &mut Endpoint| {
            endpoint.record.spec.iter_mut().for_each(|spec| spec.mtu = mtu);
            endpoint.record.clone()
        };
        Ok((network.record.clone(), within.map(resize).collect()))
    }

    /// A network that could not be made, or is gone: name and subnets are free again.
    pub(in crate::network) fn forget(&mut self, id: NetworkId) {
        let Some(network) = self.networks.remove(&id) else { return };
        self.named.remove(&network.record.name);
        if let Some(bridge) = &network.record.bridge {
            self.on_link.remove(&bridge.link);
        }
        for subnet in network.record.subnets() {
            give_back(&mut self.ipam, subnet);
        }
    }

    /// Closes a network to newcomers, if no running container is in it.
    pub(in crate::network) fn begin_removal(&mut self, id: NetworkId) -> Result<NetworkRecord, NetworkError> {
        let record = self.network(id)?.clone();
        if record.default {
            return Err(NetworkError::PredefinedRemoval(record.name));
        }
        let users: Vec<_> = self.users(id).collect();
        if !users.is_empty() {
            return Err(NetworkError::InUse { name: record.name, users: users.join(", ") });
        }
        let from_here = Configuration::From(record.name.clone());
        let used = record.template().is_some()
            && self.networks.values().any(|network| network.record.configuration == from_here);
        if used {
            return Err(NetworkError::TemplateInUse(record.name));
        }
        self.set_phase(id, Phase::Removing);
        Ok(record)
    }

    /// A network whose removal failed is open again.
    pub(in crate::network) fn abandon_removal(&mut self, id: NetworkId) {
        self.set_phase(id, Phase::Ready);
    }

    /// A network that is ready.
    pub(in crate::network) fn network(&self, id: NetworkId) -> Result<&NetworkRecord, NetworkError> {
        let ready = self.networks.get(&id).filter(|network| network.phase == Phase::Ready);
        ready.map(|network| &network.record).ok_or_else(|| NetworkError::NotFound(id.to_string()))
    }

    /// All networks that are ready.
    pub(in crate::network) fn networks(&self) -> impl Iterator<Item = &NetworkRecord> {
        self.networks.values().filter(|network| network.phase == Phase::Ready).map(|network| &network.record)
    }

    /// Full id, else name, else the unique beginning of an id. `default` is Docker's other word for `bridge`.
    pub(in crate::network) fn resolve(&self, reference: &str) -> Result<&NetworkRecord, NetworkError> {
        let wanted = if reference == "default" { "bridge" } else { reference };
        let by_id = wanted.parse().ok().and_then(|id| self.network(id).ok());
        let by_name = || self.named.get(wanted).and_then(|id| self.network(*id).ok());
        if let Some(network) = by_id.or_else(by_name) {
            return Ok(network);
        }
        let begins =
            |network: &&NetworkRecord| !wanted.is_empty() && network.id.to_string().starts_with(wanted);
        let matches: Vec<_> = self.networks().filter(begins).collect();
        match matches.as_slice() {
            [] => Err(NetworkError::NotFound(reference.to_owned())),
            [one] => Ok(one),
            several => {
                Err(NetworkError::Ambiguous { reference: reference.to_owned(), matches: several.len() })
            }
        }
    }

    /// Whether a running container is in the network.
    pub(in crate::network) fn in_use(&self, id: NetworkId) -> bool {
        self.users(id).next().is_some()
    }

    fn users(&self, id: NetworkId) -> impl Iterator<Item = String> {
        let endpoint = move |member: &Member| {
            let record = &member.endpoints.get(&id)?.record;
            Some(format!("name:\"{}\" id:\"{}\"", record.name, record.id.short(12)))
        };
        self.containers.values().filter_map(endpoint)
    }

    /// A link can be the parent of several networks, not of any two.
    fn check_parent(&self, parent: Option<&ParentRecord>) -> Result<(), NetworkError> {
        let Some(parent) = parent else { return Ok(()) };
        self.networks.values().try_for_each(|network| parent::check_shared(parent, &network.record))
    }

    fn check_link(&self, new: Option<&BridgeRecord>, id: NetworkId) -> Result<(), NetworkError> {
        let Some(BridgeRecord { link, .. }) = new else { return Ok(()) };
        match self.on_link.get(link) {
            Some(&other) => Err(NetworkError::SameLink { id, link: link.to_string(), other }),
            None => Ok(()),
        }
    }

    fn set_phase(&mut self, id: NetworkId, phase: Phase) {
        if let Some(network) = self.networks.get_mut(&id) {
            network.phase = phase;
        }
    }
}

fn bridge_record(options: BridgeOptions, link: IfName, around_mtu: Option<Mtu>) -> BridgeRecord {
    // A bridge of the user's own may have the address that the host is known by.
    let by_default = if options.lent.is_some() { GatewayAccess::Everyone } else { GatewayAccess::Members };
    let gateway = options.gateway.unwrap_or(by_default);
    let lent_mtu = options.lent.as_ref().and_then(|lent| lent.mtu);
    BridgeRecord {
        announce: options.announce.value(),
        exposure: Exposure { gateway, ..options.exposure },
        link,
        mtu: options.mtu.or(lent_mtu).or(around_mtu).unwrap_or(Mtu::ETHERNET),
        icc: options.icc,
        masquerade: options.masquerade,
        host_ip: options.host_ip,
        ifname_prefix: options.ifname_prefix,
        lent: options.lent,
    }
}

fn default_link(id: NetworkId) -> Result<IfName, NetworkError> {
    format!("br-{}", id.short(12)).parse().map_err(|error| NetworkError::Invalid(format!("{error}")))
}

/// The subnets of a network, as its record has them.
struct Subnets {
    v4: Option<SubnetRecord>,
    v6: Option<SubnetRecord>,
    more: Vec<SubnetRecord>,
}

/// What a network wants to have addresses from.
fn asks(ipam: IpamDriver, families: Families, subnets: SubnetAsks) -> Vec<(Family, SubnetAsk)> {
    if ipam == IpamDriver::Null {
        return Vec::new();
    }
    let v4 = families.v4.then_some((Family::V4, subnets.v4));
    let v6 = families.v6.then_some((Family::V6, subnets.v6));
    v4.into_iter().chain(v6).chain(subnets.more).collect()
}

/// All of them, or none.
fn request_all(
    ipam: &mut Ipam,
    asks: &[(Family, SubnetAsk)],
    around: &Surroundings,
) -> Result<Subnets, NetworkError> {
    let mut had: Vec<SubnetRecord> = Vec::new();
    for (family, ask) in asks {
        let got = request(ipam, ask, *family, around);
        had.push(got.inspect_err(|_| had.iter().for_each(|subnet| give_back(ipam, subnet)))?);
    }
    let mut first = |family| {
        let is_first = |subnet: &SubnetRecord| subnet::family(&subnet.net) == family;
        had.iter().position(is_first).map(|index| had.remove(index))
    };
    let (v4, v6) = (first(Family::V4), first(Family::V6));
    Ok(Subnets { v4, v6, more: had })
}

fn request(
    ipam: &mut Ipam,
    ask: &SubnetAsk,
    family: Family,
    around: &Surroundings,
) -> Result<SubnetRecord, NetworkError> {
    let pool_ask = PoolAsk { subnet: ask.subnet, range: ask.range, family };
    let pool = ipam.request_pool(&pool_ask, &around.taken)?;
    fill(ipam, ask, pool).inspect_err(|_| {
        // It was just handed out.
        let _ = ipam.release_pool(pool);
    })
}

fn fill(ipam: &mut Ipam, ask: &SubnetAsk, pool: Pool) -> Result<SubnetRecord, NetworkError> {
    // Before the gateway is chosen, so that it is none of them.
    for (name, ip) in &ask.aux {
        let failed = |source| NetworkError::Auxiliary { name: name.clone(), ip: *ip, source };
        ipam.request_address(pool, Some(*ip)).map_err(failed)?;
    }
    let failed = |source| {
        let ip = ask.gateway.map(|ip| ip.to_string()).unwrap_or_default();
        NetworkError::Gateway { ip, source }
    };
    Ok(SubnetRecord {
        net: pool.subnet(),
        range: ask.range,
        gateway: match (ask.gateway, ask.gateway_need) {
            (None, GatewayNeed::None) => None,
            (wanted, _) => Some(ipam.request_gateway(pool, wanted).map_err(failed)?),
        },
        router: ask.router,
        aux: ask.aux.clone(),
        chosen: if ask.subnet.named().is_some() { Chosen::ByUser } else { Chosen::ByPool },
    })
}

fn give_back(ipam: &mut Ipam, subnet: &SubnetRecord) {
    if let Some(pool) = ipam.pool(subnet.net) {
        // It is one of the pools that are handed out.
        let _ = ipam.release_pool(pool);
    }
}
