//! What was chosen for a batch.

use burn::tensor::{Device, Distribution, Tensor};
use kd_losses::Gate;

/// Which samples of a batch are distilled at which spot.
#[derive(Clone, Debug)]
pub struct Choices {
    /// `[batch, spots]`, 1 where a sample is distilled: constants.
    distilled: Tensor<2>,
    /// `[batch, spots]`, the teacher's share in the grafted network, with the policy's gradient.
    shares: Option<Tensor<2>>,
}

impl Choices {
    /// Any choice: 1 where a sample is distilled, else 0.
    ///
    /// # Shapes
    ///
    /// - distilled: `[batch, spots]`
    pub fn new(distilled: Tensor<2>) -> Self {
        Self {
            distilled: distilled.inner(),
            shares: None,
        }
    }

    /// A choice for each spot, the same for all samples.
    pub fn fixed(spots: &[bool], batch: usize, device: &Device) -> Self {
        let row: Vec<f32> = spots.iter().map(|on| f32::from(*on)).collect();
        let device = device.clone().without_autodiff();
        let row = Tensor::<1>::from_floats(&*row, &device).unsqueeze_dim::<2>(0);
        Self::new(row.repeat_dim(0, batch))
    }

    /// Each sample at each spot with the same probability, drawn on the device.
    pub fn random(probability: f64, [batch, spots]: [usize; 2], device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        let uniform = Tensor::<2>::random([batch, spots], Distribution::Uniform(0.0, 1.0), &device);
        Self::new(uniform.lower_elem(probability).float())
    }

    /// The policy's choice, from the teacher's shares.
    pub(crate) fn of_shares(shares: Tensor<2>, anti: bool) -> Self {
        let plain = shares.clone().inner();
        let distilled = match anti {
            false => plain.greater_elem(0.5),
            true => plain.lower_elem(0.5),
        };
        Self {
            distilled: distilled.float(),
            shares: Some(shares),
        }
    }

    /// The teacher's shares.
    ///
    /// # Panics
    ///
    /// If no policy chose.
    #[track_caller]
    pub(crate) fn shares(&self) -> &Tensor<2> {
        match &self.shares {
            Some(shares) => shares,
            None => panic!("the choices are no policy's: they have no shares"),
        }
    }

    /// `[batch, spots]`, 1 where a sample is distilled.
    pub fn distilled(&self) -> &Tensor<2> {
        &self.distilled
    }

    /// Number of spots.
    pub fn spots(&self) -> usize {
        self.distilled.dims()[1]
    }

    /// The gate of a spot.
    ///
    /// # Panics
    ///
    /// If there is no such spot.
    pub fn gate(&self, spot: usize) -> Gate {
        let chosen = self.distilled.clone().narrow(1, spot, 1);
        Gate::new(chosen.squeeze_dim(1))
    }

    /// The gate of the last spot: that of the logits.
    pub fn last(&self) -> Gate {
        self.gate(self.spots() - 1)
    }

    /// Gates for a method with so many spots ([`MethodLoss::spots`](kd_losses::MethodLoss::spots)):
    /// those of the cuts in order, the last spot being that of the logits.
    ///
    /// With fewer spots than cuts, the last cuts are taken; with more, the first cut serves the
    /// method's first spots. Where stages and cuts do not correspond one by one,
    /// [`Cuts::spot_of`](crate::Cuts::spot_of) finds the spot of a stage.
    pub fn gates(&self, spots: usize) -> Vec<Gate> {
        let cuts = (self.spots() - 1).max(1);
        (0..spots)
            .map(|spot| self.gate((spot + cuts).saturating_sub(spots)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(gate: &Gate) -> Vec<f32> {
        let entries = gate.entries().expect("a choice").clone();
        entries.into_data().try_into_vec().expect("f32")
    }

    #[test]
    fn gates_are_those_of_the_cuts() {
        let device = Device::default();
        // Four spots: three cuts and the logits; each sample is its own pattern.
        let rows = [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]];
        let choices = Choices::new(Tensor::from_floats(rows, &device));
        let found = |spots| -> Vec<Vec<f32>> { choices.gates(spots).iter().map(entries).collect() };
        let (first, second, third) = (vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, 0.0]);
        assert_eq!(found(3), [first.clone(), second.clone(), third.clone()]);
        assert_eq!(found(2), [second.clone(), third.clone()]);
        assert_eq!(found(4), [first.clone(), first, second, third]);
        assert_eq!(entries(&choices.last()), [1.0, 1.0]);
    }

    #[test]
    fn probabilities_are_kept() {
        let device = Device::default();
        let mean = |probability| -> f32 {
            let choices = Choices::random(probability, [4000, 2], &device);
            choices.distilled.mean().into_scalar()
        };
        assert_eq!(mean(0.0), 0.0);
        assert_eq!(mean(1.0), 1.0);
        assert!((mean(0.3) - 0.3).abs() < 0.03);
    }

    #[test]
    fn fixed_choices_are_the_same_for_all_samples() {
        let choices = Choices::fixed(&[true, false], 3, &Device::default());
        assert_eq!(entries(&choices.gate(0)), [1.0; 3]);
        assert_eq!(entries(&choices.gate(1)), [0.0; 3]);
    }
}
