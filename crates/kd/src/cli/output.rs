//! Printing: results on standard output, everything else on standard error.

use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

use serde::Serialize;

use super::error::CliError;

/// Why standard output could not be written, the first time it could not.
static FAILURE: OnceLock<Error> = OnceLock::new();

/// Prints text and a line break to standard output.
///
/// A closed pipe is no error: nobody is listening any more. What else goes wrong, as a full disk,
/// stops nothing: a run is worth more than its lines. [`failure`] says it in the end.
pub fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILURE.set(error);
    }
}

/// Prints a result: as one JSON document, or as the text that is made of it.
pub fn result<T: Serialize + ?Sized>(
    result: &T,
    json: bool,
    of_result: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    text(&match json {
        true => serde_json::to_string_pretty(result)?,
        false => of_result(result),
    });
    Ok(())
}

/// Why not all that was printed arrived, if it did not.
pub fn failure() -> Option<&'static Error> {
    FAILURE.get()
}

/// Prints the help, with colors where standard output shows them.
pub fn help(help: &clap::Error) {
    let help = help.render();
    text(&match colors(&std::io::stdout()) {
        true => help.ansi().to_string(),
        false => help.to_string(),
    });
}

/// Whether colors go to a stream: to a terminal, unless `NO_COLOR` is set, and anywhere if
/// `CLICOLOR_FORCE` is.
pub fn colors(stream: &impl anstream::stream::RawStream) -> bool {
    anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

/// Prints a remark to standard error.
pub fn note(line: &str) {
    error(&format!("note: {line}"));
}

/// Prints a line to standard error.
pub fn error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
