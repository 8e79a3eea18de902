//! Where a teacher's outputs are kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a [`TeacherCache`](crate::TeacherCache) keeps its rows. Reads and writes as `memory`, or as
/// the path of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub enum CachePlace {
    /// In the memory of this process.
    Memory,
    /// In a file in this folder, for later runs and for others that run at the same time.
    Folder(PathBuf),
}

impl From<String> for CachePlace {
    fn from(place: String) -> Self {
        match place.as_str() {
            "memory" => Self::Memory,
            _ => Self::Folder(place.into()),
        }
    }
}

impl From<CachePlace> for String {
    fn from(place: CachePlace) -> Self {
        match place {
            CachePlace::Memory => "memory".to_owned(),
            CachePlace::Folder(path) => path.to_string_lossy().into_owned(),
        }
    }
}
