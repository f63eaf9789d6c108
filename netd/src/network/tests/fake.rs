//! A host without a kernel: it holds the state that a kernel would, and fails at the call that a test names.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use ipnetwork::IpNetwork;
use libnet::{
    firewall::{Allowance, Attempt, Listing, Opening},
    host::{Child, Declared, DefaultRoute, EndpointSpec, Figures, LentBridge, NetworkSpec, Report},
    netns::{DnsSockets, Identity, Reference, ReferenceError},
    observe::Snapshot,
    ports::{HostPort, PortRequest, PublishedPort},
    store::{Change, MemoryStore, Store, StoreError},
    types::{EndpointId, Family, IfName, Mtu, NetworkId, Port},
};

use crate::network::{
    kernel::{Kernel, KernelError, Opened, Whose},
    record::Borrowed,
};

/// Counts down to the call that fails; 0 is never.
#[derive(Clone, Default)]
pub(super) struct Fuse {
    left: Arc<AtomicUsize>,
    burnt: Arc<AtomicBool>,
}

impl Fuse {
    /// The `n`th call from now on fails, and none after it.
    pub(super) fn set(&self, n: usize) {
        self.left.store(n, Ordering::SeqCst);
        self.burnt.store(false, Ordering::SeqCst);
    }

    /// Whether a call has failed since.
    pub(super) fn is_burnt(&self) -> bool {
        self.burnt.load(Ordering::SeqCst)
    }

    /// Whether the call that was to fail never came.
    pub(super) fn is_unburnt(&self) -> bool {
        self.left.load(Ordering::SeqCst) > 0
    }

    fn burns(&self) -> bool {
        let count = |left: usize| left.checked_sub(1);
        let burns = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(1);
        self.burnt.fetch_or(burns, Ordering::SeqCst);
        burns
    }
}

/// All addresses of both families.
const EVERYWHERE: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// What is in the kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct World {
    pub(super) networks: BTreeMap<NetworkId, NetworkSpec>,
    pub(super) sandboxes: BTreeMap<String, BTreeMap<EndpointId, EndpointSpec>>,
    /// Whether the host has IPv6.
    pub(super) ipv6: bool,
    pub(super) routes: BTreeMap<(String, Family), (EndpointId, DefaultRoute)>,
    pub(super) ports: BTreeMap<EndpointId, Vec<PublishedPort>>,
    /// Endpoints that this daemon attached or adopted: of others it gives nothing back, until it compares.
    pub(super) known: BTreeSet<EndpointId>,
    pub(super) allowed: Vec<Allowance>,
    /// What containers may reach of each other though they are kept apart.
    pub(super) openings: BTreeMap<NetworkId, BTreeSet<Opening>>,
    /// Sandboxes that somebody else made.
    pub(super) borrowed: BTreeMap<String, Identity>,
}

impl World {
    fn bind(
        &mut self,
        endpoint: EndpointId,
        asks: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, KernelError> {
        let mut bound: Vec<PublishedPort> = Vec::new();
        for ask in asks {
            let everywhere = if self.ipv6 { &EVERYWHERE[..] } else { &EVERYWHERE[..1] };
            let ips = ask.host_ip.as_ref().map_or(everywhere, std::slice::from_ref);
            let free = |bound: &[PublishedPort], number| {
                let mut held = self.ports.values().flatten().chain(bound);
                !held.any(|port| {
                    port.host_port == Some(number) && port.proto == ask.proto && ips.contains(&port.host_ip)
                })
            };
            let host_port = match ask.host {
                HostPort::Exactly(port) => port,
                _ => (40_000..).filter_map(Port::new).find(|number| free(&bound, *number)).unwrap(),
            };
            if !free(&bound, host_port) {
                let text = format!("Bind for {}:{host_port} failed: port is already allocated", ips[0]);
                return Err(KernelError::Port(text.into()));
            }
            let (container, proto) = (ask.container, ask.proto);
            let host_port = Some(host_port);
            bound.extend(ips.iter().map(|ip| PublishedPort { host_ip: *ip, host_port, container, proto }));
        }
        if !bound.is_empty() {
            self.ports.entry(endpoint).or_default().extend(bound.clone());
        }
        Ok(bound)
    }
}

/// Something that happens once.
type Happening = Box<dyn FnOnce() + Send>;

/// The fake.
#[derive(Clone, Default)]
pub(super) struct FakeKernel {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) fuse: Fuse,
    pub(super) routes: Vec<IpNetwork>,
    /// Bridges that somebody else made.
    pub(super) bridges: BTreeMap<IfName, LentBridge>,
    /// Happens before the next network is there.
    pub(super) meanwhile: Arc<Mutex<Option<Happening>>>,
}

