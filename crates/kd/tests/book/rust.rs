//! Listings in Rust, which rustdoc compiles and runs.

use std::fs;

use crate::checkout::Checkout;
use crate::markdown::{Listing, Page};

/// Pages with listings in Rust that no crate's documentation tests.
pub fn check(checkout: &Checkout) -> Vec<String> {
    let pages = checkout.pages();
    let with_rust = pages.iter().filter(|page| page.of("rust").next().is_some());
    with_rust
        .flat_map(|page| problems(checkout, page))
        .collect()
}

fn problems(checkout: &Checkout, page: &Page) -> Vec<String> {
    let listings = page.of("rust").filter_map(|listing| {
        problem(listing).map(|problem| format!("{}:{}: {problem}", page.name(), listing.line))
    });
    let mut wrong: Vec<_> = listings.collect();
    if !is_tested(checkout, page) {
        wrong.push(format!(
            "{}: its listings are not in docs/book/listings.rs",
            page.name()
        ));
    }
    wrong
}

fn problem(listing: &Listing) -> Option<&'static str> {
    // A program that is to be saved is run by the script of the first hour.
    if listing.has("no_run") && listing.value("file").is_none() {
        return Some("it is not run");
    }
    // rustdoc does not take a listing for Rust if `no_run` comes behind a word that it does not know.
    let first = listing.tags.first().map(String::as_str);
    (listing.value("file").is_some() && first != Some("no_run"))
        .then_some("`no_run` has to be the first tag")
}

/// Whether the page is part of a documentation: that of the listings, or of its own crate.
fn is_tested(checkout: &Checkout, page: &Page) -> bool {
    let read = |path: &str| fs::read_to_string(checkout.root.join(path)).expect("a source file");
    let name = page.name();
    let from_book = match name.strip_prefix("docs/book/") {
        Some(name) => name.to_owned(),
        None => format!("../../{name}"),
    };
    if read("docs/book/listings.rs").contains(&format!("\"{from_book}\"")) {
        return true;
    }
    let folder = name.strip_suffix("/README.md");
    let folder = folder.filter(|folder| folder.starts_with("crates/"));
    folder.is_some_and(|folder| {
        read(&format!("{folder}/src/lib.rs")).contains(r#"include_str!("../README.md")"#)
    })
}
