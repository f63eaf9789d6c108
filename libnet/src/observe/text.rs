//! A snapshot as text: one line per object, sorted, without what changes by itself (indices, order).

use std::fmt;

use super::{Link, Snapshot};

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links = self.links.iter().map(|link| self.link_line(link));
        let addresses =
            self.addresses.iter().map(|at| format!("address {} dev {}", at.address, self.name(at.link)));
        let routes = self.routes.iter().map(|route| {
            let via = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
            let dev = route.link.map(|link| format!(" dev {}", self.name(link))).unwrap_or_default();
            format!("route {}{via}{dev}", route.to)
        });
        let mut lines: Vec<String> = links.chain(addresses).chain(routes).collect();
        lines.sort();
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Snapshot {
    fn link_line(&self, link: &Link) -> String {
        let mut line = format!("link {} {}", link.name, if link.up { "up" } else { "down" });
        if !link.kind.is_empty() {
            line += &format!(" {}", link.kind);
        }
        if let Some(mtu) = link.mtu {
            line += &format!(" mtu {mtu}");
        }
        if let Some(bridge) = link.bridge {
            line += &format!(" in {}", self.name(bridge));
        }
        if let Some(alias) = &link.alias {
            line += &format!(" \"{alias}\"");
        }
        line
    }

    fn name(&self, index: u32) -> String {
        self.link(index).map_or_else(|| format!("#{index}"), |link| link.name.to_string())
    }
}
