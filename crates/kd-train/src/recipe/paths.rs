//! Paths in a recipe.

use std::path::Path;

use super::{OneOrMany, Recipe};
use crate::{CachePlace, TrainError};

impl Recipe {
    /// Whether all paths can be written into a file, which is text.
    pub(super) fn check_paths(&self) -> Result<(), TrainError> {
        let student = self.student.weights.as_deref();
        let peers = self.peers.iter().map(|peer| peer.weights.as_deref());
        let teachers = self.teacher.weights.iter().flat_map(OneOrMany::as_slice);
        let cache = match &self.teacher.cache {
            Some(CachePlace::Folder(path)) => Some(path.as_path()),
            _ => None,
        };
        let root = [("data.root", self.data.root.as_deref())];
        let named = root
            .into_iter()
            .chain([("student.weights", student), ("teacher.cache", cache)])
            .chain(peers.map(|path| ("peers", path)))
            .chain(teachers.map(|path| ("teacher.weights", Some(path.as_path()))));
        for (field, path) in named {
            if let Some(path) = path.filter(|path| is_no_text(path)) {
                let expected = "a UTF-8 path, as a recipe is text";
                return Err(TrainError::value(field, path.display(), expected));
            }
        }
        Ok(())
    }
}

fn is_no_text(path: &Path) -> bool {
    path.to_str().is_none()
}
