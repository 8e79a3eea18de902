//! An allocator for training on the CPU.

use std::ffi::c_int;

pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's option: milliseconds after which free memory goes back to the system.
const PURGE_DELAY: c_int = 15;

/// Has [`Allocator`] keep the memory that it got from the system. Call it when `main` starts.
///
/// A training step frees and asks for the same large pieces of memory again and again. The allocators
/// of most systems give them back in between and get empty pages anew, which takes up to a third
/// of a step. `MIMALLOC_PURGE_DELAY` in the environment wins over this.
#[allow(unsafe_code)]
pub fn keep_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: it writes one number, before there are other threads.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
    }
}
