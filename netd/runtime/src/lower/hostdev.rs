//! The machine's devices, which a privileged container gets all of.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::bundle::node;
use crate::launch::{DeviceNode, DevicePlan};

/// Directories of `/dev` that are mounts of the container's own.
const OWN: &[&str] = &["pts", "shm", "mqueue", "fd"];

/// Every device node below `/dev`.
pub(crate) fn all() -> Vec<DevicePlan> {
    let mut plans = Vec::new();
    collect(Path::new("/dev"), &mut plans);
    plans
}

fn collect(directory: &Path, plans: &mut Vec<DevicePlan>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(found) = entry.metadata() else { continue };
        let own = OWN.iter().any(|name| path == Path::new("/dev").join(name));
        if found.is_dir() && !own {
            collect(&path, plans);
        } else if let Some((block, major, minor)) = node(&path).filter(|_| !found.is_symlink()) {
            // the first process' terminal is bound there
            if path != Path::new("/dev/console") && path != Path::new("/dev/ptmx") {
                let mode = found.mode() & 0o777;
                let node = DeviceNode::Make { block, major, minor, mode, uid: found.uid(), gid: found.gid() };
                plans.push(DevicePlan { path, node });
            }
        }
    }
}
