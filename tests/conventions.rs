//! `random` and `joint` routing by the convention of the authors' code: two whole steps of each
//! against plain tensor code, in f64.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_core::Network;
use kd_data::Batch;
use kd_losses::Method;
use kd_losses::logits::KdLossConfig;
use kd_spot::{Adapter, Convention, CutPlacement, Gates, Router, RoutingConfig, RoutingMode};
use kd_tests::{Leaves, Out, Plain, Tiny, assert_near, in_f64};
use kd_train::{
    DataInfo, DistillTask, FrozenTeacher, Losses, OptimizerConfig, OptimizerName, TaskConfig,
    TrainError,
};

const BATCH: usize = 6;
const INPUT: [usize; 3] = [3, 6, 6];
const GAMMA: f64 = 2.0;
/// Weights of cross-entropy, attention transfer and the divergence of logits.
const WEIGHTS: [f64; 3] = [0.7, 20.0, 1.5];
const TEMPERATURE: f64 = 4.0;
const GUMBEL: f64 = 5.0;
const RATE: f64 = 0.05;
const AGENT_RATE: f64 = 0.4;
const DECAY: f64 = 5e-4;
const AGENT_DECAY: f64 = 1e-3;
const MOMENTUM: f64 = 0.9;

type Task = DistillTask<Tiny, Tiny, kd_losses::MethodLoss>;

fn task(routing: RoutingConfig, method: &str, device: &Device) -> Result<Task, TrainError> {
    let plain = device.clone().without_autodiff();
    let teacher = FrozenTeacher::new("teacher", &Tiny::new(5, &plain));
    let named = |name| Method::by_name(name).expect("a method");
    TaskConfig::<Method>::new()
        .with_term(named("ce"), WEIGHTS[0])
        .with_term(named(method), WEIGHTS[1])
        .with_term(
            Method::Kd(KdLossConfig::new().with_temperature(TEMPERATURE)),
            WEIGHTS[2],
        )
        .with_routing(RoutingConfig {
            convention: Convention::Sakd,
            gamma: Some(GAMMA),
            ..routing
        })
        .with_optimizer(OptimizerConfig {
            lr: Some(RATE),
            momentum: Some(MOMENTUM),
            weight_decay: Some(DECAY),
            ..OptimizerConfig::new(OptimizerName::Sgd)
        })
        .init(
            Tiny::new(4, device),
            Some(teacher),
            &DataInfo {
                input: INPUT,
                labels: vec![0; BATCH],
                batch_size: BATCH,
            },
            device,
        )
}

fn joint() -> RoutingConfig {
    RoutingConfig {
        cuts: Some(CutPlacement::Pooled),
        lr: Some(AGENT_RATE),
        weight_decay: Some(AGENT_DECAY),
        ..RoutingConfig::new(RoutingMode::Joint)
    }
}

fn batch(device: &Device) -> Batch {
    let [channels, height, width] = INPUT;
    let shape = [BATCH, channels, height, width];
    let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
    Batch::new(images, Tensor::from_ints([0, 2, 1, 1, 0, 2], device))
}

fn cross_entropy(logits: Tensor<2>, labels: &Tensor<1, Int>) -> Tensor<1> {
    let labels: Tensor<2, Int> = labels.clone().inner().unsqueeze_dim(1);
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

/// `Σ_n g_n l_n / N`: the mean over the chosen samples times their share.
fn gated(values: Tensor<1>, gates: &Tensor<2>, spot: usize) -> Tensor<1> {
    let gate: Tensor<1> = gates.clone().narrow(1, spot, 1).squeeze_dim(1);
    (values * gate).mean()
}

fn divergence(student: &Out, teacher: &Out, gates: &Tensor<2>, spot: usize) -> Tensor<1> {
    let log = |out: &Out| log_softmax(out.logits.clone() / TEMPERATURE, 1);
    let (own, other) = (log(student), log(teacher));
    let terms = other.clone().exp() * (other - own) * TEMPERATURE * TEMPERATURE;
    gated(terms.sum_dim(1).squeeze_dim(1), gates, spot)
}

fn attention(student: &Out, teacher: &Out, gates: &Tensor<2>, spots: [usize; 2]) -> Tensor<1> {
    let attention = |out: &Out, stage: usize| {
        let rows: Tensor<2> = out.maps[stage].clone().square().mean_dim(1).flatten(1, 3);
        let norm = rows.clone().square().sum_dim(1).sqrt();
        rows / norm
    };
    let of_stage = |stage: usize| {
        let squares = (attention(student, stage) - attention(teacher, stage)).square();
        gated(squares.mean_dim(1).squeeze_dim(1), gates, spots[stage - 1])
    };
    of_stage(1) + of_stage(2)
}

/// Compares the terms, in order, and their sum.
fn assert_losses(losses: &Losses, expected: &[(&str, &Tensor<1>)], total: &Tensor<1>) {
    let names: Vec<&str> = losses.terms.iter().map(|(name, _)| name.as_str()).collect();
    let expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected_names);
    for (name, value) in expected {
        let found = losses.term(name).expect("a term");
        assert_near(name, value, found);
    }
    assert_near("total", total, &losses.total);
}

