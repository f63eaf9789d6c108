//! ad hoc
#![allow(clippy::all, missing_docs)]
use netd_runtime::*;
#[tokio::main]
async fn main() {
    let shim = std::env::args().nth(1).unwrap();
    let home = tempfile::tempdir().unwrap();
    let rt = Runtime::new(RuntimeConfig {
        shim: shim.into(),
        cgroup_parent: format!("/ph{}", std::process::id()),
    });
    let id = format!("{:064x}", 1);
    let data = home.path().join(&id);
    let w = Writable { upper: data.join("u"), work: data.join("w") };
    std::fs::create_dir_all(&w.upper).unwrap();
    std::fs::create_dir_all(&w.work).unwrap();
    let process = Process {
        args: vec!["sleep".into(), "100".into()],
        env: vec!["PATH=/bin".into()],
        capabilities: capabilities::defaults(),
        ..Process::default()
    };
    let spec = ContainerSpec {
        id: id.clone(),
        rootfs: Rootfs::Host { hidden: vec!["/root".into()] },
        writable: Some(w),
        process,
        hostname: "h".into(),
        ..Default::default()
    };
    let req = CreateRequest {
        spec,
        dir: home.path().join("run").join(&id),
        log: Some(LogTarget { path: data.join("log"), max_size: None, max_files: 1 }),
        stdin: Stdin::Closed,
        dns: vec![],
        engine: Engine::Builtin,
    };
    let s = rt.create(req).await.unwrap();
    s.start().await.unwrap();
    println!("{}", std::fs::read_to_string(format!("/proc/{}/smaps_rollup", s.shim_pid())).unwrap());
    println!(
        "{}",
        std::fs::read_to_string(format!("/proc/{}/status", s.shim_pid()))
            .unwrap()
            .lines()
            .filter(|l| l.contains("Rss") || l.contains("VmRSS"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    s.kill(9).await.unwrap();
    s.wait().await.unwrap();
    s.delete().await.unwrap();
    let _ = std::fs::remove_dir(format!("/sys/fs/cgroup/unified/ph{}", std::process::id()));
}
