//! Routing at its limits: everything chosen, nothing, one sample, a batch of one, a short last batch,
//! and the same choice for a whole epoch. Losses, gradients and parameters stay finite for every
//! method.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Gradients, Int, Tensor};
use kd_core::Network;
use kd_data::Batch;
use kd_losses::{LossConfig, Method, MethodLoss, Setup};
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{Gates, Router, RoutingConfig, RoutingMode};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, OptimizerConfig, OptimizerName, TaskConfig};

const CLASSES: usize = 4;
const BATCH: usize = 5;
const INPUT: [usize; 3] = [3, 16, 16];

/// Who is to be chosen.
#[derive(Clone, Copy, Debug)]
enum Chosen {
    All,
    None,
    One,
}

/// Noise that decides whatever the policy says.
fn noise(chosen: Chosen, [batch, spots]: [usize; 2], device: &Device) -> Tensor<3> {
    let rows: Vec<f32> = (0..batch)
        .flat_map(|sample| {
            let teacher = match chosen {
                Chosen::All => true,
                Chosen::None => false,
                Chosen::One => sample == 0,
            };
            let row = if teacher { [1.0, 0.0] } else { [0.0, 1.0] };
            std::iter::repeat_n(row, spots).flatten()
        })
        .collect();
    Tensor::<1>::from_floats(&*rows, device).reshape([batch, spots, 2])
}

/// Whether all parameters, or all of their gradients, are finite.
fn assert_finite<M: Module>(what: &str, module: &M, gradients: Option<&Gradients>) {
    struct Finite<'a>(&'a str, Option<&'a Gradients>);

    impl ModuleVisitor for Finite<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = match self.1 {
                Some(gradients) => match param.val().grad(gradients) {
                    Some(gradient) => gradient,
                    None => return,
                },
                None => param.val().inner(),
            };
            let finite: bool = values.is_finite().all().into_scalar::<bool>();
            let of = if self.1.is_some() {
                "gradient"
            } else {
                "parameter"
            };
            assert!(finite, "{}: a {of} is not finite", self.0);
        }
    }

    module.visit(&mut Finite(what, gradients));
}

struct Scene {
    task: DistillTask<AnyNetwork, AnyNetwork, MethodLoss>,
    device: Device,
    what: String,
}

impl Scene {
    fn new(method: &Method, names: [&str; 2]) -> Self {
        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let init = |name: &str, device: &Device| {
            let architecture = Architecture::by_name(name).expect("a network");
            architecture.init(CLASSES, device)
        };
        let teacher = FrozenTeacher::new(names[0], &init(names[0], &plain));
        let data = DataInfo {
            input: INPUT,
            labels: (0..20).map(|sample| sample % CLASSES).collect(),
            batch_size: BATCH,
        };
        let mut config = TaskConfig::<Method>::new()
            .with_term(Method::by_name("ce").expect("a method"), 1.0)
            .with_term(Method::by_name("kd").expect("a method"), 1.0)
            .with_routing(RoutingConfig {
                lr: Some(1e-3),
                weight_decay: Some(5e-4),
                ..RoutingConfig::new(RoutingMode::Adaptive)
            })
            .with_optimizer(OptimizerConfig {
                lr: Some(1e-3),
                ..OptimizerConfig::new(OptimizerName::Sgd)
            });
        if method.name() != "kd" {
            config = config.with_term(method.clone(), 1e-3);
        }
        let task = config.init(init(names[1], &device), Some(teacher), &data, &device);
        Self {
            task: task.unwrap_or_else(|error| panic!("{}: {error}", method.name())),
            device,
            what: method.name().to_owned(),
        }
    }

    fn step(mut self, batch: usize, choose: impl Fn(&Router, Tensor<3>) -> Gates) -> Self {
        let what = format!("{} with {batch} samples", self.what);
        let shape = [batch, INPUT[0], INPUT[1], INPUT[2]];
        let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device);
        let labels: Vec<i32> = (0..batch as i32).map(|n| n % CLASSES as i32).collect();
        let labels = Tensor::<1, Int>::from_ints(&*labels, &self.device);
        let batch = Batch::new(images, labels);

