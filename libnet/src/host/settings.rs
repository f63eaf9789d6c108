//! Kernel settings of a namespace: those that differ are written, and what they were comes back.

use std::{collections::BTreeMap, io};

use super::Inner;
use crate::{
    netns::NetNs,
    sys::sysctl::{self, Settings},
    types::{IfName, Setting},
};

/// Of each list, the settings that are not as they should be; lists without any are left out. A setting that is not there
/// belongs to a link that is not there.
pub(super) fn differing<T: Send>(
    netns: &NetNs,
    lists: Vec<(Vec<Setting>, T)>,
) -> io::Result<Vec<(T, Vec<Setting>)>> {
    netns.run(|| {
        let here = Settings::here();
        let differs = |setting: &Setting| here.read(&setting.key).is_ok_and(|value| value != setting.value);
        let differing = |(mut settings, of): (Vec<Setting>, T)| {
            settings.retain(differs);
            (!settings.is_empty()).then_some((of, settings))
        };
        lists.into_iter().filter_map(differing).collect()
    })
}

/// Writes the settings that differ; returns the former values, last changed first.
pub(super) fn apply(netns: &NetNs, settings: &[Setting]) -> io::Result<Vec<Setting>> {
    netns.run(|| write(settings, |_, _| {}))?
}

/// The same for settings of the host and its own links: their owner may wonder who changed them.
pub(super) fn apply_on_host(netns: &NetNs, settings: &[Setting]) -> io::Result<Vec<Setting>> {
    netns.run(|| write(settings, say))?
}

/// What settings are; those that the kernel does not have are left out.
pub(super) fn read(netns: &NetNs, keys: &[String]) -> io::Result<BTreeMap<String, String>> {
    netns.run(|| {
        let here = Settings::here();
        let read = |key: &String| match here.read(key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map(|value| (key.clone(), value))),
        };
        keys.iter().filter_map(read).collect()
    })?
}

/// Writes settings of an interface that a user asks for: each must be there. Nothing comes back: they go with the
/// interface.
pub(super) fn tune(netns: &NetNs, settings: &[Setting]) -> io::Result<()> {
    netns.run(|| {
        let here = Settings::here();
        settings.iter().try_for_each(|setting| {
            here.write(&setting.key, &setting.value)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", setting.key)))
        })
    })?
}

/// Turns IPv6 forwarding on. The kernel then takes this host for a router, which believes no other: links that have
/// their default route from a router's announcements must be told to go on (`accept_ra` 2), or the host loses its way.
pub(super) fn forward_v6(netns: &NetNs) -> io::Result<Vec<Setting>> {
    netns.run(|| {
        let links = match sysctl::list("ipv6/conf") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let here = Settings::here();
        let is = |link: &String, key, wanted| {
            here.read(&format!("ipv6/conf/{link}/{key}")).is_ok_and(|value| value == wanted)
        };
        let listens = |link: &String| is(link, "accept_ra", "1");
        let routed = |link: &String| is(link, "forwarding", "0");
        if here.read("ipv6/conf/all/forwarding")? == "1" {
            return Ok(Vec::new());
        }
        let kept = links.iter().filter(|link| listens(link) && routed(link));
        let mut settings: Vec<Setting> =
            kept.map(|link| Setting::new(format!("ipv6/conf/{link}/accept_ra"), "2")).collect();
        settings.push(Setting::new("ipv6/conf/all/forwarding", "1"));
        write(&settings, say)
    })?
}

impl Inner {
    /// The host speaks IPv6 by the bridge, never by a port of it. What the kernel would give the port as soon as the
    /// container's end is up (a route, groups and their reports) costs each later endpoint more than the one before it.
    pub(super) fn silence(&self, port: &IfName) {
        if let Err(error) = self.links_v6.disable(port) {
            tracing::debug!(if.name = %port, error = %error, "a bridge port speaks IPv6");
        }
    }
}

/// What was written before one failed is written back. Each that was changed is told, as it was and as it is.
fn write(settings: &[Setting], tell: impl Fn(&Setting, &Setting)) -> io::Result<Vec<Setting>> {
    let here = Settings::here();
    let mut former: Vec<Setting> = Vec::new();
    for setting in settings {
        match write_one(&here, setting) {
            Ok(None) => {}
            Ok(Some(before)) => {
                tell(&before, setting);
                former.insert(0, before);
            }
            Err(error) => {
                // The first error is the one to tell; a setting that can't be restored now could not be later.
                former.iter().for_each(|before| drop(write_one(&here, before)));
                return Err(io::Error::new(error.kind(), format!("{}: {error}", setting.key)));
            }
        }
    }
    Ok(former)
}

/// A kernel without IPv6 has no settings for it, and needs none.
fn write_one(here: &Settings, setting: &Setting) -> io::Result<Option<Setting>> {
    let before = match here.read(&setting.key) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && setting.key.starts_with("ipv6/") => {
            return Ok(None);
        }
        other => other?,
    };
    if before == setting.value {
        return Ok(None);
    }
    here.write(&setting.key, &setting.value)?;
    Ok(Some(Setting::new(setting.key.clone(), before)))
}

fn say(before: &Setting, now: &Setting) {
    let setting = format_args!("net/{}", now.key);
    tracing::info!(%setting, before = before.value, now = now.value, "host setting changed");
}
