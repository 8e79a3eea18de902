//! Printing. A closed pipe is no error: nobody is listening any more.

use std::io::Write;

/// Prints text and a line break to standard output.
pub fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
}

/// Prints a remark to standard error.
pub fn note(line: &str) {
    error(&format!("note: {line}"));
}

/// Prints a line to standard error.
pub fn error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
