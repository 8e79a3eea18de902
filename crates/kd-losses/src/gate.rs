//! Which samples of a batch are distilled.

use burn::tensor::{Int, Tensor};

/// Which samples of a batch are distilled: all, or those whose entry of a `[batch]` tensor is 1.
///
/// A gate is the static form of "gather the chosen samples, then compute": every loss here gives
/// the value and the gradients that it would have on the chosen samples alone, whatever the others
/// hold (as long as what is computed from them is finite), without a read-back from the device and
/// without shapes that depend on the choice. If no sample is chosen, value and gradients are 0.
///
/// # Form
///
/// Every loss that compares with a teacher has `forward`, for all samples, and `forward_gated`,
/// which takes the gate last. A loss of one spot takes `&Gate`. A loss of several maps, each a spot,
/// takes `&[Gate]`: none for all samples, one for all spots, or one for each. Losses of one pair of
/// maps that add up over stages have `forward_stages` and `forward_stages_gated` besides.
///
/// The entries are constants: no gradient flows into a gate. A loss is *not* multiplied by the
/// share of chosen samples; a caller who wants that has [`Gate::times_share`], or
/// [`Step::scaled_by_share`](crate::Step::scaled_by_share) for the method of a recipe.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    chosen: Option<Tensor<1>>,
    /// Whether [`Gate::scaled`] multiplies.
    by_share: bool,
    /// Whether [`Gate::teacher`] leaves the teacher in its graph.
    trains_teacher: bool,
}

impl Gate {
    /// All samples.
    pub fn all() -> Self {
        Self::default()
    }

    /// The samples whose entry is 1; all other entries are 0.
    ///
    /// # Shapes
    ///
    /// - chosen: `[batch]`
    pub fn new(chosen: Tensor<1>) -> Self {
        Self {
            chosen: Some(chosen.inner()),
            ..Self::default()
        }
    }

    /// Share of the chosen samples, of shape `[1]`; `None` if all are chosen.
    pub fn share(&self) -> Option<Tensor<1>> {
        self.chosen.clone().map(Tensor::mean)
    }

    /// The gate whose spot's loss is multiplied by its share: see
    /// [`Step::scaled_by_share`](crate::Step::scaled_by_share).
    pub(crate) fn by_share(self, by_share: bool) -> Self {
        Self { by_share, ..self }
    }

    /// The gate whose loss trains the teacher too: see
    /// [`Step::training_teacher`](crate::Step::training_teacher).
    pub(crate) fn training_teacher(self, trains_teacher: bool) -> Self {
        Self {
            trains_teacher,
            ..self
        }
    }

