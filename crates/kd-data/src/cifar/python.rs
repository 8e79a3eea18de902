//! The archives for Python: pickled dictionaries of a numpy array and lists of labels.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::{IMAGE_BYTES, Images, LabelField, Layout};
use super::pickle::{Node, Pickle};
use crate::DataError;

/// A pickled dictionary.
struct Dictionary<'a> {
    path: &'a Path,
    root: Node<'a>,
}

/// Reads the images of the files one after the other, at most `limit` of them in all.
pub(super) fn read(
    layout: &Layout,
    files: &[PathBuf],
    limit: Option<usize>,
) -> Result<Images, DataError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in files {
        // Every file is looked at, so that a damaged one is found whatever the limit.
        let bytes = fs::read(path).map_err(DataError::read(path))?;
        let pickle = parse(path, &bytes)?;
        let file = Dictionary {
            path,
            root: pickle.root(),
        };
        let mut own = Vec::new();
        for field in layout.fields {
            own = file.labels(layout, field)?;
        }
        let images = file.pixels(own.len())?;
        let left = limit.map_or(own.len(), |limit| limit.saturating_sub(labels.len()));
        let count = own.len().min(left);
        pixels.extend_from_slice(&images[..count * IMAGE_BYTES]);
        labels.extend_from_slice(&own[..count]);
    }
    Ok((pixels, labels))
}

/// Most bytes of a class name.
const LONGEST_NAME: usize = 256;

/// The class names under a key, as many as there are classes.
pub(super) fn names(path: &Path, key: &str, classes: usize) -> Result<Vec<String>, DataError> {
    let bytes = fs::read(path).map_err(DataError::read(path))?;
    let pickle = parse(path, &bytes)?;
    let file = Dictionary {
        path,
        root: pickle.root(),
    };
    let wrong = || file.wrong(key, "a list of names");
    let names = file.get(key)?.items().ok_or_else(wrong)?;
    if names.len() != classes {
        return Err(DataError::LabelNames {
            path: path.into(),
            found: names.len(),
            expected: classes,
        });
    }
    let text = |name: Node<'_>| {
        let bytes = name.bytes().filter(|bytes| bytes.len() <= LONGEST_NAME)?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    let names: Option<_> = names.map(text).collect();
    names.ok_or_else(wrong)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Pickle<'a>, DataError> {
    Pickle::read(bytes)
        .map_err(|reason| DataError::content(path, format!("expected a Python pickle: {reason}")))
}

impl<'a> Dictionary<'a> {
    fn get(&self, key: &str) -> Result<Node<'a>, DataError> {
        let lacks = || DataError::content(self.path, format!("expected the key `{key}`"));
        self.root.get(key).ok_or_else(lacks)
    }

    fn wrong(&self, key: &str, expected: &str) -> DataError {
        DataError::content(self.path, format!("`{key}` is not {expected}"))
    }

    /// The labels of a field, each checked.
    fn labels(&self, layout: &Layout, field: &LabelField) -> Result<Vec<u32>, DataError> {
        let wrong = || self.wrong(field.key, "a list of numbers");
        let values = self.get(field.key)?.items().ok_or_else(wrong)?;
        if values.len() == 0 {
            return Err(self.wrong(field.key, "a list of at least one label"));
        }
        let labels = values.enumerate().map(|(record, value)| {
            let value = value.int().ok_or_else(wrong)?;
            layout.check(field, value, (self.path, record))
        });
        labels.collect()
    }

    /// The bytes of an array `[count, 3072]`. The state of one is `(version, shape, type, whether
    /// columns come first, bytes)`.
    fn pixels(&self, count: usize) -> Result<&'a [u8], DataError> {
        let expected = || format!("an array of {count} rows of {IMAGE_BYTES} bytes");
        let bytes = |state: Node<'a>| {
            let state: Vec<_> = state.items()?.collect();
            let [_, shape, _, columns_first, bytes] = state.try_into().ok()?;
            let shape: Option<Vec<_>> = shape.items()?.map(Node::int).collect();
            let by_rows =
                shape? == [count as i64, IMAGE_BYTES as i64] && columns_first.bool() == Some(false);
            bytes
                .bytes()
                .filter(|bytes| by_rows && bytes.len() == count * IMAGE_BYTES)
        };
        bytes(self.get("data")?).ok_or_else(|| self.wrong("data", &expected()))
    }
}
