//! Whether a network is right as often as it says.

use super::Predictions;
use super::predictions::log_softmax;

/// The predictions whose confidence is in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Number of images.
    pub images: usize,
    /// Their mean confidence: the probability of the class that is chosen. 0 without images.
    pub confidence: f64,
    /// The share of them on which the network is right. 0 without images.
    pub accuracy: f64,
}

/// How confidence and accuracy of a network go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Ranges of confidence of equal width, from 0 to 1.
    pub bins: Vec<Bin>,
    /// The expected calibration error, in [0, 1].
    pub error: f64,
    /// The mean confidence, in [0, 1].
    pub confidence: f64,
}

/// The expected calibration error with so many bins of equal width, at least one:
///
/// ```text
/// ECE = Σ_b n_b / N · |accuracy_b − confidence_b|
/// ```
///
/// Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3; there are 15 bins
/// usually. A bin holds the confidences in `(b / bins, (b + 1) / bins]`, as there.
pub fn calibration(predictions: &Predictions, bins: usize) -> Calibration {
    let mut sums = vec![Bin::default(); bins.max(1)];
    let total = predictions.len() as f64;
    let mut confidences = 0.0;
    for (image, row) in predictions.rows().enumerate() {
        let confidence = log_softmax(row)[predictions.choices()[image]].exp();
        let place = (confidence * sums.len() as f64).ceil() as usize;
        let place = place.saturating_sub(1).min(sums.len() - 1);
        let bin = &mut sums[place];
        bin.images += 1;
        bin.confidence += confidence;
        bin.accuracy += f64::from(u8::from(predictions.is_right(image)));
        confidences += confidence;
    }
    for bin in sums.iter_mut().filter(|bin| bin.images > 0) {
        bin.confidence /= bin.images as f64;
        bin.accuracy /= bin.images as f64;
    }
    let gap = |bin: &Bin| bin.images as f64 / total * (bin.accuracy - bin.confidence).abs();
    Calibration {
        error: sums.iter().map(gap).sum(),
        confidence: confidences / total,
        bins: sums,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two logits with a probability of the first class.
    fn logits(probability: f64) -> [f32; 2] {
        [(probability / (1.0 - probability)).ln() as f32, 0.0]
    }

    #[test]
    fn the_error_is_the_mean_gap_weighted_by_images() {
        // Two at 0.9, of which one is right; two at 0.6, of which both are.
        let rows = [0.9, 0.9, 0.6, 0.6].map(logits).concat();
        let predictions = Predictions::new(rows, vec![0, 1, 0, 0], 2).expect("predictions");
        let found = calibration(&predictions, 15);
        // 0.5 · |0.5 − 0.9| + 0.5 · |1 − 0.6|
        assert!((found.error - 0.4).abs() < 1e-6, "{}", found.error);
        assert!((found.confidence - 0.75).abs() < 1e-6);
        let filled: Vec<usize> = (0..15).filter(|b| found.bins[*b].images > 0).collect();
        // (8/15, 9/15] and (13/15, 14/15]; 0.6 itself is on the border, which f32 decides.
        assert_eq!(filled.len(), 2);
        assert!(
            (8..=9).contains(&filled[0]) && filled[1] == 13,
            "{filled:?}"
        );
        assert!((found.bins[13].accuracy - 0.5).abs() < 1e-12);
        // One bin knows the means alone.
        let one = calibration(&predictions, 1);
        assert!(one.error < 1e-6);
    }

    #[test]
    fn a_network_that_is_sure_and_right_has_no_error() {
        let rows = vec![200.0, 0.0, 0.0, 200.0];
        let predictions = Predictions::new(rows, vec![0, 1], 2).expect("predictions");
        let found = calibration(&predictions, 15);
        assert_eq!((found.error, found.bins[14].images), (0.0, 2));
    }
}
