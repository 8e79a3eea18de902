//! Networks and a loss of one's own in a whole run: routing, a phase before the main one, and a
//! continuation that comes to the numbers of a run in one go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use kd_core::{Feature, Network, Requirements, Site};
use kd_losses::{
    DistillationLoss, EitherConfig, LossConfig, LossError, Method, Pretrain, Setup, Step,
    TermConfig,
};
use kd_spot::RoutingMode;
use kd_tests::{lines_without_seconds, tiny_set};
use kd_train::{
    EpochMetrics, NoopObserver, Observer, Parts, PretrainEpoch, Recipe, RunHistory, RunOptions,
    Setting, run_with,
};

/// A convolution with a batch norm and a ReLU for each stage, the stem included.
#[derive(Module, Debug)]
struct Tiny {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    head: Linear,
}

impl Tiny {
    fn new(widths: [usize; 3], setting: &Setting) -> Self {
        let device = &setting.device;
        let inputs = [setting.input[0], widths[0], widths[1]];
        let conv = |(from, to): (usize, &usize)| {
            let config = Conv2dConfig::new([from, *to], [3, 3]).with_stride([2, 2]);
            config.init(device)
        };
        Self {
            convs: inputs.into_iter().zip(&widths).map(conv).collect(),
            norms: widths.map(|w| BatchNormConfig::new(w).init(device)).into(),
            head: LinearConfig::new(widths[2], setting.classes).init(device),
        }
    }
}

impl Network for Tiny {
    fn stages(&self) -> usize {
        2
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match index {
            0..=2 => {
                let map = self.convs[index].forward(input.map());
                relu(self.norms[index].forward(map)).into()
            }
            3 => input
                .map()
                .mean_dim(3)
                .mean_dim(2)
                .flatten::<2>(1, 3)
                .into(),
            _ => self.head.forward(input.vector()).into(),
        }
    }
}

/// The student's pooled feature follows a short code of the teacher's, which is learned before.
#[derive(Clone, Debug)]
struct CodeConfig {
    length: usize,
}

#[derive(Module, Debug)]
struct Code {
    student: Linear,
    encode: Linear,
    decode: Linear,
}

impl LossConfig for CodeConfig {
    type Loss = Code;

    fn name(&self) -> &str {
        "code"
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled)
    }

    fn pretrain(&self) -> Pretrain {
        Pretrain::Adapters
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<Code, LossError> {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let (student, teacher) = (setup.student.pooled, setup.teacher.pooled);
        Ok(Code {
            student: linear(student, self.length),
            encode: linear(teacher, self.length),
            decode: linear(self.length, teacher),
        })
    }
}

impl Code {
    /// The code of the teacher's feature, and that feature.
    fn code(&self, step: &Step<'_>) -> [Tensor<2>; 2] {
        let pooled = Tensor::from_inner(step.teacher.pooled.clone().inner());
        [self.encode.forward(pooled.clone()), pooled]
    }
}

impl DistillationLoss for Code {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let [code, _] = self.code(step);
        let own = self.student.forward(step.student.pooled.clone());
        let distance = (own - code.detach()).square().mean_dim(1);
        step.mean_over_chosen(0, distance.squeeze_dim(1))
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        let [code, pooled] = self.code(step);
        Some((self.decode.forward(code) - pooled).square().mean())
    }
}

type Config = EitherConfig<Method, CodeConfig>;

fn parts() -> Parts<Tiny, Tiny, Config> {
    Parts::new("tiny", |setting| Tiny::new([4, 6, 8], setting))
        .with_teacher("small", |setting| Tiny::new([6, 8, 12], setting))
        .with_term(Config::Right(CodeConfig { length: 3 }), 0.5)
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::default();
    recipe.data.procedural = Some(tiny_set());
    recipe.data.batch_size = Some(8);
    for (name, weight) in [("ce", 1.0), ("kd", 0.9)] {
        let method = Method::by_name(name).expect("a method");
        recipe.losses.push(TermConfig::new(method, weight));
    }
    recipe.routing.mode = RoutingMode::Adaptive;
    recipe.train.epochs = Some(3);
    recipe.train.pretrain_epochs = Some(2);
    recipe.compute.device = Some("flex".to_owned());
    recipe
}

/// Ends a session after an epoch of a phase.
struct Kill {
    pretrain: bool,
    epoch: usize,
}

impl Observer for Kill {
    fn pretrain(&mut self, epoch: &PretrainEpoch) {
        assert_eq!(epoch.phase, "pretrain code");
        assert!(!self.pretrain || epoch.epoch < self.epoch, "killed");
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        assert!(self.pretrain || metrics.epoch < self.epoch, "killed");
    }
}

/// Runs until it is killed.
fn killed(out: &Path, mut kill: Kill) {
    let options = RunOptions::resuming(out);
    let session = AssertUnwindSafe(|| run_with(&recipe(), parts(), &options, &mut kill));
    assert!(catch_unwind(session).is_err(), "it was to be killed");
}

// One test: what is drawn is drawn from the process's generator.
#[test]
fn a_run_of_own_parts_that_was_killed_continues_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = folder.path().join("whole");
    let options = RunOptions::new(&whole);
    let result = run_with(&recipe(), parts(), &options, &mut NoopObserver).expect("a run");
    assert_eq!(result.losses, ["ce", "kd", "code"]);
    assert_eq!(result.teacher.as_deref(), Some("small"));
    let expected = lines_without_seconds(&whole);
    assert_eq!(expected.len(), 3);

    let history = RunHistory::read(&whole).expect("a history");
    for epoch in &history.epochs {
        let terms = epoch.train.terms.0.iter().map(|(name, _)| name.as_str());
        assert_eq!(terms.collect::<Vec<_>>(), ["ce", "kd", "code"]);
        assert!(epoch.train.routing.is_some());
    }
    let routing = history.routing.expect("routing");
    assert_eq!(routing.spots, ["pooled", "logits"]);

    let out = folder.path().join("killed");
    let kill = |pretrain, epoch| killed(&out, Kill { pretrain, epoch });
    kill(true, 1);
    assert!(!out.join("metrics.jsonl").exists() || lines_without_seconds(&out).is_empty());
    kill(true, 2);
    for epoch in [1, 2] {
        kill(false, epoch);
        assert_eq!(lines_without_seconds(&out), expected[..epoch]);
    }
    let options = RunOptions::resuming(&out);
    run_with(&recipe(), parts(), &options, &mut NoopObserver).expect("a run");
    assert_eq!(lines_without_seconds(&out), expected);
    let record = |run: &Path| std::fs::read(run.join("routing.json")).expect("a record");
    assert_eq!(record(&out), record(&whole));
}
