//! Several devices against one.

use burn::tensor::{Device, Int, Tensor};
use kd_data::Batch;
use kd_losses::{Method, MethodLoss};
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{Convention, RoutingConfig, RoutingMode};

use super::super::tests::trained;
use super::super::{DataInfo, FrozenTeacher, OptimizerConfig, TaskConfig};
use super::*;

const CLASSES: usize = 4;

type Task = DistillTask<AnyNetwork, AnyNetwork, MethodLoss>;

fn task(device: &Device, methods: &[&str], routing: RoutingConfig) -> Task {
    let training = device.clone().autodiff();
    let network = |name: &str| {
        let architecture = Architecture::by_name(name).expect("a network");
        architecture.init(CLASSES, &training)
    };
    let data = DataInfo {
        input: [3, 8, 8],
        labels: vec![0, 1, 2, 3],
        batch_size: 6,
    };
    let mut config = TaskConfig::<Method>::new()
        .with_routing(routing)
        .with_optimizer(OptimizerConfig {
            lr: Some(0.01),
            ..OptimizerConfig::default()
        });
    for method in methods {
        config = config.with_term(Method::by_name(method).expect("a method"), 1.0);
    }
    let teacher = FrozenTeacher::new("resnet14", &network("resnet14"));
    let task = config.init(network("resnet8"), Some(teacher), &data, &training);
    let mut task = task.expect("a task");
    task.set_rates(0.01);
    task.set_epoch(1);
    task
}

/// Images that come `times` times, one after the other.
fn batch(device: &Device, images: usize, times: usize) -> Batch {
    let device = device.clone().autodiff();
    let numbers = Tensor::<1, Int>::arange(0..(images * 3 * 8 * 8) as i64, &device);
    let pictures = numbers.float().mul_scalar(0.7).sin();
    let pictures = pictures.reshape([images, 3, 8, 8]);
    let labels =
        Tensor::<1, Int>::arange(0..images as i64, &device).remainder_scalar(CLASSES as i64);
    Batch::new(
        Tensor::cat(vec![pictures; times], 0),
        Tensor::cat(vec![labels; times], 0),
    )
}

fn values(row: &Row) -> Vec<f64> {
    row.values.clone().into_data().iter::<f64>().collect()
}

fn close(found: f64, expected: f64, what: &str) {
    let within = 1e-5 + 1e-4 * expected.abs();
    assert!(
        (found - expected).abs() <= within,
        "{what}: {found} is not {expected}"
    );
}

/// Each of three devices sees the same images as the one alone does, so the mean is the same.
#[test]
fn equal_parts_make_the_step_of_one_part() {
    let device = Device::default();
    let methods = ["ce", "kd", "at", "hint", "sp"];
    let together = task(&device, &methods, RoutingConfig::default());
    let mut alone = Task {
        // Copies, so that no running statistics are shared.
        ..together.replica(&device, (0, 0))
    };
    let mut together = together;
    let mut all = DataParallel::new(vec![device.clone(); 3], Exchange::ThroughFirst);
    all.start(&together, CLASSES, (0, 0));
    for step in 0..3 {
        let (row, output);
        (together, row) = all.step(together, &batch(&device, 4, 3));
        (alone, output) = alone.step(&batch(&device, 4, 1));
        let logits = (output.logits, output.teacher);
        let expected = Row::new(&output.losses, logits, output.labels);
        assert_eq!(row.names, expected.names);
        for (index, (found, expected)) in values(&row).iter().zip(values(&expected)).enumerate() {
            // After the losses come sums.
            let times = if index < row.names.len() { 1.0 } else { 3.0 };
            close(*found, times * expected, &format!("step {step}, {index}"));
        }
    }
    let (found, expected) = (trained(&together.model), trained(&alone.model));
    assert_eq!(found.len(), expected.len());
    for (id, (_, values)) in &found {
        for (found, expected) in values.iter().zip(&expected[id].1) {
            close(f64::from(*found), f64::from(*expected), "a parameter");
        }
    }
}

#[test]
fn parts_differ_by_one_image_at_most_and_no_device_is_left_out() {
    let device = Device::default();
    let cut = cut(&batch(&device, 5, 1), &vec![device.clone(); 3]);
    let sizes: Vec<usize> = cut.iter().map(|part| part.batch.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    let indices: Vec<usize> = cut
        .iter()
        .flat_map(|part| part.batch.host_indices.clone())
        .collect();
    assert_eq!(indices, [0, 1, 2, 3, 4]);
    let cut = super::cut(&batch(&device, 1, 1), &vec![device.clone(); 2]);
    assert_eq!((cut[1].batch.len(), cut[1].share), (1, 0.0));
}

#[test]
fn what_one_device_alone_can_do_is_refused() {
    let device = Device::default();
    let task = task(&device, &["ce", "crd"], RoutingConfig::default());
    let error = DataParallel::check(&task).expect_err("a memory of all images");
    assert!(error.to_string().contains("`crd`"), "{error}");
}

/// Nothing stays behind on the first device: on two of different kinds every operation would find it.
#[cfg(all(feature = "flex", feature = "ndarray"))]
#[test]
#[allow(deprecated)]
fn copies_are_whole() {
    let [flex, ndarray] = [Device::flex(), Device::ndarray()];
    let sakd = |mode| RoutingConfig {
        convention: Convention::Sakd,
        ..RoutingConfig::new(mode)
    };
    let fixed = RoutingConfig {
        gates: Some(vec![true, false, true, true]),
        ..RoutingConfig::new(RoutingMode::Fixed)
    };
    for routing in [
        RoutingConfig::new(RoutingMode::Adaptive),
        RoutingConfig::new(RoutingMode::Joint),
        sakd(RoutingMode::Joint),
        sakd(RoutingMode::Random),
        fixed,
    ] {
        let policy = routing.mode.has_policy();
        let mut task = task(&flex, &["ce", "kd", "at", "hint"], routing);
        task.set_draws(3, 0);
        let mut all =
            DataParallel::new(vec![flex.clone(), ndarray.clone()], Exchange::ThroughFirst);
        all.start(&task, CLASSES, (3, 0));
        for _ in 0..2 {
            let row;
            (task, row) = all.step(task, &batch(&flex, 5, 1));
            assert!(values(&row).iter().all(|value| value.is_finite()));
            assert_eq!(row.names.contains(&"routing".to_owned()), policy);
        }
        let counts = all.counts().expect("routing").tensor().clone();
        let counted: Vec<f64> = counts
            .slice([0..CLASSES, 0..1])
            .into_data()
            .iter()
            .collect();
        assert_eq!(counted.iter().sum::<f64>(), 10.0);
    }
}
