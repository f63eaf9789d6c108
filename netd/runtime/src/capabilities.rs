//! Capabilities by name, as Docker's `--cap-add` and `--cap-drop` choose them.

use std::sync::LazyLock;

use crate::error::BundleError;

/// Names in the order of the kernel's numbers.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What every container has in Docker.
const DEFAULTS: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Docker's default capabilities.
#[must_use]
pub fn defaults() -> Vec<String> {
    DEFAULTS.iter().map(ToString::to_string).collect()
}

/// All capabilities that this machine's root has to give.
#[must_use]
pub fn all() -> Vec<String> {
    /// The bounding set, which nobody but a process itself makes smaller; this one doesn't.
    static HELD: LazyLock<u64> = LazyLock::new(|| {
        let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let held = text.lines().find_map(|line| line.strip_prefix("CapBnd:"));
        held.and_then(|held| u64::from_str_radix(held.trim(), 16).ok()).unwrap_or(u64::MAX)
    });
    NAMES
        .iter()
        .enumerate()
        .filter(|(number, _)| *HELD & (1 << number) != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

/// The capabilities after `--cap-add` and `--cap-drop`; `ALL` means all of `available`.
///
/// # Errors
/// For a name that no kernel knows.
pub fn choose(add: &[String], drop: &[String], available: &[String]) -> Result<Vec<String>, BundleError> {
    let add = add.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
    let drop = drop.iter().map(|name| known(name)).collect::<Result<Vec<_>, _>>()?;
    let mut chosen = match (add.contains(&ALL), drop.contains(&ALL)) {
        (true, _) => available.to_vec(),
        (false, true) => Vec::new(),
        (false, false) => defaults(),
    };
    chosen.retain(|name| !drop.contains(&name.as_str()));
    for name in add.into_iter().filter(|name| *name != ALL) {
        if !chosen.iter().any(|chosen| chosen == name) {
            chosen.push(name.to_owned());
        }
    }
    Ok(chosen)
}

const ALL: &str = "ALL";

fn known(text: &str) -> Result<&'static str, BundleError> {
    let upper = text.to_uppercase();
    if upper == ALL {
        return Ok(ALL);
    }
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    NAMES
        .into_iter()
        .find(|name| name.strip_prefix("CAP_") == Some(bare))
        .ok_or_else(|| BundleError::Capability(text.to_owned()))
}

/// The capabilities as bits.
pub(crate) fn mask(names: &[String]) -> Result<u64, BundleError> {
    names.iter().try_fold(0, |mask, name| {
        let number = NAMES.iter().position(|known| known == name);
        Ok(mask | 1 << number.ok_or_else(|| BundleError::Capability(name.clone()))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn capabilities_are_chosen_as_docker_chooses() {
        let all: Vec<String> = list(&NAMES);
        let choose = |add: &[&str], drop: &[&str]| choose(&list(add), &list(drop), &all);
        assert_eq!(choose(&[], &[]).unwrap(), defaults());
        assert!(choose(&["net_admin"], &[]).unwrap().contains(&"CAP_NET_ADMIN".to_owned()));
        assert_eq!(choose(&["CAP_KILL"], &["all"]).unwrap(), list(&["CAP_KILL"]));
        assert_eq!(choose(&["ALL"], &["CAP_BPF"]).unwrap().len(), NAMES.len() - 1);
        assert_eq!(choose(&["nonsense"], &[]), Err(BundleError::Capability("nonsense".to_owned())));
    }

    #[test]
    fn bits_are_the_kernels() {
        assert_eq!(mask(&defaults()), Ok(0xa804_25fb));
    }
}
