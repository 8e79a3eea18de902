//! What a network says of labeled images.

use std::sync::Arc;

use crate::ReportError;

/// The logits of one network on labeled images.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    labels: Arc<[usize]>,
    classes: usize,
    /// Row by row, an image a row.
    logits: Vec<f32>,
    /// The class of the greatest logit of each image.
    choices: Vec<usize>,
}

impl Predictions {
    /// The logits `[images, classes]`, row by row, and the label of each image.
    ///
    /// # Errors
    ///
    /// [`ReportError::Predictions`] if there are no images, if there are not as many logits as images
    /// and classes make, if a label is not below `classes`, or if a logit is not finite.
    pub fn new(
        logits: Vec<f32>,
        labels: impl Into<Arc<[usize]>>,
        classes: usize,
    ) -> Result<Self, ReportError> {
        let labels = labels.into();
        let refused = |reason: String| Err(ReportError::Predictions(reason));
        if labels.is_empty() || classes == 0 {
            return refused("there are no images".to_owned());
        }
        let expected = labels.len().checked_mul(classes);
        if expected != Some(logits.len()) {
            let (found, images) = (logits.len(), labels.len());
            return refused(format!(
                "{found} logits are not {classes} for each of {images} images"
            ));
        }
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return refused(format!(
                "the label {label} is not below {classes}, the number of classes"
            ));
        }
        if let Some(place) = logits.iter().position(|logit| !logit.is_finite()) {
            let (logit, image) = (logits[place], place / classes);
            return refused(format!("a logit of image {image} is {logit}"));
        }
        let choices = logits.chunks_exact(classes).map(greatest).collect();
        Ok(Self {
            labels,
            classes,
            logits,
            choices,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images, which never happens.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The class of the greatest logit of each image, the first of equal ones.
    pub fn choices(&self) -> &[usize] {
        &self.choices
    }

    /// Whether the network is right on an image.
    pub fn is_right(&self, image: usize) -> bool {
        self.choices[image] == self.labels[image]
    }

    /// The logits of the images, a slice of one for each class an image.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.logits.chunks_exact(self.classes)
    }

    /// The logits of an image.
    pub fn row(&self, image: usize) -> &[f32] {
        &self.logits[image * self.classes..][..self.classes]
    }

    /// Share of the images on which the network is right, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.len()).filter(|image| self.is_right(*image));
        right.count() as f64 / self.len() as f64
    }

    /// The mean cross-entropy with the labels, in nats.
    pub fn cross_entropy(&self) -> f64 {
        let losses = self.rows().zip(self.labels.iter());
        let losses = losses.map(|(row, label)| -log_softmax(row)[*label]);
        losses.sum::<f64>() / self.len() as f64
    }

    /// An error unless both are of the same images and classes.
    pub(super) fn check_beside(&self, other: &Self) -> Result<(), ReportError> {
        match self.classes == other.classes && self.labels == other.labels {
            true => Ok(()),
            false => Err(ReportError::Predictions(
                "two networks were asked about different images".to_owned(),
            )),
        }
    }
}

/// The logarithms of the probabilities of a row of logits.
pub(super) fn log_softmax(row: &[f32]) -> Vec<f64> {
    let row: Vec<f64> = row.iter().map(|logit| f64::from(*logit)).collect();
    let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|logit| (logit - greatest).exp()).sum();
    let normalizer = greatest + sum.ln();
    row.into_iter().map(|logit| logit - normalizer).collect()
}

/// The index of the greatest number, the first of equal ones.
fn greatest(row: &[f32]) -> usize {
    let numbers = row.iter().enumerate();
    let best = numbers.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_cross_entropy_are_those_of_the_definition() {
        // Softmax of (0, ln 3) is (1/4, 3/4).
        let logits = vec![0.0, 3f32.ln(), 0.0, 0.0, 7.0, 7.0];
        let found = Predictions::new(logits, vec![1, 0, 1], 2).expect("predictions");
        // Of equal logits, the first is chosen.
        assert_eq!(found.choices(), [1, 0, 0]);
        assert!((found.accuracy() - 2.0 / 3.0).abs() < 1e-12);
        let expected = (-(0.75f64.ln()) - 2.0 * 0.5f64.ln()) / 3.0;
        assert!((found.cross_entropy() - expected).abs() < 1e-7);
    }

    #[test]
    fn large_logits_have_finite_probabilities() {
        let rows = log_softmax(&[1000.0, -1000.0]);
        assert_eq!(rows, [0.0, -2000.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |logits: Vec<f32>, labels: Vec<usize>, classes| {
            let error = Predictions::new(logits, labels, classes).expect_err("a mistake");
            error.to_string()
        };
        for (message, says) in [
            (refused(vec![], vec![], 2), "no images"),
            (refused(vec![0.0; 3], vec![0], 2), "3 logits are not 2"),
            (refused(vec![0.0; 2], vec![2], 2), "label 2 is not below 2"),
            (refused(vec![0.0, f32::NAN], vec![1], 2), "image 0 is NaN"),
        ] {
            assert!(message.contains(says), "{message}");
        }
    }
}
