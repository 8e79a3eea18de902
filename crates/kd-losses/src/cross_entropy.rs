//! Cross-entropy with hard labels.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Mean over the batch of `−log softmax(logits)[label]`.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - labels: `[batch]`, each below `classes`
/// - output: `[1]`
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    log_softmax(logits, 1)
        .gather(1, labels.reshape([batch, 1]))
        .mean()
        .neg()
}
