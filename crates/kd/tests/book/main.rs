//! The book, the README and its like are true: what they show is run, read or compared, and where
//! they link to is there.
//!
//! The info string of a listing says what it is for; `CONTRIBUTING.md` lists the tags.
// The commands are those of a Unix shell.
#![cfg(unix)]
// What is not run is said.
#![allow(clippy::print_stdout)]

mod cargo_calls;
mod checkout;
mod inline;
mod links;
mod markdown;
mod methods;
mod run;
mod rust;
mod scratch;
mod tags;

use std::sync::Mutex;

use checkout::Checkout;
use markdown::Page;

/// Fails with all that is wrong at once.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Works on all pages with as many threads as there are cores, the slow ones first.
fn on_all(pages: Vec<Page>, work: impl Fn(&Page) -> Vec<String> + Sync) -> Vec<String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(pages);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(page) = left.lock().expect("the pages").pop() else {
                        break;
                    };
                    let wrong = work(&page);
                    found.lock().expect("the findings").extend(wrong);
                }
            });
        }
    });
    found.into_inner().expect("the findings")
}

#[test]
fn every_listing_says_what_it_is() {
    let wrong: Vec<_> = Checkout::here()
        .pages()
        .iter()
        .flat_map(tags::check)
        .collect();
    assert_none(&wrong);
}

#[test]
fn every_command_runs_and_prints_what_is_shown() {
    let checkout = Checkout::here();
    let mut pages = checkout.pages();
    pages.sort_by_key(|page| page.of("sh").count());
    let commands = pages.iter().flat_map(|page| page.of("sh")).count();
    assert!(commands > 40, "{commands} listings");
    for line in pages.iter().flat_map(tags::skipped) {
        println!("skipped: {line}");
    }
    assert_none(&on_all(pages, |page| run::page(&checkout, page)));
}

#[test]
fn every_command_and_flag_in_running_text_is_there() {
    assert_none(&inline::check(&Checkout::here()));
}

#[test]
fn every_rust_listing_is_compiled() {
    assert_none(&rust::check(&Checkout::here()));
}

#[test]
fn every_link_leads_somewhere() {
    assert_none(&links::check(&Checkout::here()));
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    assert_none(&links::check_summary(&Checkout::here()));
}

#[test]
fn every_method_has_its_row_in_the_table_that_helps_to_choose() {
    assert_none(&methods::check(&Checkout::here()));
}
