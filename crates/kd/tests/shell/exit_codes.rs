//! Exit codes, as `kd --help` lists them; those of signals are tried in `reports/signals.rs`.

use super::printed;
use crate::common::kd;

#[test]
fn the_help_lists_the_exit_codes() {
    let help = printed(&["--help"]);
    let (_, codes) = help.split_once("Exit codes:").expect("a list");
    let codes: Vec<&str> = codes
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(codes, ["0", "2", "130", "143"]);
}

#[test]
fn success_is_0_and_every_error_is_2() {
    for args in [&["--version"][..], &["help", "train"], &["devices"]] {
        assert_eq!(code(args), Some(0), "{args:?}");
    }
    for args in [
        &[][..],
        &["nonsense"],
        &["train", "--nonsense"],
        &["train", "--model", "nonsense"],
        &["eval", "--weights", "nonsense"],
        &["table", "nonsense"],
        &["completions", "nonsense"],
    ] {
        assert_eq!(code(args), Some(2), "{args:?}");
    }
}

fn code(args: &[&str]) -> Option<i32> {
    kd().args(args).output().expect("kd runs").status.code()
}
