//! What a container may do: capabilities, security options, namespaces, devices, sysctls.

use std::{collections::BTreeMap, path::PathBuf};

use netd_api::models;
use netd_runtime::{Device, Seccomp};

use crate::container::{ContainerError, error::invalid};

/// What a process may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) struct Rights {
    pub(in crate::container) capabilities: Vec<String>,
    pub(in crate::container) no_new_privileges: bool,
    pub(in crate::container) seccomp: Seccomp,
    /// `systempaths=unconfined`: nothing masked, nothing read-only.
    pub(in crate::container) all_paths: bool,
}

/// A namespace, as named by a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) enum Space {
    /// A new one.
    Private,
    /// The machine's.
    Host,
    /// Another container's, by id or name.
    Container(String),
}

/// Which namespaces a container gets, besides its network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) struct Spaces {
    pub(in crate::container) pid: Space,
    pub(in crate::container) ipc: Space,
    pub(in crate::container) uts: Space,
    pub(in crate::container) cgroup: Space,
}

/// Reads capabilities and security options.
pub(in crate::container) fn rights(
    host: &models::HostConfig,
    no_new_privileges: bool,
) -> Result<Rights, ContainerError> {
    let privileged = host.privileged == Some(true);
    let mut rights = Rights {
        capabilities: capabilities(host.cap_add.as_deref(), host.cap_drop.as_deref(), privileged)?,
        no_new_privileges,
        seccomp: if privileged { Seccomp::Unconfined } else { Seccomp::Default },
        all_paths: privileged,
    };
    for option in host.security_opt.iter().flatten() {
        let (key, value) = option.split_once(['=', ':']).unwrap_or((option, ""));
        match (key, value) {
            ("no-new-privileges", "" | "true") => rights.no_new_privileges = true,
            ("no-new-privileges", "false") => rights.no_new_privileges = false,
            ("seccomp", "unconfined") => rights.seccomp = Seccomp::Unconfined,
            ("seccomp", "builtin" | "default") => rights.seccomp = Seccomp::Default,
            ("seccomp", profile) => rights.seccomp = Seccomp::Profile(profile.to_owned()),
            ("systempaths", "unconfined") => rights.all_paths = true,
            // Nothing is confined by either here; asking for that is granted.
            ("apparmor", "unconfined") | ("label", "disable") => {}
            ("apparmor" | "label", _) => {
                return Err(ContainerError::NotImplemented(format!(
                    "security option \"{option}\" is not supported by this daemon: it does not load AppArmor or SELinux profiles"
                )));
            }
            _ => return invalid(format!("invalid --security-opt 2: \"{option}\"")),
        }
    }
    Ok(rights)
}

/// The default capabilities, with some more and some less; `ALL` stands for all that the machine lets us give.
pub(in crate::container) fn capabilities(
    add: Option<&[String]>,
    drop: Option<&[String]>,
    privileged: bool,
) -> Result<Vec<String>, ContainerError> {
    let all = netd_runtime::capabilities::all();
    let chosen = netd_runtime::capabilities::choose(add.unwrap_or_default(), drop.unwrap_or_default(), &all)?;
    Ok(if privileged { all } else { chosen })
}

/// Reads `PidMode`, `IpcMode`, `UTSMode`, `CgroupnsMode` and refuses user namespaces, which we don't make yet.
pub(in crate::container) fn spaces(host: &models::HostConfig) -> Result<Spaces, ContainerError> {
    use models::HostConfigCgroupnsModeEnum as Cgroupns;
    if let Some(mode) = host.userns_mode.as_deref().filter(|mode| !matches!(*mode, "" | "host")) {
        return invalid(format!("invalid userns mode: {mode}"));
    }
    let privileged = host.privileged == Some(true);
    Ok(Spaces {
        pid: space("pid", host.pid_mode.as_deref())?,
        ipc: match host.ipc_mode.as_deref() {
            Some("private" | "shareable" | "none") => Space::Private,
            mode => space("IPC", mode)?,
        },
        uts: match host.uts_mode.as_deref() {
            Some(mode) if mode.starts_with("container:") => {
                return invalid(format!("invalid UTS mode: {mode}"));
            }
            mode => space("UTS", mode)?,
        },
        cgroup: match host.cgroupns_mode {
            Some(Cgroupns::HOST) => Space::Host,
            Some(Cgroupns::PRIVATE) => Space::Private,
            None | Some(Cgroupns::EMPTY) if privileged => Space::Host,
            None | Some(Cgroupns::EMPTY) => Space::Private,
        },
    })
}

fn space(kind: &str, mode: Option<&str>) -> Result<Space, ContainerError> {
    match mode.unwrap_or_default() {
        "" => Ok(Space::Private),
        "host" => Ok(Space::Host),
        mode => match mode.strip_prefix("container:").filter(|name| !name.is_empty()) {
            Some(name) => Ok(Space::Container(name.to_owned())),
            None => invalid(format!("invalid {kind} mode: {mode}")),
        },
    }
}

