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
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Device;
use burn::tensor::activation::relu;
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::{AttentionConfig, KdLossConfig, Place, cross_entropy};
use kd_models::{Feature, Network};
use kd_spot::{Cuts, RouterConfig, RoutingCounts, features_for_losses};

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
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    device.seed(0);
    let data = ProceduralConfig {
        classes: 4,
        train: 960,
        test: 1,
        ..ProceduralConfig::default()
    };
    let loader = Loader::new(data.generate()?.train, LoaderConfig::train(32, 0))?;

    // A deep teacher, trained for a moment, and a student with fewer stages.
    let mut teacher = Plain::new(&[3, 24, 48, 64, 96], 4, &device);
    let mut adam = AdamConfig::new().init();
    for epoch in 0..6 {
        for batch in loader.epoch(epoch, &device) {
            let loss = cross_entropy(teacher.forward(batch.images), batch.labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &teacher);
            teacher = adam.step(5e-3, teacher, gradients);
        }
    }
    let teacher = teacher.valid();
    let mut student = Plain::new(&[3, 8, 16, 24], 4, &device);

    // Where to choose: after the stages that correspond in size.
    let input = [3, 32, 32];
    let (own, other) = (
        student.feature_shapes(input, &plain),
        teacher.feature_shapes(input, &plain),
    );
    let cuts = Cuts::at(Place::Stages, &own, &other)?;
    println!("cut after {cuts}");
    let mut router = RouterConfig::new().init(cuts.clone(), &own, &other, &device)?;

    // Any loss that takes gates; this one is told which stages correspond.
    let at = AttentionConfig::new().init()?;
    let kd = KdLossConfig::new().init();
    let (mut for_student, mut for_router) = (AdamConfig::new().init(), AdamConfig::new().init());
    for epoch in 0..6 {
        let mut counts = RoutingCounts::new(4, cuts.spots(), &plain);
        let mut sum = 0.0;
        for batch in loader.epoch(epoch, &device) {
            let images = batch.images.clone().inner();
            let soft = features_for_losses(teacher.features(images.clone()));
            let own = features_for_losses(student.features(batch.images));
            let choices = router.choose(own.pooled.clone(), soft.pooled.clone());
            counts.add(&choices, batch.labels.clone());

            let ce = cross_entropy(own.logits.clone(), batch.labels.clone());
            let gate = choices.last();
            let divergence = kd.forward_gated(own.logits.clone(), soft.logits.clone(), &gate);
            let mut loss = ce.clone() + gate.times_share(divergence);
            let maps = cuts
                .of_student(&own.maps)
                .into_iter()
                .zip(cuts.of_teacher(&soft.maps));
            for ((own, other), gate) in maps.skip(1).zip(choices.gates(cuts.count())) {
                loss = loss + gate.times_share(at.forward_gated(own, other, &gate)) * 100.0;
            }
            let grafted = router.grafted(&choices, (&student, &teacher), images, Some(&soft));
            let objective = router.objective(&choices, grafted, batch.labels, ce.clone());

            // One backward pass: neither loss depends on the other's weights.
            let mut gradients = (loss + objective).backward();
            let of_router = GradientsParams::from_module(&mut gradients, &router);
            router = for_router.step(1e-3, router, of_router);
            let of_student = GradientsParams::from_module(&mut gradients, &student);
            student = for_student.step(5e-3, student, of_student);
            sum += ce.into_scalar::<f32>();
        }
        let shares = counts.read()?.spots;
        let ce = sum / loader.batches() as f32;
        println!(
            "epoch {}: cross-entropy {ce:.3}, distilled at each spot {shares:.2?}",
            epoch + 1
        );
    }
    Ok(())
}
