//! The figures that were published.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::RecipesError;

/// A figure of a published table, as it was printed, errors included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The study: the paper or repository whose table it is.
    pub source: String,
    /// The data set.
    #[serde(rename = "dataset")]
    pub data: String,
    /// The teacher, as the table calls it; `-` without one.
    pub teacher: String,
    /// The student, as the table calls it.
    pub student: String,
    /// The method, as the table calls it; `-` for a network that learns from labels alone.
    pub method: String,
    /// `standard`, `adaptive`, `student`, `teacher`, `baseline`, or `net1` and `net2` of mutual
    /// learning.
    pub variant: String,
    /// Top-1 accuracy on the test images, in percent.
    pub top1: f64,
    /// Which epoch of how many runs, as far as it is known: `last`, `best`, `mean5`, `mean5-best`,
    /// `unknown`.
    pub protocol: String,
}

/// All figures.
///
/// # Errors
///
/// [`RecipesError::Table`] if the table of this crate cannot be read, which a test rules out.
pub fn published() -> Result<&'static [Published], RecipesError> {
    static ALL: OnceLock<Result<Vec<Published>, String>> = OnceLock::new();
    let read = || {
        let text = include_str!("../data/published.csv");
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        rows.collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    };
    match ALL.get_or_init(read) {
        Ok(rows) => Ok(rows),
        Err(reason) => Err(RecipesError::Table {
            table: "published.csv",
            reason: reason.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tables_are_there() {
        let rows = published().expect("a table");
        let count = |source: &str| rows.iter().filter(|row| row.source == source).count();
        assert_eq!(rows.len(), 741 + 408);
        assert_eq!(count("sakd"), 115 + 113 + 115);
        assert_eq!(count("askd"), 54 + 60);
        assert_eq!((count("kdrefine"), count("zoo")), (140, 144));
        assert!(rows.iter().all(|row| (1.0..100.0).contains(&row.top1)));
    }
}
