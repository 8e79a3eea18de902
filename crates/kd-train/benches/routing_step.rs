//! What choosing costs: a spot-adaptive step against a standard one, by method, and its parts.
//!
//! ```text
//! cargo bench --profile dev --bench routing_step [-- ROUNDS [METHOD[,METHOD] [BIAS]]]
//! ```
//!
//! The bias is the policy's, in favour of the teacher: at 10 it takes all samples, at -10 none. Both
//! steps have the same networks, method and batch, and run in turns. Every step and part ends
//! with a synchronisation of the device.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::time::Instant;

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_losses::{Gate, KdLoss, KdLossConfig, Method, Setup, Step};
use kd_models::{AnyNetwork, Architecture, Network};
use kd_spot::{Choices, Cuts, Router, RouterConfig, shapes_for_losses};
use kd_train::{
    Differentiable, Draft, FrozenTeacher, Learner, batch_loss, device_by_name, features_for_losses,
    sgd,
};

// As the `kd` command has it.
#[global_allocator]
static ALLOCATOR: kd_kernels::Allocator = kd_kernels::Allocator;

const BATCH: usize = 64;
const CLASSES: usize = 100;
const INPUT: [usize; 3] = [3, 32, 32];
const PAIRS: [(&str, &str); 2] = [("resnet20", "resnet8"), ("resnet32x4", "resnet8x4")];
const PARTS: [&str; 7] = [
    "teacher",
    "student",
    "choices",
    "loss",
    "grafted",
    "backward",
    "optimisers",
];

/// A learner, and what chooses for it.
struct Scene {
    teacher: FrozenTeacher,
    grafted: AnyNetwork,
    learner: Learner,
    router: Option<Router>,
    optimizers: [ModuleOptimizer; 2],
    kd: KdLoss,
    weights: kd_losses::LossWeights,
    needs: kd_losses::Needs,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
    plain: Device,
}

impl Scene {
    fn new(
        (teacher, student): (&str, &str),
        method: &Method,
        bias: Option<f64>,
        plain: &Device,
    ) -> Result<Self, Box<dyn Error>> {
        let training = plain.clone().autodiff();
        let recipe = Draft {
            student: Some(student.parse()?),
            ..Draft::default()
        }
        .finish()?;
        let network = Architecture::by_name(teacher)?.init(CLASSES, plain);
        let teacher = FrozenTeacher::new(teacher, &network);
        let student = Architecture::by_name(student)?.init(CLASSES, &training);
        let [own, others] = [&student, &network].map(|n| n.feature_shapes(INPUT, plain));
        let labels: Vec<usize> = (0..BATCH).map(|sample| sample % CLASSES).collect();
        let [of_student, of_teacher] = [&own, &others].map(|s| shapes_for_losses(s.clone()));
        let mut setup = Setup::new(of_student, of_teacher)
            .with_labels(labels.clone())
            .with_batch(BATCH);
        setup.classifier = teacher.classifier();
        setup.norms = teacher.norms();
        let cuts = Cuts::at(method.place(), &own, &others)?;
        let router = RouterConfig::new()
            .with_bias(bias.unwrap_or(0.0))
            .init(cuts, &own, &others, &training)?;
        let labels: Vec<i32> = labels.into_iter().map(|label| label as i32).collect();
        let mut weights = method.info().weights;
        // A method whose weight is 0 by default has a preliminary phase only.
        weights.method = if method.name() == "kd" { 0.0 } else { 1.0 };
        weights.kd = 1.0;
        Ok(Self {
            grafted: teacher.clone().folded().network().clone(),
            teacher,
            learner: Learner {
                student,
                method: Some(method.init(&setup, &training)?),
            },
            router: bias.map(|_| router),
            optimizers: [sgd(&recipe), sgd(&recipe)],
            kd: KdLossConfig::new().init(),
            weights,
            needs: method.info().needs,
            images: Tensor::random(
                [BATCH, 3, 32, 32],
                Distribution::Normal(0.0, 1.0),
                &training,
            ),
            labels: Tensor::from_ints(&*labels, &training),
            plain: plain.clone(),
        })
    }

