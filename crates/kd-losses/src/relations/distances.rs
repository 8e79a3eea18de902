//! Distances between the numbers of a vector, compared between two networks.

use burn::nn::loss::SmoothL1LossConfig;
use burn::tensor::{Int, Tensor};

use crate::Gate;
use crate::gate::{sample_means, sample_sums};

/// The smallest distance between two different entries: the root of the 1e-12 at which the
/// reference clamps squares.
const SMALLEST: f64 = 1e-6;

/// Where the mean distance is clamped. It lies below any mean of distances that there are, so it
/// acts only where there are none: no sample chosen, or vectors of one entry.
const SMALLEST_MEAN: f64 = 1e-7;

/// How far the distances within the student's vectors are from those within the teacher's.
///
/// Both are `[batch, vectors, entries]`. The distances `|a − b|` between the entries of a vector
/// are divided by their mean over all vectors of the chosen samples, and compared by the smooth L1
/// loss, averaged over all `entries²` pairs, vectors and chosen samples. With one entry it is 0.
pub(super) fn mismatch(student: Tensor<3>, teacher: Tensor<3>, gate: &Gate) -> Tensor<1> {
    let (student, teacher) = (relative(student, gate), relative(teacher.inner(), gate));
    let smooth_l1 = SmoothL1LossConfig::new().init();
    gate.mean(sample_means(smooth_l1.forward(student, teacher)))
}

/// Distances between all entries of each vector, `[batch, vectors, entries, entries]`, divided by
/// their mean.
fn relative(values: Tensor<3>, gate: &Gate) -> Tensor<4> {
    let [batch, vectors, entries] = values.dims();
    let places = Tensor::<1, Int>::arange(0..entries as i64, &values.device().inner());
    let pair = places
        .clone()
        .unsqueeze_dim::<2>(1)
        .not_equal(places.unsqueeze_dim(0))
        .float();
    let rows: Tensor<4> = values.clone().unsqueeze_dim(3);
    let columns: Tensor<4> = values.unsqueeze_dim(2);
    let distances =
        (rows - columns).abs().clamp_min(SMALLEST) * pair.reshape([1, 1, entries, entries]);

    let pairs = (vectors * entries * entries.saturating_sub(1)).max(1) as f64;
    let sum = gate.sum(sample_sums(distances.clone()));
    let mean = match gate.count() {
        Some(count) => sum / (count * pairs),
        None => sum / (batch as f64 * pairs),
    };
    distances / mean.clamp_min(SMALLEST_MEAN).reshape([1, 1, 1, 1])
}
