//! How clients find out what they speak to.

use super::{daemon::Daemon, wire};

#[test]
fn every_client_pings_first() {
    let daemon = Daemon::start(&[]);
    for path in ["/_ping", "/v1.24/_ping", "/v1.50/_ping"] {
        let get = daemon.get(path);
        assert_eq!((get.status, get.body.as_str()), (200, "OK"), "{path}");
        let head = wire::request(&daemon.socket(), "HEAD", path, None, "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        for reply in [get, head] {
            assert_eq!(reply.header("Api-Version"), Some("1.50"));
            assert_eq!(reply.header("Ostype"), Some("linux"));
            assert_eq!(reply.header("Docker-Experimental"), Some("false"));
            assert_eq!(reply.header("Builder-Version"), Some("1"));
            assert_eq!(reply.header("Swarm"), Some("inactive"));
            assert!(reply.header("Server").unwrap().starts_with("Pontoon/"));
        }
    }
}

#[test]
fn versions_out_of_reach_are_refused() {
    let daemon = Daemon::start(&[]);
    for (path, message) in [
        ("/v1.51/info", "client version 1.51 is too new. Maximum supported API version is 1.50"),
        ("/v2.0/info", "client version 2.0 is too new. Maximum supported API version is 1.50"),
        (
            "/v1.23/info",
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
        ),
    ] {
        let reply = daemon.get(path);
        assert_eq!((reply.status, reply.message().as_str()), (400, message));
        assert_eq!(reply.header("Api-Version"), Some("1.50"), "the client must learn what it may speak");
    }
    for path in ["/info", "/v1.24/info", "/v1.50/version"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
}

#[test]
fn version_and_info_say_what_clients_read() {
    let daemon = Daemon::start(&["--label", "rack=7"]);
    let version = daemon.get("/version").json();
    assert_eq!(version["ApiVersion"], "1.50");
    assert_eq!(version["MinAPIVersion"], "1.24");
    assert_eq!(version["Os"], "linux");
    assert_eq!(version["Components"][0]["Name"], "Engine");
    let info = daemon.get("/info").json();
    assert_eq!(info["OSType"], "linux");
    assert_eq!(info["Swarm"]["LocalNodeState"], "inactive");
    assert_eq!(info["Labels"][0], "rack=7");
    assert_eq!(info["FirewallBackend"]["Driver"], "nftables");
    assert_eq!(info["Containers"], 0);
    for key in
        ["ID", "Name", "ServerVersion", "KernelVersion", "Driver", "NCPU", "MemTotal", "Runtimes", "Plugins"]
    {
        assert!(!info[key].is_null(), "{key}");
    }
    let before = info["ID"].clone();
    drop(daemon);
    let mut daemon = Daemon::start(&[]);
    assert_ne!(daemon.get("/info").json()["ID"], before, "another data root is another daemon");
    let before = daemon.get("/info").json()["ID"].clone();
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended_well());
    daemon.again(&[]);
    assert_eq!(daemon.get("/info").json()["ID"], before, "the identity stays with the data root");
}

#[test]
fn what_docker_has_and_we_have_not_is_answered_as_by_a_docker_without_it() {
    let daemon = Daemon::start(&[]);
    for path in ["/swarm", "/services", "/nodes/abc", "/tasks", "/secrets", "/configs"] {
        let reply = daemon.get(path);
        assert_eq!(reply.status, 503, "{path}");
        assert!(reply.message().starts_with("This node is not a swarm manager."), "{path}");
    }
    assert_eq!(daemon.get("/plugins").body, "[]");
    assert_eq!(daemon.get("/plugins/x/json").status, 404);
    let missing = daemon.get("/images/docker.io/library/busybox:latest/json");
    assert_eq!(
        (missing.status, missing.message().as_str()),
        (404, "No such image: docker.io/library/busybox:latest")
    );
    let pull = daemon.post("/images/create?fromImage=docker.io%2Flibrary%2Fbusybox&tag=latest", "");
    assert_eq!(pull.status, 501);
    assert!(pull.message().contains("--rootfs"), "it says what to do instead: {}", pull.message());
    assert_eq!(daemon.get("/images/host/json").json()["RepoTags"][0], "host:latest");
    assert_eq!(daemon.get("/images/json").json()[0]["RepoTags"][0], "host:latest");
    assert_eq!(daemon.delete("/images/host").status, 409);
}
