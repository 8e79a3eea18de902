//! Accuracy on a set of images.

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_core::Network;
use kd_data::Loader;
use kd_losses::cross_entropy;
use kd_models::weights::tensors;

use super::{LossMeter, Losses};
use crate::non_finite::Moment;
use crate::{TestMetrics, TrainError};

/// How many classes stand before the label in the order of the logits: 0 means that the label
/// is the first choice.
///
/// Equal logits count in the order of the classes, as in a stable sort.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - labels: `[batch]`
/// - output: `[batch]`
pub fn rank_of_labels(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1, Int> {
    let logits = if logits.is_autodiff() {
        logits.inner()
    } else {
        logits
    };
    let [batch, classes] = logits.dims();
    let device = logits.device();
    let labels = labels.reshape([batch, 1]);
    let own = logits.clone().gather(1, labels.clone());
    let before = Tensor::<1, Int>::arange(0..classes as i64, &device)
        .reshape([1, classes])
        .expand([batch, classes])
        .lower(labels.expand([batch, classes]));
    let own = own.expand([batch, classes]);
    let ahead = logits
        .clone()
        .greater(own.clone())
        .bool_or(logits.equal(own).bool_and(before));
    ahead.int().sum_dim(1).squeeze_dim::<1>(1)
}

/// Cross-entropy and accuracy of a network on all images of a loader.
///
/// The network must be in evaluation form (`valid()`), on the plain `device`.
///
/// # Errors
///
/// [`TrainError::NonFinite`] if the loss is not a number, [`TrainError::Data`] if an image cannot be
/// decoded.
pub fn evaluate<N: Network>(
    network: &N,
    loader: &Loader,
    device: &Device,
) -> Result<TestMetrics, TrainError> {
    let logits = |images| network.forward(images);
    evaluate_by(logits, loader, device)
        .map_err(|error| error.non_finite(|found| found.tensor = first_not_finite(network)))
}

/// The same of anything that gives logits `[batch, classes]` for images.
pub(crate) fn evaluate_by(
    logits: impl Fn(Tensor<4>) -> Tensor<2>,
    loader: &Loader,
    device: &Device,
) -> Result<TestMetrics, TrainError> {
    let mut meter = LossMeter::new(Moment::Measured);
    let mut batches = loader.epoch(0, device);
    for batch in batches.by_ref() {
        let logits = logits(batch.images);
        let losses = Losses::single("ce", cross_entropy(logits.clone(), batch.labels.clone()));
        meter.add(&losses, (logits, None), batch.labels)?;
    }
    batches.finish()?;
    let means = meter.finish()?.rounded();
    Ok(TestMetrics {
        loss: means.loss,
        top1: means.top1,
        top5: means.top5,
    })
}

/// The first tensor of a network, statistics included, that contains a number that is not finite.
pub(crate) fn first_not_finite<N: Network>(network: &N) -> Option<String> {
    let tensors = tensors(&network.valid(), str::to_owned).ok()?;
    let finite = |data: &TensorData| data.iter::<f32>().all(f32::is_finite);
    let mut broken = tensors.into_iter().filter(|(_, data)| !finite(data));
    broken.next().map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_larger_logits_and_earlier_equals() {
        let device = Device::default();
        let logits =
            Tensor::from_floats([[0.0, 3.0, 1.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]], &device);
        let labels = Tensor::from_ints([2, 0, 2], &device);
        let ranks = rank_of_labels(logits, labels).into_data().convert::<i32>();
        assert_eq!(ranks.try_to_vec::<i32>().expect("integers"), [1, 0, 2]);
    }
}
