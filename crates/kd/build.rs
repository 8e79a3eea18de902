//! What the program says of its own build: the compiler, and the version of Burn.

// Cargo listens there.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(version) = compiler() {
        println!("cargo::rustc-env=KD_RUSTC={version}");
    }
    // Of the package, or of the workspace.
    for lock in ["Cargo.lock", "../../Cargo.lock"] {
        if let Some(version) = burn(Path::new(lock)) {
            println!("cargo::rerun-if-changed={lock}");
            println!("cargo::rustc-env=KD_BURN={version}");
            break;
        }
    }
}

fn compiler() -> Option<String> {
    let program = std::env::var_os("RUSTC")?;
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|version| !version.is_empty())
}

/// The version of Burn in a lock file.
fn burn(lock: &Path) -> Option<String> {
    let text = std::fs::read_to_string(lock).ok()?;
    let mut lines = text.lines();
    lines.find(|line| *line == "name = \"burn\"")?;
    let version = lines.next()?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}
