//! Networks that were given no MTU: they have that of the link that packets leave the host by, and follow it when it
//! changes, or when packets begin to leave by another. Without a default route they keep what they have.

use libnet::{
    store::Change,
    types::{Mtu, NetworkId},
};

use super::{
    NetworkError,
    inner::{Inner, failed, put_endpoint},
    record::{EndpointRecord, NETWORKS},
};
use crate::error::chain;

impl Inner {
    /// Packets leave the host by a link with this MTU from now on.
    pub(super) fn follow(&self, way_out: Mtu) {
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

    fn resize(&self, id: NetworkId, mtu: Mtu) -> Result<(), NetworkError> {
        let _changing = self.changing_records();
        let before = self.state().network(id)?.mtu();
        let name = self.note_mtu(id, mtu).inspect_err(|_| {
            if let Err(error) = self.note_mtu(id, before) {
                tracing::error!(network.id = %id, error = chain(&error), "network has another MTU on record than in the kernel");
            }
        })?;
        self.kernel.set_mtu(id, mtu).map_err(failed("set the MTU of network", name))
    }

    /// In memory and on disk; the network's name.
    fn note_mtu(&self, id: NetworkId, mtu: Mtu) -> Result<String, NetworkError> {
        let (record, endpoints) = self.state().set_mtu(id, mtu)?;
        self.declared.commit(&[Change::put(NETWORKS, id, &record)?])?;
        let changes = endpoints.iter().map(put_endpoint).collect::<Result<Vec<_>, _>>()?;
        self.live.commit(&changes)?;
        Ok(record.name)
    }
}
