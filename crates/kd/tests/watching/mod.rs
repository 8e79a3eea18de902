//! `kd watch` on runs that are real, and in a terminal.

use std::fs;
use std::process::{Command, Stdio};

use predicates::prelude::*;
use tempfile::tempdir;

use crate::common::{kd, tiny_run_with};

#[test]
fn a_run_is_watched_by_what_it_wrote() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let watch = |arguments: &[&str]| kd().arg("watch").arg(&out).args(arguments).assert();
    watch(&["--once"])
        .success()
        .stdout(predicate::str::contains("waiting for the folder"));
    // CPUs warn that they do not compute in bf16.
    let flags = [("--epochs", "2"), ("--precision", "bf16")];
    tiny_run_with(&out, &flags).assert().success();
    assert!(!out.join("progress.json").exists());
    let warnings = fs::read_to_string(out.join("warnings.log")).expect("warnings");
    assert!(
        warnings.contains("computes in f32, not in bf16"),
        "{warnings}"
    );
    // Standard output is no terminal.
    let shown = predicate::str::contains("complete")
        .and(predicate::str::contains("100 %  epoch 2 of 2"))
        .and(predicate::str::contains("warning: flex computes in f32"))
        .and(predicate::str::contains("\u{1b}").not());
    watch(&[]).success().stdout(shown);
    kd().arg("watch")
        .arg(folder.path())
        .assert()
        .success()
        .stdout(predicate::str::contains("1 cells · 1 done").and(predicate::str::contains("2/2")));
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "text").expect("a file");
    let refused = |arguments: &[&str], reason: &str| {
        let reason = predicate::str::contains(reason.to_owned());
        let mut watch = kd();
        watch.arg("watch").args(arguments);
        watch.assert().code(2).stderr(reason);
    };
    refused(&[&file.display().to_string()], "file: is not a folder");
    for interval in ["0", "-1", "NaN", "x", "1e9"] {
        let interval = format!("--interval={interval}");
        refused(&["run", &interval], "expected seconds from 0.1 to 86400");
    }
}

/// In a terminal, which `script` makes: the other screen is entered and left, with colors or without.
#[cfg(target_os = "linux")]
#[allow(clippy::print_stderr)]
#[test]
fn a_terminal_is_left_as_it_was_found() {
    use std::io::Write;

    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    tiny_run_with(&out, &[]).assert().success();
    let kd = env!("CARGO_BIN_EXE_kd");
    // The terminal has no size of its own where the test has none.
    let command = format!("stty cols 80 rows 24; {kd} watch '{}'", out.display());
    let watched = |no_color: Option<&str>| {
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]);
        script
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(value) = no_color {
            script.env("NO_COLOR", value);
        }
        let mut child = script.spawn().ok()?;
        // A tab, and then the end.
        child.stdin.take()?.write_all(b"\tq").ok()?;
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(colored) = watched(None) else {
        eprintln!("SKIPPED: there is no `script` to make a terminal");
        return;
    };
    let plain = watched(Some("1")).expect("script runs");
    for text in [&colored, &plain] {
        let entered = text.find("\u{1b}[?1049h").expect("the other screen");
        let left = text.rfind("\u{1b}[?1049l").expect("the first screen");
        assert!(entered < left && text[left..].len() < 32, "{text:?}");
        assert!(
            text.contains("\u{1b}[?25h") && text.contains("complete"),
            "{text:?}"
        );
    }
    // Termion's cyan, which is the first curve's.
    let cyan = "\u{1b}[38;5;6m";
    assert!(colored.contains(cyan) && !plain.contains(cyan));
}
