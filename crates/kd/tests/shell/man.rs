//! Manual pages.

use std::fs;
use std::process::Command;

use tempfile::tempdir;

use super::printed;
use crate::common::kd;

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .filter(|command| command != "help")
        .collect()
}

#[test]
fn there_is_a_page_for_each_command() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("man");
    kd().args(["man", "--out"]).arg(&out).assert().success();
    let commands = commands();
    assert!(commands.contains(&"distill".to_owned()), "{commands:?}");
    let mut expected: Vec<_> = commands.iter().map(|name| format!("kd-{name}.1")).collect();
    expected.push("kd.1".to_owned());
    expected.sort();
    let entries = fs::read_dir(&out).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, expected);

    let page = fs::read_to_string(out.join("kd-distill.1")).expect("a page");
    assert!(page.contains(".TH kd-distill 1"), "{page}");
    assert!(page.contains("teacher\\-weights"), "{page}");
    assert_eq!(printed(&["man", "distill"]).trim_end(), page.trim_end());
    assert!(printed(&["man"]).contains("Exit codes"));
    let unknown = kd().args(["man", "nonsense"]).output().expect("kd runs");
    assert_eq!(unknown.status.code(), Some(2));
}

#[allow(clippy::print_stderr)]
#[test]
fn groff_has_nothing_to_complain_of() {
    let folder = tempdir().expect("a folder");
    let out = folder.path();
    kd().args(["man", "--out"]).arg(out).assert().success();
    for entry in fs::read_dir(out).expect("a folder") {
        let page = entry.expect("an entry").path();
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .arg(&page)
            .output();
        let Ok(groff) = groff else {
            eprintln!("SKIPPED: there is no groff");
            return;
        };
        let complaints = String::from_utf8_lossy(&groff.stderr);
        assert!(complaints.is_empty(), "{}: {complaints}", page.display());
    }
}
