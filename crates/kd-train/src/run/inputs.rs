//! What a run was started with, by contents: folders and files may move, and not change.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use kd_data::Splits;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Recipe, TrainError};

/// The content of `inputs.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// [`kd_data::ImageSet::fingerprint`] of the training images.
    pub(crate) train: String,
    /// The same of the images of evaluation.
    pub(crate) test: String,
    /// SHA-256 sums of files, by the recipe's key.
    pub(crate) files: BTreeMap<String, String>,
    /// Top-1 accuracy of the teacher on the images of evaluation, in percent, once it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) teacher_top1: Option<f64>,
    /// How many epochs the run had each time when it was made longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) extended: Vec<usize>,
}

impl Inputs {
    /// Looks at all images, and at the files of weights that the recipe names.
    pub(crate) fn of(recipe: &Recipe, splits: &Splits) -> Result<Self, TrainError> {
        let files = files(recipe).into_iter();
        let files = files.map(|(key, path)| Ok((key, sum(&path)?)));
        Ok(Self {
            files: files.collect::<Result<_, TrainError>>()?,
            ..Self::of_images(splits)?
        })
    }

    /// Looks at all images, where the networks are not the recipe's.
    pub(crate) fn of_images(splits: &Splits) -> Result<Self, TrainError> {
        Ok(Self {
            train: splits.train.fingerprint()?,
            test: splits.test.fingerprint()?,
            ..Self::default()
        })
    }

    /// What differs from the `earlier` inputs, with the places in both recipes.
    pub(crate) fn difference(
        &self,
        earlier: &Self,
        (now_in, earlier_in): (&Recipe, &Recipe),
    ) -> Option<String> {
        let place = |recipe: &Recipe, key: &str| {
            let found = files(recipe).into_iter().find(|(known, _)| known == key);
            found.map_or_else(String::new, |(_, path)| path.display().to_string())
        };
        let keys = self.files.keys().chain(earlier.files.keys());
        for key in keys {
            let (now, before) = (self.files.get(key), earlier.files.get(key));
            if now != before {
                let (old, new) = (place(earlier_in, key), place(now_in, key));
                return Some(different(&format!("`{key}`"), (&old, before), (&new, now)));
            }
        }
        let root = |recipe: &Recipe| match &recipe.data.root {
            Some(root) => root.display().to_string(),
            None => recipe.data.name.name().to_owned(),
        };
        let (old, new) = (root(earlier_in), root(now_in));
        for (name, before, now) in [
            ("the training images", &earlier.train, &self.train),
            ("the test images", &earlier.test, &self.test),
        ] {
            if before != now {
                return Some(different(name, (&old, Some(before)), (&new, Some(now))));
            }
        }
        None
    }
}

/// One line about contents that differ, with the beginnings of their sums.
fn different(
    name: &str,
    (old, before): (&str, Option<&String>),
    (new, now): (&str, Option<&String>),
) -> String {
    let short = |sum: Option<&String>| {
        let sum = sum.map_or("none", String::as_str);
        sum.chars().take(12).collect::<String>()
    };
    let (before, now) = (short(before), short(now));
    match old == new {
        true => format!("{name} in {new} have other contents now: {now}, they had {before}"),
        false => format!("{name} had the contents {before} in {old}, and {new} has {now}"),
    }
}

/// The files that a recipe names, with their keys.
fn files(recipe: &Recipe) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    let mut add = |key: String, path: &PathBuf| files.push((key, path.clone()));
    if let Some(path) = &recipe.student.weights {
        add("student.weights".to_owned(), path);
    }
    for (index, peer) in recipe.peers.iter().enumerate() {
        if let Some(path) = &peer.weights {
            add(format!("peers.{index}.weights"), path);
        }
    }
    match recipe
        .teacher
        .weights
        .as_ref()
        .map(|files| files.as_slice())
    {
        Some([path]) => add("teacher.weights".to_owned(), path),
        Some(paths) => {
            let paths = paths.iter().enumerate();
            paths.for_each(|(index, path)| add(format!("teacher.weights.{index}"), path));
        }
        None => {}
    }
    files
}

/// The SHA-256 sum of a file in hexadecimal.
fn sum(path: &Path) -> Result<String, TrainError> {
    let mut sum = Sha256::new();
    File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut sum))
        .map_err(|error| TrainError::io(path, error))?;
    let bytes = sum.finalize();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
