//! Clients that others wrote: the stock docker command line and bollard, against netd.

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, ListContainersOptions, RemoveContainerOptions,
        StartContainerOptions, WaitContainerOptions,
    },
};
use futures_util::TryStreamExt;
use tests::Lab;

#[test]
fn docker_runs_a_whole_life() {
    let machine = Lab::new().machine("aa");
    assert!(machine.docker(["version"]).ok().contains("1.50"));
    machine.docker(["info"]).ok();
    machine.docker(["network", "create", "--subnet", "192.168.0.0/24", "web"]).ok();
    let id = machine
        .docker(["run", "-d", "--name", "c1", "--network", "web", "-p", "8080:80", "host", "sleep", "99"])
        .ok();
    assert_eq!(id.len(), 64);
    let table = machine.docker(["ps"]).ok();
    assert!(table.contains("0.0.0.0:8080->80/tcp") && table.contains("Up "), "{table}");
    assert_eq!(machine.docker(["exec", "c1", "echo", "hello"]).ok(), "hello");
    assert!(
        machine
            .docker(["run", "--rm", "--network", "web", "host", "getent", "hosts", "c1"])
            .ok()
            .contains("192.168.0.")
    );
    assert!(machine.docker(["network", "inspect", "web"]).ok().contains("\"c1\""));
    machine.docker(["stop", "-t", "0", "c1"]).ok();
    machine.docker(["start", "c1"]).ok();
    assert!(machine.docker(["port", "c1"]).ok().contains("80/tcp -> 0.0.0.0:8080"));
    assert!(machine.docker(["top", "c1"]).ok().contains("sleep 99"));
    assert!(machine.docker(["stats", "--no-stream", "c1"]).ok().contains("c1"));
    machine.docker(["rm", "-f", "c1"]).ok();
    machine.docker(["network", "rm", "web"]).ok();
    machine.docker(["run", "--rm", "host", "sh", "-c", "exit 3"]).fails(3);
    machine.docker(["run", "--rm", "host", "no-such-command"]).fails(127);
    let error = machine.docker(["run", "--rm", "no-such-image", "true"]).fails(125);
    assert!(error.contains("no-such-image"), "{error}");
}

#[test]
fn pontoon_and_docker_print_the_same_tables() {
    let machine = Lab::new().machine("aa");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.pontoon(["create", "--name", "c1", "--network", "web", "-p", "80", "host", "true"]).ok();
    for args in [
        &["network", "ls"][..],
        &["network", "ls", "--no-trunc", "-f", "driver=bridge"],
        &["network", "inspect", "-f", "{{.Name}} {{json .IPAM.Config}}", "web"],
        &["ps", "-a", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.Ports}} {{.Status}}"],
        &["inspect", "-f", "{{.Name}} {{.Config.Image}} {{json .HostConfig.PortBindings}}", "c1"],
        &["ps", "-aq"],
    ] {
        assert_eq!(
            machine.pontoon(args.iter().copied()).ok(),
            machine.docker(args.iter().copied()).ok(),
            "{args:?}"
        );
    }
}

#[tokio::test]
async fn bollard_runs_a_whole_life() {
    let machine = Lab::new().machine("aa");
    let socket = machine.socket();
    let docker = Docker::connect_with_unix(&socket.to_string_lossy(), 30, API_DEFAULT_VERSION).unwrap();
    let docker = docker.negotiate_version().await.unwrap();
    docker
        .create_network(NetworkCreateRequest { name: "web".to_owned(), ..Default::default() })
        .await
        .unwrap();
    let body = ContainerCreateBody {
        image: Some("host".to_owned()),
        cmd: Some(vec!["sh".to_owned(), "-c".to_owned(), "exit 6".to_owned()]),
        host_config: Some(HostConfig { network_mode: Some("web".to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let options = CreateContainerOptions { name: Some("c1".to_owned()), ..Default::default() };
    let id = docker.create_container(Some(options), body).await.unwrap().id;
    docker.start_container("c1", None::<StartContainerOptions>).await.unwrap();
    let ended: Result<Vec<_>, _> =
        docker.wait_container("c1", None::<WaitContainerOptions>).try_collect().await;
    assert!(format!("{ended:?}").contains('6'), "{ended:?}");
    let seen = docker.inspect_container("c1", None::<InspectContainerOptions>).await.unwrap();
    assert_eq!(seen.state.unwrap().exit_code, Some(6));
    let all = ListContainersOptions { all: true, ..Default::default() };
    assert_eq!(docker.list_containers(Some(all)).await.unwrap()[0].id, Some(id));
    docker.remove_container("c1", None::<RemoveContainerOptions>).await.unwrap();
    docker.remove_network("web").await.unwrap();
    let gone = docker.inspect_container("c1", None::<InspectContainerOptions>).await.unwrap_err().to_string();
    assert!(gone.contains("404") && gone.contains("No such container: c1"), "{gone}");
}
