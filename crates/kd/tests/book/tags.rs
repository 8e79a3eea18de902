//! What a listing's info string may say.

use crate::markdown::{Listing, Page};

/// Why commands are not run.
const REASONS: [&str; 6] = [
    "needs-a-fuzzer",
    "needs-docker",
    "needs-jq",
    "needs-pytorch",
    "needs-real-data",
    "runs-everything",
];

/// The tags of a language, `None` for one that no page may have.
fn known(language: &str) -> Option<&'static [&'static str]> {
    Some(match language {
        "sh" => &["setup", "skip"],
        "rust" => &["file", "no_run"],
        "yaml" => &["file"],
        "toml" => &["file"],
        "text" => &["output", "measured", "formula", "diagram"],
        "python" => &["skip"],
        _ => return None,
    })
}

/// What is wrong with the info strings of a page.
pub fn check(page: &Page) -> Vec<String> {
    let problems = page.listings.iter().filter_map(|listing| {
        problem(listing).map(|problem| format!("{}:{}: {problem}", page.name(), listing.line))
    });
    problems.collect()
}

fn problem(listing: &Listing) -> Option<String> {
    let language = &listing.language;
    let Some(known) = known(language) else {
        return Some(format!("a listing in `{language}`, which no test knows"));
    };
    let unknown = |tag: &&String| {
        let name = tag.split(':').next().unwrap_or_default();
        !known.contains(&name)
    };
    if let Some(tag) = listing.tags.iter().find(unknown) {
        return Some(format!("`{tag}` is no tag of `{language}`: {known:?}"));
    }
    if language == "text" && listing.tags.len() != 1 {
        return Some(format!("`text` has to be one of {known:?}"));
    }
    let reason = listing.value("skip");
    if listing.has("skip") || language == "python" && reason.is_none() {
        return Some("`skip` needs a reason".to_owned());
    }
    match reason {
        Some(reason) if !REASONS.contains(&reason) => {
            Some(format!("`{reason}` is no reason to skip: {REASONS:?}"))
        }
        _ => None,
    }
}

/// The listings that are not run, with the reason.
pub fn skipped(page: &Page) -> Vec<String> {
    let skipped = page.listings.iter().filter_map(|listing| {
        let reason = listing.value("skip")?;
        Some(format!("{}:{}: {reason}", page.name(), listing.line))
    });
    skipped.collect()
}
