//! Mounts: options become attributes, propagation, and what the file system itself is told.

use nix::libc;
use oci_spec::runtime as oci;

use super::devices::DeviceGuard;
use crate::launch::{MountFrom, MountPlan};

/// What an option of a mount means.
enum Meaning {
    Attr(u64),
    Clear(u64),
    Propagation(u64, bool),
    Recursive,
    /// Goes to the file system.
    Data,
    /// Says nothing that is not so anyway.
    Nothing,
}

fn meaning(option: &str) -> Meaning {
    use rustix::mount::MountAttrFlags as Flag;
    let attr = |flag: Flag| Meaning::Attr(flag.bits().into());
    match option {
        "ro" | "rro" => attr(Flag::MOUNT_ATTR_RDONLY),
        "nosuid" => attr(Flag::MOUNT_ATTR_NOSUID),
        "nodev" => attr(Flag::MOUNT_ATTR_NODEV),
        "noexec" => attr(Flag::MOUNT_ATTR_NOEXEC),
        "noatime" => attr(Flag::MOUNT_ATTR_NOATIME),
        "strictatime" => attr(Flag::MOUNT_ATTR_STRICTATIME),
        "nodiratime" => attr(Flag::MOUNT_ATTR_NODIRATIME),
        "rw" => Meaning::Clear(Flag::MOUNT_ATTR_RDONLY.bits().into()),
        "suid" => Meaning::Clear(Flag::MOUNT_ATTR_NOSUID.bits().into()),
        "dev" => Meaning::Clear(Flag::MOUNT_ATTR_NODEV.bits().into()),
        "exec" => Meaning::Clear(Flag::MOUNT_ATTR_NOEXEC.bits().into()),
        "private" => Meaning::Propagation(libc::MS_PRIVATE, false),
        "rprivate" => Meaning::Propagation(libc::MS_PRIVATE, true),
        "slave" => Meaning::Propagation(libc::MS_SLAVE, false),
        "rslave" => Meaning::Propagation(libc::MS_SLAVE, true),
        "shared" => Meaning::Propagation(libc::MS_SHARED, false),
        "rshared" => Meaning::Propagation(libc::MS_SHARED, true),
        "rbind" => Meaning::Recursive,
        // a devpts of one's own is the only kind since 4.7
        "bind" | "defaults" | "async" | "relatime" | "newinstance" | "z" | "Z" | "cached" | "delegated"
        | "consistent" | "copy" | "nocopy" => Meaning::Nothing,
        _ => Meaning::Data,
    }
}

/// The plan for one mount.
pub(super) fn mount_plan(mount: &oci::Mount, guard: DeviceGuard) -> MountPlan {
    let fstype = mount.typ().clone().unwrap_or_default();
    let bind = fstype == "bind";
    let mut attr = 0;
    let mut propagation = if bind { libc::MS_PRIVATE } else { 0 };
    let mut recursive = false;
    let mut data = Vec::new();
    for option in mount.options().iter().flatten() {
        match meaning(option) {
            Meaning::Attr(bits) => attr |= bits,
            Meaning::Clear(bits) => attr &= !bits,
            Meaning::Propagation(kind, all) => {
                propagation = kind;
                recursive |= all && bind;
            }
            Meaning::Recursive => recursive = true,
            Meaning::Data => data.push(match option.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (option.clone(), None),
            }),
            Meaning::Nothing => {}
        }
    }
    // the terminals are devices, and nobody can make others there
    if guard == DeviceGuard::MountFlags && fstype != "devpts" {
        attr |= u64::from(rustix::mount::MountAttrFlags::MOUNT_ATTR_NODEV.bits());
    }
    let source = mount.source().clone().unwrap_or_default();
    let source = match fstype.as_str() {
        "bind" => MountFrom::Bind { source },
        "cgroup" => MountFrom::Cgroup,
        _ => MountFrom::New { fstype, source: source.display().to_string(), options: data },
    };
    MountPlan { target: mount.destination().clone(), source, attr, propagation, recursive }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(typ: &str, options: &[&str], guard: DeviceGuard) -> MountPlan {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let mount = oci::MountBuilder::default().destination("/x").typ(typ).source("/y").options(options);
        mount_plan(&mount.build().unwrap(), guard)
    }

    #[test]
    fn options_become_numbers() {
        let bind = plan("bind", &["rbind", "ro", "nosuid", "rslave"], DeviceGuard::None);
        assert_eq!((bind.attr, bind.propagation, bind.recursive), (0x1 | 0x2, libc::MS_SLAVE, true));
        let plain = plan("bind", &["bind"], DeviceGuard::Cgroup);
        assert_eq!((plain.attr, plain.propagation, plain.recursive), (0, libc::MS_PRIVATE, false));
        let tmpfs = plan("tmpfs", &["noexec", "size=1m", "exec", "huge"], DeviceGuard::MountFlags);
        assert_eq!(tmpfs.attr, 0x4, "the last word counts, and devices are shut");
        let MountFrom::New { options, .. } = tmpfs.source else { panic!("a new file system") };
        assert_eq!(options, [("size".to_owned(), Some("1m".to_owned())), ("huge".to_owned(), None)]);
        assert_eq!(
            plan("devpts", &["newinstance"], DeviceGuard::MountFlags).attr,
            0,
            "terminals are devices"
        );
    }
}
