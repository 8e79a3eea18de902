//! Which classes a network gets right more or less often than another.

use super::{Predictions, confusion};
use crate::ReportError;

/// The accuracies of two networks on the images of a class, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassChange {
    /// The class.
    pub class: usize,
    /// Accuracy of the network that is compared with.
    pub before: f64,
    /// Accuracy of the network.
    pub after: f64,
}

impl ClassChange {
    /// The difference, in percentage points.
    pub fn points(&self) -> f64 {
        self.after - self.before
    }
}

/// The accuracy on each class that has images, beside that of another network on the same images.
///
/// # Errors
///
/// [`ReportError::Predictions`] if they are not of the same images.
pub fn class_changes(
    before: &Predictions,
    after: &Predictions,
) -> Result<Vec<ClassChange>, ReportError> {
    before.check_beside(after)?;
    let [before, after] = [before, after].map(|network| confusion(network).accuracies());
    let both = before.into_iter().zip(after).enumerate();
    Ok(both
        .filter_map(|(class, (before, after))| {
            Some(ClassChange {
                class,
                before: 100.0 * before?,
                after: 100.0 * after?,
            })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_in_percentage_points_a_class() {
        let of = |choices: [usize; 4], labels: [usize; 4]| {
            let row = |choice: usize| [0, 1, 2].map(|class| f32::from(class == choice));
            let rows = choices.map(row).concat();
            Predictions::new(rows, labels.to_vec(), 3).expect("predictions")
        };
        let labels = [0, 0, 2, 2];
        let before = of([0, 1, 2, 2], labels);
        let after = of([0, 0, 2, 1], labels);
        let found = class_changes(&before, &after).expect("the same images");
        let points: Vec<_> = found.iter().map(|c| (c.class, c.points())).collect();
        assert_eq!(points, [(0, 50.0), (2, -50.0)]);
        let other = of([0, 0, 2, 1], [0, 0, 2, 1]);
        assert!(class_changes(&before, &other).is_err());
    }
}
