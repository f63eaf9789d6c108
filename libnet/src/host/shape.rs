//! Limits how fast packets come to containers and from them, and puts right what somebody else did to that.

use nix::errno::Errno;

use super::{
    Declared, EndpointSpec, HostError, Inner, NetworkSpec, Report, StepError,
    effects::{Effects, Inverse, done},
};
use crate::{
    bridge::{
        self, Detour, Limit, Step,
        names::{GROUP, host_link},
    },
    link::shape,
    observe::{Queues, Snapshot},
    plan::Apply as _,
    sys::rtnl::NetlinkError,
    types::IfName,
};

/// This kernel can't limit an endpoint.
#[derive(Debug, thiserror::Error)]
#[error("this kernel can't limit how fast packets {way} a container: it needs {needs}")]
pub struct UnlimitedError {
    way: &'static str,
    needs: &'static str,
    #[source]
    source: NetlinkError,
}

impl Effects<'_> {
    pub(super) fn limit(&mut self, limit: &Limit) -> Inverse {
        let index = self.index_of(&limit.host)?;
        // It goes with the link.
        done(self.socket.send(vec![shape::limit(index, limit.rate, limit.mtu)]).map_err(unsupported_in))
    }

    /// A detour that is there already is put right.
    pub(super) fn detour(&mut self, detour: &Detour) -> Inverse {
        let host = self.index_of(&detour.host)?;
        let through = self.detour_link(detour)?;
        let made = self.socket.send(vec![
            shape::own_detour(&detour.through, detour.alias.clone(), detour.mtu, &self.host.links_v6),
            shape::limit(through, detour.rate, detour.mtu),
            shape::watch_received(host),
            shape::send_through(host, through),
        ]);
        match made {
            Ok(()) => Ok(Some(Step::Condemn(detour.through.clone()))),
            Err(error) => {
                self.condemn(&detour.through)?;
                Err(unsupported_out(error))
            }
        }
    }

    /// The index of the link, which is made if it is not there.
    fn detour_link(&mut self, detour: &Detour) -> Result<u32, StepError> {
        let create = || vec![shape::create_detour(&detour.through, detour.mtu, GROUP)];
        match self.socket.send(create()) {
            Err(error) if error.is(Errno::EEXIST) => {
                // The endpoint was here a moment ago.
                if self.is_leaving(&detour.through)? {
                    self.host.janitor.sweep();
                    self.socket.send(create())?;
                }
            }
            other => other.map_err(unsupported_out)?,
        }
        self.index_of(&detour.through)
    }

    /// What an endpoint receives goes no other way any more. That there was none is no error.
    fn straighten(&mut self, host: &IfName) -> Result<(), StepError> {
        let index = self.index_of(host)?;
        match self.socket.send(vec![shape::unwatch_received(index)]) {
            Err(error) if error.is(Errno::ENOENT) || error.is(Errno::EINVAL) => Ok(()),
            other => Ok(other?),
        }
    }
}

fn unsupported_in(source: NetlinkError) -> StepError {
    unsupported("to", "sch_tbf", source)
}

fn unsupported_out(source: NetlinkError) -> StepError {
    unsupported("from", "ifb, sch_tbf, sch_ingress, cls_u32 and act_mirred", source)
}

fn unsupported(way: &'static str, needs: &'static str, source: NetlinkError) -> StepError {
    match source.is(Errno::EOPNOTSUPP) || source.is(Errno::ENOENT) {
        true => StepError::Unlimited(UnlimitedError { way, needs, source }),
        false => source.into(),
    }
}

impl Inner {
    /// The endpoints that are not limited as they should be. Nobody is asked where nobody is limited.
    pub(super) fn unlimited(
        &self,
        declared: &Declared,
        seen: &Snapshot,
    ) -> Result<Vec<EndpointSpec>, HostError> {
        let on_bridge = |ep: &&EndpointSpec| {
            let of = declared.networks.iter().find(|net| net.id() == ep.network);
            matches!(of, Some(NetworkSpec::Bridge(_)))
        };
        let endpoints = declared.sandboxes.iter().flat_map(|sandbox| &sandbox.endpoints);
        let limited =
            endpoints.map(|endpoint| &endpoint.spec).filter(|ep| ep.rates.is_any()).filter(on_bridge);
        let limited: Vec<&EndpointSpec> = limited.collect();
        if limited.is_empty() {
            return Ok(Vec::new());
        }
        let index = |name: IfName| seen.links.iter().find(|link| link.name == name).map(|link| link.index);
        let detoured = limited.iter().filter(|ep| ep.rates.out.is_some());
        let detoured: Vec<u32> = detoured.filter_map(|ep| index(host_link(&ep.id))).collect();
        let mut socket = self.sockets.admit().map_err(HostError::Open)?;
        let queues = Queues::read(&mut socket, &detoured)?;
        Ok(bridge::unlimited(limited.into_iter(), seen, &queues))
    }

    pub(super) fn limit_anew(&self, endpoints: &[EndpointSpec], report: &mut Report) {
        for ep in endpoints {
            let host = host_link(&ep.id);
            let failed = |source| HostError::of_step(&format!("limit the traffic of link {host}"), source);
            match self.limit_one_anew(ep, &host) {
                Ok(()) => report.repaired.push(format!("rate of link {host}")),
                Err(error) => report.errors.push(failed(error)),
            }
        }
    }

    fn limit_one_anew(&self, ep: &EndpointSpec, host: &IfName) -> Result<(), StepError> {
        let mut effects = Effects::on(self)?;
        effects.straighten(host)?;
        bridge::limits(ep).try_for_each(|step| effects.apply(&step).map(drop))
    }
}
