//! Steps whose state stays on the device: they are those of a run with the host, and can be recorded
//! where a device does that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::{Method, MethodLoss, TermConfig};
use kd_spot::{RoutingConfig, RoutingMode};
use kd_tests::{Tiny, lines_without_seconds};
use kd_train::{
    DataInfo, DeviceSteps, DistillTask, EpochMetrics, FrozenTeacher, GraphMode, NoopObserver,
    NotRecorded, Observer, OptimizerConfig, OptimizerName, Parts, Rates, Recipe, RunHistory,
    RunOptions, TaskConfig, TrainError, run_with,
};

/// Images of seven whole batches, and a short one.
const IMAGES: usize = 60;
const BATCH: usize = 8;

type Task = DistillTask<Tiny, Tiny, MethodLoss>;

/// Initial weights come from the process's generator.
fn alone() -> MutexGuard<'static, ()> {
    static DRAWING: Mutex<()> = Mutex::new(());
    DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn images() -> ProceduralConfig {
    ProceduralConfig {
        classes: 3,
        train: IMAGES,
        test: 6,
        ..ProceduralConfig::default()
    }
}

fn recipe(terms: &[&str], routing: RoutingMode, graph: GraphMode) -> Recipe {
    let mut recipe = Recipe::default();
    recipe.data.procedural = Some(images());
    recipe.data.batch_size = Some(BATCH);
    for name in terms {
        let method = Method::by_name(name).expect("a method");
        recipe.losses.push(TermConfig::new(method, 0.8));
    }
    recipe.routing.mode = routing;
    recipe.train.epochs = Some(3);
    recipe.compute.device = Some("flex".to_owned());
    recipe.compute.graph = graph;
    recipe
}

fn parts() -> Parts<Tiny, Tiny> {
    Parts::new("tiny", |setting| Tiny::new(3, &setting.device))
        .with_teacher("small", |setting| Tiny::new(4, &setting.device))
}

fn go_on(recipe: &Recipe, out: &Path, observer: &mut dyn Observer) -> Result<(), TrainError> {
    let options = RunOptions::resuming(out);
    run_with(recipe, parts(), &options, observer).map(drop)
}

/// The tensors of a run's student, in the order of their names.
fn student(run: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(run.join("student.safetensors")).expect("weights");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let tensors = file.tensors().into_iter();
    let mut tensors: Vec<_> = tensors
        .map(|(name, tensor)| (name, tensor.data().to_vec()))
        .collect();
    tensors.sort();
    tensors
}

#[test]
fn a_run_on_the_device_is_the_run_with_the_host() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = recipe(&["ce", "kd"], RoutingMode::Always, GraphMode::Off);
    let mut clipped = plain.clone();
    clipped.optimizer.nesterov = true;
    clipped.optimizer.clip_norm = Some(0.5);
    clipped.optimizer.clip_value = Some(0.1);
    clipped.optimizer.decay_norms_and_biases = false;
    clipped.train.ema_decay = Some(0.9);
    let mut by_step = plain.clone();
    by_step.scheduler.name = kd_train::SchedulerName::OneCycle;
    let runs = [
        plain,
        clipped,
        by_step,
        recipe(&["ce", "crd"], RoutingMode::Always, GraphMode::Off),
        recipe(&["ce", "at"], RoutingMode::Adaptive, GraphMode::Off),
        recipe(&["ce", "kd"], RoutingMode::Random, GraphMode::Off),
    ];
    for (index, with_host) in runs.into_iter().enumerate() {
        let [expected, found] =
            ["host", "device"].map(|name| folder.path().join(format!("{name}{index}")));
        go_on(&with_host, &expected, &mut NoopObserver).expect("a run");
        let mut on_device = with_host;
        on_device.compute.graph = GraphMode::On;
        go_on(&on_device, &found, &mut NoopObserver).expect("a run");
        let lines = lines_without_seconds(&expected);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines_without_seconds(&found), lines, "run {index}");
        assert!(student(&found) == student(&expected), "run {index}");
    }
}

/// Ends a session after an epoch.
struct Kill(usize);

impl Observer for Kill {
    fn epoch(&mut self, metrics: &EpochMetrics) {
        assert!(metrics.epoch < self.0, "killed");
    }
}

#[test]
fn a_run_on_the_device_that_was_killed_continues_to_the_same_numbers() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let modes = [GraphMode::On, GraphMode::Off];
    let of = |mode| recipe(&["ce", "crd"], RoutingMode::Adaptive, mode);
    let whole = folder.path().join("whole");
    go_on(&of(GraphMode::On), &whole, &mut NoopObserver).expect("a run");
    let expected = lines_without_seconds(&whole);
    for (first, then) in modes
        .into_iter()
        .flat_map(|first| modes.map(|then| (first, then)))
    {
        let out = folder.path().join(format!("{first:?}{then:?}"));
        let session = AssertUnwindSafe(|| go_on(&of(first), &out, &mut Kill(1)));
        assert!(catch_unwind(session).is_err(), "it was to be killed");
        go_on(&of(then), &out, &mut NoopObserver).expect("a run");
        assert_eq!(lines_without_seconds(&out), expected, "{first:?}, {then:?}");
        assert!(student(&out) == student(&whole), "{first:?}, {then:?}");
    }
}

fn optimizer() -> OptimizerConfig {
    let config = OptimizerConfig {
        lr: Some(0.05),
        momentum: Some(0.9),
        weight_decay: Some(5e-4),
        ..OptimizerConfig::new(OptimizerName::Sgd)
    };
    config.resolved().expect("an optimizer")
}

