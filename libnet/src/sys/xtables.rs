//! The old interface of iptables (`ip_tables`, `ip6_tables`; linux/netfilter_ipv4/ip_tables.h): socket options that hand
//! over whole tables. What is in a table is bytes here.

use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
};

use crate::types::Family;

/// The lock that every program takes that changes tables (`XT_LOCK_NAME` of iptables).
pub(crate) const LOCK: &str = "/run/xtables.lock";
/// `IPT_SO_GET_INFO`, `IPT_SO_GET_ENTRIES`, `IPT_SO_SET_REPLACE`, `IPT_SO_SET_ADD_COUNTERS`; those of IPv6 are the same.
const GET_INFO: i32 = 64;
const GET_ENTRIES: i32 = 65;
const SET_REPLACE: i32 = 64;
const ADD_COUNTERS: i32 = 65;
/// `XT_TABLE_MAXNAMELEN`.
const NAME: usize = 32;
/// `NF_INET_NUMHOOKS`.
pub(crate) const HOOKS: usize = 5;
/// Lengths of `struct ipt_getinfo`; of `struct ipt_get_entries` and of `struct xt_counters_info` before their lists.
const INFO_LEN: usize = NAME + 4 * (1 + HOOKS + HOOKS + 2);
const LIST_HEADER: usize = NAME + 8;
/// A table can't be larger; more is no answer of a kernel.
const LARGEST: usize = 256 << 20;

/// What is known of a table besides its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// A bit for each hook that the table is on.
    pub(crate) valid_hooks: u32,
    /// Where each hook's chain begins.
    pub(crate) hook_entry: [u32; HOOKS],
    /// Where the policy of each hook's chain is.
    pub(crate) underflow: [u32; HOOKS],
    pub(crate) entries: u32,
}

/// Packets and bytes that an entry has counted (`struct xt_counters`).
pub(crate) type Counters = [u64; 2];

/// A socket that tables of one family are read and replaced with, of the calling thread's namespace.
#[derive(Debug)]
pub(crate) struct Xtables {
    socket: OwnedFd,
    family: Family,
}

impl Xtables {
    pub(crate) fn open(family: Family) -> io::Result<Self> {
        let domain = match family {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        Ok(Self { socket: socket(domain, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?, family })
    }

    /// A table and its entries. Asked for one that nobody used yet, the kernel makes it.
    pub(crate) fn read(&self, table: &str) -> io::Result<(Layout, Vec<u8>)> {
        let mut info = name(table);
        info.resize(INFO_LEN, 0);
        self.get(GET_INFO, &mut info)?;
        let word = |at: usize| u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
        let words = |at: usize| std::array::from_fn(|index| word(at + 4 * index));
        let layout = Layout {
            valid_hooks: word(NAME),
            hook_entry: words(NAME + 4),
            underflow: words(NAME + 4 + 4 * HOOKS),
            entries: word(INFO_LEN - 8),
        };
        let size = word(INFO_LEN - 4) as usize;
        if size > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut list = name(table);
        list.extend(word(INFO_LEN - 4).to_ne_bytes());
        list.resize(LIST_HEADER + size, 0);
        self.get(GET_ENTRIES, &mut list)?;
        Ok((layout, list.split_off(LIST_HEADER)))
    }

    /// Replaces a table that has `former` entries; what those have counted until then comes back. The new ones begin at
    /// zero.
    pub(crate) fn replace(
        &self,
        table: &str,
        layout: &Layout,
        entries: &[u8],
        former: u32,
    ) -> io::Result<Vec<Counters>> {
        let size = u32::try_from(entries.len()).map_err(|_| Errno::E2BIG)?;
        let mut counted: Vec<Counters> = vec![[0; 2]; former as usize];
        let mut request = name(table);
        let mut put = |words: &[u32]| words.iter().for_each(|word| request.extend(word.to_ne_bytes()));
        put(&[layout.valid_hooks, layout.entries, size]);
        put(&layout.hook_entry);
        put(&layout.underflow);
        put(&[former]);
        request.extend((counted.as_mut_ptr() as usize).to_ne_bytes());
        request.extend(entries);
        // The kernel writes `former` counters to where the request points: as many as `counted` has, which lives until
        // the call returns. It refuses if the table has another number of entries.
        self.set(SET_REPLACE, &request)?;
        Ok(counted)
    }

    /// Adds to what the entries of a table have counted.
    pub(crate) fn add_counters(&self, table: &str, counters: &[Counters]) -> io::Result<()> {
        let mut request = name(table);
        request.extend(u32::try_from(counters.len()).map_err(|_| Errno::E2BIG)?.to_ne_bytes());
        request.resize(LIST_HEADER, 0);
        request.extend(counters.iter().flatten().flat_map(|number| number.to_ne_bytes()));
        self.set(ADD_COUNTERS, &request)
    }

    fn level(&self) -> i32 {
        match self.family {
            Family::V4 => libc::SOL_IP,
            Family::V6 => libc::SOL_IPV6,
        }
    }

    fn get(&self, option: i32, buffer: &mut [u8]) -> io::Result<()> {
        let mut length = libc::socklen_t::try_from(buffer.len()).map_err(|_| Errno::E2BIG)?;
        // SAFETY: the kernel reads and writes at most `length` bytes of the buffer, and the length; both live until the
        // call returns.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                self.level(),
                option,
                buffer.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        Ok(Errno::result(result).map(drop)?)
    }

    fn set(&self, option: i32, request: &[u8]) -> io::Result<()> {
        let length = libc::socklen_t::try_from(request.len()).map_err(|_| Errno::E2BIG)?;
        // SAFETY: the kernel reads `length` bytes of the request, which lives until the call returns. What it writes to is
        // said where a request has a pointer.
        let result = unsafe {
            libc::setsockopt(self.socket.as_raw_fd(), self.level(), option, request.as_ptr().cast(), length)
        };
        Ok(Errno::result(result).map(drop)?)
    }
}

/// The name of a table, as it begins every request.
fn name(table: &str) -> Vec<u8> {
    let mut name = table.as_bytes().to_vec();
    name.truncate(NAME - 1);
    name.resize(NAME, 0);
    name
}

/// Tells when a program that changes tables is done, by its letting go of the lock: the kernel itself tells nobody.
#[derive(Debug)]
pub(crate) struct LockWatch(Inotify);

impl LockWatch {
    /// The folder is watched: the lock's file comes with the first program that takes it.
    pub(crate) fn open() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let folder = Path::new(LOCK).parent().unwrap_or(Path::new("/"));
        let closed = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_CLOSE_NOWRITE;
        inotify.add_watch(folder, closed | AddWatchFlags::IN_ONLYDIR)?;
        Ok(Self(inotify))
    }

    /// Whether somebody let go of the lock since the last time.
    pub(crate) fn drain(&self) -> io::Result<bool> {
        let lock = Path::new(LOCK).file_name();
        let mut told = false;
        loop {
            match self.0.read_events() {
                Ok(events) => {
                    told |= events.iter().any(|event| event.name.as_deref() == lock.map(OsStr::new));
                }
                Err(Errno::EAGAIN) => return Ok(told),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for LockWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
