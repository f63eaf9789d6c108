//! Docker's default policy: what a program of the usual kind needs is allowed, what reaches the machine (modules, time,
//! tracing, namespaces, ...) comes with the capability that it takes anyway, everything else is EPERM.

use super::profile::{Action, Arg, Op, Profile, Rule};
use nix::libc;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// Allowed to everybody, by what the calls are about.
const ALLOWED: &[&str] = &[
    // files and directories
    "access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2",
    "fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl",
    "fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64",
    "fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch",
    "inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listmount listxattr",
    "listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat",
    "name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead",
    "readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr",
    "setxattrat splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs tee",
    "truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev",
    // waiting for something
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd",
    "eventfd2 _newselect pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4",
    "io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit",
    // memory
    "brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap",
    "mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages",
    "process_mrelease",
    // processes, threads, signals
    "alarm arch_prctl execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv",
    "futex_wake get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid getpriority getrlimit getrusage",
    "getsid gettid ioprio_get ioprio_set kill modify_ldt nanosleep pause pidfd_open pidfd_send_signal prctl prlimit64",
    "restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend",
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min",
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval",
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield",
    "set_robust_list set_thread_area set_tid_address setpgid setpriority setrlimit setsid sigaltstack sigprocmask",
    "sigreturn tgkill tkill ugetrlimit vfork wait4 waitid waitpid riscv_hwprobe uretprobe",
    // since 4.8 a filter can't be left by being traced
    "process_vm_readv process_vm_writev ptrace",
    // users and privileges
    "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32",
    "getresuid getresuid32 getuid getuid32 landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp",
    "setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid",
    "setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    // time
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64",
    "clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday setitimer time timer_create timer_delete",
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime",
    "timerfd_gettime64 timerfd_settime timerfd_settime64 times",
    // sockets and System V
    "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open",
    "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv",
    "recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg",
    "sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair",
    // the machine, as far as anybody may know it
    "getrandom sysinfo uname",
];

/// Allowed with a capability.
const WITH_CAPABILITY: &[(&str, &str)] = &[
    ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "CAP_SYS_ADMIN",
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr",
    ),
    (
        "CAP_SYS_ADMIN",
        "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog",
    ),
    ("CAP_SYS_ADMIN", "umount umount2 unshare"),
    ("CAP_SYS_BOOT", "reboot"),
    ("CAP_SYS_CHROOT", "chroot"),
    ("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    ("CAP_SYS_PACCT", "acct"),
    ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
    ("CAP_SYS_RAWIO", "iopl ioperm"),
    ("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("CAP_SYSLOG", "syslog"),
    ("CAP_BPF", "bpf"),
    ("CAP_PERFMON", "perf_event_open"),
];

/// Personalities that change nothing of importance: Linux, BSD's, `UNAME26` with both, and "tell me".
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/// The policy for a container with these capabilities.
pub(super) fn policy(capabilities: &[String]) -> Profile {
    let has = |name: &str| capabilities.iter().any(|capability| capability == name);
    let mut rules: Vec<Rule> = ALLOWED.iter().map(|names| allow(names)).collect();
    rules.extend(
        WITH_CAPABILITY.iter().filter(|(capability, _)| has(capability)).map(|(_, names)| allow(names)),
    );
    // the hypervisor's sockets are not in the container's network namespace
    rules.push(allow_if("socket", Op::NotEqual, libc::AF_VSOCK as u64, 0));
    rules.extend(PERSONALITIES.iter().map(|value| allow_if("personality", Op::Equal, *value, 0)));
    if !has("CAP_SYS_ADMIN") {
        rules.push(allow_if("clone", Op::MaskedEqual, NAMESPACES, 0));
        // its flags are in memory, where no filter can read them: let libc fall back to clone
        rules.push(Rule {
            names: vec!["clone3".to_owned()],
            action: Action::Errno(ENOSYS),
            args: Vec::new(),
        });
    }
    Profile { fallback: Action::Errno(EPERM), rules }
}

/// All `CLONE_NEW*` that make a namespace.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP) as u64;

fn allow(names: &str) -> Rule {
    Rule { names: names.split(' ').map(str::to_owned).collect(), action: Action::Allow, args: Vec::new() }
}

fn allow_if(name: &str, op: Op, value: u64, value_two: u64) -> Rule {
    let args = vec![Arg { index: 0, value, value_two, op }];
    Rule { names: vec![name.to_owned()], action: Action::Allow, args }
}
