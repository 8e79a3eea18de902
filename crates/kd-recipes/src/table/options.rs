//! What a table shows, and how.

use std::str::FromStr;

/// Which epoch of a run a table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The one that the study reports, and the last one of runs of your own.
    #[default]
    Reported,
    /// The last one.
    Last,
    /// The best one on the test images, which flatters.
    Best,
    /// The last one and the best one.
    Both,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// For a README.
    Markdown,
    /// A line a method and pair, for spreadsheets.
    Tsv,
    /// For a paper, with the package `booktabs`.
    Latex,
    /// For programs.
    Json,
    /// A page of its own.
    Html,
}

/// What a table shows, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Which epoch.
    pub shown: Shown,
    /// Whether parameters, time and memory follow.
    pub details: bool,
    /// Columns of the terminal, for text. Default 120.
    pub width: Option<usize>,
}

impl FromStr for Shown {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "reported" => Ok(Self::Reported),
            "last" => Ok(Self::Last),
            "best" => Ok(Self::Best),
            "both" => Ok(Self::Both),
            _ => Err("expected reported, last, best or both".to_owned()),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "markdown" => Ok(Self::Markdown),
            "tsv" => Ok(Self::Tsv),
            "latex" => Ok(Self::Latex),
            "json" => Ok(Self::Json),
            "html" => Ok(Self::Html),
            _ => Err("expected text, markdown, tsv, latex, json or html".to_owned()),
        }
    }
}
