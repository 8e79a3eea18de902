//! A flag is given once.

use predicates::str::contains;

use super::assert_one_line;
use crate::common::kd;

/// The last value used to win in silence.
#[test]
fn report_f15_a_flag_that_is_given_twice_is_an_error() {
    for (args, flag) in [
        ("train --epochs 1 --epochs 2", "--epochs"),
        ("train --model resnet8 --student resnet20", "--model"),
        ("train --nesterov --nesterov", "--nesterov"),
        ("train --milestones 1 --milestones 2", "--milestones"),
        ("distill --method kd --method at", "--method"),
        ("distill -r 1 --weight-ce 2", "--weight-ce"),
        (
            "distill --routing-gates true --routing-gates false",
            "--routing-gates",
        ),
        (
            "mutual --networks resnet8,resnet8 --networks resnet20,resnet20",
            "--networks",
        ),
        ("compare --seed 1 --seed 2", "--seed"),
        ("recipe --lr 1 --lr 2", "--lr"),
        ("recipes --json --json", "--json"),
        ("eval --weights a --weights b", "--weights"),
        ("deploy --in a --in b", "--in"),
        ("sweep kdrefine --seeds 0 --seeds 1", "--seeds"),
        ("table runs --format tsv --format text", "--format"),
        ("route --run a --run b", "--run"),
        ("plot run --out a --out b", "--out"),
        ("models --classes 10 --classes 20", "--classes"),
        ("methods --json --json", "--json"),
    ] {
        let output = kd().args(args.split(' ')).output().expect("kd runs");
        assert_one_line(&output, &[flag, "cannot be used multiple times"]);
    }
    // Also those of other programs, and files of theirs.
    for args in [
        "distill --config a.yml --config b.yml",
        "distill --cfg a.yml --config b.yml",
        "distill --model_s resnet8 --model_s resnet20",
    ] {
        let output = kd().args(args.split(' ')).output().expect("kd runs");
        assert_one_line(&output, &["is given twice"]);
    }
}

/// The flags of `kd distill` that may be repeated.
const DISTILL: &[&str] = &[
    "--set",
    "--teacher",
    "--teacher-ignore-keys",
    "--teacher-weights",
];

/// The help says which flags may be repeated: exactly those that can be.
#[test]
fn report_f15_flags_that_may_be_repeated_say_so() {
    let help = |command: &str| {
        let output = kd().args([command, "--help"]).output().expect("kd runs");
        String::from_utf8(output.stdout).expect("text")
    };
    for (command, flags) in [
        ("distill", DISTILL),
        ("train", &["--set"]),
        ("mutual", &["--set"]),
        ("sweep", &["--set"]),
        ("eval", &["--ignore-keys"]),
    ] {
        let mut found: Vec<String> = Vec::new();
        let mut flag = String::new();
        let text = help(command);
        for line in text.lines() {
            let word = line.split_whitespace().find(|word| word.starts_with("--"));
            if let (true, Some(word)) = (line.trim_start().starts_with('-'), word) {
                flag = word.to_owned();
            }
            if line.contains("be repeated") && !line.contains("given once") {
                found.push(flag.clone());
            }
        }
        found.sort();
        assert_eq!(found, flags, "{text}");
    }
    kd().arg("--help")
        .assert()
        .success()
        .stdout(contains("may be repeated"));
    let twice = ["--set", "train.seed=1", "--set", "train.epochs=2"];
    let recipe = kd()
        .args(["recipe", "--student", "resnet8"])
        .args(twice)
        .output();
    let recipe = String::from_utf8(recipe.expect("kd runs").stdout).expect("text");
    assert!(
        recipe.contains("seed: 1") && recipe.contains("epochs: 2"),
        "{recipe}"
    );
}
