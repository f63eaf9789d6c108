//! Whether what a request costs grows with what is there already: networks; containers of one network, beside the growth
//! of the kernel's own work on a bridge with as many ports; containers of many networks. And how long a netd that was
//! killed with all of them running takes to answer again. Requests go over the API, so that no command line is measured.
//!
//! `cargo build --release -p netd -p netd-runtime -p pontoon && cargo bench -p tests --bench scale [-- COUNT]`

#[path = "scale/client.rs"]
mod client;
#[allow(dead_code, reason = "the bench of attach names its namespaces")]
#[path = "attach/floor.rs"]
mod floor;
#[path = "scale/times.rs"]
mod times;

use std::time::Instant;

use client::{Client, Outcome};
use floor::{End, Floor};
use tests::{Lab, Machine, NetdOptions};
use times::{EDGE, Times, ms, timed};

/// Room for thousands of networks.
const CONFIG: &str = r#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 22}]}"#;
/// What the containers are spread over in the second round.
const NETWORKS: usize = 50;
/// Before anything is measured: caches are warm, ready namespaces are there.
const WARM_UP: usize = 50;

fn main() {
    // Cargo hands its own flags on.
    let count =
        std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_usize).max(EDGE * 2);
    raise_descriptor_limit();
    let lab = Lab::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("median ms | first {EDGE} | last {EDGE} of {count} | ratio");
    runtime.block_on(networks(&lab, count)).expect("networks");
    runtime.block_on(one_network(&lab, count)).expect("containers of one network");
    runtime.block_on(many_networks(&lab, count)).expect("containers of many networks");
}

fn machine(lab: &Lab, name: &str) -> Machine {
    lab.machine_with(name, NetdOptions { config: Some(CONFIG.to_owned()), ..NetdOptions::default() })
}

/// Networks, made one after the other, and removed so.
async fn networks(lab: &Lab, count: usize) -> Outcome<()> {
    let machine = machine(lab, "networks");
    let client = Client::of(&machine);
    for number in 0..WARM_UP {
        client.create_network(&format!("w{number}")).await?;
    }
    for number in 0..WARM_UP {
        client.remove_network(&format!("w{number}")).await?;
    }
    let (mut creates, mut removals) = (Times::default(), Times::default());
    for number in 0..count {
        creates.add(client.create_network(&format!("n{number}")).await?);
    }
    creates.report("network create");
    for number in 0..count {
        removals.add(client.remove_network(&format!("n{number}")).await?);
    }
    removals.backwards().report("network rm, of the last that is left and of the first of all");
    Ok(())
}

/// All containers in one network; the kernel's part takes turns with it, on a bridge of its own.
async fn one_network(lab: &Lab, count: usize) -> Outcome<()> {
    let mut machine = machine(lab, "one");
    let mut kernel = Kernel::new(lab);
    let mut containers = Containers::start(Client::of(&machine), vec!["web".to_owned()]).await?;
    for number in 0..count {
        containers.add(number, count).await?;
        kernel.add(number);
    }
    containers.report("one network");
    kernel.report();
    restart(&mut machine, count).await?;
    let mut removals = Times::default();
    let client = Client::of(&machine);
    for number in 0..count {
        removals.add(client.remove(&format!("c{number}")).await?);
        kernel.remove(number);
    }
    removals.backwards().report("one network: rm -f, of the last that is left and of the first of all");
    kernel.downs.backwards().report("the kernel alone: link down, likewise");
    Ok(())
}

/// The same containers, a fiftieth of them in each network.
async fn many_networks(lab: &Lab, count: usize) -> Outcome<()> {
    let machine = machine(lab, "many");
    let networks = (0..NETWORKS).map(|number| format!("web{number}")).collect();
    let mut containers = Containers::start(Client::of(&machine), networks).await?;
    for number in 0..count {
        containers.add(number, count).await?;
    }
    containers.report(&format!("{NETWORKS} networks"));
    let mut removals = Times::default();
    for number in 0..count {
        removals.add(containers.client.remove(&format!("c{number}")).await?);
    }
    removals.backwards().report(&format!("{NETWORKS} networks: rm -f"));
    Ok(())
}

/// Containers that are started one after the other, and what a connect costs beside few and beside all of them.
struct Containers {
    client: Client,
    networks: Vec<String>,
    starts: Times,
    connects: Times,
    disconnects: Times,
}

impl Containers {
    async fn start(client: Client, networks: Vec<String>) -> Outcome<Self> {
        for network in &networks {
            client.create_network(network).await?;
        }
        for number in 0..WARM_UP {
            client.run(&format!("w{number}"), &networks[number % networks.len()]).await?;
        }
        for number in 0..WARM_UP {
            client.remove(&format!("w{number}")).await?;
        }
        client.run("probe", "bridge").await?;
        let (starts, connects, disconnects) = Default::default();
        Ok(Self { client, networks, starts, connects, disconnects })
    }

    async fn add(&mut self, number: usize, count: usize) -> Outcome<()> {
        let network = &self.networks[number % self.networks.len()];
        self.starts.add(self.client.run(&format!("c{number}"), network).await?);
        if number < EDGE || number >= count - EDGE {
            self.connects.add(self.client.connect("probe", network).await?);
            self.disconnects.add(self.client.disconnect("probe", network).await?);
        }
        Ok(())
    }

    fn report(&self, of: &str) {
        self.starts.report(&format!("{of}: container start"));
        self.connects.report(&format!("{of}: network connect"));
        self.disconnects.report(&format!("{of}: network disconnect"));
    }
}

/// The same messages to the kernel, and nothing around them.
struct Kernel {
    floor: Floor,
    ends: Vec<Option<End>>,
    ups: Times,
    downs: Times,
    _host: tests::Host,
}

impl Kernel {
    fn new(lab: &Lab) -> Self {
        let host = lab.host("kernel");
        let floor = host.run(Floor::open);
        let (ends, ups, downs) = Default::default();
        Self { floor, ends, ups, downs, _host: host }
    }

    fn add(&mut self, number: usize) {
        self.floor.prepare();
        let start = Instant::now();
        let end = self.floor.attach(number);
        self.ups.add(start.elapsed());
        self.ends.push(Some(end));
    }

    fn remove(&mut self, number: usize) {
        let Some(end) = self.ends[number].take() else { return };
        let start = Instant::now();
        self.floor.detach(end);
        self.downs.add(start.elapsed());
    }

    fn report(&self) {
        self.ups.report("the kernel alone: veth in place, address, route");
    }
}

/// netd killed, and started again.
async fn restart(machine: &mut Machine, count: usize) -> Outcome<()> {
    machine.kill_netd();
    let start = Instant::now();
    machine.start_netd();
    println!(
        "netd with {count} containers, killed and started again, answers: {:.0} ms",
        ms(start.elapsed())
    );
    let client = Client::of(machine);
    let (took, running) = timed(client.count()).await?;
    println!("ps of all of them: {:.0} ms", ms(took));
    assert_eq!(running, count + 1, "the probe and the others");
    println!("memory of netd with {count} containers: {}", memory(machine));
    println!("descriptors of netd: {}", machine.sh("ls /proc/$(pgrep -x netd)/fd | wc -l").ok());
    Ok(())
}

fn memory(machine: &Machine) -> String {
    let line =
        "awk '/^(Rss|Pss):/ {printf \"%s %.1f MiB \", $1, $2 / 1024}' /proc/$(pgrep -x netd)/smaps_rollup";
    machine.sh(line).ok()
}

/// The floor's namespaces are held by this process.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("the hard limit is allowed");
}
