//! What checkpoints call the weights.

/// Keys under which checkpoints hold the weights, and names of the part of a program that is the
/// network; the usual ones first.
pub(super) const KEYS: &[&str] = &[
    "model",
    "net",
    "snet",
    "state_dict",
    "model_state_dict",
    "network",
];

/// Further names of wrappers around a network.
const WRAPPERS: &[&str] = &[
    "module",
    "_model",
    "_net",
    "backbone",
    "encoder",
    "classifier",
];

/// Words in the names of averaged weights.
const AVERAGED: &[&str] = &[
    "ema", "swa", "avg", "average", "averaged", "shadow", "polyak",
];

/// Words in the names of what holds tensors and no network.
const OTHERS: &[&str] = &[
    "amp",
    "criterion",
    "loss",
    "losses",
    "lr",
    "momentum",
    "opt",
    "optim",
    "optimiser",
    "optimisers",
    "optimizer",
    "optimizers",
    "rng",
    "scaler",
    "sched",
    "scheduler",
    "schedulers",
];

/// How likely a set of weights is the one that is meant, likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Under a usual name; its place among them.
    Usual(usize),
    /// Under a name that says nothing: several of them are ambiguous.
    Unusual,
    /// Averaged over the training. Whoever wants these beside others, says so.
    Averaged,
}

impl Rank {
    /// Of the names on the way to the weights; no name is the file itself.
    pub(super) fn of<'a>(names: impl DoubleEndedIterator<Item = &'a str> + Clone) -> Self {
        if names.clone().any(|name| has_word(name, AVERAGED)) {
            return Self::Averaged;
        }
        let usual = KEYS.iter().chain(WRAPPERS);
        match names.clone().next_back() {
            None => Self::Usual(KEYS.len() + WRAPPERS.len()),
            Some(last) => match usual.clone().position(|usual| *usual == last) {
                Some(place) => Self::Usual(place),
                None => Self::Unusual,
            },
        }
    }
}

/// Whether what has this name is not searched for weights.
pub(super) fn is_no_network(name: &str) -> bool {
    !KEYS.contains(&name) && has_word(name, OTHERS)
}

fn has_word(name: &str, words: &[&str]) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_come_before_others_and_averaged_weights_last() {
        let rank = |path: &[&str]| Rank::of(path.iter().copied());
        assert!(rank(&["model"]) < rank(&["state_dict"]));
        assert!(rank(&["state_dict"]) < rank(&[]));
        assert!(rank(&[]) < rank(&["best_state"]));
        assert!(rank(&["checkpoint", "model"]) < rank(&["student"]));
        for name in [
            "ema",
            "model_ema",
            "state_dict_ema",
            "ema_state_dict",
            "swa_model",
        ] {
            assert_eq!(rank(&[name]), Rank::Averaged, "{name}");
            assert_eq!(rank(&[name, "model"]), Rank::Averaged, "{name}");
        }
        assert_eq!(rank(&["schema"]), Rank::Unusual);
    }

    #[test]
    fn optimizers_and_the_like_are_not_searched() {
        for name in [
            "optimizer",
            "optimizer_states",
            "lr_scheduler",
            "opt",
            "loss",
            "Criterion",
        ] {
            assert!(is_no_network(name), "{name}");
        }
        for name in ["model", "state_dict", "optimal_model", "student"] {
            assert!(!is_no_network(name), "{name}");
        }
    }
}
