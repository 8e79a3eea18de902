//! Time and peak memory of forward and backward of every method, and of the naive forms.
//!
//! ```text
//! cargo bench --profile dev --bench losses [-- STEPS]
//! ```
//!
//! The features have the shapes of resnet32x4 → resnet8x4 on CIFAR-100 at batch 64. The memory is
//! the largest that is allocated at a time beyond features, adapters and banks, counted by the
//! allocator.
#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_losses::maps::NstLossConfig;
use kd_losses::relations::{CrdLossConfig, CrdSampling, RkdLossConfig};
use kd_losses::{
    Classifier, DistillationLoss, Features, LossConfig, Method, NormAffine, Pair, Setup, Step,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const BATCH: usize = 64;
const CLASSES: usize = 100;
const SAMPLES: usize = 50_000;
const RESNET_X4: &[[usize; 3]] = &[[32, 32, 32], [64, 32, 32], [128, 16, 16], [256, 8, 8]];
const RESNET50: &[[usize; 3]] = &[
    [64, 32, 32],
    [256, 32, 32],
    [512, 16, 16],
    [1024, 8, 8],
    [2048, 4, 4],
];
const VGG8: &[[usize; 3]] = &[
    [64, 32, 32],
    [128, 16, 16],
    [256, 8, 8],
    [512, 4, 4],
    [512, 4, 4],
];

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn features(maps: &[[usize; 3]], device: &Device) -> Features {
    let maps = |_| {
        let shapes = maps.iter();
        shapes
            .map(|[c, h, w]| random([BATCH, *c, *h, *w], device).require_grad_if())
            .collect()
    };
    Features {
        maps: maps(()),
        preact: maps(()),
        pooled: random([BATCH, maps_last(&maps(()))], device).require_grad_if(),
        logits: random([BATCH, CLASSES], device).require_grad_if(),
    }
}

fn maps_last(maps: &[Tensor<4>]) -> usize {
    maps.last().map_or(0, |map| map.dims()[1])
}

/// Leaves on an autodiff device, constants on a plain one.
trait Leaf {
    fn require_grad_if(self) -> Self;
}

impl<const D: usize> Leaf for Tensor<D> {
    fn require_grad_if(self) -> Self {
        if self.is_autodiff() {
            self.require_grad()
        } else {
            self
        }
    }
}

/// Milliseconds (the median) and MiB of forward and backward.
fn measure(steps: usize, mut run: impl FnMut() -> Tensor<1>) -> (f64, f64) {
    let mut times = Vec::new();
    let mut peak = 0.0f32;
    for step in 0..=steps {
        let before = ALLOCATOR.current_usage_as_mb();
        ALLOCATOR.reset_peak_usage();
        let start = Instant::now();
        let loss = run();
        let grads = loss.backward();
        let time = start.elapsed().as_secs_f64() * 1e3;
        drop(grads);
        // The first step warms up.
        if step > 0 {
            times.push(time);
            peak = peak.max(ALLOCATOR.peak_usage_as_mb() - before);
        }
    }
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], f64::from(peak))
}

fn row(name: &str, (time, memory): (f64, f64)) {
    println!("| {name} | {time:.1} | {memory:.1} |");
}

fn setup(student: &Features, teacher: &Features, device: &Device) -> Setup {
    let pooled = teacher.pooled.dims()[1];
    let norms = teacher.maps.iter().map(|map| NormAffine {
        weight: Tensor::ones([map.dims()[1]], device),
        bias: Tensor::zeros([map.dims()[1]], device),
    });
    Setup::new(student.shapes(), teacher.shapes())
        .with_labels((0..SAMPLES).map(|index| index % CLASSES).collect())
        .with_batch(BATCH)
        .with_classifier(Classifier {
            weight: random([CLASSES, pooled], device),
            bias: random([CLASSES], device),
        })
        .with_norms(norms.collect())
}

/// NST as it is defined: the products of all pairs of channels at all positions.
fn naive_nst(student: &Tensor<4>, teacher: &Tensor<4>) -> Tensor<1> {
    let rows = |map: &Tensor<4>| {
        let [n, c, ..] = map.dims();
        let rows = map.clone().reshape([n as i32, c as i32, -1]);
        let norm = rows.clone().square().sum_dim(2).clamp_min(1e-24).sqrt();
        rows / norm
    };
    let kernel = |one: &Tensor<3>, other: &Tensor<3>| {
        let products = one.clone().unsqueeze_dim::<4>(2) * other.clone().unsqueeze_dim::<4>(1);
        products.sum_dim(3).square().mean()
    };
    let (student, teacher) = (rows(student), rows(&teacher.clone().inner()));
    kernel(&teacher, &teacher) + kernel(&student, &student) - kernel(&student, &teacher) * 2.0
}

/// The scores of CRD as the reference computes them: the rows of the bank, gathered.
fn naive_crd(rows: &Tensor<2>, bank: &Tensor<2>, contrast: &Tensor<2, Int>) -> Tensor<1> {
    let [batch, columns] = contrast.dims();
    let dim = bank.dims()[1];
    let gathered = bank.clone().select(0, contrast.clone().flatten(0, 1));
    let gathered = gathered.reshape([batch, columns, dim]);
    let scores = gathered.matmul(rows.clone().unsqueeze_dim::<3>(2));
    (scores / 0.07).exp().sum() * 1e-6
}

