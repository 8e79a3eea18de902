//! Images on which two networks differ.

use super::Predictions;
use super::predictions::log_softmax;
use crate::ReportError;

/// Images on which exactly one of two networks is right, by their index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examples {
    /// Those that only the second network gets right.
    pub fixed: Vec<usize>,
    /// Those that only the first network gets right.
    pub broken: Vec<usize>,
    /// How many images only the second network gets right.
    pub all_fixed: usize,
    /// How many images only the first network gets right.
    pub all_broken: usize,
}

/// Images on which exactly one of two networks is right, at most `count` of either kind: those whose
/// label's probability differs most, and of equal ones the first.
///
/// # Errors
///
/// [`ReportError::Predictions`] if they are not of the same images.
pub fn examples(
    before: &Predictions,
    after: &Predictions,
    count: usize,
) -> Result<Examples, ReportError> {
    before.check_beside(after)?;
    let probability = |network: &Predictions, image: usize| {
        log_softmax(network.row(image))[network.labels()[image]].exp()
    };
    let only = |wrong: &Predictions, right: &Predictions| -> (Vec<usize>, usize) {
        let images = 0..before.len();
        let mut found: Vec<(usize, f64)> = images
            .filter(|image| right.is_right(*image) && !wrong.is_right(*image))
            .map(|image| (image, probability(right, image) - probability(wrong, image)))
            .collect();
        found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let all = found.len();
        let chosen = found.into_iter().take(count).map(|(image, _)| image);
        (chosen.collect(), all)
    };
    let (fixed, all_fixed) = only(before, after);
    let (broken, all_broken) = only(after, before);
    Ok(Examples {
        fixed,
        broken,
        all_fixed,
        all_broken,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_differences_come_first() {
        // Of two classes, the logit of the second; all images are of the second.
        let of = |logits: [f32; 5]| {
            let rows = logits.map(|logit| [0.0, logit]).concat();
            Predictions::new(rows, vec![1; 5], 2).expect("predictions")
        };
        let before = of([-1.0, -1.0, -1.0, 1.0, 2.0]);
        let after = of([0.5, 3.0, -2.0, -1.0, 2.0]);
        let found = examples(&before, &after, 1).expect("the same images");
        assert_eq!((found.fixed, found.all_fixed), (vec![1], 2));
        assert_eq!((found.broken, found.all_broken), (vec![3], 1));
        let all = examples(&before, &after, 9).expect("the same images");
        assert_eq!(all.fixed, [1, 0]);
    }
}
