//! Links between the files of the repository.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::checkout::Checkout;
use crate::markdown::Page;

/// Where the repository is on the web: pages of the book link to files outside of the book so.
const WEB: [&str; 2] = [
    "https://github.com/kd-rs/kd/blob/main/",
    "https://github.com/kd-rs/kd/tree/main/",
];

/// Links of all Markdown files to files and headings that are not there.
pub fn check(checkout: &Checkout) -> Vec<String> {
    let pages = checkout.markdown();
    let anchors: HashMap<&Path, &[String]> = pages
        .iter()
        .map(|page| (page.path.as_path(), page.anchors.as_slice()))
        .collect();
    let links = pages.iter().flat_map(|page| &page.links).count();
    assert!(links > 200, "{links} links");
    let mut wrong = Vec::new();
    for page in &pages {
        for (line, target) in &page.links {
            if let Some(problem) = problem(checkout, page, target, &anchors) {
                wrong.push(format!("{}:{line}: `{target}`: {problem}", page.name()));
            }
        }
    }
    wrong
}

fn problem(
    checkout: &Checkout,
    page: &Page,
    target: &str,
    anchors: &HashMap<&Path, &[String]>,
) -> Option<String> {
    let (place, anchor) = match target.split_once('#') {
        Some((place, anchor)) => (place, Some(anchor)),
        None => (target, None),
    };
    let path = match WEB.iter().find_map(|web| place.strip_prefix(web)) {
        Some(path) => PathBuf::from(path),
        None if place.contains("://") || place.starts_with("mailto:") => return None,
        None if place.is_empty() => page.path.clone(),
        None => normal(&page.path.parent()?.join(place)),
    };
    if !checkout.root.join(&path).exists() {
        return Some(format!("there is no {}", path.display()));
    }
    let in_book = |path: &Path| path.starts_with("docs/book/src");
    if in_book(&page.path) && !in_book(&path) && !place.contains("://") {
        return Some("it leads out of the book: give its address on the web".to_owned());
    }
    let anchor = anchor?;
    match anchors.get(path.as_path()) {
        Some(known) if known.iter().any(|other| other == anchor) => None,
        Some(known) => Some(format!("no such heading, but {known:?}")),
        // Lines of a source file.
        None => None,
    }
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Pages that `SUMMARY.md` leaves out, which mdBook then leaves out as well.
pub fn check_summary(checkout: &Checkout) -> Vec<String> {
    let summary = fs::read_to_string(checkout.book().join("SUMMARY.md")).expect("the summary");
    let pages = checkout.pages();
    let left_out = pages.iter().filter_map(|page| {
        let name = page
            .path
            .strip_prefix("docs/book/src")
            .ok()?
            .display()
            .to_string();
        let is_listed = name == "SUMMARY.md" || summary.contains(&format!("({name})"));
        (!is_listed).then(|| format!("{}: it is not in SUMMARY.md", page.name()))
    });
    left_out.collect()
}
