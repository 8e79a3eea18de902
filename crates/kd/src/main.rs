//! The `kd` command.

mod cli;

use std::process::ExitCode;

// A training step asks for the same large pieces of memory again and again. The allocators of some
// systems give them back to the system in between, and get empty pages for them anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