fn task(loader: &Loader, device: &Device) -> Task {
    let training = device.clone().autodiff();
    // Weights are drawn on the CPU, whatever the device.
    kd_core::seed(3, device);
    let student = Tiny::new(3, &training);
    let teacher = Tiny::new(4, device);
    let named = |name| Method::by_name(name).expect("a method");
    // All that a step changes: parameters of three groups, statistics, banks, an average, counts; and
    // what it draws.
    let mut config = TaskConfig::<Method>::new()
        .with_optimizer(optimizer())
        .with_routing(RoutingConfig::new(RoutingMode::Adaptive));
    config.ema_decay = Some(0.9);
    for name in ["ce", "at", "crd"] {
        config = config.with_term(named(name), 0.5);
    }
    let teacher = Some(FrozenTeacher::new("small", &teacher));
    let data = DataInfo::of(loader);
    config
        .init(student, teacher, &data, &training)
        .expect("a task")
}

fn loader() -> Loader {
    let set = images().generate().expect("images").train;
    Loader::new(set, LoaderConfig::train(BATCH, 5)).expect("a loader")
}

/// All tensors of a module that are floats, one after the other.
fn values<M: Module>(module: &M) -> Vec<f32> {
    struct Values(Vec<f32>);

    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().inner().into_data();
            self.0.extend(values.iter::<f32>());
        }
    }

    let mut values = Values(Vec::new());
    module.visit(&mut values);
    values.0
}

/// A task on a device after so many steps, recorded if that is asked for.
fn after(
    steps: usize,
    device: &Device,
    record: bool,
) -> (Vec<f32>, Option<Result<f64, NotRecorded>>) {
    let loader = loader();
    let mut task = task(&loader, device);
    DeviceSteps::check(&task, &optimizer(), &loader).expect("nothing needs the host");
    let mut on_device = DeviceSteps::new(&mut task, (&optimizer(), 0.0), &loader).expect("images");
    on_device.start(&mut task, 1, |_| Rates::from(0.05), Some(7));
    let mut recorded = None;
    if record {
        let result;
        (task, result) = on_device.record(task);
        recorded = Some(result);
    }
    while on_device.next_step() < steps {
        task = on_device.step(task).expect("a step");
    }
    let task = task.on_host();
    let average = task.ema.as_ref().map(|ema| values(&ema.network));
    let all = [values(&task.model), average.expect("an average")].concat();
    (all, recorded)
}

#[test]
fn a_device_that_records_nothing_says_so_and_goes_on() {
    let _alone = alone();
    let device = kd_train::device_by_name("flex").expect("flex is a default");
    let (expected, _) = after(7, &device, false);
    let (found, recorded) = after(7, &device, true);
    let reason = recorded.expect("it was tried").expect_err("a CPU");
    assert!(
        reason
            .to_string()
            .starts_with("this device does not record"),
        "{reason}"
    );
    assert_eq!(found, expected);
}

#[test]
fn a_recorded_step_is_the_step() {
    let Some(device) = gpu("a_recorded_step_is_the_step") else {
        return;
    };
    let _alone = alone();
    let (expected, _) = after(7, &device, false);
    let (found, recorded) = after(7, &device, true);
    let difference = recorded.expect("it was tried").expect("a recording");
    assert!(difference < 1e-4, "{difference}");
    let far = |(found, expected): (&f32, &f32)| (found - expected).abs() > 1e-4;
    let apart = found
        .iter()
        .zip(&expected)
        .filter(|pair| far(*pair))
        .count();
    assert_eq!((found.len(), apart), (expected.len(), 0));
}

#[test]
fn a_run_that_is_recorded_is_the_run() {
    let Some(device) = gpu_name("a_run_that_is_recorded_is_the_run") else {
        return;
    };
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Between the epochs, the student is evaluated and written.
    let losses = [GraphMode::Off, GraphMode::On].map(|mode| {
        let mut recipe = recipe(&["ce", "kd"], RoutingMode::Always, mode);
        recipe.compute.device = Some(device.clone());
        let out = folder.path().join(format!("{mode:?}"));
        go_on(&recipe, &out, &mut NoopObserver).expect("a run");
        let history = RunHistory::read(&out).expect("a history");
        let losses = history.epochs.iter();
        let losses = losses.map(|epoch| [epoch.train.loss, epoch.test.loss]);
        losses.collect::<Vec<_>>()
    });
    let [expected, found] = losses;
    assert_eq!(expected.len(), 3);
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    }
}

#[test]
fn what_needs_the_host_is_named() {
    let _alone = alone();
    let device = kd_train::device_by_name("flex").expect("flex is a default");
    let loader = loader();
    let task = task(&loader, &device);
    let reason = |optimizer: &OptimizerConfig, loader: &Loader| {
        let reason = DeviceSteps::check(&task, optimizer, loader);
        reason.expect_err("it needs the host").to_string()
    };
    let adam = OptimizerConfig::new(OptimizerName::Adam);
    assert_eq!(
        reason(&adam, &loader),
        "an optimizer other than sgd needs the host in each step"
    );
    let large = LoaderConfig::train(10, 5);
    let set = images().generate().expect("images").train;
    let few = Loader::new(set.limit(59), large).expect("a loader");
    assert_eq!(
        reason(&optimizer(), &few),
        "an epoch has 5 full batches, but recording needs 7"
    );
}

/// The GPU that `KD_TEST_DEVICE` names.
fn gpu(test: &str) -> Option<Device> {
    let name = gpu_name(test)?;
    Some(kd_train::device_by_name(&name).expect("a device"))
}

/// Its name; without it, the test says that it is skipped.
#[allow(clippy::print_stderr)]
fn gpu_name(test: &str) -> Option<String> {
    let name = std::env::var("KD_TEST_DEVICE").ok();
    if name.is_none() {
        eprintln!("skipped: {test}: set KD_TEST_DEVICE to a GPU, for example wgpu");
    }
    name
}
