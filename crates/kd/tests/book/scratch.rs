//! The folder in which a page's commands run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::{TempDir, tempdir};

use crate::checkout::Checkout;

/// The folder of a page: data in the layouts of the real ones, what the repository has, and `kd`
/// and `cargo` that stand in for the real ones.
pub struct Scratch {
    folder: TempDir,
    bin: PathBuf,
}

/// Where data sets lie in the folder, and in the fixtures.
const DATA: [(&str, &str); 6] = [
    ("data/cifar-10-batches-bin", "cifar-10-binary"),
    ("data/cifar-100-binary", "cifar-100-binary"),
    ("data/cifar100", "cifar-100-binary"),
    ("data/tiny-imagenet-200", "tiny-imagenet-200"),
    ("data/imagenet", "imagenet"),
    ("pets", "imagenet"),
];

impl Scratch {
    pub fn new(checkout: &Checkout) -> Self {
        let folder = tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("data")).expect("a folder");
        let datasets = checkout.root.join("tests/fixtures/datasets");
        for (link, target) in DATA {
            symlink(datasets.join(target), at(link)).expect("a link");
        }
        symlink(at("data"), at("datasets")).expect("a link");
        symlink(checkout.root.join("benches"), at("benches")).expect("a link");
        symlink(&checkout.root, at("kd")).expect("a link");
        folder_of_classes(&datasets.join("tiny-imagenet-200/train"), &at("shapes"));
        Self {
            bin: checkout.root.join("crates/kd/tests/book/bin"),
            folder,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a listing that the page asks its reader to save.
    pub fn save(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Runs commands as they stand.
    pub fn bash(&self, commands: &str) -> Output {
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", commands])
            .current_dir(self.path())
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("HOME", self.path())
            .env("BOOK_BIN", &self.bin)
            .env("BOOK_KD", env!("CARGO_BIN_EXE_kd"))
            .env("BOOK_CARGO_CALLS", self.calls())
            .env("NO_COLOR", "1")
            .output()
            .expect("bash runs")
    }

    /// Where the calls of cargo are noted.
    pub fn calls(&self) -> PathBuf {
        self.path().join(".cargo-calls")
    }
}

/// A folder of images of one size with a folder for each class, the same to train and to test.
fn folder_of_classes(images: &Path, folder: &Path) {
    for split in ["train", "val"] {
        let split = folder.join(split);
        fs::create_dir_all(&split).expect("a folder");
        for class in fs::read_dir(images).expect("the classes") {
            let class = class.expect("a class");
            let link = split.join(class.file_name());
            symlink(class.path().join("images"), link).expect("a link");
        }
    }
}
