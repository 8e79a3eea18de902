//! Every method runs through a whole training run: a phase before the main one, loop, checkpoint,
//! result. Both with all samples distilled and with those that a policy chooses.

use std::cell::{Cell, RefCell};

use kd_losses::{LossConfig, Method, Pretrain};
use kd_spot::RoutingMode;
use kd_tests::{tiny_set, untrained_teacher};
use kd_train::TrainMetrics;
use kd_train::{EpochMetrics, Observer, PretrainEpoch, Recipe, RunOptions, Shorthand, run};

/// Counts what it is told.
#[derive(Default)]
struct Count {
    pretrain: Cell<usize>,
    metrics: RefCell<Option<TrainMetrics>>,
}

impl Observer for Count {
    fn pretrain(&mut self, epoch: &PretrainEpoch) {
        assert!(epoch.loss.is_finite());
        self.pretrain.set(epoch.epoch);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        let shares = metrics.train.distilled.iter().flatten();
        assert!(shares.into_iter().all(|share| (0.0..=1.0).contains(share)));
        self.metrics.replace(Some(metrics.train.clone()));
    }
}

#[test]
fn every_method_trains() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let teacher = untrained_teacher(folder);
    let modes = [RoutingMode::Always, RoutingMode::Adaptive];
    let methods = Method::distilling().into_iter();
    for (method, mode) in methods.flat_map(|method| modes.map(|mode| (method.clone(), mode))) {
        let name = method.info().name;
        let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
        recipe.teacher.weights = Some(teacher.clone().into());
        recipe.data.procedural = Some(tiny_set());
        // 20 images: the last batch is a short one.
        recipe.data.batch_size = Some(8);
        recipe.losses = Shorthand {
            // Also the term that only a phase before the main one minimizes by default.
            own: (name != "kd").then_some(1e-3),
            method: Some(method.clone()),
            ..Shorthand::default()
        }
        .terms();
        recipe.routing.mode = mode;
        recipe.train.epochs = Some(1);
        recipe.optimizer.lr = Some(1e-3);
        recipe.compute.device = Some("flex".to_owned());
        let recipe = recipe.resolved().expect("a recipe");
        let mut count = Count::default();
        let options = RunOptions::new(folder.join(name).join(mode.name()));
        let result =
            run(&recipe, &options, &mut count).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(result.epochs, 1, "{name}");
        let expected = usize::from(method.pretrain() != Pretrain::None);
        assert_eq!(count.pretrain.get(), expected, "{name}");
        let metrics = count.metrics.take().expect("an epoch");
        let term = metrics.terms.get(name);
        assert!(term.is_some_and(f64::is_finite), "{name}: {term:?}");
        let chosen = mode == RoutingMode::Adaptive;
        assert_eq!(metrics.routing.is_some(), chosen, "{name}");
    }
}

/// A last batch of one, of which a batch norm over a map of 2x2 pixels makes little.
#[test]
fn report_f14_a_last_batch_of_one_trains() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let teacher = untrained_teacher(folder);
    for method in Method::distilling() {
        let name = method.info().name;
        // Methods that compare channel with channel take a network of the teacher's channels.
        let student = match name {
            "fsp" | "kdsvd" => "resnet8",
            _ => "mobilenetv2_050",
        };
        let mut recipe = Recipe::new(student.parse().expect("a network"));
        recipe.teacher.weights = Some(teacher.clone().into());
        recipe.data.procedural = Some(tiny_set());
        recipe.data.limit_train = Some(9);
        recipe.data.limit_test = Some(4);
        recipe.data.batch_size = Some(8);
        recipe.losses = Shorthand {
            method: Some(method.clone()),
            ..Shorthand::default()
        }
        .terms();
        recipe.train.epochs = Some(2);
        recipe.train.pretrain_epochs = (method.pretrain() != Pretrain::None).then_some(1);
        recipe.optimizer.lr = Some(0.01);
        // A single sample makes large gradients in so many batch norms, whatever the loss; that of `lwm`
        // made them of rounding, and is held to do without.
        recipe.optimizer.clip_norm = (name != "lwm").then_some(5.0);
        recipe.compute.device = Some("flex".to_owned());
        let recipe = recipe.resolved().expect("a recipe");
        let options = RunOptions::new(folder.join(name));
        let result = run(&recipe, &options, &mut Count::default());
        let result = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(result.epochs, 2, "{name}");
    }
}