        let model = &self.task.model;
        let own = model.student_features(&batch);
        let soft = model.teacher_features(&batch).expect("a teacher");
        let routing = model.routing.as_ref().expect("routing");
        let router = routing.router.as_ref().expect("a router");
        let (student, teacher) = (own.pooled.clone(), soft.pooled.clone());
        let gates = choose(router, router.policy.forward(student, teacher));
        let output = model.forward_with_gates(&batch, (own, Some(soft)), Some(gates), None);
        assert!(output.losses.routing.is_some(), "{what}");
        let root = output.losses.root();
        assert!(root.clone().into_scalar::<f32>().is_finite(), "{what}");

        let gradients = root.backward();
        assert_finite(&what, model, Some(&gradients));
        let gradients = GradientsParams::from_grads(gradients, model);
        self.task = self.task.update(gradients);
        assert_finite(&what, &self.task.model, None);
        self
    }

    /// A step in which these are chosen.
    fn forced(self, batch: usize, chosen: Chosen) -> Self {
        let plain = self.device.clone().without_autodiff();
        self.step(batch, |router, logits| {
            let [batch, spots, _] = logits.dims();
            let gates = router.choose_from(logits, noise(chosen, [batch, spots], &plain));
            let count: f32 = gates.distilled().clone().sum().into_scalar();
            let expected = match chosen {
                Chosen::All => batch * spots,
                Chosen::None => 0,
                Chosen::One => spots,
            };
            assert_eq!(count as usize, expected, "{chosen:?}");
            gates
        })
    }
}

#[test]
fn every_method_survives_every_choice() {
    for method in Method::distilling() {
        // Some compare channel with channel.
        let teacher = match method.build(&setup(["resnet14", "resnet8"]), &Device::flex()) {
            Ok(_) => "resnet14",
            Err(_) => "resnet8",
        };
        let mut scene = Scene::new(&method, [teacher, "resnet8"]);
        for chosen in [Chosen::All, Chosen::None, Chosen::One] {
            // A whole batch, a short last one, and one sample.
            for batch in [BATCH, 2, 1] {
                scene = scene.forced(batch, chosen);
            }
        }
    }
}

/// What some methods ask for is left out: they are of equal channels.
fn setup(names: [&str; 2]) -> Setup {
    let plain = Device::flex();
    let [teacher, student] = names.map(|name| {
        let network = Architecture::by_name(name).expect("a network");
        let network = network.init(CLASSES, &plain);
        network.feature_shapes(INPUT, &plain)
    });
    Setup::new(student, teacher)
        .with_samples(20)
        .with_batch(BATCH)
}

#[test]
fn the_same_choice_for_a_whole_epoch_is_finite() {
    for name in ["at", "hint", "rkd", "kd"] {
        let method = Method::by_name(name).expect("a method");
        for chosen in [Chosen::All, Chosen::None] {
            let mut scene = Scene::new(&method, ["resnet14", "resnet8"]);
            for _ in 0..12 {
                scene = scene.forced(BATCH, chosen);
            }
        }
    }
}

/// The gates are the policy's own, with random noise, and the networks of different families.
#[test]
fn networks_of_different_families_are_grafted() {
    for names in [
        ["resnet14", "vgg8"],
        ["vgg8", "resnet8"],
        ["wrn_16_1", "mobilenetv2"],
        ["shufflenetv2", "resnet8"],
    ] {
        for name in ["rkd", "kd", "sp", "crd"] {
            let method = Method::by_name(name).expect("a method");
            let mut scene = Scene::new(&method, names);
            for _ in 0..2 {
                scene = scene.step(BATCH, |router, logits| {
                    let uniform = kd_nn::uniform(None, 0, logits.dims(), &logits.device());
                    router.choose_from(logits, uniform)
                });
            }
        }
    }
}
