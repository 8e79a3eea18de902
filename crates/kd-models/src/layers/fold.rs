//! Folding batch norms into the convolutions before them.

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use kd_nn::BatchNorm;

/// How much is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// Re-parameterizable units only, which is KDrefine's deployed form.
    Units,
    /// Every batch norm that follows a convolution.
    All,
}

/// What has batch norms to fold. Its tensors are on a plain device.
pub(crate) trait Fold: Sized {
    fn fold(self, folding: Folding) -> Self;
}

impl<T: Fold> Fold for Vec<T> {
    fn fold(self, folding: Folding) -> Self {
        self.into_iter().map(|part| part.fold(folding)).collect()
    }
}

impl<T: Fold> Fold for Option<T> {
    fn fold(self, folding: Folding) -> Self {
        self.map(|part| part.fold(folding))
    }
}

/// Folds the named fields of a module and keeps the others.
macro_rules! fold_fields {
    ($module:ty: $($field:ident),+) => {
        impl $crate::layers::Fold for $module {
            fn fold(mut self, folding: $crate::layers::Folding) -> Self {
                $(self.$field = self.$field.fold(folding);)+
                self
            }
        }
    };
}
pub(crate) use fold_fields;

/// The weight of a convolution followed by a scaling of its output channels.
pub(crate) fn scaled(weight: Tensor<4>, factor: Tensor<1>) -> Tensor<4> {
    let channels = factor.dims()[0];
    weight * factor.reshape([channels, 1, 1, 1])
}

/// Weight and bias of a convolution that equals `conv` followed by `bn` in evaluation.
pub(crate) fn folded(conv: &Conv2d, bn: &BatchNorm) -> (Tensor<4>, Tensor<1>) {
    let [factor, shift] = bn.affine();
    let bias = match &conv.bias {
        Some(bias) => bias.val() * factor.clone() + shift,
        None => shift,
    };
    (scaled(conv.weight.val(), factor), bias)
}

/// A convolution with bias that equals `conv` followed by `bn` in evaluation.
pub(crate) fn fold_into(mut conv: Conv2d, bn: &BatchNorm) -> Conv2d {
    let (weight, bias) = folded(&conv, bn);
    conv.weight = Param::from_tensor(weight);
    conv.bias = Some(Param::from_tensor(bias));
    conv
}
