//! Flows through published ports when what they lead to goes: they are forgotten, so that a client that goes on sending
//! reaches whoever has the port next; flows beside them are not touched.

use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};

use tests::{Lab, Lan, Machine, eventually};

/// Says to every datagram, and to every line of a connection, its host's name.
const SERVER: &str = "
import socket, threading
name = socket.gethostname().encode()
def line(client):
    while client.recv(64): client.sendall(name)
def lines():
    listener = socket.create_server(('', 80))
    while True: threading.Thread(target=line, args=[listener.accept()[0]], daemon=True).start()
threading.Thread(target=lines, daemon=True).start()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(('', 80))
while True: datagrams.sendto(name, datagrams.recvfrom(64)[1])
";

/// A host with a network, and beside it who asks.
struct Scene {
    machine: Machine,
    lan: Lan,
}

/// One flow of datagrams: always the same socket, whatever becomes of the server.
struct Datagrams(UdpSocket);

impl Scene {
    fn new() -> Self {
        let machine = Lab::new().machine("flows");
        // Entries of flows that rest must outlive the test, however long it takes.
        machine.sh("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=300").ok();
        let lan = machine.lan("client");
        let create = ["network", "create", "--subnet", "10.7.0.0/24"];
        machine.docker(create.into_iter().chain(["web"])).ok();
        machine.docker(["network", "create", "--subnet", "10.8.0.0/24", "other"]).ok();
        Self { machine, lan }
    }

    fn serve(&self, name: &str, ip: &str, port: u16) {
        let publish = [format!("{port}:80"), format!("{port}:80/udp")];
        let args = ["--network", "web", "--ip", ip, "--hostname", name, "-p", &publish[0], "-p", &publish[1]];
        self.machine.start(name, &args, &["python3", "-c", SERVER]);
    }

