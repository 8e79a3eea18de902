//! Measures one case after the other, as `compare.py` asks for them on the standard input: a JSON
//! object a line. Answers with images a second, a line each.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, FloatDType, Int, Tensor};
use kd_data::{Cifar, Limits, Loader, LoaderConfig};
use kd_losses::{Gate, KdLossConfig, Method, Setup, Step, cross_entropy};
use kd_models::{AnyNetwork, Architecture, Network};
use kd_spot::{Choices, Cuts, Router, RouterConfig, shapes_for_losses};
use kd_train::{
    Draft, FrozenTeacher, Learner, batch_loss, device_by_name, features_for_losses, sgd,
};
use serde::Deserialize;

// As the `kd` command has it.
#[global_allocator]
static ALLOCATOR: kd_kernels::Allocator = kd_kernels::Allocator;

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
    /// Whether the kernels of this workspace are used.
    #[serde(default = "on")]
    kernels: bool,
}

fn on() -> bool {
    true
}

fn main() -> Result<(), Box<dyn Error>> {
    kd_kernels::keep_memory();
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        kd_kernels::set_enabled(request.kernels);
        let mut device = device_by_name(&request.device)?;
        if request.bf16 {
            device.configure(FloatDType::BF16)?;
        }
        println!("{}", measure(&request, &device)?);
    }
    Ok(())
}

fn measure(request: &Request, device: &Device) -> Result<f64, Box<dyn Error>> {
    let enough = Duration::from_secs_f64(request.seconds);
    match &request.case {
        Case::Inference { network, batch } => {
            let (architecture, images, _) = inputs(network, *batch, device)?;
            let network = architecture.init(CLASSES, device).valid();
            speed(device, *batch, enough, || {
                network.forward(images.clone());
            })
        }
        Case::Training { network, batch } => {
            let training = device.clone().autodiff();
            let (architecture, images, labels) = inputs(network, *batch, &training)?;
            let mut optimizer = sgd(&recipe()?);
            let mut network = Some(architecture.init(CLASSES, &training));
            speed(device, *batch, enough, || {
                if let Some(student) = network.take() {
                    let logits = student.forward(images.clone());
                    let loss = cross_entropy(logits, labels.clone());
                    let gradients = GradientsParams::from_grads(loss.backward(), &student);
                    network = Some(optimizer.step(0.05, student, gradients));
                }
            })
        }
        Case::Distillation {
            teacher,
            student,
            method,
            batch,
            folded,
            adaptive,
        } => {
            let networks = [teacher.as_str(), student];
            let mut distillation =
                Distillation::new(networks, method, *batch, [*folded, *adaptive], device)?;
            let training = device.clone().autodiff();
            let (_, images, labels) = inputs(student, *batch, &training)?;
            speed(device, *batch, enough, || {
                distillation.step(&images, &labels);
            })
        }
        Case::Data {
            batch,
            images,
            folder,
        } => {
            let loader = loader(folder, *images, *batch)?;
            let count = loader.batches() * batch;
            let mut epoch = 0;
            speed(device, count, enough, || {
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
            let mut distillation =
                Distillation::new([teacher, student], "kd", *batch, [false, false], device)?;
            let training = device.clone().autodiff();
            let loader = loader(folder, *images, *batch)?;
            let count = loader.batches() * batch;
            let mut epoch = 0;
            speed(device, count, enough, || {
                for batch in loader.epoch(epoch, &training) {
                    distillation.step(&batch.images, &batch.labels);
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
    mut run: impl FnMut(),
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

/// The protocol of the field: momentum 0.9, weight decay 5e-4.
fn recipe() -> Result<kd_train::Recipe, Box<dyn Error>> {
    let draft = Draft {
        student: Some(Architecture::by_name("resnet8")?),
        ..Draft::default()
    };
    Ok(draft.finish()?)
}

struct Distillation {
    teacher: FrozenTeacher,
    learner: Option<Learner>,
    router: Option<Router>,
    /// The teacher in the grafted network.
    grafted: AnyNetwork,
    method: Method,
    optimizers: [burn::optim::ModuleOptimizer; 2],
    indices: Tensor<1, Int>,
}

impl Distillation {
    fn new(
        [teacher, student]: [&str; 2],
        method: &str,
        batch: usize,
        [folded, adaptive]: [bool; 2],
        device: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let training = device.clone().autodiff();
        let network = Architecture::by_name(teacher)?.init(CLASSES, device);
        let student = Architecture::by_name(student)?;
        let input = student.usual_input();
        let student = student.init(CLASSES, &training);
        let method = Method::by_name(method)?;
        let shapes = [&student, &network].map(|network| network.feature_shapes(input, device));
        let cuts = Cuts::at(method.place(), &shapes[0], &shapes[1])?;
        let router = RouterConfig::new().init(cuts, &shapes[0], &shapes[1], &training)?;
        let [own, other] = shapes.map(shapes_for_losses);
        let labels = (0..50_000).map(|index| index % CLASSES).collect();
        let setup = Setup::new(own, other).with_labels(labels).with_batch(batch);
        let loss = method.init(&setup, &training)?;
        let teacher = FrozenTeacher::new(teacher, &network);
        Ok(Self {
            grafted: teacher.clone().folded().network().clone(),
            teacher: match folded {
                true => teacher.folded(),
                false => teacher,
            },
            learner: Some(Learner {
                student,
                method: Some(loss),
            }),
            router: adaptive.then_some(router),
            method,
            optimizers: [sgd(&recipe()?), sgd(&recipe()?)],
            indices: Tensor::arange(0..batch as i64, device),
        })
    }

    fn step(&mut self, images: &Tensor<4>, labels: &Tensor<1, Int>) {
        let Some(learner) = self.learner.take() else {
            return;
        };
        let kd = KdLossConfig::new().init();
        let soft = self.teacher.features(images.clone());
        let own = features_for_losses(learner.student.features(images.clone()));
        let step = Step::new(&own, &soft)
            .with_labels(labels)
            .with_indices(&self.indices)
            .with_images(images);
        let weights = self.method.info().weights;
        let router = self.router.as_ref();
        let choices = router.map(|r| r.choose(own.pooled.clone(), soft.pooled.clone()));
        let method = learner.method.as_ref();
        let stages = own.maps.len() - 1;
        let spots = method.map_or(0, |method| method.spots(stages));
        let gates = choices.as_ref().map(|choices| choices.gates(spots));
        let step = match &gates {
            Some(gates) => step.with_gates(gates).scaled_by_share(),
            None => step,
        };
        let gate = choices.as_ref().map_or_else(Gate::all, Choices::last);
        let mut loss = batch_loss(&step, labels.clone(), &kd, method, &weights, &gate);
        if let (Some(router), Some(choices)) = (router, &choices) {
            let networks = (&learner.student, &self.grafted);
            let grafted = router.grafted(choices, networks, images.clone(), Some(&soft));
            let (labels, ce) = (labels.clone(), loss.ce.clone());
            loss.routing = Some(router.objective(choices, grafted, labels, ce));
        }
        let mut gradients = loss.root().backward();
        if let Some(router) = self.router.take() {
            let of_router = GradientsParams::from_module(&mut gradients, &router);
            self.router = Some(self.optimizers[1].step(0.025, router, of_router));
        }
        let gradients = GradientsParams::from_module(&mut gradients, &learner);
        self.learner = Some(self.optimizers[0].step(0.05, learner, gradients));
    }
}
