//! The `kd` command.

#[cfg(feature = "mimalloc")]
mod allocator;
mod cli;
#[cfg(feature = "watch")]
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "mimalloc")]
    allocator::keep_memory();
    cli::main()
}
