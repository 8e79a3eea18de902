//! Memory that a training step frees and asks for again stays with the process.

#[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc")))]
mod glibc;
#[cfg(feature = "mimalloc")]
mod mimalloc;

#[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc")))]
pub(crate) use self::glibc::keep_memory;
#[cfg(feature = "mimalloc")]
pub(crate) use self::mimalloc::keep_memory;

/// Other systems' allocators are left as they are.
#[cfg(not(any(feature = "mimalloc", all(target_os = "linux", target_env = "gnu"))))]
pub(crate) fn keep_memory() {}
