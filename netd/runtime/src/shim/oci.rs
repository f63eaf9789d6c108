//! Handing the bundle to an OCI runtime binary. (Not yet built.)

use super::container::Born;
use super::session::{ChildEnds, Session};
use crate::error::LaunchError;
use crate::launch::Launch;

pub(super) fn create(_: &Launch, _: Option<ChildEnds>, _: &mut Session) -> Result<Born, LaunchError> {
    Err(LaunchError::other("OCI runtimes", "not yet"))
}

pub(super) fn start(_: &Launch) -> Result<(), LaunchError> {
    Ok(())
}

pub(super) fn delete(_: &Launch) {}

pub(super) fn join_cgroups(_member: i32, _pid: i32) -> Result<(), String> {
    Ok(())
}

pub(super) fn freeze(_: &Launch, _: bool) -> Result<(), String> {
    Ok(())
}
