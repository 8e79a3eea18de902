//! The `kd` command.

mod cli;
mod figures;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: kd_kernels::Allocator = kd_kernels::Allocator;

fn main() -> ExitCode {
    kd_kernels::keep_memory();
    cli::main()
}
