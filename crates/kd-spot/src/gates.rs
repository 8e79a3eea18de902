//! What was chosen for a batch.

use burn::tensor::Tensor;
use kd_losses::Gate;

use crate::Cuts;

/// Which samples of a batch are distilled at which spot.
#[derive(Clone, Debug)]
pub struct Gates {
    /// `[batch, spots]`, 1 where a sample is distilled: constants.
    distilled: Tensor<2>,
    /// `[batch, spots]`, the teacher's share in the grafted network, with the policy's gradient.
    shares: Option<Tensor<2>>,
}

impl Gates {
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

    /// Each sample at each spot with the same probability.
    ///
    /// # Shapes
    ///
    /// - uniform: `[batch, spots]`, random numbers in `[0, 1)`
    pub fn random(probability: f64, uniform: Tensor<2>) -> Self {
        Self::new(uniform.lower_elem(probability).float())
    }

    /// The same with one more spot, at which is chosen as at the last.
    pub(crate) fn with_last_repeated(self) -> Self {
        let last = self.distilled.clone().narrow(1, self.spots() - 1, 1);
        Self::new(Tensor::cat(vec![self.distilled, last], 1))
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
            None => panic!("the gates are no policy's: they have no shares"),
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

    /// The gates of a loss whose spots are at these stages of the student: see [`Cuts::spot_of`].
    pub fn at(&self, cuts: &Cuts, stages: &[Option<usize>]) -> Vec<Gate> {
        let spots = stages.iter().map(|stage| cuts.spot_of(*stage));
        spots.map(|spot| self.gate(spot)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use kd_nn::Draws;

    fn entries(gate: &Gate) -> Vec<f32> {
        let entries = gate.entries().expect("a choice").clone();
        entries.into_data().try_into_vec().expect("f32")
    }

    #[test]
    fn gates_are_those_of_the_cuts() {
        let device = Device::default();
        // Three spots: two cuts and the logits; each sample is its own pattern.
        let rows = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]];
        let gates = Gates::new(Tensor::from_floats(rows, &device));
        let cuts = Cuts::new(vec![1, 3], vec![1, 3]).expect("cuts");
        let stages = [Some(1), Some(2), Some(3), None];
        let found: Vec<_> = gates.at(&cuts, &stages).iter().map(entries).collect();
        let (first, second, last) = (vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 1.0]);
        assert_eq!(found, [first, second.clone(), second, last.clone()]);
        assert_eq!(entries(&gates.last()), last);
    }

    #[test]
    fn probabilities_are_kept() {
        let device = Device::default();
        let mean = |probability| -> f32 {
            let uniform = Draws::new(0, &device).uniform(0, [4000, 2]);
            let gates = Gates::random(probability, uniform);
            gates.distilled.mean().into_scalar()
        };
        assert_eq!(mean(0.0), 0.0);
        assert_eq!(mean(1.0), 1.0);
        assert!((mean(0.3) - 0.3).abs() < 0.03);
    }
}
