//! Other firewalls on the host, the real programs: our networks work beside them, and what is theirs stays theirs.

use std::{net::IpAddr, path::Path, time::Duration};

use tests::{Lab, Lan, Machine, Place, Probe, Servers, until};

/// Nothing here is further away than a few switched frames.
const SHORT: Duration = Duration::from_millis(500);
/// For a program that takes its time to change its rules, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// Everybody's rules but ours, without what they count; then the marked rules that we have in them.
const THEIRS: &str = r#"
    { nft list tables | grep -v pontoon | while read -r table; do nft list $table; done
      iptables-legacy-save; ip6tables-legacy-save; } 2>/dev/null |
    grep -v '^#' | sed 's/packets [0-9]* bytes [0-9]*//; s/\[[0-9]*:[0-9]*\]//; s/expires [0-9smh]*//'"#;

/// A host with a LAN host beside it, another firewall, and a netd that is stopped until [`Scene::begin`].
struct Scene {
    machine: Machine,
    lan: Lan,
    _lan_servers: Servers,
}

/// Two containers in a network, the first with a published port.
struct Net {
    first: [IpAddr; 2],
    second: Place,
    _servers: Servers,
}

impl Scene {
    fn new(name: &str) -> Self {
        let mut machine = Lab::new().machine(name);
        let lan = machine.lan("client");
        machine.stop_netd();
        // Their daemons and files stay as long as the host.
        machine.leave_mess();
        let servers = place(lan.pid()).serve(&[80]);
        Self { machine, lan, _lan_servers: servers }
    }

    fn theirs(&self) -> String {
        let all = self.machine.sh(THEIRS).ok();
        all.lines().filter(|line| !line.contains("pontoon")).collect::<Vec<_>>().join("\n")
    }

    /// How many rules of ours are among theirs.
    fn marks(&self) -> usize {
        self.machine.sh(THEIRS).ok().lines().filter(|line| line.contains("pontoon")).count()
    }

    fn begin(&mut self) -> Net {
        self.machine.start_netd();
        let subnets = ["--subnet", "10.83.0.0/24", "--subnet", "fd83::/64"];
        self.machine
            .docker(["network", "create", "--ipv6"].iter().chain(&subnets).chain(&["web"]).copied())
            .ok();
        self.machine.start("c1", &["--network", "web", "-p", "8080:80"], &["sleep", "1000"]);
        self.machine.start("c2", &["--network", "web"], &["sleep", "1000"]);
        let show =
            "{{.NetworkSettings.Networks.web.IPAddress}} {{.NetworkSettings.Networks.web.GlobalIPv6Address}}";
        let addresses = self.machine.docker(["inspect", "-f", show, "c1"]).ok();
        let mut addresses = addresses.split(' ').map(|ip| ip.parse().unwrap());
        let servers = self.sandbox("c1").serve(&[80]);
        let first = [addresses.next().unwrap(), addresses.next().unwrap()];
        Net { first, second: self.sandbox("c2"), _servers: servers }
    }

    /// Containers, networks and netd go.
    fn end(&mut self, net: Net) {
        drop(net);
        self.machine.docker(["rm", "-f", "c1", "c2"]).ok();
        self.machine.docker(["network", "rm", "web"]).ok();
        self.machine.stop_netd();
    }

    fn sandbox(&self, container: &str) -> Place {
        let id = self.machine.docker(["inspect", "-f", "{{.Id}}", container]).ok();
        Place::open(&self.machine.path(&format!("/run/netns/pontoon-{}", &id[..12])))
    }

    /// Container to outside, container to container, LAN to published port, host to its own port; both families.
    fn assert_reached(&self, net: &Net, when: &str) {
        let ip = |text: String| -> IpAddr { text.parse().unwrap() };
        let tcp = |port| move |ip: IpAddr| (ip, Probe::Tcp(port));
        let outside = [ip(self.lan.address()), ip(self.lan.address6())].map(tcp(80));
        let inside = net.first.map(tcp(80));
        let published = [ip(self.lan.gateway()), ip(self.lan.gateway6())].map(tcp(8080));
        let ours = [IpAddr::from([127, 0, 0, 1])].map(tcp(8080));
        let ways = [
            ("container to LAN", &net.second, &outside[..]),
            ("container to container", &net.second, &inside[..]),
            ("LAN to published port", &place(self.lan.pid()), &published[..]),
            ("host to published port", &place(self.machine.pid()), &ours[..]),
        ];
        until(LONG, when, || {
            let closed = |(what, from, to): &(&str, &Place, &[_])| {
                let answers = from.reach(to, SHORT);
                answers.contains(&false).then(|| format!("{what}: {answers:?}"))
            };
            let closed: Vec<String> = ways.iter().filter_map(closed).collect();
            if closed.is_empty() { Ok(()) } else { Err((closed, self.machine.sh("nft list ruleset").stdout)) }
        });
    }