    /// The teacher's side of this gate's spot: a constant, unless the step trains the teacher too.
    pub(crate) fn teacher<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self.trains_teacher {
            true => tensor,
            false => tensor.inner(),
        }
    }

    /// A loss `[1]` of this gate's spot, multiplied by the share of the chosen samples if the step
    /// asks for it.
    pub(crate) fn scaled(&self, loss: Tensor<1>) -> Tensor<1> {
        match self.by_share {
            true => self.times_share(loss),
            false => loss,
        }
    }

    /// A loss `[1]` of the chosen samples, multiplied by their share: it weighs as much as it has
    /// samples.
    pub fn times_share(&self, loss: Tensor<1>) -> Tensor<1> {
        match self.share() {
            Some(share) => {
                let share = share.cast(loss.dtype());
                loss * share
            }
            None => loss,
        }
    }

    /// The entries, `[batch]`; `None` if all samples are chosen.
    pub fn entries(&self) -> Option<&Tensor<1>> {
        self.chosen.as_ref()
    }

    /// Number of chosen samples, `[1]`, at least 1; `None` if all are chosen.
    pub fn count(&self) -> Option<Tensor<1>> {
        self.chosen
            .clone()
            .map(|chosen| chosen.sum().clamp_min(1.0))
    }

    /// Mean over the chosen samples of one value a sample, `[batch]` to `[1]`.
    pub fn mean(&self, values: Tensor<1>) -> Tensor<1> {
        assert_not_empty(values.dims()[0]);
        match &self.chosen {
            None => values.mean(),
            Some(chosen) => {
                check(chosen, values.dims()[0]);
                let chosen = chosen.clone().cast(values.dtype());
                (values * chosen.clone()).sum() / chosen.sum().clamp_min(1.0)
            }
        }
    }

    /// Sum over the chosen samples of one value a sample, `[batch]` to `[1]`.
    pub fn sum(&self, values: Tensor<1>) -> Tensor<1> {
        match &self.chosen {
            None => values.sum(),
            Some(chosen) => {
                check(chosen, values.dims()[0]);
                let chosen = chosen.clone().cast(values.dtype());
                (values * chosen).sum()
            }
        }
    }

    /// The tensor with the samples that are not chosen set to 0; the first axis is the batch.
    pub fn keep<const D: usize>(&self, rows: Tensor<D>) -> Tensor<D> {
        match &self.chosen {
            None => rows,
            Some(chosen) => {
                let mut shape = [1; D];
                shape[0] = rows.dims()[0];
                check(chosen, shape[0]);
                let chosen = chosen.clone().cast(rows.dtype());
                rows * chosen.reshape(shape)
            }
        }
    }

    /// 1 for the pairs `[batch, batch]` of which both are chosen, else 0; `None` if all are.
    pub fn pairs(&self) -> Option<Tensor<2>> {
        self.chosen.clone().map(|chosen| {
            let column: Tensor<2> = chosen.clone().unsqueeze_dim(1);
            column * chosen.unsqueeze_dim(0)
        })
    }

    /// Mean over the pairs of chosen samples of one value a pair, `[batch, batch]` to `[1]`.
    pub fn pair_mean(&self, values: Tensor<2>) -> Tensor<1> {
        assert_not_empty(values.dims()[0]);
        match &self.chosen {
            None => values.mean(),
            Some(chosen) => {
                check(chosen, values.dims()[0]);
                let chosen = chosen.clone().cast(values.dtype());
                let count = chosen.clone().sum().clamp_min(1.0);
                let column: Tensor<2> = chosen.clone().unsqueeze_dim(1);
                let pairs = column * chosen.unsqueeze_dim(0);
                (values * pairs).sum() / count.square()
            }
        }
    }

    /// The chosen rows of `[batch, length]` at the top, in their order, and rows of 0 below.
    ///
    /// It is a product with a matrix of 0 and 1, so it is differentiable and needs no sorting.
    pub(crate) fn compact(&self, rows: Tensor<2>) -> Tensor<2> {
        match &self.chosen {
            None => rows,
            Some(chosen) => {
                let batch = rows.dims()[0];
                check(chosen, batch);
                // Row i goes to place (number of chosen rows up to i) − 1.
                let place: Tensor<2> = (chosen.clone().cumsum(0) - 1.0).unsqueeze_dim(0);
                let places = Tensor::<1, Int>::arange(0..batch as i64, &chosen.device()).float();
                let moves = places
                    .unsqueeze_dim::<2>(1)
                    .equal(place)
                    .float()
                    .mul(chosen.clone().unsqueeze_dim(0));
                moves.cast(rows.dtype()).matmul(rows)
            }
        }
    }
}

impl From<Tensor<1>> for Gate {
    fn from(chosen: Tensor<1>) -> Self {
        Self::new(chosen)
    }
}

/// The gate of a spot: the one of all spots, its own, or all samples if there are no gates.
///
/// # Panics
///
/// If there are several gates and none for this spot.
#[track_caller]
pub(crate) fn gate_at(gates: &[Gate], spot: usize) -> Gate {
    match gates {
        [] => Gate::all(),
        [gate] => gate.clone(),
        gates => {
            let count = gates.len();
            assert!(
                spot < count,
                "there are {count} gates, but none for spot {spot}"
            );
            gates[spot].clone()
        }
    }
}

