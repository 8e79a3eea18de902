//! A convolution with its batch norm, in all its forms.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_nn::{Activation, BatchNorm, BatchNormConfig};
use serde::{Deserialize, Serialize};

use super::branches::Branches;
use super::fold::{Fold, Folding, fold_into, folded};
use super::{ConvSpec, tally};

/// What a network is built of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// Convolutions and batch norms as they are.
    #[default]
    Plain,
    /// Convolutions that [`deploy`](crate::Foldable::deploy) folds with their batch norm: what
    /// KDrefine calls `base`.
    Base,
    /// KDrefine's asymmetric multi-branch blocks in place of all convolutions larger than 1×1.
    Ambb,
}

/// A convolution and batch norm, trained or folded.
// A network holds some tens of these, so the size of its largest form does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub(crate) enum ConvNorm {
    /// A convolution whose batch norm stands elsewhere: before it, or after a sum.
    Bare(Conv2d),
    /// One convolution, one batch norm.
    Plain(Plain),
    /// Parallel convolutions, each with its batch norm, summed.
    Branches(Branches),
    /// Convolution with bias, folded from the plain form.
    Folded(Folded),
    /// Convolution with bias, merged from branches.
    Merged(Merged),
}

#[derive(Module, Debug)]
pub(crate) struct Plain {
    pub(super) conv: Conv2d,
    pub(super) bn: BatchNorm,
    /// Whether `deploy` folds it.
    deployable: bool,
}

#[derive(Module, Debug)]
pub(crate) struct Folded {
    conv: Conv2d,
}

#[derive(Module, Debug)]
pub(crate) struct Merged {
    /// KDrefine's name.
    tdb_reparam: Conv2d,
}

impl ConvNorm {
    pub(crate) fn new(spec: ConvSpec, kind: UnitKind, device: &Device) -> Self {
        match kind {
            UnitKind::Ambb if spec.size() > 1 => Self::Branches(Branches::new(spec, device)),
            _ => Self::Plain(Plain::new(spec, kind != UnitKind::Plain, device)),
        }
    }

    /// A unit of a network whose plain form has no batch norm after this convolution; a unit of
    /// branches brings its own.
    pub(crate) fn bare(spec: ConvSpec, kind: UnitKind, device: &Device) -> Self {
        match kind {
            UnitKind::Ambb => Self::new(spec, kind, device),
            UnitKind::Plain | UnitKind::Base => Self::Bare(spec.init(device)),
        }
    }

    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_with(input, None, Activation::None)
    }

    /// The output after a ReLU.
    pub(crate) fn relu(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_with(input, None, Activation::Relu)
    }

    /// The output plus `residual`, after a ReLU and before it. The latter is only made if `preact`
    /// wants it, and else is the former.
    pub(crate) fn relu_and_preact(
        &self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        preact: bool,
    ) -> (Tensor<4>, Tensor<4>) {
        if preact {
            let before = self.forward_with(input, residual, Activation::None);
            (relu(before.clone()), before)
        } else {
            let output = self.forward_with(input, residual, Activation::Relu);
            (output.clone(), output)
        }
    }

    /// The output plus `residual`, after `activation`.
    pub(crate) fn forward_with(
        &self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        activation: Activation,
    ) -> Tensor<4> {
        match self {
            Self::Bare(conv) => tally::conv_with(conv, input, residual, activation),
            Self::Plain(unit) => unit.forward_with(input, residual, activation),
            Self::Branches(unit) => unit.forward_with(input, residual, activation),
            Self::Folded(unit) => tally::conv_with(&unit.conv, input, residual, activation),
            Self::Merged(unit) => tally::conv_with(&unit.tdb_reparam, input, residual, activation),
        }
    }

    /// The batch norm, where there is one.
    pub(crate) fn batch_norm(&self) -> Option<&BatchNorm> {
        match self {
            Self::Plain(unit) => Some(&unit.bn),
            _ => None,
        }
    }
}

impl Plain {
    pub(super) fn new(spec: ConvSpec, deployable: bool, device: &Device) -> Self {
        Self {
            conv: spec.init(device),
            bn: BatchNormConfig::new(spec.output()).init(device),
            deployable,
        }
    }

    pub(super) fn forward_with(
        &self,
        input: Tensor<4>,
        residual: Option<Tensor<4>>,
        activation: Activation,
    ) -> Tensor<4> {
        norm_of_conv(&self.conv, &self.bn, input, residual, activation)
    }
}

/// A convolution, its batch norm, `residual` added, and `activation`.
pub(super) fn norm_of_conv(
    conv: &Conv2d,
    bn: &BatchNorm,
    input: Tensor<4>,
    residual: Option<Tensor<4>>,
    activation: Activation,
) -> Tensor<4> {
    // A network in training that is given plain images trains all the same.
    let tracked = input.is_autodiff()
        || residual
            .as_ref()
            .is_some_and(|residual| residual.is_autodiff())
        || conv.weight.val().is_autodiff();
    if tracked || !kd_kernels::serves(&input) {
        return bn.forward_with(tally::conv(conv, input), residual, activation);
    }
    // In evaluation the batch norm is a scaling of the filters and a bias.
    let (weight, bias) = folded(conv, bn);
    tally::conv_of(conv, input, weight, Some(bias), residual, activation)
}

impl Fold for ConvNorm {
    fn fold(self, folding: Folding) -> Self {
        match self {
            Self::Plain(unit) if folding == Folding::All || unit.deployable => {
                Self::Folded(Folded {
                    conv: fold_into(unit.conv, &unit.bn),
                })
            }
            Self::Branches(unit) => Self::Merged(Merged {
                tdb_reparam: unit.merge(),
            }),
            other => other,
        }
    }
}