    /// With another firewall that `setup` makes: all works, theirs stays as it was, ours goes when we go, and whatever is
    /// done to it meanwhile is met.
    fn assert_beside(&mut self, setup: &str, injuries: &[&str]) {
        self.machine.neighbours(setup).ok();
        let before = self.theirs();
        assert_eq!(self.marks(), 0);
        let net = self.begin();
        self.assert_reached(&net, "beside the other");
        assert_ne!(self.marks(), 0, "it drops, or this tests nothing");
        assert_eq!(self.theirs(), before, "while we are there");
        self.end(net);
        assert_eq!((self.theirs(), self.marks()), (before, 0), "when we went");
        let net = self.begin();
        for injury in injuries {
            self.machine.neighbours(injury).ok();
            self.assert_reached(&net, injury);
        }
        let now = self.theirs();
        self.end(net);
        assert_eq!((self.theirs(), self.marks()), (now, 0), "when we went again");
    }
}

fn place(pid: u32) -> Place {
    Place::open(Path::new(&format!("/proc/{pid}/ns/net")))
}

#[test]
fn iptables_with_policies_that_drop() {
    let mut scene = Scene::new("iptables");
    scene.assert_beside(
        "for t in iptables-nft ip6tables-nft; do $t -P FORWARD DROP; $t -A FORWARD -p icmp -j ACCEPT; done",
        &[
            "iptables-nft -F; ip6tables-nft -F",
            "nft flush ruleset",
            "iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP",
            "iptables-nft -A FORWARD -j REJECT; ip6tables-nft -I FORWARD -j DROP",
        ],
    );
}

#[test]
fn the_old_iptables_with_policies_that_drop() {
    let mut scene = Scene::new("legacy");
    scene.assert_beside(
        "for t in iptables-legacy ip6tables-legacy; do
           $t -w -N theirs; $t -w -A theirs -p tcp -m multiport --dports 1,2 -j REJECT; $t -w -A FORWARD -j theirs
           $t -w -P FORWARD DROP; done",
        &[
            "iptables-legacy -w -F; ip6tables-legacy -w -F",
            "iptables-legacy-save | sed '/pontoon/d' | iptables-legacy-restore -w",
            "iptables-legacy -w -A FORWARD -j REJECT; ip6tables-legacy -w -I FORWARD -j DROP",
        ],
    );
}

#[test]
fn ufw() {
    let mut scene = Scene::new("ufw");
    scene.assert_beside(
        "own_files; ufw --force enable; ufw default deny routed",
        &[
            "ufw reload",
            "ufw --force disable; ufw --force enable",
            // What it does not let pass ends in a chain of its own.
            "ufw default reject routed",
            "ufw default deny routed; ufw allow 22/tcp",
        ],
    );
}

#[test]
fn ufw_over_the_old_iptables_that_comes_after_us() {
    let mut scene = Scene::new("ufw-late");
    scene.machine.neighbours("use_iptables legacy").ok();
    let net = scene.begin();
    scene.assert_reached(&net, "alone");
    assert_eq!(scene.marks(), 0);
    for line in ["ufw --force enable", "ufw default deny routed", "ufw reload"] {
        scene.machine.neighbours(line).ok();
        scene.assert_reached(&net, line);
    }
    assert_ne!(scene.marks(), 0);
    scene.end(net);
    assert_eq!(scene.marks(), 0);
}

