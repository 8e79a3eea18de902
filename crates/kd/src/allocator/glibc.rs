//! The allocator of glibc, which by default gives large pieces back to the system.

use std::ffi::c_int;

/// Pieces from this size on come from the system one by one, and go back one by one: 1 GiB.
const MMAP_THRESHOLD: c_int = 1 << 30;

/// The most that older versions take for it: 32 MiB.
const OLD_MMAP_THRESHOLD: c_int = 32 << 20;

/// Free memory at the end of the heap goes back to the system from this size on.
const TRIM_THRESHOLD: c_int = c_int::MAX;

/// Has the allocator keep the memory that it got from the system. Call it when `main` starts.
///
/// A training step frees and asks for the same large pieces of memory again and again. Giving them back
/// in between and getting empty pages anew takes a fifth of a step. The variables of the environment
/// by which glibc is tuned win over this.
#[allow(unsafe_code)]
pub(crate) fn keep_memory() {
    let tuned = [
        "MALLOC_MMAP_THRESHOLD_",
        "MALLOC_TRIM_THRESHOLD_",
        "GLIBC_TUNABLES",
    ];
    if tuned.iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    // SAFETY: this sets numbers of the allocator, before there are other threads that could read them.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_THRESHOLD) == 0 {
            libc::mallopt(libc::M_MMAP_THRESHOLD, OLD_MMAP_THRESHOLD);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_THRESHOLD);
    }
}
