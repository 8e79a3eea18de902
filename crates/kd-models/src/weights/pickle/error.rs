//! What can be wrong with a pickle.

/// Why a pickle is not read.
#[derive(Debug)]
pub(crate) enum PickleError {
    /// It is no pickle, or not whole.
    Damaged(String),
    /// It is whole, but of another kind: which, and what to do.
    Foreign(String),
    /// It calls a function that runs a program.
    Code(String),
    /// It could not be read.
    Io(std::io::Error),
}

impl From<std::io::Error> for PickleError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Self::Damaged("the pickle is truncated".to_owned())
            }
            // Of an entry of an archive: its checksum, or its compression.
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}
