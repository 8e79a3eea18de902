//! What users of similar software ran into, tried on the command line: `docs/reports.md`.

mod colors;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod full_output;
mod messages;
mod numbers;
mod once;
#[cfg(target_os = "linux")]
mod paths;
mod recipe_numbers;
#[cfg(unix)]
mod signals;

use std::process::Output;

/// Asserts that a command failed with exit code 2 and one line that holds all of `parts`.
#[track_caller]
fn assert_one_line(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}
