//! "Did you mean".

/// Similarity from which a name is taken for a slip of the pen, of 1 for equal names.
const SIMILAR: f64 = 0.8;

/// The candidate nearest to `name`, if it is similar enough.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["kd", "hint", "fitnet", "attention"];

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let nearest = |name| nearest(name, NAMES.into_iter());
        assert_eq!(nearest("hitn"), Some("hint"));
        assert_eq!(nearest("FitNets"), Some("fitnet"));
        assert_eq!(nearest("atention"), Some("attention"));
    }

    #[test]
    fn another_word_is_not_guessed_at() {
        assert_eq!(nearest("crossentropy", NAMES.into_iter()), None);
        assert_eq!(nearest("", NAMES.into_iter()), None);
    }
}
