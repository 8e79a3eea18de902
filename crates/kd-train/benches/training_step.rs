//! The training step, split in its parts: images a second, and milliseconds a batch.
//!
//! ```text
//! cargo bench --profile dev --bench training_step [-- STEPS [DEVICE]]
//! ```
//!
//! Every part ends with a synchronization of the device, so the sum is what a step costs on a
//! CPU; on a GPU, where parts overlap, it is an upper bound.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::time::Instant;

use burn::module::Module;
use burn::optim::GradientsParams;
use kd_core::Network;
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::Method;
use kd_models::{AnyNetwork, Architecture};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, TaskConfig, device_by_name};

const BATCH: usize = 64;
const CLASSES: usize = 100;
const PARTS: [&str; 6] = [
    "data",
    "teacher",
    "student",
    "loss",
    "backward",
    "optimizer",
];

/// Mean milliseconds of each part over `steps` batches, after one to warm up.
fn measure(
    student: &str,
    teacher: Option<&str>,
    steps: usize,
    device: &str,
) -> Result<[f64; 6], Box<dyn Error>> {
    let plain = device_by_name(device)?;
    let training = plain.clone().autodiff();
    let images = ProceduralConfig {
        classes: CLASSES,
        train: BATCH * (steps + 1),
        test: 1,
        ..ProceduralConfig::default()
    };
    let loader = Loader::new(images.generate()?.train, LoaderConfig::train(BATCH, 0))?;
    let teacher = teacher
        .map(|name| -> Result<_, Box<dyn Error>> {
            let network = Architecture::by_name(name)?.init(CLASSES, &plain);
            Ok(FrozenTeacher::new(name, &network))
        })
        .transpose()?;
    let student = Architecture::by_name(student)?.init(CLASSES, &training);
    let config = match teacher {
        Some(_) => TaskConfig::<Method>::new()
            .with_term(Method::by_name("ce")?, 0.1)
            .with_term(Method::by_name("kd")?, 0.9),
        None => TaskConfig::new().with_term(Method::by_name("ce")?, 1.0),
    };
    let mut task: DistillTask<AnyNetwork, AnyNetwork, _> =
        config.init(student, teacher, &DataInfo::of(&loader), &training)?;

    let mut sums = [0.0; 6];
    let mut batches = loader.epoch(0, &training);
    for step in 0..=steps {
        let mut times = [0.0; 6];
        let mut since = Instant::now();
        let mut lap = |part: usize| -> Result<(), Box<dyn Error>> {
            plain.sync()?;
            times[part] = since.elapsed().as_secs_f64() * 1e3;
            since = Instant::now();
            Ok(())
        };
        let batch = batches.next().ok_or("the set is too small")?;
        lap(0)?;
        let soft = task.model.teacher_features(&batch);
        lap(1)?;
        let features = task.model.student_features(&batch);
        lap(2)?;
        let losses = task
            .model
            .terms(&batch, (&features, soft.as_ref()), None, None);
        lap(3)?;
        let gradients = GradientsParams::from_grads(losses.root().backward(), &task.model);
        lap(4)?;
        task = task.update(gradients);
        lap(5)?;
        if step > 0 {
            for (sum, time) in sums.iter_mut().zip(times) {
                *sum += time;
            }
        }
    }
    Ok(sums.map(|sum| sum / steps as f64))
}

/// Images a second of a network in evaluation form.
fn inference(name: &str, steps: usize, device: &str) -> Result<f64, Box<dyn Error>> {
    let plain = device_by_name(device)?;
    let network = Architecture::by_name(name)?.init(CLASSES, &plain).valid();
    let images = burn::tensor::Tensor::zeros([BATCH, 3, 32, 32], &plain);
    network.forward(images.clone());
    plain.sync()?;
    let start = Instant::now();
    for _ in 0..steps {
        network.forward(images.clone());
    }
    plain.sync()?;
    Ok((BATCH * steps) as f64 / start.elapsed().as_secs_f64())
}

/// Milliseconds of forward and backward of one batch-norm layer: ours, and Burn's own.
fn batch_norm(steps: usize, device: &str) -> Result<[f64; 2], Box<dyn Error>> {
    let plain = device_by_name(device)?;
    let training = plain.clone().autodiff();
    let ours = kd_nn::BatchNormConfig::new(16).init(&training);
    let burns = burn::nn::BatchNormConfig::new(16).init(&training);
    let mut times = [0.0; 2];
    // In turns, so that both see the same machine.
    for step in 0..=steps {
        for (which, time) in times.iter_mut().enumerate() {
            let x = burn::tensor::Tensor::<4>::ones([BATCH, 16, 32, 32], &training).require_grad();
            plain.sync()?;
            let start = Instant::now();
            let y = match which {
                0 => ours.forward(x),
                _ => burns.forward(x),
            };
            y.sum().backward();
            plain.sync()?;
            if step > 0 {
                *time += start.elapsed().as_secs_f64() * 1e3 / steps as f64;
            }
        }
    }
    Ok(times)
}

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` and `cargo test` hand over flags of their own harness.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let steps = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let device = arguments.next().unwrap_or_else(|| "flex".to_owned());

    println!("training step at batch {BATCH} on {device}, ms a batch, mean of {steps} steps\n");
    print!("{:<28} {:>9}", "", "images/s");
    for part in PARTS {
        print!(" {part:>9}");
    }
    println!();
    for (student, teacher) in [
        ("resnet20", None),
        ("resnet8x4", None),
        ("resnet8", Some("resnet20")),
        ("resnet8x4", Some("resnet32x4")),
    ] {
        let times = measure(student, teacher, steps, &device)?;
        let label = match teacher {
            Some(teacher) => format!("{teacher} → {student} (KD)"),
            None => format!("{student} (CE)"),
        };
        let speed = BATCH as f64 * 1e3 / times.iter().sum::<f64>();
        print!("{label:<28} {speed:>9.1}");
        for time in times {
            print!(" {time:>9.1}");
        }
        println!();
    }
    println!("\ninference at batch {BATCH}, images/s");
    for name in ["resnet20", "resnet8x4"] {
        println!("{name:<28} {:>9.1}", inference(name, steps, &device)?);
    }
    let [ours, burns] = batch_norm(4 * steps, &device)?;
    println!("\nbatch norm, forward and backward of [{BATCH}, 16, 32, 32], ms");
    println!(
        "{:<28} {ours:>9.2}\n{:<28} {burns:>9.2}",
        "kd-nn", "burn-nn"
    );
    Ok(())
}
