//! A container's ends in its networks, as the stock docker command line asks for them, looked at in the kernel.

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerCreateBody, HostConfig, NetworkConnectRequest, NetworkDisconnectRequest},
    query_parameters::CreateContainerOptions,
};
use serde_json::json;
use tests::{Lab, Machine, eventually};

/// A host whose containers are named by the test, with a network `web` of 192.168.0.0/24.
fn machine() -> Machine {
    let machine = Lab::new().machine("aa");
    machine.docker(["network", "create", "--subnet", "192.168.0.0/24", "web"]).ok();
    machine
}

#[test]
fn link_local_addresses_are_on_the_interface_and_in_inspect() {
    let machine = machine();
    machine.run("c1", &["--network", "web", "--link-local-ip", "169.254.7.7"]).ok();
    machine.run("c2", &["--network", "name=web,link-local-ip=169.254.7.8,link-local-ip=fe80::7"]).ok();
    let addresses = machine.within("c2", &["ip", "-o", "address", "show", "eth0"]);
    for address in ["192.168.0.3/24", "169.254.7.8/16", "fe80::7/64"] {
        assert!(addresses.contains(address), "{address}: {addresses}");
    }
    machine.within("c1", &["ping", "-c1", "-W5", "169.254.7.8"]);
    let template = "{{json (index .NetworkSettings.Networks \"web\").IPAMConfig}}";
    let config = machine.docker(["inspect", "-f", template, "c2"]).json();
    assert_eq!(config, json!({"LinkLocalIPs": ["169.254.7.8", "fe80::7"]}));

    machine.run("c3", &[]).ok();
    machine.docker(["network", "connect", "--link-local-ip", "169.254.9.9", "web", "c3"]).ok();
    assert!(machine.within("c3", &["ip", "-o", "address"]).contains("169.254.9.9/16"));
    let wrong = machine.docker(["network", "connect", "--link-local-ip", "nowhere", "bridge", "c1"]).fails(1);
    let text =
        "Error response from daemon: invalid endpoint settings:\ninvalid link-local IP address: nowhere";
    assert_eq!(wrong.trim(), text);
}

#[test]
fn driver_options_name_the_interface_and_set_it() {
    let machine = machine();
    let long = "driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1";
    machine.run("c1", &["--network", &format!("name=web,{long}")]).ok();
    let setting = |name: &str, key: &str| machine.within(name, &["sysctl", "-n", key]);
    assert_eq!(setting("c1", "net.ipv4.conf.eth0.log_martians"), "1");
    machine.docker(["network", "create", "--ipv6", "six"]).ok();
    let options = [
        "--driver-opt",
        "com.docker.network.endpoint.ifname=wan0",
        "--driver-opt",
        "\"com.docker.network.endpoint.sysctls=net.ipv6.conf.IFNAME.disable_ipv6=1,net.ipv4.conf.IFNAME.arp_ignore=2\"",
    ];
    machine.docker(["network", "connect"].iter().chain(&options).chain(&["six", "c1"]).copied()).ok();
    assert_eq!(setting("c1", "net.ipv4.conf.wan0.arp_ignore"), "2");
    assert!(!machine.within("c1", &["ip", "-6", "-o", "address", "show"]).contains("wan0"));
    let template = "{{(index .NetworkSettings.Networks \"six\").GlobalIPv6Address}}";
    assert_eq!(machine.docker(["inspect", "-f", template, "c1"]).ok(), "");

    let unrecognised = |setting: &str| {
        format!(
            "Error response from daemon: invalid config for network web: invalid endpoint settings:\nunrecognised network interface sysctl '{setting}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
        )
    };
    let wrong = "net.ipv4.conf.eth0.log_martians=1";
    let long = format!("name=web,driver-opt=com.docker.network.endpoint.sysctls={wrong}");
    let error = machine.run("c2", &["--network", &long]).fails(125);
    assert!(error.contains(&unrecognised(wrong)), "{error}");
    let long = "name=web,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.no_such=1";
    let error = machine.run("c3", &["--network", long]).fails(125);
    assert!(error.contains("set ipv4/conf/eth0/no_such in the sandbox"), "{error}");
    machine.docker(["rm", "c3"]).ok();
}

