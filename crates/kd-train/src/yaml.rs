//! Reading YAML.

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

pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A message of the parser names an option of the parser's own.
    #[test]
    fn report_a_key_that_is_given_twice_is_named_without_an_option_of_the_parser() {
        let error = from_yaml::<Value>("train:\n  epochs: 1\n  epochs: 2\n").expect_err("twice");
        let expected = "duplicate mapping key: epochs not allowed here at line 3, column 3";
        assert_eq!(error, expected);
        for text in ["a: !!binary x\nb: [", "a: *b", "{a: 1}}", "a: 1\n---\nb: 2"] {
            let error = from_yaml::<Value>(text).expect_err("no YAML");
            assert!(
                !error.contains("Options") && !error.contains("Policy"),
                "{error}"
            );
        }
    }
}
