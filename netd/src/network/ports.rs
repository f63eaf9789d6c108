//! A container asks for other ports while it runs: those that stay are not touched.

use libnet::{ports::PortRequest, store::Change, types::ContainerId};

use super::{
    NetworkError,
    inner::Inner,
    record::{SANDBOXES, SandboxRecord},
};
use crate::error::chain;

impl Inner {
    /// Publishes what is asked for and not published yet, and takes back what is published and not asked for; all of it,
    /// or nothing. A container without a gateway publishes nothing until it has one.
    pub(super) fn set_ports(
        &self,
        container: ContainerId,
        requests: &[PortRequest],
    ) -> Result<(), NetworkError> {
        let sandbox = self.state().sandbox(container).cloned();
        let Some(before) = sandbox else { return Ok(()) };
        self.ask_from_now_on(SandboxRecord { requests: requests.to_vec(), ..before.clone() })?;
        self.settle_roles(container, None).inspect_err(|_| {
            if let Err(error) = self.ask_from_now_on(before) {
                tracing::error!(container.id = %container, error = chain(&error), "ports of a failed request stay noted");
            }
        })?;
        let endpoints = self.state().endpoints_of(container);
        endpoints.iter().try_for_each(|record| self.relink(record.network))
    }

    fn ask_from_now_on(&self, sandbox: SandboxRecord) -> Result<(), NetworkError> {
        self.live.commit(&[Change::put(SANDBOXES, sandbox.container, &sandbox)?])?;
        self.state().restore_sandbox(sandbox);
        Ok(())
    }
}
