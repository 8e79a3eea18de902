//! Tiny-ImageNet in its official layout.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{gather::Listed, listing};
use crate::DataError;

/// The folder that the official archive unpacks to.
const FOLDER: &str = "tiny-imagenet-200";

/// The list of the classes.
const IDS: &str = "wnids.txt";

/// The files of both splits with their labels.
pub(super) fn list(root: &Path) -> Result<Listed, DataError> {
    if !root.is_dir() {
        return Err(DataError::MissingRoot { path: root.into() });
    }
    let below = root.join(FOLDER);
    let root = if below.is_dir() { &below } else { root };
    let ids = class_ids(&root.join(IDS))?;
    Ok(Listed {
        train: train(&root.join("train"), &ids)?,
        test: test(&root.join("val"), &ids)?,
        classes: names(&root.join("words.txt"), ids)?,
        root: root.into(),
    })
}

/// Whether a folder or the official subfolder has the list of classes.
pub(super) fn is_in(root: &Path) -> bool {
    let lists = [root.join(IDS), root.join(FOLDER).join(IDS)];
    lists.iter().any(|list| list.is_file())
}

/// The ids of the classes, sorted: their places are the labels, whatever the order of the file.
fn class_ids(path: &Path) -> Result<Vec<String>, DataError> {
    let text = read(path)?;
    let lines = text.lines().map(str::trim);
    let mut ids: Vec<String> = lines.filter(|l| !l.is_empty()).map(String::from).collect();
    ids.sort_unstable();
    if ids.is_empty() {
        return Err(DataError::content(
            path,
            "it is empty; expected one class per line",
        ));
    }
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        let reason = format!("class {} is listed twice", twice[0]);
        return Err(DataError::content(path, reason));
    }
    if let Some(path_like) = ids.iter().find(|id| !is_name(id)) {
        let reason = format!("{path_like} is not a valid directory name");
        return Err(DataError::content(path, reason));
    }
    Ok(ids)
}

/// Whether a text is a name of what is in a folder, and no path that leads out of it; of letters that
/// can be shown.
fn is_name(text: &str) -> bool {
    let mut parts = Path::new(text).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == text);
    plain && !text.contains(char::is_control)
}

fn train(folder: &Path, ids: &[String]) -> Result<Vec<(PathBuf, u32)>, DataError> {
    let mut files = Vec::new();
    for (label, id) in ids.iter().enumerate() {
        let folder = folder.join(id).join("images");
        if !folder.is_dir() {
            let reason = "no such directory, but wnids.txt lists its class";
            return Err(DataError::content(&folder, reason));
        }
        let images = listing::images(&folder)?;
        if images.is_empty() {
            return Err(DataError::content(&folder, "it contains no images"));
        }
        files.extend(images.into_iter().map(|path| (path, label as u32)));
    }
    Ok(files)
}

/// The validation images in the order of their names, with the labels of their list.
fn test(folder: &Path, ids: &[String]) -> Result<Vec<(PathBuf, u32)>, DataError> {
    let list = folder.join("val_annotations.txt");
    let text = read(&list)?;
    let labels: HashMap<_, _> = ids.iter().zip(0u32..).collect();
    let mut files = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong =
            |reason: String| DataError::content(&list, format!("line {}: {reason}", number + 1));
        let mut columns = line.split('\t').map(str::trim);
        let (Some(image), Some(id)) = (columns.next(), columns.next()) else {
            return Err(wrong(
                "expected an image and its class, separated by a tab".into(),
            ));
        };
        let label = labels
            .get(&id.to_owned())
            .ok_or_else(|| wrong(format!("the class {id} is not in wnids.txt")))?;
        let path = folder.join("images").join(image);
        if !(is_name(image) && path.is_file()) {
            return Err(wrong(format!(
                "the image {image} is not in {}",
                folder.join("images").display()
            )));
        }
        files.push((path, *label));
    }
    if files.is_empty() {
        return Err(DataError::content(&list, "it lists no images"));
    }
    files.sort_unstable();
    Ok(files)
}

/// What the classes are called, by their ids where there is no name.
fn names(path: &Path, ids: Vec<String>) -> Result<Vec<String>, DataError> {
    if !path.is_file() {
        return Ok(ids);
    }
    let text = read(path)?;
    let names: HashMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let name = |id: String| {
        names
            .get(id.as_str())
            .map_or(id.clone(), |n| n.trim().to_owned())
    };
    Ok(ids.into_iter().map(name).collect())
}

fn read(path: &Path) -> Result<String, DataError> {
    fs::read_to_string(path).map_err(DataError::read(path))
}
