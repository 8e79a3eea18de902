//! Errors of this crate.

use std::collections::HashMap;
use std::path::PathBuf;

/// What can go wrong with networks and their weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No network has this name.
    #[error("unknown model `{name}`: expected one of {known}")]
    UnknownModel {
        /// The name that was asked for.
        name: String,
        /// All names, comma separated.
        known: String,
    },
    /// A weights file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A weights file is damaged or of another kind.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint without weights.
    #[error(
        "{}: no state dict: expected one under `{expected}` or at the top level, found {found}",
        path.display()
    )]
    NoStateDict {
        /// The file.
        path: PathBuf,
        /// Where one was looked for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A checkpoint without the weights that were asked for.
    #[error("{}: no weights `{set}`: expected one of {found}", path.display())]
    NoSuchSet {
        /// The file.
        path: PathBuf,
        /// The name of the set.
        set: String,
        /// Names of the sets that are there.
        found: String,
    },
    /// A checkpoint with several networks, none of which is likelier than the others.
    #[error(
        "{}: contains several networks: choose one of {found} with weights_set",
        path.display()
    )]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// Names of the sets that fit.
        found: String,
    },
    /// A pattern of keys that is none.
    #[error("ignore_keys: `{pattern}` is not a valid pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint whose pickle calls a function.
    #[error(
        "{}: refused: Python would call `{name}` to open this file (kd did not)",
        path.display()
    )]
    Code {
        /// The file.
        path: PathBuf,
        /// The function.
        name: String,
    },
    /// A weight is infinite or not a number.
    #[error("{}: `{key}` contains a number that is not finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
    },
    /// A batch norm's running variance is negative.
    #[error(
        "{}: `{key}` of {network} holds {value}, expected a variance of at least 0: the file is damaged, \
         or the run that wrote it had diverged",
        path.display()
    )]
    NegativeVariance {
        /// The file.
        path: PathBuf,
        /// The network.
        network: String,
        /// The tensor.
        key: String,
        /// The first number that is negative.
        value: f32,
    },
    /// Keys or shapes in a weights file are not those of the network.
    #[error("{}: weights do not fit {model}: {}", path.display(), first_of(problems))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The network that was asked for.
        model: String,
        /// Every missing, unexpected and mis-shaped key.
        problems: Vec<String>,
    },
    /// The weights were trained for another number of classes.
    #[error("{}: trained for {found} classes, expected {expected}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// Classes in the file.
        found: usize,
        /// Classes of the data.
        expected: usize,
    },
    /// A network cannot take images of this shape.
    #[error(
        "{model}: images of {found:?} (channels, height, width), expected 3 channels and {smallest} \
         to {largest} pixels a side"
    )]
    Input {
        /// The network.
        model: String,
        /// The shape.
        found: [usize; 3],
        /// Smallest height and width.
        smallest: usize,
        /// Largest height and width.
        largest: usize,
    },
    /// A file would be written over the one it is made of.
    #[error("{}: the output file must not be the input file", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to fold.
    #[error("{}: nothing to fold: it holds {architecture} in its {form} form", path.display())]
    NothingToFold {
        /// The file.
        path: PathBuf,
        /// The network.
        architecture: String,
        /// Its form.
        form: &'static str,
    },
    /// A folded network computes something else.
    #[error(
        "{}: folding changes the logits by {relative:.1e} of the largest, expected at most \
         {expected:.0e}; nothing was written",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Largest difference, relative to the largest logit.
        relative: f64,
        /// The most that rounding explains.
        expected: f64,
    },
    /// A parameter could not be read from the device.
    #[error("parameter `{key}`: {reason}")]
    Parameter {
        /// The parameter's key.
        key: String,
        /// What the backend said.
        reason: String,
    },
}

/// The first problems of each kind, and how many more there are: a network of another kind has
/// hundreds.
fn first_of(problems: &[String]) -> String {
    const SHOWN: usize = 3;
    let kind = |problem: &str| problem.split(' ').next().unwrap_or_default().to_owned();
    let mut seen = HashMap::<String, usize>::new();
    let mut shown: Vec<&str> = Vec::new();
    for problem in problems {
        let seen = seen.entry(kind(problem)).or_default();
        *seen += 1;
        if *seen <= SHOWN {
            shown.push(problem);
        }
    }
    let mut text = shown.join("; ");
    if problems.len() > shown.len() {
        text += &format!("; and {} more", problems.len() - shown.len());
    }
    text
}
