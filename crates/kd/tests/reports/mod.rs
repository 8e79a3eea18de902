//! What users of similar software ran into, tried on the command line: `docs/book/src/reports.md`.

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
pub fn assert_one_line(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

/// The same for a run, which may have shown its progress before.
#[track_caller]
fn assert_last_line(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let errors: Vec<_> = message
        .lines()
        .filter(|line| line.contains("error"))
        .collect();
    let last = message.lines().last().unwrap_or_default();
    assert_eq!(errors, [last], "{message}");
    for part in parts {
        assert!(last.contains(part), "no `{part}` in: {message}");
    }
}