#[test]
fn two_random_steps_are_the_references() {
    in_f64();
    let device = Device::default().autodiff();
    device.seed(3);
    let routing = RoutingConfig::new(RoutingMode::Random);
    let mut task = task(routing, "at", &device).expect("a task");
    let frozen = task.model.teacher.0.clone().expect("a teacher");
    let mut student = Plain::of(&task.model.student);
    let teacher = Plain::of(frozen.network());
    for _ in 0..2 {
        let batch = batch(&device);
        let output;
        (task, output) = task.step(&batch);
        let gates = output.gates.expect("gates").distilled().clone();
        // One for each stage and one for the logits, which is that of the last stage.
        assert_eq!(gates.dims(), [BATCH, 3]);
        assert_near(
            "last",
            &gates.clone().narrow(1, 1, 1),
            &gates.clone().narrow(1, 2, 1),
        );

        let own = student.train(&batch.images);
        let soft = teacher.evaluate(&batch.images);
        let ce = cross_entropy(own.logits.clone(), &batch.labels);
        let at = attention(&own, &soft, &gates, [0, 1]);
        let kd = divergence(&own, &soft, &gates, 1);
        let total =
            ce.clone() * (GAMMA * WEIGHTS[0]) + at.clone() * WEIGHTS[1] + kd.clone() * WEIGHTS[2];
        let expected = [("ce", &ce), ("at", &at), ("kd", &kd)];
        assert_losses(&output.losses, &expected, &total);
        assert!(output.losses.routing.is_none());

        student
            .leaves
            .step(&total.backward(), (RATE, DECAY, MOMENTUM));
        student.assert_is("student", &task.model.student);
    }
}

#[test]
fn a_method_with_one_cut_leaves_the_logits_a_gate_of_their_own() {
    in_f64();
    let device = Device::default().autodiff();
    device.seed(4);
    let routing = RoutingConfig::new(RoutingMode::Random);
    let task = task(routing, "pkt", &device).expect("a task");
    let routing = task.model.routing.as_ref().expect("routing");
    let features = task.model.student.features(batch(&device).images);
    let mut differ = 0;
    let mut chosen = 0.0;
    for _ in 0..200 {
        let gates = routing
            .choose(&features, &features, None)
            .distilled()
            .clone();
        assert_eq!(gates.dims(), [BATCH, 2]);
        chosen += gates.clone().mean().into_scalar::<f64>();
        let [first, last] = [0, 1].map(|spot| gates.clone().narrow(1, spot, 1));
        differ += usize::from(!first.equal(last).all().into_scalar::<bool>());
    }
    assert!(differ > 150, "{differ} of 200");
    assert!((chosen / 200.0 - 0.5).abs() < 0.05, "{chosen} of 200");
}

fn linear(adapter: &Adapter) -> &burn::nn::Linear {
    match adapter {
        Adapter::Vector(layer) => layer,
        other => panic!("{other:?} between vectors"),
    }
}

/// Policy, hint and anti-hint.
fn layers(router: &Router) -> [&burn::nn::Linear; 3] {
    let graft = &router.graft;
    [
        &router.policy.net,
        linear(&graft.hints[0]),
        linear(&graft.anti_hints[0]),
    ]
}

fn router(task: &Task) -> &Router {
    let routing = task.model.routing.as_ref().expect("routing");
    routing.router.as_ref().expect("a router")
}

/// Shares of the teacher `[batch, spots]`: hard forward, soft backward.
fn shares(agent: &Leaves, own: &Out, soft: &Out, uniform: &Tensor<3>) -> Tensor<2> {
    let features = Tensor::cat(vec![soft.pooled.clone(), own.pooled.clone()], 1);
    let logits = agent.linear(0, Tensor::from_inner(features.inner()));
    let noise = ((uniform.clone() + 1e-20).log().neg() + 1e-20).log().neg();
    let [batch, numbers] = logits.dims();
    let logits: Tensor<3> = logits.reshape([batch, numbers / 2, 2]);
    let soft = softmax((logits + noise) / GUMBEL, 2).narrow(2, 0, 1);
    let soft: Tensor<2> = soft.squeeze_dim(2);
    let hard = soft.clone().inner().greater_elem(0.5).float();
    hard + soft.clone() - soft.detach()
}

