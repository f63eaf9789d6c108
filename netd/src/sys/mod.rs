//! System calls that no crate offers as safe functions. The only `unsafe` of the daemon.
#![allow(unsafe_code)] // each block says why it is sound

/// Lets memory go back to the kernel when it is free. glibc gives each thread that waits for another an arena of its own, up
/// to eight for each processor, and raises the size from which blocks are mapped alone with each large block that is
/// freed: the texts and lists of one large request (ten thousand ports) would then stay with the process.
pub(crate) fn keep_heaps_small() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};
        const BLOCK: i32 = 64 << 10;
        for (parameter, value) in [(M_ARENA_MAX, 2), (M_MMAP_THRESHOLD, BLOCK), (M_TRIM_THRESHOLD, BLOCK)] {
            // SAFETY: mallopt takes two numbers and may be called at any time; what it refuses stays as it was.
            unsafe { mallopt(parameter, value) };
        }
    }
}

/// Gives back to the kernel the whole pages of memory that are free, wherever they are (`malloc_trim(3)`).
pub(crate) fn give_back_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time by any thread; it moves nothing that is allocated.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    /// Resident memory of this process in MiB (proc(5), `statm`, in pages of 4 KiB).
    fn resident() -> usize {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() / 256
    }

    /// Of glibc's allocator; another one gives back what it likes.
    #[test]
    fn what_is_free_between_what_is_kept_is_given_back() {
        let blocks: Vec<Box<[u8]>> = (0..64 << 10).map(|_| vec![1; 1_000].into_boxed_slice()).collect();
        let kept: Vec<_> = blocks.into_iter().step_by(64).collect();
        let before = resident();
        super::give_back_free_memory();
        let after = resident();
        assert!(after + 30 < before, "{before} MiB, then {after} MiB");
        assert_eq!(kept.len(), 1 << 10);
    }
}