/// Ones, but zeros on the diagonal: the pairs of different samples, `[batch, batch]`.
pub(crate) fn different(like: &Tensor<2>) -> Tensor<2> {
    let eye = Tensor::<2>::eye(like.dims()[0], &like.device());
    eye.cast(like.dtype()).neg() + 1.0
}

/// A mean over no samples is not a number: it is refused where it would arise.
pub(crate) fn assert_not_empty(batch: usize) {
    assert!(batch > 0, "the batch is empty: [0, ...]");
}

fn check(chosen: &Tensor<1>, batch: usize) {
    assert_eq!(
        chosen.dims(),
        [batch],
        "a gate of shape {:?} does not fit a batch of {batch}",
        chosen.dims()
    );
}

/// Mean of each sample's values, `[batch, ...]` to `[batch]`.
pub(crate) fn sample_means<const D: usize>(values: Tensor<D>) -> Tensor<1> {
    let batch = values.dims()[0];
    let length = values.shape().num_elements() / batch.max(1);
    values.reshape([batch, length]).mean_dim(1).squeeze_dim(1)
}

/// Sum of each sample's values, `[batch, ...]` to `[batch]`.
pub(crate) fn sample_sums<const D: usize>(values: Tensor<D>) -> Tensor<1> {
    let batch = values.dims()[0];
    let length = values.shape().num_elements() / batch.max(1);
    values.reshape([batch, length]).sum_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn gate(entries: [f32; 4]) -> Gate {
        Gate::new(Tensor::from_floats(entries, &Device::default()))
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn means_are_over_the_chosen_samples() {
        let device = Device::default();
        let x = Tensor::from_floats([1.0, 2.0, 4.0, 8.0], &device);
        assert_eq!(values(Gate::all().mean(x.clone())), [3.75]);
        assert_eq!(values(gate([0.0, 1.0, 1.0, 0.0]).mean(x.clone())), [3.0]);
        assert_eq!(values(gate([0.0; 4]).mean(x)), [0.0]);
    }

    #[test]
    fn chosen_rows_move_to_the_top_in_their_order() {
        let device = Device::default();
        let rows = Tensor::from_floats([[1.0], [2.0], [3.0], [4.0]], &device);
        let compact = |entries| values(gate(entries).compact(rows.clone()));
        assert_eq!(compact([0.0, 1.0, 0.0, 1.0]), [2.0, 4.0, 0.0, 0.0]);
        assert_eq!(compact([1.0; 4]), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(compact([0.0; 4]), [0.0; 4]);
    }

    #[test]
    fn a_spot_finds_its_gate() {
        let entries = |gate: Gate| gate.entries().cloned().map(values);
        let (one, other) = (gate([1.0; 4]), gate([0.0; 4]));
        assert_eq!(entries(gate_at(&[], 3)), None);
        assert_eq!(
            entries(gate_at(std::slice::from_ref(&other), 3)),
            Some(vec![0.0; 4])
        );
        assert_eq!(entries(gate_at(&[one, other], 1)), Some(vec![0.0; 4]));
    }

    #[test]
    #[should_panic(expected = "there are 2 gates, but none for spot 2")]
    fn a_missing_gate_is_refused() {
        gate_at(&[gate([1.0; 4]), gate([1.0; 4])], 2);
    }

    #[test]
    #[should_panic(expected = "the batch is empty: [0, ...]")]
    fn an_empty_batch_is_refused() {
        Gate::all().mean(Tensor::zeros([0], &Device::default()));
    }

    #[test]
    #[should_panic(expected = "a gate of shape [4] does not fit a batch of 3")]
    fn a_gate_of_another_batch_is_refused() {
        gate([1.0; 4]).mean(Tensor::zeros([3], &Device::default()));
    }
}
