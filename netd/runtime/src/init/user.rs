//! Who a process runs as: `user[:group]`, by name or number, with the passwd and group files of the container.

use std::fs;
use std::path::Path;

use crate::error::LaunchError;
use crate::launch::ProcessPlan;

/// A user as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// Resolves the plan's user in the file system that is the root now.
pub(super) fn resolve(plan: &ProcessPlan) -> Result<Identity, LaunchError> {
    resolve_in(Path::new("/"), &plan.user, &plan.extra_groups)
}

/// Resolves a user in the file system at `root`.
pub(crate) fn resolve_in(root: &Path, user: &str, extra_groups: &[String]) -> Result<Identity, LaunchError> {
    // a root file system without these files still has numeric users
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let group = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    identify(user, extra_groups, &passwd, &group).map_err(|text| LaunchError {
        fault: crate::error::Fault::Other,
        text: format!("unable to start container process: {text}"),
    })
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn users(passwd: &str) -> impl Iterator<Item = User<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { name, uid, gid, home: fields.nth(1).unwrap_or("/") })
    })
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

fn identify(text: &str, extra: &[String], passwd: &str, group: &str) -> Result<Identity, String> {
    let (user_text, group_text) = text.split_once(':').unwrap_or((text, ""));
    let wanted = if user_text.is_empty() { "0" } else { user_text };
    let number: Option<u32> = wanted.parse().ok();
    let known = users(passwd).find(|user| user.name == wanted || number == Some(user.uid));
    let mut identity = match (&known, number) {
        (Some(user), _) => {
            Identity { uid: user.uid, gid: user.gid, groups: Vec::new(), home: user.home.to_owned() }
        }
        (None, Some(uid)) => Identity { uid, gid: 0, groups: Vec::new(), home: "/".to_owned() },
        (None, None) => {
            return Err(format!("unable to find user {wanted}: no matching entries in passwd file"));
        }
    };
    if identity.home.is_empty() {
        identity.home.push('/');
    }
    if group_text.is_empty() {
        let name = known.map_or("", |user| user.name);
        let member =
            |group: &Group<'_>| !name.is_empty() && group.members.split(',').any(|member| member == name);
        identity.groups = groups(group).filter(member).map(|group| group.gid).collect();
    } else {
        identity.gid = find_group(group_text, group)?;
    }
    for name in extra {
        let gid = find_group(name, group)?;
        if !identity.groups.contains(&gid) {
            identity.groups.push(gid);
        }
    }
    Ok(identity)
}

fn find_group(text: &str, group: &str) -> Result<u32, String> {
    let number: Option<u32> = text.parse().ok();
    groups(group)
        .find(|group| group.name == text || number == Some(group.gid))
        .map(|group| group.gid)
        .or(number)
        .ok_or_else(|| format!("unable to find group {text}: no matching entries in group file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/false\n# broken\nnobody:x:65534:65534:::\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:web,root\nweb:x:34:\nlog:x:50:web\n";

    fn id(uid: u32, gid: u32, groups: &[u32], home: &str) -> Result<Identity, String> {
        Ok(Identity { uid, gid, groups: groups.to_vec(), home: home.to_owned() })
    }

    #[test]
    fn users_and_groups_are_found_as_docker_finds_them() {
        let cases: &[(&str, &[&str], Result<Identity, String>)] = &[
            ("", &[], id(0, 0, &[4], "/root")),
            ("web", &[], id(33, 34, &[4, 50], "/srv/web")),
            ("33", &[], id(33, 34, &[4, 50], "/srv/web")),
            ("web:adm", &[], id(33, 4, &[], "/srv/web")),
            ("web:7777", &[], id(33, 7777, &[], "/srv/web")),
            ("1234", &[], id(1234, 0, &[], "/")),
            ("1234:34", &["log", "99"], id(1234, 34, &[50, 99], "/")),
            ("nobody", &[], id(65534, 65534, &[], "/")),
            ("nosuch", &[], Err("unable to find user nosuch: no matching entries in passwd file".to_owned())),
            (
                "web:nosuch",
                &[],
                Err("unable to find group nosuch: no matching entries in group file".to_owned()),
            ),
            (
                "web",
                &["nosuch"],
                Err("unable to find group nosuch: no matching entries in group file".to_owned()),
            ),
        ];
        for (text, extra, expected) in cases {
            let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
            assert_eq!(&identify(text, &extra, PASSWD, GROUP), expected, "{text}");
        }
    }

    #[test]
    fn numbers_need_no_files() {
        assert_eq!(identify("5:6", &[], "", ""), id(5, 6, &[], "/"));
    }
}
