//! Where the pages are.

use std::fs;
use std::path::{Path, PathBuf};

use crate::markdown::Page;

/// The repository.
pub struct Checkout {
    pub root: PathBuf,
}

/// Folders of Markdown that is not of this repository's making, or not for readers.
const LEFT_OUT: [&str; 5] = ["target", ".git", "runs", "fixtures", "node_modules"];

impl Checkout {
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self {
            root: root.canonicalize().expect("the repository"),
        }
    }

    /// The folder of the book's pages.
    pub fn book(&self) -> PathBuf {
        self.root.join("docs/book/src")
    }

    /// The pages whose listings are held to: the book, the README of the repository and those of
    /// the crates, and the guide for contributors.
    pub fn pages(&self) -> Vec<Page> {
        let is_held = |page: &Page| {
            let name = page.name();
            name == "README.md"
                || name == "CONTRIBUTING.md"
                || name.starts_with("docs/book/src/")
                || name.starts_with("crates/") && name.ends_with("/README.md")
        };
        self.markdown().into_iter().filter(is_held).collect()
    }

    /// All Markdown files.
    pub fn markdown(&self) -> Vec<Page> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found.sort();
        let page = |path: &PathBuf| {
            let text = fs::read_to_string(path).expect("a page");
            let name = path
                .strip_prefix(&self.root)
                .expect("a page of the repository");
            Page::parse(name.to_owned(), text)
        };
        found.iter().map(page).collect()
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type().expect("a type").is_dir() {
            if !LEFT_OUT.iter().any(|other| name == *other) {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}
