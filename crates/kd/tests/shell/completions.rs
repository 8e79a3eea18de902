//! Completions, as shells ask for them.

use std::process::Command;

use super::printed;

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
        (&["train", "--learn", ""], ""),
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
            &["recipe", "--set", "scheduler.name=cos"],
            "scheduler.name=cosine",
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
    assert_eq!(
        offered(&["train", "--scheduler", "c"]),
        ["cosine", "constant"]
    );
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
