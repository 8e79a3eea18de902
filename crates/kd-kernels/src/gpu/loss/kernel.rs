//! The kernels: a block of threads has a row of logits.

use burn_cubecl::cubecl::{self, prelude::*};

/// Threads of a block.
pub(super) const THREADS: usize = 128;

/// The largest of the threads' numbers, for each of them.
#[cube]
fn largest(value: f32) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(THREADS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let steps = comptime!(THREADS.ilog2());
    #[unroll]
    for step in 0..steps {
        let half = comptime!((THREADS / 2) >> step);
        if unit < half {
            let other = shared[unit + half];
            shared[unit] = max(shared[unit], other);
        }
        sync_cube();
    }
    shared[0]
}

/// The sum of the threads' numbers, for each of them.
#[cube]
fn total(value: f32) -> f32 {
    let mut shared = Shared::<[f32]>::new_slice(THREADS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let steps = comptime!(THREADS.ilog2());
    #[unroll]
    for step in 0..steps {
        let half = comptime!((THREADS / 2) >> step);
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
    }
    shared[0]
}

/// `log Σ exp(logit · factor)` of the block's row.
#[cube]
fn log_sum(logits: &Tensor<f32>, factor: f32) -> f32 {
    let start = CUBE_POS_X as usize * logits.stride(0);
    let classes = logits.shape(1);
    let mut most = logits[start] * factor;
    let mut class = UNIT_POS as usize;
    while class < classes {
        most = max(most, logits[start + class * logits.stride(1)] * factor);
        class += THREADS;
    }
    let most = largest(most);
    let mut sum = 0.0f32;
    let mut class = UNIT_POS as usize;
    while class < classes {
        sum += (logits[start + class * logits.stride(1)] * factor - most).exp();
        class += THREADS;
    }
    most + total(sum).ln()
}

#[cube(launch)]
pub(super) fn cross_entropy(logits: &Tensor<f32>, targets: &Tensor<i32>, losses: &mut Tensor<f32>) {
    let row = CUBE_POS_X as usize;
    let level = log_sum(logits, 1.0f32);
    if UNIT_POS == 0 {
        let target = usize::cast_from(targets[row]);
        losses[row] = level - logits[row * logits.stride(0) + target * logits.stride(1)];
    }
}

#[cube(launch)]
pub(super) fn cross_entropy_gradient(
    logits: &Tensor<f32>,
    targets: &Tensor<i32>,
    gradient: &Tensor<f32>,
    of_logits: &mut Tensor<f32>,
) {
    let row = CUBE_POS_X as usize;
    let classes = logits.shape(1);
    let level = log_sum(logits, 1.0f32);
    let slope = gradient[row * gradient.stride(0)];
    let target = usize::cast_from(targets[row]);
    let mut class = UNIT_POS as usize;
    while class < classes {
        let logit = logits[row * logits.stride(0) + class * logits.stride(1)];
        let mut difference = (logit - level).exp();
        if class == target {
            difference -= 1.0f32;
        }
        let place = row * of_logits.stride(0) + class * of_logits.stride(1);
        of_logits[place] = slope * difference;
        class += THREADS;
    }
}

/// `factor` is one over the temperature.
#[cube(launch)]
pub(super) fn divergence(
    student: &Tensor<f32>,
    teacher: &Tensor<f32>,
    divergences: &mut Tensor<f32>,
    factor: f32,
) {
    let row = CUBE_POS_X as usize;
    let classes = student.shape(1);
    let of_student = log_sum(student, factor);
    let of_teacher = log_sum(teacher, factor);
    let mut sum = 0.0f32;
    let mut class = UNIT_POS as usize;
    while class < classes {
        let known = teacher[row * teacher.stride(0) + class * teacher.stride(1)] * factor;
        let learned = student[row * student.stride(0) + class * student.stride(1)] * factor;
        let known = known - of_teacher;
        sum += known.exp() * (known - (learned - of_student));
        class += THREADS;
    }
    let sum = total(sum);
    if UNIT_POS == 0 {
        divergences[row] = sum;
    }
}

/// `factor` is one over the temperature.
#[cube(launch)]
pub(super) fn divergence_gradient(
    student: &Tensor<f32>,
    teacher: &Tensor<f32>,
    gradient: &Tensor<f32>,
    of_student: &mut Tensor<f32>,
    factor: f32,
) {
    let row = CUBE_POS_X as usize;
    let classes = student.shape(1);
    let level = log_sum(student, factor);
    let level_of_teacher = log_sum(teacher, factor);
    let slope = gradient[row * gradient.stride(0)] * factor;
    let mut class = UNIT_POS as usize;
    while class < classes {
        let known = teacher[row * teacher.stride(0) + class * teacher.stride(1)] * factor;
        let learned = student[row * student.stride(0) + class * student.stride(1)] * factor;
        let difference = (learned - level).exp() - (known - level_of_teacher).exp();
        let place = row * of_student.stride(0) + class * of_student.stride(1);
        of_student[place] = slope * difference;
        class += THREADS;
    }
}
