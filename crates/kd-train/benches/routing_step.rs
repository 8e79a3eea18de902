//! What choosing costs: a spot-adaptive step against a standard one, by method, and its parts.
//!
//! ```text
//! cargo bench --profile dev --bench routing_step [-- ROUNDS [METHOD[,METHOD] [BIAS]]]
//! ```
//!
//! The bias is the policy's, in favor of the teacher: at 10 it takes all samples, at -10 none. Both
//! steps have the same networks, method and batch, and run in turns. Every step and part ends
//! with a synchronization of the device.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use kd_data::Batch;
use kd_losses::{Method, MethodLoss};
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{RoutingConfig, RoutingMode};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, TaskConfig, device_by_name};

const BATCH: usize = 64;
const CLASSES: usize = 100;
const INPUT: [usize; 3] = [3, 32, 32];
const PAIRS: [(&str, &str); 2] = [("resnet20", "resnet8"), ("resnet32x4", "resnet8x4")];
const PARTS: [&str; 7] = [
    "teacher",
    "student",
    "gates",
    "loss",
    "grafted",
    "backward",
    "optimizer",
];

/// A task and its batch.
struct Scene {
    task: DistillTask<AnyNetwork, AnyNetwork, MethodLoss>,
    batch: Batch,
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
        let network = Architecture::by_name(teacher)?.init(CLASSES, plain);
        let teacher = FrozenTeacher::new(teacher, &network);
        let student = Architecture::by_name(student)?.init(CLASSES, &training);
        let labels: Vec<usize> = (0..BATCH).map(|sample| sample % CLASSES).collect();
        let mut config = TaskConfig::<Method>::new()
            .with_term(Method::by_name("ce")?, method.info().weights.ce)
            .with_term(Method::by_name("kd")?, 1.0);
        if method.name() != "kd" {
            // Also a method whose weight is 0 by default, as it has a phase before only.
            config = config.with_term(method.clone(), 1.0);
        }
        if bias.is_some() {
            config = config.with_routing(RoutingConfig {
                bias,
                ..RoutingConfig::new(RoutingMode::Adaptive)
            });
        }
        let data = DataInfo {
            input: INPUT,
            labels: labels.clone(),
            batch_size: BATCH,
        };
        let labels: Vec<i32> = labels.into_iter().map(|label| label as i32).collect();
        let shape = [BATCH, INPUT[0], INPUT[1], INPUT[2]];
        let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &training);
        Ok(Self {
            task: config.init(student, Some(teacher), &data, &training)?,
            batch: Batch::new(images, Tensor::from_ints(&*labels, &training)),
            plain: plain.clone(),
        })
    }

    /// One step; milliseconds of each part.
    fn step(self) -> Result<(Self, [f64; PARTS.len()]), Box<dyn Error>> {
        let Self { task, batch, plain } = self;
        let model = &task.model;
        let mut times = [0.0; PARTS.len()];
        let mut since = Instant::now();
        let mut lap = |part: usize| -> Result<(), Box<dyn Error>> {
            plain.sync()?;
            times[part] = since.elapsed().as_secs_f64() * 1e3;
            since = Instant::now();
            Ok(())
        };
        let soft = model.teacher_features(&batch);
        lap(0)?;
        let own = model.student_features(&batch);
        lap(1)?;
        let features = (&own, soft.as_ref());
        let gates = model.choose(features.0, features.1);
        lap(2)?;
        let mut losses = model.terms(&batch, features, gates.as_ref(), None);
        lap(3)?;
        let grafted = model.graft(&batch, features, gates.as_ref());
        losses.routing = grafted.map(|(_, objective)| objective);
        lap(4)?;
        let gradients = GradientsParams::from_grads(losses.root().backward(), model);
        lap(5)?;
        let task = task.update(gradients);
        lap(6)?;
        Ok((Self { task, batch, plain }, times))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
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
        for method in Method::distilling() {
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