impl FakeKernel {
    /// The daemon dies.
    pub(super) fn forget(&self) {
        self.world.lock().unwrap().known.clear();
    }

    pub(super) fn world(&self) -> World {
        self.world.lock().unwrap().clone()
    }

    pub(super) fn call<T>(
        &self,
        work: impl FnOnce(&mut World) -> Result<T, KernelError>,
    ) -> Result<T, KernelError> {
        if self.fuse.burns() {
            return Err(KernelError::Other("this call was to fail".into()));
        }
        work(&mut self.world.lock().unwrap())
    }
}

fn missing(what: impl std::fmt::Debug) -> KernelError {
    KernelError::Other(format!("{what:?} is not there").into())
}

fn opened(name: &str) -> Opened {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    Opened { path: PathBuf::from("/run/netns").join(name), dns: DnsSockets { udp, tcp } }
}

/// Names are all that this kernel tells namespaces apart by.
fn identity(reference: &Reference) -> Identity {
    let number =
        reference.to_string().bytes().fold(7, |sum: u64, byte| sum * 31 % 1_000_007 + u64::from(byte));
    serde_json::from_value(serde_json::json!({"device": 4, "inode": number})).unwrap()
}

impl Kernel for FakeKernel {
    fn create_network(&self, network: &NetworkSpec) -> Result<(), KernelError> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        meanwhile.into_iter().for_each(|happens| happens());
        self.call(|world| {
            world.networks.insert(network.id(), network.clone());
            Ok(())
        })
    }

    fn remove_network(&self, id: NetworkId) -> Result<(), KernelError> {
        self.call(|world| {
            world.openings.remove(&id);
            world.networks.remove(&id).map(|_| ()).ok_or_else(|| missing(id))
        })
    }

    fn lent_bridge(&self, link: &IfName) -> Result<Option<LentBridge>, KernelError> {
        self.call(|_| Ok(self.bridges.get(link).cloned()))
    }

    fn open_sandbox(&self, name: &str) -> Result<Opened, KernelError> {
        self.call(|world| {
            assert!(world.sandboxes.insert(name.to_owned(), BTreeMap::new()).is_none(), "{name} is there");
            Ok(opened(name))
        })
    }

    fn adopt_sandbox(&self, name: &str) -> Result<PathBuf, KernelError> {
        self.call(|world| world.sandboxes.get(name).map(|_| PathBuf::from(name)).ok_or_else(|| missing(name)))
    }

    fn close_sandbox(&self, name: &str) -> Result<(), KernelError> {
        self.call(|world| {
            let endpoints = world.sandboxes.remove(name).ok_or_else(|| missing(name))?;
            for id in endpoints.keys().filter(|id| world.known.remove(id)) {
                world.ports.remove(id);
            }
            world.routes.retain(|(sandbox, _), _| sandbox != name);
            world.borrowed.remove(name);
            Ok(())
        })
    }

    fn whose(&self, reference: &Reference) -> Result<Whose, ReferenceError> {
        let identity = identity(reference);
        let world = self.world.lock().unwrap();
        let known = world.borrowed.iter().find(|(_, borrowed)| **borrowed == identity);
        Ok(known.map_or(Whose::Other(identity), |(name, _)| Whose::Sandbox(name.clone())))
    }

    fn borrow_sandbox(&self, name: &str, borrowed: &Borrowed) -> Result<Opened, KernelError> {
        self.call(|world| {
            // One of an earlier daemon is there still.
            world.sandboxes.entry(name.to_owned()).or_default();
            world.borrowed.insert(name.to_owned(), borrowed.identity);
            Ok(opened(name))
        })
    }

    fn settle(&self) {}

    fn look(&self, _: &str) -> Result<Snapshot, KernelError> {
        self.call(|_| Ok(Snapshot::default()))
    }

    fn attach(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<Vec<PublishedPort>, KernelError> {
        self.call(|world| {
            assert!(world.networks.contains_key(&endpoint.network));
            let ports = world.bind(endpoint.id, &endpoint.ports)?;
            let endpoints = world.sandboxes.get_mut(sandbox).ok_or_else(|| missing(sandbox))?;
            assert!(endpoints.values().all(|other| other.ifname != endpoint.ifname));
            endpoints.insert(endpoint.id, endpoint.clone());
            world.known.insert(endpoint.id);
            for family in [Family::V4, Family::V6] {
                let gateway = endpoint.default_route.only(family);
                if gateway == DefaultRoute::None {
                    continue;
                }
                let route = world.routes.insert((sandbox.to_owned(), family), (endpoint.id, gateway));
                assert!(route.is_none(), "there is a default route");
            }
            Ok(ports)
        })
    }

    fn detach(&self, sandbox: &str, endpoint: EndpointId) -> Result<(), KernelError> {
        self.call(|world| {
            let endpoints = world.sandboxes.get_mut(sandbox).ok_or_else(|| missing(sandbox))?;
            endpoints.remove(&endpoint).ok_or_else(|| missing(endpoint))?;
            world.known.remove(&endpoint);
            world.ports.remove(&endpoint);
            world.routes.retain(|_, (via, _)| *via != endpoint);
            Ok(())
        })
    }

    fn adopt_endpoint(&self, sandbox: &str, endpoint: &EndpointSpec) -> Result<(), KernelError> {
        self.call(|world| {
            let known = world.sandboxes.get(sandbox).is_some_and(|all| all.contains_key(&endpoint.id));
            let gone = || KernelError::Gone(format!("{:?} is not there", endpoint.id).into());
            world.known.extend(known.then_some(endpoint.id));
            if known { Ok(()) } else { Err(gone()) }
        })
    }

    fn publish(
        &self,
        endpoint: EndpointId,
        ports: &[PortRequest],
    ) -> Result<Vec<PublishedPort>, KernelError> {
        self.call(|world| world.bind(endpoint, ports))
    }

    fn withdraw(&self, endpoint: EndpointId, ports: &[PublishedPort]) -> Result<(), KernelError> {
        self.call(|world| {
            let held = world.ports.entry(endpoint).or_default();
            held.retain(|port| !ports.contains(port));
            if held.is_empty() {
                world.ports.remove(&endpoint);
            }
            Ok(())
        })
    }

    fn move_ports(
        &self,
        from: EndpointId,
        to: EndpointId,
    ) -> Result<Option<Vec<PublishedPort>>, KernelError> {
        self.call(|world| {
            let ports = world.ports.remove(&from).unwrap_or_default();
            let before = world.ports.insert(to, ports.clone());
            assert_eq!(before, None, "ports were moved to who had some");
            Ok(Some(ports))
        })
    }

    fn set_default_route(
        &self,
        sandbox: &str,
        endpoint: EndpointId,
        before: DefaultRoute,
        after: DefaultRoute,
    ) -> Result<(), KernelError> {
        self.call(|world| {
            for family in [Family::V4, Family::V6] {
                let key = (sandbox.to_owned(), family);
                if after.leads(family) {
                    world.routes.insert(key, (endpoint, after.only(family)));
                } else if before.leads(family) && world.routes.get(&key).is_some_and(|it| it.0 == endpoint) {
                    world.routes.remove(&key);
                }
            }
            Ok(())
        })
    }

    fn set_openings(&self, network: NetworkId, openings: BTreeSet<Opening>) -> Result<(), KernelError> {
        self.call(|world| {
            world.openings.insert(network, openings);
            world.openings.retain(|_, openings| !openings.is_empty());
            Ok(())
        })
    }

    fn allow(&self, allowances: &[Allowance]) -> Result<(), KernelError> {
        self.call(|world| {
            world.allowed.extend(allowances.iter().cloned());
            Ok(())
        })
    }

    fn attempts(&self, _from: &[IpAddr]) -> Result<Vec<Attempt>, KernelError> {
        self.call(|_| Ok(Vec::new()))
    }

    fn reconcile(&self, declared: &Declared) -> Result<Report, KernelError> {
        self.call(|world| {
            world.networks =
                declared.networks.iter().map(|network| (network.id(), network.clone())).collect();
            let wanted: BTreeMap<_, BTreeSet<_>> = declared
                .sandboxes
                .iter()
                .map(|sandbox| (&sandbox.name, sandbox.endpoints.iter().map(|e| e.spec.id).collect()))
                .collect();
            let gone: Vec<_> =
                world.sandboxes.keys().filter(|name| !wanted.contains_key(name)).cloned().collect();
            world.sandboxes.retain(|name, _| wanted.contains_key(name));
            for (name, endpoints) in &mut world.sandboxes {
                endpoints.retain(|id, _| wanted[name].contains(id));
            }
            let left: BTreeSet<_> = world.sandboxes.values().flat_map(BTreeMap::keys).copied().collect();
            world.ports.retain(|id, _| left.contains(id));
            world.routes.retain(|_, (via, _)| left.contains(via));
            Ok(Report { removed: gone, ..Report::default() })
        })
    }

    fn firewall(&self) -> Result<(Listing, Figures), KernelError> {
        self.call(|_| Ok((Listing::default(), Figures::default())))
    }

    fn routes_and_links(&self) -> Result<Vec<IpNetwork>, KernelError> {
        self.call(|_| Ok(self.routes.clone()))
    }

    fn egress_mtu(&self) -> Result<Option<Mtu>, KernelError> {
        self.call(|_| Ok(1_400_u32.try_into().ok()))
    }

    fn set_mtu(&self, network: NetworkId, mtu: Mtu) -> Result<(), KernelError> {
        self.call(|world| {
            let Some(NetworkSpec::Bridge(net)) = world.networks.get_mut(&network) else {
                return Err(missing(network));
            };
            net.mtu = mtu;
            let all = world.sandboxes.values_mut().flat_map(BTreeMap::values_mut);
            all.filter(|spec| spec.network == network).for_each(|spec| spec.mtu = mtu);
            Ok(())
        })
    }

    fn forwards_v4(&self) -> Result<bool, KernelError> {
        self.call(|_| Ok(true))
    }

    fn has_ipv6(&self) -> bool {
        true
    }

    fn supports(&self, kind: Child) -> Result<bool, KernelError> {
        self.call(|_| Ok(matches!(kind, Child::Macvlan(_))))
    }
}

/// A store whose commits fail where the fuse says so.
#[derive(Default)]
pub(super) struct FakeStore {
    pub(super) store: MemoryStore,
    pub(super) fuse: Fuse,
}

impl Store for FakeStore {
    fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(table, key)
    }

    fn list(&self, table: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store.list(table)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        if !changes.is_empty() && self.fuse.burns() {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(StoreError::Write { path: PathBuf::from("fake.redb"), source });
        }
        self.store.commit(changes)
    }
}