#[test]
fn each_family_leaves_by_its_own_gateway_and_ports_follow() {
    let machine = machine();
    let client = machine.lan("client");
    machine.docker(["network", "create", "--ipv6", "--ipv4=false", "six"]).ok();
    machine.docker(["network", "create", "--ipv6", "both"]).ok();
    let server = ["host", "socat", "TCP6-LISTEN:8000,fork,reuseaddr,ipv6only=0", "SYSTEM:echo hello"];
    let args = [
        "run",
        "-d",
        "--name",
        "c1",
        "--network",
        "name=web,gw-priority=5",
        "--network",
        "six",
        "-p",
        "8080:8000",
    ];
    machine.docker(args.iter().chain(&server).copied()).ok();
    let routes = |family: &str| machine.within("c1", &["ip", family, "route", "show", "default"]);
    let answered = |to: &str| {
        let line = ["socat", "-t3", "-", &format!("TCP:{to},connect-timeout=2")];
        let from_lan = client.exec(line);
        if from_lan.stdout == "hello" { Ok(()) } else { Err(from_lan) }
    };
    let published = || machine.docker(["port", "c1", "8000"]).ok();
    let there = format!("{}:8080", client.gateway());
    assert!(routes("-4").contains("via 192.168.0.1 dev eth0"), "{}", routes("-4"));
    assert!(routes("-6").contains("dev eth1"), "{}", routes("-6"));
    eventually("a LAN host is answered through web", || answered(&there));
    assert_eq!(published(), "0.0.0.0:8080\n[::]:8080");

    machine.docker(["network", "connect", "--gw-priority", "9", "both", "c1"]).ok();
    assert!(routes("-4").contains("dev eth2") && routes("-6").contains("dev eth2"));
    assert_eq!(routes("-4").lines().count() + routes("-6").lines().count(), 2);
    eventually("a LAN host is answered through both", || answered(&there));

    machine.docker(["network", "disconnect", "both", "c1"]).ok();
    assert!(routes("-4").contains("dev eth0") && routes("-6").contains("dev eth1"));
    machine.docker(["network", "disconnect", "web", "c1"]).ok();
    assert_eq!(routes("-4"), "");
    machine.docker(["network", "connect", "web", "c1"]).ok();
    eventually("a LAN host is answered again", || answered(&there));
    let template = "{{range .NetworkSettings.Networks}}{{.GwPriority}} {{end}}";
    assert_eq!(machine.docker(["inspect", "-f", template, "c1"]).ok().trim(), "0 0");
}

#[test]
fn names_and_addresses_of_interfaces_outlive_restarts() {
    let mut machine = machine();
    for network in ["a", "b"] {
        machine.docker(["network", "create", network]).ok();
    }
    let mac = "02:42:c0:a8:00:99";
    let networks = ["--network", "web", "--network", "b", "--network", "a", "--mac-address", mac];
    machine.run("c1", &networks).ok();
    let interfaces = |machine: &Machine| {
        machine.within("c1",
            &[
                "sh",
                "-c",
                "ip -o link | grep -o 'eth.*ether [^ ]*' | sed 's/@.*ether//'; ip -4 -o address | grep -o 'eth.*/'",
            ],
        )
    };
    let before = interfaces(&machine);
    assert!(before.contains(&format!("eth0 {mac}")), "{before}");
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    assert_eq!(interfaces(&machine), before);
    // What was eth0 goes, and comes back where there is room.
    machine.docker(["network", "disconnect", "web", "c1"]).ok();
    let two = interfaces(&machine);
    assert!(!two.contains("eth0"), "{two}");
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    machine.kill_netd();
    machine.start_netd();
    machine.docker(["start", "c1"]).ok();
    assert_eq!(interfaces(&machine), two);
}

