//! The learning rate of each epoch.

/// Multi-step schedule: `lr · gamma^k`, where `k` is the number of milestones that the epoch has
/// reached. Epochs count from 0, so that a milestone of 150 takes effect after 150 epochs.
pub fn learning_rate(lr: f64, gamma: f64, milestones: &[usize], epoch: usize) -> f64 {
    let reached = milestones
        .iter()
        .filter(|milestone| epoch >= **milestone)
        .count();
    lr * gamma.powi(reached as i32)
}

/// The milestones of the field's protocol (150, 180 and 210 of 240 epochs) for any number of
/// epochs.
pub(crate) fn default_milestones(epochs: usize) -> Vec<usize> {
    let mut milestones: Vec<usize> = [150, 180, 210]
        .map(|milestone| milestone * epochs / 240)
        .into_iter()
        .filter(|milestone| *milestone > 0)
        .collect();
    milestones.dedup();
    milestones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_at_each_milestone() {
        let rate = |epoch| learning_rate(0.05, 0.1, &[150, 180], epoch);
        assert_eq!(rate(149), 0.05);
        assert!((rate(150) - 0.005).abs() < 1e-12);
        assert!((rate(239) - 0.0005).abs() < 1e-12);
    }

    #[test]
    fn default_milestones_scale_with_the_epochs() {
        assert_eq!(default_milestones(240), [150, 180, 210]);
        assert_eq!(default_milestones(8), [5, 6, 7]);
        assert_eq!(default_milestones(1), [0usize; 0]);
    }
}
