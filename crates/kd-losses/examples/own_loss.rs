//! A loss of your own in one file: the traits that it implements, and a list in which it stands
//! beside losses of this crate.
//!
//! ```text
//! cargo run -p kd-losses --example own_loss
//! ```
// A program that prints is what an example is.
#![allow(clippy::print_stdout)]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_losses::logits::KdLossConfig;
use kd_losses::{
    DistillationLoss, EitherConfig, Features, LossConfig, LossError, Method, Requirements, Setup,
    Site, Step, TermConfig,
};

/// The parameters: here there are none.
#[derive(Clone, Debug, PartialEq)]
struct CosineConfig;

/// The mean of `1 − cos(P s, t)` over samples, for pooled features `s` and `t`. The matrix `P` is
/// trained together with the student.
#[derive(Module, Debug)]
struct Cosine {
    projection: Linear,
}

impl LossConfig for CosineConfig {
    type Loss = Cosine;

    fn name(&self) -> &str {
        "cosine"
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled)
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<Cosine, LossError> {
        let (student, teacher) = (setup.student.pooled, setup.teacher.pooled);
        Ok(Cosine {
            projection: LinearConfig::new(student, teacher)
                .with_bias(false)
                .init(device),
        })
    }
}

impl DistillationLoss for Cosine {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let length = |rows: &Tensor<2>| rows.clone().square().sum_dim(1).clamp_min(1e-12).sqrt();
        let student = self.projection.forward(step.student.pooled.clone());
        let teacher = step.teacher.pooled.clone().inner();
        let lengths = length(&student) * length(&teacher);
        let cosines = (student * teacher).sum_dim(1) / lengths;
        // One value a sample: a gate then chooses those that count.
        step.mean_over_chosen(0, cosines.squeeze_dim::<1>(1).neg() + 1.0)
    }
}

/// Losses of this crate, and this one.
type Config = EitherConfig<Method, CosineConfig>;

fn features(channels: usize, device: &Device) -> Features {
    let fill = Distribution::Normal(0.0, 1.0);
    Features {
        maps: vec![Tensor::random([4, channels, 8, 8], fill, device); 3],
        preact: Vec::new(),
        pooled: Tensor::random([4, channels], fill, device),
        logits: Tensor::random([4, 10], fill, device),
    }
}

fn main() -> Result<(), LossError> {
    let device = Device::flex();
    let training = device.clone().autodiff();
    device.seed(1);
    let (student, teacher) = (features(16, &training), features(64, &device));
    let labels = Tensor::<1, Int>::from_ints([3, 1, 4, 1], &device);

    let terms: [TermConfig<Config>; 3] = [
        TermConfig::new(Method::by_name("ce")?, 1.0),
        TermConfig::new(Method::Kd(KdLossConfig::new().with_temperature(2.0)), 0.9),
        TermConfig::new(EitherConfig::Right(CosineConfig), 0.5),
    ];
    let setup = Setup::new(student.shapes(), teacher.shapes());
    let step = Step::new(&student, &teacher).with_labels(&labels);
    for config in terms {
        let term = config.init(&setup, &training)?;
        let loss: f32 = term.forward(&step).into_scalar();
        println!("{:6} {loss:.3} at weight {}", term.label, term.weight);
    }
    Ok(())
}
