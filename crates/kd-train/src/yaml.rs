//! Reading YAML.

use kd_data::printable;
use serde::de::DeserializeOwned;
use serde_saphyr::UserMessageFormatter;

/// Reads YAML as what it is to be.
///
/// # Errors
///
/// One line that says what is wrong and where, in the words of who wrote the text.
pub fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.without_snippet();
        one_line(&message.render_with_formatter(&UserMessageFormatter))
    })
}

/// A text as a part of a message: in one line, and without control characters. What a file says may be
/// in it, and is not to speak to a terminal.
pub fn one_line(text: &str) -> String {
    printable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
