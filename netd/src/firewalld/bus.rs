//! What we say to firewalld over D-Bus, and what it answers: firewalld.dbus(5).

use std::{collections::HashMap, io, time::Duration};

use libnet::types::IfName;
use zbus::{Connection, connection::Builder, proxy, zvariant::Value};

use super::zone::Zone;

/// firewalld's name on the bus.
pub(super) const NAME: &str = "org.fedoraproject.FirewallD1";
/// Nothing of all this takes long, but for a reload.
const PATIENCE: Duration = Duration::from_secs(20);

/// Our zone, and the policy that leads into it. A name has 17 characters at most.
pub(super) const ZONE: &str = "pontoon";
const POLICY: &str = "pontoon-into";

#[proxy(
    interface = "org.fedoraproject.FirewallD1",
    default_service = "org.fedoraproject.FirewallD1",
    default_path = "/org/fedoraproject/FirewallD1"
)]
pub(super) trait Daemon {
    #[zbus(name = "reload")]
    fn reload(&self) -> zbus::Result<()>;

    #[zbus(signal)]
    fn reloaded(&self) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.fedoraproject.FirewallD1.zone",
    default_service = "org.fedoraproject.FirewallD1",
    default_path = "/org/fedoraproject/FirewallD1"
)]
trait Zones {
    #[zbus(name = "getZones")]
    fn zones(&self) -> zbus::Result<Vec<String>>;
    #[zbus(name = "getInterfaces")]
    fn interfaces(&self, zone: &str) -> zbus::Result<Vec<String>>;
    #[zbus(name = "getZoneOfInterface")]
    fn zone_of(&self, interface: &str) -> zbus::Result<String>;
    #[zbus(name = "addInterface")]
    fn add_interface(&self, zone: &str, interface: &str) -> zbus::Result<String>;
    #[zbus(name = "removeInterface")]
    fn remove_interface(&self, zone: &str, interface: &str) -> zbus::Result<String>;
}

#[proxy(
    interface = "org.fedoraproject.FirewallD1.policy",
    default_service = "org.fedoraproject.FirewallD1",
    default_path = "/org/fedoraproject/FirewallD1"
)]
trait Policies {
    #[zbus(name = "getPolicies")]
    fn policies(&self) -> zbus::Result<Vec<String>>;
}

type Settings<'a> = HashMap<&'a str, Value<'a>>;

/// What is kept over reloads and restarts.
#[proxy(
    interface = "org.fedoraproject.FirewallD1.config",
    default_service = "org.fedoraproject.FirewallD1",
    default_path = "/org/fedoraproject/FirewallD1/config"
)]
trait Lasting {
    #[zbus(name = "getZoneNames")]
    fn zone_names(&self) -> zbus::Result<Vec<String>>;
    #[zbus(name = "getPolicyNames")]
    fn policy_names(&self) -> zbus::Result<Vec<String>>;
    #[zbus(name = "addZone2")]
    fn add_zone(&self, zone: &str, settings: &Settings<'_>) -> zbus::Result<zbus::zvariant::OwnedObjectPath>;
    #[zbus(name = "addPolicy")]
    fn add_policy(
        &self,
        policy: &str,
        settings: &Settings<'_>,
    ) -> zbus::Result<zbus::zvariant::OwnedObjectPath>;
    #[zbus(name = "getZoneByName")]
    fn zone(&self, name: &str) -> zbus::Result<zbus::zvariant::OwnedObjectPath>;
    #[zbus(name = "getPolicyByName")]
    fn policy(&self, name: &str) -> zbus::Result<zbus::zvariant::OwnedObjectPath>;
}

#[proxy(
    interface = "org.fedoraproject.FirewallD1.config.zone",
    default_service = "org.fedoraproject.FirewallD1"
)]
trait LastingZone {
    #[zbus(name = "remove")]
    fn remove(&self) -> zbus::Result<()>;
}

#[proxy(
    interface = "org.fedoraproject.FirewallD1.config.policy",
    default_service = "org.fedoraproject.FirewallD1"
)]
trait LastingPolicy {
    #[zbus(name = "remove")]
    fn remove(&self) -> zbus::Result<()>;
}

/// The system bus at `address`.
pub(super) async fn connect(address: &str) -> zbus::Result<Connection> {
    let connecting = Builder::address(address)?.method_timeout(PATIENCE).build();
    let connected = tokio::time::timeout(PATIENCE, connecting).await;
    connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Whether firewalld uses our zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Yes,
    /// It has the zone in its configuration, and does not use it.
    No,
}

