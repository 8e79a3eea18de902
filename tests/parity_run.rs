//! A whole run on a GPU against the same run on the CPU.

use kd_models::{AnyNetwork, Architecture};
use kd_spot::RoutingMode;
use kd_tests::gpu_or_skip;
use kd_train::{EpochMetrics, Observer, Parts, Recipe, RunOptions, run_with};

/// Relative difference of an epoch's losses. Sums are taken in another order, and the steps of an
/// epoch carry the difference on.
const LOSS: f64 = 2e-3;

/// Images of the sets of which the one may know another number than the other.
const IMAGES: f64 = 1.0;

const TRAIN: usize = 72;
const TEST: usize = 40;

/// A student, a teacher and a router whose weights are drawn, negatives and noise that are drawn in
/// each step, and a last batch that is short.
fn recipe(device: &str) -> Recipe {
    let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
    recipe.compute.device = Some(device.to_owned());
    recipe.data.limit_train = Some(TRAIN);
    recipe.data.limit_test = Some(TEST);
    recipe.data.batch_size = Some(32);
    recipe.train.epochs = Some(2);
    recipe.train.seed = 3;
    // What is small stays small: a high rate amplifies rounding.
    recipe.optimizer.lr = Some(0.01);
    for (name, weight) in [("ce", 1.0), ("kd", 0.9), ("crd", 0.8)] {
        let method = kd_losses::Method::by_name(name).expect("a method");
        recipe
            .losses
            .push(kd_losses::TermConfig::new(method, weight));
    }
    recipe.routing.mode = RoutingMode::Adaptive;
    recipe
}

#[derive(Default)]
struct Epochs(Vec<EpochMetrics>);

impl Observer for Epochs {
    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.0.push(metrics.clone());
    }
}

fn metrics(device: &str) -> Vec<EpochMetrics> {
    let make = |name: &str| {
        let network: Architecture = name.parse().expect("a network");
        move |setting: &kd_train::Setting| network.init(setting.classes, &setting.device)
    };
    let parts: Parts<AnyNetwork, AnyNetwork> =
        Parts::new("resnet8", make("resnet8")).with_teacher("resnet14", make("resnet14"));
    let folder = tempfile::tempdir().expect("a folder");
    let options = RunOptions::new(folder.path().join("run"));
    let mut epochs = Epochs::default();
    run_with(&recipe(device), parts, &options, &mut epochs).expect("a run");
    epochs.0
}

#[test]
fn a_run_on_a_gpu_has_the_metrics_of_the_cpu() {
    if gpu_or_skip("a run on a GPU").is_none() {
        return;
    }
    let name = std::env::var("KD_TEST_DEVICE").expect("a GPU");
    let (cpu, gpu) = (metrics("flex"), metrics(&name));
    assert_eq!(cpu.len(), gpu.len());
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        let close = |what: &str, a: f64, b: f64, within: f64| {
            assert!(
                (a - b).abs() <= within,
                "epoch {}: {what}: {a} is not {b}",
                cpu.epoch
            );
        };
        for ((term, a), (_, b)) in gpu.train.terms.0.iter().zip(&cpu.train.terms.0) {
            close(term, *a, *b, LOSS * b.abs());
        }
        close(
            "loss",
            gpu.train.loss,
            cpu.train.loss,
            LOSS * cpu.train.loss,
        );
        close(
            "test loss",
            gpu.test.loss,
            cpu.test.loss,
            LOSS * cpu.test.loss,
        );
        let share = |images: usize| 100.0 * IMAGES / images as f64 + 1e-9;
        close("train top-1", gpu.train.top1, cpu.train.top1, share(TRAIN));
        close("test top-1", gpu.test.top1, cpu.test.top1, share(TEST));
        // The very same choices were made.
        assert_eq!(
            gpu.train.distilled, cpu.train.distilled,
            "epoch {}",
            cpu.epoch
        );
    }
}