    fn datagrams(&self, from: u16, to: u16) -> Datagrams {
        let socket = self.lan.run(|| UdpSocket::bind(("0.0.0.0", from)).unwrap());
        socket.connect((self.lan.gateway(), to)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Datagrams(socket)
    }

    /// A relayed flow: the network has no IPv6.
    fn datagrams6(&self, to: u16) -> Datagrams {
        let socket = self.lan.run(|| UdpSocket::bind(("::", 0)).unwrap());
        socket.connect((self.lan.gateway6(), to)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Datagrams(socket)
    }

    fn connection(&self, to: u16) -> TcpStream {
        let connect = || TcpStream::connect((self.lan.gateway(), to)).map_err(|error| error.to_string());
        let mut stream = eventually("it is accepted", || self.lan.run(connect));
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!(says(&mut stream).is_ok());
        stream
    }

    /// The entries of the connection table that have this word, or this value of any key, each with its id. What a refused
    /// try to connect has left there is none: it goes by itself.
    fn entries(&self, text: &str) -> Vec<String> {
        let all = self.machine.sh("conntrack -L -o id 2>/dev/null").stdout;
        let is_it = |word: &str| word == text || word.split_once('=').is_some_and(|(_, value)| value == text);
        let entries = all.lines().filter(|line| line.split_whitespace().any(is_it));
        let refused = |line: &&str| [" CLOSE ", " SYN_SENT "].iter().any(|state| line.contains(state));
        let id = |line: &str| line.rsplit("id=").next().unwrap_or_default().trim().to_owned();
        entries.filter(|line| !refused(line)).map(id).collect()
    }

    fn address(&self, container: &str) -> String {
        let template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        self.machine.docker(["inspect", "-f", template, container]).ok()
    }
}

impl Datagrams {
    fn ask(&self) -> Result<String, String> {
        let mut buffer = [0; 64];
        // What came late is not what is asked for now.
        self.0.set_nonblocking(true).unwrap();
        while self.0.recv(&mut buffer).is_ok() {}
        self.0.set_nonblocking(false).unwrap();
        self.0.send(b"?").map_err(|error| error.to_string())?;
        let length = self.0.recv(&mut buffer).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    #[track_caller]
    fn reach(&self, name: &str) {
        eventually(&format!("the flow reaches {name}"), || match self.ask() {
            Ok(answer) if answer == name => Ok(()),
            other => Err(other),
        });
    }

    /// Nobody answers; asked so often that its entry would never end.
    #[track_caller]
    fn reach_nobody(&self) {
        eventually("nobody answers", || if self.ask().is_err() { Ok(()) } else { Err("an answer") });
        (0..5).for_each(|_| assert!(self.ask().is_err()));
    }
}

fn says(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(b"?")?;
    let mut buffer = [0; 64];
    let length = stream.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[test]
fn a_port_that_goes_takes_its_flows_and_no_other() {
    let scene = Scene::new();
    scene.serve("one", "10.7.0.11", 8080);
    scene.serve("two", "10.7.0.12", 8090);
    scene.machine.pontoon(["port", "add", "one", "8085:80", "8085:80/udp"]).ok();
    let (flow, same, beside) =
        (scene.datagrams(4000, 8080), scene.datagrams(4001, 8085), scene.datagrams(4002, 8090));
    flow.reach("one");
    same.reach("one");
    beside.reach("two");
    let (mut connection, mut stays) = (scene.connection(8080), scene.connection(8085));
    let kept = || [scene.entries("sport=4001"), scene.entries("sport=4002"), scene.entries("dport=8085")];
    let before = kept();

    scene.machine.pontoon(["port", "rm", "one", "8080:80", "8080:80/udp"]).ok();
    flow.reach_nobody();
    assert!(says(&mut connection).is_err(), "the connection is not led there any more");
    scene.machine.pontoon(["port", "add", "two", "8080:80", "8080:80/udp"]).ok();
    flow.reach("two");
    scene.machine.pontoon(["port", "rm", "two", "8080:80/udp"]).ok();
    scene.machine.pontoon(["port", "add", "one", "8080:80/udp"]).ok();
    flow.reach("one");
    same.reach("one");
    beside.reach("two");
    assert_eq!(says(&mut stays).unwrap(), "one");
    assert_eq!(kept(), before, "entries of other ports and containers are the same ones");
}

#[test]
fn a_container_that_comes_back_elsewhere_is_reached_by_the_same_flow() {
    let scene = Scene::new();
    scene.serve("beside", "10.7.0.12", 8090);
    let beside = scene.datagrams(4002, 8090);
    beside.reach("beside");
    let mut stays = scene.connection(8090);
    let kept = || [scene.entries("sport=4002"), scene.entries("dport=8090")];
    let before = kept();

    scene.serve("first", "10.7.0.11", 8080);
    let (flow, relayed) = (scene.datagrams(4000, 8080), scene.datagrams6(8080));
    flow.reach("first");
    relayed.reach("first");
    // Removed, and another one has its port.
    scene.machine.pontoon(["rm", "-f", "first"]).ok();
    eventually("no entry is left", || match scene.entries("10.7.0.11") {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    });
    scene.serve("second", "10.7.0.21", 8080);
    flow.reach("second");
    relayed.reach("second");
    // In another network of the host, and so at another address.
    scene.machine.docker(["network", "disconnect", "web", "second"]).ok();
    flow.reach_nobody();
    scene.machine.docker(["network", "connect", "other", "second"]).ok();
    assert!(scene.address("second").starts_with("10.8.0."));
    flow.reach("second");
    relayed.reach("second");
    // Stopped, and started again while the client goes on.
    scene.machine.pontoon(["stop", "-t", "0", "second"]).ok();
    flow.reach_nobody();
    relayed.reach_nobody();
    scene.machine.pontoon(["start", "second"]).ok();
    flow.reach("second");
    relayed.reach("second");
    scene.machine.pontoon(["restart", "-t", "0", "second"]).ok();
    flow.reach("second");
    // Its gateway is another one: the port leads to another address of it.
    scene.machine.docker(["network", "connect", "--gw-priority", "9", "web", "second"]).ok();
    flow.reach("second");
    eventually("the flow takes the other way", || {
        flow.reach("second");
        let entry = scene.machine.sh("conntrack -L 2>/dev/null | grep -w sport=4000").stdout;
        if entry.contains("src=10.7.0.") { Ok(()) } else { Err(entry) }
    });

    beside.reach("beside");
    assert_eq!(says(&mut stays).unwrap(), "beside");
    assert_eq!(kept(), before, "what is beside it is the same");
}

#[test]
fn a_flow_that_began_before_its_port_was_published_is_led_there() {
    let scene = Scene::new();
    let flow = scene.datagrams(4000, 8080);
    flow.reach_nobody();
    scene.serve("one", "10.7.0.11", 8080);
    flow.reach("one");
}
