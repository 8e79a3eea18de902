//! What shells, scripts and editors rely on: `docs/book/src/shell.md`.

mod completions;
mod doctor;
mod exit_codes;
mod init;
mod json;
mod man;
mod schema;
mod validator;

use crate::common::kd;

/// What a command that succeeds prints on standard output.
#[track_caller]
fn printed(args: &[&str]) -> String {
    let output = kd().args(args).output().expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {message}");
    String::from_utf8(output.stdout).expect("text")
}

/// The same, as one JSON document.
#[track_caller]
fn document(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&printed(args)).expect("one JSON document")
}
