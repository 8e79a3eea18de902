//! Tables of runs: methods by pairs, beside what was published.

mod collect;
mod details;
mod entry;
mod escape;
mod figures;
mod grid;
mod group;
mod html;
mod latex;
mod layout;
mod markdown;
mod notes;
mod options;
mod order;
mod study;
mod text;
mod tsv;

use std::path::PathBuf;

pub use kd_train::compare::Spread;
use serde::Serialize;

pub use self::collect::Record;
pub use self::entry::{Entry, Missing};
pub use self::escape::escaped_html;
pub use self::figures::Figure;
pub use self::grid::capitalized;
pub use self::options::{Format, Shown, TableOptions};
pub use self::study::StudyTable;

use self::collect::collect;
use self::layout::document;
use crate::sweep::SweepError;

/// Tables of runs: one a study and data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tables {
    /// The tables.
    pub tables: Vec<StudyTable>,
}

impl Tables {
    /// Reads the folders of runs, or folders that hold such folders at any depth.
    ///
    /// # Errors
    ///
    /// [`SweepError::NoRuns`] for a folder without runs; [`SweepError::Train`] or
    /// [`SweepError::File`] naming a file that cannot be understood.
    pub fn read(folders: &[PathBuf]) -> Result<Self, SweepError> {
        let records = collect(folders)?;
        let tables = study::studies(&records).into_iter();
        let tables = tables.map(|study| StudyTable::of(study, &records));
        Ok(Self {
            tables: tables.collect::<Result<_, _>>()?,
        })
    }

    /// The tables in a format.
    pub fn render(&self, format: Format, options: &TableOptions) -> String {
        let document = || document(self, options);
        match format {
            Format::Text => text::render(&document(), options.width.unwrap_or(120)),
            Format::Markdown => markdown::render(&document()),
            Format::Latex => latex::render(&document()),
            Format::Html => html::render(&document()),
            Format::Tsv => tsv::render(self),
            Format::Json => serde_json::to_string_pretty(self).unwrap_or_default() + "\n",
        }
    }
}
