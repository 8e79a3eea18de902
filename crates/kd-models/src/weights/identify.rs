//! Which network a state dict belongs to.

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::Form;
use super::expected::{Expected, expected};
use super::state_dict::problems;
use crate::Architecture;

/// Which network a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The network.
    pub architecture: Architecture,
    /// Its form.
    pub form: Form,
    /// Number of classes.
    pub classes: usize,
    /// Whether this was concluded from keys and shapes, and not said by the file.
    pub guessed: bool,
}

/// The network whose keys and shapes are those found, or else the one that comes closest, with the
/// differences.
pub(super) enum Guess {
    Fits(Identity),
    Closest(Architecture, Vec<String>),
    /// Not one key is right.
    Nothing,
}

/// A key that only a deployed network has.
const MERGED: &str = "tdb_reparam";

pub(super) fn guess(found: &BTreeMap<&str, Vec<usize>>, device: &Device) -> Guess {
    let mut closest: Option<(Architecture, Vec<String>)> = None;
    for architecture in Architecture::all() {
        let form = form_of(architecture, found);
        let wanted = wanted(architecture, form, 1, device);
        let count = wanted.len();
        let classes = classes(&wanted, found).unwrap_or(1);
        let problems = problems_with(wanted, classes, found);
        if problems.is_empty() {
            return Guess::Fits(Identity {
                architecture,
                form,
                classes,
                guessed: true,
            });
        }
        let some_right = problems.len() < count;
        let closer = closest
            .as_ref()
            .is_none_or(|(_, best)| problems.len() < best.len());
        if some_right && closer {
            closest = Some((architecture, problems));
        }
    }
    match closest {
        Some((architecture, problems)) => Guess::Closest(architecture, problems),
        None => Guess::Nothing,
    }
}

/// The form that a file of this network is in, if it does not say.
pub(super) fn form_of(architecture: Architecture, found: &BTreeMap<&str, Vec<usize>>) -> Form {
    let merged = found.keys().any(|key| key.contains(MERGED));
    if architecture.deployable() && merged {
        Form::Deployed
    } else {
        Form::Trained
    }
}

pub(super) fn wanted(
    architecture: Architecture,
    form: Form,
    classes: usize,
    device: &Device,
) -> Vec<Expected> {
    expected(&form.of(architecture.init(classes, device)))
}

/// Number of classes that the classifier in the file has.
pub(super) fn classes(wanted: &[Expected], found: &BTreeMap<&str, Vec<usize>>) -> Option<usize> {
    match found.get(head(wanted)?.key.as_str())?.as_slice() {
        [classes, _] => Some(*classes),
        _ => None,
    }
}

/// The weight of the classifier: the last matrix of every network.
fn head(wanted: &[Expected]) -> Option<&Expected> {
    wanted.iter().rfind(|entry| entry.shape.len() == 2)
}

/// Every difference to what the network wants if it has this number of classes.
pub(super) fn problems_with(
    mut wanted: Vec<Expected>,
    classes: usize,
    found: &BTreeMap<&str, Vec<usize>>,
) -> Vec<String> {
    if let Some(weight) = head(&wanted).map(|head| head.key.clone()) {
        let bias = weight.replace("weight", "bias");
        for entry in &mut wanted {
            if entry.key == weight || entry.key == bias {
                entry.shape[0] = classes;
            }
        }
    }
    problems(&wanted, found)
}
