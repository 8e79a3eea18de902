//! The table of all methods.

use std::process::Command;

use serde_json::Value;

use crate::checkout::Checkout;

/// The methods that the page leaves out, and those that it has made up.
pub fn check(checkout: &Checkout) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(["methods", "--json"])
        .output();
    let methods: Vec<Value> =
        serde_json::from_slice(&output.expect("kd runs").stdout).expect("a list of methods");
    let names: Vec<_> = methods
        .iter()
        .filter_map(|method| method["name"].as_str())
        .collect();
    assert!(names.contains(&"kd"), "{names:?}");
    let pages = checkout.pages();
    let page = pages
        .iter()
        .find(|page| page.path.ends_with("choose-a-method.md"));
    let rows = &page.expect("the page").rows;
    let mut wrong = Vec::new();
    for name in names {
        match rows.iter().filter(|row| *row == name).count() {
            0 => wrong.push(format!("`{name}` has no row")),
            1 => {}
            more => wrong.push(format!("`{name}` has {more} rows")),
        }
    }
    wrong
}
