//! Runs that one can trust: continued to the same numbers, with inputs that are what they are held to
//! be, and errors that say where they come from. Tests of reports of users are named after them; see
//! `docs/book/src/reports.md`.

#[path = "../common/mod.rs"]
mod common;
mod continued;
mod inputs;
mod non_finite;
mod odd_data;
mod resume;