    /// One step; milliseconds of each part.
    fn step(self) -> Result<(Self, [f64; PARTS.len()]), Box<dyn Error>> {
        let Self {
            teacher,
            mut learner,
            mut router,
            mut optimizers,
            ..
        } = self;
        let mut times = [0.0; PARTS.len()];
        let mut since = Instant::now();
        let mut lap = |part: usize| -> Result<(), Box<dyn Error>> {
            self.plain.sync()?;
            times[part] = since.elapsed().as_secs_f64() * 1e3;
            since = Instant::now();
            Ok(())
        };
        let soft = match self.needs.preact {
            true => teacher.features_with_preact(self.images.clone()),
            false => teacher.features(self.images.clone()),
        };
        lap(0)?;
        let own = features_for_losses(match self.needs.preact {
            true => learner.student.features_with_preact(self.images.clone()),
            false => learner.student.features(self.images.clone()),
        });
        lap(1)?;
        let choices = router
            .as_ref()
            .map(|router| router.choose(own.pooled.clone(), soft.pooled.clone()));
        lap(2)?;
        let indices = Tensor::arange(0..BATCH as i64, &self.plain);
        let networks = [
            Differentiable(&learner.student),
            Differentiable(teacher.network()),
        ];
        let mut step = Step::new(&own, &soft)
            .with_labels(&self.labels)
            .with_indices(&indices)
            .with_images(&self.images)
            .with_networks(&networks[0], &networks[1]);
        let method = learner.method.as_ref();
        let stages = own.maps.len() - 1;
        let spots = method.map_or(0, |method| method.spots(stages));
        let gates = choices.as_ref().map(|choices| choices.gates(spots));
        if let Some(gates) = &gates {
            step = step.with_gates(gates).scaled_by_share();
        }
        let gate = choices.as_ref().map_or_else(Gate::all, Choices::last);
        let labels = self.labels.clone();
        let mut loss = batch_loss(&step, labels, &self.kd, method, &self.weights, &gate);
        lap(3)?;
        if let (Some(router), Some(choices)) = (&router, &choices) {
            let images = self.images.clone().inner();
            let networks = (&learner.student, &self.grafted);
            let grafted = router.grafted(choices, networks, images, Some(&soft));
            let labels = self.labels.clone();
            loss.routing = Some(router.objective(choices, grafted, labels, loss.ce.clone()));
        }
        lap(4)?;
        let mut gradients = loss.root().backward();
        lap(5)?;
        router = router.map(|router| {
            let of_router = GradientsParams::from_module(&mut gradients, &router);
            optimizers[1].step(0.025, router, of_router)
        });
        let of_learner = GradientsParams::from_module(&mut gradients, &learner);
        learner = optimizers[0].step(0.05, learner, of_learner);
        lap(6)?;
        let scene = Self {
            teacher,
            learner,
            router,
            optimizers,
            ..self
        };
        Ok((scene, times))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    kd_kernels::keep_memory();
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let rounds: usize = arguments.next().map_or(Ok(7), |text| text.parse())?;
    let only = arguments.next();
    let bias: f64 = arguments.next().map_or(Ok(0.0), |text| text.parse())?;
    let plain = device_by_name("flex")?;
    for pair in PAIRS {
        println!(
            "\n{} -> {}, batch {BATCH}, milliseconds a step",
            pair.0, pair.1
        );
        println!(
            "| method | standard | adaptive | ratio | {} |",
            PARTS.join(" | ")
        );
        println!("|{}", "---|".repeat(4 + PARTS.len()));
        for method in Method::all() {
            let name = method.name();
            let chosen = |only: &String| only.split(',').any(|only| only == name);
            if only.as_ref().is_some_and(|only| !chosen(only)) {
                continue;
            }
            let scene = |bias| Scene::new(pair, &method, bias, &plain);
            let mut scenes = match [scene(None), scene(Some(bias))] {
                [Ok(standard), Ok(adaptive)] => [standard, adaptive],
                [Err(error), _] | [_, Err(error)] => {
                    println!("| {name} | {error} |");
                    continue;
                }
            };
            let mut steps: [Vec<[f64; PARTS.len()]>; 2] = [Vec::new(), Vec::new()];
            for round in 0..=rounds {
                let mut after = Vec::new();
                for (scene, steps) in scenes.into_iter().zip(&mut steps) {
                    let (scene, times) = scene.step()?;
                    if round > 0 {
                        steps.push(times);
                    }
                    after.push(scene);
                }
                scenes = after.try_into().map_err(|_| "there are two scenes")?;
            }
            let [standard, adaptive] =
                [0, 1].map(|at| median(steps[at].iter().map(|parts| parts.iter().sum()).collect()));
            let parts: Vec<_> = (0..PARTS.len())
                .map(|part| median(steps[1].iter().map(|parts| parts[part]).collect()))
                .map(|time| format!("{time:.1}"))
                .collect();
            let ratio = adaptive / standard;
            println!(
                "| {name} | {standard:.1} | {adaptive:.1} | {ratio:.2} | {} |",
                parts.join(" | ")
            );
        }
    }
    Ok(())
}
