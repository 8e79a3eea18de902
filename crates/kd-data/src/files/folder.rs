//! A folder for each class.

use std::path::{Path, PathBuf};

use super::{gather::Listed, listing};
use crate::DataError;

/// Names of the folders of the training and the test images.
const PARTS: [[&str; 2]; 2] = [["train", "val"], ["train_set", "test_set"]];

/// The files of both splits with their labels.
pub(super) fn list(root: &Path) -> Result<Listed, DataError> {
    if !root.is_dir() {
        return Err(DataError::MissingRoot { path: root.into() });
    }
    let there = PARTS
        .iter()
        .find(|parts| parts.iter().any(|part| root.join(part).is_dir()));
    let [train, test] = there.unwrap_or(&PARTS[0]).map(|part| root.join(part));
    for part in [&train, &test] {
        if !part.is_dir() {
            let reason = "no such directory; expected one with a subdirectory for each class";
            return Err(DataError::content(part, reason));
        }
    }
    let classes = listing::folders(&train)?;
    if classes.is_empty() {
        return Err(DataError::content(
            &train,
            "it contains no directories; expected one for each class",
        ));
    }
    let of_test = listing::folders(&test)?;
    if let Some(other) = of_test.iter().find(|name| !classes.contains(name)) {
        let reason = format!("no class of this name in {}", train.display());
        return Err(DataError::content(&test.join(other), reason));
    }
    if of_test.is_empty() {
        return Err(DataError::content(
            &test,
            "it contains no directories; expected one for each class",
        ));
    }
    Ok(Listed {
        train: files(&train, &classes)?,
        test: files(&test, &classes)?,
        classes,
        root: root.into(),
    })
}

/// The images of the classes that have a folder.
fn files(part: &Path, classes: &[String]) -> Result<Vec<(PathBuf, u32)>, DataError> {
    let mut files = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let folder = part.join(class);
        if !folder.is_dir() {
            continue;
        }
        let images = listing::images(&folder)?;
        if images.is_empty() {
            return Err(DataError::content(
                &folder,
                "it contains no images; expected .jpg, .jpeg or .png",
            ));
        }
        files.extend(images.into_iter().map(|path| (path, label as u32)));
    }
    Ok(files)
}
