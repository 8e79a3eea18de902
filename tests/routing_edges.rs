//! Routing at its limits: everything chosen, nothing, one sample, a batch of one, a short last batch,
//! and the same choice for a whole epoch. Losses, gradients and parameters stay finite for every
//! method.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Gradients, Int, Tensor};
use kd_losses::{KdLossConfig, Method, Setup, Step};
use kd_models::{AnyNetwork, Architecture, Network};
use kd_spot::{Choices, Cuts, Router, RouterConfig, features_for_losses, shapes_for_losses};
use kd_train::{Differentiable, Draft, Learner, batch_loss, sgd};

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
    teacher: AnyNetwork,
    learner: Learner,
    router: Router,
    optimizers: [ModuleOptimizer; 2],
    device: Device,
    preact: bool,
}

impl Scene {
    fn new(method: &Method, names: [&str; 2]) -> Self {
        let plain = Device::flex();
        let device = plain.clone().autodiff();
        let init = |name: &str, device: &Device| {
            let architecture = Architecture::by_name(name).expect("a network");
            architecture.init(CLASSES, device)
        };
        let teacher = init(names[0], &plain).valid();
        let student = init(names[1], &device);
        let shapes = [&student, &teacher].map(|network| network.feature_shapes(INPUT, &plain));
        let cuts = Cuts::at(method.place(), &shapes[0], &shapes[1]).expect("cuts");
        let router = RouterConfig::new()
            .init(cuts, &shapes[0], &shapes[1], &device)
            .expect("a router");
        let [own, other] = shapes.map(shapes_for_losses);
        let mut setup = Setup::new(own, other)
            .with_labels((0..20).map(|sample| sample % CLASSES).collect())
            .with_batch(BATCH);
        let frozen = kd_train::FrozenTeacher::new(names[0], &teacher);
        (setup.classifier, setup.norms) = (frozen.classifier(), frozen.norms());
        let recipe = Draft {
            student: names[1].parse().ok(),
            ..Draft::default()
        };
        let recipe = recipe.finish().expect("a recipe");
        Self {
            learner: Learner {
                method: Some(method.init(&setup, &device).expect("a loss")),
                student,
            },
            teacher,
            router,
            optimizers: [sgd(&recipe), sgd(&recipe)],
            device,
            preact: method.info().needs.preact,
        }
    }

    fn step(
        &mut self,
        method: &Method,
        batch: usize,
        choose: impl Fn(&Self, &Tensor<3>) -> Choices,
    ) {
        let what = format!("{} with {batch} samples", method.name());
        let plain = self.device.clone().without_autodiff();
        let shape = [batch, INPUT[0], INPUT[1], INPUT[2]];
        let images = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &plain);
        let labels: Vec<i32> = (0..batch as i32).map(|n| n % CLASSES as i32).collect();
        let labels = Tensor::<1, Int>::from_ints(&*labels, &self.device);
        let indices = Tensor::arange(0..batch as i64, &plain);
        let features = |network: &AnyNetwork, images: Tensor<4>| {
            features_for_losses(match self.preact {
                true => network.features_with_preact(images),
                false => network.features(images),
            })
        };
        let soft = features(&self.teacher, images.clone());
        let tracked = Tensor::from_inner(images.clone());
        let own = features(&self.learner.student, tracked.clone());
        let policy = &self.router.policy;
        let logits = policy.forward(own.pooled.clone(), soft.pooled.clone());
        let choices = choose(self, &logits);
        let networks = [
            Differentiable(&self.learner.student),
            Differentiable(&self.teacher),
        ];
        let stages = own.maps.len() - 1;
        let loss = self.learner.method.as_ref().expect("a loss");
        let gates = choices.gates(loss.spots(stages));
        let mut loss = batch_loss(
            &Step::new(&own, &soft)
                .with_labels(&labels)
                .with_indices(&indices)
                .with_images(&tracked)
                .with_networks(&networks[0], &networks[1])
                .with_gates(&gates)
                .scaled_by_share(),
            labels.clone(),
            &KdLossConfig::new().init(),
            Some(loss),
            &kd_losses::LossWeights {
                ce: 1.0,
                kd: 1.0,
                method: 1e-3,
            },
            &choices.last(),
        );
        let networks = (&self.learner.student, &self.teacher);
        let grafted = self.router.grafted(&choices, networks, images, Some(&soft));
        let objective = self
            .router
            .objective(&choices, grafted, labels, loss.ce.clone());
        loss.routing = Some(objective);
        let root = loss.root();
        assert!(root.clone().into_scalar::<f32>().is_finite(), "{what}");

        let mut gradients = root.backward();
        assert_finite(&what, &self.learner, Some(&gradients));
        assert_finite(&what, &self.router, Some(&gradients));
        let of_router = GradientsParams::from_module(&mut gradients, &self.router);
        self.router = self.optimizers[1].step(1e-3, self.router.clone(), of_router);
        let of_learner = GradientsParams::from_module(&mut gradients, &self.learner);
        self.learner = self.optimizers[0].step(1e-3, self.learner.clone(), of_learner);
        assert_finite(&what, &self.learner, None);
        assert_finite(&what, &self.router, None);
    }

    /// A step in which these are chosen.
    fn forced(&mut self, method: &Method, batch: usize, chosen: Chosen) {
        self.step(method, batch, |scene, logits| {
            let [batch, spots, _] = logits.dims();
            let plain = scene.device.clone().without_autodiff();
            let uniform = noise(chosen, [batch, spots], &plain);
            let choices = scene.router.choose_from(logits.clone(), uniform);
            let count: f32 = choices.distilled().clone().sum().into_scalar();
            let expected = match chosen {
                Chosen::All => batch * spots,
                Chosen::None => 0,
                Chosen::One => spots,
            };
            assert_eq!(count as usize, expected, "{chosen:?}");
            choices
        });
    }
}

#[test]
fn every_method_survives_every_choice() {
    for method in Method::all() {
        // Some compare channel with channel.
        let teacher = match method.init(&setup(["resnet14", "resnet8"]), &Device::flex()) {
            Ok(_) => "resnet14",
            Err(_) => "resnet8",
        };
        let mut scene = Scene::new(&method, [teacher, "resnet8"]);
        for chosen in [Chosen::All, Chosen::None, Chosen::One] {
            // A whole batch, a short last one, and one sample.
            for batch in [BATCH, 2, 1] {
                scene.forced(&method, batch, chosen);
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
        shapes_for_losses(network.feature_shapes(INPUT, &plain))
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
                scene.forced(&method, BATCH, chosen);
            }
        }
    }
}

/// The choices are the policy's own, with random noise, and the networks of different families.
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
                scene.step(&method, BATCH, |scene, logits| {
                    let uniform = kd_spot::uniform_like(logits);
                    scene.router.choose_from(logits.clone(), uniform)
                });
            }
        }
    }
}
