//! A client of one netd: requests, and how long each takes.

use std::time::Duration;

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{
        ContainerCreateBody, HostConfig, NetworkConnectRequest, NetworkCreateRequest,
        NetworkDisconnectRequest,
    },
    query_parameters::{
        CreateContainerOptions, ListContainersOptions, RemoveContainerOptions, StartContainerOptions,
    },
};
use tests::Machine;

use super::timed;

pub type Outcome<T> = Result<T, bollard::errors::Error>;

pub struct Client(Docker);

impl Client {
    pub fn of(machine: &Machine) -> Self {
        let socket = machine.socket();
        let docker = Docker::connect_with_unix(&socket.to_string_lossy(), 120, API_DEFAULT_VERSION);
        Self(docker.expect("a client"))
    }

    pub async fn create_network(&self, name: &str) -> Outcome<Duration> {
        let ask = NetworkCreateRequest { name: name.to_owned(), ..Default::default() };
        Ok(timed(self.0.create_network(ask)).await?.0)
    }

    pub async fn remove_network(&self, name: &str) -> Outcome<Duration> {
        Ok(timed(self.0.remove_network(name)).await?.0)
    }

    /// Makes a container, and starts it: how long the start took.
    pub async fn run(&self, name: &str, network: &str) -> Outcome<Duration> {
        let body = ContainerCreateBody {
            image: Some("host".to_owned()),
            cmd: Some(vec!["sleep".to_owned(), "1000000".to_owned()]),
            host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..Default::default() }),
            ..Default::default()
        };
        let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
        self.0.create_container(Some(options), body).await?;
        Ok(timed(self.0.start_container(name, None::<StartContainerOptions>)).await?.0)
    }

    pub async fn connect(&self, container: &str, network: &str) -> Outcome<Duration> {
        let ask = NetworkConnectRequest { container: container.to_owned(), ..Default::default() };
        Ok(timed(self.0.connect_network(network, ask)).await?.0)
    }

    pub async fn disconnect(&self, container: &str, network: &str) -> Outcome<Duration> {
        let ask = NetworkDisconnectRequest { container: container.to_owned(), ..Default::default() };
        Ok(timed(self.0.disconnect_network(network, ask)).await?.0)
    }

    /// How many containers run.
    pub async fn count(&self) -> Outcome<usize> {
        Ok(self.0.list_containers(None::<ListContainersOptions>).await?.len())
    }

    pub async fn remove(&self, name: &str) -> Outcome<Duration> {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        Ok(timed(self.0.remove_container(name, Some(options))).await?.0)
    }
}
