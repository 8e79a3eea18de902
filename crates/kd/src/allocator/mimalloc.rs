//! mimalloc instead of the allocator of the system: C code, for programs that train on the CPU.

use std::ffi::c_int;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// mimalloc's option: milliseconds after which free memory goes back to the system.
const PURGE_DELAY: c_int = 15;

/// Has the allocator keep the memory that it got from the system. Call it when `main` starts.
///
/// A training step frees and asks for the same large pieces of memory again and again. The allocators
/// of most systems give them back in between and get empty pages anew, which takes up to a third
/// of a step. `MIMALLOC_PURGE_DELAY` in the environment wins over this.
#[allow(unsafe_code)]
pub(crate) fn keep_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the option exists in every version of mimalloc that the bindings are for, and this
        // writes its number before there are other threads that could read it.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
    }
}