/// The angles of RKD as the reference computes them: all differences, and all their products.
fn naive_angles(student: &Tensor<2>, teacher: &Tensor<2>) -> Tensor<1> {
    let angles = |rows: Tensor<2>| {
        let differences = rows.clone().unsqueeze_dim::<3>(0) - rows.unsqueeze_dim::<3>(1);
        let norm = differences
            .clone()
            .square()
            .sum_dim(2)
            .clamp_min(1e-24)
            .sqrt();
        let unit = differences / norm;
        unit.clone().matmul(unit.swap_dims(1, 2))
    };
    let difference = angles(student.clone()) - angles(teacher.clone().inner());
    let large = difference.clone().abs();
    let small = large.clone().clamp_max(1.0);
    (small.clone() * (large - small * 0.5)).mean()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let steps = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let plain = Device::default();
    let training = plain.clone().autodiff();
    plain.seed(0);

    println!("## Methods, resnet32x4 → resnet8x4, batch {BATCH}\n");
    println!("| method | ms | MiB |\n|---|---|---|");
    let student = features(RESNET_X4, &training);
    let teacher = features(RESNET_X4, &plain);
    let labels: Vec<i32> = (0..BATCH as i32).collect();
    let labels = Tensor::<1, Int>::from_ints(&*labels, &plain);
    let epoch = Tensor::from_floats([20.0], &plain);
    for method in Method::all() {
        // The cost of those that differentiate networks is that of the networks.
        if method.requirements().networks {
            continue;
        }
        let loss = method.build(&setup(&student, &teacher, &plain), &training)?;
        let step = Step::new(&student, &teacher)
            .with_labels(&labels)
            .with_indices(&labels)
            .with_epoch(&epoch);
        row(method.name(), measure(steps, || loss.term(&step)));
    }

    println!("\n## Lean and naive\n");
    println!("| form | ms | MiB |\n|---|---|---|");
    let nst = Method::by_name("nst")?.build(&setup(&student, &teacher, &plain), &training)?;
    row(
        "NST, three stages",
        measure(steps, || nst.term(&Step::new(&student, &teacher))),
    );
    row(
        "NST, naive, three stages",
        measure(1, || {
            let stages = student.maps.iter().zip(&teacher.maps).skip(1);
            let losses = stages.map(|(student, teacher)| naive_nst(student, teacher));
            Tensor::cat(losses.collect(), 0).sum()
        }),
    );
    for stage in 1..RESNET_X4.len() {
        let (student_shape, teacher_shape) = (&student.maps[stage], &teacher.maps[stage]);
        let lean = NstLossConfig::new().init()?;
        row(
            &format!("NST, stage {stage}"),
            measure(steps, || {
                lean.forward(student_shape.clone(), teacher_shape.clone())
            }),
        );
        row(
            &format!("NST, naive, stage {stage}"),
            measure(1, || naive_nst(student_shape, teacher_shape)),
        );
    }
    let crd = CrdLossConfig::new()
        .with_sampling(CrdSampling::Uniform)
        .init(Pair::both(256), SAMPLES, None, &training)?;
    let bank = crd.memory_teacher.value().inner();
    row(
        "CRD, both sides, K = 16384",
        measure(steps, || {
            let contrast = crd.draw(&labels, None, None);
            let (student_shape, teacher_shape) = (student.pooled.clone(), teacher.pooled.clone());
            crd.forward(student_shape, teacher_shape, labels.clone(), contrast)
        }),
    );
    row(
        "CRD, negatives drawn, nothing else",
        measure(steps, || {
            let drawn = crd.draw(&labels, None, None).float().mean();
            Tensor::from_inner(drawn).require_grad()
        }),
    );
    let contrast = crd.draw(&labels, None, None);
    let embedded = random([BATCH, 128], &training).require_grad();
    row(
        "CRD, naive scores of one side",
        measure(steps, || naive_crd(&embedded, &bank, &contrast)),
    );
    for batch in [64, 256] {
        let own = random([batch, 256], &training).require_grad();
        let others = random([batch, 256], &plain);
        let angles = RkdLossConfig::new().with_distance(0.0).init()?;
        row(
            &format!("RKD, angles, batch {batch}"),
            measure(steps, || angles.forward(own.clone(), others.clone())),
        );
        row(
            &format!("RKD, naive angles, batch {batch}"),
            measure(steps, || naive_angles(&own, &others)),
        );
    }

    println!("\n## NST, ResNet50 → vgg8, batch {BATCH}\n");
    println!("| form | ms | MiB |\n|---|---|---|");
    drop((student, teacher));
    let (student, teacher) = (features(VGG8, &training), features(RESNET50, &plain));
    let nst = Method::by_name("nst")?.build(&setup(&student, &teacher, &plain), &training)?;
    row(
        "NST, four stages",
        measure(steps, || nst.term(&Step::new(&student, &teacher))),
    );
    let largest = BATCH * 2048 * 2048 * 16 * 4 / (1 << 20);
    println!(
        "\nThe naive form's largest tensor alone, `[N, C, C, HW]` of the teacher's last stage, \
              has {largest} MiB."
    );
    Ok(())
}
