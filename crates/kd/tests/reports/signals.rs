//! Runs that a signal ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::tempdir;

use crate::common::{kd, metrics, tiny_flags};

const EPOCHS: usize = 12;

/// A process in a group of its own, as a shell starts it.
fn started(args: &[&str], out: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(args)
        .arg("--out")
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("kd runs")
}

fn run_arguments() -> Vec<&'static str> {
    let mut args = vec!["train"];
    args.extend(tiny_flags(&[("--epochs", "12")]));
    args
}

fn after_an_epoch(child: &mut Child, out: &Path) {
    while metrics(out).is_empty() && child.try_wait().expect("a state").is_none() {
        sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a process, or to a group if the number is negative.
fn send(signal: &str, number: i64) {
    let mut kill = Command::new("kill");
    kill.args(["-s", signal, "--", &number.to_string()]);
    assert!(kill.status().expect("kill runs").success());
}

/// The command in the last line of a process that was stopped.
fn told(output: &Output) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.lines().last().expect("a line");
    let (reason, command) = last.split_once("; to continue: ").expect("a command");
    assert!(reason.starts_with("stopped with "), "{message}");
    command.trim_end().to_owned()
}

#[track_caller]
fn carry_out(command: &str) {
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{command}: {output:?}");
}

#[test]
fn report_sigterm_and_ctrl_c_end_a_run_with_the_line_that_continues_it() {
    let folder = tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    kd().args(run_arguments())
        .arg("--out")
        .arg(&whole)
        .assert()
        .success();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        // A name that a shell would take apart.
        let out = folder.path().join(format!("run of {signal}"));
        let mut child = started(&run_arguments(), &out);
        after_an_epoch(&mut child, &out);
        send(signal, child.id().into());
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let command = told(&output);
        assert!(command.ends_with(" --resume"), "{command}");
        let so_far = metrics(&out);
        assert!((1..EPOCHS).contains(&so_far.len()), "{}", so_far.len());
        let checkpoint = format!("checkpoint/epoch-{:04}/state.json", so_far.len());
        assert!(out.join(checkpoint).is_file());
        carry_out(&command);
        assert_eq!(metrics(&out), metrics(&whole));
    }
}

#[test]
fn report_a_second_signal_ends_a_run_at_once() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let mut child = started(&run_arguments(), &out);
    after_an_epoch(&mut child, &out);
    // Both arrive when it goes on, before it does anything else.
    let number = i64::from(child.id());
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        send(signal, number);
    }
    let output = child.wait_with_output().expect("an end");
    let code = output.status.code();
    assert!([Some(130), Some(143)].contains(&code), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!message.contains("to continue"), "{message}");
    let resume = run_arguments().into_iter().chain(["--resume"]);
    kd().args(resume).arg("--out").arg(&out).assert().success();
    assert_eq!(metrics(&out).len(), EPOCHS);
}

/// Ctrl-C reaches the processes of the cells too, which is no failure of theirs.
#[test]
fn report_sigterm_and_ctrl_c_end_a_sweep_with_the_command_that_continues_it() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("sweep.yaml");
    let text = "
base:
  data: { name: procedural, limit_train: 40, limit_test: 20, batch_size: 16 }
  train: { epochs: 12 }
cells: [{ name: one, set: { student: { network: resnet8 } } }]
";
    fs::write(&file, text).expect("a file");
    let file = file.display().to_string();
    for (signal, group, code) in [("TERM", false, 143), ("INT", true, 130)] {
        let out = folder.path().join(signal);
        let run = out.join("one-seed0");
        let mut child = started(&["sweep", &file], &out);
        after_an_epoch(&mut child, &run);
        let number = i64::from(child.id());
        send(signal, if group { -number } else { number });
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        let last = message.lines().last().expect("a line");
        let (reason, command) = last.split_once("; to continue: ").expect("a command");
        assert_eq!(reason, "stopped with 0 of 1 cells complete");
        assert!(!message.contains("failed"), "{message}");
        assert!((1..EPOCHS).contains(&metrics(&run).len()));
        carry_out(command);
        assert_eq!(metrics(&run).len(), EPOCHS);
    }
}