/// A container of dockerd's, with a port of its own.
fn dockerd(scene: &Scene) -> String {
    let cgroup = format!("/pontoon-lab-{}/docker", scene.machine.name());
    format!(
        "start_dockerd --cgroup-parent {cgroup}; docker_image; docker -H unix:///run/docker.sock run -d --name theirs \
         -p 9090:80 lab /bin/busybox httpd -f -p 80 -h /"
    )
}

fn assert_docker_s_container_is_reached(scene: &Scene) {
    let there: IpAddr = scene.lan.gateway().parse().unwrap();
    until(LONG, "the port of dockerd's container", || {
        let reached = place(scene.lan.pid()).reach(&[(there, Probe::Tcp(9090))], SHORT);
        if reached == [true] { Ok(()) } else { Err(scene.theirs()) }
    });
}

#[test]
fn docker_beside_us() {
    let mut scene = Scene::new("docker");
    // It has FORWARD drop if it was the one to turn forwarding on.
    let setup = format!("sysctl -qw net.ipv4.ip_forward=0; {}", dockerd(&scene));
    scene.assert_beside(&setup, &["docker -H unix:///run/docker.sock network create other"]);
    assert_docker_s_container_is_reached(&scene);
}

#[test]
fn docker_over_the_old_iptables_that_comes_after_us_and_again() {
    let mut scene = Scene::new("docker-late");
    scene.machine.neighbours("use_iptables legacy").ok();
    let net = scene.begin();
    let setup = dockerd(&scene);
    scene.machine.neighbours(&setup).ok();
    scene.assert_reached(&net, "dockerd has come");
    assert_docker_s_container_is_reached(&scene);
    // Docker leaves the policy alone where forwarding was on before it came; the host's owner may not.
    scene.machine.neighbours("iptables-legacy -w -P FORWARD DROP").ok();
    scene.assert_reached(&net, "a policy that drops");
    assert_ne!(scene.marks(), 0);
    scene.machine.neighbours("stop_dockerd; iptables-legacy -w -F FORWARD").ok();
    scene.assert_reached(&net, "dockerd has gone");
    let again = setup.replace(
        "run -d --name theirs",
        "rm -f theirs; docker -H unix:///run/docker.sock run -d --name theirs",
    );
    scene.machine.neighbours(&again).ok();
    scene.assert_reached(&net, "dockerd is back");
    assert_docker_s_container_is_reached(&scene);
    let now = scene.theirs();
    scene.end(net);
    assert_eq!((scene.theirs(), scene.marks()), (now, 0));
    assert_docker_s_container_is_reached(&scene);
}

/// What firewalld keeps, and what it does in zones that are not ours.
fn zones(scene: &Scene) -> String {
    scene
        .machine
        .sh("firewall-cmd --permanent --list-all-zones; firewall-cmd --permanent --list-all-policies; \
             for zone in $(firewall-cmd --get-zones); do [ $zone = pontoon ] || firewall-cmd --zone=$zone --list-all; done")
        .ok()
}

