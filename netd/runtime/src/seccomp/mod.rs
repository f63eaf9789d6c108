//! System call filters: Docker's default policy, profiles in Docker's JSON format, their OCI form, and their compiled one.

mod compile;
mod default;
mod profile;
mod syscalls;

pub(crate) use compile::Filters;
pub(crate) use profile::{profile, to_oci};
