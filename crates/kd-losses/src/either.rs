//! Losses of two kinds in one list.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use kd_core::Requirements;

use crate::{DistillationLoss, LossConfig, LossError, Method, Pretrain, Setup, Step};

/// The configuration of a loss of one of two kinds: [`Method`], for example, and one of your own.
/// Nest it for more.
#[derive(Clone, Debug, PartialEq)]
pub enum EitherConfig<A, B> {
    /// The one kind.
    Left(A),
    /// The other.
    Right(B),
}

/// An initialized [`EitherConfig`].
// There are a few of them in a run: their size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Either<A: DistillationLoss, B: DistillationLoss> {
    /// The one kind.
    Left(A),
    /// The other.
    Right(B),
}

impl<B> From<Method> for EitherConfig<Method, B> {
    fn from(method: Method) -> Self {
        Self::Left(method)
    }
}

macro_rules! each {
    ($either:expr, $loss:ident => $body:expr) => {
        match $either {
            EitherConfig::Left($loss) => $body,
            EitherConfig::Right($loss) => $body,
        }
    };
}

impl<A: LossConfig, B: LossConfig> LossConfig for EitherConfig<A, B> {
    type Loss = Either<A::Loss, B::Loss>;

    fn name(&self) -> &str {
        each!(self, loss => loss.name())
    }

    fn requirements(&self) -> Requirements {
        each!(self, loss => loss.requirements())
    }

    fn pretrain(&self) -> Pretrain {
        each!(self, loss => loss.pretrain())
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<Self::Loss, LossError> {
        Ok(match self {
            Self::Left(loss) => Either::Left(loss.build(setup, device)?),
            Self::Right(loss) => Either::Right(loss.build(setup, device)?),
        })
    }
}

impl<A: DistillationLoss, B: DistillationLoss> DistillationLoss for Either<A, B> {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        match self {
            Self::Left(loss) => loss.term(step),
            Self::Right(loss) => loss.term(step),
        }
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        match self {
            Self::Left(loss) => loss.pretrain(step),
            Self::Right(loss) => loss.pretrain(step),
        }
    }
}
