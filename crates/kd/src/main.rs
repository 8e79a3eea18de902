//! The `kd` command.

mod allocator;
mod cli;
#[cfg(feature = "watch")]
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocator::keep_memory();
    cli::main()
}
