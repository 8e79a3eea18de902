//! Which parameters have which learning rate and weight decay.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use kd_data::ProceduralConfig;
use kd_losses::Method;
use kd_models::{AnyNetwork, Architecture};
use kd_spot::{RoutingConfig, RoutingMode};

use super::*;

/// A parameter that is trained: its number of dimensions and its values.
pub(super) type Values = HashMap<ParamId, (usize, Vec<f32>)>;

/// The parameters of a module that are trained.
pub(super) fn trained<M: Module>(module: &M) -> Values {
    struct Collect(Values);

    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                let values = param.val().into_data().try_into_vec().expect("f32");
                self.0.insert(param.id, (D, values));
            }
        }
    }

    let mut collect = Collect(Values::new());
    module.visit(&mut collect);
    collect.0
}

/// A gradient of 1 for everything that is trained.
fn ones<M: Module>(module: &M) -> GradientsParams {
    struct Ones(GradientsParams);

    impl ModuleVisitor for Ones {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.val().is_require_grad() {
                let ones = param.val().inner().ones_like();
                self.0.register::<D>(param.id, ones);
            }
        }
    }

    let mut ones = Ones(GradientsParams::new());
    module.visit(&mut ones);
    ones.0
}

/// A student with an adapter, a router, and a teacher that is trained too.
fn task(optimizer: OptimizerConfig) -> DistillTask<AnyNetwork, AnyNetwork, kd_losses::MethodLoss> {
    let device = Device::flex().autodiff();
    let network = |name: &str| {
        let architecture = Architecture::by_name(name).expect("a network");
        architecture.init(4, &device)
    };
    let images = ProceduralConfig {
        classes: 4,
        train: 4,
        test: 1,
        ..ProceduralConfig::default()
    };
    let images = images.generate().expect("images").train;
    let loader = Loader::new(images, kd_data::LoaderConfig::train(2, 0)).expect("a loader");
    TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce").expect("a method"), 1.0)
        .with_term(Method::by_name("hint").expect("a method"), 1.0)
        .with_routing(RoutingConfig {
            lr: Some(0.2),
            weight_decay: Some(0.5),
            teacher_lr: Some(0.3),
            ..RoutingConfig::new(RoutingMode::Joint)
        })
        .with_optimizer(optimizer)
        .init(
            network("resnet8"),
            Some(FrozenTeacher::new("vgg8", &network("vgg8"))),
            &DataInfo::of(&loader),
            &device,
        )
        .expect("a task")
}

/// After a step with gradients of 1, each parameter is `w − lr (1 + decay w)`, by SGD without
/// momentum and by the first step of AdamW.
fn check(
    task: DistillTask<AnyNetwork, AnyNetwork, kd_losses::MethodLoss>,
    rates: Rates,
    decays_all: bool,
) -> DistillTask<AnyNetwork, AnyNetwork, kd_losses::MethodLoss> {
    let before = trained(&task.model);
    let routing = task.model.routing.as_ref().expect("routing");
    let router = trained(routing.router.as_ref().expect("a router"));
    let teacher = trained(routing.teacher.as_ref().expect("a trained teacher"));
    let others = trained(&task.model.student).len() + trained(&task.model.losses).len();
    assert!(!router.is_empty() && !teacher.is_empty() && others > 0);
    assert_eq!(before.len(), router.len() + teacher.len() + others);

    let gradients = ones(&task.model);
    let task = task.update(gradients);
    let after = trained(&task.model);
    assert_eq!(before.len(), after.len());
    for (id, (dimensions, values)) in &before {
        let (lr, decay) = match id {
            id if router.contains_key(id) => (rates.router, 0.5),
            id if teacher.contains_key(id) => (rates.teacher, 0.25),
            _ => (rates.student, 0.25),
        };
        let decay = if decays_all || *dimensions > 1 {
            decay
        } else {
            0.0
        };
        for (was, is) in values.iter().zip(&after[id].1) {
            let was = f64::from(*was);
            let expected = was - lr * (1.0 + decay * was);
            assert!(
                (f64::from(*is) - expected).abs() < 1e-5,
                "{dimensions} dimensions, rate {lr}, decay {decay}: {was} became {is}"
            );
        }
    }
    task
}

#[test]
fn router_and_teacher_have_rates_and_decays_of_their_own() {
    for decay_norms_and_biases in [true, false] {
        for (name, momentum) in [
            (OptimizerName::Sgd, Some(0.0)),
            (OptimizerName::AdamW, None),
        ] {
            let task = task(OptimizerConfig {
                lr: Some(0.1),
                weight_decay: Some(0.25),
                momentum,
                decay_norms_and_biases,
                ..OptimizerConfig::new(name)
            });
            let rates = Rates {
                student: 0.1,
                router: 0.2,
                teacher: 0.3,
            };
            let mut task = check(task, rates, decay_norms_and_biases);
            if name == OptimizerName::Sgd {
                let rates = Rates {
                    router: 0.01,
                    ..rates.scaled(0.5)
                };
                task.set_rates(rates);
                check(task, rates, decay_norms_and_biases);
            }
        }
    }
}
