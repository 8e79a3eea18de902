//! One distillation loss in a Burn training loop of one's own: networks, data and optimizer are
//! the user's, `kd-losses` brings [`KdLoss`] and nothing else.
//!
//! A large perceptron learns to tell two spirals apart from all labels. A small one has only a
//! few labels: it learns once from those alone, and once with the large one's soft answers on all
//! points.
//!
//! ```text
//! cargo run --bin import_one_loss
//! ```
// A program that prints is what an example is.
#![allow(clippy::print_stdout)]

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_losses::cross_entropy;
use kd_losses::logits::{KdLoss, KdLossConfig};

const POINTS: usize = 400;
const LABELED: usize = 24;

#[derive(Module, Debug)]
struct Perceptron {
    layers: [Linear; 3],
}

impl Perceptron {
    fn new(hidden: usize, device: &Device) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            layers: [layer(2, hidden), layer(hidden, hidden), layer(hidden, 2)],
        }
    }

    fn forward(&self, points: Tensor<2>) -> Tensor<2> {
        let [first, second, last] = &self.layers;
        last.forward(relu(second.forward(relu(first.forward(points)))))
    }
}

/// Points `[POINTS, 2]` on two spirals, in turn, and which one each is on `[POINTS]`.
fn spirals(device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
    let (points, labels): (Vec<[f32; 2]>, Vec<i32>) = (0..POINTS)
        .map(|index| {
            let arm = index % 2;
            // The golden ratio spreads the points evenly without a random generator.
            let along = (index as f32 * 0.618_034).fract();
            let angle = 7.0 * along + std::f32::consts::PI * arm as f32;
            let radius = 0.2 + along;
            ([radius * angle.cos(), radius * angle.sin()], arm as i32)
        })
        .unzip();
    (
        Tensor::from_data(TensorData::new(points.concat(), [POINTS, 2]), device),
        Tensor::from_data(TensorData::from(labels.as_slice()), device),
    )
}

/// Trains on the first `labeled` labels and, if there is one, on the teacher's logits for all
/// points.
fn train(
    mut network: Perceptron,
    labeled: usize,
    teacher: Option<(&Perceptron, KdLoss)>,
    device: &Device,
) -> Perceptron {
    let (points, labels) = spirals(&device.clone().autodiff());
    // The teacher sees plain tensors: it is outside the graph.
    let soft = teacher.map(|(teacher, kd)| (teacher.forward(points.clone().inner()), kd));
    let mut adam = AdamConfig::new().init();
    for _ in 0..600 {
        let logits = network.forward(points.clone());
        let mut loss = cross_entropy(
            logits.clone().narrow(0, 0, labeled),
            labels.clone().narrow(0, 0, labeled),
        );
        if let Some((soft, kd)) = &soft {
            loss = loss + kd.forward(logits, soft.clone());
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = adam.step(0.01, network, gradients);
    }
    network.valid()
}

fn accuracy(network: &Perceptron, device: &Device) -> f32 {
    let (points, labels) = spirals(device);
    let right = network
        .forward(points)
        .argmax(1)
        .squeeze_dim::<1>(1)
        .equal(labels);
    100.0 * right.float().mean().into_scalar::<f32>()
}

fn main() -> Result<(), kd_losses::LossError> {
    let device = Device::flex();
    let training = device.clone().autodiff();
    device.seed(1);

    let teacher = train(Perceptron::new(64, &training), POINTS, None, &device);
    let alone = train(Perceptron::new(12, &training), LABELED, None, &device);
    let kd = KdLossConfig::new().with_temperature(2.0).init()?;
    let student = Perceptron::new(12, &training);
    let distilled = train(student, LABELED, Some((&teacher, kd)), &device);

    println!(
        "teacher, {POINTS} labels:          {:5.1} %",
        accuracy(&teacher, &device)
    );
    println!(
        "student, {LABELED} labels:           {:5.1} %",
        accuracy(&alone, &device)
    );
    println!(
        "student, {LABELED} labels + teacher: {:5.1} %",
        accuracy(&distilled, &device)
    );
    Ok(())
}
