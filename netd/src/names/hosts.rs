//! The /etc/hosts of a container, as Docker writes it.

use std::net::IpAddr;

/// What every container knows; the lines are Docker's.
const LOCAL: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// A line of the file: an address and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    /// The address.
    pub ip: IpAddr,
    /// Its names; the first is the canonical one.
    pub names: Vec<String>,
}

impl HostEntry {
    /// An address with one name.
    pub fn new(ip: IpAddr, name: impl Into<String>) -> Self {
        Self { ip, names: vec![name.into()] }
    }

    /// A container's own address: a full name, whichever way it was given, comes before its first label.
    pub fn own(ip: IpAddr, hostname: &str, domain: &str) -> Self {
        let full = if domain.is_empty() { hostname.to_owned() } else { format!("{hostname}.{domain}") };
        let label = full.split_once('.').map(|(label, _)| label.to_owned());
        Self { ip, names: [full].into_iter().chain(label).collect() }
    }

    fn is_line_of(&self, line: &str) -> bool {
        is_line_of(&self.names, line)
    }

    fn line(&self) -> String {
        format!("{}\t{}\n", self.ip, self.names.join(" "))
    }
}

/// The file: the local names, what the user added, the container's own addresses.
pub fn hosts(extra: &[HostEntry], own: &[HostEntry]) -> String {
    extra.iter().chain(own).fold(LOCAL.to_owned(), |text, entry| text + &entry.line())
}

/// A file with these entries at its end.
pub fn with(text: &str, entries: &[HostEntry]) -> String {
    let start = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    entries.iter().fold(start, |text, entry| text + &entry.line())
}

/// A file without the lines of these entries, as they were written. A line that somebody has changed is theirs.
pub fn without(text: &str, entries: &[HostEntry]) -> String {
    let lines: Vec<_> = entries.iter().map(HostEntry::line).collect();
    let own = |line: &&str| lines.iter().any(|entry| entry.trim_end() == line.trim_end());
    text.split_inclusive('\n').filter(|line| !own(line)).collect()
}

/// A file in which the lines of these names have the addresses of these entries. Where somebody took the lines away, there
/// are none.
pub fn readdressed(text: &str, entries: &[HostEntry]) -> String {
    let mut told: Vec<&[String]> = Vec::new();
    let mut all = String::new();
    for line in text.split_inclusive('\n') {
        match entries.iter().find(|entry| entry.is_line_of(line)) {
            Some(entry) if told.contains(&entry.names.as_slice()) => {}
            Some(entry) => {
                told.push(&entry.names);
                let same = entries.iter().filter(|other| other.names == entry.names);
                all.extend(same.map(HostEntry::line));
            }
            None => all.push_str(line),
        }
    }
    all
}

/// A file without the lines of these names, whatever their address.
pub fn without_names(text: &str, names: &[String]) -> String {
    text.split_inclusive('\n').filter(|line| !is_line_of(names, line)).collect()
}

fn is_line_of(names: &[String], line: &str) -> bool {
    line.split_whitespace().skip(1).eq(names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_hosts_come_before_the_own_addresses() {
        let ip = |text: &str| text.parse().unwrap();
        let own =
            [HostEntry::own(ip("10.0.0.2"), "c1", "example.org"), HostEntry::own(ip("fd00::2"), "c1", "")];
        let text = hosts(&[HostEntry::new(ip("10.0.0.1"), "gw")], &own);
        let tail = "ff02::2\tip6-allrouters\n10.0.0.1\tgw\n10.0.0.2\tc1.example.org c1\nfd00::2\tc1\n";
        assert!(text.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost"), "{text}");
        assert!(text.ends_with(tail), "{text}");
    }

    #[test]
    fn links_get_other_addresses_where_they_are() {
        let entry = |ip: &str| HostEntry { ip: ip.parse().unwrap(), names: vec!["db".into(), "h".into()] };
        let text = "10.0.0.1\tgw\n10.0.0.2\tdb h\nfd00::2\tdb h\n10.0.0.3\tc1\n10.0.0.2 db h mine\n";
        assert_eq!(
            readdressed(text, &[entry("10.0.0.9"), entry("fd00::9")]),
            "10.0.0.1\tgw\n10.0.0.9\tdb h\nfd00::9\tdb h\n10.0.0.3\tc1\n10.0.0.2 db h mine\n"
        );
        assert_eq!(readdressed("10.0.0.3\tc1\n", &[entry("10.0.0.9")]), "10.0.0.3\tc1\n");
        let gone = without_names(text, &entry("::").names);
        assert_eq!(gone, "10.0.0.1\tgw\n10.0.0.3\tc1\n10.0.0.2 db h mine\n");
    }

    #[test]
    fn a_full_name_is_a_full_name_however_it_is_given() {
        let names = |hostname, domain| HostEntry::own([10, 0, 0, 2].into(), hostname, domain).names.join(" ");
        assert_eq!(names("c1", ""), "c1");
        assert_eq!(names("c1.example.org", ""), "c1.example.org c1");
        assert_eq!(names("c1.a", "b"), "c1.a.b c1");
    }

    #[test]
    fn own_lines_come_and_go_among_the_user_s() {
        let entry = |last| HostEntry::new([10, 0, 0, last].into(), "c1");
        let text = with("# mine\n10.9.9.9\tother", &[entry(2), entry(3)]);
        assert_eq!(text, "# mine\n10.9.9.9\tother\n10.0.0.2\tc1\n10.0.0.3\tc1\n");
        assert_eq!(without(&text, &[entry(2)]), "# mine\n10.9.9.9\tother\n10.0.0.3\tc1\n");
        let changed = text.replace("10.0.0.3\tc1", "10.0.0.3\tc1 mine");
        assert_eq!(without(&changed, &[entry(3)]), changed);
    }
}
