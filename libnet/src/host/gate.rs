//! Firewall and host ports, as the effects see them.

use super::{BridgeNetwork, Declared, StepError};
use crate::{
    bridge::Admission,
    ports::{PortRequest, PublishedPort},
    types::{EndpointId, NetworkId},
};

/// Ports held.
#[derive(Debug)]
pub(crate) struct Reservation(Vec<PublishedPort>);

impl Reservation {
    pub(crate) fn ports(&self) -> &[PublishedPort] {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Gate;

impl Gate {
    pub(crate) fn open() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn admit_network(&self, _net: &BridgeNetwork) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn expel_network(&self, _id: NetworkId) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn admit_endpoint(
        &self,
        _who: &Admission,
        _ports: Option<&Reservation>,
    ) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn republish(&self, _who: &Admission, _ports: &[PublishedPort]) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn replace(&self, _declared: &Declared) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn clear(&self) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn expel_endpoint(&self, _id: EndpointId) -> Result<(), StepError> {
        Ok(())
    }

    pub(crate) fn reserve(&self, _requests: &[PortRequest]) -> Result<Reservation, StepError> {
        Ok(Reservation(Vec::new()))
    }
}
