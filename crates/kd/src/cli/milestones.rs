//! A list of epochs that may be empty.

use std::str::FromStr;

/// Epochs, as in `150,180,210`; `none` or nothing is the empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestones(pub Vec<usize>);

impl FromStr for Milestones {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || text == "none" {
            return Ok(Self(Vec::new()));
        }
        let epochs = text.split(',').map(|epoch| {
            let epoch = epoch.trim();
            let expected = "expected epochs such as 150,180,210, or none";
            epoch
                .parse()
                .map_err(|_| format!("`{epoch}` is not an epoch: {expected}"))
        });
        epochs.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_be_empty() {
        let read = |text: &str| text.parse::<Milestones>().map(|list| list.0);
        assert_eq!(read("150, 180,210"), Ok(vec![150, 180, 210]));
        for empty in ["none", "", " "] {
            assert_eq!(read(empty), Ok(Vec::new()), "{empty:?}");
        }
        for wrong in ["3,", "x", "-1", "1.5", "18446744073709551616"] {
            let error = read(wrong).expect_err("no list");
            assert!(error.contains("is not an epoch"), "{error}");
        }
    }
}
