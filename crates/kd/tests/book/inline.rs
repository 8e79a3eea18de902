//! Commands and flags in running text.

use std::collections::HashMap;
use std::process::Command;

use crate::checkout::Checkout;
use crate::markdown::Page;

/// Pages whose flags are those of other programs as well.
const FOREIGN: [&str; 3] = [
    "docs/book/src/migrating/",
    "docs/book/src/reports.md",
    "CONTRIBUTING.md",
];

/// What running text names and the command does not have: `kd frobnicate`, `--frobnicate`.
pub fn check(checkout: &Checkout) -> Vec<String> {
    let help = Help::read();
    let pages = checkout.pages();
    let held = pages
        .iter()
        .filter(|page| !FOREIGN.iter().any(|name| page.name().starts_with(name)));
    held.flat_map(|page| help.check(page)).collect()
}

/// The help of each command.
struct Help(HashMap<String, String>);

impl Help {
    fn read() -> Self {
        let all = help_of(&[]);
        let listed = all.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next());
        let mut texts: HashMap<_, _> = names
            .map(|name| (name.to_owned(), help_of(&[name])))
            .collect();
        assert!(texts.contains_key("distill"), "{all}");
        texts.insert(String::new(), all);
        Self(texts)
    }

    fn check(&self, page: &Page) -> Vec<String> {
        let mut wrong = Vec::new();
        for (line, code) in &page.inline {
            if let Some(problem) = self.problem(code) {
                wrong.push(format!("{}:{line}: `{code}`: {problem}", page.name()));
            }
        }
        wrong
    }

    fn problem(&self, code: &str) -> Option<String> {
        let mut words = code.split_whitespace();
        let command = match words.next()? {
            "kd" => words
                .next()
                .filter(|word| word.starts_with(char::is_lowercase)),
            flag if flag.starts_with("--") => return self.unknown(flag, None),
            _ => return None,
        };
        if let Some(command) = command
            && !self.0.contains_key(command)
        {
            return Some(format!("there is no command `{command}`"));
        }
        words
            .filter(|word| word.starts_with("--"))
            .find_map(|flag| self.unknown(flag, command))
    }

    /// Whether the command, or any command if none is named, lacks the flag.
    fn unknown(&self, flag: &str, command: Option<&str>) -> Option<String> {
        let flag = flag.split('=').next().unwrap_or(flag);
        let has = |text: &String| {
            let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
            words.any(|word| word == flag)
        };
        let known = match command {
            Some(command) => self.0.get(command).is_some_and(has),
            None => self.0.values().any(has),
        };
        (!known).then(|| format!("there is no flag `{flag}`"))
    }
}

fn help_of(command: &[&str]) -> String {
    let mut kd = Command::new(env!("CARGO_BIN_EXE_kd"));
    let output = kd.args(command).arg("--help").output().expect("kd runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