/// `--device`.
pub(in crate::container) fn devices(host: &models::HostConfig) -> Result<Vec<Device>, ContainerError> {
    if host.device_requests.as_ref().is_some_and(|requests| !requests.is_empty()) {
        return invalid("could not select device driver: this daemon has none (--gpus and CDI devices)");
    }
    let read = |device: &models::DeviceMapping| {
        let path = device.path_on_host.clone().filter(|path| path.starts_with('/'));
        let Some(path) = path else { return invalid("bad format for a device: its path must be absolute") };
        let inside = device.path_in_container.clone().filter(|path| !path.is_empty());
        let permissions = device.cgroup_permissions.clone().filter(|text| !text.is_empty());
        let permissions = permissions.unwrap_or_else(|| "rwm".to_owned());
        if !permissions.chars().all(|c| matches!(c, 'r' | 'w' | 'm')) {
            return invalid(format!("invalid device mode: {permissions}"));
        }
        let container = PathBuf::from(inside.unwrap_or_else(|| path.clone()));
        Ok(Device { host: path.into(), container, permissions })
    };
    host.devices.iter().flatten().map(read).collect()
}

/// `--sysctl`, with what Docker sets in every network namespace of its own.
pub(in crate::container) fn sysctls(
    host: &models::HostConfig,
    own_network: bool,
) -> Result<BTreeMap<String, String>, ContainerError> {
    let mut all = BTreeMap::new();
    if own_network {
        all.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
        all.insert("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned());
    }
    for (key, value) in host.sysctls.iter().flatten() {
        let namespaced = key.starts_with("net.") || key.starts_with("fs.mqueue.") || is_ipc(key);
        if !namespaced {
            return invalid(format!("sysctl '{key}' is not in a separate kernel namespace"));
        }
        if key.contains("..") || key.contains('/') && key.contains("../") {
            return invalid(format!("invalid sysctl '{key}'"));
        }
        if key.starts_with("net.") && !own_network {
            return invalid(format!("sysctl '{key}' not allowed in host network namespace"));
        }
        all.insert(key.clone(), value.clone());
    }
    Ok(all)
}

fn is_ipc(key: &str) -> bool {
    matches!(
        key,
        "kernel.msgmax"
            | "kernel.msgmnb"
            | "kernel.msgmni"
            | "kernel.sem"
            | "kernel.shmall"
            | "kernel.shmmax"
            | "kernel.shmmni"
            | "kernel.shm_rmid_forced"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(host: serde_json::Value) -> models::HostConfig {
        serde_json::from_value(host).unwrap()
    }

    #[test]
    fn capabilities_are_added_and_dropped() {
        let have = |add: &[&str], drop: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            capabilities(Some(&owned(add)), Some(&owned(drop)), false)
        };
        let defaults = have(&[], &[]).unwrap();
        assert!(
            defaults.contains(&"CAP_CHOWN".to_owned()) && !defaults.contains(&"CAP_SYS_ADMIN".to_owned())
        );
        assert_eq!(have(&["chown"], &["ALL"]).unwrap(), ["CAP_CHOWN"]);
        assert!(!have(&["ALL"], &["CAP_CHOWN"]).unwrap().contains(&"CAP_CHOWN".to_owned()));
        assert!(have(&["FLY"], &[]).unwrap_err().to_string().starts_with("invalid capability"));
    }

    #[test]
    fn options_are_granted_or_refused() {
        let read = |options: serde_json::Value| rights(&host(json!({"SecurityOpt": options})), false);
        let granted = read(json!(["no-new-privileges", "seccomp=unconfined", "label=disable"])).unwrap();
        assert!(granted.no_new_privileges && granted.seccomp == Seccomp::Unconfined);
        assert!(read(json!(["apparmor=strict"])).is_err() && read(json!(["colour=red"])).is_err());
        let privileged = rights(&host(json!({"Privileged": true})), false).unwrap();
        assert!(privileged.all_paths && privileged.seccomp == Seccomp::Unconfined);
    }

    #[test]
    fn namespaces_are_named() {
        let read = |config| spaces(&host(config));
        let spaces =
            read(json!({"PidMode": "container:x", "IpcMode": "shareable", "UTSMode": "host"})).unwrap();
        assert_eq!(spaces.pid, Space::Container("x".to_owned()));
        assert_eq!((spaces.ipc, spaces.uts, spaces.cgroup), (Space::Private, Space::Host, Space::Private));
        for wrong in [json!({"PidMode": "x"}), json!({"UTSMode": "container:x"}), json!({"UsernsMode": "a"})]
        {
            assert!(read(wrong).is_err());
        }
    }

    #[test]
    fn sysctls_stay_in_their_namespaces() {
        let read = |key: &str, own| sysctls(&host(json!({"Sysctls": {key: "1"}})), own);
        assert_eq!(read("net.ipv4.ip_forward", true).unwrap().len(), 3);
        assert!(read("net.ipv4.ip_forward", false).is_err());
        assert!(read("kernel.shmmax", false).is_ok());
        assert!(read("kernel.panic", true).is_err() && read("vm.swappiness", true).is_err());
    }
}
