//! What a container is: seen from inside.

mod common;

use std::fs;

use common::Place;
use netd_runtime::{Mount, MountSource, Namespace, Netns, Resources, Rlimit, Rootfs, Seccomp};

#[tokio::test]
async fn the_machine_is_hidden() {
    let place = Place::new();
    let out = place
        .script("hostname; ls /root; cat /etc/shadow 2>&1; cat /proc/kcore | wc -c; ls /sys/firmware")
        .await;
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("box"));
    assert!(lines.next().unwrap().contains("No such file"), "{out}");
    assert_eq!(lines.next(), Some("0"));
    assert_eq!(lines.next(), None, "{out}");
}

#[tokio::test]
async fn changes_go_to_the_upper_directory() {
    let place = Place::new();
    let request = place.request(&["sh", "-c", "echo hi > /etc/new; rm /etc/passwd"]);
    let upper = request.spec.writable.clone().unwrap().upper;
    assert_eq!(place.run(request).await.unwrap().0.code, 0);
    assert_eq!(fs::read_to_string(upper.join("etc/new")).unwrap(), "hi\n");
    assert!(!std::path::Path::new("/etc/new").exists());
    assert!(std::path::Path::new("/etc/passwd").exists());
}

#[tokio::test]
async fn privileges_are_dockers() {
    let place = Place::new();
    let out = place
        .script("grep -E 'Cap(Prm|Eff|Bnd|Inh|Amb)|NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t'")
        .await;
    assert_eq!(
        out,
        "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:00000000a80425fb\n\
         CapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n"
    );
}

#[tokio::test]
async fn the_filter_filters() {
    let place = Place::new();
    let out = place.script("unshare -m true 2>&1; unshare -U true 2>&1; dmesg 2>&1 | head -1; mount -t tmpfs x /mnt 2>&1; true").await;
    assert_eq!(out.matches("not permitted").count(), 3, "{out}");
    let mut open = place.request(&["sh", "-c", "unshare -U true"]);
    open.spec.seccomp = Seccomp::Unconfined;
    assert_eq!(place.run(open).await.unwrap().0.code, 0);
    let mut own = place.request(&["sh", "-c", "mkdir /tmp/x"]);
    own.spec.seccomp = Seccomp::Profile(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#.to_owned(),
    );
    own.spec.process.no_new_privileges = true;
    let (exit, _, err) = place.run(own).await.unwrap();
    assert!(exit.code != 0 && err.contains("not permitted"), "{err}");
}

#[tokio::test]
async fn a_user_is_the_containers() {
    let place = Place::new();
    let mut request = place.request(&[
        "sh",
        "-c",
        "id -u; id -g; id -G; echo $HOME; pwd; grep CapEff /proc/self/status; echo x > /dev/stdout",
    ]);
    request.spec.process.user = "nobody".to_owned();
    request.spec.process.extra_groups = vec!["44".to_owned()];
    request.spec.process.cwd = "/tmp/new/dir".to_owned();
    let (exit, out, err) = place.run(request).await.unwrap();
    assert_eq!(exit.code, 0, "{err}");
    assert_eq!(out, "65534\n65534\n65534 44\n/nonexistent\n/tmp/new/dir\nCapEff:\t0000000000000000\nx\n");
}

#[tokio::test]
async fn devices_are_the_usual_ones_and_others_stay_shut() {
    let place = Place::new();
    let script = "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; \
                  echo x > /dev/null; head -c 2 /dev/zero | wc -c; readlink /dev/ptmx /dev/fd; \
                  mknod /tmp/disk b 254 0; cat /tmp/disk 2>&1; mknod /dev/mem2 c 1 1; cat /dev/mem2 2>&1; true";
    let out = place.script(script).await;
    assert!(out.starts_with("2\npts/ptmx\n/proc/self/fd\n"), "{out}");
    assert_eq!(out.matches("Permission denied").count() + out.matches("not permitted").count(), 2, "{out}");
}

