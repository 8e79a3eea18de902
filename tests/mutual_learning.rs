//! Mutual learning: two whole steps against plain tensor code, in f64.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_data::Batch;
use kd_losses::Method;
use kd_tests::{Plain, Tiny, assert_near, in_f64};
use kd_train::{DataInfo, DistillTask, OptimizerConfig, OptimizerName, TaskConfig, TrainError};

const BATCH: usize = 6;
const INPUT: [usize; 3] = [3, 6, 6];
/// Weights of cross-entropy and divergence.
const WEIGHTS: [f64; 2] = [0.7, 1.5];
const RATE: f64 = 0.05;
const DECAY: f64 = 5e-4;
const MOMENTUM: f64 = 0.9;

type Task = DistillTask<Tiny, Tiny, kd_losses::MethodLoss>;

fn task(
    (first, others): (usize, &[usize]),
    method: &str,
    clip_norm: Option<f64>,
    device: &Device,
) -> Result<Task, TrainError> {
    let named = |name| Method::by_name(name).expect("a method");
    let peers = others.iter().map(|width| Tiny::new(*width, device));
    let data = DataInfo {
        input: INPUT,
        labels: vec![0; BATCH],
        batch_size: BATCH,
    };
    TaskConfig::<Method>::new()
        .with_term(named("ce"), WEIGHTS[0])
        .with_term(named(method), WEIGHTS[1])
        .with_optimizer(OptimizerConfig {
            lr: Some(RATE),
            momentum: Some(MOMENTUM),
            weight_decay: Some(DECAY),
            clip_norm,
            ..OptimizerConfig::new(OptimizerName::Sgd)
        })
        .init_mutual(Tiny::new(first, device), peers.collect(), &data, device)
}

fn cross_entropy(logits: &Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    let labels: Tensor<2, Int> = labels.clone().inner().unsqueeze_dim(1);
    log_softmax(logits.clone(), 1)
        .gather(1, labels)
        .mean()
        .neg()
}

/// `KL(other ‖ own)`, the mean over samples; the other is a constant.
fn divergence(own: &Tensor<2>, other: &Tensor<2>) -> Tensor<1> {
    let other = log_softmax(other.clone().inner(), 1);
    let terms = other.clone().exp() * (other - log_softmax(own.clone(), 1));
    terms.sum_dim(1).mean()
}

/// Two steps, each network with an optimizer of its own.
fn check((first, others): (usize, &[usize]), clip_norm: Option<f64>) {
    let device = Device::default().autodiff();
    let mut task = task((first, others), "dml", clip_norm, &device).expect("a task");
    let networks = |task: &Task| -> Vec<Tiny> {
        let peers = task.model.peers.iter().cloned();
        std::iter::once(task.model.student.clone())
            .chain(peers)
            .collect()
    };
    let mut plain: Vec<Plain> = networks(&task).iter().map(Plain::of).collect();
    let count = plain.len();
    for step in 0..2 {
        let [channels, height, width] = INPUT;
        let shape = [BATCH, channels, height, width];
        let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let labels = Tensor::from_ints([0, 2, 1, 1, 0, 2], &device);
        let batch = Batch::new(images, labels);
        let output;
        (task, output) = task.step(&batch);

        // All networks run before any is updated.
        let logits: Vec<_> = plain
            .iter_mut()
            .map(|network| network.train(&batch.images).logits)
            .collect();
        let peers = output.peers.iter().map(|peer| &peer.losses);
        let losses: Vec<_> = std::iter::once(&output.losses).chain(peers).collect();
        assert_eq!(losses.len(), count);
        for (index, losses) in losses.into_iter().enumerate() {
            let own = &logits[index];
            let ce = cross_entropy(own, &batch.labels);
            let others = logits
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index);
            let each = others.map(|(_, other)| divergence(own, other));
            let sum = each.reduce(|sum, other| sum + other).expect("others");
            let dml = sum / (count - 1) as f64;
            let total = ce.clone() * WEIGHTS[0] + dml.clone() * WEIGHTS[1];
            assert_near("ce", &ce, losses.term("ce").expect("a term"));
            assert_near("dml", &dml, losses.term("dml").expect("a term"));
            assert_near("total", &total, &losses.total);

            let gradients = total.backward();
            let leaves = &mut plain[index].leaves;
            let factor = clip_norm.map_or(1.0, |most| {
                let factor = most / (leaves.norm(&gradients) + 1e-6);
                assert!(factor < 1.0, "the gradients are to be clipped: {factor}");
                factor
            });
            leaves.clipped_step(&gradients, factor, (RATE, DECAY, MOMENTUM));
        }
        for (index, (own, network)) in plain.iter().zip(networks(&task)).enumerate() {
            own.assert_is(&format!("network {index} after step {step}"), &network);
        }
    }
}

#[test]
fn two_steps_are_those_of_separate_optimizers() {
    in_f64();
    Device::default().seed(7);
    check((4, &[4]), None);
    // Of three networks of different sizes, each follows the mean of the two others.
    check((4, &[5, 3]), None);
    check((4, &[5]), Some(0.05));
}

#[test]
fn losses_that_read_features_are_refused() {
    in_f64();
    let device = Device::default().autodiff();
    let error = task((4, &[4]), "at", None, &device)
        .err()
        .expect("a mistake");
    assert_eq!(
        error.to_string(),
        "mutual learning cannot be used with the loss `at`, which reads a teacher's features, but there are only logits here"
    );
}
