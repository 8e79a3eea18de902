//! Counting what is distilled.

use burn::tensor::{Device, Int, Tensor};

use crate::{Gates, SpotError};

/// Counts of samples by class, and of those that were distilled at each spot. They stay on the device
/// until they are read.
#[derive(Clone, Debug)]
pub struct GateCounts {
    /// `[classes, 1 + spots]`: samples, then distilled ones.
    counts: Tensor<2>,
}

/// Shares of samples that were distilled.
#[derive(Clone, Debug, PartialEq)]
pub struct GateShares {
    /// By spot, over all samples.
    pub spots: Vec<f64>,
    /// By class and spot; `None` for a class without samples.
    pub classes: Vec<Option<Vec<f64>>>,
}

impl GateCounts {
    /// Nothing counted yet.
    pub fn new(classes: usize, spots: usize, device: &Device) -> Self {
        let device = device.clone().without_autodiff();
        Self {
            counts: Tensor::zeros([classes, 1 + spots], &device),
        }
    }

    /// Of a [tensor](Self::tensor) of counts.
    pub fn of(counts: Tensor<2>) -> Self {
        Self { counts }
    }

    /// The counts `[classes, 1 + spots]`: samples, then distilled ones.
    pub fn tensor(&self) -> &Tensor<2> {
        &self.counts
    }

    /// Counts a batch with labels `[batch]`.
    pub fn add(&mut self, gates: &Gates, labels: Tensor<1, Int>) {
        let [classes, _] = self.counts.dims();
        let distilled = gates.distilled().clone();
        let [batch, _] = distilled.dims();
        let ones = Tensor::ones([batch, 1], &distilled.device());
        let rows = Tensor::cat(vec![ones, distilled.clone()], 1);
        // Burn's own one-hot reads the labels back.
        let all = Tensor::<1, Int>::arange(0..classes as i64, &distilled.device());
        let members = all
            .unsqueeze_dim::<2>(0)
            .expand([batch, classes])
            .equal(
                labels
                    .inner()
                    .unsqueeze_dim::<2>(1)
                    .expand([batch, classes]),
            )
            .float();
        self.counts = self.counts.clone() + members.transpose().matmul(rows);
    }

    /// Reads the shares from the device.
    ///
    /// # Errors
    ///
    /// [`SpotError::Device`] if the device does not give them.
    pub fn read(&self) -> Result<GateShares, SpotError> {
        let [classes, columns] = self.counts.dims();
        let counts: Vec<f32> = self
            .counts
            .clone()
            .into_data()
            .convert::<f32>()
            .try_into_vec()
            .map_err(|error| SpotError::Device(format!("{error:?}")))?;
        let row = |class: usize| &counts[class * columns..(class + 1) * columns];
        let shares = |total: &[f64]| -> Option<Vec<f64>> {
            let samples = total[0];
            (samples > 0.0).then(|| total[1..].iter().map(|count| count / samples).collect())
        };
        let mut sum = vec![0.0; columns];
        let mut by_class = Vec::with_capacity(classes);
        for class in 0..classes {
            let row: Vec<f64> = row(class).iter().map(|count| f64::from(*count)).collect();
            for (sum, count) in sum.iter_mut().zip(&row) {
                *sum += count;
            }
            by_class.push(shares(&row));
        }
        Ok(GateShares {
            spots: shares(&sum).unwrap_or_else(|| vec![0.0; columns - 1]),
            classes: by_class,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_spot_and_class() {
        let device = Device::default();
        let mut counts = GateCounts::new(3, 2, &device);
        let add = |counts: &mut GateCounts, rows: [[f32; 2]; 2], labels: [i32; 2]| {
            let gates = Gates::new(Tensor::from_floats(rows, &device));
            counts.add(&gates, Tensor::from_ints(labels, &device));
        };
        add(&mut counts, [[1.0, 0.0], [1.0, 1.0]], [0, 2]);
        add(&mut counts, [[0.0, 0.0], [0.0, 1.0]], [0, 2]);
        let shares = counts.read().expect("shares");
        assert_eq!(shares.spots, [0.5, 0.5]);
        let classes = [Some(vec![0.5, 0.0]), None, Some(vec![0.5, 1.0])];
        assert_eq!(shares.classes, classes);
    }
}
