//! What is odd about a data set, but no error.

use crate::{ImageSet, Limits, Splits};

/// Warns of numbers of images that are not the official `[train, test]`, of labels that are all the
/// same, of classes without images, of images that are all the same, and of images of a single color,
/// as a file has that was filled with zeros.
///
/// Of a split with a limit only labels and pixels are looked at; pixels only where they are in memory.
pub(crate) fn warn(dataset: &str, splits: &Splits, limits: Limits, official: Option<[usize; 2]>) {
    for warning in warnings(dataset, splits, limits, official) {
        tracing::warn!("{warning}");
    }
}

fn warnings(
    dataset: &str,
    splits: &Splits,
    limits: Limits,
    official: Option<[usize; 2]>,
) -> Vec<String> {
    let parts = [
        ("training", &splits.train, limits.train),
        ("test", &splits.test, limits.test),
    ];
    let mut warnings = Vec::new();
    for (number, (name, set, limit)) in parts.into_iter().enumerate() {
        let whole = limit.is_none_or(|limit| set.len() < limit);
        if let Some(official) = official.map(|counts| counts[number])
            && whole
            && set.len() != official
        {
            let found = set.len();
            warnings.push(format!(
                "{dataset}: {found} {name} images, but the official data set has {official}"
            ));
        }
        if let Some(label) = constant_label(set) {
            warnings.push(format!(
                "{dataset}: all {name} images have the label {label}"
            ));
        } else if whole {
            let empty = without_images(set);
            if empty > 0 {
                let classes = set.classes();
                warnings.push(format!(
                    "{dataset}: {empty} of {classes} classes have no {name} images"
                ));
            }
        }
        if let Some(warning) = odd_pixels(set, name) {
            warnings.push(format!("{dataset}: {warning}"));
        }
    }
    warnings
}

/// What is odd about the pixels of the images that are in memory.
fn odd_pixels(set: &ImageSet, name: &str) -> Option<String> {
    let same = |i: usize| set.are_the_same(0, i) == Some(true);
    if set.len() > 1 && (1..set.len()).all(same) {
        return Some(format!("all {name} images are the same"));
    }
    let of_one_color = |i: &usize| set.is_of_one_color(*i) == Some(true);
    let mut odd = (0..set.len()).filter(of_one_color);
    let first = odd.next()?;
    let (count, all) = (1 + odd.count(), set.len());
    Some(format!(
        "{count} of {all} {name} images have a single color, the first is image {first}"
    ))
}

/// The label of all images, if there are several and it is one of several classes.
fn constant_label(set: &ImageSet) -> Option<usize> {
    let several = set.len() > 1 && set.classes() > 1;
    let same = || (1..set.len()).all(|i| set.label(i) == set.label(0));
    (several && same()).then(|| set.label(0))
}

/// The number of classes that no image has.
fn without_images(set: &ImageSet) -> usize {
    let mut seen = vec![false; set.classes()];
    (0..set.len()).for_each(|i| seen[set.label(i)] = true);
    seen.iter().filter(|seen| !**seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Normalization;

    fn set(labels: &[u32]) -> ImageSet {
        of_pixels((0..6 * labels.len()).map(|i| i as u8).collect(), labels)
    }

    /// Images of two pixels.
    fn of_pixels(pixels: Vec<u8>, labels: &[u32]) -> ImageSet {
        let set = ImageSet::new(pixels, labels.to_vec(), [1, 2], 3, Normalization::CIFAR10);
        set.expect("valid")
    }

    fn found(train: &[u32], test: &[u32], limits: Limits) -> Vec<String> {
        let splits = Splits {
            train: set(train),
            test: set(test),
        };
        warnings("Set", &splits, limits, Some([3, 3]))
    }

    #[test]
    fn an_official_set_gives_none() {
        assert!(found(&[0, 1, 2], &[2, 1, 0], Limits::default()).is_empty());
    }

    #[test]
    fn other_counts_constant_labels_and_empty_classes_are_named() {
        assert_eq!(
            found(&[0, 1, 2, 2], &[1, 1, 1], Limits::default()),
            [
                "Set: 4 training images, but the official data set has 3",
                "Set: all test images have the label 1"
            ]
        );
        assert_eq!(
            found(&[0, 1, 1], &[0, 1, 2], Limits::default()),
            ["Set: 1 of 3 classes have no training images"]
        );
    }

    #[test]
    fn a_limit_explains_a_lesser_number() {
        let limits = Limits {
            train: Some(2),
            test: Some(3),
        };
        assert!(found(&[0, 1], &[0, 1, 2], limits).is_empty());
    }

    #[test]
    fn images_that_show_nothing_are_named() {
        let ordinary: Vec<u8> = (0..18).collect();
        let found = |pixels: Vec<u8>, limits: Limits| {
            let splits = Splits {
                train: of_pixels(pixels, &[0, 1, 2]),
                test: of_pixels(ordinary.clone(), &[0, 1, 2]),
            };
            warnings("Set", &splits, limits, Some([3, 3]))
        };
        let limits = Limits {
            train: Some(3),
            ..Limits::default()
        };
        for limits in [Limits::default(), limits] {
            assert_eq!(
                found(vec![0; 18], limits),
                ["Set: all training images are the same"]
            );
            // The end of a file that was filled up.
            let mut cut = ordinary.clone();
            cut[6..].fill(0);
            assert_eq!(
                found(cut, limits),
                ["Set: 2 of 3 training images have a single color, the first is image 1"]
            );
        }
        let again = [&ordinary[..6]; 3].concat();
        assert_eq!(
            found(again, Limits::default()),
            ["Set: all training images are the same"]
        );
    }
}
