//! The `kd` command.

#[cfg(feature = "mimalloc")]
mod allocator;
mod cli;
mod figures;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "mimalloc")]
    allocator::keep_memory();
    cli::main()
}
