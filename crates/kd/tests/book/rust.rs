//! Listings in Rust, which rustdoc compiles and runs.

use std::fs;

use crate::checkout::Checkout;

/// Every page with a listing in Rust has to be among those that a crate's documentation tests.
pub fn check(checkout: &Checkout) -> Vec<String> {
    let listings = fs::read_to_string(checkout.root.join("docs/book/listings.rs"));
    let listings = listings.expect("the list of pages");
    let mut wrong = Vec::new();
    for page in checkout.pages() {
        for listing in page.of("rust") {
            // A program that is to be saved is run by the script of the first hour.
            if listing.has("no_run") && listing.value("file").is_none() {
                wrong.push(format!("{}:{}: it is not run", page.name(), listing.line));
            }
        }
        if page.of("rust").next().is_none() {
            continue;
        }
        let name = page.name();
        let own = name
            .strip_prefix("crates/")
            .and_then(|rest| rest.split('/').next());
        let is_tested = match own {
            Some(package) => {
                let library = checkout
                    .root
                    .join("crates")
                    .join(package)
                    .join("src/lib.rs");
                let text = fs::read_to_string(library).expect("a library");
                text.contains(r#"include_str!("../README.md")"#)
                    || listings.contains(&format!("\"../../{name}\""))
            }
            None => {
                let path = name
                    .strip_prefix("docs/book/")
                    .map_or_else(|| format!("../../{name}"), str::to_owned);
                listings.contains(&format!("\"{path}\""))
            }
        };
        if !is_tested {
            wrong.push(format!(
                "{name}: its listings are not in docs/book/listings.rs"
            ));
        }
    }
    wrong
}
