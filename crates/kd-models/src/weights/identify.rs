//! Which network a state dict belongs to.

use kd_core::host;

use super::Form;
use super::listing::Listing;
use crate::Architecture;
use crate::parameters::{Expected, expected};

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

/// A network in one of its forms, held against a file.
pub(super) struct Candidate {
    pub(super) identity: Identity,
    /// All differences.
    pub(super) problems: Vec<String>,
    /// What the network has.
    wanted: Vec<Expected>,
}

/// A key that only a deployed network has.
const MERGED: &str = ".tdb_reparam.";

/// A key of batch norms.
const STATISTICS: &str = ".running_mean";

/// Keys and shapes of networks that were already compared, with one class: building a network takes
/// longer than comparing it.
#[derive(Default)]
pub(super) struct Blanks(Vec<(Architecture, Form, Vec<Expected>)>);

impl Blanks {
    fn get(&mut self, architecture: Architecture, form: Form) -> &[Expected] {
        let known = |(own, own_form, _): &(Architecture, Form, _)| {
            *own == architecture && *own_form == form
        };
        let place = self.0.iter().position(known).unwrap_or_else(|| {
            // Shapes are the same on every device.
            let wanted = expected(&form.blank(architecture, 1, &host()));
            self.0.push((architecture, form, wanted));
            self.0.len() - 1
        });
        &self.0[place].2
    }

    /// Whether this network may be the one that was found, as seen from a few numbers.
    pub(super) fn plausible(&mut self, architecture: Architecture, found: &Listing<'_>) -> bool {
        let wanted = self.get(architecture, Form::Trained);
        let convolutions = wanted.iter().filter(|entry| entry.shape.len() == 4);
        convolutions.count() == found.convolutions()
            || architecture.deployable() && found.keys().any(|key| key.contains(MERGED))
    }
}

impl Candidate {
    /// This network in this form, with the file's number of classes, or else `classes`.
    pub(super) fn new(
        blanks: &mut Blanks,
        architecture: Architecture,
        form: Form,
        classes: usize,
        found: &Listing<'_>,
    ) -> Self {
        let mut wanted = blanks.get(architecture, form).to_vec();
        let head = head(&wanted);
        let classes = classes_of(&head, found).unwrap_or(classes);
        for entry in &mut wanted {
            if head.contains(&entry.key) {
                entry.shape[0] = classes;
            }
        }
        Self {
            identity: Identity {
                architecture,
                form,
                classes,
                guessed: true,
            },
            problems: found.problems(&wanted),
            wanted,
        }
    }

    /// This network in the form that comes closest.
    pub(super) fn in_any_form(
        blanks: &mut Blanks,
        architecture: Architecture,
        classes: usize,
        found: &Listing<'_>,
    ) -> Self {
        let trained = Self::new(blanks, architecture, Form::Trained, classes, found);
        if trained.fits() || !trained.may_be_folded(found) {
            return trained;
        }
        let forms = match architecture.deployable() {
            true => [Form::Deployed, Form::Folded].as_slice(),
            false => [Form::Folded].as_slice(),
        };
        forms.iter().fold(trained, |best, form| {
            let other = Self::new(blanks, architecture, *form, classes, found);
            match other.problems.len() < best.problems.len() {
                true => other,
                false => best,
            }
        })
    }

    pub(super) fn fits(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether it is worth folding this network to compare it.
    fn may_be_folded(&self, found: &Listing<'_>) -> bool {
        if self.identity.architecture.deployable() {
            return found.keys().any(|key| key.contains(MERGED));
        }
        let convolutions = self.wanted.iter().filter(|entry| entry.shape.len() == 4);
        let statistics = self.wanted.iter().map(|entry| entry.key.as_str());
        convolutions.count() == found.convolutions()
            && count_statistics(found.keys()) < count_statistics(statistics)
    }

    /// Whether at least half of its tensors are in the file.
    pub(super) fn close(&self, found: &Listing<'_>) -> bool {
        let right = |entry: &&Expected| found.shape(&entry.key) == Some(entry.shape.as_slice());
        2 * self.wanted.iter().filter(right).count() >= self.wanted.len()
    }
}

fn count_statistics<'a>(keys: impl Iterator<Item = &'a str>) -> usize {
    keys.filter(|key| key.ends_with(STATISTICS)).count()
}

/// Keys of the classifier's weight and bias: the last matrix of every network.
fn head(wanted: &[Expected]) -> Vec<String> {
    let weight = wanted.iter().rfind(|entry| entry.shape.len() == 2);
    let weight = weight.map(|entry| entry.key.clone()).unwrap_or_default();
    let bias = weight.replace("weight", "bias");
    vec![weight, bias]
}

/// Number of classes that the classifier in the file has.
fn classes_of(head: &[String], found: &Listing<'_>) -> Option<usize> {
    let classes = |key: &String| found.shape(key)?.first().copied();
    let some = |classes: &usize| *classes > 0;
    head.iter().find_map(|key| classes(key).filter(some))
}
