//! `--driver-opt` of an endpoint: what users may say about the interface inside. Pure.

use std::collections::BTreeMap;

use libnet::types::{IfName, Setting};

use super::{Problems, Traffic};

/// The name of the interface inside.
pub(crate) const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// Settings of the interface inside: `net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.…`.
pub(crate) const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";
/// Stands for the interface in such a setting. The CLI makes `--network driver-opt=…` lower case.
const PLACEHOLDER: [&str; 2] = ["IFNAME", "ifname"];
/// Used between Docker and its drivers; users have flags that say the same.
const INTERNAL: [(&str, &str); 2] = [
    ("com.docker.network.endpoint.exposedports", "--expose"),
    ("com.docker.network.endpoint.macaddress", "--mac-address"),
];

/// The options of an endpoint, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DriverOpts {
    /// The name that the interface inside is to have.
    pub(super) ifname: Option<IfName>,
    pub(super) traffic: Traffic,
    sysctls: Vec<Sysctl>,
}

/// `net.X.Y.IFNAME.Z=V`
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sysctl {
    /// `X/Y`
    folder: String,
    /// `Z`
    key: String,
    value: String,
}

impl DriverOpts {
    /// Reads what can be read, and says what can't.
    pub(super) fn read(options: &BTreeMap<String, String>, problems: &mut Problems) -> Self {
        let mut read = Self::default();
        for (key, value) in options {
            match key.as_str() {
                IFNAME => read.ifname = ifname(value, problems),
                SYSCTLS => {
                    read.sysctls = value.split(',').filter_map(|text| sysctl(text, problems)).collect();
                }
                key => check_other(key, problems),
            }
        }
        match Traffic::read(|key| options.get(key)) {
            Ok(traffic) => read.traffic = traffic,
            Err(why) => problems.push(why),
        }
        read
    }

    /// The settings of the interface, once it has its name.
    pub(super) fn settings(&self, ifname: &IfName) -> Vec<Setting> {
        let setting = |sysctl: &Sysctl| {
            Setting::new(format!("{}/{ifname}/{}", sysctl.folder, sysctl.key), sysctl.value.clone())
        };
        self.sysctls.iter().map(setting).collect()
    }

    /// Whether the interface is to be without IPv6, and can have no address then.
    pub(super) fn without_v6(&self) -> bool {
        let last = self.sysctls.iter().rfind(|it| it.folder == "ipv6/conf" && it.key == "disable_ipv6");
        last.is_some_and(|sysctl| sysctl.value != "0")
    }
}

fn ifname(value: &str, problems: &mut Problems) -> Option<IfName> {
    let reason = match value.parse::<IfName>() {
        Ok(name) if name.as_str() == "lo" => "lo is the loopback interface".to_owned(),
        Ok(name) => return Some(name),
        Err(error) => error.to_string(),
    };
    problems.push(format!("failed to parse {IFNAME} value: {value} ({reason})"));
    None
}

fn sysctl(text: &str, problems: &mut Problems) -> Option<Sysctl> {
    let read = parse_sysctl(text);
    if read.is_none() {
        problems.push(format!(
            "unrecognised network interface sysctl '{text}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
        ));
    }
    read
}

fn parse_sysctl(text: &str) -> Option<Sysctl> {
    let (name, value) = text.split_once('=')?;
    let parts: Vec<_> = name.trim().splitn(5, '.').collect();
    let ["net", family @ ("ipv4" | "ipv6" | "mpls"), group, placeholder, key] = parts[..] else {
        return None;
    };
    // Nothing that leads elsewhere: these become a path.
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let known = PLACEHOLDER.contains(&placeholder) && word(group) && word(key);
    known.then(|| Sysctl {
        folder: format!("{family}/{group}"),
        key: key.to_owned(),
        value: value.trim().to_owned(),
    })
}

fn check_other(key: &str, problems: &mut Problems) {
    if let Some((key, flag)) = INTERNAL.iter().find(|(internal, _)| *internal == key) {
        problems.push(format!("endpoint option \"{key}\" is the daemon's own: use {flag}"));
    } else if key.starts_with("com.docker.network.") || !key.contains('.') {
        problems.push(format!("endpoint option \"{key}\" is not supported"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> (DriverOpts, Vec<String>) {
        let mut problems = Problems::default();
        let options = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let read = DriverOpts::read(&options, &mut problems);
        (read, problems.0)
    }

    #[test]
    fn settings_are_of_the_interface_whatever_it_is_called() {
        let (options, problems) =
            read(SYSCTLS, "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.ifname.retrans_time_ms=500");
        assert!(problems.is_empty(), "{problems:?}");
        let name: IfName = "eth0.10".parse().unwrap();
        assert_eq!(
            options.settings(&name),
            [
                Setting::new("ipv4/conf/eth0.10/log_martians", "1"),
                Setting::new("ipv6/neigh/eth0.10/retrans_time_ms", "500")
            ]
        );
        assert!(!options.without_v6());
        let disabled =
            |value: &str| read(SYSCTLS, &format!("net.ipv6.conf.IFNAME.disable_ipv6={value}")).0.without_v6();
        assert!(disabled("1") && !disabled("0"));
    }

    #[test]
    fn what_is_no_setting_of_an_interface_is_refused_in_docker_s_words() {
        for wrong in [
            "net.ipv4.conf.eth0.log_martians=1",
            "net.ipv4.ip_forward=1",
            "net.core.x.IFNAME.y=1",
            "net.ipv4.conf.IFNAME.log_martians",
            "net.ipv4.conf.IFNAME.../../ip_forward=1",
            "net.ipv4...IFNAME.x=1",
            "",
        ] {
            let (options, problems) = read(SYSCTLS, wrong);
            assert_eq!(options, DriverOpts::default());
            assert_eq!(
                problems,
                [format!(
                    "unrecognised network interface sysctl '{wrong}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
                )]
            );
        }
    }

    #[test]
    fn names_are_names_and_other_options_are_not_swallowed() {
        assert_eq!(read(IFNAME, "wan0").0.ifname.unwrap().as_str(), "wan0");
        for (key, value, text) in [
            (IFNAME, "lo", "lo is the loopback interface"),
            (IFNAME, "a/b", "a/b"),
            ("com.docker.network.endpoint.macaddress", "02:42:ac:11:00:02", "use --mac-address"),
            ("com.docker.network.endpoint.colour", "red", "not supported"),
            ("colour", "red", "not supported"),
        ] {
            let problems = read(key, value).1.join("\n");
            assert!(problems.contains(text), "{key}={value}: {problems}");
        }
        assert!(read("org.example.note", "mine").1.is_empty());
    }
}
