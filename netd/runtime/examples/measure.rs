//! ad hoc
#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout, missing_docs)]
use netd_runtime::*;
use std::time::{Duration, Instant};
#[tokio::main]
async fn main() {
    let mut argv = std::env::args().skip(1);
    let shim = argv.next().unwrap();
    let engine = match argv.next().unwrap().as_str() {
        "builtin" => Engine::Builtin,
        x => Engine::Oci(x.into()),
    };
    let n: usize = argv.next().unwrap().parse().unwrap();
    let pause: u64 = argv.next().map_or(0, |s| s.parse().unwrap());
    let home = tempfile::tempdir().unwrap();
    let rt = Runtime::new(RuntimeConfig {
        shim: shim.into(),
        cgroup_parent: format!("/pm{}", std::process::id()),
    });
    let mut all: Vec<[Duration; 5]> = Vec::new();
    for i in 0..n {
        let id = format!("{i:064x}");
        let data = home.path().join(&id);
        let w = Writable { upper: data.join("u"), work: data.join("w") };
        std::fs::create_dir_all(&w.upper).unwrap();
        std::fs::create_dir_all(&w.work).unwrap();
        let process = Process {
            args: vec!["/bin/true".into()],
            env: vec!["PATH=/bin".into()],
            capabilities: capabilities::defaults(),
            ..Process::default()
        };
        let spec = ContainerSpec {
            id: id.clone(),
            rootfs: Rootfs::Host {
                hidden: vec!["/root".into(), "/etc/shadow*".into(), "/etc/gshadow*".into()],
            },
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
            engine: engine.clone(),
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let t0 = Instant::now();
        let s = rt.create(req).await.unwrap();
        let t1 = Instant::now();
        s.start().await.unwrap();
        let t2 = Instant::now();
        s.wait().await.unwrap();
        let t3 = Instant::now();
        s.delete().await.unwrap();
        let t4 = Instant::now();
        all.push([t1 - t0, t2 - t1, t3 - t2, t4 - t3, t4 - t0]);
    }
    for (k, name) in ["create", "start", "wait", "delete", "total"].iter().enumerate() {
        let mut v: Vec<_> = all.iter().map(|a| a[k]).collect();
        v.sort();
        println!("{name:8} min {:?} median {:?} p90 {:?}", v[0], v[v.len() / 2], v[v.len() * 9 / 10]);
    }
    for m in ["unified", "pids", "memory", "devices"] {
        let _ = std::fs::remove_dir(format!("/sys/fs/cgroup/{m}/pm{}", std::process::id()));
    }
}
