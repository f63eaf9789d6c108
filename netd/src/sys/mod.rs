//! System calls that no crate offers as safe functions. The only `unsafe` of the daemon.
#![allow(unsafe_code)] // each block says why it is sound

/// Lets memory go back to the kernel when it is free. glibc gives each thread that waits for another an arena of its own, up
/// to eight for each processor, and raises the size from which blocks are mapped alone with each large block that is
/// freed: the texts and lists of one large request (ten thousand ports) would then stay with the process.
pub(crate) fn return_free_memory() {
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