#[test]
fn files_tell_what_docker_s_tell_and_keep_what_a_user_writes() {
    let machine = machine();
    let options = [
        "--hostname",
        "box.example",
        "--domainname",
        "org",
        "--add-host",
        "db:10.9.8.7",
        "--add-host",
        "gw=host-gateway",
    ];
    machine.run("c1", &options).ok();
    let read = |name: &str, file: &str| machine.within(name, &["cat", file]);
    assert_eq!(read("c1", "/etc/hostname"), "box.example.org");
    let gateway =
        machine.docker(["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge"]).ok();
    let hosts = read("c1", "/etc/hosts");
    let own = hosts.lines().last().unwrap().to_owned();
    assert!(hosts.contains(&format!("10.9.8.7\tdb\n{gateway}\tgw\n")), "{hosts}");
    assert!(own.ends_with("\tbox.example.org box"), "{hosts}");
    assert!(!read("c1", "/etc/resolv.conf").contains("127.0.0.11"));

    machine.within("c1", &["sh", "-c", "echo 10.1.1.1 mine >> /etc/hosts"]);
    machine.docker(["network", "connect", "--ip", "192.168.0.9", "web", "c1"]).ok();
    let joined = read("c1", "/etc/hosts");
    assert_eq!(joined, format!("{hosts}\n10.1.1.1 mine\n192.168.0.9\tbox.example.org box"));
    assert!(read("c1", "/etc/resolv.conf").contains("nameserver 127.0.0.11"));
    machine.docker(["network", "disconnect", "bridge", "c1"]).ok();
    assert_eq!(read("c1", "/etc/hosts"), joined.replace(&format!("{own}\n"), ""));

    machine.run("c2", &[]).ok();
    machine.within("c2", &["sh", "-c", "echo nameserver 192.0.2.53 > /etc/resolv.conf"]);
    machine.docker(["network", "connect", "web", "c2"]).ok();
    assert_eq!(read("c2", "/etc/resolv.conf"), "nameserver 192.0.2.53");

    let host = |args: &[&str], file: &str| {
        let line = [&["run", "--rm", "--network", "host"], args, &["host", "cat", file]].concat();
        machine.docker(line.iter().copied()).ok()
    };
    assert_eq!(host(&[], "/etc/resolv.conf"), machine.sh("cat /etc/resolv.conf").ok());
    assert_eq!(host(&[], "/etc/hosts"), machine.sh("cat /etc/hosts").ok());
    let searching = host(&["--dns-search", "example.org"], "/etc/resolv.conf");
    assert!(searching.contains("search example.org\n"), "{searching}");
    for server in machine.sh("grep ^nameserver /etc/resolv.conf || true").ok().lines() {
        assert!(searching.contains(server), "{server}: {searching}");
    }
    assert!(host(&["--add-host", "db:10.9.8.7"], "/etc/hosts").ends_with("\n10.9.8.7\tdb"));
}

