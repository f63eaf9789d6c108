//! Whether what a request costs grows with what is there already: networks, containers of one network; and how long a
//! netd that was killed with all of them running takes to answer again. Requests go over the API, so that no command
//! line is measured.
//!
//! `cargo build --release -p netd -p netd-runtime -p pontoon && cargo bench -p tests --bench scale [-- COUNT]`

use std::{
    future::Future,
    time::{Duration, Instant},
};

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
use tests::{Lab, Machine, NetdOptions};

/// So many of the first and of the last are compared.
const EDGE: usize = 25;
/// Room for thousands of networks.
const CONFIG: &str = r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 22}]}"#;

type Outcome<T> = Result<T, bollard::errors::Error>;

fn main() {
    // Cargo hands its own flags on.
    let count =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_usize).max(EDGE * 2);
    let lab = Lab::new();
    let options = || NetdOptions { config: Some(CONFIG.to_owned()), ..NetdOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("median ms | first {EDGE} | last {EDGE} of {count} | ratio");
    let machine = lab.machine_with("networks", options());
    runtime.block_on(networks(&client(&machine), count)).expect("networks");
    drop(machine);
    let mut machine = lab.machine_with("endpoints", options());
    runtime.block_on(endpoints(&client(&machine), count)).expect("containers");
    machine.kill_netd();
    let start = Instant::now();
    machine.start_netd();
    println!(
        "netd with {count} containers, killed and started again, answers: {:.0} ms",
        ms(start.elapsed())
    );
    runtime.block_on(listed(&client(&machine), count)).expect("containers");
    println!("memory of netd with {count} containers: {}", memory(&machine));
    runtime.block_on(removed(&client(&machine), count)).expect("removed");
}

fn client(machine: &Machine) -> Docker {
    let socket = machine.socket();
    Docker::connect_with_unix(&socket.to_string_lossy(), 120, API_DEFAULT_VERSION).expect("a client")
}

/// Networks, made one after the other, and removed so.
async fn networks(docker: &Docker, count: usize) -> Outcome<()> {
    let mut times = Times::default();
    for number in 0..count {
        let name = format!("n{number}");
        times.add(timed(docker.create_network(NetworkCreateRequest { name, ..Default::default() })).await?);
    }
    times.report("network create");
    let mut times = Times::default();
    for number in 0..count {
        times.add(timed(docker.remove_network(&format!("n{number}"))).await?);
    }
    // The last to be removed is the one that is alone.
    times.0.reverse();
    times.report("network rm, of the one that is alone and of the first of all");
    Ok(())
}

/// Containers of one network, started one after the other; what a connect costs beside few and beside all of them.
async fn endpoints(docker: &Docker, count: usize) -> Outcome<()> {
    docker.create_network(NetworkCreateRequest { name: "web".to_owned(), ..Default::default() }).await?;
    run(docker, "probe", "bridge").await?;
    let (mut starts, mut connects, mut disconnects) = (Times::default(), Times::default(), Times::default());
    for number in 0..count {
        starts.add(run(docker, &format!("c{number}"), "web").await?);
        if number < EDGE || number >= count - EDGE {
            let (connect, disconnect) = connected(docker, "probe", "web").await?;
            connects.add(connect);
            disconnects.add(disconnect);
        }
    }
    starts.report("container start");
    connects.report("network connect");
    disconnects.report("network disconnect");
    Ok(())
}

/// Makes a container, and starts it: how long the start took.
async fn run(docker: &Docker, name: &str, network: &str) -> Outcome<Duration> {
    let body = ContainerCreateBody {
        image: Some("host".to_owned()),
        cmd: Some(vec!["sleep".to_owned(), "1000000".to_owned()]),
        host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
    docker.create_container(Some(options), body).await?;
    timed(docker.start_container(name, None::<StartContainerOptions>)).await
}

async fn connected(docker: &Docker, container: &str, network: &str) -> Outcome<(Duration, Duration)> {
    let container = container.to_owned();
    let ask = NetworkConnectRequest { container: container.clone(), ..Default::default() };
    let connect = timed(docker.connect_network(network, ask)).await?;
    let ask = NetworkDisconnectRequest { container, ..Default::default() };
    Ok((connect, timed(docker.disconnect_network(network, ask)).await?))
}

async fn listed(docker: &Docker, count: usize) -> Outcome<()> {
    let start = Instant::now();
    let running = docker.list_containers(None::<ListContainersOptions>).await?.len();
    println!("ps of all of them: {:.0} ms", ms(start.elapsed()));
    assert_eq!(running, count + 1, "the probe and the others");
    Ok(())
}

async fn removed(docker: &Docker, count: usize) -> Outcome<()> {
    let mut times = Times::default();
    for number in 0..count {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        times.add(timed(docker.remove_container(&format!("c{number}"), Some(options))).await?);
    }
    times.0.reverse();
    times.report("container rm -f, of the last that is left and of the first of all");
    Ok(())
}

async fn timed<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<Duration> {
    let start = Instant::now();
    work.await?;
    Ok(start.elapsed())
}

#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    fn report(&self, what: &str) {
        let (first, last) = (median(&self.0[..EDGE]), median(&self.0[self.0.len() - EDGE..]));
        println!("{what} | {first:.2} | {last:.2} | {:.2}", last / first);
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().map_or(0.0, ms)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn memory(machine: &Machine) -> String {
    let line =
        "awk '/^(Rss|Pss):/ {printf \"%s %.1f MiB \", $1, $2 / 1024}' /proc/$(pgrep -x netd)/smaps_rollup";
    machine.sh(line).ok()
}