/// Sees to it that firewalld has our zone and the policy that leads into it, in what it does and in what it keeps. A zone
/// that is new to it takes a reload to be there; `reload` says whether that is worth it.
pub(super) async fn prepare(bus: &Connection, reload: bool) -> zbus::Result<Ready> {
    let lasting = LastingProxy::new(bus).await?;
    if !lasting.zone_names().await?.iter().any(|zone| zone == ZONE) {
        lasting.add_zone(ZONE, &zone_settings()).await?;
        tracing::info!(zone = ZONE, "zone added to firewalld");
    }
    if !lasting.policy_names().await?.iter().any(|policy| policy == POLICY) {
        lasting.add_policy(POLICY, &policy_settings()).await?;
    }
    if is_ready(bus).await? {
        return Ok(Ready::Yes);
    }
    if reload {
        DaemonProxy::new(bus).await?.reload().await?;
    }
    Ok(if is_ready(bus).await? { Ready::Yes } else { Ready::No })
}

async fn is_ready(bus: &Connection) -> zbus::Result<bool> {
    let has_zone = ZonesProxy::new(bus).await?.zones().await?.iter().any(|zone| zone == ZONE);
    Ok(has_zone && PoliciesProxy::new(bus).await?.policies().await?.iter().any(|policy| policy == POLICY))
}

fn zone_settings() -> Settings<'static> {
    HashMap::from([
        (
            "description",
            Value::from("Bridges of Pontoon's networks; what may pass is decided in table inet pontoon."),
        ),
        ("target", "ACCEPT".into()),
    ])
}

fn policy_settings() -> Settings<'static> {
    HashMap::from([
        (
            "description",
            Value::from("Into Pontoon's networks; what may pass is decided in table inet pontoon."),
        ),
        ("ingress_zones", vec!["ANY"].into()),
        ("egress_zones", vec![ZONE].into()),
        ("target", "ACCEPT".into()),
    ])
}

/// Makes `links` the interfaces of our zone, for as long as firewalld runs and is not reloaded. One that its user put
/// into another zone stays there.
pub(super) async fn assign(bus: &Connection, links: &[IfName]) -> zbus::Result<()> {
    let zones = ZonesProxy::new(bus).await?;
    let there = zones.interfaces(ZONE).await?;
    for link in there.iter().filter(|link| !links.iter().any(|wanted| wanted.as_str() == *link)) {
        expect(zones.remove_interface(ZONE, link).await, "UNKNOWN_INTERFACE")?;
        tracing::info!(if.name = %link, zone = ZONE, "link taken out of firewalld's zone");
    }
    for link in links.iter().filter(|link| !there.iter().any(|there| there == link.as_str())) {
        match zones.add_interface(ZONE, link.as_str()).await {
            Err(error) if says(&error, "ZONE_CONFLICT") => {
                tracing::warn!(if.name = %link, "link stays in another zone of firewalld, which decides what passes");
            }
            added => {
                expect(added, "ALREADY_SET")?;
                tracing::info!(if.name = %link, zone = ZONE, "link put into firewalld's zone");
            }
        }
    }
    Ok(())
}

/// What firewalld has of ours, which are `links`.
pub(super) async fn look(bus: &Connection, links: &[IfName]) -> zbus::Result<Zone> {
    if !is_ready(bus).await? {
        return Ok(Zone::default());
    }
    let zones = ZonesProxy::new(bus).await?;
    let there = zones.interfaces(ZONE).await?;
    let mut elsewhere = Vec::new();
    for link in links.iter().filter(|link| !there.iter().any(|there| there == link.as_str())) {
        let zone = zones.zone_of(link.as_str()).await?;
        elsewhere.push((link.clone(), (!zone.is_empty()).then_some(zone)));
    }
    Ok(Zone { is_used: true, links: there, elsewhere })
}

/// Takes all of ours out of firewalld. Zone and policy are gone from what it keeps; what it does it forgets with the next
/// reload, which is not ours to ask for: it would lose what others have changed meanwhile. What was installed with us
/// (`dist/firewalld`) stays: it is no more ours to remove than the program is.
pub(super) async fn withdraw(bus: &Connection) -> zbus::Result<()> {
    if ZonesProxy::new(bus).await?.zones().await?.iter().any(|zone| zone == ZONE) {
        assign(bus, &[]).await?;
    }
    let lasting = LastingProxy::new(bus).await?;
    // The policy first: it names the zone.
    if let Ok(path) = lasting.policy(POLICY).await {
        expect(LastingPolicyProxy::new(bus, path).await?.remove().await, "BUILTIN_POLICY")?;
    }
    if let Ok(path) = lasting.zone(ZONE).await {
        let removed = LastingZoneProxy::new(bus, path).await?.remove().await;
        if removed.is_ok() {
            tracing::info!(zone = ZONE, "zone removed from firewalld");
        }
        expect(removed, "BUILTIN_ZONE")?;
    }
    Ok(())
}

/// Takes an error of that kind for what was wanted anyway.
fn expect<T>(result: zbus::Result<T>, kind: &str) -> zbus::Result<()> {
    match result {
        Err(error) if says(&error, kind) => Ok(()),
        other => other.map(drop),
    }
}

/// firewalld begins its texts with the kind of error.
fn says(error: &zbus::Error, kind: &str) -> bool {
    matches!(error, zbus::Error::MethodError(_, Some(text), _) if text.contains(kind))
}
