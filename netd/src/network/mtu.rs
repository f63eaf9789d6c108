//! Networks that were given no MTU: they have that of the link that packets leave the host by, and follow it when it
//! changes, or when packets begin to leave by another. Without a default route they keep what they have.

use libnet::{
    store::Change,
    types::{Mtu, NetworkId},
};

use super::{
    NetworkError,
    inner::{Inner, failed, put_endpoint},
    record::{EndpointRecord, NETWORKS, NetworkRecord},
};
use crate::error::chain;

/// A network that has another MTU.
struct Resized {
    network: NetworkRecord,
    endpoints: Vec<EndpointRecord>,
    /// Whether all of it has, in the kernel.
    set: Result<(), NetworkError>,
}

impl Inner {
    /// Packets leave the host by a link with this MTU from now on.
    pub(super) fn follow(&self, way_out: Mtu) {
        self.after_plans();
        let state = self.state();
        let behind: Vec<_> = state
            .networks()
            .filter_map(|record| Some((record.id, record.mtu_behind(way_out)?, record.mtu())))
            .filter(|(_, wanted, has)| wanted != has)
            .collect();
        drop(state);
        for (id, mtu, _) in behind {
            if let Err(error) = self.resize(id, mtu) {
                tracing::error!(network.id = %id, error = chain(&error), "network has not the MTU of the way out");
            }
        }
    }

    /// An endpoint that was planned before its network got another MTU gets it, too.
    pub(super) fn catch_up(&self, planned: &EndpointRecord) -> Result<(), NetworkError> {
        let Some(spec) = &planned.spec else { return Ok(()) };
        let mtu = self.state().network(planned.network)?.mtu();
        if spec.mtu == mtu { Ok(()) } else { self.resize(planned.network, mtu) }
    }

    /// What can't be written down is not done.
    pub(super) fn resize(&self, id: NetworkId, mtu: Mtu) -> Result<(), NetworkError> {
        let _changing = self.changing_records();
        let before = self.state().network(id)?.mtu();
        let resized = self.set_mtu(id, mtu)?;
        self.note_mtu(&resized).inspect_err(|_| {
            let undone = self.set_mtu(id, before).and_then(|as_before| {
                self.note_mtu(&as_before)?;
                as_before.set
            });
            if let Err(error) = undone {
                tracing::error!(network.id = %id, error = chain(&error), "network may have another MTU than is on record");
            }
        })?;
        resized.set
    }

    fn set_mtu(&self, id: NetworkId, mtu: Mtu) -> Result<Resized, NetworkError> {
        let (network, endpoints) = self.state().set_mtu(id, mtu)?;
        // Goes on after errors: most of the network has it.
        let set = self.kernel.set_mtu(id, mtu).map_err(failed("set the MTU of network", &network.name));
        Ok(Resized { network, endpoints, set })
    }

    /// On disk, once it is so: a daemon that is killed in between finds the former one there, and follows when it starts.
    fn note_mtu(&self, resized: &Resized) -> Result<(), NetworkError> {
        let network = &resized.network;
        self.declared.commit(&[Change::put(NETWORKS, network.id, network)?])?;
        let changes = resized.endpoints.iter().map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        Ok(self.live.commit(&changes)?)
    }
}
