//! What this kernel can do of what networks and containers need; without any daemon.

use std::{fs, io, path::Path};

use netlink_packet_route::link::InfoKind;
use nix::errno::Errno;

use super::{Area, Finding, other_firewalls};
use crate::{
    firewall::Firewall,
    link,
    netns::NetNs,
    sys::{rtnl::RtSocket, sysctl},
};

/// Kinds of links, and what can't be without them.
const LINKS: [(InfoKind, &str, Need); 6] = [
    (InfoKind::Bridge, "bridge", Need::Always),
    (InfoKind::Veth, "veth", Need::Always),
    (InfoKind::MacVlan, "macvlan", Need::For("networks of driver macvlan")),
    (InfoKind::IpVlan, "ipvlan", Need::For("networks of driver ipvlan")),
    (InfoKind::Vlan, "8021q", Need::For("parents like eth0.10")),
    (InfoKind::Vxlan, "vxlan", Need::For("networks of driver overlay")),
];

/// What can't be without a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Always,
    For(&'static str),
}

/// Looks at the kernel and at other firewalls of the calling thread's namespace: what can be known without a daemon.
pub fn examine_alone() -> Vec<Finding> {
    let mut findings = examine_kernel();
    findings.extend(other_firewalls());
    findings
}

/// Looks at what the kernel can do. Nothing changes; interfaces are tried in a namespace that is thrown away, for which the
/// kernel may load a module.
pub fn examine_kernel() -> Vec<Finding> {
    let mut findings = vec![tables()];
    match link_kinds() {
        Ok(kinds) => {
            findings.extend(kinds.into_iter().map(|(module, need, there)| of_kind(module, need, there)));
        }
        Err(error) => {
            let what = format!("interfaces can't be tried: {error}");
            findings.push(Finding::wrong(Area::Kernel, what, "run this as root"));
        }
    }
    findings.push(overlay(&fs::read_to_string("/proc/filesystems").unwrap_or_default()));
    findings.push(cgroups(Path::new("/sys/fs/cgroup")));
    findings.extend(bridge_filter(sysctl::read("bridge/bridge-nf-call-iptables").ok().as_deref()));
    findings
}

fn tables() -> Finding {
    match Firewall::open() {
        Ok(_) => Finding::ok(Area::Kernel, "nf_tables with all that the firewall needs"),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            let what = format!("{error}{}", source.unwrap_or_default());
            Finding::wrong(
                Area::Kernel,
                what,
                "be root, and load the modules nf_tables, nft_chain_nat, nft_fib_inet, nft_masq, nft_ct",
            )
        }
    }
}

type Kind = (&'static str, Need, bool);

fn link_kinds() -> io::Result<Vec<Kind>> {
    let scratch = NetNs::create()?;
    scratch.run(|| {
        let mut socket = RtSocket::open()?;
        let mut kinds = Vec::new();
        for (kind, module, need) in LINKS {
            let unknown =
                matches!(socket.send(vec![link::probe(kind)]), Err(error) if error.is(Errno::EOPNOTSUPP));
            // What was made has the name of the next one.
            let _ = "pontoon-probe".parse().map(|name| socket.send(vec![link::delete(&name)]));
            kinds.push((module, need, !unknown));
        }
        Ok(kinds)
    })?
}

fn of_kind(module: &str, need: Need, there: bool) -> Finding {
    let advice = || format!("modprobe {module}, or use a kernel that was built with it");
    match (there, need) {
        (true, _) => Finding::ok(Area::Kernel, format!("interfaces of kind {module}")),
        (false, Need::Always) => Finding::wrong(
            Area::Kernel,
            format!("no {module} interfaces, without which there is no network"),
            advice(),
        ),
        (false, Need::For(what)) => {
            Finding::note(Area::Kernel, format!("no {module} interfaces: {what} can't be made"), advice())
        }
    }
}

fn overlay(filesystems: &str) -> Finding {
    match filesystems.split_whitespace().any(|name| name == "overlay") {
        true => Finding::ok(Area::Kernel, "overlayfs"),
        false => {
            let what = "no overlayfs: containers can't be made of images (with --rootfs they can)";
            Finding::note(Area::Kernel, what, "modprobe overlay, or use a kernel that was built with it")
        }
    }
}

fn cgroups(root: &Path) -> Finding {
    let kind = if root.join("cgroup.controllers").exists() {
        "version 2"
    } else if root.join("unified").exists() {
        "version 1 with a hierarchy of version 2 (hybrid)"
    } else if root.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        "version 1"
    } else {
        let what = format!("no control groups at {}: containers have no limits", root.display());
        return Finding::note(Area::Kernel, what, "mount them: mount -t cgroup2 none /sys/fs/cgroup");
    };
    Finding::ok(Area::Kernel, format!("control groups {kind}"))
}

/// `value` of `bridge-nf-call-iptables`, which is there only with `br_netfilter`.
fn bridge_filter(value: Option<&str>) -> Option<Finding> {
    (value == Some("1")).then(|| {
        Finding::note(
            Area::Kernel,
            "br_netfilter is on: frames within a bridge pass the firewall of IP, which costs throughput",
            "unless another tool needs it: sysctl net.bridge.bridge-nf-call-iptables=0 (and -ip6tables)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Severity, *};

    #[test]
    fn features_in_words() {
        assert_eq!(of_kind("bridge", Need::Always, false).severity, Severity::Wrong);
        let missing = of_kind("ipvlan", Need::For("networks of driver ipvlan"), false);
        assert_eq!(missing.severity, Severity::Note);
        assert_eq!(missing.what, "no ipvlan interfaces: networks of driver ipvlan can't be made");
        assert_eq!(overlay("nodev\tsysfs\nnodev\toverlay\n").severity, Severity::Ok);
        assert_eq!(overlay("nodev\tsysfs\n").severity, Severity::Note);
        assert_eq!(bridge_filter(None), None);
        assert_eq!(bridge_filter(Some("0")), None);
        assert!(bridge_filter(Some("1")).is_some_and(|finding| finding.severity == Severity::Note));
    }
}
