//! What all targets share: a bound of their memory.

use std::alloc::System;

use cap::Cap;

/// Whatever asks for more than 1 GiB in all is a finding: the process ends.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, 1 << 30);
