//! What to read of a file.

use glob::Pattern;

/// Which weights of a file to read, where it leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Name of the set of weights, of those that are in the file: a key such as `state_dict_ema`, keys
    /// with dots such as `checkpoint.model`, or what the keys of its tensors begin with, such as
    /// `student`. By default the likeliest, which a message says.
    pub set: Option<String>,
    /// Patterns of keys to leave out, such as `aux_head.*`; `*` is any text, `?` a character. They are
    /// held against keys with and without the prefixes of wrappers.
    pub ignore: Vec<String>,
}

impl ReadOptions {
    /// The patterns, or one that is none and what is wrong with it.
    pub(super) fn patterns(&self) -> Result<Vec<Pattern>, (String, String)> {
        let patterns = self
            .ignore
            .iter()
            .map(|text| Pattern::new(text).map_err(|error| (text.clone(), error.msg.to_owned())));
        patterns.collect()
    }
}
