//! A loss that kd does not know, in one file: parameters, adapter, gates, a phase before the main
//! one.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_losses::{
    DistillationLoss, LossConfig, LossError, Pretrain, Requirements, Setup, Site, Step,
};

/// The student's pooled feature, brought to the teacher's length by a linear layer, is to point
/// where the teacher's points.
#[derive(Clone, Debug)]
pub struct DirectionConfig {
    /// The cosine from which a sample costs nothing more.
    pub enough: f64,
}

/// An initialized [`DirectionConfig`].
#[derive(Module, Debug)]
pub struct Direction {
    /// The adapter: trained and checkpointed with the student.
    embed: Linear,
    enough: f64,
}

impl LossConfig for DirectionConfig {
    type Loss = Direction;

    fn name(&self) -> &str {
        "direction"
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled)
    }

    fn pretrain(&self) -> Pretrain {
        Pretrain::Student
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<Direction, LossError> {
        if !(-1.0..=1.0).contains(&self.enough) {
            return Err(LossError::Parameter {
                method: "direction",
                parameter: "enough",
                value: self.enough.to_string(),
                expected: "a cosine, from -1 to 1",
            });
        }
        Ok(Direction {
            embed: LinearConfig::new(setup.student.pooled, setup.teacher.pooled).init(device),
            enough: self.enough,
        })
    }
}

impl DistillationLoss for Direction {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let student = unit(self.embed.forward(step.student.pooled.clone()));
        let teacher = unit(step.teacher.pooled.clone().inner());
        let cosine = (student * teacher).sum_dim(1).squeeze_dim::<1>(1);
        // One value a sample: those that the gate does not choose do not count.
        step.mean_over_chosen(0, (cosine.neg() + self.enough).clamp_min(0.0))
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        Some(self.term(step))
    }
}

/// Rows of length 1.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
    rows / length
}
