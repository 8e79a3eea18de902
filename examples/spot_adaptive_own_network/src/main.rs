//! Spot-adaptive distillation between two networks of one's own.
//!
//! A network says what its stages are (`impl Network`), and everything else follows: features for
//! the losses, the grafted network, the adapters between any two shapes.
//!
//! ```text
//! cargo run --bin spot_adaptive_own_network
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use burn::tensor::activation::relu;
use kd_core::{Feature, Network};
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::Method;
use kd_spot::{GateCounts, RoutingConfig, RoutingMode};
use kd_train::{DataInfo, FrozenTeacher, OptimizerConfig, OptimizerName, TaskConfig};

/// A plain convolutional network: each convolution halves the map and is a stage.
#[derive(Module, Debug)]
struct Plain {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    head: Linear,
}

impl Plain {
    fn new(channels: &[usize], classes: usize, device: &Device) -> Self {
        let pairs = channels.windows(2).map(|pair| {
            let config = Conv2dConfig::new([pair[0], pair[1]], [3, 3]).with_stride([2, 2]);
            config
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        });
        let last = channels[channels.len() - 1];
        Self {
            convs: pairs.collect(),
            norms: channels[1..]
                .iter()
                .map(|c| BatchNormConfig::new(*c).init(device))
                .collect(),
            head: LinearConfig::new(last, classes).init(device),
        }
    }
}

// The stem is stage 0; after the last stage come the pooling and the head.
impl Network for Plain {
    fn stages(&self) -> usize {
        self.convs.len() - 1
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match self.convs.get(index) {
            Some(conv) => relu(self.norms[index].forward(conv.forward(input.map()))).into(),
            None if index == self.pool() => input
                .map()
                .mean_dim(3)
                .mean_dim(2)
                .flatten::<2>(1, 3)
                .into(),
            None => self.head.forward(input.vector()).into(),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(0);
    let data = ProceduralConfig {
        classes: 4,
        train: 960,
        test: 1,
        ..ProceduralConfig::default()
    };
    let loader = Loader::new(data.generate()?.train, LoaderConfig::train(32, 0))?;
    let info = DataInfo::of(&loader);
    let mut adam = OptimizerConfig::new(OptimizerName::Adam);
    adam.lr = Some(5e-3);

    // A deep teacher, trained for a moment, and a student with fewer stages.
    let supervised = TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce")?, 1.0)
        .with_optimizer(adam.clone());
    let teacher = Plain::new(&[3, 24, 48, 64, 96], 4, &device);
    let mut task = supervised.init(teacher, None::<FrozenTeacher<Plain>>, &info, &device)?;
    for epoch in 0..6 {
        for batch in loader.epoch(epoch, &device) {
            (task, _) = task.step(&batch);
        }
    }
    let teacher = FrozenTeacher::new("plain", &task.model.student);

    // Logits and attention, where a policy chooses: after the stages that correspond in size.
    let student = Plain::new(&[3, 8, 16, 24], 4, &device);
    let mut task = TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce")?, 1.0)
        .with_term(Method::by_name("kd")?, 1.0)
        .with_term(Method::by_name("at")?, 100.0)
        .with_routing(RoutingConfig::new(RoutingMode::Adaptive))
        .with_optimizer(adam)
        .init(student, Some(teacher), &info, &device)?;
    let spots = task
        .model
        .routing
        .as_ref()
        .map_or_else(Vec::new, |r| r.spots());
    println!("spots: {}", spots.join(", "));
    for epoch in 0..6 {
        let mut counts = GateCounts::new(4, spots.len(), &device);
        let mut sum = 0.0;
        for batch in loader.epoch(epoch, &device) {
            let output;
            (task, output) = task.step(&batch);
            if let Some(gates) = &output.gates {
                counts.add(gates, output.labels);
            }
            let ce = output
                .losses
                .term("ce")
                .map(|loss| loss.clone().into_scalar::<f32>());
            sum += ce.unwrap_or_default();
        }
        let (shares, ce) = (counts.read()?.spots, sum / loader.batches() as f32);
        println!(
            "epoch {}: cross-entropy {ce:.3}, distilled {shares:.2?}",
            epoch + 1
        );
    }
    Ok(())
}
