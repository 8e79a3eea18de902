//! What leads from one network's feature to the other's.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Device;
use kd_core::Feature;
use kd_losses::adapters::{Regressor, RegressorConfig};

use crate::{CutShape, SpotError};

/// A hint or an anti-hint: for maps a convolution with batch norm and ReLU, for pooled features a
/// linear layer.
// There are a few of them in a run: their size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Adapter {
    /// Between maps.
    Map(Regressor),
    /// Between pooled features.
    Vector(Linear),
}

impl Adapter {
    pub(crate) fn new(from: CutShape, to: CutShape, device: &Device) -> Result<Self, SpotError> {
        match (from, to) {
            (CutShape::Map(from), CutShape::Map(to)) => {
                Ok(Self::Map(RegressorConfig::new(from, to).init(device)?))
            }
            (CutShape::Vector(from), CutShape::Vector(to)) => {
                Ok(Self::Vector(LinearConfig::new(from, to).init(device)))
            }
            (from, to) => Err(SpotError::Shapes { from, to }),
        }
    }

    /// Brings a feature to the other network's shape.
    ///
    /// # Panics
    ///
    /// If it is a map and the adapter is for vectors, or the other way round.
    pub fn forward(&self, feature: Feature) -> Feature {
        match self {
            Self::Map(regressor) => regressor.forward(feature.map()).into(),
            Self::Vector(linear) => linear.forward(feature.vector()).into(),
        }
    }
}