#[tokio::test]
async fn with_the_right_to_mount_a_cgroup_guards_the_devices() {
    let place = Place::new();
    let script = "mount -t tmpfs x /mnt && mknod /mnt/mem c 1 1 && cat /mnt/mem 2>&1; echo ok > /dev/null && echo fine";
    let mut request = place.request(&["sh", "-c", script]);
    request.spec.process.capabilities.push("CAP_SYS_ADMIN".to_owned());
    request.spec.process.capabilities.push("CAP_SYS_RAWIO".to_owned());
    let (_, out, err) = place.run(request).await.unwrap();
    assert!(out.contains("not permitted") && out.ends_with("fine\n"), "{out}{err}");
    place.assert_clean();
}

#[tokio::test]
async fn mounts_are_where_they_were_asked_for() {
    let place = Place::new();
    let source = place.home.path().join("volume");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    let mount = |target: &str, source, options: &[&str]| Mount {
        target: target.into(),
        source,
        options: options.iter().map(ToString::to_string).collect(),
    };
    let mut request = place.request(&[
        "sh",
        "-c",
        "cat /data/deep/file; touch /data/deep/x 2>&1; cat /etc/hosts; echo w > /rw/new; grep ' /scratch ' /proc/mounts; df -k /dev/shm | tail -1 | awk '{print $2}'",
    ]);
    request.spec.mounts = vec![
        mount("/data/deep", MountSource::Bind(source.clone()), &["rbind", "ro", "rprivate"]),
        mount("/rw", MountSource::Bind(source.clone()), &["rbind"]),
        mount("/etc/hosts", MountSource::Bind(source.join("file")), &["bind"]),
        mount("/scratch", MountSource::Tmpfs, &["nosuid", "noexec", "size=1m", "mode=1777"]),
    ];
    request.spec.shm_size = Some(1 << 20);
    let (_, out, err) = place.run(request).await.unwrap();
    assert!(out.starts_with("contenttouch"), "{out}{err}");
    assert!(out.contains("Read-only file system\ncontent"), "{out}");
    assert!(out.contains("noexec") && out.contains("size=1024k"), "{out}");
    assert!(out.ends_with("1024\n"), "{out}");
    assert_eq!(fs::read_to_string(source.join("new")).unwrap(), "w\n");
}

#[tokio::test]
async fn a_read_only_root_is_one() {
    let place = Place::new();
    let mut request =
        place.request(&["sh", "-c", "touch /x 2>&1; touch /dev/shm/y && echo shm; touch /proc/sys/x 2>&1"]);
    request.spec.readonly_rootfs = true;
    let (_, out, _) = place.run(request).await.unwrap();
    assert!(out.contains("Read-only file system\nshm\n"), "{out}");
}

#[tokio::test]
async fn limits_are_kept() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "ulimit -n; ulimit -c; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait"]);
    request.spec.process.rlimits = vec![
        Rlimit { name: "nofile".to_owned(), soft: 123, hard: 456 },
        Rlimit { name: "RLIMIT_CORE".to_owned(), soft: 0, hard: 0 },
    ];
    request.spec.resources = Resources { pids: Some(4), memory: Some(64 << 20), ..Resources::default() };
    let (_, out, err) = place.run(request).await.unwrap();
    assert_eq!(out, "123\n0\n4\n");
    assert!(err.contains("fork"), "{err}");
    place.assert_clean();
}

#[tokio::test]
async fn too_much_memory_is_told() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "head -c 200m /dev/zero | tail | wc -c"]);
    request.spec.process.args = ["python3", "-c", "x = bytearray(200 << 20)"].map(str::to_owned).to_vec();
    request.spec.resources = Resources { memory: Some(16 << 20), ..Resources::default() };
    let (exit, _, _) = place.run(request).await.unwrap();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

#[tokio::test]
async fn sysctls_and_shared_namespaces() {
    let place = Place::new();
    let mut request = place.request(&[
        "sh",
        "-c",
        "cat /proc/sys/kernel/msgmax; cat /proc/self/comm; ls /proc | grep -c '^[0-9]'",
    ]);
    request.spec.sysctls.insert("kernel.msgmax".to_owned(), "4242".to_owned());
    let (_, out, err) = place.run(request).await.unwrap();
    assert!(out.starts_with("4242\n"), "{out}{err}");

    let owner = common::started(&place, &["sleep", "1000"]).await;
    let proc = |kind: &str| Namespace::Path(format!("/proc/{}/ns/{kind}", owner.pid()).into());
    let mut guest = place.request(&["sh", "-c", "cat /proc/1/comm; hostname; touch /dev/shm/there"]);
    guest.spec.pid = proc("pid");
    guest.spec.ipc = proc("ipc");
    guest.spec.uts = proc("uts");
    guest.spec.netns = Netns::Path(format!("/proc/{}/ns/net", owner.pid()).into());
    let (exit, out, err) = place.run(guest).await.unwrap();
    assert_eq!((exit.code, out.as_str()), (0, "sleep\nbox\n"), "{err}");
    assert!(fs::metadata(format!("/proc/{}/root/dev/shm/there", owner.pid())).is_ok());
    common::remove(&owner).await;
    place.assert_clean();
}

