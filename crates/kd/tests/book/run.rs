//! Running a page.

use std::fs;

use crate::cargo_calls;
use crate::checkout::Checkout;
use crate::markdown::{Listing, Page};
use crate::scratch::Scratch;

/// Runs a page's commands from its top to its end, checks its files on the way, and compares what
/// is printed with what is shown. Returns what is wrong.
pub fn page(checkout: &Checkout, page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    let scratch = Scratch::new(checkout);
    let mut printed = None;
    for listing in &page.listings {
        let found = match listing.language.as_str() {
            "sh" if listing.value("skip").is_none() => {
                run(&scratch, &listing.text).map(|text| printed = Some(text))
            }
            "yaml" => yaml(&scratch, listing),
            "toml" => toml(checkout, &scratch, listing),
            "rust" => {
                if let Some(name) = listing.value("file") {
                    scratch.save(name, &listing.text);
                }
                Ok(())
            }
            "text" if listing.has("output") => compare(printed.take(), &listing.text),
            _ => Ok(()),
        };
        if let Err(problem) = found {
            wrong.push(format!("{}:{}: {problem}", page.name(), listing.line));
            break;
        }
    }
    let calls = fs::read_to_string(scratch.calls()).unwrap_or_default();
    let calls = cargo_calls::check(checkout, &scratch, &calls);
    wrong.extend(
        calls
            .into_iter()
            .map(|problem| format!("{}: {problem}", page.name())),
    );
    wrong
}

/// Runs commands and returns what they printed.
fn run(scratch: &Scratch, commands: &str) -> Result<String, String> {
    let output = scratch.bash(commands);
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}\n{commands}\n{said}", output.status))
}

/// A recipe, whole or in part, or a sweep file: it is read as the command reads it.
fn yaml(scratch: &Scratch, listing: &Listing) -> Result<(), String> {
    let name = listing.value("file").unwrap_or("listing.yaml");
    scratch.save(name, &listing.text);
    let is_sweep = listing
        .text
        .lines()
        .any(|line| line.starts_with("cells:") || line.starts_with("matrix:"));
    let command = match is_sweep {
        true => format!("kd sweep {name} --list"),
        false => format!("kd recipe --config {name}"),
    };
    run(scratch, &command).map(drop)
}

/// A manifest, its dependencies, or one of them: what is of this workspace has to be there.
fn toml(checkout: &Checkout, scratch: &Scratch, listing: &Listing) -> Result<(), String> {
    if let Some(name) = listing.value("file") {
        scratch.save(name, &listing.text);
    }
    let table: toml::Table = toml::from_str(&listing.text).map_err(|error| error.to_string())?;
    let dependencies = table.get("dependencies").and_then(toml::Value::as_table);
    let mut ours = dependencies
        .unwrap_or(&table)
        .iter()
        .filter(|(name, _)| name.starts_with("kd"));
    ours.try_for_each(|(name, value)| cargo_calls::dependency(checkout, name, value))
}

/// Compares line by line. A line of three dots stands for any lines.
fn compare(printed: Option<String>, shown: &str) -> Result<(), String> {
    let printed = printed.ok_or("there is no command above this output")?;
    let lines = |text: &str| -> Vec<String> {
        text.trim_end()
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    let (printed, shown) = (lines(&printed), lines(shown));
    if matches(&printed, &shown) {
        return Ok(());
    }
    Err(format!("the command prints\n{}", printed.join("\n")))
}

fn matches(printed: &[String], shown: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((dots, rest)) if dots == "…" => {
            (0..=printed.len()).any(|skipped| matches(&printed[skipped..], rest))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| first == line && matches(others, rest)),
    }
}
