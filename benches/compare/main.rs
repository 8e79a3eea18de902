//! Measures one case after the other, as `compare.py` asks for them on the standard input: a JSON
//! object a line. Answers with images a second, a line each.
#![allow(clippy::print_stdout)]

// That of the command.
#[cfg(feature = "mimalloc")]
#[path = "../../crates/kd/src/allocator/mimalloc.rs"]
mod allocator;

use std::error::Error;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Distribution, FloatDType, Int, Tensor};
use kd_core::Network;
use kd_data::{Batch, Cifar, Limits, Loader, LoaderConfig};
use kd_losses::{Method, MethodLoss};
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{RoutingConfig, RoutingMode};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, Shorthand, TaskConfig, device_by_name};
use serde::Deserialize;

const CLASSES: usize = 100;

/// What to measure.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase", deny_unknown_fields)]
enum Case {
    /// Logits in evaluation.
    Inference { network: String, batch: usize },
    /// Forward, cross-entropy, backward, SGD.
    Training { network: String, batch: usize },
    /// The same with a teacher and a method.
    Distillation {
        teacher: String,
        student: String,
        method: String,
        batch: usize,
        /// Whether the teacher's batch norms are folded.
        folded: bool,
        /// Whether a policy chooses what is distilled where.
        adaptive: bool,
    },
    /// The training images of CIFAR-100 alone: batches on the device, augmentation included.
    Data {
        batch: usize,
        images: usize,
        folder: PathBuf,
    },
    /// Distillation of logits over the training images of CIFAR-100, augmentation included.
    Epoch {
        teacher: String,
        student: String,
        batch: usize,
        images: usize,
        folder: PathBuf,
    },
}

/// One line of input.
#[derive(Debug, Deserialize)]
struct Request {
    case: Case,
    /// Shortest time to measure.
    seconds: f64,
    device: String,
    /// Whether to compute in bf16.
    #[serde(default)]
    bf16: bool,
    /// Whether to compute convolutions alone in bf16.
    #[serde(default)]
    bf16_convolutions: bool,
    /// Whether the kernels of this workspace are used.
    #[serde(default = "on")]
    kernels: bool,
    /// Whether to answer with the launches of one run on a GPU instead, those of each kernel on the
    /// standard error.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    #[serde(default)]
    launches: bool,
}

fn on() -> bool {
    true
}

fn main() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "mimalloc")]
    allocator::keep_memory();
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        kd_kernels::set_enabled(request.kernels);
        kd_kernels::set_bf16(request.bf16_convolutions);
        let mut device = device_by_name(&request.device)?;
        if request.bf16 {
            device.configure(FloatDType::BF16)?;
        }
        println!("{}", measure(&request, &device)?);
    }
    Ok(())
}

fn measure(request: &Request, device: &Device) -> Result<f64, Box<dyn Error>> {
    let speed = |device: &Device, images, run: &mut dyn FnMut()| {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        if request.launches {
            return launches(device, run);
        }
        speed(
            device,
            images,
            Duration::from_secs_f64(request.seconds),
            run,
        )
    };
    match &request.case {
        Case::Inference { network, batch } => {
            let (architecture, images, _) = inputs(network, *batch, device)?;
            let network = architecture.init(CLASSES, device).valid();
            speed(device, *batch, &mut || {
                network.forward(images.clone());
            })
        }
        Case::Training { network, batch } => {
            let training = device.clone().autodiff();
            let (architecture, images, labels) = inputs(network, *batch, &training)?;
            let batch = Batch::new(images, labels);
            let mut steps = Steps::new(architecture, None, batch.len(), device)?;
            speed(device, batch.len(), &mut || steps.step(&batch))
        }
        Case::Distillation {
            teacher,
            student,
            method,
            batch,
            folded,
            adaptive,
        } => {
            let training = device.clone().autodiff();
            let (student, images, labels) = inputs(student, *batch, &training)?;
            let batch = Batch::new(images, labels);
            let teaching = Teaching {
                network: teacher,
                method,
                folded: *folded,
                adaptive: *adaptive,
            };
            let mut steps = Steps::new(student, Some(teaching), batch.len(), device)?;
            speed(device, batch.len(), &mut || steps.step(&batch))
        }
        Case::Data {
            batch,
            images,
            folder,
        } => {
            let loader = loader(folder, *images, *batch)?;
            let count = loader.batches() * batch;
            let mut epoch = 0;
            speed(device, count, &mut || {
                loader.epoch(epoch, device).for_each(drop);
                epoch += 1;
            })
        }
        Case::Epoch {
            teacher,
            student,
            batch,
            images,
            folder,
        } => {
            let student = Architecture::by_name(student)?;
            let teaching = Teaching {
                network: teacher,
                method: "kd",
                folded: false,
                adaptive: false,
            };
            let mut steps = Steps::new(student, Some(teaching), *batch, device)?;
            let training = device.clone().autodiff();
            let loader = loader(folder, *images, *batch)?;
            let count = loader.batches() * batch;
            let mut epoch = 0;
            speed(device, count, &mut || {
                for batch in loader.epoch(epoch, &training) {
                    steps.step(&batch);
                }
                epoch += 1;
            })
        }
    }
}

