//! Paths that go into a recipe, which is text.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Reads a path that is text, and names the flag of one that is not.
#[derive(Clone, Copy, Debug)]
pub struct TextPath;

impl TypedValueParser for TextPath {
    type Value = PathBuf;

    fn parse_ref(
        &self,
        _command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<PathBuf, Error> {
        match value.to_str() {
            Some(text) => Ok(text.into()),
            None => {
                let flag = argument.map_or_else(|| "path".to_owned(), ToString::to_string);
                Err(Error::raw(
                    ErrorKind::ValueValidation,
                    format!("{flag}: `{}` {NOT_TEXT}", value.display()),
                ))
            }
        }
    }
}

/// What is wrong with a path that is no text.
pub const NOT_TEXT: &str = "is not UTF-8, as a path in a recipe must be";