#[tokio::test]
async fn a_directory_is_a_root_file_system() {
    let place = Place::new();
    let root = place.home.path().join("rootfs");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy("/usr/bin/busybox", root.join("bin/busybox")).unwrap();
    let mut request =
        place.request(&["/bin/busybox", "sh", "-c", "echo $((40+2)); echo made > /made; /bin/busybox ls /"]);
    request.spec.rootfs = Rootfs::Dir(root.clone());
    let (exit, out, err) = place.run(request).await.unwrap();
    assert_eq!((exit.code, out.as_str()), (0, "42\nbin\ndev\nmade\nproc\nsys\n"), "{err}");
    assert!(!root.join("made").exists());
    let mut direct = place.request(&["/bin/busybox", "touch", "/made"]);
    direct.spec.rootfs = Rootfs::Dir(root.clone());
    direct.spec.writable = None;
    assert_eq!(place.run(direct).await.unwrap().0.code, 0);
    assert!(root.join("made").exists());
}

#[tokio::test]
async fn a_privileged_container_may_do_all() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "mount -t tmpfs x /mnt && echo mounted; unshare -m true && echo unshared; grep Seccomp: /proc/self/status; test -c /dev/kmsg && echo kmsg"]);
    request.spec.privileged = true;
    let (exit, out, err) = place.run(request).await.unwrap();
    assert_eq!((exit.code, out.as_str()), (0, "mounted\nunshared\nSeccomp:\t0\nkmsg\n"), "{err}");
}

#[tokio::test]
async fn the_shims_file_is_out_of_reach() {
    let place = Place::new();
    let shim = common::started(&place, &["sleep", "1000"]).await;
    let program = fs::read_link(format!("/proc/{}/exe", shim.shim_pid())).unwrap();
    let program = program.display().to_string();
    assert!(program.starts_with("/memfd:netd-shim"), "{program}");
    let written = fs::OpenOptions::new().write(true).open(format!("/proc/{}/exe", shim.shim_pid()));
    assert!(written.is_err(), "not even the host's root writes to it");
    common::remove(&shim).await;
}

#[tokio::test]
async fn the_hosts_namespaces_are_the_hosts() {
    let place = Place::new();
    let script =
        "for n in pid ipc uts net cgroup mnt; do readlink /proc/self/ns/$n; done; ls -d /proc/$1; hostname";
    let own = std::process::id().to_string();
    let mut request = place.request(&["sh", "-c", script, "sh", &own]);
    let spec = &mut request.spec;
    (spec.pid, spec.ipc, spec.uts, spec.cgroupns) =
        (Namespace::Host, Namespace::Host, Namespace::Host, Namespace::Host);
    let (exit, out, err) = place.run(request).await.unwrap();
    assert_eq!(exit.code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    for (kind, line) in ["pid", "ipc", "uts", "net", "cgroup"].iter().zip(&lines) {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_eq!(*line, host.display().to_string(), "{kind}");
    }
    assert_ne!(lines[5], fs::read_link("/proc/self/ns/mnt").unwrap().display().to_string());
    assert_eq!(lines[6], format!("/proc/{own}"));
    assert_eq!(lines[7], fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    place.assert_clean();
}

#[tokio::test]
async fn a_process_left_behind_in_the_hosts_pid_namespace_ends_with_the_container() {
    let place = Place::new();
    let mut request = place.request(&["sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 & echo $!"]);
    request.spec.pid = Namespace::Host;
    let (_, out, _) = place.run(request).await.unwrap();
    let process = std::path::PathBuf::from("/proc").join(out.trim()).join("root/etc");
    common::eventually(|| !process.exists(), || "it lives on".to_owned());
    place.assert_clean();
}