/// What `docker` says that fails: its arguments, its exit code, all that it writes.
const REFUSED: [(&[&str], i32, &str); 13] = [
    (
        &["network", "connect", "web", "in-host"],
        1,
        "container sharing network namespace with another container or host cannot be connected to any other network",
    ),
    (
        &["network", "connect", "web", "in-none"],
        1,
        "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    ),
    (
        &["network", "connect", "none", "in-web"],
        1,
        "container cannot be connected to multiple networks with one of the networks in private (none) mode",
    ),
    (
        &["network", "connect", "host", "in-web"],
        1,
        "cannot connect container to host network - container must be created in host network mode",
    ),
    (
        &["network", "disconnect", "host", "in-host"],
        1,
        "cannot disconnect container from host network - container was created in host network mode",
    ),
    (&["network", "connect", "web", "in-web"], 1, "endpoint with name in-web already exists in network web"),
    (&["network", "connect", "nowhere", "in-web"], 1, "network nowhere not found"),
    (&["network", "connect", "web", "nobody"], 1, "No such container: nobody"),
    (&["network", "disconnect", "-f", "web", "nobody"], 1, "endpoint nobody not found"),
    (
        &["network", "connect", "--ip", "10.9.9.9", "web", "in-auto"],
        1,
        "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.9.9",
    ),
    (
        &["network", "connect", "--ip", "172.30.0.9", "auto", "in-web"],
        1,
        "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets",
    ),
    (
        &["network", "connect", "--alias", "a", "--ip", "172.17.0.9", "bridge", "in-web"],
        1,
        "invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* network-scoped alias is supported only for containers in user defined networks",
    ),
    (&["network", "connect", "--ip", "192.168.0.2", "web", "in-auto"], 1, "Address already in use"),
];

#[test]
fn what_can_t_be_joined_is_refused_in_docker_s_words() {
    let machine = machine();
    machine.docker(["network", "create", "auto"]).ok();
    for (name, network) in [("in-web", "web"), ("in-auto", "auto"), ("in-host", "host"), ("in-none", "none")]
    {
        machine.run(name, &["--network", network]).ok();
    }
    for (args, code, text) in REFUSED {
        let said = machine.docker(args.iter().copied()).fails(code);
        assert_eq!(said, format!("Error response from daemon: {text}"), "{args:?}");
    }
    let id = machine.docker(["inspect", "-f", "{{.Id}}", "in-web"]).ok();
    let said = machine.docker(["network", "disconnect", "auto", "in-web"]).fails(1);
    assert_eq!(said, format!("Error response from daemon: container {id} is not connected to network auto"));
    machine.docker(["stop", "-t", "0", "in-web"]).ok();
    let said = machine.docker(["network", "disconnect", "-f", "auto", "in-web"]).fails(1);
    assert_eq!(
        said,
        format!("Error response from daemon: container {id} is not connected to the network auto")
    );

    let refused = |args: &[&str], text: &str| {
        let line = [&["run", "--rm"], args, &["host", "true"]].concat();
        let said = machine.docker(line.iter().copied()).fails(125);
        assert!(said.contains(text), "{args:?}: {said}");
    };
    refused(
        &["--ip", "172.17.0.9"],
        "Error response from daemon: invalid config for network bridge: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only",
    );
    refused(
        &["--network", "web", "--ip", "192.168.0.1"],
        "failed to set up container networking: Address already in use",
    );
    refused(
        &["--network", "host", "--network", "web"],
        "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
    refused(
        &["--network", "container:in-auto", "--hostname", "h"],
        "conflicting options: hostname and the network mode",
    );
    refused(
        &["--network", "container:in-web"],
        "cannot join network namespace of a non running container: container in-web is exited",
    );
    refused(
        &["--sysctl", "net.ipv4.conf.eth0.log_martians=1"],
        "interface specific sysctl setting \"net.ipv4.conf.eth0.log_martians\" must be supplied using driver option 'com.docker.network.endpoint.sysctls'",
    );
    assert_eq!(machine.docker(["ps", "-aq", "--filter", "status=created"]).ok(), "");
}

#[test]
fn an_endpoint_can_leave_a_network_that_is_gone() {
    let machine = machine();
    machine.run("c1", &[]).ok();
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    machine.docker(["network", "connect", "web", "c1"]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    let said = machine.docker(["start", "c1"]).fails(1);
    assert!(said.contains("failed to set up container networking: network "), "{said}");
    machine.docker(["network", "disconnect", "-f", "web", "c1"]).ok();
    machine.docker(["start", "c1"]).ok();
}

#[test]
fn what_a_container_may_join_depends_on_where_it_is_now() {
    let mut machine = machine();
    machine.run("peer", &["--network", "web"]).ok();
    machine.run("c1", &["--network", "none"]).ok();
    machine.docker(["network", "disconnect", "none", "c1"]).ok();
    machine.docker(["network", "connect", "web", "c1"]).ok();
    let meets = |machine: &Machine| machine.within("c1", &["ping", "-c1", "-W2", "peer"]);
    meets(&machine);
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    meets(&machine);
    machine.kill_netd();
    machine.start_netd();
    meets(&machine);
    machine.docker(["network", "disconnect", "web", "c1"]).ok();
    machine.docker(["network", "connect", "web", "c1"]).ok();
    machine.docker(["restart", "-t", "0", "c1"]).ok();
    meets(&machine);

    let shared = "Error response from daemon: container sharing network namespace with another container or host cannot be connected to any other network";
    machine.run("in-host", &["--network", "host"]).ok();
    machine.run("shared", &["--network", "container:peer"]).ok();
    let refused =
        |name: &str| assert_eq!(machine.docker(["network", "connect", "web", name]).fails(1), shared);
    refused("shared");
    for name in ["shared", "in-host"] {
        machine.docker(["stop", "-t", "0", name]).ok();
        refused(name);
    }
    machine.docker(["network", "disconnect", "host", "in-host"]).ok();
    refused("in-host");
    machine.docker(["network", "connect", "host", "in-host"]).ok();
    machine.docker(["start", "in-host"]).ok();
}

#[test]
fn a_container_that_has_not_run_knows_its_networks_by_name() {
    let machine = machine();
    let create = |name: &str| {
        machine.docker(["create", "--name", name, "--network", "web", "host", "sleep", "1000"]).ok()
    };
    let anew = || {
        machine.docker(["network", "rm", "web"]).ok();
        machine.docker(["network", "create", "web"]).ok()
    };
    let id_of_web = |name: &str| {
        machine.docker(["inspect", "-f", "{{.NetworkSettings.Networks.web.NetworkID}}", name]).ok()
    };
    create("c1");
    create("c2");
    assert_eq!(id_of_web("c1"), "");
    let second = anew();
    let listed =
        machine.docker(["ps", "-a", "--filter", &format!("network={second}"), "--format", "{{.Names}}"]);
    assert_eq!(listed.ok(), "c2\nc1");
    machine.docker(["start", "c1"]).ok();
    assert_eq!(id_of_web("c1"), second);

    // One that has run means the network that it ran in.
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    let third = anew();
    let said = machine.docker(["start", "c1"]).fails(1);
    let text = format!("failed to set up container networking: network {second} not found");
    assert!(said.contains(&text), "{said}");
    machine.docker(["network", "connect", "web", "c1"]).ok();
    machine.docker(["start", "c1"]).ok();
    assert_eq!(id_of_web("c1"), third);

    // One that does not run leaves a network that is gone without force.
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    for name in ["c1", "c2"] {
        machine.docker(["network", "disconnect", "web", name]).ok();
        machine.docker(["start", name]).ok();
        assert_eq!(machine.within(name, &["ls", "/sys/class/net"]), "lo");
        let said = machine.docker(["network", "disconnect", "web", name]).fails(1);
        assert_eq!(said, "Error response from daemon: network web not found");
    }
}

#[test]
fn a_stopped_container_keeps_what_was_said_of_its_network_first() {
    let machine = machine();
    let options = ["--network", "web", "--ip", "192.168.0.7", "--network-alias", "first"];
    machine.docker([&["create", "--name", "c1"], &options[..], &["host", "sleep", "1000"]].concat()).ok();
    machine.docker(["network", "connect", "--ip", "192.168.0.9", "--alias", "second", "web", "c1"]).ok();
    machine.docker(["start", "c1"]).ok();
    assert!(machine.within("c1", &["ip", "-o", "address"]).contains(" 192.168.0.7/24"));
    let template = "{{.NetworkSettings.Networks.web.Aliases}}";
    assert_eq!(machine.docker(["inspect", "-f", template, "c1"]).ok(), "[first]");
}

#[test]
fn names_that_are_not_said_are_asked_for() {
    let machine = machine();
    let no_container = json!({"message": "invalid name or ID supplied: \"\""});
    for action in ["connect", "disconnect"] {
        for body in [json!({"Container": ""}), json!({"Container": null}), json!({})] {
            let answer = machine.post(&format!("/networks/web/{action}"), &body);
            assert_eq!(answer, (400, no_container.clone()), "{action} {body}");
        }
    }
    let answer = machine.post("/networks/create", &json!({}));
    assert_eq!(answer, (400, json!({"message": "invalid name: name is empty"})));
}

#[test]
fn statuses_are_docker_s() {
    let machine = machine();
    for (name, network) in [("in-web", "web"), ("in-host", "host")] {
        machine.run(name, &["--network", network]).ok();
    }
    let socket = format!("unix://{}", machine.socket().display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_socket(&socket, 10, API_DEFAULT_VERSION).unwrap();
        let status = |result: Result<(), bollard::errors::Error>| match result {
            Err(bollard::errors::Error::DockerResponseServerError { status_code, .. }) => status_code,
            other => panic!("{other:?}"),
        };
        let connect = async |network: &str, container: &str| {
            let ask = NetworkConnectRequest { container: container.to_owned(), endpoint_config: None };
            status(docker.connect_network(network, ask).await)
        };
        let disconnect = async |network: &str, container: &str, force| {
            let ask = NetworkDisconnectRequest { container: container.to_owned(), force: Some(force) };
            status(docker.disconnect_network(network, ask).await)
        };
        assert_eq!(connect("web", "in-web").await, 403);
        assert_eq!(connect("web", "in-host").await, 400);
        assert_eq!(connect("web", "nobody").await, 404);
        assert_eq!(connect("nowhere", "in-web").await, 404);
        assert_eq!(disconnect("bridge", "in-web", false).await, 500);
        assert_eq!(disconnect("host", "in-host", false).await, 400);
        assert_eq!(disconnect("web", "nobody", true).await, 404);
        let linked = ContainerCreateBody {
            image: Some("host".to_owned()),
            host_config: Some(HostConfig { links: Some(vec!["in-web".to_owned()]), ..Default::default() }),
            ..Default::default()
        };
        docker
            .create_container(
                Some(CreateContainerOptions { name: Some("linked".to_owned()), ..Default::default() }),
                linked,
            )
            .await
            .unwrap();
        let started =
            docker.start_container("linked", None::<bollard::query_parameters::StartContainerOptions>).await;
        assert_eq!(status(started), 500);
    });
}