#[test]
fn firewalld() {
    let mut scene = Scene::new("firewalld");
    scene.machine.neighbours("start_firewalld; firewall-cmd --zone=work --add-port=1234/tcp").ok();
    let (before, rules) = (zones(&scene), scene.theirs());
    let net = scene.begin();
    scene.assert_reached(&net, "beside firewalld");
    let links = || scene.machine.sh("firewall-cmd --zone=pontoon --list-interfaces").ok();
    let bridge =
        scene.machine.sh("ip -o link show type bridge | sed 's/^[0-9]*: //; s/:.*//' | grep br-").ok();
    assert!(links().contains(&bridge) && links().contains("pontoon0"), "{} without {bridge}", links());
    for injury in
        ["firewall-cmd --reload", "stop_firewalld", "start_firewalld", "firewall-cmd --complete-reload"]
    {
        scene.machine.neighbours(injury).ok();
        scene.assert_reached(&net, injury);
    }
    // Who looks is told.
    let shown = || scene.machine.pontoon(["firewall", "show"]).ok();
    let ours = format!("#   firewall-cmd --zone=pontoon --add-interface={bridge}");
    assert!(shown().contains(&ours), "{}", shown());
    let doctor = || scene.machine.pontoon(["doctor"]).stdout;
    let through = "note    other-firewalls  firewalld rejects what it does not know; its zone pontoon lets 2 bridges through";
    assert!(doctor().contains(through), "{}", doctor());
    scene.machine.sh(&format!("firewall-cmd --zone=pontoon --remove-interface={bridge}")).ok();
    assert!(!shown().contains(&ours), "{}", shown());
    let out = format!("wrong   other-firewalls  bridge {bridge} is in no zone of firewalld");
    assert!(doctor().contains(&out), "{}", doctor());
    scene.machine.pontoon(["doctor", "--fix"]).ok();
    assert!(links().contains(&bridge), "{}", links());
    scene.machine.sh(&format!("firewall-cmd --zone=work --change-interface={bridge}")).ok();
    assert!(doctor().contains(&format!("bridge {bridge} is in zone work of firewalld")), "{}", doctor());
    scene.machine.sh(&format!("firewall-cmd --zone=pontoon --change-interface={bridge}")).ok();

    scene.machine.docker(["network", "create", "other"]).ok();
    assert_eq!(links().split(' ').count(), 3, "{}", links());
    scene.machine.docker(["network", "rm", "other"]).ok();
    assert_eq!(links().split(' ').count(), 2, "{}", links());
    // Who says where a link belongs has said so.
    scene.machine.sh("firewall-cmd --zone=work --add-interface=br9").ok();
    let named = ["network", "create", "-o", "com.docker.network.bridge.name=br9", "other"];
    scene.machine.docker(named).ok();
    assert_eq!(scene.machine.sh("firewall-cmd --get-zone-of-interface=br9").ok(), "work");
    scene.machine.docker(["network", "rm", "other"]).ok();
    scene.machine.sh("firewall-cmd --zone=work --remove-interface=br9").ok();
    scene.machine.kill_netd();
    scene.assert_reached(&net, "netd is down");
    // Links are in the zone of what runs: without netd nobody puts them there again.
    scene.machine.neighbours("firewall-cmd --reload").ok();
    let outside = [(scene.lan.address().parse().unwrap(), Probe::Tcp(80))];
    assert_eq!(net.second.reach(&outside, SHORT), [false], "firewalld rejects what it doesn't know");
    scene.machine.start_netd();
    scene.assert_reached(&net, "netd is back");
    scene.end(net);
    // What it does it forgets with the next reload; our links are out at once.
    assert!(!scene.theirs().contains(&bridge), "{}", scene.theirs());
    scene.machine.neighbours("firewall-cmd --reload").ok();
    assert_eq!(scene.theirs(), rules);
    assert_eq!(zones(&scene), before.replace("1234/tcp", ""));
}

#[test]
fn firewalld_that_has_our_zone_already_is_not_reloaded() {
    let mut scene = Scene::new("firewalld-zone");
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/firewalld");
    scene
        .machine
        .neighbours(&format!(
            "mount -t overlay -o lowerdir={installed}:/usr/lib/firewalld overlay /usr/lib/firewalld
             start_firewalld; firewall-cmd --zone=work --add-port=1234/tcp"
        ))
        .ok();
    let before = zones(&scene);
    let net = scene.begin();
    scene.assert_reached(&net, "beside firewalld");
    assert!(scene.machine.sh("firewall-cmd --zone=pontoon --list-interfaces").ok().contains("br-"));
    let ports = || scene.machine.sh("firewall-cmd --zone=work --list-ports").ok();
    assert_eq!(ports(), "1234/tcp", "nobody reloaded it: this is in no file");
    scene.machine.neighbours("firewall-cmd --reload; firewall-cmd --zone=work --add-port=1234/tcp").ok();
    scene.assert_reached(&net, "it was reloaded");
    scene.end(net);
    assert_eq!(zones(&scene), before, "zone and policy stay, without a link in it");
    assert_eq!(scene.machine.sh("firewall-cmd --zone=pontoon --list-interfaces").ok(), "");
}

#[test]
fn firewalld_that_comes_after_us() {
    let mut scene = Scene::new("firewalld-late");
    let net = scene.begin();
    scene.assert_reached(&net, "alone");
    scene.machine.neighbours("start_firewalld").ok();
    scene.assert_reached(&net, "firewalld has come");
    scene.machine.neighbours("firewall-cmd --set-default-zone=drop").ok();
    scene.assert_reached(&net, "another default zone");
    scene.end(net);
}