/// The grafted network's logits, both networks in evaluation.
fn grafted(
    agent: &Leaves,
    [student, teacher]: [&Plain; 2],
    images: &Tensor<4>,
    shares: &Tensor<2>,
) -> Tensor<2> {
    let constant = |tensor: Tensor<2>| Tensor::<2>::from_inner(tensor.inner());
    let own = constant(student.evaluate(images).pooled);
    let other = constant(teacher.evaluate(images).pooled);
    let mix = |own: Tensor<2>, other: Tensor<2>, spot: usize| {
        let share = shares.clone().narrow(1, spot, 1);
        own * (share.clone().neg() + 1.0) + other * share
    };
    let hint = agent.linear(1, own.clone());
    let anti_hint = agent.linear(2, other.clone());
    let own = student.classify(mix(own, anti_hint, 0));
    let other = teacher.classify(mix(hint, other, 0));
    mix(own, other, 1)
}

#[test]
fn two_joint_steps_are_the_references() {
    in_f64();
    let device = Device::default().autodiff();
    device.seed(5);
    let plain = device.clone().without_autodiff();
    let mut task = task(joint(), "at", &device).expect("a task");
    let start = task.model.teacher.0.clone().expect("a teacher");
    let mut student = Plain::of(&task.model.student);
    let mut teacher = Plain::of(start.network());
    let mut agent = Leaves::of_linears(&layers(router(&task)));
    for _ in 0..2 {
        let batch = batch(&device);
        let uniform = Tensor::random([BATCH, 2, 2], Distribution::Uniform(0.0, 1.0), &plain);
        let features = task.model.student_features(&batch);
        let wanted = task.model.teacher_features(&batch).expect("a teacher");
        let logits = router(&task)
            .policy
            .forward(features.pooled.clone(), wanted.pooled.clone());
        let chosen: Gates = router(&task).choose_from(logits, uniform.clone());
        let gates = chosen.distilled().clone();
        let features = (features, Some(wanted));
        let output = task
            .model
            .forward_with_gates(&batch, features, Some(chosen), None);

        let own = student.train(&batch.images);
        let soft = teacher.train(&batch.images);
        let shares = shares(&agent, &own, &soft, &uniform);
        assert_near("gates", &shares, &gates);
        let ce = cross_entropy(own.logits.clone(), &batch.labels);
        let of_teacher = cross_entropy(soft.logits.clone(), &batch.labels);
        // Stages 1 and 2 are before the cut, which is after the pooling.
        let at = attention(&own, &soft, &gates, [0, 0]);
        let kd = divergence(&own, &soft, &gates, 1);
        let total = (ce.clone() + of_teacher.clone()) * (GAMMA * WEIGHTS[0])
            + at.clone() * WEIGHTS[1]
            + kd.clone() * WEIGHTS[2];
        let names = ["ce", "teacher ce", "at", "kd"];
        let expected: Vec<_> = names
            .into_iter()
            .zip([&ce, &of_teacher, &at, &kd])
            .collect();
        assert_losses(&output.losses, &expected, &total);

        let logits = grafted(&agent, [&student, &teacher], &batch.images, &shares);
        assert_near("graft", &logits, output.grafted.as_ref().expect("logits"));
        let objective = cross_entropy(logits, &batch.labels) * GAMMA;
        let routing = output.losses.routing.as_ref().expect("an objective");
        assert_near("objective", &objective, routing);

        let gradients = output.losses.root().backward();
        let gradients = burn::optim::GradientsParams::from_grads(gradients, &task.model);
        task = task.update(gradients);
        // The objective reaches the agent alone: what it leaves on the networks is thrown away.
        agent.step(&objective.backward(), (AGENT_RATE, AGENT_DECAY, MOMENTUM));
        let gradients = total.backward();
        student.leaves.step(&gradients, (RATE, DECAY, MOMENTUM));
        teacher.leaves.step(&gradients, (RATE, DECAY, MOMENTUM));
        agent.assert_linears("agent", &layers(router(&task)));
        student.assert_is("student", &task.model.student);
        let trained = task.model.trained_teacher().expect("a trained teacher");
        teacher.assert_is("teacher", trained);
    }
    // The weights that the run started from are left alone.
    let again = task.model.teacher.0.as_ref().expect("a teacher");
    Plain::of(start.network()).assert_is("start", again.network());
}

#[test]
fn losses_that_cannot_train_a_teacher_are_refused() {
    in_f64();
    let device = Device::default().autodiff();
    let error = task(joint(), "irg", &device).err().expect("a mistake");
    assert_eq!(
        error.to_string(),
        "routing.convention: sakd cannot be used with the loss `irg`, which cannot train a teacher"
    );
}
