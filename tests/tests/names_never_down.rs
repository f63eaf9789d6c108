//! Names while the daemon that serves them is killed, stopped, replaced, and started again, counted question by question.

use std::{fs, time::Duration};

use tests::{Lab, Machine, NetdOptions, Process, eventually, until};

const FOLDER: &str = "/run/lab";

/// Asks for `cc` so many times a second, at least for two seconds and until the file `enough` is there; says how many
/// questions were asked, answered rightly, answered once more, answered wrongly, not answered. Each may take as long as
/// resolvers wait: 5 s.
///
/// Meanwhile it kills the daemon of the file `pid` so many times, each time it finds a new one there, while that is busy
/// with what has waited: at once with its first answer, then after 5 more, then 10, ….
const CLIENT: &str = r#"
import os, select, socket, struct, sys, time
right, kills, rate = socket.inet_aton(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
sock.connect(("127.0.0.11", 53)); sock.setblocking(False)
name = b"\x02cc\x00"
open_, good, twice, bad, asked, slowest = {}, 0, 0, 0, 0, 0.0
killed, dead, heard = 0, "", 0
def living():
    try: return open("pid").read()
    except FileNotFoundError: return ""
start = time.monotonic(); end = None
while True:
    now = time.monotonic()
    if end is None and asked >= 2 * rate and os.path.exists("enough"): end = now
    while end is None and asked < (now - start) * rate:
        asked += 1
        open_[asked & 0xffff] = now
        sock.send(struct.pack("!6H", asked & 0xffff, 0x0100, 1, 0, 0, 0) + name + b"\x00\x01\x00\x01")
    if end is not None and (not open_ or now > end + 5): break
    if not select.select([sock], [], [], 0.001)[0]: continue
    while True:
        try: reply = sock.recv(512)
        except BlockingIOError: break
        except ConnectionRefusedError: bad += 1; break
        if killed < kills and living() not in ("", dead):
            heard += 1
            if heard > 5 * killed:
                dead, heard = living(), 0
                os.kill(int(dead), 9)
                killed += 1
        since = open_.pop(struct.unpack("!H", reply[:2])[0], None)
        ok = reply[3] & 15 == 0 and reply[6:8] == b"\x00\x01" and reply[-4:] == right
        if not ok: bad += 1
        elif since is None: twice += 1
        else: good += 1; slowest = max(slowest, time.monotonic() - since)
print(asked, good, twice, bad, len(open_)); print("slowest", round(slowest, 3), file=sys.stderr)
"#;

/// A container that is asked about, and who asks: not through the daemon, which dies, but in the container's namespace,
/// where its socket is.
fn ask(machine: &Machine, kills: u32, rate: u32) -> Process {
    machine.pontoon(["network", "create", "--subnet", "10.79.0.0/24", "web"]).ok();
    machine.start("cc", &["--network", "web", "--ip", "10.79.0.9"], &["sleep", "1000"]);
    assert_eq!(machine.pontoon(["exec", "cc", "dig", "+short", "cc"]).ok(), "10.79.0.9");
    let line = format!(
        "cd {FOLDER}; nsenter --net=$(echo /run/netns/pontoon-[0-9a-f]*) python3 - 10.79.0.9 {kills} {rate} > count 2> count.err <<'END'{CLIENT}END"
    );
    machine.spawn(["bash", "-c", &line])
}

/// Each question must have had its answer. Says how many had another.
fn all_answered(machine: &Machine, mut client: Process) -> u32 {
    let read = |name: &str| fs::read_to_string(machine.path(&format!("{FOLDER}/{name}"))).unwrap_or_default();
    machine.sh(&format!("touch {FOLDER}/enough")).ok();
    eventually("the client ends", || client.child.try_wait().ok().flatten().ok_or("it runs"));
    let (text, talk) = (read("count"), read("count.err"));
    let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [asked, right, twice, wrong, lost] = numbers[..] else { panic!("{text} {talk}") };
    assert_eq!((right, wrong, lost), (asked, 0, 0), "of {asked}: right, wrong, lost; {talk}");
    twice
}

/// Whoever is killed with questions in hand leaves them to the next.
#[test]
fn no_question_is_lost_while_the_daemon_is_killed_again_and_again() {
    const KILLS: u32 = 20;
    let mut machine = Lab::new().machine("aa");
    let client = ask(&machine, KILLS, 1_000);
    machine.kill_netd();
    let script = format!(
        "cd {FOLDER}; for life in $(seq {KILLS}); do \"$@\" >> netd.log 2>&1 & echo -n $! > pid.new; mv pid.new pid; wait $!; done"
    );
    let words = ["bash", "-c", &script, "lives"].map(str::to_owned).into_iter().chain(machine.netd_command());
    let mut lives = machine.spawn(words);
    until(Duration::from_secs(120), "it has been killed as often", || {
        lives.child.try_wait().ok().flatten().ok_or_else(|| machine.log())
    });
    machine.start_netd();
    let twice = all_answered(&machine, client);
    assert!(twice <= KILLS * 32, "at most what one reads at a time: {twice}");
}

/// Answers every question half a second after it came, with the address of its host; `asked` is there once one has come.
const SLOW: &str = r#"
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("", 53))
while True:
    query, client = sock.recvfrom(512)
    open("/run/asked", "w").close()
    time.sleep(0.5)
    end = 12 + query[12:].index(0) + 5
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton(sys.argv[1])
    sock.sendto(query[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0" + query[12:end] + answer, client)
"#;

#[test]
fn a_question_that_is_with_an_upstream_is_answered_before_the_daemon_ends() {
    let config = Some(r#"{"live-restore": true}"#.to_owned());
    let mut machine = Lab::new().machine_with("aa", NetdOptions { config, ..NetdOptions::default() });
    let lan = machine.lan("slow");
    let _slow = lan.spawn(["python3", "-c", SLOW, &lan.address()]);
    eventually("the slow one listens", || lan.sh("ss -Hlun sport = :53 | grep .").result());
    fs::write(machine.path("/run/lab/resolv.conf"), format!("nameserver {}\n", lan.address()))
        .expect("resolv.conf");
    machine.pontoon(["network", "create", "web"]).ok();
    machine.start("cc", &["--network", "web"], &["sleep", "1000"]);

    let dig = "nsenter --net=$(echo /run/netns/pontoon-[0-9a-f]*) dig +short +tries=1 +time=4 @127.0.0.11 far.example";
    let mut client = machine.spawn(["bash", "-c", &format!("{dig} > {FOLDER}/answer")]);
    eventually("the upstream is asked", || fs::metadata(lan.path("/run/asked")));
    machine.stop_netd();
    machine.start_netd();
    eventually("the client ends", || client.child.try_wait().ok().flatten().ok_or("it runs"));
    let answer = fs::read_to_string(machine.path(&format!("{FOLDER}/answer"))).unwrap_or_default();
    assert_eq!(answer.trim_end(), lan.address());
    // What is left to itself is not cleaned up.
    machine.set_config("{}");
    machine.kill_netd();
    machine.start_netd();
}

#[test]
fn no_question_is_lost_while_the_daemon_is_replaced_by_another_program() {
    let config = Some(r#"{"live-restore": true}"#.to_owned());
    let mut machine = Lab::new().machine_with("aa", NetdOptions { config, ..NetdOptions::default() });
    let [one, two] = ["/run/lab/one", "/run/lab/two"].map(|folder| machine.copy_programs(folder));
    // What is asked between two daemons waits in the socket, which has room for 5,000.
    let client = ask(&machine, 0, 300);
    machine.stop_netd();
    machine.use_netd(one);
    machine.start_netd();
    assert_eq!(machine.running_netd(), "/run/lab/one/netd");
    machine.kill_netd();
    machine.use_netd(two);
    machine.start_netd();
    assert_eq!(machine.running_netd(), "/run/lab/two/netd");
    all_answered(&machine, client);
    // What is left to itself is not cleaned up.
    machine.set_config("{}");
    machine.kill_netd();
    machine.start_netd();
}
