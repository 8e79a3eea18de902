//! Completions, as shells ask for them.

use std::process::Command;

use super::printed;
use crate::common::kd;

/// What bash offers for the last word.
fn offered(words: &[&str]) -> Vec<String> {
    let script = r#"
        source <("$KD" completions bash)
        COMP_WORDS=(kd "$@"); COMP_CWORD=$#
        _clap_complete_kd kd "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let output = Command::new("bash")
        .args(["-c", script, "kd"])
        .args(words)
        .env("KD", env!("CARGO_BIN_EXE_kd"))
        .output()
        .expect("bash runs");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    for (words, expected) in [
        (&["dis"][..], "distill"),
        (&["distill", "--teacher-w"], "--teacher-weights"),
        (&["distill", "--method", "re"], "reviewkd"),
        (&["train", "--model", "resnet8x"], "resnet8x4"),
        (&["train", "--optimizer", "adam"], "adamw"),
        (&["train", "--data", "tiny"], "tiny-imagenet"),
        (
            &["recipe", "--set", "optimizer.clip_v"],
            "optimizer.clip_value=",
        ),
        (
            &[
                "distill",
                "--recipe",
                "sakd-cifar100-resnet56-resnet20-at-ad",
            ],
            "sakd-cifar100-resnet56-resnet20-at-adaptive",
        ),
        (
            &["mutual", "--networks", "resnet20,wrn_40_2"],
            "resnet20,wrn_40_2",
        ),
        (&["sweep", "askd-"], "askd-"),
        (&["completions", "p"], "powershell"),
    ] {
        let offered = offered(words);
        let found = offered.iter().any(|offer| offer.starts_with(expected));
        assert!(found, "{words:?}: {offered:?}");
    }
    let mut schedules = offered(&["train", "--scheduler", "c"]);
    schedules.sort();
    assert_eq!(schedules, ["constant", "cosine"]);
}

/// Bash takes words apart at `=`; fish, whose way to ask this is, does not.
#[test]
fn values_of_assignments_are_offered_with_what_they_mean() {
    let output = kd()
        .args(["--", "kd", "recipe", "--set", "scheduler.name=cos"])
        .env("KD_COMPLETE", "fish")
        .output()
        .expect("kd runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let (value, meaning) = text.trim_end().split_once('\t').expect("a meaning");
    assert_eq!(value, "scheduler.name=cosine");
    assert!(meaning.contains("Half a cosine"), "{meaning}");
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("KD_COMPLETE"), "{shell}: {script}");
        assert!(
            script.contains(env!("CARGO_BIN_EXE_kd")),
            "{shell}: {script}"
        );
    }
}
