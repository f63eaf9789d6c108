//! Devices: which nodes a container gets, and what keeps it from the others.

use std::path::{Path, PathBuf};

use super::hostdev;
use crate::bundle;
use crate::launch::{DeviceNode, DevicePlan};
use crate::spec::{ContainerSpec, Mount, MountSource};

/// The devices that every container has.
const DEVICES: &[(&str, u64, u64)] = &[
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// What keeps a container from opening the machine's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceGuard {
    /// Every file system that it can write to has `nodev`: costs nothing, and holds as long as it can't mount.
    MountFlags,
    /// The devices cgroup.
    Cgroup,
    /// Nothing: it is privileged.
    None,
}

/// What guards the devices of this container.
pub(super) fn device_guard(spec: &ContainerSpec) -> DeviceGuard {
    if spec.privileged {
        return DeviceGuard::None;
    }
    let can_mount = spec.process.capabilities.iter().any(|name| name == "CAP_SYS_ADMIN");
    let partly = spec.devices.iter().any(|device| !["", "rwm", "rw"].contains(&device.permissions.as_str()));
    let shows_dev = |mount: &Mount| match &mount.source {
        MountSource::Bind(source) => source.starts_with("/dev") || source == Path::new("/"),
        MountSource::Tmpfs => false,
    };
    let by_rules = !spec.resources.device_rules.is_empty();
    if can_mount || partly || by_rules || spec.mounts.iter().any(shows_dev) {
        DeviceGuard::Cgroup
    } else {
        DeviceGuard::MountFlags
    }
}

/// The nodes that the container gets.
pub(super) fn devices(spec: &ContainerSpec, guard: DeviceGuard) -> Vec<DevicePlan> {
    let mut plans: Vec<DevicePlan> = DEVICES
        .iter()
        .map(|(path, major, minor)| {
            let made =
                DeviceNode::Make { block: false, major: *major, minor: *minor, mode: 0o666, uid: 0, gid: 0 };
            let path = PathBuf::from(path);
            let node = if guard == DeviceGuard::MountFlags { DeviceNode::Bind(path.clone()) } else { made };
            DevicePlan { path, node }
        })
        .collect();
    if spec.privileged {
        plans.extend(
            hostdev::all()
                .into_iter()
                .filter(|found| !DEVICES.iter().any(|own| found.path == Path::new(own.0))),
        );
    }
    for device in &spec.devices {
        let made = bundle::node(&device.host).filter(|_| guard != DeviceGuard::MountFlags);
        let node = match made {
            Some((block, major, minor)) => made_like(&device.host, block, major, minor),
            // a missing node is reported when it is bound
            None => DeviceNode::Bind(device.host.clone()),
        };
        plans.retain(|plan| plan.path != device.container);
        plans.push(DevicePlan { path: device.container.clone(), node });
    }
    plans
}

fn made_like(host: &Path, block: bool, major: u64, minor: u64) -> DeviceNode {
    use std::os::unix::fs::MetadataExt;
    let (mode, uid, gid) = std::fs::metadata(host)
        .map_or((0o666, 0, 0), |found| (found.mode() & 0o777, found.uid(), found.gid()));
    DeviceNode::Make { block, major, minor, mode, uid, gid }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Device;

    #[test]
    fn flags_guard_as_long_as_nobody_can_mount_or_sees_the_hosts_nodes() {
        let guard = |change: &dyn Fn(&mut ContainerSpec)| {
            let mut spec = ContainerSpec::default();
            change(&mut spec);
            device_guard(&spec)
        };
        let device = |permissions: &str| Device {
            host: "/dev/fuse".into(),
            container: "/dev/fuse".into(),
            permissions: permissions.to_owned(),
        };
        let bind = |source: &str| Mount {
            target: "/x".into(),
            source: MountSource::Bind(source.into()),
            options: Vec::new(),
        };
        assert_eq!(guard(&|_| {}), DeviceGuard::MountFlags);
        assert_eq!(guard(&|spec| spec.devices.push(device("rwm"))), DeviceGuard::MountFlags);
        assert_eq!(guard(&|spec| spec.devices.push(device("r"))), DeviceGuard::Cgroup);
        assert_eq!(guard(&|spec| spec.mounts.push(bind("/srv"))), DeviceGuard::MountFlags);
        assert_eq!(guard(&|spec| spec.mounts.push(bind("/dev/snd"))), DeviceGuard::Cgroup);
        assert_eq!(guard(&|spec| spec.mounts.push(bind("/"))), DeviceGuard::Cgroup);
        assert_eq!(
            guard(&|spec| spec.process.capabilities.push("CAP_SYS_ADMIN".to_owned())),
            DeviceGuard::Cgroup
        );
        assert_eq!(guard(&|spec| spec.privileged = true), DeviceGuard::None);
    }
}