/// The first training images of CIFAR-100 in whole batches, as they are trained with.
fn loader(folder: &Path, images: usize, batch: usize) -> Result<Loader, Box<dyn Error>> {
    let limits = Limits {
        train: Some(images),
        test: Some(1),
    };
    let set = Cifar::Cifar100.read(folder, limits)?.train;
    let config = LoaderConfig {
        drop_last: true,
        ..LoaderConfig::train(batch, 0)
    };
    Ok(Loader::new(set, config)?)
}

/// A network's name, images `[batch, 3, height, width]` and labels.
fn inputs(
    network: &str,
    batch: usize,
    device: &Device,
) -> Result<(Architecture, Tensor<4>, Tensor<1, Int>), Box<dyn Error>> {
    let architecture = Architecture::by_name(network)?;
    let [channels, height, width] = architecture.usual_input();
    let normal = Distribution::Normal(0.0, 1.0);
    let images = Tensor::random([batch, channels, height, width], normal, device);
    let labels = Tensor::<1, Int>::arange(0..batch as i64, device) % CLASSES as i64;
    Ok((architecture, images, labels))
}

/// Images a second of a run that sees so many, after two runs to warm up.
fn speed(
    device: &Device,
    images: usize,
    enough: Duration,
    run: &mut dyn FnMut(),
) -> Result<f64, Box<dyn Error>> {
    for _ in 0..2 {
        run();
    }
    device.sync()?;
    let start = Instant::now();
    let mut runs = 0;
    while runs < 2 || start.elapsed() < enough {
        run();
        device.sync()?;
        runs += 1;
    }
    Ok((images * runs) as f64 / start.elapsed().as_secs_f64())
}

/// Launches of one run, after three in which kernels are chosen.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[allow(clippy::print_stderr)]
fn launches(device: &Device, run: &mut dyn FnMut()) -> Result<f64, Box<dyn Error>> {
    for _ in 0..3 {
        run();
        device.sync()?;
    }
    let (synced, launches) = kd_kernels::gpu::launches::count(|| {
        run();
        device.sync()
    });
    synced?;
    for (kernel, count) in &launches {
        eprintln!("{count:6} {kernel}");
    }
    Ok(launches.values().sum::<usize>() as f64)
}

/// What a student learns from besides labels.
struct Teaching<'a> {
    network: &'a str,
    method: &'a str,
    /// Whether the teacher's batch norms are folded.
    folded: bool,
    /// Whether a policy chooses what is distilled where.
    adaptive: bool,
}

/// Training by the protocol of the field: momentum 0.9, weight decay 5e-4.
struct Steps(Option<DistillTask<AnyNetwork, AnyNetwork, MethodLoss>>);

impl Steps {
    fn new(
        student: Architecture,
        teaching: Option<Teaching<'_>>,
        batch: usize,
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let training = device.clone().autodiff();
        let mut shorthand = Shorthand::default();
        let mut config = TaskConfig::<Method>::new();
        let mut teacher = None;
        if let Some(teaching) = teaching {
            shorthand.method = Some(Method::by_name(teaching.method)?);
            config.fold_teacher = teaching.folded;
            if teaching.adaptive {
                config.routing = RoutingConfig::new(RoutingMode::Adaptive);
            }
            let network = Architecture::by_name(teaching.network)?.init(CLASSES, device);
            teacher = Some(FrozenTeacher::new(teaching.network, &network));
        }
        config.losses = shorthand.terms();
        let data = DataInfo {
            input: student.usual_input(),
            labels: (0..50_000).map(|index| index % CLASSES).collect(),
            batch_size: batch,
        };
        let student = student.init(CLASSES, &training);
        Ok(Self(Some(config.init(student, teacher, &data, &training)?)))
    }

    fn step(&mut self, batch: &Batch) {
        self.0 = self.0.take().map(|task| task.step(batch).0);
    }
}
